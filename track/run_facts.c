/* Facts about a run's surroundings; see run_facts.h. */

#include "run_facts.h"

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "path.h"
#include "proc.h"
#include "tracking.h"

#include <hiredis/hiredis.h>

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ENVIRONMENT_BYTES 7900
#define ENVIRONMENT_VALUE_BYTES 400
#define DIFF_BYTES ((size_t)64 << 20)

/* ---- secrets ---- */

bool redact_is_secret_name(struct str name)
{
    static const char *const marks[] = {
        "PASSW", "SECRET", "TOKEN",   "CREDENTIAL", "APIKEY", "API_KEY", "ACCESS_KEY", "PRIVATE",
        "_KEY",  "COOKIE", "SESSION", "AUTH",       "_PASS",  "_PWD",    "DSN",        "SIGNATURE"};
    char upper[256];
    size_t n = name.n < sizeof(upper) - 1 ? name.n : sizeof(upper) - 1;

    for (size_t i = 0; i < n; i++) {
        char c = (char)toupper((unsigned char)name.p[i]);
        upper[i] = c == '-' ? '_' : c;
    }
    upper[n] = '\0';
    if (strcmp(upper, "PWD") == 0 || strcmp(upper, "OLDPWD") == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (strstr(upper, marks[i])) {
            return true;
        }
    }
    return strcmp(upper, "PASS") == 0 || strcmp(upper, "KEY") == 0;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* Length of a well-known key at the start of s (AWS, GitHub, Slack, OpenAI-like, PEM), else 0. */
static size_t known_key(struct str s)
{
    static const char *const heads[] = {"AKIA",  "ASIA",  "ghp_",   "gho_", "github_pat_",
                                        "xoxb-", "xoxp-", "glpat-", "sk-"};
    if (str_starts(s, "-----BEGIN ")) {
        return s.n;
    }
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (str_starts(s, heads[i])) {
            size_t n = strlen(heads[i]), rest = 0;
            while (n + rest < s.n && is_name_char(s.p[n + rest])) {
                rest++;
            }
            return rest >= 12 ? n + rest : 0;
        }
    }
    return 0;
}

/* The password (or the whole user part) of the first URL in the word. */
static bool find_url_secret(struct str w, size_t *from, size_t *n)
{
    const char *scheme = w.n ? memmem(w.p, w.n, "://", 3) : NULL;
    size_t start = scheme ? (size_t)(scheme - w.p) + 3 : w.n, at = 0, colon = 0;

    for (size_t i = start; i < w.n && w.p[i] != '?' && w.p[i] != '#'; i++) {
        if (w.p[i] == '@') {
            at = i;
        } else if (w.p[i] == ':' && !colon) {
            colon = i;
        }
    }
    *from = colon && colon < at ? colon + 1 : start;
    *n = at > *from ? at - *from : 0;
    return *n > 0;
}

/* The value of `name=value` whose '=' is at `equals`, when the name looks secret: up to a '&'. */
static bool find_named_secret(struct str w, size_t equals, size_t *from, size_t *n)
{
    size_t start = equals;
    while (start > 0 && is_name_char(w.p[start - 1])) {
        start--;
    }
    if (!redact_is_secret_name(str_sub(w, start, equals - start))) {
        return false;
    }
    *from = equals + 1;
    *n = 0;
    while (*from + *n < w.n && w.p[*from + *n] != '&') {
        ++*n;
    }
    return *n > 0;
}

/* The part of a word that is to be replaced: *from, *n. */
static bool find_secret(struct str w, size_t *from, size_t *n)
{
    if (find_url_secret(w, from, n)) {
        return true;
    }
    for (size_t i = 0; i < w.n; i++) {
        if (w.p[i] == '=' && find_named_secret(w, i, from, n)) {
            return true;
        }
        if ((i == 0 || !is_name_char(w.p[i - 1])) && (*n = known_key(str_sub(w, i, w.n - i)))) {
            *from = i;
            return true;
        }
    }
    return false;
}

