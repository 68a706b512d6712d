/*
 * Folders are nodes: each knows whether it is ignored itself and which rule file it has; the rules
 * in force in a folder are its own and those of the folders above, nearest last. Rules that are one
 * literal name (most of a generated .gitignore) are found by a hash, so a file of ten thousand
 * lines costs a look-up, not ten thousand comparisons.
 */
#include "ignore.h"
#include "ignore_pattern.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "path.h"
#include "repo.h"

#include <uthash.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define IGNORE_MAX_BYTES ((size_t)64 << 20)

struct rule {
    struct ignore_pattern pattern;
    struct ignore_rule shown;
};

struct name_entry { /* rules that are this one name, as indices, ascending */
    UT_hash_handle hh;
    const char *name;
    size_t *rules;
    size_t count, capacity;
};

struct rule_file {
    struct rule *rules;
    size_t count, capacity;
    size_t *globs; /* indices of the rules that are not single names, ascending */
    size_t glob_count, glob_capacity;
    struct name_entry *names;
};

struct node {
    UT_hash_handle hh;
    const char *dir; /* relative to the root; "." for it */
    size_t dir_size; /* bytes of `dir` and its slash in paths below; 0 for the root */
    struct node *parent;
    struct rule_file *file; /* NULL: none here */
    bool ignored, file_read;
};

struct ignore {
    struct arena arena;
    const char *root;
    const char *file_name;
    bool is_git;
    const struct repo_files *files; /* NULL: the work tree */
    struct node *nodes;
    struct rule_file *base; /* rules below all others: built in, info/exclude */
    pthread_mutex_t lock;
};

static void add_rule(struct ignore *ig, struct rule_file *f, struct str line, const char *origin)
{
    struct ignore_pattern pattern;
    if (!ignore_pattern_compile(&ig->arena, line, &pattern)) {
        return;
    }
    ARRAY_RESERVE(f->rules, f->count, f->capacity, 1);
    size_t index = f->count++;
    f->rules[index] =
        (struct rule){pattern, {origin, arena_str(&ig->arena, line).p, pattern.negated}};
    bool anchored;
    struct str name = ignore_pattern_name(&pattern, &anchored);
    if (name.n == 0) {
        ARRAY_RESERVE(f->globs, f->glob_count, f->glob_capacity, 1);
        f->globs[f->glob_count++] = index;
        return;
    }
    struct name_entry *entry;
    HASH_FIND(hh, f->names, name.p, name.n, entry);
    if (entry == NULL) {
        entry = xcalloc(1, sizeof *entry);
        entry->name = name.p;
        HASH_ADD_KEYPTR(hh, f->names, entry->name, name.n, entry);
    }
    ARRAY_RESERVE(entry->rules, entry->count, entry->capacity, 1);
    entry->rules[entry->count++] = index;
}

static void rule_file_free(struct rule_file *f)
{
    if (f == NULL) {
        return;
    }
    struct name_entry *entry, *tmp;
    HASH_ITER(hh, f->names, entry, tmp)
    {
        HASH_DEL(f->names, entry);
        free(entry->rules);
        free(entry);
    }
    free(f->rules);
    free(f->globs);
    free(f);
}

/* `shown`: the file's name in messages; NULL: rules without a place. */
static void parse_rules(struct ignore *ig, struct rule_file *f, struct str rest, const char *shown)
{
    struct str line;
    size_t line_no = 0;
    while (rest.n > 0 && str_split(&rest, '\n', &line)) {
        line_no++;
        struct str bare = str_trim(line);
        if (bare.n == 0 || memchr(line.p, 0, line.n) != NULL) {
            continue;
        }
        if (!ig->is_git) {
            line = bare; /* DVC strips both ends */
        } else if (str_ends(line, "\r")) {
            line.n--;
        }
        const char *origin =
            shown == NULL ? ""
                          : arena_printf(&ig->arena, "%s:%zu:%.*s", shown, line_no, STR_ARG(line));
        add_rule(ig, f, line, origin);
    }
}

