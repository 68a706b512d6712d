/*
 * See gitfiles.h. The dialogue with `git cat-file --batch` (git-cat-file(1)):
 *
 *     we:   <object name> LF
 *     git:  <hex id> SP <type> SP <bytes> LF <content> LF      or  <object name> SP missing LF
 *
 * A tree's content is, per entry: octal mode, SP, name, NUL, the id as 20 (SHA-1) or 32 (SHA-256)
 * raw bytes.
 */
#include "gitfiles.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "path.h"
#include "proc.h"
#include "repo.h"
#include "str.h"

#include <uthash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_OBJECT ((size_t)256 << 20) /* the limit of dvc.lock, the largest of our text files */
#define MAX_ID 64                      /* hex digits */

struct tree_entry {
    const char *name;
    const char *id; /* hex */
    bool is_dir;
};

struct tree {
    UT_hash_handle hh;
    char id[MAX_ID + 1];
    struct tree_entry *entries; /* in git's order */
    size_t count;
};

struct gitfiles {
    struct repo_files source;
    struct proc git;
    int to_git; /* a socket: a write to a git that died is an error, not a signal */
    FILE *from_git;
    struct arena arena; /* the trees */
    struct tree *trees; /* by id */
    struct tree *root;  /* the repository's folder in the selected commit */
    const char *folder; /* of the repository below the work tree's root; "." */
};

/* ---- the dialogue ---- */

static int ask(struct gitfiles *g, const char *name, struct err *e)
{
    char line[MAX_ID + 16];
    int n = snprintf(line, sizeof line, "%s\n", name);
    if (send(g->to_git, line, (size_t)n, MSG_NOSIGNAL) != n) {
        return err_sys(e, "cannot ask git for the object %s", name);
    }
    return 0;
}

/* Reads the answer's first line: id, type and size. ERR_MISSING when git has no such object. */
static int read_header(struct gitfiles *g, const char *name, char id[MAX_ID + 1], char type[16],
                       size_t *size, struct err *e)
{
    char line[256];
    if (fgets(line, sizeof line, g->from_git) == NULL) {
        return err_set(e, ERR_CHILD, "git cat-file ended while it was asked for the object %s",
                       name);
    }
    if (sscanf(line, "%64[0-9a-f] %15[a-z] %zu", id, type, size) == 3) {
        return 0;
    }
    return err_set(e, ERR_MISSING, "git has no object %s", name);
}

static int read_content(struct gitfiles *g, const char *name, size_t size, struct strbuf *out,
                        struct err *e)
{
    char chunk[65536];
    bool too_big = size > MAX_OBJECT;
    for (size_t left = size + 1; left > 0;) { /* a newline follows */
        size_t n = fread(chunk, 1, left < sizeof chunk ? left : sizeof chunk, g->from_git);
        if (n == 0) {
            return err_set(e, ERR_CHILD, "git cat-file ended in the middle of the object %s", name);
        }
        left -= n;
        if (!too_big) {
            strbuf_add(out, chunk, left == 0 ? n - 1 : n);
        }
    }
    return too_big ? err_set(e, ERR_LIMIT, "the git object %s has %zu bytes, the limit is %zu",
                             name, size, MAX_OBJECT)
                   : 0;
}

/* Appends the content of an object that must be of this type. */
static int get_object(struct gitfiles *g, const char *name, const char *want, char id[MAX_ID + 1],
                      struct strbuf *out, struct err *e)
{
    char type[16];
    size_t size;
    if (ask(g, name, e) < 0 || read_header(g, name, id, type, &size, e) < 0 ||
        read_content(g, name, size, out, e) < 0) {
        return -1;
    }
    return strcmp(type, want) == 0
               ? 0
               : err_set(e, ERR_FORMAT, "the git object %s is a %s, not a %s", name, type, want);
}

/* ---- folders ---- */

