/*
 * The event loop of HTTP requests. See webcall.h; sources: RFC 9110, libcurl 7.88's multi interface.
 * A call is in one of three places: `queue` (until fewer than at_once run), `running`, `sleeping`
 * (until its next try).
 */
#include "webcall.h"

#include "alloc.h"
#include "clock.h"
#include "fs.h"
#include "log.h"
#include "num.h"
#include "rng.h"

#include <curl/curl.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define RETRY_AFTER_MAX_S 300
#define BACKOFF_MAX_MS 30000
#define PROGRESS_BYTES_MIN ((uint64_t)1 << 20)
#define HEADER_MAX ((size_t)64 << 10)
#define REDIRECTS_MAX 5

enum place { PLACE_NONE, PLACE_QUEUE, PLACE_RUNNING, PLACE_SLEEPING };

struct webcall_state {
    struct webcall_engine *engine;
    struct webcall *next; /* in its list */
    enum place place;
    CURL *curl;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    size_t header_bytes;
    uint64_t sent;                     /* of the body, in this try */
    uint64_t offset;                   /* asked for in this try */
    uint64_t best;                     /* most bytes ever saved */
    bool decided;                      /* the first bytes of the body were looked at */
    char etag[256], last_modified[64]; /* of what is saved */
    unsigned tries, redirects;
    int64_t due_us;
    struct err failure; /* of our own, in a callback */
};

struct webcall_engine {
    struct webcall_options opt;
    char *ca_file;
    CURLM *multi;
    CURL **idle; /* handles to be used again */
    size_t idle_count, idle_capacity;
    struct webcall *queue, **queue_end, *running, *sleeping;
    int running_count;
    uint64_t moved;
    struct rng jitter;
};

/* ---- calls ---- */

struct webcall *webcall_new(void)
{
    struct webcall *c = xcalloc(1, sizeof(*c));
    c->state = xcalloc(1, sizeof(*c->state));
    c->file = c->save = -1;
    c->method = "GET";
    c->query = "";
    arena_init(&c->arena);
    strbuf_init_max(&c->text, WEBCALL_TEXT_MAX);
    return c;
}

void webcall_free(struct webcall *c)
{
    if (!c) {
        return;
    }
    if (c->file >= 0) {
        close(c->file);
    }
    strbuf_release(&c->text);
    arena_release(&c->arena);
    free(c->state);
    free(c);
}

/* ---- callbacks ---- */

static bool saves(const struct webcall *c)
{
    return c->save >= 0 && webcall_ok(c);
}

static int cut_to(struct webcall *c, uint64_t n)
{
    c->saved = n;
    if (ftruncate(c->save, (off_t)n) < 0 || lseek(c->save, (off_t)n, SEEK_SET) < 0) {
        return err_sys(&c->state->failure, "cannot prepare the file for %s", c->shown);
    }
    return 0;
}

