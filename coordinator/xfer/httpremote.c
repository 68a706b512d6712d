/*
 * Remotes on a web server: http:// and https:// with the settings of dvc-http. HEAD and GET read,
 * POST (or `method`) writes; nothing can be listed or deleted, so there is no run cache and no gc.
 */
#include "alloc.h"
#include "httpfacts.h"
#include "keystore.h"
#include "signing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum auth { AUTH_NONE, AUTH_BASIC, AUTH_DIGEST, AUTH_CUSTOM };

struct httpremote {
    struct keystore store;
    struct keystore_dialect dialect;
    enum auth auth;
    const char *user, *password, *header;
};

static int http_sign(struct keystore *k, struct webcall *c, struct err *e)
{
    const struct httpremote *h = k->own;
    if (c->elsewhere) {
        return 0;
    }
    if (h->auth == AUTH_BASIC) {
        const char *both = arena_printf(&c->arena, "%s:%s", h->user, h->password);
        webcall_header(c, "Authorization: Basic %s", signing_base64(&c->arena, both, strlen(both)));
    } else if (h->auth == AUTH_CUSTOM) {
        webcall_header(c, "%s: %s", h->header, h->password);
    } else if (h->auth == AUTH_DIGEST) {
        c->digest_user = h->user;
        c->digest_password = h->password;
    }
    return 0;
}

static const struct keystore_dialect dialect = {
    .parts = KEYSTORE_WHOLE,
    .follow = true,
    .put_method = "POST",
    .sign = http_sign,
};

/* ---- settings ---- */

/* "user:password@" of a URL. */
static void take_userinfo(struct httpremote *h, struct arena *a, const char *url)
{
    const char *host = strstr(url, "://") + 3, *at = NULL;
    for (const char *p = host; p < host + strcspn(host, "/?#"); p++) {
        at = *p == '@' ? p : at;
    }
    if (!at || h->auth != AUTH_NONE) {
        return;
    }
    struct str rest = {host, (size_t)(at - host)}, user;
    str_split(&rest, ':', &user);
    h->user = keylist_decode(a, user, false).p;
    h->password = rest.p ? keylist_decode(a, rest, false).p : "";
    h->auth = AUTH_BASIC;
}

static const char *ask_password(struct httpremote *h, struct arena *a)
{
    const char *question = arena_printf(a, "Enter a password for host '%s' user '%s':\n",
                                        h->store.shown, h->user ? h->user : "custom");
    const char *typed = getpass(question);
    return typed ? arena_strdup(a, typed) : NULL;
}

/* What would end a header and begin another. */
static bool is_header_text(const char *text)
{
    return text[strcspn(text, "\r\n")] == '\0';
}

static int take_auth(struct httpremote *h, struct err *e)
{
    static const char *const names[] = {"", "basic", "digest", "custom"};
    struct netremote *n = h->store.remote;
    const char *auth = netremote_setting(n, "auth");
    for (size_t i = 0; auth && i < ARRAY_SIZE(names); i++) {
        h->auth = strcasecmp(auth, names[i]) == 0 ? (enum auth)i : h->auth;
    }
    if (h->auth == AUTH_NONE) {
        return 0;
    }
    h->user = netremote_setting(n, "user");
    h->password = netremote_setting(n, "password");
    h->header = netremote_setting(n, "custom_auth_header");
    if (!h->password && netremote_flag(n, "ask_password", false)) {
        h->password = ask_password(h, netremote_arena(n));
    }
    const char *name = h->auth == AUTH_CUSTOM ? h->header : h->user;
    if (!name || !h->password) {
        return err_set(e, ERR_CONFIG, "HTTP '%s' authentication require both '%s' and 'password'",
                       names[h->auth], h->auth == AUTH_CUSTOM ? "custom_auth_header" : "user");
    }
    return is_header_text(name) && is_header_text(h->password)
               ? 0
               : err_set(e, ERR_CONFIG, "config file error: credentials have more than one line");
}

static int take_method(struct httpremote *h, struct err *e)
{
    const char *method = netremote_setting(h->store.remote, "method");
    if (!method) {
        return 0;
    }
    size_t n = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    if (n == 0 || method[n]) {
        return err_set(e, ERR_CONFIG, "config file error: '%s' is no method of HTTP", method);
    }
    h->dialect.put_method = method;
    return 0;
}

static int http_open(struct netremote *n, void **ctx, struct err *e)
{
    struct httpremote *h = xcalloc(1, sizeof(*h));
    struct arena *a = netremote_arena(n);
    const char *path;
    *ctx = h;
    h->dialect = dialect;
    h->store = (struct keystore){.dialect = &h->dialect,
                                 .remote = n,
                                 .engine = netremote_engine(n),
                                 .bucket_path = "",
                                 .prefix = "",
                                 .own = h};
    if (!webcall_split(a, netremote_url(n), &h->store.origin, &path)) {
        return err_set(e, ERR_CONFIG, "config file error: the remote's URL names no host");
    }
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/') {
        length--;
    }
    h->store.bucket_path = arena_strndup(a, path, length); /* as typed: encoded already */
    h->store.shown = arena_printf(a, "%s%s", h->store.origin, h->store.bucket_path);
    if (take_auth(h, e) < 0 || take_method(h, e) < 0) {
        return -1;
    }
    take_userinfo(h, a, netremote_url(n));
    return 0;
}

/* Objects of a cache are looked up by the thousand: HEAD says enough of them. */
static void http_has(void *ctx, struct netop *op)
{
    char md5[33];
    if (keystore_path_md5(netop_path(op), md5)) {
        keystore_has(ctx, op);
    } else {
        httpfacts_has(ctx, op);
    }
}

static void http_close(void *ctx)
{
    free(ctx);
}

#define KIND(name)                                                                                 \
    {                                                                                              \
        .scheme = (name), .can = "", .open = http_open, .has = http_has, .put = keystore_put,      \
        .get = keystore_get, .close = http_close                                                   \
    }

const struct netkind httpremote_netkind = KIND("http");
const struct netkind httpremote_netkind_tls = KIND("https");
