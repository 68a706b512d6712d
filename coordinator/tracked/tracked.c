/* See tracked.h. */
#include "tracked.h"

#include "alloc.h"
#include "err.h"
#include "log.h"
#include "repo.h"
#include "repro.h"
#include "run.h"
#include "sink.h"
#include "tracking.h"

#include <stdlib.h>

#define PARENT "NEPHRON_PARENT_RUN"

struct tracked {
    struct tracked_options opt;
    struct sink *sink; /* NULL: nothing is recorded */
    struct run run;
};

struct tracked *tracked_new(const struct tracked_options *opt)
{
    struct tracked *t = xcalloc(1, sizeof *t);
    t->opt = *opt;
    return t;
}

static void end(struct tracked *t, enum run_status status, int code, const char *error)
{
    if (t->sink != NULL) {
        run_finish(&t->run, status, code, error);
        sink_close(t->sink);
        t->sink = NULL;
    }
}

void tracked_free(struct tracked *t)
{
    if (t != NULL) {
        end(t, RUN_FAILED, 255, NULL);
        free(t);
    }
}

static struct sink *open_sink(const struct tracked *t, const char *root, struct err *e)
{
    struct tracking settings;
    if (tracking_load(&settings, root, e) < 0) {
        return NULL;
    }
    struct sink *s = sink_open(
        &(struct sink_options){.tracking = &settings, .rank = 0, .world = t->opt.world_size}, e);
    tracking_release(&settings);
    return s;
}

/* The command line is recorded as it was typed: with the program before `repro`. */
static void begin_run(struct tracked *t, const char *root)
{
    size_t argc = (size_t)t->opt.argc;
    char **argv = xcalloc(argc + 2, sizeof *argv);
    char program[] = "nephron";
    argv[0] = program;
    for (size_t i = 0; i < argc; i++) {
        argv[i + 1] = t->opt.argv[i];
    }
    run_begin(&t->run, sink_events(t->sink),
              &(struct run_options){.kind = "repro",
                                    .argc = t->opt.argc + 1,
                                    .argv = argv,
                                    .project = root,
                                    .world_size = t->opt.world_size,
                                    .hosts = t->opt.hosts});
    free(argv);
}

int tracked_begin(void *ctx, const struct repro_context *c, const struct event_sink **sink,
                  const char **run_id, struct err *e)
{
    struct tracked *t = ctx;
    struct err why = ERR_INIT;
    /* The variable exists before the sink's threads do: giving it a value later moves nothing that they might be reading. */
    setenv(PARENT, "", 0);
    t->sink = open_sink(t, c->repo->root, &why);
    if (t->sink == NULL) {
        log_warn("tracking", "this run is not recorded: %s", why.text);
        *sink = NULL;
        *run_id = NULL;
        return 0;
    }
    begin_run(t, c->repo->root);
    setenv(PARENT, t->run.id, 1);
    *sink = t->run.sink;
    *run_id = t->run.id;
    return 0;
}

void tracked_end(void *ctx, const struct repro_result *result, const struct err *why)
{
    struct tracked *t = ctx;
    enum run_status status = result->interrupted      ? RUN_KILLED
                             : result->exit_code != 0 ? RUN_FAILED
                                                      : RUN_FINISHED;
    bool told = why != NULL && why->code != ERR_NONE;
    end(t, status, result->exit_code, told ? why->text : NULL);
}

const struct run *tracked_run(const struct tracked *t)
{
    return t->sink != NULL ? &t->run : NULL;
}
