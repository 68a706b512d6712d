/* See gang.h. */
#include "gang.h"

#include "alloc.h"
#include "arena.h"
#include "clock.h"
#include "comm.h"
#include "err.h"
#include "fiber.h"
#include "guise.h"
#include "job.h"
#include "joboutput.h"
#include "log.h"
#include "mpi_commands.h"
#include "pool.h"
#include "post.h"
#include "runner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define KILL_AFTER_US 5000000
#define WORDS_MAX 256
#define REFUSED 255

struct gang {
    struct runner base;
    struct gang_options opt;
    bool busy;
    struct arena arena; /* of the job under way, as everything below */
    struct job job;
    bool is_lead;
    struct fiber *fiber;
    bool computing; /* the fiber has not ended */
    struct guise guise;
    struct comm *comm;
    volatile sig_atomic_t stop;
    int64_t slice_us; /* when the command got the word */
    size_t next_cmd;  /* the one after the newest */
    int code;         /* of the newest command, the same on all ranks */
    bool refuses; /* this member cannot run commands; it says so to the others, who wait for it */
    struct strbuf fresh;
    /* The lead's. */
    struct joboutput output;
    size_t away; /* members that have not left */
    int64_t start_us, start_ms, deadline_us, kill_us;
    bool killed, timed_out, said;
};

extern char **environ;

static struct gang *self(struct runner *r)
{
    return (struct gang *)r;
}

/* ---- which jobs ---- */

/* Cuts at blanks, in place of `text`; the count, or 0 when a shell would see more than words. */
static size_t split_words(char *text, char **words, size_t max)
{
    size_t n = 0;
    if (strpbrk(text, "|&;<>()$`\\\"'*?[]#~{}!%^\n\r") != NULL) {
        return 0;
    }
    for (char *save = NULL, *w = strtok_r(text, " \t", &save); w != NULL;
         w = strtok_r(NULL, " \t", &save)) {
        if (n + 1 >= max) {
            return 0;
        }
        words[n++] = w;
    }
    words[n] = NULL;
    return n;
}

static bool is_plain_command(const char *cmd)
{
    static const char *const names[] = {"train", "evaluate", "prepare"};
    char *words[WORDS_MAX];
    char *text = xstrdup(cmd);
    bool found = false;
    if (split_words(text, words, WORDS_MAX) >= 2 && strcmp(words[0], "nephron") == 0) {
        for (size_t i = 0; i < ARRAY_SIZE(names) && !found; i++) {
            found = strcmp(words[1], names[i]) == 0;
        }
    }
    free(text);
    return found;
}

bool gang_suits(const struct job *j)
{
    bool suits = j->ranks > 1 && j->cmd_count > 0 && j->carry.n == 0;
    for (size_t i = 0; i < j->cmd_count && suits; i++) {
        suits = is_plain_command(j->cmds[i]);
    }
    return suits;
}

/* A rank that cannot go on ends all: the others of the gang wait for it. */
static void give_up(const struct gang *g, const struct err *e)
{
    log_error("pool", "stage '%s': %s", g->job.stage, e->text);
    MPI_Abort(g->opt.pool->comm, 1);
    exit(1);
}

/* ---- letters ---- */

static int first_member(const struct gang *g)
{
    return g->job.slot + 1;
}

static int end_of(const struct gang *g)
{
    return g->job.slot + g->job.ranks;
}

static int send_numbered(struct gang *g, int to, int tag, struct str rest, struct err *e)
{
    struct strbuf b;
    strbuf_init(&b);
    strbuf_add(&b, &g->job.id, sizeof g->job.id);
    strbuf_addstr(&b, rest);
    int rc = post_send(g->opt.post, to, tag, strbuf_str(&b), e);
    strbuf_release(&b);
    return rc;
}

/* After the first of them there is no way back. */
static void call_members(struct gang *g)
{
    struct strbuf b;
    struct err e = ERR_INIT;
    int rc = 0;
    strbuf_init(&b);
    job_pack(&g->job, &b);
    for (int r = first_member(g); r < end_of(g) && rc == 0; r++) {
        rc = post_send(g->opt.post, r, POOL_JOIN, strbuf_str(&b), &e);
    }
    strbuf_release(&b);
    if (rc < 0) {
        give_up(g, &e);
    }
}