static void read_rules(struct ignore *ig, struct rule_file *f, const char *path, const char *shown)
{
    struct strbuf text;
    strbuf_init(&text);
    if (fs_read(path, IGNORE_MAX_BYTES, &text, NULL) == 0) {
        parse_rules(ig, f, strbuf_str(&text), shown);
    }
    strbuf_release(&text);
}

static void add_built_in(struct ignore *ig, const char *const *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_rule(ig, ig->base, str_from(patterns[i]), arena_printf(&ig->arena, ":%s", patterns[i]));
    }
}

static struct ignore *ignore_make(const char *root, bool is_git)
{
    struct ignore *ig = xcalloc(1, sizeof *ig);
    arena_init(&ig->arena);
    pthread_mutex_init(&ig->lock, NULL);
    ig->root = arena_strdup(&ig->arena, root);
    ig->is_git = is_git;
    ig->file_name = is_git ? ".gitignore" : ".dvcignore";
    ig->base = xcalloc(1, sizeof *ig->base);
    return ig;
}

struct ignore *ignore_new(const char *root)
{
    return ignore_new_files(root, NULL);
}

struct ignore *ignore_new_files(const char *root, const struct repo_files *files)
{
    static const char *const built_in[] = {".hg/", ".git/", ".git", ".dvc/"};
    struct ignore *ig = ignore_make(root, false);
    ig->files = files;
    add_built_in(ig, built_in, ARRAY_SIZE(built_in));
    return ig;
}

/* core.excludesFile of one git config file, or NULL. Only the plain form is understood. */
static const char *excludes_file(struct arena *a, const char *config)
{
    struct strbuf text;
    strbuf_init(&text);
    const char *found = NULL;
    bool in_core = false;
    if (fs_read(config, (size_t)1 << 20, &text, NULL) == 0) {
        struct str rest = strbuf_str(&text), line;
        while (rest.n > 0 && str_split(&rest, '\n', &line)) {
            line = str_trim(line);
            if (line.n > 0 && *line.p == '[') {
                in_core = line.n >= 6 && strncasecmp(line.p, "[core]", 6) == 0;
            } else if (in_core && line.n > 12 && strncasecmp(line.p, "excludesfile", 12) == 0) {
                const char *eq = memchr(line.p, '=', line.n);
                if (eq != NULL) {
                    struct str v =
                        str_trim((struct str){eq + 1, line.n - (size_t)(eq + 1 - line.p)});
                    if (v.n >= 2 && *v.p == '"' && v.p[v.n - 1] == '"') {
                        v = str_sub(v, 1, v.n - 2);
                    }
                    found = arena_str(a, v).p;
                }
            }
        }
    }
    strbuf_release(&text);
    return found;
}

static void read_user_excludes(struct ignore *ig)
{
    struct arena *a = &ig->arena;
    const char *home = getenv("HOME");
    const char *xdg = getenv("XDG_CONFIG_HOME");
    const char *dir = xdg != NULL && xdg[0] == '/' ? xdg
                      : home != NULL               ? path_join(a, home, ".config")
                                                   : NULL;
    const char *file = dir != NULL ? path_join(a, dir, "git/ignore") : NULL;
    const char *configs[3] = {dir != NULL ? path_join(a, dir, "git/config") : NULL,
                              home != NULL ? path_join(a, home, ".gitconfig") : NULL,
                              path_join(a, ig->root, ".git/config")};
    for (size_t i = 0; i < 3; i++) {
        const char *set = configs[i] != NULL ? excludes_file(a, configs[i]) : NULL;
        if (set != NULL) {
            file = set[0] == '~' && set[1] == '/' && home != NULL ? path_join(a, home, set + 2)
                                                                  : path_absolute(a, ig->root, set);
        }
    }
    if (file != NULL) {
        read_rules(ig, ig->base, file, NULL);
    }
}

struct ignore *ignore_new_git(const char *root)
{
    static const char *const built_in[] = {".git"};
    struct ignore *ig = ignore_make(root, true);
    add_built_in(ig, built_in, 1);
    read_user_excludes(ig);
    read_rules(ig, ig->base, path_join(&ig->arena, root, ".git/info/exclude"), NULL);
    return ig;
}

