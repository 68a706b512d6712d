/*
 * libcurl behind one function. See httpget.h; sources: RFC 9110 (ranges, validators), libcurl 7.88.
 */
#include "httpget.h"

#include "alloc.h"
#include "err.h"
#include "num.h"
#include "str.h"

#include <curl/curl.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HEADER_MAX ((size_t)64 << 10)
#define CONNECT_TIMEOUT_S 10L
#define LOW_SPEED_BYTES 1024L
#define LOW_SPEED_S 30L
#define REDIRECTS_MAX 5L

struct httpget {
    CURL *curl;
    char error[CURL_ERROR_SIZE];
    const struct httpget_request *request;
    struct httpget_reply *reply;
    size_t header_bytes;
    bool body_failed, header_overflow;
    struct err *e;
};

struct httpget *httpget_open(struct err *e)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(e, ERR_BUG, "libcurl cannot be initialised");
        return NULL;
    }
    struct httpget *h = xcalloc(1, sizeof(*h));
    h->curl = curl_easy_init();
    if (!h->curl) {
        free(h);
        curl_global_cleanup();
        err_set(e, ERR_BUG, "libcurl gives no handle");
        return NULL;
    }
    return h;
}

void httpget_close(struct httpget *h)
{
    if (!h) {
        return;
    }
    curl_easy_cleanup(h->curl);
    free(h);
    curl_global_cleanup();
}

/* ---- headers ---- */

static void keep(char *out, size_t size, struct str value)
{
    if (value.n >= size) {
        value.n = 0; /* half a validator is none */
    }
    memcpy(out, value.p, value.n);
    out[value.n] = '\0';
}

static bool parse_u64(struct str s, uint64_t *out)
{
    int64_t i;
    if (!num_parse_int(s, &i) || i < 0) {
        return false;
    }
    *out = (uint64_t)i;
    return true;
}

/* "bytes 100-199/200", "bytes 100-199/" with a star, "bytes *" with "/200" */
static void parse_content_range(struct httpget_reply *r, struct str v)
{
    if (v.n < 6 || strncasecmp(v.p, "bytes ", 6) != 0) {
        return;
    }
    struct str rest = str_trim(str_sub(v, 6, v.n)), range, first, total;
    if (!str_split(&rest, '/', &range) || !str_split(&rest, '/', &total)) {
        return;
    }
    r->range_total = UINT64_MAX;
    parse_u64(str_trim(total), &r->range_total);
    if (str_split(&range, '-', &first)) {
        r->has_range = parse_u64(str_trim(first), &r->range_first);
    }
}

void httpget_parse_header(struct httpget_reply *r, struct str line)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon) {
        return;
    }
    struct str name = {line.p, (size_t)(colon - line.p)};
    struct str value = str_trim((struct str){colon + 1, line.n - name.n - 1});
    if (name.n == 4 && strncasecmp(name.p, "etag", 4) == 0) {
        keep(r->etag, sizeof(r->etag), str_starts(value, "\"") ? value : STR(""));
        keep(r->any_etag, sizeof(r->any_etag), value);
    } else if (name.n == 13 && strncasecmp(name.p, "last-modified", 13) == 0) {
        keep(r->last_modified, sizeof(r->last_modified), value);
    } else if (name.n == 12 && strncasecmp(name.p, "content-type", 12) == 0) {
        keep(r->content_type, sizeof(r->content_type), value);
    } else if (name.n == 14 && strncasecmp(name.p, "content-length", 14) == 0) {
        r->has_length = parse_u64(value, &r->length);
    } else if (name.n == 13 && strncasecmp(name.p, "content-range", 13) == 0) {
        parse_content_range(r, value);
    } else if (name.n == 11 && strncasecmp(name.p, "content-md5", 11) == 0) {
        keep(r->content_md5, sizeof(r->content_md5), value);
    } else if (name.n == 6 && strncasecmp(name.p, "digest", 6) == 0) {
        keep(r->digest, sizeof(r->digest), value);
    } else if (name.n == 13 && strncasecmp(name.p, "accept-ranges", 13) == 0) {
        r->no_ranges = str_is(value, "none");
    }
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct httpget *h = ctx;
    struct str line = str_trim((struct str){data, size * count});
    if (str_starts(line, "HTTP/")) { /* a new answer: what an earlier one said is void */
        memset(h->reply, 0, sizeof(*h->reply));
        h->reply->range_total = UINT64_MAX;
        h->header_bytes = 0;
    }
    h->header_bytes += size * count;
    if (h->header_bytes > HEADER_MAX) {
        h->header_overflow = true;
        return 0;
    }
    httpget_parse_header(h->reply, line);
    return size * count;
}

/* ---- body ---- */

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct httpget *h = ctx;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &h->reply->status);
    if (h->request->body(h->request->ctx, h->reply, data, size * count, h->e) < 0) {
        h->body_failed = true;
        return size * count == 0 ? 1 : 0;
    }
    return size * count;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct httpget *h = ctx;
    return h->request->stop && *h->request->stop;
}

