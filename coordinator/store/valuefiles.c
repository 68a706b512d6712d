/* See valuefiles.h. */
#include "valuefiles.h"

#include "cas.h"
#include "err.h"
#include "fs.h"
#include "graph.h"
#include "ignore.h"
#include "metrics.h"
#include "params.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "revision.h"
#include "revwalk.h"
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_BYTES ((size_t)64 << 20)

/* ---- trouble, by the names that DVC gives it ---- */

static struct value *new_error(struct arena *a, const char *type, const char *msg)
{
    struct value *error = value_map(a), *entry = value_map(a);
    value_set(a, error, "type", value_cstr(a, type));
    value_set(a, error, "msg", value_cstr(a, msg));
    value_set(a, entry, "error", error);
    return entry;
}

/* A side whose pipeline cannot be read. DVC's message has the first line of ours, or for broken YAML the
 * words of its reader. */
static struct value *failed_side(struct store *s, struct arena *a, const struct valuefiles_query *q,
                                 const char *label, const struct err *why)
{
    static const char invalid[] = "' is invalid", failed[] = "' validation failed";
    const char *type = "DvcException", *msg = why->text, *at;
    if (why->text[0] == '\'' && (at = strstr(why->text, invalid)) != NULL) {
        const char *name = strncmp(why->text, "'./", 3) == 0 ? why->text + 3 : why->text + 1;
        type = "YAMLSyntaxError";
        msg = arena_printf(a, "unable to read: '%.*s', YAML file structure is corrupted",
                           (int)(at - name), name);
    } else if (why->text[0] == '\'' && (at = strstr(why->text, failed)) != NULL) {
        type = "YAMLValidationError";
        msg = arena_strndup(a, why->text, strcspn(at, "\n") + (size_t)(at - why->text));
        msg = arena_strndup(a, msg, strlen(msg) - (str_ends(str_from(msg), ".") ? 1 : 0));
    } else if (strncmp(why->text, "failed to parse", 15) == 0) {
        type = "ResolveError";
    }
    if (!q->quiet) {
        store_note(s, STORE_NOTE_WARN, "failed to load %s in revision '%s', %s",
                   q->params ? "params" : "metrics", label, msg);
    }
    return new_error(a, type, msg);
}

static struct value *corrupt_file(struct store *s, struct arena *a, const char *path, bool quiet,
                                  const struct err *why)
{
    static const struct {
        const char *extension, *type;
    } kinds[] = {{".json", "JSONFileCorruptedError"},
                 {".toml", "TOMLFileCorruptedError"},
                 {".py", "PythonFileCorruptedError"}};
    const char *type = "YAMLFileCorruptedError";
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcasecmp(path_extension(path), kinds[i].extension) == 0) {
            type = kinds[i].type;
        }
    }
    if (!quiet) {
        store_note(s, STORE_NOTE_WARN, "%s", why->text);
    }
    return new_error(a, why->code == ERR_FORMAT ? type : "OSError", why->text);
}

/* ---- one file ---- */

/* The tracked output that is `path`, or the folder that holds it; NULL when none. */
static const struct out *find_out(const struct pipeline *p, const char *path,
                                  const struct stage **stage, size_t *index)
{
    for (size_t i = 0; i < p->stage_count; i++) {
        for (size_t k = 0; k < p->stages[i].out_count; k++) {
            const struct out *o = &p->stages[i].outs[k];
            if (o->cache && path_inside(o->path, path)) {
                *stage = &p->stages[i];
                *index = k;
                return o;
            }
        }
    }
    return NULL;
}

