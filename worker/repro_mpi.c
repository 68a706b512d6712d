/* See repro_mpi.h. */
#include "repro_mpi.h"

#include "err.h"
#include "log.h"
#include "pool.h"
#include "pool_program.h"
#include "repro_cli.h"
#include "runner_mpi.h"
#include "tracked.h"
#include "value.h"
#include "yaml.h"

#include <string.h>

/* Every rank has the same words: nobody needs to be told of -q. */
static bool is_quiet(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        bool flags = argv[i][0] == '-' && strspn(argv[i] + 1, "fispPRkvq") == strlen(argv[i] + 1);
        if (strcmp(argv[i], "--quiet") == 0 || (flags && strchr(argv[i], 'q') != NULL)) {
            return true;
        }
    }
    return false;
}

/* ---- rank 0 ---- */

struct coordinator {
    const struct pool *pool;
    struct tracked *tracked;
    bool quiet;
};

static struct runner *open_runner(void *ctx, const struct repro_context *rc,
                                  const struct runner_hooks *hooks, int lock_fd, struct err *e)
{
    const struct coordinator *c = ctx;
    return runner_mpi_new(&(struct runner_mpi_options){.pool = c->pool,
                                                       .hooks = hooks,
                                                       .run = tracked_run(c->tracked),
                                                       .store = rc->store,
                                                       .no_commands = c->quiet,
                                                       .stop = rc->stop,
                                                       .lock_fd = lock_fd});
}

static int run_begin_tracked(void *ctx, const struct repro_context *rc,
                             const struct event_sink **sink, const char **run_id, struct err *e)
{
    const struct coordinator *c = ctx;
    return tracked_begin(c->tracked, rc, sink, run_id, e);
}

static void run_end_tracked(void *ctx, const struct repro_result *result, const struct err *why)
{
    const struct coordinator *c = ctx;
    tracked_end(c->tracked, result, why);
}

/* -n N: `nephron repro -n N` hands its words to us, and its ranks are these. */
static int launched_already(void *ctx, int ranks, const char *hostfile, int argc, char **argv,
                            struct err *e)
{
    const struct coordinator *c = ctx;
    if (ranks != c->pool->size) {
        log_warn("pool", "-n %d: the launcher started %d rank%s, which will do", ranks,
                 c->pool->size, c->pool->size == 1 ? "" : "s");
    }
    return 0;
}

/* core.shared_fs of config/config.yaml. What is wrong with that file is for those to say who need
 * it. */
static bool shared_fs(struct arena *a)
{
    const struct value *doc = yaml_load(a, "config/config.yaml", NULL, NULL);
    const struct value *v = doc != NULL ? value_find(doc, "core.shared_fs") : NULL;
    return v == NULL || v->type != VALUE_BOOL || v->b;
}

static int coordinate(const struct pool *p, int argc, char **argv, bool quiet)
{
    struct arena a;
    arena_init(&a);
    struct tracked *t = tracked_new(&(struct tracked_options){
        .argc = argc, .argv = argv, .world_size = p->size, .hosts = pool_hosts(p, &a)});
    struct coordinator c = {.pool = p, .tracked = t, .quiet = quiet};
    const struct repro_backend backend = {
        .program = "nephron",
        .open_runner = open_runner,
        .slots = p->size,
        .threads_per_slot = p->cores,
        .no_shared_fs = !shared_fs(&a),
        .launch = launched_already,
        .run_begin = run_begin_tracked,
        .run_end = run_end_tracked,
        .ctx = &c,
    };
    int code = repro_main(argc, argv, &backend);
    tracked_free(t);
    arena_release(&a);
    return code;
}

int repro_mpi_main(int argc, char **argv)
{
    return pool_program(argc, argv, is_quiet(argc, argv), coordinate);
}
