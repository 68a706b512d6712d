/* sshconfig: see sshconfig.h. Source: ssh_config(5) of OpenSSH 9.2. */
#include "sshconfig.h"

#include "err.h"
#include "num.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX 64

/* A line: a keyword and its words. */
struct line {
    size_t number;
    const char *keyword;
    const char *words[WORDS_MAX];
    size_t count;
};

struct reader {
    struct arena *arena;
    const char *host;
    struct sshconfig *out;
    bool applies; /* what comes now is for this host */
    const struct sshconfig_files *files;
    size_t depth, includes;
    bool has_proxy, has_only, has_strict;
};

/* ---- lines ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

static void skip_blanks(struct str *s)
{
    while (s->n > 0 && is_blank(s->p[0])) {
        *s = str_sub(*s, 1, s->n);
    }
}

/* One word, in double quotes or not. *word NULL: there is none. */
static int take_word(struct arena *a, struct str *rest, const char **word, struct err *e)
{
    skip_blanks(rest);
    *word = NULL;
    if (rest->n == 0 || rest->p[0] == '#') {
        return 0;
    }
    bool quoted = rest->p[0] == '"';
    size_t from = quoted, n = from;
    while (n < rest->n && (quoted ? rest->p[n] != '"' : !is_blank(rest->p[n]))) {
        n++;
    }
    if (quoted && n == rest->n) {
        return err_set(e, ERR_FORMAT, "a quote does not end");
    }
    *word = arena_strndup(a, rest->p + from, n - from);
    *rest = str_sub(*rest, n + quoted, rest->n);
    return 0;
}

static int take_words(struct arena *a, struct str rest, struct line *l, struct err *e)
{
    l->count = 0;
    for (;;) {
        const char *word;
        if (take_word(a, &rest, &word, e) < 0) {
            return -1;
        }
        if (!word) {
            return l->count > 0 ? 0 : err_set(e, ERR_FORMAT, "'%s' has no value", l->keyword);
        }
        if (l->count == WORDS_MAX) {
            return err_set(e, ERR_LIMIT, "'%s' has more than %d words", l->keyword, WORDS_MAX);
        }
        l->words[l->count++] = word;
    }
}

static int split_line(struct arena *a, struct str text, struct line *l, struct err *e)
{
    struct str rest = text;
    size_t n = 0;
    while (n < rest.n && !is_blank(rest.p[n]) && rest.p[n] != '=') {
        n++;
    }
    l->keyword = arena_strndup(a, rest.p, n);
    rest = str_sub(rest, n, rest.n);
    skip_blanks(&rest);
    rest = str_sub(rest, str_starts(rest, "="), rest.n);
    if (strcasecmp(l->keyword, "ProxyCommand") != 0) {
        return take_words(a, rest, l, e);
    }
    /* the shell takes it apart */
    rest = str_trim(rest);
    l->words[0] = arena_str(a, rest).p;
    l->count = 1;
    return rest.n > 0 ? 0 : err_set(e, ERR_FORMAT, "'%s' has no value", l->keyword);
}

/* ---- which host ---- */

static bool is_same(char pattern, char c)
{
    return pattern != '*' &&
           (pattern == '?' || tolower((unsigned char)pattern) == tolower((unsigned char)c));
}

bool sshconfig_matches(struct str pattern, struct str host)
{
    size_t p = 0, h = 0, star = pattern.n, back = 0;
    while (h < host.n) {
        if (p < pattern.n && is_same(pattern.p[p], host.p[h])) {
            p++;
            h++;
        } else if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            back = h;
        } else if (star < pattern.n) {
            p = star + 1;
            h = ++back;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') {
        p++;
    }
    return p == pattern.n;
}

/* Adds a pattern's word: "!x" that matches decides against all others. */
static void ask_pattern(struct str pattern, const char *host, bool *yes, bool *no)
{
    bool not = str_starts(pattern, "!");
    if (sshconfig_matches(str_sub(pattern, not, pattern.n), str_from(host))) {
        *(not ? no : yes) = true;
    }
}

static bool is_host(const struct reader *r, const struct line *l)
{
    bool yes = false, no = false;
    for (size_t i = 0; i < l->count; i++) {
        ask_pattern(str_from(l->words[i]), r->host, &yes, &no);
    }
    return yes && !no;
}

