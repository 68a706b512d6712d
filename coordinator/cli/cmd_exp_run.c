/* `exp run`: one experiment in the workspace or in a copy, one or many for the queue, or all that wait there. */
#include "cmd_exp.h"

#include "alloc.h"
#include "clock.h"
#include "config.h"
#include "err.h"
#include "expautopush.h"
#include "expcommit.h"
#include "expqueue.h"
#include "exprun.h"
#include "exprun_cli.h"
#include "expstash.h"
#include "hydra.h"
#include "opt.h"
#include "override.h"
#include "report.h"
#include "repro_stop.h"
#include "session.h"
#include "tracked.h"
#include "value.h"

#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct typed {
    struct exptask task;
    struct opt_list targets, set, copies;
    const char *name, *message;
    bool queue, run_all, temp, no_hydra, keep_going, ignore_errors;
    long jobs;
    int argc;
    char **argv;
};

/* ---- options ---- */

static bool parse(int argc, char **argv, struct typed *t, int *code)
{
    struct repro_options *o = &t->task.repro;
    const struct opt options[] = {
        {OPT_STR, 'n', "name", "NAME", "name of the experiment (else one is made up)", &t->name,
         NULL},
        {OPT_LIST, 'S', "set-param", "[FILE:]KEY=VALUE",
         "parameter for this experiment, in Hydra's syntax", &t->set, NULL},
        {OPT_FLAG, 0, "queue", NULL, "keep it for later", &t->queue, NULL},
        {OPT_FLAG, 0, "run-all", NULL, "run what is in the queue", &t->run_all, NULL},
        {OPT_INT, 'j', "jobs", "N", "with --run-all: so many experiments at once", &t->jobs, NULL},
        {OPT_FLAG, 0, "temp", NULL, "run in a copy of the workspace", &t->temp, NULL},
        {OPT_LIST, 'C', "copy-paths", "PATH",
         "untracked or ignored path that the copy needs (--temp, --queue)", &t->copies, NULL},
        {OPT_STR, 'm', "message", "TEXT", "message of the experiment's commit", &t->message, NULL},
        {OPT_STR, 'M', NULL, "TEXT", "old form of -m", &t->message, NULL},
        {OPT_FLAG, 0, "no-hydra", NULL, "do not compose params.yaml with Hydra", &t->no_hydra,
         NULL},
        {OPT_FLAG, 'f', "force", NULL,
         "run the stages even if nothing changed, and replace an experiment of this name",
         &o->force, NULL},
        {OPT_FLAG, 'i', "interactive", NULL, "ask before each stage", &o->interactive, NULL},
        {OPT_FLAG, 's', "single-item", NULL, "only the targets, not what they need",
         &o->single_item, NULL},
        {OPT_FLAG, 'p', "pipeline", NULL, "the whole pipelines of the targets", &o->pipeline, NULL},
        {OPT_FLAG, 'P', "all-pipelines", NULL, "everything in the repository", &o->all_pipelines,
         NULL},
        {OPT_FLAG, 'R', "recursive", NULL, "all stages below the given folders", &o->recursive,
         NULL},
        {OPT_FLAG, 0, "downstream", NULL, "start from the targets and do what follows",
         &o->downstream, NULL},
        {OPT_FLAG, 0, "force-downstream", NULL, "run what follows a stage that ran",
         &o->force_downstream, NULL},
        {OPT_FLAG, 0, "pull", NULL, "fetch missing data from the remote", &o->pull, NULL},
        {OPT_FLAG, 0, "allow-missing", NULL, "missing data counts as unchanged", &o->allow_missing,
         NULL},
        {OPT_FLAG, 0, "dry", NULL, "print what would run, keep nothing", &o->dry, NULL},
        {OPT_FLAG, 'k', "keep-going", NULL, "after a failure go on with what does not depend on it",
         &t->keep_going, NULL},
        {OPT_FLAG, 0, "ignore-errors", NULL, "after a failure go on with everything",
         &t->ignore_errors, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "nothing but warnings and what stages print", &o->quiet,
         NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron exp run [OPTION]... [TARGET]...",
        .about = "Runs the pipeline as an experiment: with other parameters, its result kept as a "
                 "commit that is on no branch. KEY=VALUE changes a parameter, +KEY=VALUE adds one, "
                 "~KEY drops one; KEY=1,2 is one experiment a value (--queue).",
        .examples = "  nephron exp run -S BATCH_SIZE=32\n"
                    "  nephron exp run --queue -S LEARNING_RATE=0.1,0.01 && nephron exp run "
                    "--run-all -j 2\n"
                    "  mpirun -n 4 nephron exp run --run-all",
        .options = options,
        .max_args = OPT_ANY};
    if (!session_options(&spec, argc, argv, &t->targets, 254, code)) {
        return false;
    }
    o->targets = t->targets.items;
    o->target_count = t->targets.count;
    o->on_error = t->ignore_errors ? REPRO_IGNORE : t->keep_going ? REPRO_KEEP_GOING : REPRO_STOP;
    t->task.name = t->name;
    t->task.message = t->message;
    return true;
}

static void release(struct typed *t)
{
    opt_list_release(&t->targets);
    opt_list_release(&t->set);
    opt_list_release(&t->copies);
}

/* ---- what is asked for ---- */

/* Is params.yaml composed? */
static bool is_composed(const struct session *s, const struct typed *t)
{
    return !t->no_hydra && config_get_bool(s->repo.config, "hydra", "enabled", false);
}

static void set_copies(struct session *s, struct typed *t)
{
    const char **paths = ARENA_ARRAY(&s->arena, t->copies.count + 1, const char *);
    for (size_t i = 0; i < t->copies.count; i++) {
        paths[i] = repo_path(&s->repo, &s->arena, t->copies.items[i]);
    }
    t->task.copies = paths;
    t->task.copy_count = t->copies.count;
}

static void say_ran(const char *name, bool temp, bool quiet)
{
    if (quiet) {
        return;
    }
    printf("\nRan experiment(s): %s\n", name);
    printf("%s", temp ? "To apply the results of an experiment to your workspace run:\n\n"
                        "\tnephron exp apply <exp>\n"
                      : "Experiment results have been applied to your workspace.\n");
}

/* The stash commit of one experiment, with its parameters and data as they are. */
static int stash(struct session *s, const struct typed *typed, struct exptask *t,
                 const struct value *files, struct err *e)
{
    struct value *texts = exprun_params(&s->repo, &s->arena, files, is_composed(s, typed), e);
    if (texts == NULL || exprun_commit_data(&s->repo, &s->arena, t, texts, e) < 0) {
        return -1;
    }
    t->created_ms = clock_wall_ms(&clock_system);
    return expstash_make(&s->repo, &s->arena, texts, t, e);
}

static bool ask(void *ctx, const char *question)
{
    return isatty(1) && session_confirm(question);
}

static int store_ref(struct session *s, struct typed *t, struct exprun_result *result,
                     struct err *e)
{
    const char *ref = expcommit_ref(&s->arena, t->task.baseline, t->task.name);
    if (expcommit_store(&s->repo, ref, t->task.repro.force, result->commit, e) < 0) {
        return -1;
    }
    expautopush(&s->repo, &t->task, t->task.repro.quiet);
    say_ran(t->task.name, t->temp, t->task.repro.quiet);
    return 0;
}

/* Parameters and data in the workspace itself, which from here on is this run's (`busy`). A wrong target leaves no changed
 * parameters, and a run that is at work does not find others than it began with. */
static int prepare_workspace(struct session *s, struct typed *t, const struct value *files,
                             struct repolock *busy, struct err *e)
{
    const struct value *texts = exprun_params(&s->repo, &s->arena, files, is_composed(s, t), e);
    if (texts == NULL || exprun_commit_data(&s->repo, &s->arena, &t->task, NULL, e) < 0 ||
        repolock_acquire(busy, &s->repo, REPOLOCK_REPRO, "nephron exp run", false, NULL, e) < 0) {
        return -1;
    }
    return exprun_write(&s->repo, &s->arena, texts, e);
}

/* The command line as typed, for the record of the run; in the session's arena. */
static char **typed_words(struct session *s, const struct typed *t)
{
    char **words = ARENA_ARRAY(&s->arena, (size_t)t->argc + 2, char *);
    words[0] = arena_strdup(&s->arena, "exp");
    for (int i = 0; i < t->argc; i++) {
        words[i + 1] = t->argv[i];
    }
    return words;
}

/* One experiment, now. Answers the exit code. */
static int run_one(struct session *s, struct typed *t, const struct value *files)
{
    struct err e = ERR_INIT;
    struct exprun_result result = {.exit_code = 255};
    struct repolock busy = REPOLOCK_INIT;
    struct tracked *tracked =
        tracked_new(&(struct tracked_options){.argc = t->argc + 1, .argv = typed_words(s, t)});
    const struct exprun_options opt = {.repro_lock = t->temp ? NULL : &busy,
                                       .tracked = tracked,
                                       .confirm = ask,
                                       .warn_untracked = t->temp};
    int rc = t->temp ? stash(s, t, &t->task, files, &e) : prepare_workspace(s, t, files, &busy, &e);
    if (rc == 0) {
        repolock_release(&s->lock); /* others may work while stages run */
        rc = t->temp ? exprun_in_copy(&s->repo, &t->task, &opt, &result, &e)
                     : exprun_here(&t->task, &opt, &result, &e);
    }
    if (rc == 0 && result.commit[0] != 0) {
        rc = store_ref(s, t, &result, &e);
        result.exit_code = 255;
    }
    tracked_free(tracked);
    repolock_release(&busy);
    return rc == 0 ? 0 : session_fail(&e, result.exit_code != 0 ? result.exit_code : 255);
}

/* ---- the queue ---- */

static int queue_one(struct session *s, struct typed *t, const struct value *files,
                     const char *name, struct err *e)
{
    struct expqueue q = {&s->repo, &s->arena};
    struct exptask task = t->task;
    task.name = name;
    if (exprun_begin(&s->repo, &task, &s->arena, e) < 0 || stash(s, t, &task, files, e) < 0 ||
        expqueue_put(&q, &task, e) < 0) {
        return -1;
    }
    if (!t->task.repro.quiet) {
        struct strbuf text;
        strbuf_init(&text);
        if (files->map.count > 0) {
            value_repr(&text, files);
            printf("Queueing with overrides '%s'.\n", text.p);
        }
        printf("Queued experiment '%s' for future execution.\n", task.name);
        strbuf_release(&text);
    }
    return 0;
}

static int queue_all(struct session *s, struct typed *t, const struct value *files, bool sweep,
                     struct err *e)
{
    if (!sweep) {
        return queue_one(s, t, files, t->name, e);
    }
    const struct value *all = override_product(&s->arena, files, e);
    if (all == NULL) {
        return -1;
    }
    for (size_t i = 0; i < all->list.count; i++) {
        const char *name =
            t->name != NULL ? arena_printf(&s->arena, "%s-%zu", t->name, i + 1) : NULL;
        if (queue_one(s, t, all->list.items[i], name, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- all ---- */

/* Overrides are looked at before anything else happens. Answers the exit code. */
static int run_typed(struct session *s, struct typed *t)
{
    struct err e = ERR_INIT;
    bool sweep = false;
    struct value *files = override_files(&s->arena, t->set.items, t->set.count);
    if (override_check(&s->arena, files, &sweep, &e) < 0) {
        return session_fail(&e, 255);
    }
    if (is_composed(s, t)) {
        hydra_add_file(&s->arena, files);
    }
    if (sweep && !t->queue) {
        err_set(&e, ERR_USAGE, "Sweep overrides can't be used without `--queue`");
        return session_fail(&e, 255);
    }
    set_copies(s, t);
    if (session_lock(s, "nephron exp run", &e) < 0) {
        return session_fail(&e, 255);
    }
    if (t->queue) {
        return queue_all(s, t, files, sweep, &e) == 0 ? 0 : session_fail(&e, 255);
    }
    t->temp = t->temp || t->task.repro.dry;
    if (exprun_begin(&s->repo, &t->task, &s->arena, &e) < 0) {
        return session_fail(&e, 255);
    }
    return run_one(s, t, files);
}

int cmd_exp_run(int argc, char **argv)
{
    struct typed t = {.jobs = 1, .argc = argc, .argv = argv};
    struct err e = ERR_INIT;
    struct session s;
    int code;
    if (!parse(argc, argv, &t, &code)) {
        release(&t);
        return code;
    }
    if (session_open(&s, SESSION_REPO, t.task.repro.quiet, &e) < 0) {
        code = session_fail(&e, 255);
    } else {
        if (t.run_all) {
            code = exprun_cli_all(
                &s.repo, &(struct exprun_cli_options){.jobs = t.jobs, .quiet = t.task.repro.quiet});
        } else {
            close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
            code = run_typed(&s, &t);
        }
        session_close(&s);
    }
    release(&t);
    return code;
}
