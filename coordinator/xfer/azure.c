/*
 * Azure Blob Storage: azure://container/prefix, by its REST interface. Authorized by the account's
 * key (Shared Key), by a shared access signature, by a client's secret (Entra ID), or by the
 * machine's identity. Source: Microsoft's "Blob service REST API" and "Authorize with Shared Key".
 */
#include "alloc.h"
#include "bearer.h"
#include "clock.h"
#include "keystore.h"
#include "signing.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define VERSION "2020-10-02"
#define PARAMS_MAX 16

struct azure {
    struct keystore store;
    const char *account;
    unsigned char *key; /* decoded; NULL: no Shared Key */
    size_t key_bytes;
    const char *sas; /* without '?'; NULL: none */
    const char *tenant, *client, *secret;
    struct bearer bearer;
    bool anonymous;
};

/* ---- Shared Key ---- */

/* The value of a header of the request, "" when it has none. */
static struct str header_of(const struct webcall *c, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < c->header_count; i++) {
        if (strncasecmp(c->headers[i], name, n) == 0 && c->headers[i][n] == ':') {
            return str_trim(str_from(c->headers[i] + n + 1));
        }
    }
    return STR("");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_sorted(struct strbuf *b, const char **lines, size_t n, const char *before,
                       const char *after)
{
    qsort(lines, n, sizeof(*lines), by_text);
    for (size_t i = 0; i < n; i++) {
        strbuf_addf(b, "%s%s%s", before, lines[i], after);
    }
}

/* "x-ms-date:…\n" of each header of theirs. */
static void add_headers(struct strbuf *b, struct webcall *c)
{
    const char *lines[WEBCALL_HEADERS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < c->header_count; i++) {
        if (strncasecmp(c->headers[i], "x-ms-", 5) == 0) {
            size_t name = strcspn(c->headers[i], ":");
            struct str value = str_trim(str_from(c->headers[i] + name + 1));
            char *line =
                arena_printf(&c->arena, "%.*s:%.*s", (int)name, c->headers[i], STR_ARG(value));
            for (size_t k = 0; k < name; k++) {
                line[k] = (char)tolower((unsigned char)line[k]);
            }
            lines[n++] = line;
        }
    }
    add_sorted(b, lines, n, "", "\n");
}

/* "/account/container/blob\ncomp:list" */
static void add_resource(struct strbuf *b, const struct azure *z, struct webcall *c)
{
    const char *lines[PARAMS_MAX];
    size_t n = 0;
    struct str rest = str_from(c->query), param, name;
    strbuf_addf(b, "/%s%s", z->account, c->path);
    while (c->query[0] && n < PARAMS_MAX && str_split(&rest, '&', &param)) {
        struct str value = param;
        str_split(&value, '=', &name);
        struct str plain = keylist_decode(&c->arena, value.p ? value : STR(""), false);
        lines[n++] = arena_printf(&c->arena, "%.*s:%.*s", STR_ARG(name), STR_ARG(plain));
    }
    add_sorted(b, lines, n, "\n", "");
}

static void sign_by_key(const struct azure *z, struct webcall *c)
{
    static const char *const names[] = {"Content-MD5",         "Content-Type", "Date",
                                        "If-Modified-Since",   "If-Match",     "If-None-Match",
                                        "If-Unmodified-Since", "Range"};
    unsigned char mac[SIGNING_SHA256_BYTES];
    uint64_t length = c->file >= 0 ? c->file_bytes : c->body.n;
    struct strbuf text;
    strbuf_init(&text);
    strbuf_addf(&text, "%s\n\n\n", c->method);
    if (length > 0) {
        strbuf_addf(&text, "%" PRIu64, length);
    }
    strbuf_addch(&text, '\n');
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        strbuf_addstr(&text, header_of(c, names[i]));
        strbuf_addch(&text, '\n');
    }
    add_headers(&text, c);
    add_resource(&text, z, c);
    signing_hmac_sha256(z->key, z->key_bytes, strbuf_str(&text), mac);
    strbuf_release(&text);
    webcall_header(c, "Authorization: SharedKey %s:%s", z->account,
                   signing_base64(&c->arena, mac, sizeof(mac)));
}

