/* gitsource_show: what `list` prints of another repository, see gitsource.h. */
#include "gitsource.h"

#include "alloc.h"
#include "dataindex.h"
#include "err.h"
#include "graph.h"
#include "path.h"
#include "str.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

static const char *below(const char *base, const char *path)
{
    if (strcmp(base, ".") == 0) {
        return path;
    }
    return path_inside(base, path) && strcmp(base, path) != 0 ? path + strlen(base) + 1 : NULL;
}

static size_t depth_of(const char *rel)
{
    size_t n = 1;
    for (; *rel; rel++) {
        n += *rel == '/';
    }
    return n;
}

static struct value *entry_value(struct arena *a, const struct gitsource_entry *f, const char *path)
{
    struct value *v = value_map(a);
    value_set(a, v, "isout", value_bool(a, f->is_out));
    value_set(a, v, "isdir", value_bool(a, f->is_dir));
    value_set(a, v, "isexec", value_bool(a, f->isexec));
    value_set(a, v, "size", f->size >= 0 ? value_int(a, f->size) : value_null(a));
    value_set(a, v, "md5", f->md5 ? value_cstr(a, f->md5) : value_null(a));
    value_set(a, v, "path", value_cstr(a, path));
    return v;
}

static struct str path_of(const struct value *v)
{
    return value_as_str(value_get(v, "path"));
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(path_of(*(struct value *const *)a), path_of(*(struct value *const *)b));
}

/* For trees: what a folder holds right behind it. */
static int by_place(const void *a, const void *b)
{
    return dataindex_compare(path_of(*(struct value *const *)a).p,
                             path_of(*(struct value *const *)b).p);
}

/* The folder that stands for everything deeper; once. */
static void add_folder(struct arena *a, struct value *list, struct value *seen, const char *name,
                       int64_t size)
{
    struct value *v = value_get(seen, name);
    if (!v) {
        v = entry_value(a, &(struct gitsource_entry){.is_dir = true, .size = 0}, name);
        value_set(a, seen, name, v);
        value_push(a, list, v);
    }
    struct value *sum = value_get(v, "size");
    if (sum->type == VALUE_INT && size > 0) {
        sum->i += size;
    }
}

/* All lines: files, and folders at the depth where the list ends. `folders`: at every depth (tree).
 */
static struct value *collect(struct gitsource *g, const struct gitsource_list *l,
                             const struct gitsource_show *show, const char *base, bool folders)
{
    struct arena *a = g->arena;
    struct value *list = value_list(a), *seen = value_map(a);
    size_t limit = !show->recursive && !show->tree ? 1
                   : show->level > 0               ? (size_t)show->level
                                                   : SIZE_MAX;
    for (size_t i = 0; i < l->count; i++) {
        const struct gitsource_entry *f = &l->items[i];
        const char *rel = below(base, f->path);
        if (!rel || (show->dvc_only && !f->is_out)) {
            continue;
        }
        size_t depth = depth_of(rel), at = 0;
        for (size_t n = 1; n < depth && n <= limit; n++) {
            at += strcspn(rel + at, "/") + 1;
            if (folders || n == limit) {
                add_folder(a, list, seen, arena_strndup(a, rel, at - 1), f->is_dir ? 0 : f->size);
            }
        }
        bool shown = depth <= limit && (!f->is_dir || folders || depth == limit);
        if (shown && !value_get(seen, rel)) {
            struct value *v = entry_value(a, f, rel);
            value_push(a, list, v);
            if (f->is_dir) {
                value_set(a, seen, rel, v);
            }
        }
    }
    if (list->list.count) {
        qsort(list->list.items, list->list.count, sizeof(*list->list.items),
              folders ? by_place : by_name);
    }
    return list;
}

static const struct gitsource_entry *find_file(const struct gitsource_list *l, const char *path)
{
    for (size_t i = 0; i < l->count; i++) {
        if (!l->items[i].is_dir && strcmp(l->items[i].path, path) == 0) {
            return &l->items[i];
        }
    }
    return NULL;
}