static void stop_members(struct gang *g, int sig)
{
    uint32_t number = (uint32_t)sig;
    struct err why = ERR_INIT;
    for (int r = first_member(g); r < end_of(g); r++) {
        if (send_numbered(g, r, POOL_KILL, (struct str){(const char *)&number, sizeof number},
                          &why) < 0) {
            log_error("pool", "%s", why.text);
        }
    }
}

int gang_letter(struct runner *r, int from, int tag, struct str bytes, struct err *e)
{
    struct gang *g = self(r);
    uint64_t id = 0;
    if (bytes.n >= sizeof id) {
        memcpy(&id, bytes.p, sizeof id);
    }
    bool mine = g->busy && g->is_lead && id == g->job.id && from >= first_member(g) &&
                from < end_of(g) && g->away > 0;
    if (!mine || (tag == POOL_LEFT && bytes.n != sizeof id)) {
        return err_set(e, ERR_FORMAT,
                       "rank %d: a message of kind %d from rank %d about no gang of its own",
                       g->opt.pool->rank, tag, from);
    }
    if (tag == POOL_LEFT) {
        g->away--;
    } else {
        joboutput_add(&g->output, 0, str_sub(bytes, sizeof id, bytes.n - sizeof id));
    }
    return 0;
}

/* ---- on the fiber ---- */

/* The communicator's idle hook. */
static void maybe_yield(void *ctx)
{
    struct gang *g = ctx;
    if (clock_mono_us(&clock_system) - g->slice_us >= GANG_SLICE_US) {
        fiber_yield(g->fiber);
    }
}

/* The lead comes last; see gang.h. */
static struct comm *open_comm(const struct gang *g, struct err *e)
{
    int n = g->job.ranks;
    int *ranks = xcalloc((size_t)n, sizeof *ranks);
    for (int i = 0; i < n; i++) {
        ranks[i] = g->job.slot + (i + 1) % n;
    }
    struct comm *c = comm_mpi_group(ranks, n, e);
    free(ranks);
    return c;
}

static int run_command(struct gang *g, const char *cmd)
{
    char *words[WORDS_MAX];
    char *text = arena_strdup(&g->arena, cmd);
    size_t n = split_words(text, words, WORDS_MAX);
    const struct mpi_command *c = mpi_command_find(words[1]);
    const struct mpi_context x = {.comm = g->comm, .stop = &g->stop};
    return mpi_command_run(c, &x, (int)n - 1, words + 1);
}

static int agree(struct gang *g, int64_t *v, size_t n)
{
    struct err e = ERR_INIT;
    if (comm_max(g->comm, v, n, &e) < 0) {
        give_up(g, &e);
    }
    return (int)v[0];
}

static void perform(void *ctx)
{
    struct gang *g = ctx;
    struct err e = ERR_INIT;
    g->comm = open_comm(g, &e);
    if (g->comm == NULL) {
        give_up(g, &e);
    }
    g->comm->idle = maybe_yield;
    g->comm->idle_ctx = g;
    g->code = agree(g, &(int64_t){g->refuses ? REFUSED : 0}, 1);
    while (g->next_cmd < g->job.cmd_count && g->code == 0) {
        const char *cmd = g->job.cmds[g->next_cmd++];
        if (g->is_lead) {
            joboutput_command(&g->output, cmd);
        }
        int64_t v[2] = {run_command(g, cmd), g->stop};
        g->code = agree(g, v, 2);
        if (g->code == 0 && v[1] != 0 && g->next_cmd < g->job.cmd_count) {
            g->code = 128 + (int)v[1]; /* what was stopped before its last command is not done */
        }
    }
    if (comm_close(g->comm, &e) < 0) {
        give_up(g, &e);
    }
}

/* ---- the word goes to the command and comes back ---- */

static void take_output(struct gang *g)
{
    struct err why = ERR_INIT;
    strbuf_reset(&g->fresh);
    guise_read(&g->guise, &g->fresh);
    if (g->fresh.n == 0) {
        return;
    }
    if (g->is_lead) {
        joboutput_add(&g->output, 0, strbuf_str(&g->fresh));
    } else if (send_numbered(g, g->job.slot, POOL_OUTPUT, strbuf_str(&g->fresh), &why) < 0) {
        log_error("pool", "%s", why.text);
    }
}

static int member_done(struct gang *g, struct err *e);

