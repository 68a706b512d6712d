/* awssign: see awssign.h. */
#include "awssign.h"

#include "alloc.h"
#include "awscreds.h"
#include "clock.h"
#include "digest.h"
#include "signing.h"
#include "webcall.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct header {
    const char *name; /* lower case */
    struct str value;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct header *)a)->name, ((const struct header *)b)->name);
}

static bool is_signed(const char *name)
{
    return strncmp(name, "x-amz-", 6) == 0 || strcmp(name, "host") == 0 ||
           strcmp(name, "content-md5") == 0 || strcmp(name, "content-type") == 0;
}

/* The headers that count, sorted. */
static size_t collect(struct webcall *c, struct header out[WEBCALL_HEADERS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < c->header_count; i++) {
        const char *colon = strchr(c->headers[i], ':');
        char *name = arena_strndup(&c->arena, c->headers[i], (size_t)(colon - c->headers[i]));
        for (char *p = name; *p; p++) {
            *p = (char)tolower((unsigned char)*p);
        }
        if (is_signed(name)) {
            out[n++] = (struct header){name, str_trim(str_from(colon + 1))};
        }
    }
    qsort(out, n, sizeof(*out), by_name);
    return n;
}

static const char *signed_names(struct arena *a, const struct header *headers, size_t n)
{
    const char *names = "";
    for (size_t i = 0; i < n; i++) {
        names = arena_printf(a, "%s%s%s", names, i ? ";" : "", headers[i].name);
    }
    return names;
}

static void hash_request(const struct webcall *c, const struct header *headers, size_t n,
                         const char *names, const char *payload, char hex[DIGEST_HEX_SIZE])
{
    struct strbuf text;
    strbuf_init(&text);
    strbuf_addf(&text, "%s\n%s\n%s\n", c->method, c->path[0] ? c->path : "/", c->query);
    for (size_t i = 0; i < n; i++) {
        strbuf_addf(&text, "%s:%.*s\n", headers[i].name, STR_ARG(headers[i].value));
    }
    strbuf_addf(&text, "\n%s\n%s", names, payload);
    digest_buffer(DIGEST_SHA256, text.p, text.n, hex);
    strbuf_release(&text);
}

static char *sign(struct arena *a, const char *secret, const char *date, const char *region,
                  const char *service, const char *text)
{
    unsigned char key[SIGNING_SHA256_BYTES];
    const char *first = arena_printf(a, "AWS4%s", secret);
    signing_hmac_sha256(first, strlen(first), str_from(date), key);
    signing_hmac_sha256(key, sizeof(key), str_from(region), key);
    signing_hmac_sha256(key, sizeof(key), str_from(service), key);
    signing_hmac_sha256(key, sizeof(key), STR("aws4_request"), key);
    signing_hmac_sha256(key, sizeof(key), str_from(text), key);
    return signing_hex(a, key, sizeof(key));
}

/* "2026-11-23T18:30:50Z" as "20261123T183050Z" */
static const char *amz_date(struct arena *a, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE], *out = arena_alloc(a, CLOCK_TEXT_SIZE);
    size_t n = 0;
    clock_rfc3339(wall_ms, text);
    for (const char *p = text; *p; p++) {
        if (*p != '-' && *p != ':') {
            out[n++] = *p;
        }
    }
    return out;
}

void awssign_request(struct webcall *c, const struct awscreds *creds, const char *region,
                     const char *service, int64_t wall_ms)
{
    struct arena *a = &c->arena;
    struct header headers[WEBCALL_HEADERS_MAX];
    char payload[DIGEST_HEX_SIZE] = "UNSIGNED-PAYLOAD", request[DIGEST_HEX_SIZE];
    const char *when = amz_date(a, wall_ms), *day = arena_strndup(a, when, 8);
    if (c->file < 0) {
        digest_buffer(DIGEST_SHA256, c->body.p ? c->body.p : "", c->body.n, payload);
    }
    webcall_header(c, "Host: %s", strstr(c->origin, "://") + 3);
    webcall_header(c, "X-Amz-Date: %s", when);
    webcall_header(c, "X-Amz-Content-SHA256: %s", payload);
    if (creds->token) {
        webcall_header(c, "X-Amz-Security-Token: %s", creds->token);
    }
    size_t n = collect(c, headers);
    const char *names = signed_names(a, headers, n);
    hash_request(c, headers, n, names, payload, request);
    const char *scope = arena_printf(a, "%s/%s/%s/aws4_request", day, region, service);
    const char *text = arena_printf(a, "AWS4-HMAC-SHA256\n%s\n%s\n%s", when, scope, request);
    webcall_header(c,
                   "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s",
                   creds->key_id, scope, names, sign(a, creds->secret, day, region, service, text));
}