void ignore_free(struct ignore *ig)
{
    if (ig == NULL) {
        return;
    }
    struct node *n, *tmp;
    HASH_ITER(hh, ig->nodes, n, tmp)
    {
        HASH_DEL(ig->nodes, n);
        rule_file_free(n->file);
        free(n);
    }
    rule_file_free(ig->base);
    pthread_mutex_destroy(&ig->lock);
    arena_release(&ig->arena);
    free(ig);
}

/* ---- looking up ---- */

/*
 * The rule of one file that decides, or NULL. The last match wins; among neighbouring rules of one
 * kind (excluding or not, folders only or not) DVC names the first that matches, since it joins
 * them into one expression.
 */
static const struct rule *decide(const struct rule_file *f, struct str path, bool is_dir)
{
    const char *slash = memrchr(path.p, '/', path.n);
    struct str name =
        slash == NULL ? path : (struct str){slash + 1, path.n - (size_t)(slash + 1 - path.p)};
    size_t best = (size_t)-1;
    struct name_entry *entry;
    HASH_FIND(hh, f->names, name.p, name.n, entry);
    for (size_t k = entry != NULL ? entry->count : 0; k-- > 0 && best == (size_t)-1;) {
        if (ignore_pattern_test(&f->rules[entry->rules[k]].pattern, path, is_dir)) {
            best = entry->rules[k];
        }
    }
    for (size_t k = f->glob_count; k-- > 0;) {
        if (best != (size_t)-1 && f->globs[k] < best) {
            break;
        }
        if (ignore_pattern_test(&f->rules[f->globs[k]].pattern, path, is_dir)) {
            best = f->globs[k];
            break;
        }
    }
    if (best == (size_t)-1) {
        return NULL;
    }
    const struct rule *r = &f->rules[best], *first = r;
    while (!r->pattern.negated && r > f->rules && r[-1].pattern.negated == r->pattern.negated &&
           r[-1].pattern.dir_only == r->pattern.dir_only && f->rules + best - r < 64) {
        r--;
        if (ignore_pattern_test(&r->pattern, path, is_dir)) {
            first = r;
        }
    }
    return first;
}

/* The rule that decides about an entry of folder `n`; `path` is relative to the root. */
static const struct rule *decide_in(struct ignore *ig, struct node *n, struct str path, bool is_dir)
{
    for (; n != NULL; n = n->parent) {
        if (n->file == NULL) {
            continue;
        }
        struct str below = str_sub(path, n->dir_size, path.n - n->dir_size);
        const struct rule *r = decide(n->file, below, is_dir);
        if (r != NULL) {
            return r;
        }
    }
    return decide(ig->base, path, is_dir);
}

/* The text of a folder's rule file; -1 when there is none. */
static int read_rule_file(struct ignore *ig, const char *rel, struct strbuf *text)
{
    if (ig->files != NULL) {
        return ig->files->read(ig->files->ctx, rel, text, NULL);
    }
    struct arena a;
    arena_init(&a);
    int rc = fs_read(path_join(&a, ig->root, rel), IGNORE_MAX_BYTES, text, NULL);
    arena_release(&a);
    return rc;
}

static void read_node_file(struct ignore *ig, struct node *n)
{
    n->file_read = true;
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text);
    const char *rel = path_join(&a, n->dir, ig->file_name);
    if (read_rule_file(ig, rel, &text) == 0) {
        n->file = xcalloc(1, sizeof *n->file);
        parse_rules(ig, n->file, strbuf_str(&text), arena_strdup(&ig->arena, rel));
    }
    strbuf_release(&text);
    arena_release(&a);
}

/* A repository of its own below this one is none of our business. */
static bool is_sub_repo(struct ignore *ig, const char *dir)
{
    if (ig->is_git) {
        return false;
    }
    struct arena a;
    arena_init(&a);
    const char *dvc = path_join(&a, dir, ".dvc");
    bool yes = ig->files != NULL ? ig->files->is_dir(ig->files->ctx, dvc)
                                 : fs_is_dir(path_join(&a, ig->root, dvc));
    arena_release(&a);
    return yes;
}