/* What came belongs behind what is there, or it is the whole. */
static int begin_body(struct webcall *c)
{
    struct webcall_state *s = c->state;
    s->decided = true;
    bool rest = c->reply.status == 206;
    bool same = !s->etag[0] || !c->reply.etag[0] || strcmp(s->etag, c->reply.etag) == 0;
    if (rest && (s->offset == 0 || !c->reply.has_range || c->reply.range_first != s->offset)) {
        return err_set(&s->failure, ERR_REMOTE,
                       "the server answered a wrong range (asked from byte "
                       "%" PRIu64 ")",
                       s->offset);
    }
    if (rest && same) {
        return 0;
    }
    if (rest) { /* of another content: all of it must come again */
        s->etag[0] = s->last_modified[0] = '\0';
        cut_to(c, 0);
        s->failure = (struct err)ERR_INIT;
        return -1;
    }
    memcpy(s->etag, c->reply.etag, sizeof(s->etag));
    memcpy(s->last_modified, c->reply.last_modified, sizeof(s->last_modified));
    return c->saved > 0 ? cut_to(c, 0) : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct webcall *c = ctx;
    struct webcall_state *s = c->state;
    size_t n = size * count;
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &c->reply.status);
    if (!saves(c)) {
        strbuf_add(&c->text, data, n);
        if (c->text.truncated && webcall_ok(c)) {
            err_set(&s->failure, ERR_LIMIT, "the server's answer has more than %zu MiB",
                    WEBCALL_TEXT_MAX >> 20);
            return n == 0 ? 1 : 0;
        }
        return n;
    }
    if ((!s->decided && begin_body(c) < 0) ||
        fs_write_all(c->save, data, n, c->shown, &s->failure) < 0) {
        return n == 0 ? 1 : 0;
    }
    c->saved += n;
    s->engine->moved += n;
    return n;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct webcall *c = ctx;
    static const char region[] = "x-amz-bucket-region:";
    struct str line = str_trim((struct str){data, size * count});
    if (str_starts(line, "HTTP/")) {
        memset(&c->reply, 0, sizeof(c->reply));
        c->reply.range_total = UINT64_MAX;
        c->state->header_bytes = 0;
    }
    c->state->header_bytes += size * count;
    if (c->state->header_bytes > HEADER_MAX) {
        err_set(&c->state->failure, ERR_LIMIT, "the server sent more than %zu KiB of headers",
                HEADER_MAX >> 10);
        return 0;
    }
    if (line.n > sizeof(region) - 1 && strncasecmp(line.p, region, sizeof(region) - 1) == 0) {
        struct str v = str_trim(str_sub(line, sizeof(region) - 1, line.n));
        snprintf(c->region, sizeof(c->region), "%.*s", STR_ARG(v));
    }
    httpget_parse_header(&c->reply, line);
    return size * count;
}

static size_t on_read(char *to, size_t size, size_t count, void *ctx)
{
    struct webcall *c = ctx;
    struct webcall_state *s = c->state;
    uint64_t all = c->file >= 0 ? c->file_bytes : c->body.n;
    uint64_t left = all - s->sent, n = size * count < left ? size * count : left;
    if (c->file < 0) {
        memcpy(to, c->body.p + s->sent, n);
        s->sent += n;
        return n;
    }
    ssize_t got = n == 0 ? 0 : pread(c->file, to, n, (off_t)(c->file_offset + s->sent));
    if (got < 0 || (got == 0 && n > 0)) {
        err_set(&s->failure, ERR_IO, "cannot read %s: %s", c->shown,
                got < 0 ? strerror(errno) : "the file became shorter meanwhile");
        return CURL_READFUNC_ABORT;
    }
    s->sent += (uint64_t)got;
    s->engine->moved += (uint64_t)got;
    return (size_t)got;
}

static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct webcall *c = ctx;
    if (origin != SEEK_SET || offset < 0) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    c->state->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- a try ---- */

static void set_body(struct webcall *c, CURL *h)
{
    bool has_body = c->file >= 0 || c->body.p;
    if (!has_body) {
        curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
        if (strcmp(c->method, "HEAD") == 0) {
            curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
        } else if (strcmp(c->method, "GET") != 0) {
            curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, c->method);
        }
        return;
    }
    uint64_t n = c->file >= 0 ? c->file_bytes : c->body.n;
    curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, c->method);
    curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)n);
    curl_easy_setopt(h, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(h, CURLOPT_READDATA, c);
    curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(h, CURLOPT_SEEKDATA, c);
}

