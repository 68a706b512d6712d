/*
 * Google Cloud Storage: gs://bucket/prefix by its XML interface, which speaks S3's words with a
 * token of OAuth 2. The token comes from a service account's key (a signed JWT), from a user's
 * refresh token, or from the machine's metadata. Source: Google's "XML API" and "Using OAuth 2.0 for
 * Server to Server Applications".
 */
#include "alloc.h"
#include "bearer.h"
#include "clock.h"
#include "fs.h"
#include "json.h"
#include "keystore.h"
#include "num.h"
#include "signing.h"
#include "value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE "https://www.googleapis.com/auth/devstorage.read_write"
#define TOKEN_SECONDS 3600

struct gs {
    struct keystore store;
    struct bearer bearer;
    const struct value *account; /* of a file; NULL: the machine's metadata */
    const char *account_path;
    bool anonymous;
};

static const char *text_of(const struct gs *g, const char *name)
{
    struct str s = value_as_str(value_get(g->account, name));
    return s.n > 0 ? s.p : NULL;
}

/* ---- tokens ---- */

/* header.claims.signature */
static const char *make_jwt(const struct gs *g, struct arena *a, const char *token_url,
                            struct err *e)
{
    static const char header[] = "{\"alg\": \"RS256\", \"typ\": \"JWT\"}";
    struct value *v = value_map(a);
    struct strbuf claims;
    int64_t now = clock_wall_ms(&clock_system) / 1000;
    value_set(a, v, "iss", value_cstr(a, text_of(g, "client_email")));
    value_set(a, v, "scope", value_cstr(a, SCOPE));
    value_set(a, v, "aud", value_cstr(a, token_url));
    value_set(a, v, "iat", value_int(a, now));
    value_set(a, v, "exp", value_int(a, now + TOKEN_SECONDS));
    strbuf_init(&claims);
    json_write(&claims, v, NULL);
    const char *text = arena_printf(a, "%s.%s", signing_base64url(a, header, sizeof(header) - 1),
                                    signing_base64url(a, claims.p, claims.n));
    strbuf_release(&claims);
    const char *signature =
        signing_rs256(a, str_from(text_of(g, "private_key")), str_from(text), e);
    return signature ? arena_printf(a, "%s.%s", text, signature) : NULL;
}

static int fetch_for_account(struct gs *g, struct arena *a, struct err *e)
{
    const char *url = text_of(g, "token_uri"), *form;
    url = url ? url : "https://oauth2.googleapis.com/token";
    if (text_of(g, "private_key")) {
        const char *jwt = make_jwt(g, a, url, e);
        if (!jwt) {
            return err_wrap(e, "%s", g->account_path);
        }
        form = arena_printf(a, "grant_type=%s&assertion=%s",
                            "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer", jwt);
    } else {
        form = arena_printf(a,
                            "grant_type=refresh_token&client_id=%s&client_secret=%s"
                            "&refresh_token=%s",
                            webcall_encode(a, str_from(text_of(g, "client_id")), false),
                            webcall_encode(a, str_from(text_of(g, "client_secret")), false),
                            webcall_encode(a, str_from(text_of(g, "refresh_token")), false));
    }
    return bearer_fetch(&g->bearer, g->store.engine,
                        &(struct bearer_request){.url = url, .form = form, .shown = url}, e);
}

static int fetch_token(struct gs *g, struct err *e)
{
    struct arena a;
    int rc;
    arena_init(&a);
    if (g->account) {
        rc = fetch_for_account(g, &a, e);
    } else {
        const char *host = getenv("GCE_METADATA_HOST");
        const char *url =
            arena_printf(&a, "http://%s/computeMetadata/v1/instance/service-accounts/default/token",
                         host && *host ? host : "metadata.google.internal");
        rc = bearer_fetch(
            &g->bearer, g->store.engine,
            &(struct bearer_request){.url = url, .header = "Metadata-Flavor: Google", .shown = url},
            e);
        if (rc < 0) {
            err_append(e, "; there is no account file either: credentialpath, "
                          "GOOGLE_APPLICATION_CREDENTIALS or `gcloud auth application-default "
                          "login` give one");
        }
    }
    arena_release(&a);
    return rc;
}

