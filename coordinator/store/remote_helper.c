/*
 * remote_helper: this program's end of the socket to `nephron-xfer remote`, see remote_helper.h.
 * A calling thread writes its request and sleeps until the reader thread has its reply.
 */
#include "remote_helper.h"

#include "alloc.h"
#include "err.h"
#include "frame.h"
#include "par.h"
#include "proc.h"
#include "progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define XFER_PROGRAM "nephron-xfer"
#define READ_BYTES ((size_t)64 << 10)
#define JOBS_PER_CORE 4 /* as DVC */
#define LOOKUPS_AT_ONCE ((size_t)256)
#define DELETES_AT_ONCE ((size_t)1000)
/* A listing pays when it replaces look-ups: so many of them cost one page of 1000 names. */
#define LOOKUPS_PER_PAGE ((size_t)8)
#define LIST_FROM ((size_t)16) /* for fewer look-ups nothing is listed */

struct waiter {
    uint32_t id;
    bool done;
    struct frame reply;
    struct arena arena;
};

struct helper {
    struct proc proc;
    int fd;
    const char *url;
    pthread_t reader;
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t changed;
    struct waiter **waiting; /* by id; NULL: free */
    size_t slots, first_free;
    bool lists; /* set once, at the beginning */
    bool ended; /* no reply will come any more */
    struct err why;
    pthread_mutex_t write_lock;
    struct progress *progress;
};

/* ---- replies ---- */

/* Hands a frame to who waits for it. True: its arena is theirs now. */
static bool deliver(struct helper *h, const struct frame *f, const struct arena *a)
{
    struct waiter *w = f->kind != 'B' && f->id < h->slots ? h->waiting[f->id] : NULL;
    if (f->kind == 'B' && h->progress) {
        progress_add(h->progress, frame_u64(f, 0));
    }
    if (!w || w->done) {
        return false;
    }
    w->arena = *a;
    w->reply = *f;
    w->done = true;
    return true;
}

/* Takes the whole frames off the buffer. */
static int take_frames(struct helper *h, struct strbuf *in, struct err *e)
{
    size_t used, taken = 0;
    for (;;) {
        struct arena a;
        struct frame f;
        arena_init(&a);
        int rc = frame_parse(&a, str_sub(strbuf_str(in), taken, in->n), &f, &used, e);
        taken += rc > 0 ? used : 0;
        if (rc <= 0 || !deliver(h, &f, &a)) {
            arena_release(&a);
        }
        if (rc <= 0) {
            memmove(in->p, in->p + taken, in->n - taken);
            strbuf_truncate(in, in->n - taken);
            return rc;
        }
    }
}

static void *read_replies(void *arg)
{
    struct helper *h = arg;
    struct strbuf in;
    struct err e = ERR_INIT;
    char *chunk = xmalloc(READ_BYTES);
    strbuf_init(&in);
    int rc = 0;
    while (rc == 0) {
        ssize_t n = read(h->fd, chunk, READ_BYTES);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        strbuf_add(&in, chunk, (size_t)n);
        pthread_mutex_lock(&h->lock);
        rc = take_frames(h, &in, &e);
        pthread_cond_broadcast(&h->changed);
        pthread_mutex_unlock(&h->lock);
    }
    pthread_mutex_lock(&h->lock);
    h->ended = true;
    err_set(&h->why, ERR_REMOTE, "%s", rc < 0 ? e.text : XFER_PROGRAM " ended before it answered");
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    strbuf_release(&in);
    free(chunk);
    return NULL;
}

/* ---- requests ---- */

static uint32_t take_id(struct helper *h, struct waiter *w)
{
    while (h->first_free < h->slots && h->waiting[h->first_free]) {
        h->first_free++;
    }
    if (h->first_free == h->slots) {
        h->waiting = xrealloc(h->waiting, (h->slots + 64) * sizeof(*h->waiting));
        memset(h->waiting + h->slots, 0, 64 * sizeof(*h->waiting));
        h->slots += 64;
    }
    h->waiting[h->first_free] = w;
    return (uint32_t)h->first_free;
}

