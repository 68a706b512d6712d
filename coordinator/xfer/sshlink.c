/* sshlink: see sshlink.h. Sources: RFC 4252 and 4256, libssh 0.10. */
#include "sshlink.h"

#include "clock.h"
#include "log.h"
#include "str.h"

#include <libssh/libssh.h>

#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#define ROUNDS_MAX 8 /* of questions by the server */
/* The fast ones first. */
#define CIPHERS                                                                                    \
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,"              \
    "chacha20-poly1305@openssh.com"

void sshlink_init(struct sshlink *l, const struct sshlink_settings *s)
{
    *l = (struct sshlink){.settings = s, .fd = -1};
    pthread_mutex_init(&l->lock, NULL);
}

void sshlink_release(struct sshlink *l)
{
    sshlink_close(l);
    pthread_mutex_destroy(&l->lock);
}

/* ---- silence ---- */

static void set_watch(struct sshlink *l, int fd, int64_t deadline_us)
{
    pthread_mutex_lock(&l->lock);
    l->fd = fd;
    l->deadline_us = deadline_us;
    pthread_mutex_unlock(&l->lock);
}

void sshlink_stir(struct sshlink *l)
{
    set_watch(l, l->fd, clock_mono_us(&clock_system) + (int64_t)l->settings->idle_s * 1000000);
}

void sshlink_rest(struct sshlink *l)
{
    set_watch(l, l->fd, 0);
}

void sshlink_watch(struct sshlink *l, int64_t now_us)
{
    pthread_mutex_lock(&l->lock);
    if (l->fd >= 0 && l->deadline_us > 0 && now_us > l->deadline_us) {
        shutdown(l->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&l->lock);
}

void sshlink_cut(struct sshlink *l)
{
    sshlink_watch(l, INT64_MAX);
}

/* `e`: what failed; hears how the command ended that leads there. */
static void close_link(struct sshlink *l, struct err *e)
{
    set_watch(l, -1, 0);
    if (l->sftp) {
        sftp_free(l->sftp);
    }
    if (l->session) {
        ssh_disconnect(l->session);
        ssh_free(l->session);
    }
    l->sftp = NULL;
    l->session = NULL;
    sshproxy_end(&l->proxy, l->settings->proxy, e);
}

void sshlink_close(struct sshlink *l)
{
    close_link(l, NULL);
}

/* ---- failures ---- */

bool sshlink_is_missing(const struct sshlink *l)
{
    int code = sftp_get_error(l->sftp);
    return code == SSH_FX_NO_SUCH_FILE || code == SSH_FX_NO_SUCH_PATH;
}

static const char *status_text(int code)
{
    switch (code) {
    case SSH_FX_NO_SUCH_FILE:
    case SSH_FX_NO_SUCH_PATH:
        return "no such file or folder";
    case SSH_FX_PERMISSION_DENIED:
        return "permission denied";
    case SSH_FX_OP_UNSUPPORTED:
        return "the server cannot do that";
    case SSH_FX_FILE_ALREADY_EXISTS:
        return "there is something of that name already";
    case SSH_FX_WRITE_PROTECT:
        return "the file system is read-only";
    case SSH_FX_EOF:
        return "the file ended early";
    default:
        return "the server failed (is its disk full, or a quota used up?)";
    }
}

/* What the library or the server say, without what terminals obey. */
static int say_lost(const struct sshlink *l, struct err *e, const char *what)
{
    char text[256];
    snprintf(text, sizeof(text), "%s", l->session ? ssh_get_error(l->session) : "");
    for (char *p = text; *p; p++) {
        *p = (unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f ? '?' : *p;
    }
    return err_set(e, ERR_REMOTE, "%s: %s%s%s%s", l->settings->shown, what, text[0] ? " (" : "",
                   text, text[0] ? ")" : "");
}

int sshlink_failed(struct sshlink *l, struct err *e, const char *what, const char *path)
{
    int code = sftp_get_error(l->sftp);
    bool lost = code == SSH_FX_OK || code == SSH_FX_NO_CONNECTION || code == SSH_FX_BAD_MESSAGE ||
                code == SSH_FX_CONNECTION_LOST || !ssh_is_connected(l->session);
    if (lost) {
        l->broken = true;
        return say_lost(l, e, "the connection broke");
    }
    enum err_code as = sshlink_is_missing(l) ? ERR_MISSING : ERR_REMOTE;
    return err_set(e, as, "%s: cannot %s '%s': %s", l->settings->shown, what, path,
                   status_text(code));
}

/* ---- the host's key ---- */

static const char *fingerprint(ssh_session session, char *out, size_t size)
{
    ssh_key key = NULL;
    unsigned char *hash = NULL;
    size_t n = 0;
    snprintf(out, size, "unknown");
    if (ssh_get_server_publickey(session, &key) == SSH_OK &&
        ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &n) == 0) {
        char *text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, n);
        snprintf(out, size, "%s key %s", ssh_key_type_to_char(ssh_key_type(key)), text ? text : "");
        ssh_string_free_char(text);
        ssh_clean_pubkey_hash(&hash);
    }
    ssh_key_free(key);
    return out;
}