void redact_text(struct strbuf *out, struct str text)
{
    while (text.n) {
        size_t blank = 0, from, n;
        while (blank < text.n && !isspace((unsigned char)text.p[blank])) {
            blank++;
        }
        struct str word = str_sub(text, 0, blank);
        if (str_starts(text, "-----BEGIN ")) {
            strbuf_adds(out, "[redacted]");
            return;
        }
        while (find_secret(word, &from, &n)) {
            strbuf_addstr(out, str_sub(word, 0, from));
            strbuf_adds(out, "[redacted]");
            word = str_sub(word, from + n, word.n - from - n);
        }
        strbuf_addstr(out, word);
        if (blank < text.n) {
            strbuf_addch(out, text.p[blank++]);
        }
        text = str_sub(text, blank, text.n - blank);
    }
}

/* ---- git ---- */

static bool git(const char *project, const char *const *argv, size_t max, struct strbuf *out)
{
    struct proc_status st;
    struct err ignored = ERR_INIT;
    struct strbuf errors;
    struct proc_options opt = {.argv = argv, .cwd = project, .stdin_fd = PROC_NULL};

    strbuf_init_max(out, max);
    strbuf_init_max(&errors, 4096); /* "not a git repository" is no news */
    int rc = proc_capture(&opt, out, &errors, &st, &ignored);
    strbuf_release(&errors);
    return rc == 0 && st.exited && st.code == 0;
}

static void save_diff(struct arena *a, const char *project, const char *run, struct run_git *out)
{
    static const char *const argv[] = {"git", "diff", "--no-ext-diff", "--no-color", "HEAD", NULL};
    struct strbuf diff;
    struct err ignored = ERR_INIT;

    if (git(project, argv, DIFF_BYTES, &diff) && diff.n) {
        const char *name = arena_printf(a, ".nephron/runs/%s/git.diff", run);
        const char *home = tracking_told_project(); /* a copy goes away with what is in it */
        const char *path = path_join(a, home != NULL ? home : project, name);
        if (fs_mkdirs_for(path, &ignored) == 0 &&
            fs_write_atomic(path, diff.p, diff.n, 0600, &ignored) == 0) {
            out->diff_path = name;
        }
    }
    strbuf_release(&diff);
}

void run_facts_git(struct arena *a, const char *project, const char *run, struct run_git *out)
{
    /* One call tells commit, branch and whether tracked files differ. */
    static const char *const argv[] = {
        "git",      "--no-optional-locks",  "status", "--porcelain=v2",
        "--branch", "--untracked-files=no", NULL};
    struct strbuf text;
    struct str line;

    *out = (struct run_git){0};
    if (git(project, argv, (size_t)16 << 20, &text)) {
        struct str rest = strbuf_str(&text);
        while (str_split(&rest, '\n', &line)) {
            if (str_starts(line, "# branch.oid ")) {
                out->commit = arena_str(a, str_sub(line, 13, line.n - 13)).p;
            } else if (str_starts(line, "# branch.head ")) {
                out->branch = arena_str(a, str_sub(line, 14, line.n - 14)).p;
            } else if (line.n && line.p[0] != '#') {
                out->dirty = true;
            }
        }
    }
    strbuf_release(&text);
    if (out->commit && strcmp(out->commit, "(initial)") == 0) {
        out->commit = "";
    }
    if (out->branch && strcmp(out->branch, "(detached)") == 0) {
        out->branch = "";
    }
    if (out->dirty && out->commit && out->commit[0]) {
        save_diff(a, project, run, out);
    }
}

/* ---- the rest ---- */

