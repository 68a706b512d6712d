/* See runner_mpi.h; the letters are described in pool.h. */
#include "runner_mpi.h"

#include "alloc.h"
#include "carry.h"
#include "clock.h"
#include "err.h"
#include "ferry.h"
#include "gang.h"
#include "job.h"
#include "joboutput.h"
#include "log.h"
#include "pool.h"
#include "post.h"
#include "repro_stop.h"
#include "run.h"
#include "runner.h"
#include "seat.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PARENT "NEPHRON_PARENT_RUN="
#define SIGNAL_PATIENCE_MS 300 /* for the signal that another rank has had already */

struct remote {        /* what rank r > 0 does */
    bool busy, inside; /* `inside`: as a gang, which no signal cuts off */
    struct job job;    /* id, stage, slot; no commands */
    char *stage;
    /* With job.carry: the files it may return, and their way back. */
    bool carries;
    struct arena arena;
    struct carry allowed, made;
    const char *log_path;
    int attempt;
    struct ferry *ferry;
};

struct mpi_runner {
    struct runner base;
    struct runner_mpi_options opt;
    struct post post;
    struct seat *seat;
    struct remote *remotes; /* [size]; 0 unused */
    struct strbuf letter;
    atomic_int woken;
    bool closing;
    int pause_us; /* over several waits: an idle coordinator sleeps longer */
};

static struct mpi_runner *self(struct runner *r)
{
    return (struct mpi_runner *)r;
}

static int mpi_capacity(struct runner *r)
{
    return self(r)->opt.pool->size;
}

static void tell(const struct mpi_runner *m, int rank, const char *state, const char *stage)
{
    const struct pool_rank *who = &m->opt.pool->ranks[rank];
    if (m->opt.run != NULL) {
        run_rank(m->opt.run, &(struct run_rank){.rank = rank,
                                                .host = who->host,
                                                .pid = who->pid,
                                                .state = state,
                                                .stage = stage,
                                                .img_per_s = -1});
    }
}

static void remote_free(struct remote *w)
{
    if (w->carries) {
        ferry_free(w->ferry);
        arena_release(&w->arena);
    }
    free(w->stage);
    *w = (struct remote){0};
}

/* ---- start ---- */

static int send_job(struct mpi_runner *m, const struct job *j, struct err *e)
{
    struct strbuf b;
    strbuf_init(&b);
    job_pack(j, &b);
    int rc = post_send(&m->post, j->slot, POOL_JOB, strbuf_str(&b), e);
    strbuf_release(&b);
    return rc;
}

/* What the rank will have to give back, and where its output belongs. */
static int remember_carry(struct remote *w, const struct job *j, struct err *e)
{
    arena_init(&w->arena);
    w->carries = true;
    w->log_path = j->log_path != NULL ? arena_strdup(&w->arena, j->log_path) : NULL;
    w->attempt = j->attempt;
    return carry_parse(&w->arena, j->carry, &w->allowed, e);
}

static int start_remote(struct mpi_runner *m, const struct job *j, struct err *e)
{
    struct remote *w = &m->remotes[j->slot];
    w->inside = gang_suits(j);
    w->stage = xstrdup(j->stage);
    w->job = (struct job){.id = j->id, .stage = w->stage, .slot = j->slot, .slots = j->slots};
    if ((j->carry.n > 0 && remember_carry(w, j, e) < 0) || send_job(m, j, e) < 0) {
        remote_free(w);
        return -1;
    }
    w->busy = true;
    return 0;
}

/* Other ranks do not have our environment: what stages need of it goes along. */
static void add_parent(const struct mpi_runner *m, struct arena *a, struct job *j)
{
    if (m->opt.run == NULL) {
        return;
    }
    const char **env = ARENA_ARRAY(a, j->env_count + 1, const char *);
    env[0] = arena_printf(a, PARENT "%s", m->opt.run->id);
    for (size_t i = 0; i < j->env_count; i++) {
        env[i + 1] = j->env[i];
    }
    j->env = env;
    j->env_count++;
}

