/*
 * Remotes by ssh:// with the settings of dvc-ssh. What the remote does not set comes from
 * ~/.ssh/config, as for ssh.
 */
#include "alloc.h"
#include "fs.h"
#include "keylist.h"
#include "keystore.h"
#include "netremote.h"
#include "num.h"
#include "path.h"
#include "proc.h"
#include "sftpfile.h"
#include "sftplist.h"
#include "sftppool.h"
#include "source.h"
#include "sshconfig.h"

#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SESSIONS 10     /* of dvc-ssh, which keeps some for itself */
#define SESSIONS_KEPT 2 /* these */
#define SESSIONS_MAX 66
#define CONNECT_S 10
#define IDLE_S 60

struct sftpremote {
    struct netremote *remote;
    struct sftppool *pool;
    struct sshlink_settings link;
    const char *base; /* the path of the URL */
    const char *host; /* as the URL has it */
    const char *home;
};

/* ---- the URL ---- */

static void take_userinfo(struct sftpremote *s, struct arena *a, struct str info)
{
    struct str user;
    str_split(&info, ':', &user);
    if (user.n > 0) {
        s->link.user = keylist_decode(a, user, false).p;
    }
    if (info.p && info.n > 0) {
        s->link.password = keylist_decode(a, info, false).p;
    }
}

static int take_port(struct sftpremote *s, struct str text, struct err *e)
{
    int64_t port = 0;
    if (!num_parse_int(text, &port) || port < 1 || port > 65535) {
        return err_set(e, ERR_CONFIG, "config file error: a port must be 1 to 65535, found '%.*s'",
                       (int)(text.n < 40 ? text.n : 40), text.p);
    }
    s->link.port = (unsigned)port;
    return 0;
}

/* "host:port", "[::1]:port". */
static int take_host(struct sftpremote *s, struct arena *a, struct str all, struct err *e)
{
    const char *end = str_starts(all, "[") ? memchr(all.p, ']', all.n) : NULL;
    size_t n = end ? (size_t)(end - all.p) + 1 : 0;
    while (!end && n < all.n && all.p[n] != ':') {
        n++;
    }
    s->host = end ? arena_strndup(a, all.p + 1, n - 2) : arena_strndup(a, all.p, n);
    if (n < all.n && all.p[n] != ':') {
        s->host = ""; /* "[::1]x" is none */
    }
    return n < all.n ? take_port(s, str_sub(all, n + 1, all.n), e) : 0;
}

/* "user:password@host:port/path". */
static int take_url(struct sftpremote *s, struct arena *a, const char *url, struct err *e)
{
    const char *from = strstr(url, "://") + 3;
    struct str all = {from, strcspn(from, "/")};
    s->base = from[all.n] ? from + all.n : ".";
    for (size_t i = all.n; i > 0; i--) {
        if (all.p[i - 1] == '@') {
            take_userinfo(s, a, str_sub(all, 0, i - 1));
            all = str_sub(all, i, all.n);
            break;
        }
    }
    return take_host(s, a, all, e);
}

static bool is_host(const char *host)
{
    for (const char *p = host; *p; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || strchr("@/\\'\"`$;|<>", *p)) {
            return false;
        }
    }
    return host[0] != '\0' && host[0] != '-';
}

/* ---- settings ---- */

/* Files of Include, below ~/.ssh when they do not say otherwise. */
static int read_included(void *ctx, const char *pattern, sshconfig_text_fn *take, void *take_ctx,
                         struct err *e)
{
    struct sftpremote *s = ctx;
    struct arena *a = netremote_arena(s->remote);
    const char *all = pattern[0] == '/' ? pattern
                      : strncmp(pattern, "~/", 2) == 0
                          ? arena_printf(a, "%s%s", s->home, pattern + 1)
                          : arena_printf(a, "%s/%s", s->link.ssh_dir, pattern);
    glob_t found;
    int rc = glob(all, 0, NULL, &found);
    if (rc != 0) {
        return rc == GLOB_NOMATCH ? 0 : err_set(e, ERR_IO, "Include: cannot look for '%s'", all);
    }
    for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
        struct strbuf text;
        strbuf_init(&text);
        if (fs_is_file(found.gl_pathv[i])) {
            rc = fs_read(found.gl_pathv[i], SSHCONFIG_BYTES_MAX, &text, e);
            rc = rc == 0 ? take(take_ctx, found.gl_pathv[i], strbuf_str(&text), e) : rc;
        }
        strbuf_release(&text);
    }
    globfree(&found);
    return rc;
}

