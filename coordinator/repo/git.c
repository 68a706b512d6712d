/* See git.h. */
#include "git.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "path.h"
#include "proc.h"
#include "repo.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GIT_MAX_FILE ((size_t)256 << 20)

const char *git_find_root(struct arena *a, const char *start)
{
    for (const char *dir = start;; dir = path_dirname(a, dir)) {
        if (fs_exists(path_join(a, dir, ".git"))) {
            return dir;
        }
        if (strcmp(dir, "/") == 0 || strcmp(dir, ".") == 0) {
            return NULL;
        }
    }
}

/* ---- HEAD without a process ---- */

static bool read_small(const char *path, struct strbuf *text)
{
    strbuf_reset(text);
    return fs_read(path, (size_t)64 << 20, text, NULL) == 0;
}

/* The folder with HEAD: .git itself, or where a .git file points. */
static const char *git_dir(struct arena *a, const char *root)
{
    const char *dot = path_join(a, root, ".git");
    if (fs_is_dir(dot)) {
        return dot;
    }
    struct strbuf text;
    strbuf_init(&text);
    const char *dir = NULL;
    if (read_small(dot, &text) && strncmp(text.p, "gitdir:", 7) == 0) {
        struct str s = str_trim((struct str){text.p + 7, text.n - 7});
        dir = path_absolute(a, root, arena_str(a, s).p);
    }
    strbuf_release(&text);
    return dir;
}

static bool is_hex(struct str s)
{
    if (s.n != 40 && s.n != 64) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (!isxdigit((unsigned char)s.p[i])) {
            return false;
        }
    }
    return true;
}

static bool packed_ref(struct str text, const char *ref, char commit[65])
{
    struct str line;
    size_t n = strlen(ref);
    while (text.n > 0 && str_split(&text, '\n', &line)) {
        const char *space = memchr(line.p, ' ', line.n);
        if (space != NULL && line.n - (size_t)(space + 1 - line.p) == n &&
            memcmp(space + 1, ref, n) == 0 &&
            is_hex((struct str){line.p, (size_t)(space - line.p)})) {
            snprintf(commit, 65, "%.*s", (int)(space - line.p), line.p);
            return true;
        }
    }
    return false;
}

/* Refs live in the common folder of a work tree. */
static void read_ref(struct arena *a, const char *dir, const char *ref, char commit[65])
{
    struct strbuf text;
    strbuf_init(&text);
    const char *common = dir;
    if (read_small(path_join(a, dir, "commondir"), &text)) {
        common = path_absolute(a, dir, arena_str(a, str_trim(strbuf_str(&text))).p);
    }
    const char *dirs[2] = {dir, common};
    for (size_t i = 0; i < 2 && commit[0] == 0; i++) {
        if (read_small(path_join(a, dirs[i], ref), &text) && is_hex(str_trim(strbuf_str(&text)))) {
            snprintf(commit, 65, "%.*s", STR_ARG(str_trim(strbuf_str(&text))));
        }
    }
    if (commit[0] == 0 && read_small(path_join(a, common, "packed-refs"), &text)) {
        packed_ref(strbuf_str(&text), ref, commit);
    }
    strbuf_release(&text);
}

int git_head(const struct repo *r, struct git_head *head, struct err *e)
{
    *head = (struct git_head){0};
    if (r->scm_root == NULL) {
        return err_set(e, ERR_MISSING, "%s is not in a git work tree", r->root);
    }
    struct arena a;
    arena_init(&a);
    struct strbuf text;
    strbuf_init(&text);
    const char *dir = git_dir(&a, r->scm_root);
    int rc = 0;
    if (dir == NULL || !read_small(path_join(&a, dir, "HEAD"), &text)) {
        rc = err_set(e, ERR_FORMAT, "cannot read HEAD of the git repository %s", r->scm_root);
    } else {
        struct str s = str_trim(strbuf_str(&text));
        if (str_starts(s, "ref: refs/heads/") && memmem(s.p, s.n, "..", 2) == NULL) {
            const char *ref = arena_strndup(&a, s.p + 5, s.n - 5);
            snprintf(head->branch, sizeof head->branch, "%s", ref + 11);
            read_ref(&a, dir, ref, head->commit);
        } else if (is_hex(s)) {
            snprintf(head->commit, sizeof head->commit, "%.*s", STR_ARG(s));
        }
    }
    strbuf_release(&text);
    arena_release(&a);
    return rc;
}

/* ---- by running git ---- */

extern char **environ;