static const char *hex_of(struct arena *a, const char *raw, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = arena_alloc(a, 2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)raw[i];
        hex[2 * i] = digits[c >> 4];
        hex[2 * i + 1] = digits[c & 15];
    }
    return hex;
}

/* Cuts one entry off *rest; false when it is malformed. Links and submodules come without a name.
 */
static bool cut_entry(struct arena *a, struct str *rest, size_t raw_id, struct tree_entry *entry)
{
    const char *space = memchr(rest->p, ' ', rest->n);
    const char *nul = space != NULL ? memchr(space, 0, rest->n - (size_t)(space - rest->p)) : NULL;
    if (nul == NULL || rest->n - (size_t)(nul + 1 - rest->p) < raw_id) {
        return false;
    }
    struct str mode = {rest->p, (size_t)(space - rest->p)};
    *entry = (struct tree_entry){.is_dir = str_is(mode, "40000")};
    if (entry->is_dir || str_starts(mode, "100")) {
        entry->name = arena_strndup(a, space + 1, (size_t)(nul - space - 1));
        entry->id = hex_of(a, nul + 1, raw_id);
    }
    size_t used = (size_t)(nul + 1 - rest->p) + raw_id;
    *rest = (struct str){rest->p + used, rest->n - used};
    return true;
}

static int parse_tree(struct gitfiles *g, struct tree *t, struct str text, struct err *e)
{
    size_t raw_id = strlen(t->id) / 2, most = text.n / (raw_id + 4) + 1;
    t->entries = ARENA_ARRAY(&g->arena, most, struct tree_entry);
    while (text.n > 0) {
        struct tree_entry entry;
        if (!cut_entry(&g->arena, &text, raw_id, &entry)) {
            return err_set(e, ERR_FORMAT, "the git tree %s is malformed", t->id);
        }
        if (entry.name != NULL) {
            t->entries[t->count++] = entry;
        }
    }
    return 0;
}

/* By id, or by an expression that names a tree. Returns borrowed (until gitfiles_close). */
static struct tree *get_tree(struct gitfiles *g, const char *name, struct err *e)
{
    struct tree *t;
    HASH_FIND(hh, g->trees, name, strlen(name), t);
    if (t != NULL) {
        return t;
    }
    struct strbuf text;
    strbuf_init(&text);
    char id[MAX_ID + 1];
    struct tree *made = ARENA_NEW(&g->arena, struct tree);
    int rc = get_object(g, name, "tree", id, &text, e);
    if (rc == 0) {
        HASH_FIND(hh, g->trees, id, strlen(id), t);
    }
    if (rc == 0 && t == NULL) {
        memcpy(made->id, id, sizeof id);
        rc = parse_tree(g, made, strbuf_str(&text), e);
        if (rc == 0) {
            t = made;
            HASH_ADD_KEYPTR(hh, g->trees, t->id, strlen(t->id), t);
        }
    }
    strbuf_release(&text);
    return t;
}

static const struct tree_entry *find_entry(const struct tree *t, struct str name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (str_is(name, t->entries[i].name)) {
            return &t->entries[i];
        }
    }
    return NULL;
}

/* The folder `path` below `from`. 0: *t, 1: not there, -1: *e. */
static int find_tree(struct gitfiles *g, struct tree *from, struct str path, struct tree **t,
                     struct err *e)
{
    struct str part;
    *t = from;
    while (str_split(&path, '/', &part)) {
        if (part.n == 0 || str_is(part, ".")) {
            continue;
        }
        const struct tree_entry *entry = find_entry(*t, part);
        if (entry == NULL || !entry->is_dir) {
            return 1;
        }
        *t = get_tree(g, entry->id, e);
        if (*t == NULL) {
            return -1;
        }
    }
    return 0;
}

/* ---- the source ---- */

