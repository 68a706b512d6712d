/* See seat.h. */
#include "seat.h"

#include "alloc.h"
#include "err.h"
#include "pool.h"
#include "proc.h"
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct seat {
    struct seat_options opt;
    struct runner *local;
    bool busy;
    struct arena arena;       /* of the job under way */
    struct job asked, made;   /* as it came, as it runs */
    char *hostfile;           /* NULL: no gang */
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
    return s;
}

static void job_over(struct seat *s)
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
        job_over(s);
        free(s);
    }
}

/* ---- gangs ---- */

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

/* Where the word after `nephron ` begins when it is a command that runs on several ranks; else NULL. */
static const char *parallel_command(const char *cmd)
{
    static const char program[] = "nephron ";
    static const char *const words[] = {"train", "evaluate", "prepare"};
    if (strncmp(cmd, program, sizeof program - 1) != 0) {
        return NULL;
    }
    const char *word = cmd + strspn(cmd + sizeof program - 1, " ") + sizeof program - 1;
    size_t n = strcspn(word, " \t\n;&|<>()");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strlen(words[i]) == n && memcmp(words[i], word, n) == 0) {
            return word;
        }
    }
    return NULL;
}

static int gang_command(struct seat *s, const char *cmd, const char **out, struct err *e)
{
    const char *word = s->asked.ranks > 1 ? parallel_command(cmd) : NULL;
    *out = cmd;
    if (word == NULL) {
        return 0;
    }
    struct strbuf b, program;
    strbuf_init(&b);
    strbuf_init(&program);
    int rc = proc_self_dir(&program, e);
    if (rc == 0) {
        strbuf_adds(&program, "/nephron-mpi");
        strbuf_addf(&b, "mpirun -q -n %d --oversubscribe --bind-to none%s --hostfile ", s->asked.ranks,
                    geteuid() == 0 ? " --allow-run-as-root" : "");
        strbuf_add_shell_word(&b, str_from(s->hostfile));
        strbuf_addch(&b, ' ');
        strbuf_add_shell_word(&b, strbuf_str(&program));
        strbuf_addf(&b, " %s", word);
        *out = arena_str(&s->arena, strbuf_str(&b)).p;
        if (s->made.threads > 0) { /* the share of each rank, not of the whole gang */
            int each = s->asked.threads / s->asked.ranks;
            s->made.threads = each > 0 ? each : 1;
        }
    }
    strbuf_release(&program);
    strbuf_release(&b);
    return rc;
}

static int make_gang(struct seat *s, struct err *e)
{
    struct job *j = &s->made;
    s->hostfile = write_hostfile(s->opt.pool, &s->asked, e);
    if (s->hostfile == NULL) {
        return -1;
    }
    const char **env = ARENA_ARRAY(&s->arena, j->env_count + 1, const char *);
    for (size_t i = 0; i < j->env_count; i++) {
        env[i] = j->env[i];
    }
    env[j->env_count++] = arena_printf(&s->arena, "NEPHRON_HOSTFILE=%s", s->hostfile);
    j->env = env;
    const char **cmds = ARENA_ARRAY(&s->arena, j->cmd_count + 1, const char *);
    for (size_t i = 0; i < j->cmd_count; i++) {
        if (gang_command(s, s->asked.cmds[i], &cmds[i], e) < 0) {
            return -1;
        }
    }
    j->cmds = cmds;
    return 0;
}

/* ---- as a runner ---- */

int seat_start(struct seat *s, const struct job *j, struct err *e)
{
    struct strbuf packed;
    if (s->busy) {
        return err_set(e, ERR_BUG, "rank %d has a job already", s->opt.pool->rank);
    }
    arena_init(&s->arena);
    s->busy = true;
    strbuf_init(&packed);
    job_pack(j, &packed);
    int rc = job_unpack(strbuf_str(&packed), &s->arena, &s->asked, e);
    strbuf_release(&packed);
    s->made = s->asked;
    if (rc == 0 && s->asked.ranks > 0) {
        rc = make_gang(s, e);
    }
    if (rc == 0) {
        rc = s->local->ops->start(s->local, &s->made, e);
    }
    if (rc < 0) {
        job_over(s);
    }
    return rc;
}

/* The failed command as the stage says it: nobody typed our mpirun. */
static void restore_command(const struct seat *s, struct arena *a, struct job_result *r)
{
    for (size_t i = 0; r->failed_cmd != NULL && i < s->made.cmd_count; i++) {
        if (strcmp(s->made.cmds[i], r->failed_cmd) == 0) {
            r->failed_cmd = arena_strdup(a, s->asked.cmds[i]);
            return;
        }
    }
}

int seat_wait(struct seat *s, int timeout_ms, struct arena *a, struct job_result *out, struct err *e)
{
    int got = s->local->ops->wait(s->local, timeout_ms, a, out, e);
    if (got > 0) {
        out->rank = s->opt.pool->rank;
        restore_command(s, a, out);
        job_over(s);
    }
    return got;
}

void seat_kill(struct seat *s, uint64_t id, int sig)
{
    s->local->ops->kill(s->local, id, sig);
}

void seat_wake(struct seat *s)
{
    s->local->ops->wake(s->local);
}

bool seat_busy(const struct seat *s)
{
    return s->busy;
}