/* Ours and `more`, which goes first: of two entries of a name the first counts. */
static const char **environment(struct arena *a, const char *const *more)
{
    size_t n = 0, ours = 0, added = 0;
    for (; environ[ours] != NULL; ours++) {
    }
    for (; more != NULL && more[added] != NULL; added++) {
    }
    const char **env = ARENA_ARRAY(a, ours + added + 1, const char *);
    for (size_t i = 0; i < added; i++) {
        env[n++] = more[i];
    }
    for (size_t i = 0; i < ours; i++) {
        bool twice = false;
        for (size_t k = 0; k < added && !twice; k++) {
            size_t name = strcspn(more[k], "=") + 1;
            twice = strncmp(environ[i], more[k], name) == 0;
        }
        if (!twice) {
            env[n++] = environ[i];
        }
    }
    return env;
}

/* Text as something to read from; -1 with *e set. */
static int input_fd(struct str text, struct err *e)
{
    int fd = memfd_create("git-stdin", MFD_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot keep %zu bytes for git", text.n);
    }
    if (fs_write_all(fd, text.p, text.n, "stdin of git", e) < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int run_words(const char *const *argv, const char *const *env, struct str input,
                     const char *verb, struct strbuf *out, struct err *e)
{
    int in = PROC_NULL;
    if (input.n > 0 && (in = input_fd(input, e)) < 0) {
        return -1;
    }
    struct proc_options opt = {.argv = argv, .env = env, .stdin_fd = in};
    struct proc_status st;
    struct strbuf words;
    strbuf_init(&words);
    int rc = proc_capture(&opt, out, &words, &st, e);
    if (rc < 0) {
        err_wrap(e, "cannot run git");
    } else if (proc_exit_code(&st) != 0) {
        struct str w = str_trim(strbuf_str(&words));
        rc = err_set(e, ERR_CHILD, "git %s: %.*s", verb, STR_ARG(w));
        if (e != NULL) {
            e->detail = proc_exit_code(&st);
        }
    }
    strbuf_release(&words);
    if (in > 2) {
        close(in);
    }
    return rc;
}

int git_call(const struct repo *r, const struct git_call *call, struct strbuf *out, struct err *e)
{
    if (r->scm_root == NULL) {
        return err_set(e, ERR_MISSING, "%s is not in a git work tree", r->root);
    }
    struct arena a;
    arena_init(&a);
    size_t count = 0, n = 0;
    for (; call->args[count] != NULL; count++) {
    }
    const char **argv = ARENA_ARRAY(&a, count + 6, const char *);
    argv[n++] = "git";
    argv[n++] = "-C";
    argv[n++] = call->dir != NULL ? call->dir : r->root;
    argv[n++] = "-c";
    argv[n++] = "core.quotepath=off";
    memcpy(argv + n, call->args, count * sizeof *argv);
    const char **env = call->env != NULL ? environment(&a, call->env) : NULL;
    int rc = run_words(argv, env, call->input, call->args[0], out, e);
    arena_release(&a);
    return rc;
}

int git_run(const struct repo *r, const char *const *args, struct strbuf *out, struct err *e)
{
    return git_call(r, &(struct git_call){.args = args}, out, e);
}

/* An experiment by its name (refs/exps/<baseline>/<name>); of several the one that started from HEAD. 1: there is none. */
static int find_experiment(const struct repo *r, struct arena *a, const char *name, char commit[65],
                           struct err *e)
{
    struct git_head head;
    if (strcmp(name, "HEAD") == 0 || name[strcspn(name, "/*?[\\")] != 0 || name[0] == 0 ||
        git_head(r, &head, NULL) < 0) {
        return 1;
    }
    const char *const args[] = {"for-each-ref", "--format=%(objectname) %(refname)",
                                arena_printf(a, "refs/exps/*/*/%s", name), NULL};
    const char *mine = arena_printf(a, "refs/exps/%.2s/%s/", head.commit,
                                    head.commit[0] != 0 ? head.commit + 2 : "");
    struct strbuf out;
    strbuf_init(&out);
    size_t found = 0;
    bool at_head = false;
    struct str line, id;
    struct str rest = git_run(r, args, &out, NULL) == 0 ? strbuf_str(&out) : (struct str){0};
    while (!at_head && rest.n > 0 && str_split(&rest, '\n', &line)) {
        found += str_split(&line, ' ', &id);
        at_head = str_starts(line, mine);
        snprintf(commit, 65, "%.*s", STR_ARG(id));
    }
    strbuf_release(&out);
    if (found > 1 && !at_head) {
        return err_set(e, ERR_MISSING, "ambiguous Git revision '%s'", name);
    }
    return found > 0 ? 0 : 1;
}

int git_rev_parse(const struct repo *r, const char *rev, char commit[65], struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    struct arena a;
    arena_init(&a);
    const char *args[] = {"rev-parse",
                          "--verify",
                          "--quiet",
                          "--end-of-options",
                          arena_printf(&a, "%s^{commit}", rev),
                          NULL};
    struct err git_err = ERR_INIT;
    int rc = 0;
    if (git_run(r, args, &out, &git_err) < 0 || !is_hex(str_trim(strbuf_str(&out)))) {
        bool unknown =
            git_err.code == ERR_MISSING || git_err.code == ERR_CHILD || git_err.code == ERR_NONE;
        rc = unknown ? find_experiment(r, &a, rev, commit, e)
                     : err_set(e, git_err.code, "%s", git_err.text);
        rc = rc > 0 ? err_set(e, ERR_MISSING, "unknown Git revision '%s'", rev) : rc;
    } else {
        snprintf(commit, 65, "%.*s", STR_ARG(str_trim(strbuf_str(&out))));
    }
    arena_release(&a);
    strbuf_release(&out);
    return rc;
}

/* "HEAD:sub/dvc.yaml": git counts from the work tree's root. */
static const char *rev_path(const struct repo *r, struct arena *a, const char *rev,
                            const char *path)
{
    return arena_printf(a, "%s:%s", rev, path_relative(a, r->scm_root, repo_abs(r, a, path)));
}

int git_show(const struct repo *r, const char *rev, const char *path, struct strbuf *out,
             struct err *e)
{
    if (r->scm_root == NULL) {
        return err_set(e, ERR_MISSING, "%s is not in a git work tree", r->root);
    }
    struct arena a;
    arena_init(&a);
    const char *args[] = {"cat-file", "blob", rev_path(r, &a, rev, path), NULL};
    int rc = 0;
    struct err git_err = ERR_INIT;
    if (rev[0] == '-' || git_run(r, args, out, &git_err) < 0) {
        rc = err_set(e, git_err.code == ERR_CHILD ? ERR_MISSING : git_err.code,
                     "no file '%s' at revision '%s'", path, rev);
    }
    arena_release(&a);
    return rc;
}

/* Cuts a NUL-separated answer into paths. */
static void cut_names(struct arena *a, struct str text, char sep, const char ***names,
                      size_t *count)
{
    size_t max = 0;
    for (size_t i = 0; i < text.n; i++) {
        max += text.p[i] == sep;
    }
    *names = ARENA_ARRAY(a, max + 1, const char *);
    *count = 0;
    struct str part;
    while (text.n > 0 && str_split(&text, sep, &part)) {
        if (part.n > 0) {
            (*names)[(*count)++] = arena_str(a, part).p;
        }
    }
}

int git_ls_tree(const struct repo *r, const char *rev, struct arena *a, const char ***paths,
                size_t *count, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    const char *args[] = {"ls-tree", "-r", "-z", "--name-only", "--end-of-options", rev, NULL};
    int rc = git_run(r, args, &out, e); /* run in root: names are relative to it */
    if (rc == 0) {
        cut_names(a, strbuf_str(&out), 0, paths, count);
    }
    strbuf_release(&out);
    return rc;
}

#define GIT_ADD_BATCH 8

int git_add(const struct repo *r, const char *const *paths, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i += GIT_ADD_BATCH) {
        const char *args[GIT_ADD_BATCH + 3] = {"add", "--"};
        size_t n = 2;
        for (size_t k = i; k < count && k < i + GIT_ADD_BATCH; k++) {
            args[n++] = paths[k];
        }
        if (git_run(r, args, NULL, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int git_tracked(const struct repo *r, const char *const *paths, size_t count, bool *tracked,
                struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    const char *args[] = {"ls-files", "-z", NULL};
    int rc = git_run(r, args, &out, e);
    if (rc == 0) {
        struct arena a;
        arena_init(&a);
        const char **names;
        size_t n;
        cut_names(&a, strbuf_str(&out), 0, &names, &n);
        for (size_t i = 0; i < count; i++) {
            tracked[i] = false;
            for (size_t k = 0; k < n && !tracked[i]; k++) {
                tracked[i] = strcmp(paths[i], names[k]) == 0;
            }
        }
        arena_release(&a);
    }
    strbuf_release(&out);
    return rc;
}

int git_diff(const struct repo *r, size_t max_bytes, struct strbuf *out, struct err *e)
{
    struct strbuf all;
    strbuf_init_max(&all, max_bytes != 0 ? max_bytes : GIT_MAX_FILE);
    const char *args[] = {"diff", "--no-ext-diff", "--no-color", "HEAD", NULL};
    int rc = git_run(r, args, &all, e);
    if (rc == 0) {
        strbuf_addstr(out, strbuf_str(&all));
    }
    strbuf_release(&all);
    return rc;
}