static int source_read(void *ctx, const char *path, struct strbuf *out, struct err *e)
{
    struct gitfiles *g = ctx;
    const char *slash = strrchr(path, '/');
    struct str dir = slash != NULL ? (struct str){path, (size_t)(slash - path)} : STR(".");
    const struct tree_entry *entry = NULL;
    struct tree *t;
    char id[MAX_ID + 1];
    int rc = path[0] == '/' ? 1 : find_tree(g, g->root, dir, &t, e);
    if (rc < 0) {
        return -1;
    }
    if (rc == 0) {
        entry = find_entry(t, str_from(path_basename(path)));
    }
    if (entry == NULL || entry->is_dir) {
        return err_set(e, ERR_MISSING, "the revision has no file '%s'", path);
    }
    return get_object(g, entry->id, "blob", id, out, e);
}

static bool source_is_dir(void *ctx, const char *path)
{
    struct gitfiles *g = ctx;
    struct tree *t;
    return path[0] != '/' && find_tree(g, g->root, str_from(path), &t, NULL) == 0;
}

static int source_list(void *ctx, const char *dir, repo_entry_fn *fn, void *fn_ctx, struct err *e)
{
    struct gitfiles *g = ctx;
    struct tree *t;
    int rc = find_tree(g, g->root, str_from(dir), &t, e);
    for (size_t i = 0; rc == 0 && i < t->count; i++) {
        fn(fn_ctx, t->entries[i].name, t->entries[i].is_dir);
    }
    return rc < 0 ? -1 : 0;
}

/* ---- life ---- */

static int start_git(struct gitfiles *g, const struct repo *r, struct err *e)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return err_sys(e, "cannot make a socket pair");
    }
    const char *const argv[] = {"git", "-C", r->scm_root, "cat-file", "--batch", NULL};
    const struct proc_options opt = {.argv = argv, .stdin_fd = pair[1], .stdout_fd = PROC_PIPE};
    int rc = proc_start(&g->git, &opt, e);
    close(pair[1]);
    if (rc < 0) {
        close(pair[0]);
        return err_wrap(e, "cannot run git");
    }
    g->to_git = pair[0];
    g->from_git = fdopen(g->git.stdout_fd, "r");
    g->git.stdout_fd = -1; /* the stream's */
    return g->from_git != NULL ? 0 : err_sys(e, "cannot read from git");
}

struct gitfiles *gitfiles_open(const struct repo *r, struct err *e)
{
    if (r->scm_root == NULL) {
        err_set(e, ERR_MISSING, "%s is not in a git work tree", r->root);
        return NULL;
    }
    struct gitfiles *g = xcalloc(1, sizeof *g);
    arena_init(&g->arena);
    g->to_git = -1;
    g->git.pid = -1;
    g->source = (struct repo_files){source_read, source_is_dir, source_list, g};
    g->folder = path_relative(&g->arena, r->scm_root, r->root);
    if (start_git(g, r, e) < 0) {
        gitfiles_close(g);
        return NULL;
    }
    return g;
}

void gitfiles_close(struct gitfiles *g)
{
    if (g == NULL) {
        return;
    }
    if (g->to_git >= 0) {
        close(g->to_git); /* the end of its input ends git */
    }
    if (g->from_git != NULL) {
        fclose(g->from_git);
    }
    if (g->git.pid > 0) {
        struct proc_status st;
        proc_wait(&g->git, &st, NULL);
    }
    HASH_CLEAR(hh, g->trees);
    arena_release(&g->arena);
    free(g);
}

int gitfiles_select(struct gitfiles *g, const char *commit, struct err *e)
{
    char name[MAX_ID + 8];
    snprintf(name, sizeof name, "%.*s^{tree}", MAX_ID, commit);
    struct tree *t = get_tree(g, name, e);
    if (t == NULL) {
        return err_wrap(e, "cannot read the revision %.7s", commit);
    }
    int rc = find_tree(g, t, str_from(g->folder), &g->root, e);
    return rc < 0 ? err_wrap(e, "cannot read the revision %.7s", commit) : rc;
}

const struct repo_files *gitfiles_source(struct gitfiles *g)
{
    return &g->source;
}
