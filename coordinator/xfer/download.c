/*
 * One file from the network into its place. See download.h: policy only (when to resume, when to
 * try again, what to believe); httpget.c speaks HTTP and part.c keeps the unfinished file.
 */
#include "download.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "fs.h"
#include "httpget.h"
#include "json.h"
#include "log.h"
#include "num.h"
#include "part.h"
#include "path.h"
#include "progress.h"
#include "rng.h"
#include "unpack.h"
#include "value.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SNIFF_BYTES 512
#define HTML_BYTES ((size_t)1 << 20)
#define ERROR_BYTES ((size_t)4 << 10)
#define PAGES_MAX 3
#define RETRY_AFTER_MAX_S 300
#define BACKOFF_MAX_MS 60000
#define PROGRESS_BYTES_MIN                                                                         \
    ((uint64_t)1 << 20) /* so much more than ever before counts as progress */

enum body { BODY_UNDECIDED, BODY_FILE, BODY_PAGE, BODY_ERROR };

struct transfer {
    const struct download *d;
    const struct clock *clock;
    struct arena arena;
    struct httpget *http;
    struct part part;
    struct progress *progress;
    struct rng jitter;
    const char *url;    /* of this try: the source's, or where a page led */
    uint64_t offset;    /* asked for in this try */
    enum body body;     /* of this try */
    struct strbuf head; /* first bytes, page, or text of an error */
    bool has_expected;
    uint64_t expected; /* whole size, when the server said it */
    uint64_t best;     /* most bytes ever held, for counting tries */
    unsigned tries, pages;
    bool restarted; /* one fresh start after a resumed file had a wrong checksum */
    struct download_result *out;
};

/* ---- the record PATH.json ---- */

int download_record(const char *path, const char *shown, const char *etag,
                    const char *last_modified, uint64_t size, const char *sha256, struct err *e)
{
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text);
    struct value *v = value_map(&a);
    value_set(&a, v, "schema", value_int(&a, 1));
    value_set(&a, v, "url", value_cstr(&a, shown));
    if (etag && *etag) {
        value_set(&a, v, "etag", value_cstr(&a, etag));
    }
    if (last_modified && *last_modified) {
        value_set(&a, v, "last_modified", value_cstr(&a, last_modified));
    }
    value_set(&a, v, "size", value_int(&a, (int64_t)size));
    value_set(&a, v, "sha256", value_cstr(&a, sha256));
    json_write(&text, v, &(struct json_style){0});
    strbuf_addch(&text, '\n');
    int rc = fs_write_atomic(arena_printf(&a, "%s.json", path), text.p, text.n, 0, e);
    strbuf_release(&text);
    arena_release(&a);
    return rc;
}

bool download_present(const char *path, const char *shown, const char *sha256,
                      struct download_result *out)
{
    struct arena a;
    char hex[DIGEST_HEX_SIZE];
    uint64_t size = 0;
    bool present = false;
    if (!fs_is_file(path)) {
        return false;
    }
    arena_init(&a);
    const char *info = arena_printf(&a, "%s.json", path);
    struct value *v = fs_exists(info) ? json_load(&a, info, NULL) : NULL;
    bool recorded = v && str_is(value_as_str(value_get(v, "url")), shown);
    struct str want = value_as_str(value_get(v, "sha256"));
    if ((recorded || sha256) && digest_file(DIGEST_SHA256, path, hex, &size, NULL) == 0) {
        present = sha256 ? strcasecmp(sha256, hex) == 0 : str_is(want, hex);
    }
    if (present) {
        *out = (struct download_result){.bytes = size};
        memcpy(out->sha256, hex, sizeof(hex));
    }
    arena_release(&a);
    return present;
}

/* ---- the body as it comes ---- */

static int check_space(struct transfer *t, struct err *e)
{
    struct statvfs st;
    uint64_t need = t->expected - t->part.have;
    char want[NUM_TEXT_SIZE], have[NUM_TEXT_SIZE];
    if (fstatvfs(t->part.fd, &st) < 0 || (uint64_t)st.f_bavail * st.f_frsize >= need) {
        return 0;
    }
    num_bytes(want, (double)need);
    num_bytes(have, (double)st.f_bavail * (double)st.f_frsize);
    return err_set(e, ERR_IO, "%s needs %s more, its file system has %s free", t->part.path, want,
                   have);
}

static int expect(struct transfer *t, bool known, uint64_t size, struct err *e)
{
    uint64_t max = t->d->max_bytes ? t->d->max_bytes : DOWNLOAD_MAX_BYTES;
    t->has_expected = known;
    t->expected = size;
    if (!known) {
        return 0;
    }
    if (size > max) {
        return err_set(e, ERR_LIMIT,
                       "the server announces %" PRIu64 " bytes, the limit is %" PRIu64
                       " (limits.download_bytes)",
                       size, max);
    }
    progress_total(t->progress, size);
    return check_space(t, e);
}

