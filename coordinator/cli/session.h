#ifndef NEPHRON_SESSION_H
#define NEPHRON_SESSION_H

#include "graph.h"
#include "opt.h"
#include "pipeline.h"
#include "repo.h"
#include "repolock.h"
#include "store.h"

#include <stdbool.h>

struct err;
struct value;

/*
 * What nearly every command opens first: repository, pipeline, graph, store, as deep as it needs.
 *
 *     struct session s;
 *     if (session_open(&s, SESSION_STORE, quiet, &e) < 0)
 *         return session_fail(&e, 255);
 *     …
 *     session_close(&s);
 */

enum session_depth { SESSION_REPO, SESSION_PIPELINE, SESSION_GRAPH, SESSION_STORE };

struct session {
    struct arena arena; /* for what the command makes */
    struct repo repo;
    struct pipeline pipeline;
    struct graph graph;
    struct store *store;
    struct repolock lock;
    bool quiet;
    bool unchecked; /* the graph was built without its checks */
    bool data;      /* there is a store at any depth */
    bool most;      /* broken files of the pipeline were left out */
    /* Above: public. Below: private to session.c. */
    int opened; /* how many of the steps are to be undone */
};

/* On failure everything is closed again. Notes of the store go to stdout (not when quiet) and stderr. */
int session_open(struct session *s, enum session_depth depth, bool quiet, struct err *e);
/* The same with graph_build_unchecked, for commands that only tell. */
int session_open_unchecked(struct session *s, enum session_depth depth, bool quiet, struct err *e);
/* The same, and files of the pipeline that cannot be read are left out with a warning (pipeline_load_most). */
int session_open_most(struct session *s, enum session_depth depth, bool quiet, struct err *e);
/* The store too, however little else is read: for commands to which a broken pipeline is an answer, or which mend
 * it. */
int session_open_data(struct session *s, enum session_depth depth, bool quiet, struct err *e);
/* Takes the repository's lock, for commands that write; released by session_close. `cmd`: "nephron add".
 * Another command may have written since session_open, so pipeline, graph and store are read anew: what points into
 * them is taken after this call. */
int session_lock(struct session *s, const char *cmd, struct err *e);
/* Was the program started with --wait-for-lock? Then locks are waited for without end. */
bool session_waits(void);
void session_close(struct session *s);

/* The store_note_fn of a session's store (ctx: the session), for commands that open one by themselves. */
void session_note(void *ctx, enum store_note_kind kind, const char *text);
/* "WARNING: …" on stderr, after what stands on stdout; nothing with -q. */
void session_warn(const char *text);
/* One line of JSON on stdout, as Python writes it. */
void session_print_json(const struct value *v);
/* Asks on stdout until the answer on stdin is yes or no; no when there is none. */
bool session_confirm(const char *question);

/* Prints "ERROR: …" and answers the exit code: 253 outside of a repository, 251 for settings,
 * 75 when the repository is busy, else `code`. */
int session_fail(const struct err *e, int code);
/* session_open failed because there is no repository here or above. */
bool session_is_outside(const struct err *e);

/* Parses; answers false with *exit_code set when the command is over (help: 0; wrong usage: `usage_code` after
 * the message and the usage line on stderr). DVC's commands: 254; Nephron's own: 2. Every command also takes
 * -v, --verbose and, where its table has none, -q, --quiet: nothing on stdout. With -q there are no warnings. */
bool session_options(const struct opt_spec *spec, int argc, char **argv, struct opt_list *args,
                     int usage_code, int *exit_code);

/* A family of subcommands ("stage add"): looks argv[1] up and calls it with argv + 1. */
struct session_command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};
/* What --help-table says of a family. */
void session_print_table(const struct session_command *commands, size_t count);
int session_dispatch(const char *family, const struct session_command *commands, size_t count,
                     int argc, char **argv);

#endif
