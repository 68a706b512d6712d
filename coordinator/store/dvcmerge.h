#ifndef NEPHRON_DVCMERGE_H
#define NEPHRON_DVCMERGE_H

struct err;
struct store;
struct strbuf;

/*
 * git's merge driver for .dvc files (`git-hook merge-driver`): three versions of a file that tracks
 * one folder become one, by merging the lists of the folder (dirmerge.h). The merged list goes to the
 * cache, its hash, size and number of files into `our`, which is otherwise left as it is; data is not
 * touched. Texts of errors are DVC's.
 *
 * What is merged: files of `add` (no cmd, no deps, one out) that track a folder, and differ in
 * md5, size, nfiles and hash alone. A folder of DVC 2's form (no `hash: md5`) differs in its md5
 * too, so it is refused, as DVC does. An ancestor without outs is an empty folder; a side without
 * outs gives way to the other.
 *
 * Source: DVC 3.67, dvc/commands/git_hook.py, dvc/stage/__init__.py and dvc/output.py (merge).
 */
struct dvcmerge {
    const char *ancestor, *our, *their; /* absolute paths of the three versions */
    const char *path; /* of the file that is merged, repo path; NULL: `our` stands for it */
};

/* `conflict` (empty) gets DVC's text when the sides contradict each other: the answer is then 1; 0: merged. ERR_USAGE
 * for what cannot be merged, ERR_MISSING for files and lists that are not there, ERR_FORMAT. */
int dvcmerge_run(struct store *s, const struct dvcmerge *m, struct strbuf *conflict, struct err *e);

#endif