static int read_ssh_config(struct sftpremote *s, struct arena *a, struct sshconfig *c,
                           struct err *e)
{
    const char *path = arena_printf(a, "%s/config", s->link.ssh_dir);
    const struct sshconfig_files files = {.read = read_included, .ctx = s};
    struct strbuf text;
    strbuf_init(&text);
    *c = (struct sshconfig){0};
    int rc = 0;
    if (fs_is_file(path) && (fs_read(path, SSHCONFIG_BYTES_MAX, &text, e) < 0 ||
                             sshconfig_parse(a, strbuf_str(&text), s->host, &files, c, e) < 0)) {
        rc = err_wrap(e, "%s", path);
    }
    strbuf_release(&text);
    return rc;
}

static const char *expand(const struct sftpremote *s, const char *path)
{
    struct arena *a = netremote_arena(s->remote);
    const char *out = sshconfig_expand(a, path, s->home, s->link.address, s->link.user);
    return out ? out : path;
}

/* Keys to look for when none is configured. */
static void take_identities(struct sftpremote *s, const struct sshconfig *c)
{
    static const char *const usual[] = {"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"};
    struct arena *a = netremote_arena(s->remote);
    const char *const *names = c->identity_count > 0 ? c->identities : usual;
    size_t n = c->identity_count > 0 ? c->identity_count : ARRAY_SIZE(usual);
    const char **paths = ARENA_ARRAY(a, n, const char *);
    for (size_t i = 0; i < n; i++) {
        paths[i] = expand(s, names[i]);
    }
    s->link.identities = paths;
    s->link.identity_count = n;
}

static const char *ask(const struct sftpremote *s, const char *what)
{
    struct arena *a = netremote_arena(s->remote);
    const char *typed = getpass(
        arena_printf(a, "Enter a %s for %s@%s:%u:\n", what, s->link.user, s->host, s->link.port));
    return typed ? arena_strdup(a, typed) : NULL;
}

static void take_secrets(struct sftpremote *s)
{
    struct sshlink_settings *l = &s->link;
    const struct netremote *n = s->remote;
    const char *password = netremote_setting(n, "password");
    l->password = password ? password : l->password;
    l->passphrase = netremote_setting(n, "passphrase");
    if (!l->password && netremote_flag(n, "ask_password", false)) {
        l->password = ask(s, "password");
    }
    if (!l->passphrase && netremote_flag(n, "ask_passphrase", false)) {
        l->passphrase = ask(s, "passphrase");
    }
    const char *keyfile = netremote_setting(n, "keyfile");
    l->keyfile = keyfile ? expand(s, keyfile) : NULL;
    l->keys = l->passphrase || !l->password;
}

static void take_agent(struct sftpremote *s, const struct sshconfig *c)
{
    struct sshlink_settings *l = &s->link;
    bool usual = !c->agent || strcmp(c->agent, "SSH_AUTH_SOCK") == 0;
    bool none = usual ? !getenv("SSH_AUTH_SOCK") : strcmp(c->agent, "none") == 0;
    l->agent_socket = usual || none ? NULL : expand(s, c->agent);
    l->agent = !none && netremote_flag(s->remote, "allow_agent", true);
    l->agent_last = c->identities_only; /* for those of the files that need a passphrase */
}

static void take_ssh_config(struct sftpremote *s, const struct sshconfig *c)
{
    struct sshlink_settings *l = &s->link;
    const char *user = netremote_setting(s->remote, "user");
    l->user = user ? user : l->user ? l->user : c->user ? c->user : proc_user_name();
    l->address = c->hostname ? c->hostname : s->host;
    l->port = l->port ? l->port : c->port ? c->port : 22;
    l->known_hosts = c->known_hosts ? expand(s, c->known_hosts) : NULL;
    l->strict = c->strict;
    take_agent(s, c);
    take_identities(s, c);
}

static int take_proxy(struct sftpremote *s, const struct sshconfig *c, struct err *e)
{
    struct arena *a = netremote_arena(s->remote);
    const struct sshproxy_target t = {
        .host = s->link.address, .typed = s->host, .user = s->link.user, .port = s->link.port};
    if (!c->proxy_command && !c->proxy_jump) {
        return 0;
    }
    s->link.proxy = c->proxy_jump ? sshproxy_jump(a, c->proxy_jump, &t, e)
                                  : sshproxy_command(a, c->proxy_command, &t, e);
    return s->link.proxy ? 0 : err_wrap(e, "%s/config", s->link.ssh_dir);
}