static int write_body(struct transfer *t, const void *data, size_t n, struct err *e)
{
    uint64_t max = t->d->max_bytes ? t->d->max_bytes : DOWNLOAD_MAX_BYTES;
    if (t->part.have + n > max) {
        return err_set(e, ERR_LIMIT, "more than %" PRIu64 " bytes came (limits.download_bytes)",
                       max);
    }
    if (t->has_expected && t->part.have + n > t->expected) {
        return err_set(e, ERR_REMOTE,
                       "more bytes came than the %" PRIu64 " that the server announced",
                       t->expected);
    }
    if (part_write(&t->part, data, n, e) < 0) {
        return -1;
    }
    t->out->received += n;
    progress_set(t->progress, t->part.have);
    return 0;
}

/* The first bytes of a 200 answer are here: a file, or a page that is none. Only now the old part
 * goes. */
static int decide(struct transfer *t, const struct httpget_reply *r, struct err *e)
{
    if (t->d->no_page && unpack_sniff(t->head.p, t->head.n) == UNPACK_HTML) {
        t->body = BODY_PAGE;
        return 0;
    }
    t->body = BODY_FILE;
    if (part_restart(&t->part, r->etag, r->last_modified, e) < 0 ||
        expect(t, r->has_length, r->length, e) < 0) {
        return -1;
    }
    return write_body(t, t->head.p, t->head.n, e);
}

static int begin_rest(struct transfer *t, const struct httpget_reply *r, struct err *e)
{
    if (t->offset == 0 || !r->has_range || r->range_first != t->offset) {
        part_restart(&t->part, "", "", NULL);
        return err_set(e, ERR_REMOTE,
                       "the server answered a wrong range (asked from byte %" PRIu64 "); try again",
                       t->offset);
    }
    t->body = BODY_FILE;
    return expect(t, r->range_total != UINT64_MAX, r->range_total, e);
}

static int on_body(void *ctx, const struct httpget_reply *r, const void *data, size_t n,
                   struct err *e)
{
    struct transfer *t = ctx;
    if (t->body == BODY_UNDECIDED && r->status == 206) {
        if (begin_rest(t, r, e) < 0) {
            return -1;
        }
    } else if (t->body == BODY_UNDECIDED && r->status != 200) {
        t->body = BODY_ERROR;
    }
    switch (t->body) {
    case BODY_FILE:
        return write_body(t, data, n, e);
    case BODY_UNDECIDED:
        strbuf_add(&t->head, data, n);
        return t->head.n < SNIFF_BYTES ? 0 : decide(t, r, e);
    case BODY_PAGE:
    case BODY_ERROR: {
        size_t max = t->body == BODY_PAGE ? HTML_BYTES : ERROR_BYTES;
        size_t room = t->head.n < max ? max - t->head.n : 0;
        strbuf_add(&t->head, data, n < room ? n : room);
        return 0;
    }
    }
    return 0;
}

/* ---- tries ---- */

static int pause_for(struct transfer *t, int64_t ms, struct err *e)
{
    for (int64_t left = ms; left > 0; left -= 50) {
        if (t->d->stop && *t->d->stop) {
            return err_set(e, ERR_INTERRUPTED, "interrupted");
        }
        clock_sleep_us((left < 50 ? left : 50) * 1000);
    }
    return 0;
}

/* After trouble that may pass: waits, or gives up with *e. `why` is consumed. */
static int again(struct transfer *t, const struct err *why, int64_t retry_after_s, struct err *e)
{
    if (t->part.have >= t->best + PROGRESS_BYTES_MIN) {
        t->tries = 0;
        t->best = t->part.have;
    }
    t->tries++;
    if (t->tries >= DOWNLOAD_TRIES || retry_after_s > RETRY_AFTER_MAX_S) {
        err_set(e, why->code, "%s", why->text);
        if (retry_after_s > RETRY_AFTER_MAX_S) {
            return err_append(e, "; the server wants %" PRId64 " s of pause, run it again then",
                              retry_after_s);
        }
        return err_append(e, " (%d tries); %s", DOWNLOAD_TRIES,
                          t->part.have > 0 && part_validator(&t->part)
                              ? "run it again to go on from where it stopped"
                              : "check the address, the network and https_proxy");
    }
    int64_t base = (t->d->retry_ms > 0 ? t->d->retry_ms : 1000) << (t->tries - 1);
    base = base > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : base;
    int64_t ms = (int64_t)((double)base * rng_range(&t->jitter, 0.5, 1.5));
    if (retry_after_s > 0 && ms < retry_after_s * 1000) {
        ms = retry_after_s * 1000;
    }
    t->out->retries++;
    log_warn("download", "%s: %s; try %u of %d in %.1f s", t->d->shown, why->text, t->tries + 1,
             DOWNLOAD_TRIES, (double)ms / 1000.0);
    return pause_for(t, ms, e);
}