/* ---- a request ---- */

static int fetch_token(struct azure *z, struct err *e)
{
    struct arena a;
    const char *host = getenv("AZURE_AUTHORITY_HOST"),
               *base = getenv("AZURE_POD_IDENTITY_AUTHORITY_HOST");
    arena_init(&a);
    struct bearer_request q = {.header = "Metadata: true"};
    if (z->secret) {
        q.url = arena_printf(&a, "%s/%s/oauth2/v2.0/token",
                             host && *host ? host : "https://login.microsoftonline.com",
                             webcall_encode(&a, str_from(z->tenant), false));
        q.form = arena_printf(&a,
                              "grant_type=client_credentials&client_id=%s&client_secret=%s"
                              "&scope=https%%3A%%2F%%2Fstorage.azure.com%%2F.default",
                              webcall_encode(&a, str_from(z->client), false),
                              webcall_encode(&a, str_from(z->secret), false));
        q.header = NULL;
    } else {
        q.url = arena_printf(&a,
                             "%s/metadata/identity/oauth2/token?api-version=2018-02-01"
                             "&resource=https%%3A%%2F%%2Fstorage.azure.com%%2F",
                             base && *base ? base : "http://169.254.169.254");
    }
    q.shown = arena_strndup(&a, q.url, strcspn(q.url, "?"));
    int rc = bearer_fetch(&z->bearer, z->store.engine, &q, e);
    if (rc < 0 && !z->secret) {
        err_append(e, "; give connection_string, account_key, sas_token, or tenant_id, client_id "
                      "and client_secret");
    }
    arena_release(&a);
    return rc;
}

static void add_sas(const struct azure *z, struct webcall *c)
{
    if (!strstr(c->query, z->sas)) { /* another try has it already */
        c->query = arena_printf(&c->arena, "%s%s%s", c->query, c->query[0] ? "&" : "", z->sas);
    }
}

static int azure_sign(struct keystore *k, struct webcall *c, struct err *e)
{
    struct azure *z = k->own;
    char date[64];
    struct tm tm;
    time_t now = (time_t)(clock_wall_ms(&clock_system) / 1000);
    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    webcall_header(c, "x-ms-date: %s", date);
    webcall_header(c, "x-ms-version: " VERSION);
    if (z->anonymous) {
        return 0;
    }
    if (z->key) {
        sign_by_key(z, c);
        return 0;
    }
    if (z->sas) {
        add_sas(z, c);
        return 0;
    }
    if (!bearer_good(&z->bearer) && fetch_token(z, e) < 0) {
        return -1;
    }
    bearer_add(&z->bearer, c);
    return 0;
}

static void azure_describe(struct keystore *k, struct webcall *c, bool parts)
{
    if (!parts) {
        webcall_header(c, "x-ms-blob-type: BlockBlob");
    }
}

static const char *azure_list_query(const struct keystore *k, struct arena *a, const char *prefix,
                                    const char *token)
{
    return arena_printf(a, "comp=list%s%s&maxresults=1000&prefix=%s&restype=container",
                        token[0] ? "&marker=" : "", webcall_encode(a, str_from(token), false),
                        webcall_encode(a, str_from(prefix), false));
}

static const struct keystore_dialect dialect = {
    .parts = KEYSTORE_BLOCKS,
    .md5_answer = true,
    .names = &keylist_azure,
    .put_method = "PUT",
    .sign = azure_sign,
    .describe = azure_describe,
    .list_query = azure_list_query,
};

/* ---- settings ---- */

/* A part of "AccountName=a;AccountKey=b==;EndpointSuffix=core.windows.net". */
static const char *part_of(struct arena *a, const char *connection, const char *name)
{
    struct str rest = str_from(connection), part, key;
    while (connection && str_split(&rest, ';', &part)) {
        struct str value = part;
        str_split(&value, '=', &key);
        key = str_trim(key);
        if (value.p && strlen(name) == key.n && strncasecmp(name, key.p, key.n) == 0) {
            return arena_str(a, str_trim(value)).p;
        }
    }
    return NULL;
}