static int mpi_start(struct runner *r, const struct job *j, struct err *e)
{
    struct mpi_runner *m = self(r);
    struct arena a;
    struct job copy = *j;
    int size = m->opt.pool->size;
    if (j->slot < 0 || j->slot >= size || (j->slot > 0 && m->remotes[j->slot].busy)) {
        return err_set(e, ERR_BUG, "stage '%s' is given to slot %d of %d, which is not free",
                       j->stage, j->slot, size);
    }
    if (j->cmd_count == 0) {
        return err_set(e, ERR_BUG, "stage '%s' has no command", j->stage);
    }
    arena_init(&a);
    add_parent(m, &a, &copy);
    int rc = j->slot == 0 ? seat_start(m->seat, &copy, e) : start_remote(m, &copy, e);
    arena_release(&a);
    if (rc == 0) {
        m->pause_us = 0;
        tell(m, j->slot, "running", j->stage);
    }
    return rc;
}

/* ---- letters ---- */

static void pass_lines(struct mpi_runner *m, const struct remote *w, struct str text)
{
    const struct runner_hooks *h = m->opt.hooks;
    struct str line;
    if (h == NULL || h->line == NULL) {
        return;
    }
    text.n -= text.n > 0; /* the last newline ends, it does not separate */
    while (str_split(&text, '\n', &line)) {
        h->line(h->ctx, &w->job, line);
    }
}

static int bad_letter(int from, int tag, size_t n, struct err *e)
{
    return err_set(
        e, ERR_FORMAT,
        "rank %d sent a message of kind %d and %zu bytes, which the pool does not expect", from,
        tag, n);
}

/* ---- what a rank with a file system of its own made ---- */

static int answer_kept(struct mpi_runner *m, int rank, const char *text, struct err *e)
{
    struct strbuf b;
    const struct remote *w = &m->remotes[rank];
    strbuf_init(&b);
    strbuf_add(&b, &w->job.id, sizeof w->job.id);
    strbuf_adds(&b, text);
    int rc = post_send(&m->post, rank, POOL_KEPT, strbuf_str(&b), e);
    strbuf_release(&b);
    return rc;
}

/* The way back goes on, or is over, well or not: the rank hears of it. */
static int go_on(struct mpi_runner *m, int rank, struct err *e)
{
    struct remote *w = &m->remotes[rank];
    struct err why = ERR_INIT;
    if (ferry_go(w->ferry)) {
        return 0;
    }
    ferry_result(w->ferry, &why);
    ferry_free(w->ferry);
    w->ferry = NULL;
    return answer_kept(m, rank, why.text, e);
}

static int take_outs(struct mpi_runner *m, int rank, struct str bytes, struct err *e)
{
    struct remote *w = &m->remotes[rank];
    struct err why = ERR_INIT;
    uint64_t id = 0;
    if (!w->carries || w->ferry != NULL || bytes.n < sizeof id) {
        return bad_letter(rank, POOL_OUTS, bytes.n, e);
    }
    memcpy(&id, bytes.p, sizeof id);
    if (id != w->job.id) {
        return bad_letter(rank, POOL_OUTS, bytes.n, e);
    }
    struct str list = str_sub(bytes, sizeof id, bytes.n - sizeof id);
    if (carry_parse(&w->arena, list, &w->made, &why) == 0) {
        w->ferry = ferry_return(&m->post, rank, m->opt.store, &w->allowed, &w->made, &why);
    }
    return w->ferry != NULL ? go_on(m, rank, e) : answer_kept(m, rank, why.text, e);
}

static int take_file_letter(struct mpi_runner *m, int rank, int tag, struct str bytes,
                            struct err *e)
{
    const struct remote *w = &m->remotes[rank];
    if (tag == POOL_NEED) {
        return ferry_serve(&m->post, rank, m->opt.store, bytes, e);
    }
    if (tag == POOL_OUTS) {
        return take_outs(m, rank, bytes, e);
    }
    if (w->ferry == NULL) {
        return bad_letter(rank, tag, bytes.n, e);
    }
    ferry_bytes(w->ferry, bytes);
    return go_on(m, rank, e);
}

/* The rank has no log file of ours. */
static void write_log(const struct remote *w, const struct job_result *r)
{
    struct joboutput o;
    const struct job j = {.log_path = w->log_path, .attempt = w->attempt};
    joboutput_init(&o, &(struct joboutput_options){.job = &j});
    joboutput_add(&o, 0, (struct str){r->output, r->output_bytes});
    joboutput_close(&o, r->status, r->seconds);
    joboutput_release(&o);
}