static int send_all(struct helper *h, const char *data, size_t n, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&h->write_lock);
    while (rc == 0 && n > 0) {
        ssize_t done = send(h->fd, data, n, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR) {
            rc = err_set(e, ERR_REMOTE, XFER_PROGRAM " ended: %s", strerror(errno));
        }
        data += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    pthread_mutex_unlock(&h->write_lock);
    return rc;
}

static int ask(struct helper *h, struct waiter *w, char kind, const char *const *fields,
               size_t count, struct err *e)
{
    struct strbuf text;
    *w = (struct waiter){0};
    arena_init(&w->arena);
    pthread_mutex_lock(&h->lock);
    w->id = take_id(h, w);
    pthread_mutex_unlock(&h->lock);
    strbuf_init(&text);
    size_t at = frame_begin(&text, w->id, kind);
    for (size_t i = 0; i < count; i++) {
        frame_adds(&text, fields[i]);
    }
    frame_end(&text, at);
    int rc = text.n <= FRAME_MAX_BYTES ? send_all(h, text.p, text.n, e)
                                       : err_set(e, ERR_LIMIT, "a request is too long");
    strbuf_release(&text);
    return rc;
}

/* Until the reply is there. The waiter is given back in any case, its arena is the caller's. */
static int answer(struct helper *h, struct waiter *w, bool sent, struct err *e)
{
    int rc = sent ? 0 : -1;
    pthread_mutex_lock(&h->lock);
    while (sent && !w->done && !h->ended) {
        pthread_cond_wait(&h->changed, &h->lock);
    }
    if (sent && !w->done) {
        rc = err_set(e, h->why.code, "%s", h->why.text);
    }
    h->waiting[w->id] = NULL;
    h->first_free = w->id < h->first_free ? w->id : h->first_free;
    if (rc == 0 && w->reply.kind == 'E') {
        if (h->progress) {
            progress_clear(h->progress); /* the caller is going to print this */
        }
        rc = err_set(e, (enum err_code)frame_u64(&w->reply, 0), "%s", frame_field(&w->reply, 1));
    }
    pthread_mutex_unlock(&h->lock);
    return rc;
}

static int call(struct helper *h, struct waiter *w, char kind, const char *const *fields,
                size_t count, struct err *e)
{
    bool sent = ask(h, w, kind, fields, count, e) == 0;
    return answer(h, w, sent, e);
}

/* A request whose reply says nothing but that it is done. */
static int command(void *ctx, char kind, const char *const *fields, size_t count, struct err *e)
{
    struct waiter w;
    int rc = call(ctx, &w, kind, fields, count, e);
    arena_release(&w.arena);
    return rc;
}

/* ---- the operations ---- */

static int helper_has(void *ctx, const char *path, struct err *e)
{
    struct waiter w;
    int rc = call(ctx, &w, 'H', &path, 1, e);
    rc = rc < 0 ? -1 : frame_u64(&w.reply, 0) > 0;
    arena_release(&w.arena);
    return rc;
}

static int helper_put(void *ctx, const char *path, const char *local, struct err *e)
{
    return command(ctx, 'P', (const char *const[]){path, local}, 2, e);
}

static int helper_get(void *ctx, const char *path, const char *local, struct err *e)
{
    return command(ctx, 'G', (const char *const[]){path, local}, 2, e);
}

static int helper_remove(void *ctx, const char *path, struct err *e)
{
    return command(ctx, 'D', &path, 1, e);
}

static int helper_set_jobs(void *ctx, int jobs, struct err *e)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", jobs);
    return command(ctx, 'J', (const char *const[]){text}, 1, e);
}

