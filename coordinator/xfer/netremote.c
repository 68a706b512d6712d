/* netremote: frames in, frames out, and the table of kinds. See netremote.h. */
#include "netremote.h"

#include "alloc.h"
#include "clock.h"
#include "fs.h"
#include "num.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 << 10)
#define STEP_MS 200 /* how long a signal may wait */
#define PROGRESS_US 100000
#define CLEANUP_US 5000000 /* for what must be undone at the far end */
#define JOBS_MAX 256

static const struct netkind *const kinds[] = {
    &s3_netkind,         &gs_netkind, &azure_netkind, &httpremote_netkind, &httpremote_netkind_tls,
    &sftpremote_netkind,
};

struct netremote {
    const struct netremote_options *opt;
    struct webcall_engine *engine;
    const struct netkind *kind; /* NULL: not opened */
    void *ctx;
    const char *url;
    const char *const *settings; /* "name=value" */
    size_t setting_count;
    struct arena arena;
    struct strbuf in;
    size_t ops;             /* under way */
    pthread_mutex_t lock;   /* writing, and `ops` */
    int64_t told_us;        /* progress */
    _Atomic uint64_t moved; /* bytes that no webcall moved */
    size_t jobs;
    bool ended; /* no more requests will come */
    bool gone;  /* nobody reads our replies */
};

/* ---- what kinds ask for ---- */

const char *netremote_setting(const struct netremote *n, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < n->setting_count; i++) {
        const char *s = n->settings[i];
        if (strncmp(s, name, length) == 0 && s[length] == '=') {
            return s + length + 1;
        }
    }
    return NULL;
}

bool netremote_flag(const struct netremote *n, const char *name, bool unset)
{
    const char *text = netremote_setting(n, name);
    return text ? strcasecmp(text, "true") == 0 : unset;
}

const char *netremote_url(const struct netremote *n)
{
    return n->url;
}

struct arena *netremote_arena(struct netremote *n)
{
    return &n->arena;
}

struct webcall_engine *netremote_engine(struct netremote *n)
{
    return n->engine;
}

size_t netremote_jobs(const struct netremote *n)
{
    return n->jobs;
}

int64_t netremote_retry_ms(const struct netremote *n)
{
    return n->opt->retry_ms;
}

void netremote_moved(struct netremote *n, uint64_t bytes)
{
    n->moved += bytes;
}

bool netremote_stopping(const struct netremote *n)
{
    return n->gone || (n->opt->stop && *n->opt->stop);
}

int netremote_bucket(struct netremote *n, const char **bucket, const char **prefix, struct err *e)
{
    const char *from = strstr(n->url, "://") + 3;
    size_t length = strcspn(from, "/");
    if (length == 0) {
        return err_set(e, ERR_CONFIG, "config file error: %s names no bucket", n->url);
    }
    *bucket = arena_strndup(&n->arena, from, length);
    from += length;
    from += strspn(from, "/");
    length = strlen(from);
    while (length > 0 && from[length - 1] == '/') {
        length--;
    }
    *prefix = arena_strndup(&n->arena, from, length);
    return 0;
}

/* ---- replies ---- */

static void write_frame(struct netremote *n, const struct strbuf *b)
{
    struct err e = ERR_INIT;
    if (!n->gone && fs_write_all(n->opt->out, b->p, b->n, "the reply", &e) < 0) {
        n->gone = true;
    }
}

static void end_op(struct netop *op)
{
    struct netremote *n = op->remote;
    pthread_mutex_lock(&n->lock);
    write_frame(n, &op->reply);
    n->ops--;
    pthread_mutex_unlock(&n->lock);
    strbuf_release(&op->reply);
    arena_release(&op->arena);
    free(op);
}

void netop_done(struct netop *op)
{
    frame_end(&op->reply, op->begin);
    end_op(op);
}

void netop_fail(struct netop *op, const struct err *e)
{
    strbuf_reset(&op->reply);
    op->begin = frame_begin(&op->reply, op->request.id, 'E');
    frame_add_u64(&op->reply, (uint64_t)e->code);
    frame_adds(&op->reply, e->text);
    netop_done(op);
}