/* 1: a result in *out; 0: something else; -1. */
static int take_letter(struct mpi_runner *m, int from, int tag, struct arena *a,
                       struct job_result *out, struct err *e)
{
    struct str bytes = strbuf_str(&m->letter);
    struct remote *w = &m->remotes[from];
    uint64_t id = 0;
    if (tag == POOL_OUTPUT || tag == POOL_LEFT) {
        return seat_letter(m->seat, from, tag, bytes, e);
    }
    if (from > 0 && w->busy && (tag == POOL_NEED || tag == POOL_BYTES || tag == POOL_OUTS)) {
        return take_file_letter(m, from, tag, bytes, e);
    }
    if (from == 0 || !w->busy) {
        return bad_letter(from, tag, bytes.n, e);
    }
    if (tag == POOL_LINES && bytes.n >= sizeof id) {
        memcpy(&id, bytes.p, sizeof id);
        if (id == w->job.id) {
            pass_lines(m, w, str_sub(bytes, sizeof id, bytes.n - sizeof id));
        }
        return 0;
    }
    if (tag != POOL_RESULT) {
        return bad_letter(from, tag, bytes.n, e);
    }
    if (result_unpack(bytes, a, out, e) < 0) {
        return err_wrap(e, "rank %d", from);
    }
    if (out->id != w->job.id) {
        return bad_letter(from, tag, bytes.n, e);
    }
    out->rank = from;
    if (w->carries) {
        write_log(w, out);
    }
    remote_free(w);
    return 1;
}

/* Whatever has happened by now, without waiting: 1, 0, -1 as runner_ops.wait. */
static int look(struct mpi_runner *m, struct arena *a, struct job_result *out, struct err *e)
{
    int from = 0, tag = 0;
    if (post_progress(&m->post, e) < 0) {
        return -1;
    }
    int got;
    while ((got = post_receive(&m->post, &m->letter, &from, &tag, e)) > 0) {
        m->pause_us = 0;
        got = take_letter(m, from, tag, a, out, e);
        if (got != 0) {
            return got;
        }
    }
    if (got < 0 || !seat_busy(m->seat)) {
        return got;
    }
    return seat_wait(m->seat, 0, a, out, e);
}

/* false: a signal came, and the caller looks at its flag. */
static bool sleep_us(int us)
{
    const struct timespec t = {.tv_nsec = (long)us * 1000};
    return nanosleep(&t, NULL) == 0 || errno != EINTR;
}

/* Signals reach ranks one after the other: a gang that one of them stopped may be over before our own
 * has come, and would count as a stage that failed. */
static void await_signal(const struct mpi_runner *m, const struct job_result *r)
{
    const struct repro_stop *stop = m->opt.stop;
    bool stopped =
        r->status == 128 + SIGTERM || r->status == 128 + SIGINT || r->status == REPRO_EXIT_REQUEUE;
    if (!stopped || r->killed || r->timed_out || stop == NULL) {
        return;
    }
    for (int ms = 0; stop->signal == 0 && ms < SIGNAL_PATIENCE_MS; ms++) {
        sleep_us(1000);
    }
}

static int mpi_wait(struct runner *r, int timeout_ms, struct arena *a, struct job_result *out,
                    struct err *e)
{
    struct mpi_runner *m = self(r);
    int64_t end = clock_mono_us(&clock_system) + (int64_t)timeout_ms * 1000;
    for (;;) {
        int got = look(m, a, out, e);
        if (got != 0) {
            if (got > 0) {
                await_signal(m, out);
                tell(m, out->rank, "waiting", "");
                m->pause_us = 0;
            }
            return got;
        }
        if (atomic_exchange(&m->woken, 0) != 0) {
            m->pause_us = 0;
            return 0;
        }
        if (timeout_ms >= 0 && clock_mono_us(&clock_system) >= end) {
            return 0;
        }
        /* Not in poll: the end of this rank's own job and a wake-up are seen after the pause at the latest. */
        if (!seat_computes(m->seat) && !sleep_us(post_pause(&m->pause_us))) {
            return 0;
        }
    }
}

/* ---- the rest ---- */