/* From the cache, by what the side's lock file records. */
static int read_object(struct store *s, struct arena *a, const struct out *o,
                       const struct stage *st, size_t index, const char *path, struct strbuf *text,
                       struct err *e)
{
    struct hash h;
    struct dirobj tree;
    if (store_recorded(s, st, index, &h, NULL) < 0 || !h.md5 || !cas_md5_valid(h.md5)) {
        return err_set(e, ERR_MISSING, "[Errno 2] No storage files available: '%s'", path);
    }
    struct cas_id id = {h.md5, h.legacy};
    if (strcmp(o->path, path) == 0 && strlen(h.md5) != 32) {
        err_set(e, ERR_MISSING, "[Errno 21] Is a directory: '%s'", path);
        e->detail = EISDIR;
        return -1;
    }
    if (strcmp(o->path, path) != 0) {
        if (cas_read_dir(s->cas, a, id, &tree, NULL) < 0) {
            return dirobj_unlisted(o->path, e);
        }
        const struct dirobj_item *item = dirobj_find(&tree, path + strlen(o->path) + 1);
        id.md5 = item ? item->md5 : "";
    }
    if (strlen(id.md5) != 32 || !cas_has(s->cas, id, false)) {
        return err_set(e, ERR_MISSING, "[Errno 2] No storage files available: '%s'", path);
    }
    return fs_read(cas_object_path(s->cas, a, id), MAX_BYTES, text, e);
}

/* Not in the workspace: from the cache, where an output that is kept there holds it. */
static int read_kept(struct store *s, struct arena *a, const struct pipeline *p, const char *path,
                     struct strbuf *text, struct err *e)
{
    const struct stage *st;
    size_t index;
    const struct out *o = p ? find_out(p, path, &st, &index) : NULL;
    *e = (struct err)ERR_INIT;
    return o ? read_object(s, a, o, st, index, path, text, e)
             : err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'", path);
}

/* How the answer names a file. */
static const char *shown_path(struct store *s, struct arena *a, const struct valuefiles_query *q,
                              const char *path)
{
    return q->from_root ? path : repo_show(s->repo, a, path);
}

static struct value *read_entry(struct store *s, struct arena *a, const struct valuefiles_query *q,
                                const struct pipeline *p, const char *path,
                                const struct value *keys, struct strbuf *text)
{
    struct err e = ERR_INIT;
    int rc = repo_read(s->repo, path, MAX_BYTES, text, &e);
    if (rc < 0 && !s->repo->files && fs_is_dir(repo_abs(s->repo, a, path))) {
        return new_error(a, "IsADirectoryError",
                         arena_printf(a, "[Errno 21] Is a directory: '%s'", path));
    }
    if (rc < 0 && e.code == ERR_MISSING && (rc = read_kept(s, a, p, path, text, &e)) < 0) {
        return new_error(a,
                         e.detail == EISDIR    ? "IsADirectoryError"
                         : e.detail == ENODATA ? "DataIndexDirError"
                                               : "FileNotFoundError",
                         e.text);
    }
    const char *shown = shown_path(s, a, q, path);
    struct value *doc = rc == 0 ? params_parse(a, strbuf_str(text), shown, &e) : NULL;
    if (!doc) {
        return corrupt_file(s, a, path, q->quiet, &e);
    }
    struct value *entry = value_map(a);
    value_set(a, entry, "data", keys ? params_project(a, doc, keys) : metrics_extract(a, doc));
    return entry;
}

/* ---- folders: every file below them, of the work tree or revision and of tracked data ---- */

struct expansion {
    struct store *s;
    struct arena *a;
    const char *dir;     /* repo path */
    struct value *found; /* repo path -> null */
};

static bool is_below(const char *dir, const char *path)
{
    return strcmp(dir, ".") == 0 || (strcmp(dir, path) != 0 && path_inside(dir, path));
}

static void add_found(struct expansion *x, const char *path)
{
    if (is_below(x->dir, path)) {
        value_set(x->a, x->found, path, value_null(x->a));
    }
}

/* As DVC: what describes tracked data is no data. */
static bool is_pipeline_file(const char *name)
{
    return graph_is_pipeline_name(name) || strcmp(name, ".dvcignore") == 0;
}

static bool is_ignored(const struct expansion *x, const char *path, bool is_dir)
{
    return x->s->repo->ignore && ignore_match_entry(x->s->repo->ignore, path, is_dir);
}

static int find_on_disk(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct expansion *x = ctx;
    bool is_dir = S_ISDIR(entry->st.st_mode);
    const char *path = path_join(x->a, x->dir, entry->path);
    (void)e;
    if (is_ignored(x, path, is_dir)) {
        return is_dir ? 1 : 0;
    }
    if (!is_dir && !is_pipeline_file(path_basename(path))) {
        add_found(x, path);
    }
    return 0;
}

