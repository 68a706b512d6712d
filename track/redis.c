/*
 * Connections to Redis; see redis.h. hiredis does the wire format on a blocking socket with
 * SO_RCVTIMEO; what is added here: bounds on replies, no SIGPIPE, messages without secrets.
 */

#include "redis.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "num.h"
#include "str.h"

#include <hiredis/hiredis.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define COMMAND_ARGS_MAX 16

struct redis {
    redisContext *ctx;
    redisReplyObjectFunctions limited; /* hiredis' own, with createArray bounded */
    char name[REDIS_ADDRESS_TEXT];
    int timeout_ms;
    bool failed;
};

/* ---- addresses ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes once into out[size]; false when malformed, too long, or with control characters.
 */
static bool decode(struct str in, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        int c = (unsigned char)in.p[i];
        if (c == '%') {
            if (i + 2 >= in.n || hex_digit(in.p[i + 1]) < 0 || hex_digit(in.p[i + 2]) < 0) {
                return false;
            }
            c = hex_digit(in.p[i + 1]) * 16 + hex_digit(in.p[i + 2]);
            i += 2;
        }
        if (n + 1 >= size || c < 0x20 || c == 0x7f) {
            return false;
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return true;
}

static int bad_url(struct err *e, const char *what)
{
    /* Never the URL itself: it may hold a password. */
    return err_set(e, ERR_CONFIG,
                   "bad Redis address: %s; expected auto, none, unix:///path or "
                   "redis://[user][:password]@host[:port][/db]",
                   what);
}

static int parse_number(struct str s, int64_t max, int *out)
{
    int64_t v;
    if (s.n == 0 || s.n > 9 || s.p[0] == '+' || !num_parse_int(s, &v) || v < 0 || v > max) {
        return -1;
    }
    *out = (int)v;
    return 0;
}

static size_t find_last(struct str s, char c)
{
    size_t i = s.n;
    while (i > 0 && s.p[i - 1] != c) {
        i--;
    }
    return i ? i - 1 : s.n;
}

static size_t find_first(struct str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

static void take_environment_password(struct redis_address *a)
{
    const char *env = getenv("REDIS_PASSWORD");
    if (a->password[0] == '\0' && env && strlen(env) < sizeof(a->password)) {
        snprintf(a->password, sizeof(a->password), "%s", env);
    }
}

static int parse_unix(struct redis_address *a, struct str rest, struct err *e)
{
    char path[4096];
    size_t query = find_first(rest, '?');
    struct str tail = str_sub(rest, query, rest.n - query);
    int db = 0;

    if (tail.n) {
        if (!str_starts(tail, "?db=") ||
            parse_number(str_sub(tail, 4, tail.n - 4), 1000000, &db) < 0) {
            return bad_url(e, "after the socket path only ?db=N may stand");
        }
    }
    if (!decode(str_sub(rest, 0, query), path, sizeof(path)) || path[0] != '/') {
        return bad_url(e, "the socket path must be absolute");
    }
    if (redis_address_unix(a, path, e) < 0) {
        return -1;
    }
    a->db = db;
    take_environment_password(a);
    return 0;
}

static int parse_host(struct redis_address *a, struct str host, struct err *e)
{
    size_t colon;
    if (host.n && host.p[0] == '[') { /* [::1]:6379 */
        size_t close = find_first(host, ']');
        if (close == host.n) {
            return bad_url(e, "an IPv6 host without ]");
        }
        if (!decode(str_sub(host, 1, close - 1), a->host, sizeof(a->host))) {
            return bad_url(e, "the host is malformed");
        }
        host = str_sub(host, close + 1, host.n - close - 1);
        colon = 0;
    } else {
        colon = find_first(host, ':');
        if (!decode(str_sub(host, 0, colon), a->host, sizeof(a->host))) {
            return bad_url(e, "the host is malformed");
        }
    }
    if (colon < host.n) {
        if (host.p[colon] != ':' ||
            parse_number(str_sub(host, colon + 1, host.n - colon - 1), 65535, &a->port) < 0 ||
            a->port == 0) {
            return bad_url(e, "the port must be a number from 1 to 65535");
        }
    }
    if (a->host[0] == '\0') {
        return bad_url(e, "no host");
    }
    if (a->host[0] == '-' || strchr(a->host, '/') || strchr(a->host, ' ')) {
        return bad_url(e, "the host is malformed");
    }
    return 0;
}

static int parse_tcp(struct redis_address *a, struct str rest, struct err *e)
{
    size_t at = find_last(rest, '@'); /* a password may hold a raw @ or / */
    struct str host = rest;

    a->port = 6379;
    if (at < rest.n) {
        struct str login = str_sub(rest, 0, at);
        size_t colon = find_first(login, ':');
        host = str_sub(rest, at + 1, rest.n - at - 1);
        if (!decode(str_sub(login, 0, colon), a->user, sizeof(a->user)) ||
            (colon < login.n && !decode(str_sub(login, colon + 1, login.n - colon - 1), a->password,
                                        sizeof(a->password)))) {
            return bad_url(e, "user or password is malformed (is a % not written %25?)");
        }
    }
    size_t slash = find_first(host, '/');
    if (slash < host.n) {
        struct str db = str_sub(host, slash + 1, host.n - slash - 1);
        if (db.n && parse_number(db, 1000000, &a->db) < 0) {
            return bad_url(e, "the database must be a number");
        }
    }
    if (parse_host(a, str_sub(host, 0, slash), e) < 0) {
        return -1;
    }
    take_environment_password(a);
    return 0;
}

int redis_address_parse(struct redis_address *a, const char *url, struct err *e)
{
    struct str s = str_from(url);

    *a = (struct redis_address){0};
    if (str_starts(s, "redis://")) {
        return parse_tcp(a, str_sub(s, 8, s.n - 8), e);
    }
    if (str_starts(s, "unix://")) {
        return parse_unix(a, str_sub(s, 7, s.n - 7), e);
    }
    if (str_starts(s, "rediss://")) {
        return bad_url(e, "rediss:// (TLS) is not supported; use a tunnel such as stunnel");
    }
    return bad_url(e, "unknown scheme");
}

int redis_address_unix(struct redis_address *a, const char *path, struct err *e)
{
    size_t n = strlen(path);
    *a = (struct redis_address){.is_unix = true};
    if (n >= sizeof(a->path)) {
        return err_set(e, ERR_CONFIG, "the socket path %s has %zu bytes, at most %zu are possible",
                       path, n, sizeof(a->path) - 1);
    }
    memcpy(a->path, path, n + 1);
    return 0;
}

void redis_address_text(const struct redis_address *a, char out[REDIS_ADDRESS_TEXT])
{
    if (a->is_unix) {
        snprintf(out, REDIS_ADDRESS_TEXT, "unix://%s", a->path);
    } else {
        snprintf(out, REDIS_ADDRESS_TEXT, "redis://%s:%d/%d", a->host, a->port, a->db);
    }
}

/* ---- connections ---- */

/* A write to a closed socket raises SIGPIPE in this thread: keep it from the program, which may
 * have its own plans for that signal. */
struct pipe_guard {
    sigset_t old;
    bool was_pending;
};

static void pipe_guard_enter(struct pipe_guard *g)
{
    sigset_t pipe_only, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    g->was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_only, &g->old);
}

static void pipe_guard_leave(const struct pipe_guard *g)
{
    sigset_t pipe_only;
    const struct timespec none = {0};
    int saved = errno;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (!g->was_pending) {
        while (sigtimedwait(&pipe_only, NULL, &none) < 0 && errno == EINTR) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &g->old, NULL);
    errno = saved;
}

/* hiredis allocates an array as soon as its length is announced: bound what a stranger may
 * announce. */
static void *create_array_limited(const redisReadTask *task, int elements)
{
    if (elements < 0 || elements > REDIS_ELEMENTS_MAX) {
        return NULL;
    }
    redisReply *reply = calloc(1, sizeof(*reply));
    if (!reply) {
        return NULL;
    }
    reply->type = REDIS_REPLY_ARRAY;
    if (elements > 0) {
        reply->element = calloc((size_t)elements, sizeof(*reply->element));
        if (!reply->element) {
            free(reply);
            return NULL;
        }
    }
    reply->elements = (size_t)elements;
    if (task->parent) {
        redisReply *parent = task->parent->obj;
        parent->element[task->idx] = reply;
    }
    return reply;
}

static struct redis *wrap(redisContext *ctx, const char *name)
{
    struct redis *r = xcalloc(1, sizeof(*r));
    r->ctx = ctx;
    r->limited = *ctx->reader->fn;
    r->limited.createArray = create_array_limited;
    ctx->reader->fn = &r->limited;
    snprintf(r->name, sizeof(r->name), "%s", name);
    return r;
}

static struct timeval milliseconds(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

static int connection_failed(struct redis *r, struct err *e)
{
    int saved = errno;
    r->failed = true;
    if (r->ctx->err == REDIS_ERR_IO && (saved == EAGAIN || saved == EWOULDBLOCK)) {
        err_set(e, ERR_REMOTE, "%s does not answer in time", r->name);
    } else if (r->ctx->err == REDIS_ERR_EOF) {
        err_set(e, ERR_REMOTE, "%s closed the connection", r->name);
    } else {
        err_set(e, ERR_REMOTE, "%s: %s", r->name,
                r->ctx->errstr[0] ? r->ctx->errstr : strerror(saved));
    }
    if (e) {
        e->detail = saved;
    }
    return -1;
}

/* A command of the handshake; what the server dislikes there is a matter of configuration. */
static int handshake(struct redis *r, const char *what, int argc, const char *const *argv,
                     struct err *e)
{
    if (redis_append(r, argc, argv, NULL, e) < 0) {
        return -1;
    }
    redisReply *reply = redis_reply(r, e);
    if (!reply) {
        return -1;
    }
    int rc = 0;
    if (reply->type == REDIS_REPLY_ERROR) {
        bool wait = strncmp(reply->str, "LOADING", 7) == 0 || strncmp(reply->str, "BUSY", 4) == 0 ||
                    strncmp(reply->str, "MASTERDOWN", 10) == 0;
        rc =
            err_set(e, wait ? ERR_REMOTE : ERR_CONFIG, "%s: %s: %.200s", r->name, what, reply->str);
    }
    freeReplyObject(reply);
    return rc;
}

static int introduce(struct redis *r, const struct redis_address *a, struct err *e)
{
    char db[16];
    if (a->password[0]) {
        const char *with_user[] = {"AUTH", a->user, a->password};
        const char *alone[] = {"AUTH", a->password};
        if (handshake(r, "the server refuses user or password", a->user[0] ? 3 : 2,
                      a->user[0] ? with_user : alone, e) < 0) {
            return -1;
        }
    }
    if (a->db) {
        snprintf(db, sizeof(db), "%d", a->db);
        if (handshake(r, "cannot select the database", 2, (const char *[]){"SELECT", db}, e) < 0) {
            return -1;
        }
    }
    return handshake(r, "the server is not ready", 1, (const char *[]){"PING"}, e);
}

struct redis *redis_open(const struct redis_address *a, struct err *e)
{
    char name[REDIS_ADDRESS_TEXT];
    struct timeval limit = milliseconds(REDIS_CONNECT_MS);

    redis_address_text(a, name);
    errno = 0;
    redisContext *ctx = a->is_unix ? redisConnectUnixWithTimeout(a->path, limit)
                                   : redisConnectWithTimeout(a->host, a->port, limit);
    if (!ctx || ctx->err) {
        int saved = errno;
        err_set(e, ERR_REMOTE, "cannot connect to %s: %s", name,
                ctx && ctx->errstr[0] ? ctx->errstr : strerror(saved));
        if (e) {
            e->detail = saved;
        }
        if (ctx) {
            redisFree(ctx);
        }
        return NULL;
    }
    struct redis *r = wrap(ctx, name);
    redis_set_timeout(r, REDIS_COMMAND_MS);
    if (introduce(r, a, e) < 0) {
        redis_close(r);
        return NULL;
    }
    return r;
}

struct redis *redis_from_fd(int fd, struct err *e)
{
    redisContext *ctx = redisConnectFd(fd);
    if (!ctx) {
        err_set(e, ERR_IO, "out of memory for a Redis connection");
        return NULL;
    }
    struct redis *r = wrap(ctx, "redis");
    redis_set_timeout(r, REDIS_COMMAND_MS);
    return r;
}

void redis_close(struct redis *r)
{
    if (r) {
        redisFree(r->ctx);
        free(r);
    }
}

void redis_set_timeout(struct redis *r, int ms)
{
    r->timeout_ms = ms < 1 ? 1 : ms;
    struct timeval tv = milliseconds(r->timeout_ms);
    /* Not redisSetTimeout: it fails the context on descriptors that are no sockets (tests). */
    setsockopt(r->ctx->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    setsockopt(r->ctx->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

bool redis_usable(const struct redis *r)
{
    return r && !r->failed;
}

int redis_append(struct redis *r, int argc, const char *const *argv, const size_t *lengths,
                 struct err *e)
{
    if (r->failed) {
        return err_set(e, ERR_REMOTE, "%s: the connection failed before", r->name);
    }
    if (redisAppendCommandArgv(r->ctx, argc, (const char **)(uintptr_t)argv, lengths) != REDIS_OK) {
        return connection_failed(r, e);
    }
    return 0;
}

/* As redisGetReply, with bounds on what is buffered and on the whole time: the socket's time-out
 * alone would let a server drip a byte a second for ever. */
static int get_reply(redisContext *c, int timeout_ms, void **reply)
{
    int done = 0;
    int64_t end_us = clock_mono_us(&clock_system) + (int64_t)timeout_ms * 2000;
    *reply = NULL;
    if (redisGetReplyFromReader(c, reply) == REDIS_ERR) {
        return REDIS_ERR;
    }
    while (!*reply && !done) {
        if (redisBufferWrite(c, &done) == REDIS_ERR) {
            return REDIS_ERR;
        }
    }
    while (!*reply) {
        if (c->reader->len - c->reader->pos > REDIS_REPLY_BYTES_MAX) {
            c->err = REDIS_ERR_PROTOCOL;
            snprintf(c->errstr, sizeof(c->errstr), "a reply of more than 64 MiB");
            return REDIS_ERR;
        }
        if (clock_mono_us(&clock_system) > end_us) {
            c->err = REDIS_ERR_IO;
            errno = EAGAIN;
            return REDIS_ERR;
        }
        if (redisBufferRead(c) == REDIS_ERR || redisGetReplyFromReader(c, reply) == REDIS_ERR) {
            return REDIS_ERR;
        }
    }
    return REDIS_OK;
}

struct redisReply *redis_reply(struct redis *r, struct err *e)
{
    struct pipe_guard guard;
    void *reply = NULL;

    if (r->failed) {
        err_set(e, ERR_REMOTE, "%s: the connection failed before", r->name);
        return NULL;
    }
    pipe_guard_enter(&guard);
    errno = 0;
    int rc = get_reply(r->ctx, r->timeout_ms, &reply);
    pipe_guard_leave(&guard);
    if (rc != REDIS_OK || !reply) {
        connection_failed(r, e);
        return NULL;
    }
    return reply;
}

struct redisReply *redis_command(struct redis *r, struct err *e, ...)
{
    const char *argv[COMMAND_ARGS_MAX];
    int argc = 0;
    va_list ap;

    va_start(ap, e);
    for (const char *arg; (arg = va_arg(ap, const char *));) {
        if (argc == COMMAND_ARGS_MAX) {
            BUG("a Redis command of more than %d words", COMMAND_ARGS_MAX);
        }
        argv[argc++] = arg;
    }
    va_end(ap);
    if (redis_append(r, argc, argv, NULL, e) < 0) {
        return NULL;
    }
    redisReply *reply = redis_reply(r, e);
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        err_set(e, ERR_REMOTE, "%s: %s: %.200s", r->name, argv[0], reply->str);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

void redis_reply_free(struct redisReply *reply)
{
    if (reply) {
        freeReplyObject(reply);
    }
}