static int slice(struct gang *g, struct err *e)
{
    g->slice_us = clock_mono_us(&clock_system);
    guise_on(&g->guise);
    g->computing = fiber_resume(g->fiber);
    guise_off(&g->guise);
    take_output(g);
    if (g->computing) {
        return 0;
    }
    guise_close(&g->guise);
    fiber_free(g->fiber);
    g->fiber = NULL;
    return g->is_lead ? 0 : member_done(g, e);
}

/* ---- begin and end ---- */

static const char *const *command_environment(struct gang *g)
{
    struct job each = g->job;
    if (each.threads > 0) { /* the share of each rank, not of the whole gang */
        each.threads = each.threads > each.ranks ? each.threads / each.ranks : 1;
    }
    return runner_environment(&g->arena, &each, (const char *const *)environ);
}

static void forget(struct gang *g)
{
    strbuf_release(&g->fresh);
    arena_release(&g->arena);
    g->busy = false;
}

static int member_done(struct gang *g, struct err *e)
{
    int rc = send_numbered(g, g->job.slot, POOL_LEFT, STR(""), e);
    forget(g);
    return rc;
}

/* Without folder or memory a lead has not called anyone yet; a member is waited for already. */
static int dress(struct gang *g, struct err *e)
{
    const struct pool *p = g->opt.pool;
    const struct job *j = &g->job;
    int rank = (p->rank - j->slot + j->ranks - 1) % j->ranks; /* in the gang; see open_comm */
    const struct guise_options guise = {.cwd = j->cwd,
                                        .env = command_environment(g),
                                        .no_stdout = rank > 0,
                                        .rank = rank,
                                        .world = j->ranks,
                                        .own_rank = p->rank,
                                        .own_world = p->size};
    struct err why = ERR_INIT;
    struct strbuf line;
    if (guise_open(&g->guise, &guise, &why) == 0) {
        return 0;
    }
    if (g->is_lead) {
        return err_set(e, why.code, "%s", why.text);
    }
    g->refuses = true;
    strbuf_init(&line);
    strbuf_addf(&line, "nephron: error: rank %d on %s: %s\n", p->rank, p->ranks[p->rank].host,
                why.text);
    int rc = send_numbered(g, j->slot, POOL_OUTPUT, strbuf_str(&line), e);
    strbuf_release(&line);
    return rc;
}

static int set_up(struct gang *g, const struct job *j, struct err *e)
{
    const struct pool *p = g->opt.pool;
    struct strbuf packed;
    strbuf_init(&packed);
    job_pack(j, &packed);
    int rc = job_unpack(strbuf_str(&packed), &g->arena, &g->job, e);
    strbuf_release(&packed);
    if (rc < 0) {
        return -1;
    }
    if (j->slot < 0 || j->slot + j->ranks > p->size) {
        return err_set(e, ERR_BUG, "stage '%s' is given ranks %d to %d of %d", j->stage, j->slot,
                       j->slot + j->ranks - 1, p->size);
    }
    g->fiber = fiber_new(perform, g, e);
    return g->fiber == NULL ? -1 : dress(g, e);
}

static int begin(struct gang *g, const struct job *j, bool is_lead, struct err *e)
{
    if (g->busy) {
        return err_set(e, ERR_BUG, "rank %d has a gang already", g->opt.pool->rank);
    }
    *g = (struct gang){.base = g->base, .opt = g->opt, .busy = true, .is_lead = is_lead};
    arena_init(&g->arena);
    strbuf_init(&g->fresh);
    if (set_up(g, j, e) < 0) {
        fiber_free(g->fiber);
        forget(g);
        return -1;
    }
    g->computing = true;
    return 0;
}

int gang_join(struct runner *r, const struct job *j, struct err *e)
{
    return begin(self(r), j, false, e);
}

static int gang_start(struct runner *r, const struct job *j, struct err *e)
{
    struct gang *g = self(r);
    if (begin(g, j, true, e) < 0) {
        return -1;
    }
    g->start_us = clock_mono_us(&clock_system);
    g->start_ms = clock_wall_ms(&clock_system);
    g->deadline_us = j->timeout_s > 0 ? g->start_us + (int64_t)(j->timeout_s * 1e6) : 0;
    joboutput_init(&g->output, &(struct joboutput_options){.job = &g->job,
                                                           .hooks = g->opt.hooks,
                                                           .keep = true,
                                                           .no_commands = g->opt.no_commands});
    g->away = (size_t)(j->ranks - 1);
    call_members(g);
    return 0;
}

