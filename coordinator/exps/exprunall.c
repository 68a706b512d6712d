/* See exprunall.h. */
#include "exprunall.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "expautopush.h"
#include "expcopy.h"
#include "expqueue.h"
#include "fs.h"
#include "job.h"
#include "log.h"
#include "par.h"
#include "repo.h"
#include "repro_stop.h"
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WAIT_MS 500
#define PATIENCE_US 15000000

struct slot {
    bool busy;
    uint64_t id;
    struct arena arena; /* of the task, and of all that is read while it is claimed and collected */
    struct expqueue queue;
    struct exptask task;
};

struct work {
    struct expqueue queue;
    struct expqueue_worker worker;
    const struct exprunall_options *opt;
    struct exprunall_result *result;
    struct runner *runner;
    struct slot *slots;
    int busy;
    uint64_t next_id;
    int passed_on; /* the signal that the experiments got */
    int64_t kill_us;
    size_t room; /* of the lists in result */
};

/* ---- jobs ---- */

/* Numbers that no other run on this host uses: processes carry them in their environment. */
static uint64_t first_id(void)
{
    uint64_t v = 0;
    if (getrandom(&v, sizeof v, 0) != sizeof v) {
        v = (uint64_t)clock_mono_us(&clock_system) * 2654435761u;
    }
    return (v | 1ull << 62) & ~0xfffffffull;
}

static const char *command_line(struct work *w, struct slot *s)
{
    const char *rev = s->task.rev;
    const char *const words[] = {w->opt->program, "exp", "exec-run",
                                 expqueue_task_path(&s->queue, rev),
                                 expqueue_result_path(&s->queue, rev)};
    struct strbuf b;
    strbuf_init(&b);
    strbuf_adds(&b, "exec");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        strbuf_addch(&b, ' ');
        strbuf_add_shell_word(&b, str_from(words[i]));
    }
    const char *line = arena_strndup(&s->arena, b.p, b.n);
    strbuf_release(&b);
    return line;
}

static int start(struct work *w, int slot, struct err *e)
{
    struct slot *s = &w->slots[slot];
    const char *cmd = command_line(w, s);
    const char *env = arena_printf(&s->arena, "NEPHRON_EXPERIMENT=%s", s->task.rev);
    int cores = par_cores() / w->opt->slots;
    s->id = w->next_id++;
    const struct job j = {
        .id = s->id,
        .stage = s->task.name,
        .cmds = &cmd,
        .cmd_count = 1,
        .cwd = w->queue.repo->root,
        .env = &env,
        .env_count = 1,
        .log_path = expqueue_log_path(&s->queue, s->task.rev),
        .slot = slot,
        .slots = 1,
        .threads = w->opt->slots > 1 ? (cores > 0 ? cores : 1) : 0,
    };
    if (fs_mkdirs_for(j.log_path, e) < 0 || w->runner->ops->start(w->runner, &j, e) < 0) {
        return err_wrap(e, "cannot start the experiment '%s'", s->task.name);
    }
    s->busy = true;
    w->busy++;
    return 0;
}

static bool may_claim(struct work *w)
{
    bool told = w->opt->stop != NULL && w->opt->stop->signal != 0;
    return !told && !(w->opt->worker && expqueue_stopped(&w->queue));
}

static void empty(struct slot *s)
{
    s->busy = false;
    arena_release(&s->arena);
}

/* The next experiment that waits into a free slot. 1: there is none. */
static int fill_slot(struct work *w, int i, struct err *e)
{
    struct slot *s = &w->slots[i];
    bool got = false;
    arena_init(&s->arena);
    s->queue = (struct expqueue){w->queue.repo, &s->arena};
    int rc = expqueue_claim(&s->queue, &w->worker, &s->task, &got, e);
    if (rc == 0 && got && (rc = start(w, i, e)) < 0) {
        expqueue_put_back(&s->queue, &s->task, NULL);
    }
    if (rc < 0 || !got) {
        empty(s);
    }
    return rc < 0 ? -1 : !got;
}

/* Gives every free slot something to do. */
static int fill(struct work *w, struct err *e)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < w->opt->slots && may_claim(w); i++) {
        rc = w->slots[i].busy ? 0 : fill_slot(w, i, e);
    }
    return rc < 0 ? -1 : 0;
}

/* ---- results ---- */

static void add_name(struct work *w, const char *name, const char **list, size_t *count)
{
    if (*count < w->room) {
        list[(*count)++] = arena_strdup(w->queue.arena, name);
    }
}

static void print_output(const struct work *w, const struct job_result *r)
{
    if (!w->opt->quiet && r->output != NULL && r->output_bytes > 0) {
        fwrite(r->output, 1, r->output_bytes, stdout);
        fflush(stdout);
    }
}