struct viewed {
    struct expansion *x;
    const char *dir;
};

static void find_in_view(void *ctx, const char *name, bool is_dir)
{
    const struct viewed *v = ctx;
    struct expansion *x = v->x;
    const char *path = path_join(x->a, v->dir, name);
    if (is_ignored(x, path, is_dir)) {
        return;
    }
    if (is_dir) {
        const struct repo_files *files = x->s->repo->files;
        files->list(files->ctx, path, find_in_view, &(struct viewed){x, path}, NULL);
    } else if (!is_pipeline_file(name)) {
        add_found(x, path);
    }
}

static void find_tracked(struct expansion *x, const struct stage *st, size_t index)
{
    const struct out *o = &st->outs[index];
    struct hash h;
    struct dirobj tree;
    bool meets = path_inside(o->path, x->dir) || is_below(x->dir, o->path);
    if (!o->cache || !meets || store_recorded(x->s, st, index, &h, NULL) < 0 || !h.md5 ||
        !cas_md5_valid(h.md5)) {
        return;
    }
    if (h.md5[32] == '\0') {
        add_found(x, o->path);
    } else if (cas_read_dir(x->s->cas, x->a, (struct cas_id){h.md5, h.legacy}, &tree, NULL) == 0) {
        for (size_t i = 0; i < tree.count; i++) {
            add_found(x, path_join(x->a, o->path, tree.items[i].relpath));
        }
    }
}

static int compare_keys(const void *a, const void *b)
{
    return str_cmp(((const struct value_pair *)a)->key->s, ((const struct value_pair *)b)->key->s);
}

/* The files of a folder, by name; NULL when the path is none. */
static struct value *files_below(struct store *s, struct arena *a, const struct pipeline *p,
                                 const char *dir)
{
    const struct repo_files *files = s->repo->files;
    const char *abs = repo_abs(s->repo, a, dir);
    struct expansion x = {s, a, dir, value_map(a)};
    bool is_dir = files ? files->is_dir(files->ctx, dir) : fs_is_dir(abs);
    if (is_dir && files) {
        files->list(files->ctx, dir, find_in_view, &(struct viewed){&x, dir}, NULL);
    } else if (is_dir) {
        fs_walk(abs, find_on_disk, &x, NULL);
    }
    for (size_t i = 0; p && i < p->stage_count; i++) {
        for (size_t k = 0; k < p->stages[i].out_count; k++) {
            find_tracked(&x, &p->stages[i], k);
        }
    }
    if (!is_dir && x.found->map.count == 0) {
        return NULL;
    }
    /* a map made anew, since sorting leaves an index behind */
    struct value *sorted = value_map(a);
    struct value_pair *pairs = x.found->map.pairs;
    if (x.found->map.count > 0) {
        qsort(pairs, x.found->map.count, sizeof(*pairs), compare_keys);
    }
    for (size_t i = 0; i < x.found->map.count; i++) {
        value_append(a, sorted, pairs[i].key, pairs[i].val);
    }
    return sorted;
}

/* Path -> keys, with the files of each folder in its place. */
static struct value *expand(struct store *s, struct arena *a, const struct pipeline *p,
                            const struct value *paths)
{
    struct value *all = value_map(a);
    for (size_t i = 0; i < paths->map.count; i++) {
        const struct value_pair *pair = &paths->map.pairs[i];
        const struct value *files = files_below(s, a, p, value_as_str(pair->key).p);
        for (size_t k = 0; files && k < files->map.count; k++) {
            value_set_key(a, all, files->map.pairs[k].key, pair->val);
        }
        if (!files) {
            value_set_key(a, all, pair->key, pair->val);
        }
    }
    return all;
}

/* ---- one side ---- */

static bool has_default(struct store *s)
{
    struct strbuf text;
    strbuf_init(&text);
    bool has = repo_read(s->repo, "params.yaml", MAX_BYTES, &text, NULL) == 0;
    strbuf_release(&text);
    return has;
}

