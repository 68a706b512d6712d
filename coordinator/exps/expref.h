#ifndef NEPHRON_EXPREF_H
#define NEPHRON_EXPREF_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct repo;
struct revision;

/*
 * The refs that keep experiments, here and in other repositories of git. Source: DVC 3.67, dvc/repo/experiments/refs.py.
 *
 *   refs/exps/<2 hex digits>/<38 (62) more>/<name>   an experiment; the digits: the commit that it started from
 *   refs/exps/exec/EXEC_APPLY                        the experiment that `exp apply` brought last
 *   refs/exps/exec/EXEC_BRANCH, EXEC_HEAD …          what runs
 *   refs/exps/apply/ORIG_HEAD, apply/stash           the workspace as it was before `exp apply`
 *   refs/exps/stash, celery/…, temp/…                the queue, and passing things
 *
 * What has none of these forms is somebody else's and passed over.
 */

#define EXPREF_NAMESPACE "refs/exps"
#define EXPREF_EXEC_APPLY "refs/exps/exec/EXEC_APPLY"
#define EXPREF_EXEC_BRANCH "refs/exps/exec/EXEC_BRANCH"
#define EXPREF_APPLY_HEAD "refs/exps/apply/ORIG_HEAD"
#define EXPREF_APPLY_STASH "refs/exps/apply/stash"

struct expref {
    const char *ref; /* the whole; NULL: none */
    const char *baseline, *name;
    const char *commit; /* what it points to */
    const char
        *parents; /* of the commit, full ids with blanks between; NULL in another repository */
    int64_t time; /* the commit's, seconds since 1970; 0 in another repository */
};

struct expref_list {
    struct expref *items; /* by ref */
    size_t count;
};

/* Cuts the text of a ref; strings in `a`. False when it has not the form of an experiment's. */
bool expref_parse(struct arena *a, const char *ref, struct expref *x);
/* ERR_USAGE with DVC's text for a repository without git. */
int expref_check(const struct repo *r, struct err *e);
/* All there are. `remote`: name or URL of another repository of git; NULL: this one. One process. ERR_REMOTE. */
int expref_list(const struct repo *r, struct arena *a, const char *remote, struct expref_list *list,
                struct err *e);

/*
 * What a person calls an experiment: its name, or the whole ref. Two of one name: the one that started from HEAD, else
 * ERR_USAGE "Ambiguous name …". `ref` of *found is NULL when there is none.
 */
int expref_resolve(const struct repo *r, struct arena *a, const struct expref_list *list,
                   const char *name, struct expref *found, struct err *e);
/* What the experiment that a commit belongs to started from; NULL: none. Of several the first. */
int expref_baseline(const struct repo *r, struct arena *a, const char *commit,
                    const char **baseline, struct err *e);
/* The experiments that hold a commit; of each only the text of its ref. */
int expref_holders(const struct repo *r, struct arena *a, const char *commit,
                   struct expref_list *list, struct err *e);
/* "'x' is not a valid experiment name", or "Experiment 'x' does not exist in 'origin'". ERR_USAGE. */
int expref_unknown(const char *const *names, size_t count, const char *remote, struct err *e);

/* What a command's -A, --rev, -n and names choose. */
struct expref_choice {
    bool all;
    const char *const *revs; /* none: HEAD */
    size_t rev_count;
    long num;                 /* of --rev and its first parents so many; 0: none, negative: all */
    const char *const *names; /* these, not those of revs */
    size_t name_count;
    const char *remote; /* experiments of that repository; NULL: here */
    bool blame_here;    /* errors do not name the remote */
};
/* Each once, in the order of the names, else of the refs. */
int expref_choose(const struct repo *r, struct arena *a, const struct expref_choice *c,
                  struct expref_list *chosen, struct err *e);
/* Those of `all` that are not in `some`. */
void expref_others(struct arena *a, const struct expref_list *all, const struct expref_list *some,
                   struct expref_list *others);

/* Deletes them, and with them what says that one of them was applied. One process, all or nothing. */
int expref_remove(const struct repo *r, const struct expref_list *list, struct err *e);
int expref_remove_remote(const struct repo *r, const char *remote, const struct expref_list *list,
                         struct err *e);
/* The ref gets another name. Where one has it: ERR_BUSY, unless `force`. */
int expref_rename(const struct repo *r, struct arena *a, const struct expref *x, const char *name,
                  bool force, struct err *e);
int expref_set(const struct repo *r, const char *ref, const char *commit, const char *message,
               struct err *e);

#endif