static bool is_listed(const char *list, const char *host)
{
    bool yes = false, no = false;
    struct str rest = str_from(list), pattern;
    while (str_split(&rest, ',', &pattern)) {
        ask_pattern(pattern, host, &yes, &no);
    }
    return yes && !no;
}

/* 1 yes, 0 no, -1 we cannot ask. */
static int holds_for(const struct reader *r, const char *condition, const char *list)
{
    if (strcasecmp(condition, "host") == 0) {
        return is_listed(list, r->out->hostname ? r->out->hostname : r->host);
    }
    return strcasecmp(condition, "originalhost") == 0 ? is_listed(list, r->host) : -1;
}

/* Conditions are joined by "and": one that fails decides, before one that we cannot ask. */
static int match(struct reader *r, const struct line *l, struct err *e)
{
    const char *unknown = NULL;
    r->applies = true;
    for (size_t i = 0; i < l->count; i++) {
        const char *word = l->words[i];
        if (strcasecmp(word, "all") == 0) {
            continue;
        }
        if (strcasecmp(word, "canonical") == 0 || strcasecmp(word, "final") == 0) {
            r->applies = false;
            continue;
        }
        int holds = holds_for(r, word, i + 1 < l->count ? l->words[i + 1] : "");
        unknown = holds < 0 ? word : unknown;
        r->applies = r->applies && holds != 0;
        i++;
    }
    return r->applies && unknown
               ? err_set(e, ERR_CONFIG, "'Match %s' is not understood here", unknown)
               : 0;
}

/* ---- what it says ---- */

static void set_text(const char **to, const struct line *l)
{
    *to = *to ? *to : l->words[0];
}

/* ProxyJump and ProxyCommand: whichever comes first. */
static int see_proxy(struct reader *r, const struct line *l, struct err *e)
{
    bool jump = strcasecmp(l->keyword, "ProxyJump") == 0;
    (void)e;
    if (!r->has_proxy && strcasecmp(l->words[0], "none") != 0) {
        *(jump ? &r->out->proxy_jump : &r->out->proxy_command) = l->words[0];
    }
    r->has_proxy = true;
    return 0;
}

static int set_port(struct reader *r, const struct line *l, struct err *e)
{
    int64_t port;
    if (!num_parse_int(str_from(l->words[0]), &port) || port < 1 || port > 65535) {
        return err_set(e, ERR_FORMAT, "Port must be 1 to 65535, found '%s'", l->words[0]);
    }
    r->out->port = r->out->port ? r->out->port : (unsigned)port;
    return 0;
}

static int set_hostname(struct reader *r, const struct line *l, struct err *e)
{
    if (r->out->hostname) {
        return 0;
    }
    r->out->hostname = sshconfig_expand(r->arena, l->words[0], "", r->host, "");
    return r->out->hostname && r->out->hostname[0]
               ? 0
               : err_set(e, ERR_CONFIG, "HostName '%s' is not understood", l->words[0]);
}

static int add_identity(struct reader *r, const struct line *l, struct err *e)
{
    if (r->out->identity_count == SSHCONFIG_IDENTITIES_MAX) {
        return err_set(e, ERR_LIMIT, "more than %d IdentityFile", SSHCONFIG_IDENTITIES_MAX);
    }
    r->out->identities[r->out->identity_count++] = l->words[0];
    return 0;
}

static void set_flag(bool *to, bool *has, const struct line *l)
{
    bool yes = strcasecmp(l->words[0], "yes") == 0 || strcasecmp(l->words[0], "true") == 0;
    *to = *has ? *to : yes;
    *has = true;
}

static int set_simple(struct reader *r, const struct line *l, struct err *e)
{
    struct sshconfig *c = r->out;
    (void)e;
    if (strcasecmp(l->keyword, "User") == 0) {
        set_text(&c->user, l);
    } else if (strcasecmp(l->keyword, "IdentityAgent") == 0) {
        set_text(&c->agent, l);
    } else if (strcasecmp(l->keyword, "UserKnownHostsFile") == 0) {
        set_text(&c->known_hosts, l);
    } else if (strcasecmp(l->keyword, "IdentitiesOnly") == 0) {
        set_flag(&c->identities_only, &r->has_only, l);
    } else if (strcasecmp(l->keyword, "StrictHostKeyChecking") == 0) {
        set_flag(&c->strict, &r->has_strict, l);
    }
    return 0;
}