/* ---- the request ---- */

const char *httpget_ca_file(void)
{
    static const char *const names[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *path = getenv(names[i]);
        if (path && *path && access(path, R_OK) == 0) {
            return path;
        }
    }
    return NULL;
}

static void set_options(struct httpget *h, const struct httpget_request *q)
{
    CURL *c = h->curl;
    bool https = strncasecmp(q->url, "https:", 6) == 0;
    curl_easy_setopt(c, CURLOPT_URL, q->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR,
                     https && !q->allow_downgrade ? "https" : "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(c, CURLOPT_UNRESTRICTED_AUTH, 0L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, LOW_SPEED_S);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "nephron/" NEPHRON_VERSION);
    curl_easy_setopt(c, CURLOPT_COOKIEFILE, "");
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
    if (httpget_ca_file()) {
        curl_easy_setopt(c, CURLOPT_CAINFO, httpget_ca_file());
    }
}

static bool may_pass(int code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
        return true;
    default:
        return false;
    }
}

bool httpget_explain(int code, const char *detail, struct err *e)
{
    const char *text = detail[0] ? detail : curl_easy_strerror((CURLcode)code);
    switch (code) {
    case CURLE_TOO_MANY_REDIRECTS:
        err_set(e, ERR_REMOTE, "more than %ld redirects; the server sends in circles",
                REDIRECTS_MAX);
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
        err_set(e, ERR_REMOTE,
                "redirected to a protocol that is not followed (%s); from https only "
                "https is, unless a sha256 is given",
                text);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        err_set(e, ERR_REMOTE,
                "the server's certificate cannot be verified (%s); CURL_CA_BUNDLE names "
                "the file of your own authority",
                text);
        break;
    default:
        err_set(e, ERR_REMOTE, "%s", text);
        break;
    }
    return may_pass(code);
}

static enum httpget_result failure(struct httpget *h, CURLcode code, struct err *e)
{
    if (h->request->stop && *h->request->stop) {
        err_set(e, ERR_INTERRUPTED, "interrupted");
        return HTTPGET_FAILED;
    }
    if (h->body_failed) {
        return HTTPGET_FAILED; /* *e is the callback's */
    }
    if (h->header_overflow) {
        err_set(e, ERR_LIMIT, "the server sent more than %zu KiB of headers", HEADER_MAX >> 10);
        return HTTPGET_FAILED;
    }
    return httpget_explain((int)code, h->error, e) ? HTTPGET_AGAIN : HTTPGET_FAILED;
}

enum httpget_result httpget_run(struct httpget *h, const struct httpget_request *q,
                                struct httpget_reply *r, struct err *e)
{
    struct err inner = ERR_INIT;
    struct curl_slist *headers = NULL;
    char range[32], if_range[320];
    memset(r, 0, sizeof(*r));
    h->request = q;
    h->reply = r;
    h->e = e ? e : &inner;
    h->error[0] = '\0';
    h->header_bytes = 0;
    h->body_failed = h->header_overflow = false;
    set_options(h, q);
    if (q->offset > 0) {
        /* Not CURLOPT_RESUME_FROM: libcurl would fail on a 200, which only says "the file changed".
         */
        snprintf(range, sizeof(range), "%llu-", (unsigned long long)q->offset);
        snprintf(if_range, sizeof(if_range), "If-Range: %s", q->if_range);
        headers = curl_slist_append(NULL, if_range);
    }
    curl_easy_setopt(h->curl, CURLOPT_RANGE, q->offset > 0 ? range : NULL);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(h->curl);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    curl_off_t wait = 0;
    char *url = NULL;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &r->status);
    curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &wait);
    curl_easy_getinfo(h->curl, CURLINFO_EFFECTIVE_URL, &url);
    r->retry_after_s = wait;
    snprintf(r->url, sizeof(r->url), "%s", url ? url : q->url);
    return code == CURLE_OK ? HTTPGET_DONE : failure(h, code, h->e);
}

/* A line of libcurl's cookie list has seven fields, parted by tabs: the sixth is the name, the
 * seventh the value. */
static bool cookie_line(const char *line, const char *prefix, char *out, size_t size)
{
    struct str rest = str_from(line), field = {0}, name = {0};
    for (int i = 0; i < 7; i++) {
        if (!str_split(&rest, '\t', &field)) {
            return false;
        }
        if (i == 5) {
            name = field;
        }
    }
    if (!str_starts(name, prefix) || field.n == 0 || field.n >= size) {
        return false;
    }
    memcpy(out, field.p, field.n);
    out[field.n] = '\0';
    return true;
}

bool httpget_cookie(struct httpget *h, const char *prefix, char *out, size_t size)
{
    struct curl_slist *list = NULL;
    bool found = false;
    if (curl_easy_getinfo(h->curl, CURLINFO_COOKIELIST, &list) != CURLE_OK) {
        return false;
    }
    for (const struct curl_slist *l = list; l && !found; l = l->next) {
        found = cookie_line(l->data, prefix, out, size);
    }
    curl_slist_free_all(list);
    return found;
}
