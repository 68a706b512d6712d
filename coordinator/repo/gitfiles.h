#ifndef NEPHRON_GITFILES_H
#define NEPHRON_GITFILES_H

struct err;
struct repo;
struct repo_files;

/*
 * The files of one commit after the other, read from git's objects. One `git cat-file --batch`
 * answers for all of them: a process a file, or even a commit, would cost more than reading it.
 * Folders are kept by object id, so what two commits share is read once.
 *
 *     struct gitfiles *g = gitfiles_open(repo, e);
 *     for each commit: gitfiles_select(g, commit, e); … gitfiles_source(g)->read(…)
 *     gitfiles_close(g);
 *
 * Links and submodules are no files here. Not thread-safe.
 */
struct gitfiles;

/* Borrows `r` (until gitfiles_close). Returns new; NULL when this is no git work tree or git does
 * not start. */
struct gitfiles *gitfiles_open(const struct repo *r, struct err *e);
void gitfiles_close(struct gitfiles *g);

/* Turns to a commit, named by its full hex id. 1: the repository's folder is not in it; -1: *e. */
int gitfiles_select(struct gitfiles *g, const char *commit, struct err *e);
/* What a repo.h view of the selected commit reads from; borrowed. */
const struct repo_files *gitfiles_source(struct gitfiles *g);

#endif