static int gs_sign(struct keystore *k, struct webcall *c, struct err *e)
{
    struct gs *g = k->own;
    if (g->anonymous) {
        return 0;
    }
    if (!bearer_good(&g->bearer) && fetch_token(g, e) < 0) {
        return -1;
    }
    bearer_add(&g->bearer, c);
    return 0;
}

static const char *gs_list_query(const struct keystore *k, struct arena *a, const char *prefix,
                                 const char *token)
{
    return arena_printf(a, "%s%s%sencoding-type=url&list-type=2&max-keys=1000&prefix=%s",
                        token[0] ? "continuation-token=" : "",
                        webcall_encode(a, str_from(token), false), token[0] ? "&" : "",
                        webcall_encode(a, str_from(prefix), false));
}

static const struct keystore_dialect dialect = {
    .parts = KEYSTORE_MULTIPART,
    .md5_answer = true,
    .names = &keylist_s3,
    .put_method = "PUT",
    .sign = gs_sign,
    .list_query = gs_list_query,
};

/* ---- opening ---- */

static const char *account_path(struct netremote *n)
{
    struct arena *a = netremote_arena(n);
    const char *path = netremote_setting(n, "credentialpath"), *home = getenv("HOME");
    const char *variable = getenv("GOOGLE_APPLICATION_CREDENTIALS");
    const char *usual =
        arena_printf(a, "%s/.config/gcloud/application_default_credentials.json", home ? home : "");
    path = path ? path : variable && *variable ? variable : NULL;
    return path ? path : fs_exists(usual) ? usual : NULL;
}

static int read_account(struct gs *g, struct netremote *n, struct err *e)
{
    static const char *const service[] = {"client_email", "private_key"};
    static const char *const user[] = {"client_id", "client_secret", "refresh_token"};
    g->account_path = account_path(n);
    if (!g->account_path) {
        return 0;
    }
    g->account = json_load(netremote_arena(n), g->account_path, e);
    if (!g->account) {
        return err_wrap(e, "cannot read the account file %s", g->account_path);
    }
    bool key = text_of(g, service[0]) && text_of(g, service[1]);
    bool refresh = text_of(g, user[0]) && text_of(g, user[1]) && text_of(g, user[2]);
    return key || refresh ? 0
                          : err_set(e, ERR_CONFIG,
                                    "%s: neither the key of a service account nor a user's "
                                    "refresh token; other kinds of account files are not built in",
                                    g->account_path);
}

static int gs_open(struct netremote *n, void **ctx, struct err *e)
{
    struct gs *g = xcalloc(1, sizeof(*g));
    struct arena *a = netremote_arena(n);
    const char *endpoint = netremote_setting(n, "endpointurl"), *bucket, *path;
    *ctx = g;
    g->anonymous = netremote_flag(n, "allow_anonymous_login", false);
    g->store = (struct keystore){.dialect = &dialect,
                                 .remote = n,
                                 .engine = netremote_engine(n),
                                 .shown = netremote_url(n),
                                 .own = g};
    if (netremote_bucket(n, &bucket, &g->store.prefix, e) < 0 ||
        (!g->anonymous && read_account(g, n, e) < 0)) {
        return -1;
    }
    endpoint = endpoint ? endpoint : "https://storage.googleapis.com";
    if (!webcall_split(a, endpoint, &g->store.origin, &path)) {
        return err_set(e, ERR_CONFIG,
                       "config file error: endpointurl is no URL of http or https: '%s'", endpoint);
    }
    g->store.bucket_path = arena_printf(a, "/%s", webcall_encode(a, str_from(bucket), false));
    return 0;
}

static void gs_close(void *ctx)
{
    struct gs *g = ctx;
    bearer_release(&g->bearer);
    free(g);
}

const struct netkind gs_netkind = {
    .scheme = "gs",
    .can = "LD",
    .open = gs_open,
    .has = keystore_has,
    .put = keystore_put,
    .get = keystore_get,
    .list = keystore_list,
    .remove = keystore_remove,
    .close = gs_close,
};