/* Map of repo paths; values: for params the list of keys, for metrics NULL-typed. */
static struct value *wanted(struct store *s, struct arena *a, const struct valuefiles_query *q,
                            const struct pipeline *p)
{
    if (q->params && !q->targets) {
        return params_targets(a, p, q->deps_only, has_default(s));
    }
    const struct value *list = q->targets ? q->targets : metrics_targets(a, p);
    struct value *map = value_map(a);
    for (size_t i = 0; i < list->list.count; i++) {
        value_set(a, map, value_as_str(list->list.items[i]).p, value_list(a));
    }
    return map;
}

static struct value *read_files(struct store *s, struct arena *a, const struct valuefiles_query *q,
                                const struct pipeline *p)
{
    struct value *data = value_map(a), *side = value_map(a);
    const struct value *paths = expand(s, a, p, wanted(s, a, q, p));
    for (size_t i = 0; i < paths->map.count; i++) {
        const char *path = value_as_str(paths->map.pairs[i].key).p;
        const struct value *keys = q->params ? paths->map.pairs[i].val : NULL;
        struct strbuf text;
        strbuf_init(&text);
        value_set(a, data, shown_path(s, a, q, path), read_entry(s, a, q, p, path, keys, &text));
        strbuf_release(&text);
    }
    value_set(a, side, "data", data);
    return side;
}

/* `p` may be NULL where the targets are given: they need no pipeline. `label`: as the side is called in messages. */
static struct value *read_side(struct store *s, struct arena *a, const struct valuefiles_query *q,
                               const char *label, const struct pipeline *p)
{
    struct err why = ERR_INIT;
    if (!q->targets && store_check_locks(s, p, &why) < 0) {
        return failed_side(s, a, q, label, &why);
    }
    return read_files(s, a, q, p);
}

struct value *valuefiles_side(struct store *s, struct arena *a, const struct valuefiles_query *q,
                              const char *label, const struct pipeline *p, const struct err *why)
{
    return why && !q->targets ? failed_side(s, a, q, label, why) : read_side(s, a, q, label, p);
}

void valuefiles_workspace(struct store *s, struct arena *a, const struct valuefiles_query *q,
                          const char *label, struct value *result)
{
    struct pipeline p;
    struct err why = ERR_INIT;
    if (pipeline_load(&p, s->repo, &why) == 0) {
        for (size_t i = 0; i < p.warning_count; i++) {
            store_note(s, STORE_NOTE_WARN, "%s", p.warnings[i]);
        }
        value_set(a, result, label, read_side(s, a, q, label, &p));
        pipeline_release(&p);
    } else {
        value_set(a, result, label,
                  q->targets ? read_side(s, a, q, label, NULL) : failed_side(s, a, q, label, &why));
    }
}

struct collecting {
    struct store *s;
    struct arena *a;
    const struct valuefiles_query *q;
    struct value *result;
};

static int visit(void *ctx, const struct revwalk_view *view, struct err *e)
{
    (void)e;
    const struct collecting *c = ctx;
    const char *label = view->revision->names;
    value_set(
        c->a, c->result, label,
        valuefiles_side(c->s, c->a, c->q, label, view->why ? NULL : &view->pipeline, view->why));
    return 0;
}

int valuefiles_revisions(struct store *s, struct arena *a, const struct valuefiles_query *q,
                         const struct revision *revs, size_t count, struct value *result,
                         struct err *e)
{
    struct collecting c = {s, a, q, result};
    return revwalk_each(s, revs, count, REVWALK_TELL, visit, &c, e);
}

struct value *valuefiles_documents(struct arena *a, const struct value *side)
{
    struct value *docs = value_map(a);
    const struct value *data = side ? value_get(side, "data") : NULL;
    for (size_t i = 0; data && i < data->map.count; i++) {
        struct value *doc = value_get(data->map.pairs[i].val, "data");
        if (doc) {
            value_set_key(a, docs, data->map.pairs[i].key, doc);
        }
    }
    return docs;
}

bool valuefiles_has_error(const struct value *side)
{
    const struct value *data = value_get(side, "data");
    for (size_t i = 0; data && i < data->map.count; i++) {
        if (value_get(data->map.pairs[i].val, "error")) {
            return true;
        }
    }
    return !data;
}