static int read_lines(struct reader *r, struct str text, struct err *e);

/* Host and Match of the file end with it. */
static int take_included(void *ctx, const char *name, struct str text, struct err *e)
{
    struct reader *r = ctx;
    if (++r->includes > SSHCONFIG_INCLUDES_MAX) {
        return err_set(e, ERR_LIMIT, "Include: more than %d files", SSHCONFIG_INCLUDES_MAX);
    }
    if (r->depth == SSHCONFIG_DEPTH_MAX) {
        return err_set(e, ERR_LIMIT, "Include: more than %d files in one another",
                       SSHCONFIG_DEPTH_MAX);
    }
    r->depth++;
    int rc = read_lines(r, text, e);
    r->depth--;
    r->applies = true;
    return rc == 0 || e == NULL || e->code == ERR_LIMIT ? rc : err_wrap(e, "%s", name);
}

static int include(struct reader *r, const struct line *l, struct err *e)
{
    for (size_t i = 0; r->files && i < l->count; i++) {
        if (r->files->read(r->files->ctx, l->words[i], take_included, r, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int take_line(struct reader *r, const struct line *l, struct err *e)
{
    static const struct {
        const char *keyword;
        int (*take)(struct reader *r, const struct line *l, struct err *e);
    } keywords[] = {
        {"Include", include},
        {"ProxyJump", see_proxy},
        {"ProxyCommand", see_proxy},
        {"Port", set_port},
        {"HostName", set_hostname},
        {"IdentityFile", add_identity},
        {"User", set_simple},
        {"IdentityAgent", set_simple},
        {"IdentitiesOnly", set_simple},
        {"UserKnownHostsFile", set_simple},
        {"StrictHostKeyChecking", set_simple},
    };
    if (strcasecmp(l->keyword, "Host") == 0) {
        r->applies = is_host(r, l);
        return 0;
    }
    if (strcasecmp(l->keyword, "Match") == 0) {
        return match(r, l, e);
    }
    for (size_t i = 0; r->applies && i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (strcasecmp(l->keyword, keywords[i].keyword) == 0) {
            return keywords[i].take(r, l, e);
        }
    }
    return 0;
}

static int read_lines(struct reader *r, struct str text, struct err *e)
{
    struct str rest = text, words;
    struct line l = {0};
    if (text.n > SSHCONFIG_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, "more than %zu bytes", SSHCONFIG_BYTES_MAX);
    }
    if (text.n > 0 && memchr(text.p, '\0', text.n)) {
        return err_set(e, ERR_FORMAT, "a NUL byte: this is no text");
    }
    while (rest.p && str_split(&rest, '\n', &words)) {
        l.number++;
        words = str_trim(words);
        if (words.n == 0 || words.p[0] == '#') {
            continue;
        }
        if (split_line(r->arena, words, &l, e) < 0 || take_line(r, &l, e) < 0) {
            return err_wrap(e, "line %zu", l.number);
        }
    }
    return 0;
}

int sshconfig_parse(struct arena *a, struct str text, const char *host,
                    const struct sshconfig_files *files, struct sshconfig *out, struct err *e)
{
    struct reader r = {.arena = a, .host = host, .out = out, .applies = true, .files = files};
    *out = (struct sshconfig){0};
    return read_lines(&r, text, e);
}

/* ---- tokens ---- */

const char *sshconfig_expand(struct arena *a, const char *path, const char *home, const char *host,
                             const char *user)
{
    struct strbuf b;
    strbuf_init(&b);
    if (path[0] == '~' && path[1] == '/') {
        strbuf_adds(&b, home);
        path++;
    }
    for (const char *p = path; *p; p++) {
        const char *text = NULL;
        if (*p != '%') {
            strbuf_addch(&b, *p);
            continue;
        }
        p++;
        text = *p == 'd' ? home : *p == 'h' ? host : *p == 'r' ? user : *p == '%' ? "%" : NULL;
        if (!text) {
            strbuf_release(&b);
            return NULL;
        }
        strbuf_adds(&b, text);
    }
    char *out = arena_strndup(a, b.p, b.n);
    strbuf_release(&b);
    return out;
}