static int take_numbers(struct sftpremote *s, struct err *e)
{
    const char *port = netremote_setting(s->remote, "port");
    const char *timeout = netremote_setting(s->remote, "timeout");
    int64_t seconds = IDLE_S;
    if (port && take_port(s, str_from(port), e) < 0) {
        return -1;
    }
    if (timeout && (!num_parse_int(str_from(timeout), &seconds) || seconds < 1)) {
        return err_set(e, ERR_CONFIG,
                       "config file error: 'timeout' must be seconds, at least 1, found '%s'",
                       timeout);
    }
    seconds = seconds < 86400 ? seconds : 86400;
    s->link.idle_s = (long)seconds;
    s->link.connect_s = seconds < CONNECT_S ? (long)seconds : CONNECT_S;
    return 0;
}

static int take_settings(struct sftpremote *s, struct err *e)
{
    struct arena *a = netremote_arena(s->remote);
    const char *host = netremote_setting(s->remote, "host");
    struct sshconfig config;
    if (netremote_flag(s->remote, "gss_auth", false)) {
        return err_set(e, ERR_CONFIG,
                       "config file error: 'gss_auth' (Kerberos) is not built in; use a key");
    }
    if (take_url(s, a, netremote_url(s->remote), e) < 0 || take_numbers(s, e) < 0) {
        return -1;
    }
    s->host = host && *host ? host : s->host;
    if (!is_host(s->host)) {
        return err_set(e, ERR_CONFIG, "config file error: %s names no host",
                       source_redact(a, netremote_url(s->remote)));
    }
    if (read_ssh_config(s, a, &config, e) < 0) {
        return -1;
    }
    take_ssh_config(s, &config);
    s->link.shown = arena_printf(a, "ssh://%s@%s:%u", s->link.user, s->host, s->link.port);
    take_secrets(s);
    return take_proxy(s, &config, e);
}

/* DVC's channels are our connections. */
static size_t connections(const struct sftpremote *s, struct err *e)
{
    const char *text = netremote_setting(s->remote, "max_sessions");
    int64_t sessions = SESSIONS;
    if (text && (!num_parse_int(str_from(text), &sessions) || sessions <= SESSIONS_KEPT)) {
        err_set(e, ERR_CONFIG, "config file error: max_sessions must be greater than %d",
                SESSIONS_KEPT);
        return 0;
    }
    return (size_t)(sessions < SESSIONS_MAX ? sessions : SESSIONS_MAX) - SESSIONS_KEPT;
}

static int sftp_open_remote(struct netremote *n, void **ctx, struct err *e)
{
    struct sftpremote *s = xcalloc(1, sizeof(*s));
    const char *home = getenv("HOME");
    *ctx = s;
    s->remote = n;
    s->home = home && *home ? home : "/nonexistent";
    s->link.ssh_dir = arena_printf(netremote_arena(n), "%s/.ssh", s->home);
    size_t most = 0;
    if (take_settings(s, e) < 0 || (most = connections(s, e)) == 0) {
        return -1;
    }
    s->pool = sftppool_new(&(struct sftppool_options){.remote = n,
                                                      .settings = &s->link,
                                                      .connections = most,
                                                      .retry_ms = netremote_retry_ms(n)},
                           e);
    return s->pool ? 0 : -1;
}

static void sftp_close_remote(void *ctx)
{
    struct sftpremote *s = ctx;
    if (s->pool) {
        sftppool_free(s->pool);
    }
    free(s);
}

/* ---- requests ---- */

static const char *far_path(const struct sftpremote *s, struct netop *op)
{
    return sftplist_join(&op->arena, s->base, netop_path(op));
}

static int do_has(void *ctx, struct sshlink *l, struct netop *op, void *state, struct err *e)
{
    struct sftpfile_facts f;
    int rc = sftpfile_stat(l, far_path(ctx, op), &f, e);
    (void)state;
    if (rc < 0) {
        return -1;
    }
    bool there = rc == 1 && f.is_file;
    frame_adds(&op->reply, there ? "1" : "0");
    if (there) {
        frame_add_u64(&op->reply, f.size);
        frame_adds(&op->reply, "");
    }
    return 0;
}