static bool exists(const struct gitsource_list *l, const char *path)
{
    bool any = strcmp(path, ".") == 0;
    for (size_t i = 0; !any && i < l->count; i++) {
        any = path_inside(path, l->items[i].path);
    }
    return any;
}

static int list_value(struct gitsource *g, const struct gitsource_list *l,
                      const struct gitsource_show *show, bool folders, struct value **answer,
                      struct err *e)
{
    const char *base = path_normal(g->arena, show->path && *show->path ? show->path : ".");
    const struct gitsource_entry *file = find_file(l, base);
    if (!exists(l, base)) {
        return err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'",
                       repo_abs(&g->repo, g->arena, base));
    }
    *answer = value_list(g->arena);
    if (file) {
        value_push(g->arena, *answer, entry_value(g->arena, file, path_basename(base)));
    } else {
        *answer = collect(g, l, show, base, folders);
    }
    return 0;
}

int gitsource_json(struct gitsource *g, const struct gitsource_list *list,
                   const struct gitsource_show *show, struct value **answer, struct err *e)
{
    return list_value(g, list, show, false, answer, e);
}

/* ---- text ---- */

/* "139", "4.00k", "12.3M": three digits, as tqdm writes sizes. */
static const char *size_text(struct arena *a, const struct value *v, bool is_dir)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E", "Z"};
    if (v->type != VALUE_INT || (is_dir && v->i <= 0)) {
        return "";
    }
    if (v->i < 1024) {
        return arena_printf(a, "%lld", (long long)v->i);
    }
    double x = (double)v->i;
    size_t u = 0;
    for (; x >= 999.5 && u + 1 < ARRAY_SIZE(units); u++) {
        x /= 1024;
    }
    int digits = x < 9.995 ? 2 : x < 99.95 ? 1 : 0;
    return arena_printf(a, "%.*f%s", digits, x, units[u]);
}

struct line {
    const char *size, *hash, *name;
};

static void put_lines(struct strbuf *out, const struct gitsource_show *show,
                      const struct line *lines, size_t count)
{
    size_t sizes = 0, hashes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t s = strlen(lines[i].size), h = strlen(lines[i].hash);
        sizes = s > sizes ? s : sizes;
        hashes = h > hashes ? h : hashes;
    }
    for (size_t i = 0; i < count; i++) {
        if (show->size) {
            strbuf_pad(out, ' ', sizes - strlen(lines[i].size));
            strbuf_addf(out, "%s  ", lines[i].size);
        }
        if (show->hash) {
            strbuf_adds(out, lines[i].hash);
            strbuf_pad(out, ' ', hashes - strlen(lines[i].hash) + 2);
        }
        strbuf_addf(out, "%s\n", lines[i].name);
    }
}

/* The bars before a name: for each folder above whether more follows in it. */
static const char *tree_name(struct arena *a, const struct value *list, size_t at)
{
    struct str path = path_of(list->list.items[at]);
    struct strbuf text;
    strbuf_init(&text);
    size_t depth = depth_of(arena_strndup(a, path.p, path.n));
    for (size_t d = 1; d <= depth; d++) {
        size_t cut = 0; /* length of the path's first d-1 parts, with the slash */
        for (size_t n = 1; n < d; n++) {
            cut += strcspn(path.p + cut, "/") + 1;
        }
        size_t own = cut + strcspn(path.p + cut, "/");
        bool more = false;
        for (size_t k = at + 1; k < list->list.count && !more; k++) {
            struct str other = path_of(list->list.items[k]);
            bool sibling = other.n > cut && memcmp(other.p, path.p, cut) == 0;
            bool same = sibling && other.n >= own && memcmp(other.p, path.p, own) == 0 &&
                        (other.n == own || other.p[own] == '/');
            more = sibling && !same;
        }
        strbuf_adds(&text, d == depth ? (more ? "├── " : "└── ") : more ? "│   " : "    ");
    }
    strbuf_adds(&text, path_basename(arena_strndup(a, path.p, path.n)));
    const char *copy = arena_strdup(a, text.p);
    strbuf_release(&text);
    return copy;
}

