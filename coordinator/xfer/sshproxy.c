/* sshproxy: see sshproxy.h. Source: ssh_config(5), ssh(1) of OpenSSH 9.2. */
#include "sshproxy.h"

#include "clock.h"
#include "err.h"
#include "num.h"
#include "str.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOPS_MAX 16
#define LINGER_US 200000 /* for a command that failed to say so */
#define GENTLE_US 2000000

/* ---- what may stand in a command ---- */

/* The URL may come from a repository that somebody else wrote, so nothing that a shell or ssh would obey. */
static bool is_plain(const char *text, const char *also)
{
    for (const char *p = text; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr(also, *p)) {
            return false;
        }
    }
    return text[0] != '\0' && text[0] != '-';
}

static bool is_plain_host(const char *host)
{
    return is_plain(host, "._-:%");
}

static int check_target(const struct sshproxy_target *t, struct err *e)
{
    const char *bad = !is_plain_host(t->host)       ? t->host
                      : !is_plain_host(t->typed)    ? t->typed
                      : !is_plain(t->user, "._-+@") ? t->user
                                                    : NULL;
    return bad ? err_set(e, ERR_CONFIG, "'%s' has characters that must not come into a command",
                         bad)
               : 0;
}

/* ---- commands ---- */

static int expand(struct strbuf *out, const char *text, const struct sshproxy_target *t,
                  struct err *e)
{
    for (const char *p = text; *p; p++) {
        if (*p != '%') {
            strbuf_addch(out, *p);
            continue;
        }
        switch (*++p) {
        case 'h':
            strbuf_adds(out, t->host);
            break;
        case 'n':
            strbuf_adds(out, t->typed);
            break;
        case 'p':
            strbuf_addf(out, "%u", t->port);
            break;
        case 'r':
            strbuf_adds(out, t->user);
            break;
        case '%':
            strbuf_addch(out, '%');
            break;
        default:
            return err_set(e, ERR_CONFIG, "ProxyCommand: '%%%.1s' is not understood here", p);
        }
    }
    return 0;
}

const char *const *sshproxy_command(struct arena *a, const char *text,
                                    const struct sshproxy_target *t, struct err *e)
{
    struct strbuf line;
    strbuf_init(&line);
    strbuf_adds(&line, "exec ");
    const char **argv = NULL;
    if (check_target(t, e) == 0 && expand(&line, text, t, e) == 0) {
        argv = ARENA_ARRAY(a, 4, const char *);
        argv[0] = "/bin/sh";
        argv[1] = "-c";
        argv[2] = arena_strndup(a, line.p, line.n);
        argv[3] = NULL;
    }
    strbuf_release(&line);
    return argv;
}

/* "[ssh://][user@]host[:port]" */
struct hop {
    const char *user, *host, *port; /* user, port may be NULL */
};

static int parse_hop(struct arena *a, struct str text, struct hop *h, struct err *e)
{
    const char *shown = arena_str(a, text).p;
    if (str_starts(text, "ssh://")) {
        text = str_sub(text, 6, text.n);
    }
    *h = (struct hop){0};
    for (size_t i = text.n; i > 0; i--) {
        if (text.p[i - 1] == '@') {
            h->user = arena_strndup(a, text.p, i - 1);
            text = str_sub(text, i, text.n);
            break;
        }
    }
    size_t n = 0, colons = 0;
    for (size_t i = 0; i < text.n; i++) {
        colons += text.p[i] == ':';
    }
    const char *end = str_starts(text, "[") ? memchr(text.p, ']', text.n) : NULL;
    if (end) {
        h->host = arena_strndup(a, text.p + 1, (size_t)(end - text.p) - 1);
        n = (size_t)(end - text.p) + 1;
    } else {
        while (n < text.n && (colons != 1 || text.p[n] != ':')) {
            n++;
        }
        h->host = arena_strndup(a, text.p, n);
    }
    if (n < text.n) {
        h->port = text.p[n] == ':' ? arena_strndup(a, text.p + n + 1, text.n - n - 1) : "";
    }
    int64_t port = 22;
    bool fine = is_plain_host(h->host) && (!h->user || is_plain(h->user, "._-+@")) &&
                (!h->port || (num_parse_int(str_from(h->port), &port) && port > 0 && port < 65536));
    return fine ? 0 : err_set(e, ERR_CONFIG, "ProxyJump: '%s' is no [user@]host[:port]", shown);
}