static int refuse_status(const struct transfer *t, const struct httpget_reply *r, struct err *e)
{
    static const struct {
        long status;
        const char *hint;
    } hints[] = {
        {401, "the server wants a sign-in: put user:password@ in the URL, or use another source"},
        {403, "the server refuses access: is the link public, has it expired?"},
        {404, "nothing is there: check the address"},
        {410, "it was removed: ask for a new address"},
        {407, "the proxy wants a sign-in: set https_proxy=http://user:password@host:port"},
    };
    err_set(e, ERR_REMOTE, "HTTP status %ld instead of 200", r->status);
    for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
        if (hints[i].status == r->status) {
            err_append(e, "; %s", hints[i].hint);
        }
    }
    return -1;
}

static bool status_may_pass(long status)
{
    return status == 408 || status == 429 || status >= 500;
}

/* A page came. 1: go on with t->url. */
static int on_page(struct transfer *t, const struct httpget_reply *r, struct err *e)
{
    char token[256];
    char *next = NULL;
    if (!t->d->html) {
        return err_set(
            e, ERR_FORMAT,
            "the server answered a web page, not %s; is it the address of the file itself?",
            t->d->no_page);
    }
    if (++t->pages > PAGES_MAX) {
        return err_set(e, ERR_REMOTE,
                       "the server answers one web page after the other instead of %s",
                       t->d->no_page);
    }
    bool cookie = httpget_cookie(t->http, "download_warning", token, sizeof(token));
    if (t->d->html(&t->arena, t->head.p, t->head.n, r->url, cookie ? token : NULL, &next, e) < 0) {
        return -1;
    }
    t->url = next;
    return 1;
}

/* The transfer ended without network trouble. 0: the file is whole, 1: once more, -1: *e. */
static int on_done(struct transfer *t, const struct httpget_reply *r, struct err *e)
{
    struct err why = ERR_INIT;
    if (r->status == 416 && t->offset > 0) {
        if (r->range_total == t->offset) {
            return 0; /* nothing is left to send */
        }
        part_restart(&t->part, "", "", NULL);
        err_set(&why, ERR_REMOTE, "the server does not have byte %" PRIu64, t->offset);
        return again(t, &why, 0, e) < 0 ? -1 : 1;
    }
    if (status_may_pass(r->status)) {
        err_set(&why, ERR_REMOTE, "HTTP status %ld", r->status);
        return again(t, &why, r->retry_after_s, e) < 0 ? -1 : 1;
    }
    if (r->status != 200 && r->status != 206) {
        return refuse_status(t, r, e);
    }
    if (t->body == BODY_UNDECIDED && decide(t, r, e) < 0) {
        return -1;
    }
    if (t->body == BODY_PAGE) {
        return on_page(t, r, e);
    }
    if (t->has_expected && t->part.have < t->expected) {
        err_set(&why, ERR_REMOTE, "the connection ended after %" PRIu64 " of %" PRIu64 " bytes",
                t->part.have, t->expected);
        return again(t, &why, 0, e) < 0 ? -1 : 1;
    }
    return 0;
}

/* One request. 0: the file is whole, 1: once more, -1: *e. */
static int attempt(struct transfer *t, struct err *e)
{
    struct err why = ERR_INIT;
    struct httpget_reply *reply = arena_alloc(&t->arena, sizeof(*reply));
    const char *validator = part_validator(&t->part);
    t->offset = validator ? t->part.have : 0;
    t->body = BODY_UNDECIDED;
    t->has_expected = false;
    strbuf_reset(&t->head);
    enum httpget_result result = httpget_run(t->http,
                                             &(struct httpget_request){
                                                 .url = t->url,
                                                 .offset = t->offset,
                                                 .if_range = validator,
                                                 .allow_downgrade = t->d->sha256 != NULL,
                                                 .stop = t->d->stop,
                                                 .body = on_body,
                                                 .ctx = t,
                                             },
                                             reply, &why);
    switch (result) {
    case HTTPGET_DONE:
        return on_done(t, reply, e);
    case HTTPGET_AGAIN:
        return again(t, &why, 0, e) < 0 ? -1 : 1;
    case HTTPGET_FAILED:
        break;
    }
    return err_set(e, why.code, "%s", why.text);
}

