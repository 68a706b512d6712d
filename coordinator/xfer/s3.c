/*
 * S3 remotes: s3://bucket/prefix with the settings of dvc-s3, on keystore.h. With an endpoint of its
 * own (endpointurl) or a bucket that is no DNS label, the bucket stands in the path; else in the
 * host's name. A bucket of another region answers with its region: taken over, then tried again.
 */
#include "alloc.h"
#include "awscreds.h"
#include "awssign.h"
#include "clock.h"
#include "digest.h"
#include "keystore.h"
#include "num.h"
#include "signing.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct s3 {
    struct keystore store;
    struct awscreds creds;
    const char *region;
    const char *bucket;
    bool own_endpoint;
};

/* ---- a request ---- */

/* A key of the customer's own goes with each request for content. */
static void add_customer_key(const struct s3 *s, struct webcall *c)
{
    const char *key = netremote_setting(s->store.remote, "sse_customer_key");
    const char *algorithm = netremote_setting(s->store.remote, "sse_customer_algorithm");
    size_t n;
    unsigned char *raw = key ? signing_unbase64(&c->arena, str_from(key), &n) : NULL;
    bool content = c->path[1] && strcmp(c->path, s->store.bucket_path) != 0 &&
                   strcmp(c->method, "DELETE") != 0 && !strstr(c->query, "uploadId=");
    bool part = strstr(c->query, "partNumber=") != NULL;
    if (!raw || !(content || part)) {
        return;
    }
    char hex[DIGEST_HEX_SIZE];
    digest_buffer(DIGEST_MD5, raw, n, hex);
    webcall_header(c, "X-Amz-Server-Side-Encryption-Customer-Algorithm: %s",
                   algorithm ? algorithm : "AES256");
    webcall_header(c, "X-Amz-Server-Side-Encryption-Customer-Key: %s", key);
    webcall_header(c, "X-Amz-Server-Side-Encryption-Customer-Key-MD5: %s",
                   signing_base64(&c->arena, signing_unhex(&c->arena, (struct str){hex, 32}), 16));
}

static int s3_sign(struct keystore *k, struct webcall *c, struct err *e)
{
    struct s3 *s = k->own;
    add_customer_key(s, c);
    if (s->creds.anonymous) {
        return 0;
    }
    if (awscreds_refresh(&s->creds, e) < 0) {
        return -1;
    }
    awssign_request(c, &s->creds, s->region, "s3", clock_wall_ms(&clock_system));
    return 0;
}

static void s3_describe(struct keystore *k, struct webcall *c, bool parts)
{
    static const struct {
        const char *setting, *header;
    } map[] = {
        {"sse", "X-Amz-Server-Side-Encryption"},
        {"sse_kms_key_id", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"},
        {"acl", "X-Amz-Acl"},
        {"grant_read", "X-Amz-Grant-Read"},
        {"grant_read_acp", "X-Amz-Grant-Read-Acp"},
        {"grant_write_acp", "X-Amz-Grant-Write-Acp"},
        {"grant_full_control", "X-Amz-Grant-Full-Control"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
        const char *value = netremote_setting(k->remote, map[i].setting);
        if (value) {
            webcall_header(c, "%s: %s", map[i].header, value);
        }
    }
}

static const char *s3_list_query(const struct keystore *k, struct arena *a, const char *prefix,
                                 const char *token)
{
    const char *rest = arena_printf(a, "encoding-type=url&list-type=2&max-keys=1000&prefix=%s",
                                    webcall_encode(a, str_from(prefix), false));
    return token[0] ? arena_printf(a, "continuation-token=%s&%s",
                                   webcall_encode(a, str_from(token), false), rest)
                    : rest;
}

static void add_xml_text(struct strbuf *xml, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '&' || *p == '<' || *p == '>' || (unsigned char)*p < 0x20) {
            strbuf_addf(xml, "&#%d;", *p);
        } else {
            strbuf_addch(xml, *p);
        }
    }
}

static int sign_removal(struct webcall *c, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    digest_buffer(DIGEST_MD5, c->body.p, c->body.n, hex);
    unsigned char *raw = signing_unhex(&c->arena, (struct str){hex, 32});
    webcall_header(c, "Content-Type: application/xml");
    webcall_header(c, "Content-MD5: %s", signing_base64(&c->arena, raw, 16));
    return s3_sign(c->ctx2, c, e);
}

static void s3_remove_many(struct keystore *k, struct webcall *c, const struct netop *op)
{
    struct strbuf xml;
    strbuf_init(&xml);
    strbuf_adds(&xml,
                "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
    for (size_t i = 0; i < op->request.count; i++) {
        strbuf_adds(&xml, "<Object><Key>");
        add_xml_text(&xml, keystore_key(k, &c->arena, op->request.fields[i].p));
        strbuf_adds(&xml, "</Key></Object>");
    }
    strbuf_adds(&xml, "</Delete>");
    c->body = arena_str(&c->arena, strbuf_str(&xml));
    strbuf_release(&xml);
    c->prepare = sign_removal;
}

/* ---- where it is ---- */

/* "my-data.1" would not match the certificate of *.s3.amazonaws.com. */
static bool is_dns_label(const char *bucket)
{
    for (const char *p = bucket; *p; p++) {
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '-') {
            return false;
        }
    }
    return bucket[0] != '-' && strlen(bucket) >= 3;
}