static const char *newest_command(const struct gang *g)
{
    return g->job.cmds[g->next_cmd > 0 ? g->next_cmd - 1 : 0];
}

static void fill_result(struct gang *g, struct arena *a, struct job_result *out)
{
    const struct pool *p = g->opt.pool;
    *out = (struct job_result){
        .id = g->job.id,
        .status = g->code,
        .failed_cmd = g->code != 0 ? arena_strdup(a, newest_command(g)) : NULL,
        .timed_out = g->timed_out,
        .killed = g->killed,
        .host = arena_strdup(a, p->ranks[p->rank].host),
        .rank = p->rank,
        .start_ms = g->start_ms,
        .end_ms = clock_wall_ms(&clock_system),
        .seconds = (double)(clock_mono_us(&clock_system) - g->start_us) / 1e6,
    };
    joboutput_end(&g->output, 0);
    joboutput_close(&g->output, out->status, out->seconds);
    out->output = joboutput_text(&g->output, a, &out->output_bytes);
    joboutput_release(&g->output);
    forget(g);
}

/* ---- ending it early ---- */

static void stop_here(struct gang *g, int sig)
{
    if (g->stop == 0) {
        g->stop = sig == SIGKILL ? SIGTERM : sig;
    }
    if (sig == SIGKILL && g->is_lead && !g->said) {
        g->said = true;
        log_warn("pool", "stage '%s' runs inside its ranks: it ends at its next step, not at once",
                 g->job.stage);
    }
}

static void check_deadline(struct gang *g)
{
    int64_t now = clock_mono_us(&clock_system);
    if (g->deadline_us != 0 && now >= g->deadline_us) {
        g->deadline_us = 0;
        g->timed_out = true;
        g->kill_us = now + KILL_AFTER_US;
        stop_here(g, SIGTERM);
        stop_members(g, SIGTERM);
    } else if (g->kill_us != 0 && now >= g->kill_us) {
        g->kill_us = 0;
        stop_here(g, SIGKILL);
    }
}

static void gang_kill(struct runner *r, uint64_t id, int sig)
{
    struct gang *g = self(r);
    if (!g->busy || (id != RUNNER_ALL && id != g->job.id)) {
        return;
    }
    g->killed = true;
    stop_here(g, sig);
    if (g->is_lead) {
        stop_members(g, sig);
    }
}

/* ---- the rest of the runner ---- */

static int gang_wait(struct runner *r, int timeout_ms, struct arena *a, struct job_result *out,
                     struct err *e)
{
    struct gang *g = self(r);
    int64_t end = clock_mono_us(&clock_system) + (int64_t)timeout_ms * 1000;
    bool first = true;
    while (g->computing && (first || timeout_ms < 0 || clock_mono_us(&clock_system) < end)) {
        first = false;
        if (g->is_lead) {
            check_deadline(g);
        }
        if (slice(g, e) < 0) {
            return -1;
        }
    }
    if (g->busy && g->is_lead && !g->computing && g->away == 0) {
        fill_result(g, a, out);
        return 1;
    }
    return 0;
}

static int gang_capacity(struct runner *r)
{
    return 1;
}

static void gang_wake(struct runner *r)
{
    /* A wait never sleeps by itself: who waits for members' letters sleeps elsewhere. */
}

static void gang_close(struct runner *r)
{
    struct gang *g = self(r);
    struct err e = ERR_INIT;
    if (g->busy) {
        gang_kill(r, RUNNER_ALL, SIGKILL);
    }
    while (g->computing && slice(g, &e) == 0) {
    }
    if (g->busy && g->is_lead) {
        joboutput_release(&g->output);
    }
    if (g->busy) {
        forget(g);
    }
    free(g);
}

bool gang_busy(const struct runner *r)
{
    return ((const struct gang *)r)->busy;
}

bool gang_computes(const struct runner *r)
{
    return ((const struct gang *)r)->computing;
}

static const struct runner_ops gang_ops = {
    .name = "gang",
    .capacity = gang_capacity,
    .start = gang_start,
    .wait = gang_wait,
    .kill = gang_kill,
    .wake = gang_wake,
    .close = gang_close,
};

struct runner *gang_new(const struct gang_options *opt)
{
    struct gang *g = xcalloc(1, sizeof *g);
    g->base.ops = &gang_ops;
    g->opt = *opt;
    return &g->base;
}