/* 0: right, or not asked; 1: fetch anew; -1: *e. */
static int verify(struct transfer *t, struct err *e)
{
    if (t->part.have == 0) {
        return err_set(e, ERR_FORMAT, "the server sent an empty file");
    }
    if (digest_file(DIGEST_SHA256, t->part.path, t->out->sha256, &t->out->bytes, e) < 0) {
        return -1;
    }
    if (!t->d->sha256 || strcasecmp(t->d->sha256, t->out->sha256) == 0) {
        return 0;
    }
    bool resumed = t->part.resumed || t->out->retries > 0;
    part_restart(&t->part, "", "", NULL);
    if (resumed && !t->restarted) {
        log_warn("download", "%s: the pieces do not add up to the checksum; fetching it anew",
                 t->d->shown);
        t->restarted = true;
        return 1;
    }
    return err_set(
        e, ERR_FORMAT,
        "the SHA-256 is %s, expected %s; the file was not kept: either it was changed at its "
        "source, or the expected value is wrong",
        t->out->sha256, t->d->sha256);
}

static int fetch(struct transfer *t, struct err *e)
{
    for (;;) {
        int rc = attempt(t, e);
        if (rc == 0) {
            rc = verify(t, e);
        }
        if (rc <= 0) {
            return rc;
        }
    }
}

static int transfer_run(struct transfer *t, struct err *e)
{
    const struct download *d = t->d;
    if (fs_mkdirs_for(d->path, e) < 0 || part_open(&t->part, d->path, d->shown, d->force, e) < 0) {
        return -1;
    }
    t->best = t->part.have;
    t->http = httpget_open(e);
    if (!t->http) {
        return -1;
    }
    if (t->part.have > 0) {
        log_info("download", "%s: going on from byte %" PRIu64, d->path, t->part.have);
    }
    if (fetch(t, e) < 0) {
        return -1;
    }
    if (part_commit(&t->part, d->path, e) < 0) {
        return -1;
    }
    t->out->fetched = true;
    return download_record(d->path, d->shown, t->part.etag, t->part.last_modified, t->out->bytes,
                           t->out->sha256, e);
}

int download_file(const struct download *d, struct download_result *out, struct err *e)
{
    struct arena names;
    struct transfer t = {.d = d,
                         .clock = d->clock ? d->clock : &clock_system,
                         .url = d->url,
                         .out = out,
                         .part = {.fd = -1}};
    if (!d->force && download_present(d->path, d->shown, d->sha256, out)) {
        return 0;
    }
    *out = (struct download_result){0};
    arena_init(&names);
    arena_init(&t.arena);
    strbuf_init(&t.head);
    /* Pauses must differ between processes, else all of them come back at once. */
    rng_init(&t.jitter, (uint64_t)clock_mono_us(t.clock), RNG_TEST, (uint64_t)getpid(), 0);
    const char *label = arena_printf(&names, "Downloading %s", path_basename(d->path));
    t.progress = progress_new(label, 0, PROGRESS_BYTES, d->clock, d->quiet);
    int rc = transfer_run(&t, e);
    if (rc < 0) {
        err_wrap(e, "cannot download %s to %s", d->shown, d->path);
    }
    progress_free(t.progress);
    part_close(&t.part);
    httpget_close(t.http);
    strbuf_release(&t.head);
    arena_release(&t.arena);
    arena_release(&names);
    return rc;
}

/* ---- local files ---- */

static int copy_checked(const struct download *d, int from_fd, const char *from,
                        struct fs_temp *temp, struct download_result *out, struct err *e)
{
    if (digest_copy(DIGEST_SHA256, from_fd, temp->fd, from, out->sha256, &out->bytes, e) < 0) {
        return -1;
    }
    if (d->sha256 && strcasecmp(d->sha256, out->sha256) != 0) {
        return err_set(e, ERR_FORMAT, "the SHA-256 of %s is %s, expected %s", from, out->sha256,
                       d->sha256);
    }
    return 0;
}

int download_copy(const struct download *d, const char *from, struct download_result *out,
                  struct err *e)
{
    struct fs_temp temp;
    if (!d->force && download_present(d->path, d->shown, d->sha256, out)) {
        return 0;
    }
    *out = (struct download_result){0};
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot open %s", from);
    }
    if (fs_mkdirs_for(d->path, e) < 0 || fs_temp_open(&temp, d->path, 0, e) < 0) {
        close(fd);
        return -1;
    }
    int rc = copy_checked(d, fd, from, &temp, out, e);
    close(fd);
    if (rc < 0) {
        fs_temp_abort(&temp);
        return -1;
    }
    if (fs_temp_commit(&temp, d->path, false, e) < 0) {
        return -1;
    }
    out->fetched = true;
    return download_record(d->path, d->shown, NULL, NULL, out->bytes, out->sha256, e);
}