static int do_put(void *ctx, struct sshlink *l, struct netop *op, void *state, struct err *e)
{
    char md5[33];
    bool named = keystore_path_md5(netop_path(op), md5);
    const struct sftpfile_upload u = {.local = frame_field(&op->request, 1),
                                      .path = far_path(ctx, op),
                                      .md5 = named ? md5 : NULL,
                                      .moved = sftppool_moved,
                                      .ctx = op};
    (void)state;
    return sftpfile_put(l, &u, e);
}

static int do_get(void *ctx, struct sshlink *l, struct netop *op, void *state, struct err *e)
{
    struct sftpfile_download *d = state;
    d->local = frame_field(&op->request, 1);
    d->path = far_path(ctx, op);
    d->moved = sftppool_moved;
    d->ctx = op;
    int how = O_RDWR | O_CREAT | O_CLOEXEC | (d->saved > 0 ? 0 : O_TRUNC);
    d->fd = open(d->local, how, 0600);
    if (d->fd < 0) {
        return err_sys(e, "cannot write '%s'", d->local);
    }
    int rc = sftpfile_get(l, d, e);
    if (close(d->fd) < 0 && rc == 0) {
        rc = err_sys(e, "cannot write '%s'", d->local);
    }
    return rc;
}

static void skip_moved(void *op, uint64_t bytes)
{
    (void)op, (void)bytes;
}

static int do_md5(void *ctx, struct sshlink *l, struct netop *op, void *state, struct err *e)
{
    struct digest digest;
    char md5[DIGEST_HEX_SIZE];
    struct sftpfile_download d = {
        .path = far_path(ctx, op), .fd = -1, .digest = &digest, .moved = skip_moved};
    (void)state;
    if (sftpfile_get(l, &d, e) < 0) {
        return -1;
    }
    digest_final(&digest, md5);
    frame_adds(&op->reply, md5);
    return 0;
}

static void add_listed(void *ctx, const char *path, uint64_t size)
{
    struct netop *op = ctx;
    frame_adds(&op->reply, path);
    frame_add_u64(&op->reply, size);
    frame_adds(&op->reply, "");
}

/* The next token stands first, and is known last: names are put behind it. */
static int do_list(void *ctx, struct sshlink *l, struct netop *op, void *state, struct err *e)
{
    const struct sftpremote *s = ctx;
    const char *next = "";
    struct strbuf reply = op->reply, names;
    (void)state;
    strbuf_init(&op->reply);
    const struct sftplist list = {.base = s->base,
                                  .prefix = netop_path(op),
                                  .token = frame_field(&op->request, 1),
                                  .fn = add_listed,
                                  .ctx = op};
    int rc = sftplist_page(l, &op->arena, &list, &next, e);
    names = op->reply;
    op->reply = reply;
    frame_adds(&op->reply, next);
    strbuf_add(&op->reply, names.p, names.n);
    strbuf_release(&names);
    return rc;
}

static int do_remove(void *ctx, struct sshlink *l, struct netop *op, void *state, struct err *e)
{
    const struct sftpremote *s = ctx;
    size_t *done = state; /* a new connection goes on behind these */
    for (; *done < op->request.count; ++*done) {
        const char *path = sftplist_join(&op->arena, s->base, op->request.fields[*done].p);
        if (sftpfile_remove(l, path, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static void sftp_has(void *ctx, struct netop *op)
{
    sftppool_start(((struct sftpremote *)ctx)->pool, op, do_has, ctx, 0);
}

static void sftp_put(void *ctx, struct netop *op)
{
    sftppool_start(((struct sftpremote *)ctx)->pool, op, do_put, ctx, 0);
}

static void sftp_get(void *ctx, struct netop *op)
{
    sftppool_start(((struct sftpremote *)ctx)->pool, op, do_get, ctx,
                   sizeof(struct sftpfile_download));
}

static void sftp_md5(void *ctx, struct netop *op)
{
    sftppool_start(((struct sftpremote *)ctx)->pool, op, do_md5, ctx, 0);
}

static void sftp_list(void *ctx, struct netop *op)
{
    sftppool_start(((struct sftpremote *)ctx)->pool, op, do_list, ctx, 0);
}

static void sftp_remove(void *ctx, struct netop *op)
{
    sftppool_start(((struct sftpremote *)ctx)->pool, op, do_remove, ctx, sizeof(size_t));
}

const struct netkind sftpremote_netkind = {
    .scheme = "ssh",
    .can = "LD",
    .open = sftp_open_remote,
    .has = sftp_has,
    .put = sftp_put,
    .get = sftp_get,
    .list = sftp_list,
    .remove = sftp_remove,
    .md5 = sftp_md5,
    .close = sftp_close_remote,
};
