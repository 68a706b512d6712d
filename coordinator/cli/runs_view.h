#ifndef NEPHRON_RUNS_VIEW_H
#define NEPHRON_RUNS_VIEW_H

#include "runread.h"
#include "str.h"
#include "tracking.h"
#include "value.h"

#include <stdbool.h>

struct err;
struct opt_spec;
struct opt_list;

/*
 * What the `nephron runs` commands share: opening the run store, options, and runs as JSON or
 * tables.
 */

struct runs_session {
    struct tracking tracking;
    struct runread *reader;
    struct arena arena;
    bool colour;
};

/* Opens the store and says on stderr when it is not Redis that answers. -1: *e. */
int runs_open(struct runs_session *s, struct err *e);
void runs_close(struct runs_session *s);
/* Prints the error; the exit status: 2 for wrong usage or configuration, else 1. */
int runs_report(const struct err *e);
/* Parses; < 0: go on, else the exit status. */
int runs_parse(const struct opt_spec *spec, int argc, char **argv, struct opt_list *args);
/* A command about one run, from the command line to the exit status: parses, opens the store, finds the run of the
 * one word ('latest' when there is none) and calls `fn`, whose -1 with ERR_USAGE becomes 2. */
typedef int runs_one_fn(void *ctx, struct runs_session *s, const char *id, struct err *e);
int runs_with_one(const struct opt_spec *spec, int argc, char **argv, runs_one_fn *fn, void *ctx);
/* Checks that stdout was written. */
int runs_finish(int code);

void runs_print_json(const struct value *v);
/* The run as JSON: keys of the run hash, times RFC 3339, duration_s; with `whole` params, tags,
 * stages, ranks. */
struct value *runs_json(struct arena *a, const struct run_record *run, bool whole);
/* Number text as a JSON number; NaN, infinities and what is no number become null. */
struct value *runs_number(struct arena *a, struct str text);

const char *runs_field(const struct run_record *run, const char *name); /* "" when absent */
int64_t runs_field_ms(const struct run_record *run, const char *name);  /* 0 when absent */
/* The last loss or accuracy ("loss", "accuracy"): validation, test, training, step; NULL when none.
 */
const char *runs_best_known(const struct run_record *run, const char *what);
/* "running" …, coloured when the session is. */
const char *runs_colour(const struct runs_session *s, const char *status);
bool runs_is_over(const struct run_record *run);
/* The text page of `show` and `watch`. */
void runs_page(const struct runs_session *s, struct arena *a, const struct run_record *run,
               struct strbuf *out);

int runs_logs(int argc, char **argv);
int runs_watch(int argc, char **argv);

#endif