const char *const *sshproxy_jump(struct arena *a, const char *list, const struct sshproxy_target *t,
                                 struct err *e)
{
    struct str rest = str_from(list), text;
    struct hop last = {0};
    size_t hops = 0, n = 0, before = 0; /* length of all but the last */
    if (check_target(t, e) < 0) {
        return NULL;
    }
    while (rest.p && str_split(&rest, ',', &text)) {
        before = (size_t)(text.p - list);
        text = str_trim(text);
        if (++hops > HOPS_MAX) {
            err_set(e, ERR_LIMIT, "ProxyJump: more than %d hosts", HOPS_MAX);
            return NULL;
        }
        if (parse_hop(a, text, &last, e) < 0) {
            return NULL;
        }
    }
    const char **argv = ARENA_ARRAY(a, 16, const char *);
    argv[n++] = "ssh";
    if (hops > 1) {
        argv[n++] = "-J";
        argv[n++] = arena_strndup(a, list, before - 1);
    }
    if (last.user) {
        argv[n++] = "-l";
        argv[n++] = last.user;
    }
    if (last.port) {
        argv[n++] = "-p";
        argv[n++] = last.port;
    }
    bool bracket = strchr(t->host, ':') != NULL;
    argv[n++] = "-W";
    argv[n++] = arena_printf(a, bracket ? "[%s]:%u" : "%s:%u", t->host, t->port);
    argv[n++] = "--";
    argv[n++] = last.host;
    argv[n] = NULL;
    return argv;
}

/* ---- its life ---- */

/* How people know it: what the shell runs, or ssh's words. */
static void show(struct strbuf *out, const char *const *argv)
{
    if (strcmp(argv[0], "/bin/sh") == 0) {
        strbuf_adds(out, argv[2] + strlen("exec "));
        return;
    }
    for (size_t i = 0; argv[i]; i++) {
        strbuf_addf(out, "%s%s", i ? " " : "", argv[i]);
    }
}

int sshproxy_start(struct sshproxy *p, const char *const *argv, int *fd, struct err *e)
{
    int ends[2];
    struct err why = ERR_INIT;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        return err_sys(e, "cannot make a socket");
    }
    const struct proc_options opt = {.argv = argv, .stdin_fd = ends[1], .stdout_fd = ends[1]};
    int rc = proc_start(&p->proc, &opt, &why);
    close(ends[1]);
    if (rc < 0) {
        close(ends[0]);
        bool no_ssh = why.code == ERR_MISSING && strcmp(argv[0], "ssh") == 0;
        return err_set(e, ERR_REMOTE, "%s%s", why.text,
                       no_ssh ? "; ProxyJump needs the program ssh (Debian: openssh-client)" : "");
    }
    p->runs = true;
    *fd = ends[0];
    return 0;
}

/* Waits so long for its end. */
static bool ended(struct sshproxy *p, struct proc_status *st, int64_t us)
{
    int64_t until = clock_mono_us(&clock_system) + us;
    int rc;
    while ((rc = proc_poll(&p->proc, st, NULL)) == 0 && clock_mono_us(&clock_system) < until) {
        usleep(5000);
    }
    return rc != 0;
}

void sshproxy_end(struct sshproxy *p, const char *const *argv, struct err *e)
{
    struct proc_status st = {0};
    if (!p->runs) {
        return;
    }
    p->runs = false;
    if (e && ended(p, &st, LINGER_US)) {
        struct strbuf shown;
        strbuf_init(&shown);
        show(&shown, argv);
        err_append(e, "; the command '%s' ended with %s %d", shown.p,
                   st.exited ? "exit status" : "signal", st.code);
        strbuf_release(&shown);
        return;
    }
    proc_kill(&p->proc, SIGHUP);
    if (!ended(p, &st, GENTLE_US)) {
        proc_kill(&p->proc, SIGKILL);
        proc_wait(&p->proc, &st, NULL);
    }
}