static int helper_remove_many(void *ctx, const char *const *paths, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i += DELETES_AT_ONCE) {
        size_t n = count - i < DELETES_AT_ONCE ? count - i : DELETES_AT_ONCE;
        if (command(ctx, 'D', paths + i, n, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* One page of names into `w`; *next in w's arena, NULL at the end. */
static int list_page(struct helper *h, struct waiter *w, const char *prefix, const char *token,
                     const char **next, struct err *e)
{
    if (call(h, w, 'L', (const char *const[]){prefix, token}, 2, e) < 0) {
        return -1;
    }
    if (w->reply.count % 3 != 1 || !frame_is_text(&w->reply)) {
        return err_set(e, ERR_REMOTE, "a list of names that makes no sense came from %s", h->url);
    }
    *next = w->reply.fields[0].n > 0 ? w->reply.fields[0].p : NULL;
    return 0;
}

int remote_helper_each(struct remote *r, const char *prefix, remote_helper_each_fn *fn, void *ctx,
                       struct err *e)
{
    char *token = xstrdup("");
    int rc = 0, stop = 0;
    while (token && rc == 0 && !stop) {
        struct waiter w;
        const char *next = NULL;
        rc = list_page(r->ctx, &w, prefix, token, &next, e);
        for (size_t i = 1; rc == 0 && !stop && i + 2 < w.reply.count; i += 3) {
            stop = fn(ctx, &(struct remote_helper_file){.path = w.reply.fields[i].p,
                                                        .size = frame_u64(&w.reply, i + 1),
                                                        .etag = w.reply.fields[i + 2].p});
        }
        free(token);
        token = next && rc == 0 ? xstrdup(next) : NULL;
        arena_release(&w.arena);
    }
    free(token);
    return rc < 0 || stop ? -1 : 0;
}

struct path_listing {
    int (*fn)(void *fn_ctx, const char *path);
    void *fn_ctx;
};

static int list_one(void *ctx, const struct remote_helper_file *f)
{
    const struct path_listing *l = ctx;
    return l->fn(l->fn_ctx, f->path);
}

static int helper_list(void *ctx, const char *prefix, int (*fn)(void *fn_ctx, const char *path),
                       void *fn_ctx, struct err *e)
{
    struct remote r = {.ctx = ctx};
    struct path_listing l = {fn, fn_ctx};
    return remote_helper_each(&r, prefix, list_one, &l, e);
}

static void helper_expect(void *ctx, const char *label, uint64_t bytes)
{
    struct helper *h = ctx;
    pthread_mutex_lock(&h->lock);
    progress_free(h->progress);
    h->progress = bytes > 0 ? progress_new(label, bytes, PROGRESS_BYTES, NULL, false) : NULL;
    pthread_mutex_unlock(&h->lock);
}

int remote_helper_stat(struct remote *r, struct arena *a, const char *path,
                       struct remote_helper_file *f, struct err *e)
{
    struct waiter w;
    int rc = call(r->ctx, &w, 'H', &path, 1, e);
    if (rc == 0 && frame_u64(&w.reply, 0) > 0) {
        *f = (struct remote_helper_file){.path = path,
                                         .size = frame_u64(&w.reply, 1),
                                         .etag = arena_strdup(a, frame_field(&w.reply, 2))};
        rc = 1;
    }
    arena_release(&w.arena);
    return rc;
}

int remote_helper_md5(struct remote *r, const char *path, char md5[33], struct err *e)
{
    struct waiter w;
    int rc = call(r->ctx, &w, 'M', &path, 1, e);
    if (rc == 0) {
        snprintf(md5, 33, "%s", frame_field(&w.reply, 0));
    }
    arena_release(&w.arena);
    return rc;
}

/* ---- many look-ups ---- */

/*
 * Names come in byte order, so a list that was left at K decides everything up to K; look-ups do
 * the rest. What a page is worth shows after the first: how far in the space of digests it got.
 */
struct survey {
    struct helper *h;
    const char *const *paths;
    size_t count;
    size_t *order; /* of paths, by name */
    bool *there, *decided;
    uint64_t *sizes;
};

static int by_path(const void *a, const void *b, void *paths)
{
    const char *const *p = paths;
    return strcmp(p[*(const size_t *)a], p[*(const size_t *)b]);
}

/* The first place in the order whose path is not below `name`. */
static size_t lower_bound(const struct survey *s, const char *name)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(s->paths[s->order[mid]], name) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Takes a page in. Returns the place up to which the order is decided; when the names are in no
 * order (some stores do so), only those that are there. */
static size_t take_page(struct survey *s, const struct frame *page, bool last, size_t decided)
{
    bool sorted = true;
    const char *before = "";
    for (size_t i = 1; i + 2 < page->count; i += 3) {
        const char *name = page->fields[i].p;
        sorted = sorted && strcmp(before, name) <= 0;
        before = name;
        for (size_t k = lower_bound(s, name); k < s->count; k++) {
            size_t at = s->order[k];
            if (strcmp(s->paths[at], name) != 0) {
                break;
            }
            s->there[at] = s->decided[at] = true;
            s->sizes[at] = frame_u64(page, i + 1);
        }
    }
    size_t to = last ? s->count : sorted && page->count > 1 ? lower_bound(s, before) : decided;
    for (size_t k = decided; k < to; k++) {
        s->decided[s->order[k]] = true;
    }
    return to;
}

/* Pages of the list of all objects as long as they are the cheaper way. */
static int survey_list(struct survey *s, struct err *e)
{
    char *token = xstrdup("");
    size_t decided = 0, pages = 0;
    int rc = 0;
    while (token && rc == 0) {
        struct waiter w;
        const char *next = NULL;
        rc = list_page(s->h, &w, "files/md5", token, &next, e);
        free(token);
        token = NULL;
        if (rc == 0) {
            pages++;
            decided = take_page(s, &w.reply, !next, decided);
            bool cheaper = decided >= pages * LOOKUPS_PER_PAGE;
            token = next && cheaper && decided < s->count ? xstrdup(next) : NULL;
        }
        arena_release(&w.arena);
    }
    free(token);
    return rc;
}

struct lookup {
    struct waiter w;
    size_t at;
    bool sent;
};

static int take_lookup(struct survey *s, struct lookup *l, struct err *e)
{
    int rc = answer(s->h, &l->w, l->sent, e);
    if (rc == 0) {
        s->there[l->at] = frame_u64(&l->w.reply, 0) > 0;
        s->sizes[l->at] = frame_u64(&l->w.reply, 1);
    }
    arena_release(&l->w.arena);
    return rc;
}

/* What no list has decided: many questions at a time. After an error no more are asked. */
static int survey_ask(struct survey *s, struct err *e)
{
    struct lookup *ring = xcalloc(LOOKUPS_AT_ONCE, sizeof(*ring));
    size_t asked = 0, taken = 0, i = 0;
    int rc = 0;
    for (;;) {
        while (i < s->count && s->decided[i]) {
            i++;
        }
        if (rc == 0 && i < s->count && asked - taken < LOOKUPS_AT_ONCE) {
            struct lookup *l = &ring[asked++ % LOOKUPS_AT_ONCE];
            rc = ask(s->h, &l->w, 'H', &s->paths[i], 1, e);
            l->sent = rc == 0;
            l->at = i++;
        } else if (taken < asked) {
            struct err later = ERR_INIT;
            bool bad = take_lookup(s, &ring[taken++ % LOOKUPS_AT_ONCE], rc == 0 ? e : &later) < 0;
            rc = bad ? -1 : rc;
        } else {
            break;
        }
    }
    free(ring);
    return rc;
}

static int helper_has_many(void *ctx, const char *const *paths, size_t count, bool *there,
                           uint64_t *sizes, struct err *e)
{
    struct helper *h = ctx;
    struct survey s = {h, paths, count, NULL, there, NULL, sizes};
    s.order = xcalloc(count + 1, sizeof(*s.order));
    s.decided = xcalloc(count + 1, sizeof(*s.decided));
    for (size_t i = 0; i < count; i++) {
        s.order[i] = i;
        there[i] = false;
    }
    qsort_r(s.order, count, sizeof(*s.order), by_path, (void *)(uintptr_t)paths);
    int rc = h->lists && count >= LIST_FROM ? survey_list(&s, e) : 0;
    if (rc == 0) {
        rc = survey_ask(&s, e);
    }
    free(s.order);
    free(s.decided);
    return rc;
}

/* ---- opening ---- */

static void helper_close(void *ctx)
{
    struct helper *h = ctx;
    struct proc_status st;
    helper_expect(h, "", 0);
    shutdown(h->fd, SHUT_WR);
    pthread_join(h->reader, NULL);
    close(h->fd);
    proc_wait(&h->proc, &st, NULL);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    pthread_mutex_destroy(&h->write_lock);
    free(h->waiting);
    free(h);
}

#define OPS(lister, remover, many_remover)                                                         \
    {                                                                                              \
        .scheme = "network", .has = helper_has, .put = helper_put, .get = helper_get,              \
        .list = (lister), .remove = (remover), .has_many = helper_has_many,                        \
        .remove_many = (many_remover), .expect = helper_expect, .set_jobs = helper_set_jobs,       \
        .close = helper_close                                                                      \
    }

/* By what the kind can: list, delete. */
static const struct remote_ops helper_ops[2][2] = {
    {OPS(NULL, NULL, NULL), OPS(NULL, helper_remove, helper_remove_many)},
    {OPS(helper_list, NULL, NULL), OPS(helper_list, helper_remove, helper_remove_many)},
};

bool remote_helper_knows(struct str scheme)
{
    static const char *const known[] = {"s3", "gs", "azure", "http", "https", "ssh"};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (str_is(scheme, known[i])) {
            return true;
        }
    }
    return false;
}

static int start_program(struct helper *h, struct err *e)
{
    struct strbuf program;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        return err_sys(e, "cannot make a socket for " XFER_PROGRAM);
    }
    strbuf_init(&program);
    int rc = proc_self_dir(&program, e);
    strbuf_adds(&program, "/" XFER_PROGRAM);
    const char *const argv[] = {program.p, "remote", NULL};
    const struct proc_options opt = {.argv = argv, .stdin_fd = ends[1], .stdout_fd = ends[1]};
    if (rc == 0) {
        rc = proc_start(&h->proc, &opt, e);
    }
    strbuf_release(&program);
    close(ends[1]);
    if (rc < 0) {
        close(ends[0]);
    }
    h->fd = ends[0];
    return rc;
}

/* The settings go over the socket: on a command line everybody could read them. */
static int send_settings(struct helper *h, struct arena *a, int jobs, const struct value *options,
                         struct waiter *w, struct err *e)
{
    size_t n = options && options->type == VALUE_MAP ? options->map.count : 0;
    const char **fields = ARENA_ARRAY(a, n + 2, const char *);
    fields[0] = h->url;
    fields[1] = arena_printf(a, "%d", jobs);
    for (size_t i = 0; i < n; i++) {
        struct strbuf text;
        strbuf_init(&text);
        strbuf_addf(&text, "%s=", value_as_str(options->map.pairs[i].key).p);
        value_text(&text, options->map.pairs[i].val);
        fields[i + 2] = arena_strdup(a, text.p);
        strbuf_release(&text);
    }
    return call(h, w, 'O', fields, n + 2, e);
}

int remote_helper_open(struct remote *r, struct arena *a, const char *url,
                       const struct value *options, struct err *e)
{
    struct helper *h = xcalloc(1, sizeof(*h));
    struct waiter w;
    h->url = arena_strdup(a, url);
    if (start_program(h, e) < 0) {
        free(h);
        return -1;
    }
    pthread_mutex_init(&h->lock, NULL);
    pthread_mutex_init(&h->write_lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    if (pthread_create(&h->reader, NULL, read_replies, h) != 0) {
        BUG("no thread for the replies of " XFER_PROGRAM);
    }
    const struct value *jobs = value_get(options, "jobs");
    *r = (struct remote){.url = h->url, .ctx = h};
    r->jobs = jobs ? (int)strtol(value_as_str(jobs).p, NULL, 10) : 0;
    r->jobs = r->jobs > 0 ? r->jobs : JOBS_PER_CORE * par_cores();
    int rc = send_settings(h, a, r->jobs, options, &w, e);
    if (rc < 0) {
        helper_close(h);
        *r = (struct remote){0};
    } else {
        const char *can = frame_field(&w.reply, 0);
        h->lists = strchr(can, 'L') != NULL;
        r->ops = &helper_ops[h->lists][strchr(can, 'D') != NULL];
    }
    arena_release(&w.arena);
    return rc;
}
