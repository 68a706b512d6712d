#ifndef NEPHRON_GUISE_H
#define NEPHRON_GUISE_H

#include <stdbool.h>

struct err;
struct strbuf;

/*
 * What a built-in command sees of its process when it runs inside a rank instead of in a child of
 * its own: its working directory, its environment, its standard output and error, its mark in log
 * lines. The rank wears the guise while the command has the word and takes it off when it looks
 * after its own work:
 *
 *   guise_open     folder, output into memory       guise_on / guise_off   any number of times
 *   guise_read     what was written since then      guise_close            all as it was
 *
 * The folder stays the command's from open to close, since its threads (loaders) go on meanwhile: a
 * rank's own work names files by absolute paths. A line that such a thread writes while the guise
 * is off goes where the rank's own lines go.
 */

struct guise {
    /* All private to guise.c. */
    const char *const *env;
    int rank, world, level;             /* the command's log mark and level */
    int own_rank, own_world, own_level; /* the rank's */
    int home_fd, memory_fd, out_fd;     /* our folder; what is written; where stdout goes */
    int own_out_fd, own_err_fd;
    char **own_env;
    long long read_bytes;
    bool on;
};

struct guise_options {
    const char *cwd;        /* absolute */
    const char *const *env; /* the whole of it, NULL-terminated; kept until close */
    bool no_stdout;         /* what goes to stdout is another rank's to say */
    int rank, world;        /* in log lines; world 1: no mark */
    int own_rank, own_world;
};

/* On failure *g is closed: the calls below then do nothing. */
int guise_open(struct guise *g, const struct guise_options *opt, struct err *e);
void guise_on(struct guise *g);
void guise_off(struct guise *g);
/* Appends what the command wrote since the last call, both streams in order. */
void guise_read(struct guise *g, struct strbuf *out);
void guise_close(struct guise *g);

#endif
