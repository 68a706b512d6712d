/* httpfacts: see httpfacts.h. */
#include "httpfacts.h"

#include "digest.h"
#include "keystore.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TRIES 3 /* `status` must not wait long for a host that is away */

/* ---- the checksum of a server that gives none ---- */

/* A string as Python shows it. */
static void add_repr(struct strbuf *b, const char *text)
{
    char quote = strchr(text, '\'') && !strchr(text, '"') ? '"' : '\'';
    strbuf_addch(b, quote);
    for (const char *p = text; *p; p++) {
        if (*p == quote || *p == '\\') {
            strbuf_addch(b, '\\');
        }
        strbuf_addch(b, *p);
    }
    strbuf_addch(b, quote);
}

static void add_pair(struct strbuf *b, const char *name, const char *text)
{
    if (text[0]) {
        strbuf_addf(b, ", '%s': ", name);
        add_repr(b, text);
    }
}

/* 32 hex digits as a decimal number: at most 39 digits. */
static void hex_to_decimal(const char *hex, char decimal[40])
{
    unsigned char digits[40] = {0}; /* the lowest first */
    size_t n = 1;
    for (size_t i = 0; i < 32; i++) {
        unsigned carry = (unsigned)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
        for (size_t k = 0; k < n; k++) {
            carry += digits[k] * 16u;
            digits[k] = (unsigned char)(carry % 10);
            carry /= 10;
        }
        for (; carry > 0; carry /= 10) {
            digits[n++] = (unsigned char)(carry % 10);
        }
    }
    for (size_t i = 0; i < n; i++) {
        decimal[i] = (char)('0' + digits[n - 1 - i]);
    }
    decimal[n] = '\0';
}

static const char *made_checksum(const struct webcall *c, struct netop *op, const char *name)
{
    const struct httpget_reply *r = &c->reply;
    struct strbuf b;
    char hex[DIGEST_HEX_SIZE], decimal[40];
    strbuf_init(&b);
    strbuf_adds(&b, "({'name': ");
    add_repr(&b, name);
    if (r->has_range || r->has_length) {
        strbuf_addf(&b, ", 'size': %llu",
                    (unsigned long long)(r->has_range ? r->range_total : r->length));
    } else {
        strbuf_adds(&b, ", 'size': None");
    }
    struct str type = {r->content_type, strcspn(r->content_type, ";")};
    add_pair(&b, "mimetype", arena_str(&op->arena, type).p);
    strbuf_adds(&b, r->no_ranges ? ", 'partial': False" : "");
    add_pair(
        &b, "url",
        arena_printf(&op->arena, "%s%s%s%s", c->origin, c->path, c->query[0] ? "?" : "", c->query));
    add_pair(&b, "Digest", r->digest);
    add_pair(&b, "Last-Modified", r->last_modified);
    strbuf_adds(&b, ", 'type': 'file'},)");
    digest_buffer(DIGEST_MD5, b.p, b.n, hex);
    hex_to_decimal(hex, decimal);
    strbuf_release(&b);
    return arena_strdup(&op->arena, decimal);
}

/* ---- the request ---- */

/* The URL as it was typed; what no URL may hold is encoded. */
static const char *typed(struct arena *a, const char *text)
{
    struct strbuf b;
    strbuf_init(&b);
    for (const char *p = text; *p; p++) {
        bool escape = p[0] == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2]);
        bool plain = isalnum((unsigned char)*p) || strchr("-._~!$&'()*+,;=:@/?", *p) || escape;
        strbuf_addf(&b, plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
    char *out = arena_strndup(a, b.p, b.n);
    strbuf_release(&b);
    return out;
}

static const char *name_of(const struct keystore *k, struct netop *op)
{
    const char *base = netremote_url(k->remote), *path = netop_path(op);
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/') {
        n--;
    }
    return arena_printf(&op->arena, "%.*s%s%s", (int)n, base, path[0] ? "/" : "", path);
}

static void reply(struct webcall *c, struct netop *op)
{
    const struct httpget_reply *r = &c->reply;
    const char *sum = r->any_etag[0]      ? r->any_etag
                      : r->content_md5[0] ? r->content_md5
                                          : made_checksum(c, op, name_of(c->ctx2, op));
    bool sized = r->has_range || r->has_length;
    frame_adds(&op->reply, "1");
    frame_add_u64(&op->reply, !sized ? UINT64_MAX : r->has_range ? r->range_total : r->length);
    frame_adds(&op->reply, sum);
}

/* DVC takes whatever is refused for absent; we tell refusals from absences. */
static void on_facts(struct webcall *c, struct err *e)
{
    struct netop *op = c->ctx;
    long status = c->reply.status;
    bool head = strcmp(c->method, "HEAD") == 0;
    bool answered = e->code == ERR_NONE, gone = answered && (status == 404 || status == 410);
    bool unsure = webcall_ok(c) ? !c->reply.has_length : !gone;
    if (answered && head && unsure) {
        c->method = "GET";
        c->extra_header = "Range: bytes=0-0";
        webcall_start(((struct keystore *)c->ctx2)->engine, c);
        return;
    }
    if (answered && webcall_ok(c)) {
        reply(c, op);
    } else if (gone) {
        frame_adds(&op->reply, "0");
        webcall_free(c);
        netop_done(op);
        return;
    }
    keystore_end(c, e);
}

void httpfacts_has(struct keystore *k, struct netop *op)
{
    struct webcall *c = keystore_call(k, op, "HEAD", "", "");
    const char *path = netop_path(op);
    const char *full = arena_printf(&c->arena, "%s%s%s", k->bucket_path,
                                    path[0] || !k->bucket_path[0] ? "/" : "", path);
    full = arena_strndup(&c->arena, full, strcspn(full, "#"));
    size_t n = strcspn(full, "?");
    c->path = typed(&c->arena, arena_strndup(&c->arena, full, n));
    c->query = full[n] ? typed(&c->arena, full + n + 1) : "";
    c->shown = arena_printf(&c->arena, "%s%s%.*s", k->shown, path[0] ? "/" : "",
                            (int)strcspn(path, "?#"), path); /* a query may hold a secret */
    c->tries = TRIES;
    c->done = on_facts;
    webcall_start(k->engine, c);
}
