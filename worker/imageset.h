#ifndef NEPHRON_IMAGESET_H
#define NEPHRON_IMAGESET_H

#include "dataset.h"
#include "split.h"

#include <signal.h>
#include <stddef.h>

struct comm;
struct err;
struct featurecache;
struct model;
struct par;
struct pixels;
struct score;
struct settings;

/*
 * The data of a training or an evaluation: the class folders, their two parts by the settings, and
 * the cache of decoded pictures. The same on every rank.
 */

struct imageset {
    struct dataset data;
    struct split split;
    struct pixels *pixels;
    /* The caller's: a signal number once one came, which ends a validation early; NULL: never. */
    const volatile sig_atomic_t *stop;
    struct featurecache *features; /* borrowed; NULL: none. Then validation reads these */
};

struct imageset_options {
    const struct settings *settings;
    struct comm *comm;
    size_t height, width;     /* px */
    const char **class_names; /* that the folders must have, `classes` of them; NULL: any */
    size_t classes;
};

/* Rank 0 reads the folders and tells the others, so that the file system is asked once. Collective:
 * fails on all ranks together, *s then is as after imageset_release. ERR_MISSING says where the
 * data should be. */
int imageset_open(struct imageset *s, const struct imageset_options *opt, struct err *e);
void imageset_release(struct imageset *s);
/* Looks for near copies across the split; rank 0 warns on the log. Each rank decodes its share of
 * the pictures. Collective. */
int imageset_warn_copies(struct imageset *s, struct comm *comm, struct par *par, struct err *e);

/*
 * Runs the model over the validation part, sharded over the ranks, and gathers the rows of all of
 * them in `score` (emptied first): every rank then has the same rows. Collective.
 * batch: rows of a global batch; a rank's part of it must fit model_rows().
 * Returns 0, or the signal that stopped it (> 0, the same on every rank; `score` is then empty), or
 * -1.
 */
int imageset_validate(struct imageset *s, struct comm *comm, struct model *m, size_t batch,
                      struct score *score, struct err *e);

#endif