const char *netop_path(const struct netop *op)
{
    return frame_field(&op->request, 0);
}

static void tell_progress(struct netremote *n)
{
    int64_t now = clock_mono_us(&clock_system);
    if (!n->engine || now - n->told_us < PROGRESS_US) {
        return;
    }
    n->told_us = now;
    uint64_t moved = webcall_engine_moved(n->engine) + atomic_exchange(&n->moved, 0);
    if (moved == 0) {
        return;
    }
    struct strbuf b;
    strbuf_init(&b);
    size_t at = frame_begin(&b, 0, 'B');
    frame_add_u64(&b, moved);
    frame_end(&b, at);
    pthread_mutex_lock(&n->lock);
    write_frame(n, &b);
    pthread_mutex_unlock(&n->lock);
    strbuf_release(&b);
}

/* ---- opening ---- */

static const struct netkind *kind_of(const char *url)
{
    const char *end = strstr(url, "://");
    for (size_t i = 0; end && i < ARRAY_SIZE(kinds); i++) {
        size_t length = (size_t)(end - url);
        if (strlen(kinds[i]->scheme) == length && strncasecmp(kinds[i]->scheme, url, length) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

static long seconds_of(const struct netremote *n, const char *name)
{
    double seconds = 0;
    const char *text = netremote_setting(n, name);
    if (!text || !num_parse_double(str_from(text), &seconds) || !(seconds > 0)) {
        return 0;
    }
    return seconds < 1 ? 1 : seconds > 86400 ? 86400 : (long)seconds;
}

static void set_engine(struct netremote *n, uint64_t jobs)
{
    const char *verify = netremote_setting(n, "ssl_verify");
    bool off = verify && strcasecmp(verify, "false") == 0;
    bool file = verify && !off && strcasecmp(verify, "true") != 0;
    n->jobs = jobs < JOBS_MAX ? (size_t)jobs : JOBS_MAX;
    webcall_engine_set(n->engine, &(struct webcall_options){
                                      .at_once = (int)n->jobs,
                                      .retry_ms = n->opt->retry_ms,
                                      .connect_timeout_s = seconds_of(n, "connect_timeout"),
                                      .idle_timeout_s = seconds_of(n, "read_timeout"),
                                      .insecure = off,
                                      .ca_file = file ? verify : NULL,
                                      .stop = n->opt->stop,
                                  });
}

static int open_remote(struct netremote *n, const struct netop *op, struct err *e)
{
    const struct frame *f = &op->request;
    if (n->kind || f->count < 2) {
        return err_set(e, ERR_BUG, "a remote is opened once, with url and jobs");
    }
    const char **settings = ARENA_ARRAY(&n->arena, f->count, const char *);
    for (size_t i = 2; i < f->count; i++) {
        settings[n->setting_count++] = arena_strdup(&n->arena, f->fields[i].p);
    }
    n->settings = settings;
    n->url = arena_strdup(&n->arena, f->fields[0].p);
    const struct netkind *kind = kind_of(n->url);
    if (!kind) {
        return err_set(e, ERR_CONFIG, "no kind of remote belongs to this URL");
    }
    n->engine = webcall_engine_new(&(struct webcall_options){0}, e);
    if (!n->engine) {
        return -1;
    }
    set_engine(n, frame_u64(f, 1));
    if (kind->open(n, &n->ctx, e) < 0) {
        if (n->ctx) {
            kind->close(n->ctx);
        }
        return -1;
    }
    n->kind = kind;
    return 0;
}

/* ---- requests ---- */

static void open_op(struct netremote *n, struct netop *op)
{
    struct err e = ERR_INIT;
    if (open_remote(n, op, &e) < 0) {
        netop_fail(op, &e);
        return;
    }
    frame_adds(&op->reply, n->kind->can);
    netop_done(op);
}

static void refuse(struct netop *op, enum err_code code, const char *text)
{
    struct err e = ERR_INIT;
    err_set(&e, code, "%s", text);
    netop_fail(op, &e);
}

static void run_op(struct netremote *n, struct netop *op)
{
    const struct {
        char letter;
        size_t fields;
        void (*run)(void *ctx, struct netop *op);
    } ops[] = {
        {'H', 1, n->kind->has},  {'P', 2, n->kind->put},    {'G', 2, n->kind->get},
        {'L', 2, n->kind->list}, {'D', 1, n->kind->remove}, {'M', 1, n->kind->md5},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
        if (ops[i].letter == op->request.kind && ops[i].run && op->request.count >= ops[i].fields) {
            ops[i].run(n->ctx, op);
            return;
        }
    }
    refuse(op, ERR_REMOTE, "this kind of remote cannot do that");
}

static void take_request(struct netremote *n, struct netop *op)
{
    op->remote = n;
    strbuf_init(&op->reply);
    op->begin = frame_begin(&op->reply, op->request.id, 'R');
    pthread_mutex_lock(&n->lock);
    n->ops++;
    pthread_mutex_unlock(&n->lock);
    if (op->request.kind == 'J' && n->engine) {
        set_engine(n, frame_u64(&op->request, 0));
        netop_done(op);
    } else if (!frame_is_text(&op->request)) {
        refuse(op, ERR_USAGE, "a name has a NUL in it");
    } else if (op->request.kind == 'O') {
        open_op(n, op);
    } else if (!n->kind) {
        refuse(op, ERR_BUG, "the remote was not opened");
    } else {
        run_op(n, op);
    }
}

static int take_requests(struct netremote *n, struct err *e)
{
    size_t taken = 0, used;
    for (;;) {
        struct netop *op = xcalloc(1, sizeof(*op));
        arena_init(&op->arena);
        struct str rest = str_sub(strbuf_str(&n->in), taken, n->in.n);
        int rc = frame_parse(&op->arena, rest, &op->request, &used, e);
        if (rc <= 0) {
            arena_release(&op->arena);
            free(op);
            memmove(n->in.p, n->in.p + taken, n->in.n - taken);
            strbuf_truncate(&n->in, n->in.n - taken);
            return rc;
        }
        taken += used;
        take_request(n, op);
    }
}

static int read_requests(struct netremote *n, struct err *e)
{
    strbuf_reserve(&n->in, READ_BYTES);
    char chunk[READ_BYTES];
    ssize_t got = read(n->opt->in, chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) {
        return 0;
    }
    if (got <= 0) {
        n->ended = n->gone = true;
        return 0;
    }
    strbuf_add(&n->in, chunk, (size_t)got);
    return take_requests(n, e);
}

/* Before there is an engine, only the opening can come. */
static int step(struct netremote *n, struct err *e)
{
    bool readable = true;
    if (n->engine &&
        webcall_engine_step(n->engine, n->ended ? -1 : n->opt->in, &readable, STEP_MS, e) < 0) {
        return -1;
    }
    tell_progress(n);
    return readable && !n->ended ? read_requests(n, e) : 0;
}

/* The far end gets the time to forget what was begun: uploads in parts. */
static void clean_up(struct netremote *n)
{
    int64_t until = clock_mono_us(&clock_system) + CLEANUP_US;
    struct err e = ERR_INIT;
    if (!n->engine) {
        return;
    }
    n->ended = true;
    webcall_engine_drop(n->engine);
    while (!webcall_engine_idle(n->engine) && clock_mono_us(&clock_system) < until) {
        if (step(n, &e) < 0) {
            break;
        }
    }
    webcall_engine_free(n->engine);
    n->engine = NULL;
}

int netremote_run(const struct netremote_options *opt, struct err *e)
{
    struct netremote n = {.opt = opt};
    int rc = 0;
    arena_init(&n.arena);
    strbuf_init(&n.in);
    pthread_mutex_init(&n.lock, NULL);
    while (rc == 0 && !n.ended && !netremote_stopping(&n)) {
        rc = step(&n, e);
    }
    if (rc == 0 && opt->stop && *opt->stop) {
        rc = err_set(e, ERR_INTERRUPTED, "interrupted");
    }
    clean_up(&n);
    if (n.kind) {
        n.kind->close(n.ctx);
    }
    pthread_mutex_destroy(&n.lock);
    strbuf_release(&n.in);
    arena_release(&n.arena);
    return rc;
}