static int meet_stranger(const struct sshlink *l, const char *key, struct err *e)
{
    static atomic_bool warned;
    if (l->settings->strict) {
        return err_set(e, ERR_REMOTE,
                       "%s: the host is not in known_hosts (it shows the %s), and "
                       "StrictHostKeyChecking is on; connect once by ssh to make it known",
                       l->settings->shown, key);
    }
    if (!atomic_exchange(&warned, true)) {
        log_warn("ssh", "%s is not in known_hosts; trusting its %s", l->settings->shown, key);
    }
    return 0;
}

static int check_host(struct sshlink *l, struct err *e)
{
    char key[128];
    fingerprint(l->session, key, sizeof(key));
    switch (ssh_session_is_known_server(l->session)) {
    case SSH_KNOWN_HOSTS_OK:
        return 0;
    case SSH_KNOWN_HOSTS_UNKNOWN:
    case SSH_KNOWN_HOSTS_NOT_FOUND:
        return meet_stranger(l, key, e);
    case SSH_KNOWN_HOSTS_CHANGED:
    case SSH_KNOWN_HOSTS_OTHER:
        return err_set(e, ERR_REMOTE,
                       "%s: the host's key is not the one in known_hosts, somebody may stand "
                       "between; it shows the %s; if the host was set up anew, remove its old key "
                       "by 'ssh-keygen -R'",
                       l->settings->shown, key);
    case SSH_KNOWN_HOSTS_ERROR:
        break;
    }
    return err_set(e, ERR_CONFIG, "%s: known_hosts cannot be read", l->settings->shown);
}

/* ---- who we are ---- */

struct proof {
    struct sshlink *link;
    struct strbuf tried; /* ", the key x, the agent's keys" */
    bool locked;         /* a key was passed over that needs a passphrase */
    int rc;              /* the last SSH_AUTH_… */
};

static bool is_over(const struct proof *p)
{
    return p->rc == SSH_AUTH_SUCCESS || p->rc == SSH_AUTH_ERROR;
}

/* Asked for a passphrase that nobody gave. */
static int no_passphrase(const char *prompt, char *buf, size_t n, int echo, int verify, void *ctx)
{
    (void)prompt, (void)echo, (void)verify;
    if (n > 0) {
        buf[0] = '\0';
    }
    *(bool *)ctx = true;
    return -1;
}

/* 1: the key is there and was shown; 0: there is none; -1: it cannot be used. */
static int show_key(struct proof *p, const char *path)
{
    const struct sshlink_settings *s = p->link->settings;
    ssh_key key = NULL;
    bool locked = false;
    int rc = ssh_pki_import_privkey_file(path, s->passphrase, no_passphrase, &locked, &key);
    if (rc != SSH_OK) {
        p->locked = p->locked || locked || (rc != SSH_EOF && s->passphrase);
        return rc == SSH_EOF ? 0 : -1;
    }
    p->rc = ssh_userauth_publickey(p->link->session, s->user, key);
    ssh_key_free(key);
    strbuf_addf(&p->tried, ", the key %s", path);
    return 1;
}

static int show_configured_key(struct proof *p, struct err *e)
{
    const struct sshlink_settings *s = p->link->settings;
    int rc = show_key(p, s->keyfile);
    if (rc > 0) {
        return 0;
    }
    const char *why =
        rc == 0      ? "cannot be read"
        : !p->locked ? "is no private key that can be used"
        : s->passphrase
            ? "cannot be opened: is the passphrase right?"
            : "needs a passphrase: set 'passphrase' or 'ask_passphrase', or use an agent";
    return err_set(e, ERR_CONFIG, "config file error: keyfile '%s' %s", s->keyfile, why);
}

static void show_agent(struct proof *p)
{
    p->rc = ssh_userauth_agent(p->link->session, p->link->settings->user);
    strbuf_adds(&p->tried, ", the agent's keys");
}

static void show_own_keys(struct proof *p)
{
    const struct sshlink_settings *s = p->link->settings;
    if (s->agent && !s->agent_last) {
        show_agent(p);
    }
    for (size_t i = 0; i < s->identity_count && !is_over(p); i++) {
        show_key(p, s->identities[i]);
    }
    if (s->agent && s->agent_last && !is_over(p)) {
        show_agent(p);
    }
}

/* The server's own questions; the password answers those that want no echo. */
static int answer_questions(ssh_session session, const struct sshlink_settings *s)
{
    int rc = ssh_userauth_kbdint(session, s->user, NULL);
    for (int round = 0; rc == SSH_AUTH_INFO && round < ROUNDS_MAX; round++) {
        int n = ssh_userauth_kbdint_getnprompts(session);
        for (int i = 0; i < n; i++) {
            char echo = 0;
            ssh_userauth_kbdint_getprompt(session, (unsigned)i, &echo);
            ssh_userauth_kbdint_setanswer(session, (unsigned)i, echo ? "" : s->password);
        }
        rc = ssh_userauth_kbdint(session, s->user, NULL);
    }
    return rc == SSH_AUTH_INFO ? SSH_AUTH_DENIED : rc;
}