const char *run_facts_command(struct arena *a, int argc, char *const *argv)
{
    struct strbuf b, clean;
    strbuf_init_max(&b, 8000);
    strbuf_init(&clean);
    for (int i = 0; i < argc; i++) {
        /* `--password X`: the word behind a secret-looking option. */
        bool hidden = i > 0 && argv[i - 1][0] == '-' && !strchr(argv[i - 1], '=') &&
                      redact_is_secret_name(str_from(argv[i - 1])) && argv[i][0] != '-';
        if (i) {
            strbuf_addch(&b, ' ');
        }
        strbuf_reset(&clean);
        if (hidden) {
            strbuf_adds(&clean, "[redacted]");
        } else {
            redact_text(&clean, str_from(argv[i]));
        }
        strbuf_add_shell_word(&b, strbuf_str(&clean));
    }
    const char *result = argc > 0 ? arena_str(a, strbuf_str(&b)).p : NULL;
    strbuf_release(&b);
    strbuf_release(&clean);
    return result;
}

const char *run_facts_host(struct arena *a)
{
    char name[256];
    if (gethostname(name, sizeof(name)) < 0) {
        return NULL;
    }
    name[sizeof(name) - 1] = '\0';
    return arena_strdup(a, name);
}

const char *run_facts_user(struct arena *a)
{
    char text[4096];
    struct passwd pw, *found = NULL;
    if (getpwuid_r(geteuid(), &pw, text, sizeof(text), &found) == 0 && found) {
        return arena_strdup(a, found->pw_name);
    }
    return arena_printf(a, "%ld", (long)geteuid());
}

const char *run_facts_cpu(struct arena *a)
{
    struct strbuf text;
    struct str line, rest;
    const char *found = NULL;

    strbuf_init_max(&text, 65536); /* the first processor is enough */
    fs_read("/proc/cpuinfo", 1 << 20, &text, NULL);
    rest = strbuf_str(&text);
    while (!found && str_split(&rest, '\n', &line)) {
        const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
        if (str_starts(line, "model name") && colon) {
            size_t from = (size_t)(colon - line.p) + 1;
            found = arena_str(a, str_trim(str_sub(line, from, line.n - from))).p;
        }
    }
    strbuf_release(&text);
    return found;
}

const char *run_facts_kernel(struct arena *a)
{
    struct utsname u;
    return uname(&u) == 0 ? arena_printf(a, "%s %s %s", u.sysname, u.release, u.machine) : NULL;
}

const char *run_facts_hiredis(struct arena *a)
{
    return arena_printf(a, "%d.%d.%d", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
}

const char *run_facts_lock_md5(struct arena *a, const char *project)
{
    char hex[DIGEST_HEX_SIZE];
    const char *path = path_join(a, project, "dvc.lock");
    return digest_file(DIGEST_MD5, path, hex, NULL, NULL) == 0 ? arena_strdup(a, hex) : NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *run_facts_environment(struct arena *a, char *const *env)
{
    size_t count = 0;
    struct strbuf b, value;

    while (env[count]) {
        count++;
    }
    char **sorted = ARENA_ARRAY(a, count + 1, char *);
    memcpy(sorted, env, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_text);
    strbuf_init(&b);
    strbuf_init(&value);
    strbuf_addch(&b, '{');
    for (size_t i = 0; i < count; i++) {
        struct str name, rest = str_from(sorted[i]);
        size_t before = b.n;
        if (!str_split(&rest, '=', &name) || name.n == 0 || str_starts(name, "BASH_FUNC_")) {
            continue;
        }
        strbuf_reset(&value);
        if (redact_is_secret_name(name)) {
            strbuf_adds(&value, "[redacted]");
        } else {
            redact_text(&value, str_sub(rest, 0, ENVIRONMENT_VALUE_BYTES));
        }
        if (str_utf8_valid(strbuf_str(&value)) != value.n || str_utf8_valid(name) != name.n) {
            continue;
        }
        strbuf_adds(&b, before > 1 ? ", " : "");
        json_write_string(&b, name, true);
        strbuf_adds(&b, ": ");
        json_write_string(&b, strbuf_str(&value), true);
        if (b.n > ENVIRONMENT_BYTES) {
            strbuf_truncate(&b, before);
            break;
        }
    }
    strbuf_addch(&b, '}');
    const char *result = arena_str(a, strbuf_str(&b)).p;
    strbuf_release(&b);
    strbuf_release(&value);
    return result;
}
