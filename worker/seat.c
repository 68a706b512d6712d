/* See seat.h. */
#include "seat.h"

#include "alloc.h"
#include "err.h"
#include "gang.h"
#include "pool.h"
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct seat {
    struct seat_options opt;
    struct runner *local, *gang;
    bool busy;          /* with a child; the gang knows for itself */
    struct arena arena; /* of the child's job */
    struct job job;
    char *hostfile; /* NULL: the job asked for no ranks */
};

struct seat *seat_open(const struct seat_options *opt)
{
    struct seat *s = xcalloc(1, sizeof *s);
    s->opt = *opt;
    s->local = runner_local_new(&(struct runner_local_options){.slots = 1,
                                                               .output = RUNNER_CAPTURE,
                                                               .no_commands = opt->no_commands,
                                                               .hooks = opt->hooks,
                                                               .guard = true,
                                                               .guard_keep_fd = opt->lock_fd});
    s->gang = gang_new(&(struct gang_options){.pool = opt->pool,
                                              .post = opt->post,
                                              .hooks = opt->hooks,
                                              .no_commands = opt->no_commands});
    return s;
}

static void child_over(struct seat *s)
{
    if (s->hostfile != NULL) {
        unlink(s->hostfile);
        free(s->hostfile);
        s->hostfile = NULL;
    }
    if (s->busy) {
        arena_release(&s->arena);
        s->busy = false;
    }
}

void seat_close(struct seat *s)
{
    if (s != NULL) {
        s->local->ops->close(s->local);
        child_over(s);
        s->gang->ops->close(s->gang);
        free(s);
    }
}

/* ---- children ---- */

/* "host slots=n" for the gang's ranks, neighbours on one host together. */
static void hostfile_text(const struct pool *p, const struct job *j, struct strbuf *b)
{
    int end = j->slot + j->ranks < p->size ? j->slot + j->ranks : p->size;
    for (int r = j->slot; r < end;) {
        int first = r;
        while (r < end && strcmp(p->ranks[r].host, p->ranks[first].host) == 0) {
            r++;
        }
        strbuf_addf(b, "%s slots=%d\n", p->ranks[first].host, r - first);
    }
}

static char *write_hostfile(const struct pool *p, const struct job *j, struct err *e)
{
    const char *dir = getenv("TMPDIR");
    struct strbuf path, text;
    strbuf_init(&path);
    strbuf_init(&text);
    strbuf_addf(&path, "%s/nephron-hosts-XXXXXX", dir != NULL && dir[0] == '/' ? dir : "/tmp");
    hostfile_text(p, j, &text);
    int fd = mkstemp(path.p);
    int rc = fd < 0 ? err_sys(e, "cannot make the hostfile %s", path.p) : 0;
    if (rc == 0 && write(fd, text.p, text.n) != (ssize_t)text.n) {
        rc = err_sys(e, "cannot write the hostfile %s", path.p);
        unlink(path.p);
    }
    if (fd >= 0) {
        close(fd);
    }
    strbuf_release(&text);
    char *out = rc == 0 ? strbuf_detach(&path) : NULL;
    strbuf_release(&path);
    return out;
}

static int give_hostfile(struct seat *s, struct err *e)
{
    struct job *j = &s->job;
    s->hostfile = write_hostfile(s->opt.pool, j, e);
    if (s->hostfile == NULL) {
        return -1;
    }
    const char **env = ARENA_ARRAY(&s->arena, j->env_count + 1, const char *);
    for (size_t i = 0; i < j->env_count; i++) {
        env[i] = j->env[i];
    }
    env[j->env_count++] = arena_printf(&s->arena, "NEPHRON_HOSTFILE=%s", s->hostfile);
    j->env = env;
    return 0;
}

static int start_child(struct seat *s, const struct job *j, struct err *e)
{
    struct strbuf packed;
    arena_init(&s->arena);
    s->busy = true;
    strbuf_init(&packed);
    job_pack(j, &packed);
    int rc = job_unpack(strbuf_str(&packed), &s->arena, &s->job, e);
    strbuf_release(&packed);
    if (rc == 0 && s->job.ranks > 0) {
        rc = give_hostfile(s, e);
    }
    if (rc == 0) {
        rc = s->local->ops->start(s->local, &s->job, e);
    }
    if (rc < 0) {
        child_over(s);
    }
    return rc;
}

/* ---- as a runner ---- */

int seat_start(struct seat *s, const struct job *j, struct err *e)
{
    if (seat_busy(s)) {
        return err_set(e, ERR_BUG, "rank %d has a job already", s->opt.pool->rank);
    }
    return gang_suits(j) ? s->gang->ops->start(s->gang, j, e) : start_child(s, j, e);
}

int seat_wait(struct seat *s, int timeout_ms, struct arena *a, struct job_result *out,
              struct err *e)
{
    if (gang_busy(s->gang)) {
        return s->gang->ops->wait(s->gang, timeout_ms, a, out, e);
    }
    int got = s->local->ops->wait(s->local, timeout_ms, a, out, e);
    if (got > 0) {
        out->rank = s->opt.pool->rank;
        child_over(s);
    }
    return got;
}

void seat_kill(struct seat *s, uint64_t id, int sig)
{
    s->gang->ops->kill(s->gang, id, sig);
    s->local->ops->kill(s->local, id, sig);
}

void seat_wake(struct seat *s)
{
    s->local->ops->wake(s->local);
}

bool seat_busy(const struct seat *s)
{
    return s->busy || gang_busy(s->gang);
}

bool seat_computes(const struct seat *s)
{
    return gang_computes(s->gang);
}

int seat_letter(struct seat *s, int from, int tag, struct str bytes, struct err *e)
{
    struct arena a;
    struct job j;
    if (tag != POOL_JOIN) {
        return gang_letter(s->gang, from, tag, bytes, e);
    }
    if (seat_busy(s)) {
        return err_set(e, ERR_BUG, "rank %d is called into a gang by rank %d, but has a job",
                       s->opt.pool->rank, from);
    }
    arena_init(&a);
    int rc = job_unpack(bytes, &a, &j, e);
    rc = rc == 0 ? gang_join(s->gang, &j, e) : rc;
    arena_release(&a);
    return rc;
}
