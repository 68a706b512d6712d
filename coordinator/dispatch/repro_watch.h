#ifndef NEPHRON_REPRO_WATCH_H
#define NEPHRON_REPRO_WATCH_H

#include <stdbool.h>

struct err;
struct repro_context;
struct repro_options;
struct repro_stop;

/*
 * `repro --watch`: what to watch between two repros, and the wait. Watched are the pipeline files, and
 * of the selected stages the deps, params files and tracked data; not what stages of the repository
 * make. Armed before a repro, so that a change during it leads to another one. (What a stage reads is
 * recorded when it has ended, as in DVC: a file that changes under a running stage is taken for read.)
 */

struct repro_watch {
    struct watch *files; /* NULL: nothing is watched yet */
    const char *cwd;     /* paths are shown from here; borrowed */
    bool quiet, json;
    unsigned restless; /* repros in a row during which watched files changed */
};

/* On failure what was watched before stays. */
int repro_watch_arm(struct repro_watch *w, const struct repro_context *c,
                    const struct repro_options *opt, struct err *e);
/* Waits and tells what changed. 1: go on; 0: a signal came; -1 with *e set. */
int repro_watch_next(struct repro_watch *w, const struct repro_stop *stop, struct err *e);
void repro_watch_release(struct repro_watch *w);

#endif