static void set_security(const struct webcall_engine *g, const struct webcall *c, CURL *h)
{
    const char *ca = g->ca_file ? g->ca_file : httpget_ca_file();
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, g->opt.insecure ? 0L : 1L);
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, g->opt.insecure ? 0L : 2L);
    if (ca) {
        curl_easy_setopt(h, CURLOPT_CAINFO, ca);
    }
    if (c->digest_user && !c->elsewhere) {
        curl_easy_setopt(h, CURLOPT_HTTPAUTH, CURLAUTH_DIGEST);
        curl_easy_setopt(h, CURLOPT_USERNAME, c->digest_user);
        curl_easy_setopt(h, CURLOPT_PASSWORD, c->digest_password);
    }
}

static void set_options(const struct webcall_engine *g, struct webcall *c, CURL *h)
{
    const struct webcall_options *o = &g->opt;
    const char *url =
        arena_printf(&c->arena, "%s%s%s%s", c->origin, c->path, c->query[0] ? "?" : "", c->query);
    curl_easy_reset(h);
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, o->connect_timeout_s ? o->connect_timeout_s : 10L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1024L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, o->idle_timeout_s ? o->idle_timeout_s : 60L);
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "nephron/" NEPHRON_VERSION);
    curl_easy_setopt(h, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(h, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->state->error);
    curl_easy_setopt(h, CURLOPT_PRIVATE, (char *)c);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
    if (c->connect_ms > 0) {
        curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, c->connect_ms);
    }
    set_security(g, c, h);
    set_body(c, h);
}

static void ask_for_rest(struct webcall *c)
{
    struct webcall_state *s = c->state;
    s->offset = 0;
    if (c->save < 0 || c->saved == 0 || (!s->etag[0] && !s->last_modified[0])) {
        return;
    }
    s->offset = c->saved;
    webcall_header(c, "Range: bytes=%" PRIu64 "-", c->saved);
    if (s->etag[0]) {
        webcall_header(c, "If-Match: %s", s->etag);
    } else {
        webcall_header(c, "If-Range: %s", s->last_modified);
    }
}

static void add_headers(struct webcall *c, CURL *h)
{
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < c->header_count; i++) {
        list = curl_slist_append(list, c->headers[i]);
    }
    list = curl_slist_append(list, "Expect:"); /* costs a round trip, and some never answer it */
    c->state->headers = list;
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, list);
}

static CURL *take_handle(struct webcall_engine *g)
{
    CURL *h = g->idle_count > 0 ? g->idle[--g->idle_count] : curl_easy_init();
    if (!h) {
        BUG("libcurl gives no handle");
    }
    return h;
}

/* Saved bytes that cannot be gone on with must go. */
static int forget_saved(struct webcall *c)
{
    bool rest = c->state->etag[0] || c->state->last_modified[0];
    return c->save >= 0 && c->saved > 0 && !rest ? cut_to(c, 0) : 0;
}

static int try_now(struct webcall_engine *g, struct webcall *c, struct err *e)
{
    struct webcall_state *s = c->state;
    s->error[0] = '\0';
    s->sent = 0;
    s->decided = false;
    s->failure = (struct err)ERR_INIT;
    c->header_count = 0;
    c->region[0] = '\0';
    memset(&c->reply, 0, sizeof(c->reply));
    strbuf_reset(&c->text);
    c->text.truncated = false;
    if (c->extra_header) {
        webcall_header(c, "%s", c->extra_header);
    }
    if (forget_saved(c) < 0) {
        return err_set(e, s->failure.code, "%s", s->failure.text);
    }
    ask_for_rest(c);
    if (c->prepare && c->prepare(c, e) < 0) {
        return -1;
    }
    s->curl = take_handle(g);
    set_options(g, c, s->curl);
    add_headers(c, s->curl);
    curl_multi_add_handle(g->multi, s->curl);
    s->place = PLACE_RUNNING;
    s->next = g->running;
    g->running = c;
    g->running_count++;
    return 0;
}

static void unlink_call(struct webcall **list, const struct webcall *c)
{
    for (; *list; list = &(*list)->state->next) {
        if (*list == c) {
            *list = c->state->next;
            return;
        }
    }
}