static struct node *node_get(struct ignore *ig, struct str dir)
{
    struct node *n;
    HASH_FIND(hh, ig->nodes, dir.p, dir.n, n);
    if (n != NULL) {
        if (!n->file_read && !n->ignored) {
            read_node_file(ig, n);
        }
        return n;
    }
    bool is_root = str_is(dir, ".");
    struct node *parent = NULL;
    if (!is_root) {
        const char *slash = memrchr(dir.p, '/', dir.n);
        parent =
            node_get(ig, slash != NULL ? (struct str){dir.p, (size_t)(slash - dir.p)} : STR("."));
    }
    n = xcalloc(1, sizeof *n);
    n->dir = arena_str(&ig->arena, dir).p;
    n->dir_size = is_root ? 0 : dir.n + 1;
    n->parent = parent;
    if (parent != NULL) {
        const struct rule *r = parent->ignored ? NULL : decide_in(ig, parent, dir, true);
        n->ignored =
            parent->ignored || (r != NULL && !r->pattern.negated) || is_sub_repo(ig, n->dir);
    }
    if (!n->ignored) {
        read_node_file(ig, n);
    }
    HASH_ADD_KEYPTR(hh, ig->nodes, n->dir, dir.n, n);
    return n;
}

static bool is_outside(const char *path)
{
    return path[0] == '/' || strcmp(path, ".") == 0 || strcmp(path, "..") == 0 ||
           strncmp(path, "../", 3) == 0 || path[0] == 0;
}

static struct node *parent_node(struct ignore *ig, const char *path)
{
    const char *slash = strrchr(path, '/');
    return node_get(ig, slash != NULL ? (struct str){path, (size_t)(slash - path)} : STR("."));
}

bool ignore_match(struct ignore *ig, const char *path, bool is_dir)
{
    if (is_outside(path)) {
        return false;
    }
    pthread_mutex_lock(&ig->lock);
    struct node *n = parent_node(ig, path);
    bool yes = n->ignored;
    if (!yes) {
        const struct rule *r = decide_in(ig, n, str_from(path), is_dir);
        yes = (r != NULL && !r->pattern.negated) || (is_dir && is_sub_repo(ig, path));
    }
    pthread_mutex_unlock(&ig->lock);
    return yes;
}

bool ignore_match_entry(struct ignore *ig, const char *path, bool is_dir)
{
    return ignore_match(ig, path, is_dir);
}

bool ignore_explain(struct ignore *ig, const char *path, bool is_dir, struct arena *a,
                    const struct ignore_rule ***rules, size_t *count)
{
    *count = 0;
    *rules = ARENA_ARRAY(a, 1, const struct ignore_rule *);
    if (is_outside(path)) {
        return false;
    }
    pthread_mutex_lock(&ig->lock);
    const struct rule *r = NULL;
    size_t size = strlen(path);
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != 0) {
            continue;
        }
        char *prefix = arena_strndup(a, path, i);
        r = decide_in(ig, parent_node(ig, prefix), str_from(prefix), i < size || is_dir);
        if (r != NULL && !r->pattern.negated) {
            break;
        }
    }
    if (r != NULL) {
        (*rules)[(*count)++] = &r->shown;
    }
    bool yes = r != NULL && !r->pattern.negated;
    if (!yes && is_dir && is_sub_repo(ig, path)) {
        struct ignore_rule *sub = ARENA_NEW(a, struct ignore_rule);
        sub->origin = arena_printf(a, "in sub_repo:%s", path_basename(path));
        sub->pattern = arena_printf(a, "/%s/", path_basename(path));
        (*rules)[0] = sub;
        *count = 1;
        yes = true;
    }
    pthread_mutex_unlock(&ig->lock);
    return yes;
}

void ignore_forget(struct ignore *ig, const char *dir)
{
    pthread_mutex_lock(&ig->lock);
    struct node *n;
    HASH_FIND(hh, ig->nodes, dir, strlen(dir), n);
    if (n != NULL) {
        rule_file_free(n->file);
        n->file = NULL;
        n->file_read = false;
    }
    pthread_mutex_unlock(&ig->lock);
}
