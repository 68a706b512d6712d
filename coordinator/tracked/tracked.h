#ifndef NEPHRON_TRACKED_H
#define NEPHRON_TRACKED_H

struct err;
struct event_sink;
struct repro_context;
struct repro_result;
struct run;

/*
 * A `repro` that is recorded as a run of kind "repro": the two callbacks of struct repro_backend, for `nephron` and nephron-mpi
 * alike. The engine's stage and log events go to the run's sink, and what the stages start finds the run's id in NEPHRON_PARENT_RUN.
 * Recording never stops a run: with a broken config/config.yaml there is a warning and no record.
 *
 *     struct tracked *t = tracked_new(&(struct tracked_options){.argc = argc, .argv = argv});
 *     const struct repro_backend b = {.run_begin = tracked_begin, .run_end = tracked_end, .ctx = t};
 *     int code = repro_main(argc, argv, &b);
 *     tracked_free(t);
 */

struct tracked;

struct tracked_options {
    int argc; /* the command line as typed, recorded as `cmd`; borrowed until tracked_free */
    char *const *argv;
    int world_size;    /* 0: 1 */
    const char *hosts; /* "a,b"; NULL: this host; borrowed until tracked_free */
};

/* Returns new (tracked_free). Touches nothing yet: an up-to-date pipeline leaves no trace. */
struct tracked *tracked_new(const struct tracked_options *opt);
/* Also ends, as failed, a run that tracked_end was not called for. NULL is fine. */
void tracked_free(struct tracked *t);
/* For repro_backend.run_begin; ctx is the struct tracked. */
int tracked_begin(void *ctx, const struct repro_context *c, const struct event_sink **sink,
                  const char **run_id, struct err *e);
/* For repro_backend.run_end. */
void tracked_end(void *ctx, const struct repro_result *result, const struct err *why);
/* The run under way, for further events; NULL when there is none. Returns borrowed (until tracked_end). */
const struct run *tracked_run(const struct tracked *t);

#endif