static const char *setting(struct netremote *n, const char *name, const char *variable)
{
    const char *text = netremote_setting(n, name);
    const char *value = variable ? getenv(variable) : NULL;
    return text ? text : value && *value ? value : NULL;
}

static const char *either(const char *a, const char *b)
{
    return a ? a : b;
}

static int take_key(struct azure *z, struct arena *a, const char *key, struct err *e)
{
    if (!key) {
        return 0;
    }
    z->key = signing_unbase64(a, str_from(key), &z->key_bytes);
    return z->key ? 0 : err_set(e, ERR_CONFIG, "the account's key is no Base64");
}

static int take_place(struct azure *z, struct netremote *n, const char *connection, struct err *e)
{
    struct arena *a = netremote_arena(n);
    const char *bucket, *path, *url = part_of(a, connection, "BlobEndpoint");
    const char *suffix = either(part_of(a, connection, "EndpointSuffix"), "core.windows.net");
    const char *protocol = either(part_of(a, connection, "DefaultEndpointsProtocol"), "https");
    if (netremote_bucket(n, &bucket, &z->store.prefix, e) < 0) {
        return -1;
    }
    if (!url && !z->account) {
        return err_set(e, ERR_CONFIG,
                       "%s: no account is named: account_name, connection_string, "
                       "AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING do",
                       netremote_url(n));
    }
    url = url ? url : arena_printf(a, "%s://%s.blob.%s", protocol, z->account, suffix);
    if (!webcall_split(a, url, &z->store.origin, &path)) {
        return err_set(e, ERR_CONFIG, "BlobEndpoint is no URL of http or https");
    }
    size_t length = strlen(path);
    length -= length > 0 && path[length - 1] == '/';
    z->store.bucket_path =
        arena_printf(a, "%.*s/%s", (int)length, path, webcall_encode(a, str_from(bucket), false));
    return 0;
}

static int take_settings(struct azure *z, struct netremote *n, struct err *e)
{
    struct arena *a = netremote_arena(n);
    const char *connection = setting(n, "connection_string", "AZURE_STORAGE_CONNECTION_STRING");
    z->account = either(setting(n, "account_name", "AZURE_STORAGE_ACCOUNT"),
                        part_of(a, connection, "AccountName"));
    const char *key = either(setting(n, "account_key", "AZURE_STORAGE_KEY"),
                             part_of(a, connection, "AccountKey"));
    z->sas = either(setting(n, "sas_token", "AZURE_STORAGE_SAS_TOKEN"),
                    part_of(a, connection, "SharedAccessSignature"));
    z->sas = z->sas && z->sas[0] == '?' ? z->sas + 1 : z->sas;
    z->tenant = setting(n, "tenant_id", "AZURE_TENANT_ID");
    z->client = setting(n, "client_id", "AZURE_CLIENT_ID");
    const char *secret = setting(n, "client_secret", "AZURE_CLIENT_SECRET");
    z->secret = z->tenant && z->client ? secret : NULL;
    z->anonymous = netremote_flag(n, "allow_anonymous_login", false);
    if (take_place(z, n, connection, e) < 0 || take_key(z, a, key, e) < 0) {
        return -1;
    }
    if (z->key && !z->account) {
        return err_set(e, ERR_CONFIG, "an account's key needs its name: account_name");
    }
    return 0;
}

static int azure_open(struct netremote *n, void **ctx, struct err *e)
{
    struct azure *z = xcalloc(1, sizeof(*z));
    *ctx = z;
    z->store = (struct keystore){.dialect = &dialect,
                                 .remote = n,
                                 .engine = netremote_engine(n),
                                 .shown = netremote_url(n),
                                 .own = z};
    return take_settings(z, n, e);
}

static void azure_close(void *ctx)
{
    struct azure *z = ctx;
    bearer_release(&z->bearer);
    free(z);
}

const struct netkind azure_netkind = {
    .scheme = "azure",
    .can = "LD",
    .open = azure_open,
    .has = keystore_has,
    .put = keystore_put,
    .get = keystore_get,
    .list = keystore_list,
    .remove = keystore_remove,
    .close = azure_close,
};
