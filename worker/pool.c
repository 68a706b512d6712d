/* See pool.h: who is in the pool, and the life of a rank above 0. */
#include "pool.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "errand.h"
#include "job.h"
#include "log.h"
#include "par.h"
#include "post.h"
#include "repro_stop.h"
#include "runner.h"
#include "seat.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_BYTES ((size_t)64 << 10) /* so much output is sent at once */
#define BUSY_WAIT_MS 2                 /* how late a letter is seen while a job runs */

/* ---- the pool ---- */

/* The rank's share of its host's cores; see pool_open. */
static int claim_cores(int local_size)
{
    cpu_set_t bound, all;
    bool known = sched_getaffinity(0, sizeof bound, &bound) == 0;
    int before = par_cores();
    memset(&all, 0xff,
           sizeof all); /* the kernel takes away what the host or the job does not have */
    if (!known || sched_setaffinity(0, sizeof all, &all) != 0) {
        return before > 0 ? before : 1;
    }
    int total = par_cores();
    int share = total > local_size ? total / local_size : 1;
    if (before >= share) {
        sched_setaffinity(0, sizeof bound, &bound);
    } else {
        log_info("pool", "bound to %d of %d cores, with a share of %d: unbound", before, total,
                 share);
    }
    return share;
}

int pool_open(struct pool *p, MPI_Comm world, struct err *e)
{
    struct pool_rank me = {.pid = (long)getpid()};
    MPI_Comm host = MPI_COMM_NULL;
    *p = (struct pool){.comm = MPI_COMM_NULL};
    gethostname(me.host, sizeof me.host - 1);
    if (post_check(MPI_Comm_dup(world, &p->comm), "cannot make the pool's communicator", e) < 0) {
        return -1;
    }
    MPI_Comm_set_errhandler(p->comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(p->comm, &p->rank);
    MPI_Comm_size(p->comm, &p->size);
    p->ranks = xcalloc((size_t)p->size, sizeof *p->ranks);
    int rc = MPI_Allgather(&me, sizeof me, MPI_BYTE, p->ranks, sizeof me, MPI_BYTE, p->comm);
    if (rc == MPI_SUCCESS) {
        rc = MPI_Comm_split_type(p->comm, MPI_COMM_TYPE_SHARED, p->rank, MPI_INFO_NULL, &host);
    }
    if (rc == MPI_SUCCESS) {
        MPI_Comm_size(host, &p->local_size);
        MPI_Comm_free(&host);
        int share = claim_cores(p->local_size);
        rc = MPI_Allreduce(&share, &p->cores, 1, MPI_INT, MPI_MIN, p->comm);
    }
    return post_check(rc, "cannot learn who is in the pool", e);
}

void pool_close(struct pool *p)
{
    if (p->comm != MPI_COMM_NULL) {
        MPI_Comm_free(&p->comm);
    }
    free(p->ranks);
    *p = (struct pool){.comm = MPI_COMM_NULL};
}

char *pool_hosts(const struct pool *p, struct arena *a)
{
    struct strbuf b;
    strbuf_init(&b);
    for (int r = 0; r < p->size; r++) {
        bool seen = false;
        for (int k = 0; k < r && !seen; k++) {
            seen = strcmp(p->ranks[k].host, p->ranks[r].host) == 0;
        }
        if (!seen) {
            strbuf_addf(&b, "%s%s", b.n > 0 ? "," : "", p->ranks[r].host);
        }
    }
    char *out = arena_strdup(a, b.p);
    strbuf_release(&b);
    return out;
}

int pool_stop(const struct pool *p, int exit_code, struct err *e)
{
    struct post post;
    uint32_t code = (uint32_t)exit_code;
    int rc = 0;
    post_init(&post, p->comm);
    for (int r = 1; r < p->size && rc == 0; r++) {
        rc = post_send(&post, r, POOL_STOP, (struct str){(const char *)&code, sizeof code}, e);
    }
    return rc < 0 ? -1 : post_release(&post, e);
}

/* ---- a rank above 0 ---- */

struct work {
    const struct pool *pool;
    const struct pool_options *opt;
    struct post post;
    struct seat *seat;
    struct errand *errand; /* jobs of pools without a common file system */
    uint64_t job_id;       /* of the newest */
    bool cancelled;        /* before its command ran */
    struct strbuf letter;  /* the newest */
    struct strbuf lines;   /* id and output not yet sent; empty when there is none */
    int passed_on;         /* the newest signal that the job got; SIGKILL: nothing more to pass */
    bool over;
    int exit_code;
};

static int send_lines(struct work *w, struct err *e)
{
    if (w->lines.n == 0) {
        return 0;
    }
    int rc = post_send(&w->post, 0, POOL_LINES, strbuf_str(&w->lines), e);
    strbuf_reset(&w->lines);
    return rc;
}

static void on_line(void *ctx, const struct job *j, struct str line)
{
    struct work *w = ctx;
    if (w->lines.n == 0) {
        strbuf_add(&w->lines, &j->id, sizeof j->id);
    }
    strbuf_addstr(&w->lines, line);
    strbuf_addch(&w->lines, '\n');
    if (w->lines.n >= LINES_BYTES) {
        send_lines(w, NULL); /* a broken connection shows itself in the loop */
    }
}

static int send_result(struct work *w, const struct job_result *r, struct err *e)
{
    struct strbuf b;
    strbuf_init(&b);
    result_pack(r, &b);
    int rc = send_lines(w, e);
    if (rc == 0) {
        rc = post_send(&w->post, 0, POOL_RESULT, strbuf_str(&b), e);
    }
    strbuf_release(&b);
    return rc;
}

/* A job that cannot even be started has a result like any other. */
static int send_failure(struct work *w, const struct job *j, const char *text, struct err *e)
{
    int64_t now = clock_wall_ms(&clock_system);
    return send_result(w,
                       &(struct job_result){.id = j->id,
                                            .status = w->cancelled ? -SIGTERM : 255,
                                            .failed_cmd = j->cmd_count > 0 ? j->cmds[0] : NULL,
                                            .error = text,
                                            .killed = w->cancelled,
                                            .host = w->pool->ranks[w->pool->rank].host,
                                            .rank = w->pool->rank,
                                            .start_ms = now,
                                            .end_ms = now,
                                            .output = ""},
                       e);
}

static int take_job(struct work *w, struct err *e)
{
    struct arena a;
    struct job j;
    struct err why = ERR_INIT;
    arena_init(&a);
    int rc = job_unpack(strbuf_str(&w->letter), &a, &j, e);
    w->cancelled = false;
    if (rc == 0) {
        int started =
            j.carry.n > 0 ? errand_begin(w->errand, &j, &why) : seat_start(w->seat, &j, &why);
        w->job_id = j.id;
        if (started < 0) {
            errand_drop(w->errand);
            rc = send_failure(w, &j, why.text, e);
        }
    }
    arena_release(&a);
    return rc;
}

/* The errand cannot go on: that is the result. */
static int fail_errand(struct work *w, const struct err *why, struct err *e)
{
    const struct job j = {.id = w->job_id};
    errand_drop(w->errand);
    return send_failure(w, &j, why->text, e);
}

static int take_errand_letter(struct work *w, int tag, struct err *e)
{
    const struct strbuf *result = NULL;
    struct err why = ERR_INIT;
    if (errand_letter(w->errand, tag, strbuf_str(&w->letter), &result, &why) < 0) {
        return tag == POOL_NEED ? err_set(e, why.code, "%s", why.text) : fail_errand(w, &why, e);
    }
    if (result == NULL) {
        return 0;
    }
    int rc = post_send(&w->post, 0, POOL_RESULT, strbuf_str(result), e);
    errand_drop(w->errand);
    return rc;
}

/* Its files are here: the command may run. */
static int start_errand(struct work *w, struct err *e)
{
    struct err why = ERR_INIT;
    return seat_start(w->seat, errand_job(w->errand), &why) < 0 ? fail_errand(w, &why, e) : 0;
}

static int job_over(struct work *w, const struct job_result *r, struct err *e)
{
    struct err why = ERR_INIT;
    if (errand_state(w->errand) == ERRAND_NONE) {
        return send_result(w, r, e);
    }
    if (r->status != 0 || r->error != NULL) {
        errand_drop(w->errand);
        return send_result(w, r, e);
    }
    if (send_lines(w, e) < 0) {
        return -1;
    }
    return errand_made(w->errand, r, &why) < 0 ? fail_errand(w, &why, e) : 0;
}

static int kill_job(struct work *w, uint64_t id, int sig, struct err *e)
{
    if (errand_state(w->errand) == ERRAND_BRINGING && id == w->job_id) {
        struct err why = ERR_INIT;
        err_set(&why, ERR_INTERRUPTED, "stopped while its files travelled");
        w->cancelled = true;
        return fail_errand(w, &why, e);
    }
    seat_kill(w->seat, id, sig);
    return 0;
}

static int take_letter(struct work *w, int from, int tag, struct err *e)
{
    uint64_t id = 0;
    uint32_t number = 0;
    switch (tag) {
    case POOL_JOB:
        return take_job(w, e);
    case POOL_JOIN:
    case POOL_OUTPUT:
    case POOL_LEFT:
        return seat_letter(w->seat, from, tag, strbuf_str(&w->letter), e);
    case POOL_KILL:
        if (w->letter.n != sizeof id + sizeof number) {
            break;
        }
        memcpy(&id, w->letter.p, sizeof id);
        memcpy(&number, w->letter.p + sizeof id, sizeof number);
        return kill_job(w, id, (int)number, e);
    case POOL_NEED:
    case POOL_BYTES:
    case POOL_KEPT:
        return take_errand_letter(w, tag, e);
    case POOL_STOP:
        if (w->letter.n != sizeof number) {
            break;
        }
        memcpy(&number, w->letter.p, sizeof number);
        w->exit_code = (int)number;
        w->over = true;
        return 0;
    default:
        break;
    }
    return err_set(e, ERR_FORMAT,
                   "rank %d: a message of kind %d and %zu bytes, which the pool does not know",
                   w->pool->rank, tag, w->letter.n);
}

/* The launcher signals every rank: the job gets it, the rank itself stays until rank 0 is done. */
static void look_at_signals(struct work *w)
{
    const struct repro_stop *stop = w->opt->stop;
    if (stop == NULL || stop->signal == 0 || w->passed_on == SIGKILL) {
        return;
    }
    int sig = stop->count > 1 ? SIGKILL : stop->signal;
    if (sig != w->passed_on) {
        w->passed_on = sig;
        seat_kill(w->seat, RUNNER_ALL, sig);
    }
}

/* One turn: a letter, a result, or a pause. */
static int turn(struct work *w, int *pause, struct err *e)
{
    int from, tag;
    look_at_signals(w);
    int got = post_receive(&w->post, &w->letter, &from, &tag, e);
    if (got != 0) {
        *pause = 0;
        return got < 0 ? -1 : take_letter(w, from, tag, e);
    }
    if (post_progress(&w->post, e) < 0) {
        return -1;
    }
    if (errand_state(w->errand) == ERRAND_READY) {
        return start_errand(w, e);
    }
    if (!seat_busy(w->seat)) {
        clock_sleep_us(post_pause(pause));
        return 0;
    }
    struct arena a;
    struct job_result r;
    arena_init(&a);
    got = seat_wait(w->seat, BUSY_WAIT_MS, &a, &r, e);
    int rc = got < 0 ? -1 : got > 0 ? job_over(w, &r, e) : send_lines(w, e);
    arena_release(&a);
    *pause = 0;
    return rc;
}

int pool_work(const struct pool *p, const struct pool_options *opt, struct err *e)
{
    struct work w = {.pool = p, .opt = opt};
    const struct runner_hooks hooks = {.line = on_line, .ctx = &w};
    int rc = 0, pause = 0;
    post_init(&w.post, p->comm);
    strbuf_init(&w.letter);
    strbuf_init(&w.lines);
    w.seat = seat_open(&(struct seat_options){
        .pool = p, .post = &w.post, .hooks = &hooks, .no_commands = opt->no_commands});
    w.errand = errand_new(&w.post);
    while (rc == 0 && !w.over) {
        rc = turn(&w, &pause, e);
    }
    errand_free(w.errand);
    seat_close(w.seat);
    if (rc == 0) {
        rc = post_release(&w.post, e);
    }
    strbuf_release(&w.letter);
    strbuf_release(&w.lines);
    return rc < 0 ? -1 : w.exit_code;
}