/* Out of libcurl's hands; the handle and its connection are kept. */
static void put_handle(struct webcall_engine *g, struct webcall *c)
{
    struct webcall_state *s = c->state;
    curl_multi_remove_handle(g->multi, s->curl);
    ARRAY_RESERVE(g->idle, g->idle_count, g->idle_capacity, 1);
    g->idle[g->idle_count++] = s->curl;
    curl_slist_free_all(s->headers);
    s->headers = NULL;
    s->curl = NULL;
    unlink_call(&g->running, c);
    s->place = PLACE_NONE;
    g->running_count--;
}

static void finish(struct webcall *c, const struct err *why)
{
    struct err e = why ? *why : (struct err)ERR_INIT;
    c->state->place = PLACE_NONE;
    c->done(c, &e);
}

/* ---- after a try ---- */

static void sleep_before_retry(struct webcall_engine *g, struct webcall *c, const struct err *why)
{
    struct webcall_state *s = c->state;
    int64_t after = c->reply.retry_after_s;
    if (c->saved >= s->best + PROGRESS_BYTES_MIN) {
        s->best = c->saved;
        s->tries = 0;
    }
    s->tries++;
    unsigned most = c->tries > 0 ? c->tries : WEBCALL_TRIES;
    if (s->tries >= most || after > RETRY_AFTER_MAX_S) {
        struct err e = ERR_INIT;
        err_set(&e, why->code, "%s", why->text);
        err_append(
            &e, after > RETRY_AFTER_MAX_S ? "; the server wants a pause of %ld s" : " (%ld tries)",
            after > RETRY_AFTER_MAX_S ? (long)after : (long)most);
        finish(c, &e);
        return;
    }
    int64_t base = (g->opt.retry_ms > 0 ? g->opt.retry_ms : 1000) << (s->tries - 1);
    base = base > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : base;
    int64_t ms = (int64_t)((double)base * rng_range(&g->jitter, 0.5, 1.5));
    ms = after * 1000 > ms ? after * 1000 : ms;
    log_info("webcall", "%s: %s; try %u of %u in %.1f s", c->shown, why->text, s->tries + 1, most,
             (double)ms / 1000.0);
    s->due_us = clock_mono_us(&clock_system) + ms * 1000;
    s->place = PLACE_SLEEPING;
    s->next = g->sleeping;
    g->sleeping = c;
}

static void enqueue(struct webcall_engine *g, struct webcall *c)
{
    c->state->place = PLACE_QUEUE;
    c->state->next = NULL;
    *g->queue_end = c;
    g->queue_end = &c->state->next;
}