static void kill_remote(struct mpi_runner *m, int rank, int sig)
{
    uint64_t id = m->remotes[rank].job.id;
    uint32_t number = (uint32_t)sig;
    char bytes[sizeof id + sizeof number];
    struct err why = ERR_INIT;
    memcpy(bytes, &id, sizeof id);
    memcpy(bytes + sizeof id, &number, sizeof number);
    if (post_send(&m->post, rank, POOL_KILL, (struct str){bytes, sizeof bytes}, &why) < 0) {
        log_error("pool", "%s", why.text);
    }
}

static bool any_inside(const struct mpi_runner *m)
{
    bool inside = seat_computes(m->seat);
    for (int rank = 1; rank < m->opt.pool->size && !inside; rank++) {
        inside = m->remotes[rank].busy && m->remotes[rank].inside;
    }
    return inside;
}

/* Whoever asks a second time, or has waited too long, wants an end; a command inside a rank has it
 * only together with its rank. */
static void end_at_once(const struct mpi_runner *m)
{
    log_warn("pool",
             "a stage runs inside its ranks and has not come to its next step: ending them; "
             "what is finished is in the journal, trainings go on from their last checkpoint");
    MPI_Abort(m->opt.pool->comm, m->opt.stop != NULL ? repro_stop_exit(m->opt.stop) : 1);
}

static void mpi_kill(struct runner *r, uint64_t id, int sig)
{
    struct mpi_runner *m = self(r);
    if (id == RUNNER_ALL && sig == SIGKILL && !m->closing && any_inside(m)) {
        end_at_once(m);
    }
    seat_kill(m->seat, id, sig);
    for (int rank = 1; rank < m->opt.pool->size; rank++) {
        const struct remote *w = &m->remotes[rank];
        if (w->busy && (id == RUNNER_ALL || id == w->job.id)) {
            kill_remote(m, rank, sig);
        }
    }
}

static void mpi_wake(struct runner *r)
{
    atomic_store(&self(r)->woken, 1);
}

static bool any_busy(const struct mpi_runner *m)
{
    bool busy = seat_busy(m->seat);
    for (int rank = 1; rank < m->opt.pool->size && !busy; rank++) {
        busy = m->remotes[rank].busy;
    }
    return busy;
}

/* Every rank is idle afterwards: nobody writes to the workspace any more. */
static void mpi_close(struct runner *r)
{
    struct mpi_runner *m = self(r);
    struct err e = ERR_INIT;
    int rc = 0;
    m->closing = true;
    if (any_busy(m)) {
        mpi_kill(r, RUNNER_ALL, SIGKILL);
    }
    while (rc >= 0 && any_busy(m)) {
        struct arena a;
        struct job_result ignored;
        arena_init(&a);
        rc = mpi_wait(r, -1, &a, &ignored, &e);
        arena_release(&a);
    }
    seat_close(m->seat);
    if (rc >= 0) {
        rc = post_release(&m->post, &e);
    }
    if (rc < 0) {
        log_error("pool", "%s", e.text);
    }
    for (int rank = 1; rank < m->opt.pool->size; rank++) {
        remote_free(&m->remotes[rank]);
    }
    free(m->remotes);
    strbuf_release(&m->letter);
    free(m);
}

static const struct runner_ops mpi_ops = {
    .name = "mpi",
    .capacity = mpi_capacity,
    .start = mpi_start,
    .wait = mpi_wait,
    .kill = mpi_kill,
    .wake = mpi_wake,
    .close = mpi_close,
};

struct runner *runner_mpi_new(const struct runner_mpi_options *opt)
{
    struct mpi_runner *m = xcalloc(1, sizeof *m);
    m->base.ops = &mpi_ops;
    m->opt = *opt;
    post_init(&m->post, opt->pool->comm);
    strbuf_init(&m->letter);
    m->remotes = xcalloc((size_t)opt->pool->size, sizeof *m->remotes);
    m->seat = seat_open(&(struct seat_options){.pool = opt->pool,
                                               .post = &m->post,
                                               .hooks = opt->hooks,
                                               .no_commands = opt->no_commands,
                                               .lock_fd = opt->lock_fd});
    for (int rank = 0; rank < opt->pool->size; rank++) {
        tell(m, rank, "waiting", "");
    }
    return &m->base;
}