/* Does the profile ask for this? */
static bool is_addressed(const struct s3 *s, const char *style)
{
    return s->creds.addressing && strcmp(s->creds.addressing, style) == 0;
}

static void set_place(struct s3 *s)
{
    struct arena *a = netremote_arena(s->store.remote);
    const char *http = netremote_flag(s->store.remote, "use_ssl", true) ? "https" : "http";
    const char *domain = strncmp(s->region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
    if (is_dns_label(s->bucket) && !is_addressed(s, "path")) {
        s->store.origin = arena_printf(a, "%s://%s.s3.%s.%s", http, s->bucket, s->region, domain);
        s->store.bucket_path = "";
    } else {
        s->store.origin = arena_printf(a, "%s://s3.%s.%s", http, s->region, domain);
        s->store.bucket_path =
            arena_printf(a, "/%s", webcall_encode(a, str_from(s->bucket), false));
    }
}

static int set_endpoint(struct s3 *s, const char *url, struct err *e)
{
    struct arena *a = netremote_arena(s->store.remote);
    const char *path;
    if (!webcall_split(a, url, &s->store.origin, &path)) {
        return err_set(e, ERR_CONFIG,
                       "config file error: endpointurl is no URL of http or https: '%s'", url);
    }
    size_t n = strlen(path);
    while (n > 0 && path[n - 1] == '/') {
        n--;
    }
    s->own_endpoint = true;
    if (is_addressed(s, "virtual") && is_dns_label(s->bucket)) {
        const char *host = strstr(s->store.origin, "://") + 3;
        s->store.origin = arena_printf(a, "%.*s%s.%s", (int)(host - s->store.origin),
                                       s->store.origin, s->bucket, host);
        s->store.bucket_path = arena_strndup(a, path, n);
        return 0;
    }
    s->store.bucket_path =
        arena_printf(a, "%.*s/%s", (int)n, path, webcall_encode(a, str_from(s->bucket), false));
    return 0;
}

static bool is_region(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n > 0 && n < 40 && text[n] == '\0';
}

static bool s3_mend(struct keystore *k, const struct webcall *c)
{
    struct s3 *s = k->own;
    struct arena *a = netremote_arena(k->remote);
    const char *region = c->region;
    if (!region[0] && strstr(c->text.p, "<Region>")) {
        region = keylist_text(a, strbuf_str(&c->text), "Region");
    }
    if (!region || !is_region(region) || strcmp(region, s->region) == 0) {
        return false;
    }
    s->region = arena_strdup(a, region);
    if (!s->own_endpoint) {
        set_place(s);
    }
    return true;
}

static const struct keystore_dialect dialect = {
    .parts = KEYSTORE_MULTIPART,
    .md5_answer = true,
    .names = &keylist_s3,
    .put_method = "PUT",
    .sign = s3_sign,
    .describe = s3_describe,
    .list_query = s3_list_query,
    .mend = s3_mend,
    .remove_many = s3_remove_many,
};

/* ---- opening ---- */

static int check_settings(struct netremote *n, struct err *e)
{
    static const char *const grants[] = {"grant_read", "grant_read_acp", "grant_write_acp",
                                         "grant_full_control"};
    const char *key = netremote_setting(n, "sse_customer_key");
    size_t bytes;
    for (size_t i = 0; i < ARRAY_SIZE(grants); i++) {
        if (netremote_setting(n, "acl") && netremote_setting(n, grants[i])) {
            return err_set(e, ERR_CONFIG,
                           "`acl` and `grant_*` AWS S3 config options are mutually exclusive");
        }
    }
    if (key && netremote_setting(n, "sse_kms_key_id")) {
        return err_set(e, ERR_CONFIG,
                       "`sse_kms_key_id` and `sse_customer_key` AWS S3 config options are "
                       "mutually exclusive");
    }
    if (key && !signing_unbase64(netremote_arena(n), str_from(key), &bytes)) {
        return err_set(e, ERR_CONFIG, "config file error: sse_customer_key is no Base64");
    }
    return 0;
}

static int s3_open(struct netremote *n, void **ctx, struct err *e)
{
    struct s3 *s = xcalloc(1, sizeof(*s));
    *ctx = s;
    s->store = (struct keystore){.dialect = &dialect,
                                 .remote = n,
                                 .engine = netremote_engine(n),
                                 .shown = netremote_url(n),
                                 .own = s};
    if (check_settings(n, e) < 0 || netremote_bucket(n, &s->bucket, &s->store.prefix, e) < 0 ||
        awscreds_open(&s->creds, n, e) < 0) {
        return -1;
    }
    s->region = s->creds.region && is_region(s->creds.region) ? s->creds.region : "us-east-1";
    if (s->creds.endpoint) {
        return set_endpoint(s, s->creds.endpoint, e);
    }
    set_place(s);
    return 0;
}

static void s3_close(void *ctx)
{
    struct s3 *s = ctx;
    awscreds_release(&s->creds);
    free(s);
}

const struct netkind s3_netkind = {
    .scheme = "s3",
    .can = "LD",
    .open = s3_open,
    .has = keystore_has,
    .put = keystore_put,
    .get = keystore_get,
    .list = keystore_list,
    .remove = keystore_remove,
    .close = s3_close,
};