static bool status_may_pass(long status)
{
    return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

/* Some say by 400 that their patience is over. */
static bool timed_out(const struct webcall *c)
{
    return c->reply.status == 400 && strstr(c->text.p, "<Code>RequestTimeout</Code>");
}

static bool is_redirect(const struct webcall *c)
{
    long s = c->reply.status;
    return c->follow && c->location[0] &&
           (s == 301 || s == 302 || s == 303 || s == 307 || s == 308);
}

/* Follows by a try of its own. */
static int go_elsewhere(struct webcall_engine *g, struct webcall *c, struct err *e)
{
    const char *origin, *path;
    if (++c->state->redirects > REDIRECTS_MAX) {
        return err_set(e, ERR_REMOTE, "more than %d redirects; the server sends in circles",
                       REDIRECTS_MAX);
    }
    if (!webcall_split(&c->arena, c->location, &origin, &path)) {
        return err_set(e, ERR_REMOTE, "redirected to what is not http");
    }
    bool was_https = strncasecmp(c->origin, "https:", 6) == 0;
    if (was_https && strncasecmp(origin, "https:", 6) != 0) {
        return err_set(e, ERR_REMOTE, "redirected from https to http, which is not followed");
    }
    const char *query = strchr(c->location, '?');
    c->elsewhere = c->elsewhere || strcasecmp(origin, c->origin) != 0;
    c->origin = origin;
    c->path = path;
    c->query = query ? arena_strndup(&c->arena, query + 1, strcspn(query + 1, "#")) : "";
    enqueue(g, c);
    return 0;
}

static void on_answer(struct webcall_engine *g, struct webcall *c)
{
    struct err why = ERR_INIT;
    if (is_redirect(c)) {
        if (go_elsewhere(g, c, &why) < 0) {
            finish(c, &why);
        }
    } else if (status_may_pass(c->reply.status) || timed_out(c)) {
        webcall_refused(c, &why);
        sleep_before_retry(g, c, &why);
    } else if (c->state->offset > 0 && (c->reply.status == 412 || c->reply.status == 416)) {
        c->state->etag[0] = c->state->last_modified[0] = '\0'; /* it changed: from the beginning */
        err_set(&why, ERR_REMOTE, "the file changed while it was downloaded");
        sleep_before_retry(g, c, &why);
    } else if (saves(c) && !c->state->decided && begin_body(c) < 0) {
        finish(c, &c->state->failure); /* an empty body still replaces what was there */
    } else {
        finish(c, NULL);
    }
}

static void on_trouble(struct webcall_engine *g, struct webcall *c, CURLcode code)
{
    struct webcall_state *s = c->state;
    struct err why = ERR_INIT;
    if (s->failure.code != ERR_NONE) {
        finish(c, &s->failure);
        return;
    }
    bool again = httpget_explain(code, s->error, &why) || code == CURLE_WRITE_ERROR;
    if (again) {
        sleep_before_retry(g, c, &why);
    } else {
        finish(c, &why);
    }
}

static void take_results(struct webcall_engine *g)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(g->multi, &left));) {
        char *private = NULL, *location = NULL;
        curl_off_t after = 0;
        if (m->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
        struct webcall *c = (struct webcall *)(void *)private;
        curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &c->reply.status);
        curl_easy_getinfo(m->easy_handle, CURLINFO_RETRY_AFTER, &after);
        curl_easy_getinfo(m->easy_handle, CURLINFO_REDIRECT_URL, &location);
        c->reply.retry_after_s = after;
        snprintf(c->location, sizeof(c->location), "%s", location ? location : "");
        put_handle(g, c);
        if (code == CURLE_OK) {
            on_answer(g, c);
        } else {
            on_trouble(g, c, code);
        }
    }
}

/* ---- the engine ---- */

struct webcall_engine *webcall_engine_new(const struct webcall_options *opt, struct err *e)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(e, ERR_BUG, "libcurl cannot be initialised");
        return NULL;
    }
    struct webcall_engine *g = xcalloc(1, sizeof(*g));
    g->multi = curl_multi_init();
    if (!g->multi) {
        BUG("libcurl gives no multi handle");
    }
    g->queue_end = &g->queue;
    rng_init(&g->jitter, (uint64_t)clock_mono_us(&clock_system), RNG_TEST, (uint64_t)getpid(), 0);
    webcall_engine_set(g, opt);
    return g;
}

void webcall_engine_set(struct webcall_engine *g, const struct webcall_options *opt)
{
    char *ca = opt->ca_file ? xstrdup(opt->ca_file) : NULL;
    free(g->ca_file);
    g->ca_file = ca;
    g->opt = *opt;
    g->opt.at_once = opt->at_once > 0 ? opt->at_once : 8;
    curl_multi_setopt(g->multi, CURLMOPT_MAXCONNECTS, (long)g->opt.at_once);
}

void webcall_engine_drop(struct webcall_engine *g)
{
    struct err why = ERR_INIT;
    err_set(&why, ERR_INTERRUPTED, "interrupted");
    struct webcall *lists[] = {g->queue, g->sleeping};
    g->queue = g->sleeping = NULL;
    g->queue_end = &g->queue;
    struct webcall *running = NULL;
    while (g->running) {
        struct webcall *c = g->running;
        put_handle(g, c);
        c->state->next = running;
        running = c;
    }
    for (int i = 0; i < 3; i++) {
        for (struct webcall *c = i < 2 ? lists[i] : running; c;) {
            struct webcall *next = c->state->next;
            finish(c, &why);
            c = next;
        }
    }
}