static void say_password(struct proof *p)
{
    const struct sshlink_settings *s = p->link->settings;
    ssh_session session = p->link->session;
    int methods = ssh_userauth_list(session, NULL);
    strbuf_adds(&p->tried, ", the password");
    if (methods & SSH_AUTH_METHOD_INTERACTIVE) {
        p->rc = answer_questions(session, s);
    }
    if (!is_over(p) && (methods & SSH_AUTH_METHOD_PASSWORD)) {
        p->rc = ssh_userauth_password(session, s->user, s->password);
    }
}

static int show_all(struct proof *p, struct err *e)
{
    const struct sshlink_settings *s = p->link->settings;
    p->rc = ssh_userauth_none(p->link->session, s->user);
    if (is_over(p)) {
        return 0;
    }
    if (s->keyfile && show_configured_key(p, e) < 0) {
        return -1;
    }
    if (!s->keyfile && s->keys) {
        show_own_keys(p);
    }
    if (s->password && !is_over(p)) {
        say_password(p);
    }
    return 0;
}

static int authenticate(struct sshlink *l, bool *again, struct err *e)
{
    struct proof p = {.link = l};
    strbuf_init(&p.tried);
    int rc = show_all(&p, e);
    if (rc == 0 && p.rc != SSH_AUTH_SUCCESS) {
        *again = p.rc == SSH_AUTH_ERROR && p.tried.n == 0;
        rc =
            *again
                ? say_lost(l, e, "the connection broke before the login")
                : err_set(e, ERR_REMOTE, "%s: permission denied; tried%s%s%s", l->settings->shown,
                          p.tried.n ? p.tried.p + 1 : " nothing, no key was found",
                          p.locked ? "; a key was passed over that needs a (right) passphrase" : "",
                          "; look at 'user', 'keyfile' and 'password' of the remote");
    }
    strbuf_release(&p.tried);
    return rc;
}

/* ---- opening ---- */

static int set_options(ssh_session session, const struct sshlink_settings *s, struct err *e)
{
    const bool own_config = false;
    const int nodelay = 1;
    const struct {
        enum ssh_options_e option;
        const void *value;
    } options[] = {
        {SSH_OPTIONS_PROCESS_CONFIG, &own_config},
        {SSH_OPTIONS_SSH_DIR, s->ssh_dir},
        {SSH_OPTIONS_HOST, s->address},
        {SSH_OPTIONS_PORT, &s->port},
        {SSH_OPTIONS_USER, s->user},
        {SSH_OPTIONS_TIMEOUT, &s->connect_s},
        {SSH_OPTIONS_CIPHERS_C_S, CIPHERS},
        {SSH_OPTIONS_CIPHERS_S_C, CIPHERS},
        {SSH_OPTIONS_COMPRESSION, "no"},
        {SSH_OPTIONS_NODELAY, &nodelay},
        {SSH_OPTIONS_KNOWNHOSTS, s->known_hosts},
        {SSH_OPTIONS_IDENTITY_AGENT, s->agent_socket},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (options[i].value && ssh_options_set(session, options[i].option, options[i].value) < 0) {
            return err_set(e, ERR_CONFIG, "%s: host, port or user cannot be used", s->shown);
        }
    }
    return 0;
}

static int open_sftp(struct sshlink *l, bool *again, struct err *e)
{
    l->sftp = sftp_new(l->session);
    if (!l->sftp || sftp_init(l->sftp) != SSH_OK) {
        *again = true;
        return say_lost(l, e, "the server offers no sftp, or no more of it");
    }
    return 0;
}

/* Gives libssh the socket of the command; it closes it. */
static int start_proxy(struct sshlink *l, struct err *e)
{
    int fd;
    if (!l->settings->proxy) {
        return 0;
    }
    if (sshproxy_start(&l->proxy, l->settings->proxy, &fd, e) < 0) {
        return err_wrap(e, "%s", l->settings->shown);
    }
    if (ssh_options_set(l->session, SSH_OPTIONS_FD, &fd) < 0) {
        BUG("libssh takes no socket");
    }
    return 0;
}

int sshlink_open(struct sshlink *l, bool *again, struct err *e)
{
    *again = false;
    l->broken = false;
    l->session = ssh_new();
    if (!l->session) {
        BUG("libssh gives no session");
    }
    int rc = set_options(l->session, l->settings, e);
    rc = rc == 0 ? start_proxy(l, e) : rc;
    if (rc == 0 && ssh_connect(l->session) != SSH_OK) {
        *again = true;
        rc = say_lost(l, e, "cannot connect");
    }
    if (rc == 0) {
        set_watch(l, ssh_get_fd(l->session), 0);
        sshlink_stir(l);
        rc = check_host(l, e);
    }
    if (rc == 0) {
        rc = authenticate(l, again, e);
    }
    if (rc == 0) {
        rc = open_sftp(l, again, e);
    }
    if (rc < 0) {
        close_link(l, e);
    }
    return rc;
}