int gitsource_text(struct gitsource *g, const struct gitsource_list *list,
                   const struct gitsource_show *show, struct strbuf *out, struct err *e)
{
    struct value *v;
    if (list_value(g, list, show, show->tree, &v, e) < 0) {
        return -1;
    }
    size_t n = v->list.count, head = show->tree;
    struct line *lines = ARENA_ARRAY(g->arena, n + 1, struct line);
    lines[0] = (struct line){"", "-",
                             show->heading               ? show->heading
                             : show->path && *show->path ? show->path
                                                         : "."};
    for (size_t i = 0; i < n; i++) {
        const struct value *item = v->list.items[i];
        struct str md5 = value_as_str(value_get(item, "md5"));
        lines[head + i] = (struct line){
            size_text(g->arena, value_get(item, "size"), value_get(item, "isdir")->b),
            md5.n > 0 ? md5.p : "-", show->tree ? tree_name(g->arena, v, i) : path_of(item).p};
    }
    put_lines(out, show, lines, head + n);
    return 0;
}

/* ---- sizes ---- */

/* As DVC: what describes tracked data does not count. */
static bool is_counted(const struct gitsource_entry *f)
{
    const char *name = path_basename(f->path);
    return f->is_dir || (!graph_is_pipeline_name(name) && strcmp(name, ".dvcignore") != 0);
}

/* Adds to the size of the first folder or file of `rel`. */
static void add_size(struct arena *a, struct value *sizes, const char *rel, int64_t size)
{
    const char *name = arena_strndup(a, rel, strcspn(rel, "/"));
    struct value *sum = value_get(sizes, name);
    if (!sum) {
        value_set(a, sizes, name, sum = value_int(a, 0));
    }
    sum->i += size;
}

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct value_pair *)a)->key->s, ((const struct value_pair *)b)->key->s);
}

/* The size of everything below `base`; *sizes: of each entry there, by name. */
static int64_t sum_sizes(struct arena *a, const struct gitsource_list *list, const char *base,
                         struct value *sizes)
{
    int64_t total = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct gitsource_entry *f = &list->items[i];
        bool known = f->size > 0 && (!f->is_dir || f->unread);
        const char *rel = below(base, f->path);
        if (is_counted(f) && (rel || strcmp(base, f->path) == 0)) {
            total += known ? f->size : 0;
            if (rel) {
                add_size(a, sizes, rel, known ? f->size : 0);
            }
        }
    }
    if (sizes->map.count > 0) {
        qsort(sizes->map.pairs, sizes->map.count, sizeof(*sizes->map.pairs), by_key);
    }
    return total;
}

static void put_sizes(struct strbuf *out, const struct line *lines, size_t count)
{
    size_t width = 0;
    for (size_t i = 0; i < count; i++) {
        width = strlen(lines[i].size) > width ? strlen(lines[i].size) : width;
    }
    for (size_t i = 0; i < count; i++) {
        strbuf_adds(out, lines[i].size);
        strbuf_pad(out, ' ', lines[i].name[0] ? width - strlen(lines[i].size) + 2 : 0);
        strbuf_addf(out, "%s\n", lines[i].name);
    }
}

int gitsource_du(struct gitsource *g, const struct gitsource_list *list, const char *typed,
                 bool total, struct strbuf *out, struct err *e)
{
    struct arena *a = g->arena;
    const char *base = g->path ? g->path : ".";
    if (!exists(list, base)) {
        return err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'",
                       repo_abs(&g->repo, a, base));
    }
    struct value *sizes = value_map(a);
    int64_t sum = sum_sizes(a, list, base, sizes);
    size_t n = total ? 0 : sizes->map.count;
    struct line *lines = ARENA_ARRAY(a, n + 1, struct line);
    for (size_t i = 0; i < n; i++) {
        const char *name = sizes->map.pairs[i].key->s.p;
        lines[i].size = size_text(a, sizes->map.pairs[i].val, false);
        lines[i].name = typed && *typed ? arena_printf(a, "%s/%s", typed, name) : name;
    }
    lines[n].size = size_text(a, value_int(a, sum), false);
    lines[n].name = typed ? typed : "";
    put_sizes(out, lines, n + 1);
    return 0;
}