void webcall_engine_free(struct webcall_engine *g)
{
    if (!g) {
        return;
    }
    while (!webcall_engine_idle(g)) {
        webcall_engine_drop(g);
    }
    for (size_t i = 0; i < g->idle_count; i++) {
        curl_easy_cleanup(g->idle[i]);
    }
    free(g->idle);
    curl_multi_cleanup(g->multi);
    curl_global_cleanup();
    free(g->ca_file);
    free(g);
}

bool webcall_engine_idle(const struct webcall_engine *g)
{
    return !g->queue && !g->running && !g->sleeping;
}

uint64_t webcall_engine_moved(struct webcall_engine *g)
{
    uint64_t n = g->moved;
    g->moved = 0;
    return n;
}

void webcall_start(struct webcall_engine *g, struct webcall *c)
{
    c->state->engine = g;
    c->state->tries = c->state->redirects = 0;
    enqueue(g, c);
}

/* Calls whose pause is over go to the queue. Milliseconds until the next one, or `at_most`. */
static int wake_sleepers(struct webcall_engine *g, int at_most)
{
    int64_t now = clock_mono_us(&clock_system), wait = at_most;
    for (struct webcall **p = &g->sleeping; *p;) {
        struct webcall *c = *p;
        if (c->state->due_us <= now) {
            *p = c->state->next;
            enqueue(g, c);
            continue;
        }
        int64_t ms = (c->state->due_us - now) / 1000 + 1;
        wait = ms < wait ? ms : wait;
        p = &c->state->next;
    }
    return (int)wait;
}

static void start_queued(struct webcall_engine *g)
{
    while (g->queue && g->running_count < g->opt.at_once) {
        struct webcall *c = g->queue;
        struct err e = ERR_INIT;
        g->queue = c->state->next;
        g->queue_end = g->queue ? g->queue_end : &g->queue;
        if (try_now(g, c, &e) < 0) {
            finish(c, &e);
        }
    }
}

int webcall_engine_step(struct webcall_engine *g, int fd, bool *readable, int timeout_ms,
                        struct err *e)
{
    int active;
    int wait = wake_sleepers(g, timeout_ms);
    start_queued(g);
    CURLMcode code = curl_multi_perform(g->multi, &active);
    take_results(g);
    bool more = g->queue && g->running_count < g->opt.at_once;
    struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};
    if (code == CURLM_OK) {
        code = curl_multi_poll(g->multi, fd >= 0 ? &extra : NULL, fd >= 0, more ? 0 : wait, NULL);
    }
    *readable = fd >= 0 && extra.revents != 0;
    return code == CURLM_OK ? 0 : err_set(e, ERR_BUG, "libcurl: %s", curl_multi_strerror(code));
}

struct waited {
    bool done;
    struct err *e;
    int rc;
};

static void on_waited(struct webcall *c, struct err *e)
{
    struct waited *w = c->ctx;
    w->done = true;
    if (e->code != ERR_NONE) {
        w->rc = err_set(w->e, e->code, "%s", e->text);
    }
}

int webcall_run(struct webcall_engine *g, struct webcall *c, struct err *e)
{
    struct waited w = {.e = e};
    c->done = on_waited;
    c->ctx = &w;
    webcall_start(g, c);
    while (!w.done) {
        bool readable;
        if (g->opt.stop && *g->opt.stop) {
            webcall_engine_drop(g);
            break;
        }
        if (webcall_engine_step(g, -1, &readable, 1000, e) < 0) {
            return -1;
        }
    }
    return w.rc;
}