static int collect(struct work *w, struct slot *s, const struct job_result *r, struct err *e)
{
    struct exptask *t = &s->task;
    bool stopping = w->opt->stop != NULL && w->opt->stop->signal != 0;
    struct strbuf why;
    strbuf_init(&why);
    result_text(r, &why);
    bool cut_off = stopping && r->status != 0 && (r->killed || r->status < 0 || r->status >= 128);
    int rc = cut_off ? expqueue_put_back(&s->queue, t, e)
                     : expqueue_collect(&s->queue, t, why.n > 0 ? why.p : "no result", e);
    if (rc == 0 && cut_off) {
        w->result->interrupted = true;
    } else if (rc == 0 && t->state == EXPTASK_SUCCESS) {
        add_name(w, t->name, w->result->ran, &w->result->ran_count);
        expautopush(w->queue.repo, t, w->opt->quiet);
    } else if (rc == 0) {
        add_name(w, t->name, w->result->failed, &w->result->failed_count);
        fflush(stdout);
        fprintf(
            stderr,
            "ERROR: the experiment '%s' failed: %s; 'nephron queue logs %s' has what it printed\n",
            t->name, t->error, t->name);
    }
    strbuf_release(&why);
    return rc;
}

static int job_done(struct work *w, const struct job_result *r, struct err *e)
{
    for (int i = 0; i < w->opt->slots; i++) {
        struct slot *s = &w->slots[i];
        if (s->busy && s->id == r->id) {
            w->busy--;
            print_output(w, r);
            int rc = collect(w, s, r, e);
            empty(s);
            return rc;
        }
    }
    return 0;
}

/* ---- signals ---- */

static void look_at_signals(struct work *w)
{
    const struct repro_stop *stop = w->opt->stop;
    if (stop == NULL || stop->signal == 0) {
        return;
    }
    int64_t now = clock_mono_us(&clock_system);
    if (w->passed_on == 0) {
        w->passed_on = stop->signal;
        w->kill_us = now + PATIENCE_US;
        w->runner->ops->kill(w->runner, RUNNER_ALL, w->passed_on);
    } else if (w->passed_on != SIGKILL && (stop->count > 1 || now > w->kill_us)) {
        w->passed_on = SIGKILL;
        w->runner->ops->kill(w->runner, RUNNER_ALL, SIGKILL);
    }
}

static int wait_for_one(struct work *w, struct err *e)
{
    struct arena a;
    struct job_result r;
    arena_init(&a);
    int got = w->runner->ops->wait(w->runner, WAIT_MS, &a, &r, e);
    look_at_signals(w);
    int rc = got > 0 ? job_done(w, &r, e) : got;
    arena_release(&a);
    return rc;
}

/* ---- all ---- */

static struct runner *open_local(const struct exprunall_options *opt,
                                 const struct runner_hooks *hooks)
{
    return runner_local_new(&(struct runner_local_options){
        .slots = opt->slots,
        .output = opt->live && opt->slots == 1 && !opt->quiet ? RUNNER_TEE : RUNNER_CAPTURE,
        .no_commands = true,
        .hooks = hooks,
        .guard = true,
    });
}

static int run(struct work *w, struct err *e)
{
    static const struct runner_hooks none = {0};
    w->runner = w->opt->open_runner != NULL ? w->opt->open_runner(w->opt->ctx, &none, e)
                                            : open_local(w->opt, &none);
    if (w->runner == NULL) {
        return -1;
    }
    int rc = fill(w, e);
    while (rc == 0 && w->busy > 0) {
        rc = wait_for_one(w, e);
        if (rc == 0) {
            rc = fill(w, e);
        }
    }
    w->runner->ops->close(w->runner);
    return rc;
}

/* Something waits: a runner is opened for nothing else. The lists of names get their room. */
static int look(struct work *w, bool *any, struct err *e)
{
    struct expqueue_list l;
    *any = false;
    if (expqueue_read(&w->queue, &l, e) < 0) {
        return -1;
    }
    w->room = l.count + 10000;
    w->result->ran = ARENA_ARRAY(w->queue.arena, w->room, const char *);
    w->result->failed = ARENA_ARRAY(w->queue.arena, w->room, const char *);
    for (size_t i = 0; i < l.count; i++) {
        *any = *any || l.items[i].state == EXPTASK_QUEUED;
    }
    return 0;
}

int exprunall(const struct repo *r, struct arena *a, const struct exprunall_options *opt,
              struct exprunall_result *result, struct err *e)
{
    struct work w = {.queue = {r, a}, .opt = opt, .result = result, .next_id = first_id()};
    bool any = false;
    *result = (struct exprunall_result){0};
    if (expcopy_sweep(r, NULL, e) < 0 || expqueue_sweep(&w.queue, e) < 0 || look(&w, &any, e) < 0) {
        return -1;
    }
    if (!any) {
        return 0;
    }
    if (expqueue_worker_open(&w.queue, &w.worker, e) < 0) {
        return -1;
    }
    w.slots = xcalloc((size_t)opt->slots, sizeof *w.slots);
    int rc = run(&w, e);
    for (int i = 0; i < opt->slots; i++) {
        if (w.slots[i].busy) {
            empty(&w.slots[i]);
        }
    }
    free(w.slots);
    expqueue_worker_close(&w.worker);
    return rc;
}
