/*
 * struct stage from resolved data. Source: DVC 3.67, dvc/stage/loader.py, dvc/output.py,
 * dvc/dependency (behaviour).
 */
#include "stagebuild.h"

#include "err.h"
#include "ignore.h"
#include "path.h"
#include "repo.h"
#include "schema.h"
#include "stagemeta.h"

#define DEFAULT_PARAMS "params.yaml"
#define MAX_PATH_BYTES                                                                             \
    4096 /* PATH_MAX: longer ones name nothing, and would nest the trie of graph.c */

/* scheme://… as URLs are recognised by DVC's file systems. */
bool stagebuild_is_url(const char *path)
{
    const char *p = path;
    while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
           *p == '+' || *p == '-' || *p == '.') {
        p++;
    }
    return p > path && strncmp(p, "://", 3) == 0;
}

const char *stagebuild_path(const struct repo *r, struct arena *a, const char *wdir,
                            const char *path)
{
    const char *joined = path_join(a, wdir, path);
    if (joined[0] != '/' && strncmp(joined, "..", 2) == 0 && (joined[2] == '/' || !joined[2])) {
        joined = path_absolute(a, r->root, joined);
    }
    if (joined[0] == '/' && path_inside(r->root, joined)) {
        return path_relative(a, r->root, joined);
    }
    return joined;
}

/* As written; an absolute path into the repository is written relative to wdir, as DVC does. */
static const char *def_of(const struct repo *r, struct arena *a, const char *wdir,
                          const char *written, const char *path)
{
    bool inside = written[0] == '/' && path[0] != '/';
    if (!inside) {
        return written;
    }
    const char *from = wdir[0] == '/' ? wdir : path_absolute(a, r->root, wdir);
    return path_relative(a, from, path_absolute(a, r->root, path));
}

static int check_length(const char *path, const char *shown, unsigned line, struct err *e)
{
    return strlen(path) <= MAX_PATH_BYTES
               ? 0
               : err_set(e, ERR_LIMIT, "'%s', line %u: path is longer than %d bytes", shown, line,
                         MAX_PATH_BYTES);
}

static bool is_pipeline_name(const char *path)
{
    size_t n = strlen(path);
    return (n >= 4 && strcmp(path + n - 4, ".dvc") == 0) ||
           strcmp(path_basename(path), "dvc.yaml") == 0;
}

/* A scalar as text: templates may have left numbers where names belong. */
static const char *text_of(struct arena *a, const struct value *v)
{
    if (v->type == VALUE_STR) {
        return v->s.p;
    }
    struct strbuf b;
    strbuf_init(&b);
    value_text(&b, v);
    const char *text = arena_strndup(a, b.p, b.n);
    strbuf_release(&b);
    return text;
}

static bool bool_of(const struct value *map, const char *key, bool unset)
{
    const struct value *v = value_get(map, key);
    return v && v->type == VALUE_BOOL ? v->b : unset;
}

static const char *str_of(const struct value *map, const char *key)
{
    const struct value *v = value_get(map, key);
    return v && v->type == VALUE_STR ? v->s.p : NULL;
}

/* --- commands --------------------------------------------------------------------------------- */

/* Length of the line break at s[i]; 0: none. Python's str.splitlines. */
static size_t line_break(struct str s, size_t i)
{
    unsigned char c = (unsigned char)s.p[i];
    if (c == '\r') {
        return i + 1 < s.n && s.p[i + 1] == '\n' ? 2 : 1;
    }
    if ((c >= '\n' && c <= '\f') || (c >= 0x1c && c <= 0x1e)) {
        return 1;
    }
    if (c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] == 0x85) {
        return 2;
    }
    bool sep = c == 0xe2 && i + 2 < s.n && (unsigned char)s.p[i + 1] == 0x80 &&
               ((unsigned char)s.p[i + 2] & 0xfe) == 0xa8;
    return sep ? 3 : 0;
}

static void split_lines(struct arena *a, struct str s, const char ***lines, size_t *count)
{
    size_t n = 1;
    for (size_t i = 0; i < s.n; i++) {
        n += line_break(s, i) > 0;
    }
    *lines = ARENA_ARRAY(a, n, const char *);
    *count = 0;
    size_t start = 0;
    for (size_t i = 0; i < s.n;) {
        size_t cut = line_break(s, i);
        if (cut) {
            (*lines)[(*count)++] = arena_strndup(a, s.p + start, i - start);
            start = i + cut;
        }
        i += cut ? cut : 1;
    }
    if (start < s.n) {
        (*lines)[(*count)++] = arena_strndup(a, s.p + start, s.n - start);
    }
}

static int build_cmd(const struct stagebuild *b, const struct value *body, struct stage *s,
                     struct err *e)
{
    const struct value *cmd = value_get(body, "cmd");
    if (cmd->type == VALUE_MAP) {
        return err_set(e, ERR_FORMAT,
                       "failed to parse 'stages.%s.cmd' in '%s':\nCannot interpolate data of type "
                       "'dict'",
                       s->name, b->shown);
    }
    if (cmd->type != VALUE_LIST) {
        s->cmd_text = text_of(b->arena, cmd);
        split_lines(b->arena, str_from(s->cmd_text), &s->cmds, &s->cmd_count);
        return 0;
    }
    s->cmd_is_list = true;
    s->cmds = ARENA_ARRAY(b->arena, cmd->list.count + 1, const char *);
    for (size_t i = 0; i < cmd->list.count; i++) {
        if (!value_is_scalar(cmd->list.items[i])) {
            return err_set(e, ERR_FORMAT, "'%s': stage '%s': cmd: expected str at item %zu, got %s",
                           b->shown, s->name, i, value_type_name(cmd->list.items[i]->type));
        }
        s->cmds[s->cmd_count++] = text_of(b->arena, cmd->list.items[i]);
    }
    return 0;
}

/* --- dependencies and params ------------------------------------------------------------------ */

static int build_dep(const struct stagebuild *b, const struct stage *s, const char *written,
                     unsigned line, struct dep *d, struct err *e)
{
    *d = (struct dep){.def = written, .path = written, .line = line};
    d->hash = (struct hash){.size = -1, .nfiles = -1};
    d->is_url = stagebuild_is_url(written);
    if (!d->is_url) {
        d->path = stagebuild_path(b->repo, b->arena, s->wdir, written);
        d->def = def_of(b->repo, b->arena, s->wdir, written, d->path);
    }
    if (is_pipeline_name(written)) {
        return err_set(e, ERR_FORMAT, "DVC file '%s' cannot be a dependency.", written);
    }
    return check_length(d->path, b->shown, line, e);
}

static int build_deps(const struct stagebuild *b, const struct value *list, struct stage *s,
                      struct err *e)
{
    size_t n = list ? list->list.count : 0;
    s->deps = ARENA_ARRAY(b->arena, n + 1, struct dep);
    for (size_t i = 0; i < n; i++) {
        const struct value *v = list->list.items[i];
        if (build_dep(b, s, text_of(b->arena, v), v->line, &s->deps[i], e) < 0) {
            return -1;
        }
        s->dep_count++;
    }
    return 0;
}

/* Python's truth of what stands behind a params file. */
static bool names_keys(const struct value *v)
{
    return !(v->type == VALUE_NULL || (v->type == VALUE_LIST && v->list.count == 0) ||
             (v->type == VALUE_STR && v->s.n == 0) || (v->type == VALUE_MAP && v->map.count == 0) ||
             (v->type == VALUE_BOOL && !v->b) || (v->type == VALUE_INT && v->i == 0));
}

/* file -> list of keys, in order of first mention; an empty list is the whole file. */
static struct value *merge_params(struct arena *a, const struct value *list, struct err *e)
{
    struct value *whole = value_map(a), *files = value_map(a);
    for (size_t i = 0; i < list->list.count; i++) {
        const struct value *v = list->list.items[i];
        for (size_t k = 0; v->type == VALUE_MAP && k < v->map.count; k++) {
            if (!names_keys(v->map.pairs[k].val)) {
                value_set(a, whole, text_of(a, v->map.pairs[k].key), value_null(a));
            }
        }
    }
    for (size_t i = 0; i < list->list.count; i++) {
        struct value *v = list->list.items[i];
        if (v->type != VALUE_MAP) {
            if (!value_get(whole, DEFAULT_PARAMS)) {
                struct value *keys = value_get(files, DEFAULT_PARAMS);
                if (!keys) {
                    value_set(a, files, DEFAULT_PARAMS, keys = value_list(a));
                }
                value_push(a, keys, v);
            }
            continue;
        }
        for (size_t k = 0; k < v->map.count; k++) {
            const char *file = text_of(a, v->map.pairs[k].key);
            const struct value *named = v->map.pairs[k].val;
            struct value *keys = value_get(files, file);
            if (!keys) {
                value_set(a, files, file, keys = value_list(a));
            }
            if (value_get(whole, file)) {
                continue;
            }
            if (named->type != VALUE_LIST) {
                err_set(e, ERR_FORMAT,
                        "Expected list of params for custom params file '%s', got '%s'.", file,
                        value_type_name(named->type));
                return NULL;
            }
            for (size_t n = 0; n < named->list.count; n++) {
                value_push(a, keys, named->list.items[n]);
            }
        }
    }
    return files;
}

static int build_params(const struct stagebuild *b, const struct value *list, struct stage *s,
                        struct err *e)
{
    if (!list) {
        return 0;
    }
    const struct value *files = merge_params(b->arena, list, e);
    if (!files) {
        return -1;
    }
    s->params = ARENA_ARRAY(b->arena, files->map.count + 1, struct param_dep);
    for (size_t i = 0; i < files->map.count; i++) {
        struct param_dep *p = &s->params[s->param_count];
        const struct value *keys = files->map.pairs[i].val;
        const char *written = files->map.pairs[i].key->s.p;
        if (is_pipeline_name(written)) {
            return err_set(e, ERR_FORMAT, "DVC file '%s' cannot be a dependency.", written);
        }
        p->path = stagebuild_path(b->repo, b->arena, s->wdir, written);
        p->def = def_of(b->repo, b->arena, s->wdir, written, p->path);
        if (check_length(p->path, b->shown, list->line, e) < 0) {
            return -1;
        }
        p->keys = ARENA_ARRAY(b->arena, keys->list.count + 1, const char *);
        for (size_t k = 0; k < keys->list.count; k++) {
            p->keys[p->key_count++] = text_of(b->arena, keys->list.items[k]);
        }
        s->param_count++;
    }
    return 0;
}

/* --- outputs ---------------------------------------------------------------------------------- */

static int check_out(const struct stagebuild *b, const char *written, const char *path,
                     struct err *e)
{
    if (is_pipeline_name(written)) {
        return err_set(e, ERR_FORMAT, "DVC file '%s' cannot be an output.", written);
    }
    if (b->repo->ignore && path[0] != '/' && !stagebuild_is_url(path) &&
        ignore_match(b->repo->ignore, path, false)) {
        const struct ignore_rule **rules;
        size_t n = 0;
        ignore_explain(b->repo->ignore, path, false, b->arena, &rules, &n);
        return err_set(e, ERR_FORMAT, "Path '%s' is ignored by %s",
                       path_absolute(b->arena, b->repo->root, path),
                       n ? rules[n - 1]->origin : ".dvcignore");
    }
    return 0;
}

static int build_out(const struct stagebuild *b, const struct stage *s, const char *written,
                     enum out_kind kind, const struct value *flags, unsigned line, struct out *o,
                     struct err *e)
{
    *o = (struct out){.def = written, .path = written, .kind = kind, .flags = flags, .line = line};
    o->is_url = stagebuild_is_url(written);
    if (!o->is_url) {
        o->path = stagebuild_path(b->repo, b->arena, s->wdir, written);
        o->def = def_of(b->repo, b->arena, s->wdir, written, o->path);
    }
    o->hash = (struct hash){.size = -1, .nfiles = -1};
    o->cache = bool_of(flags, "cache", true);
    o->persist = bool_of(flags, "persist", false);
    o->push = bool_of(flags, "push", true);
    o->remote = str_of(flags, "remote");
    o->desc = str_of(flags, "desc");
    o->type = str_of(flags, "type");
    if (check_length(o->path, b->shown, line, e) < 0) {
        return -1;
    }
    return check_out(b, written, o->path, e);
}

/* path -> flags, in order of first mention; flags of a path that is named twice are joined. */
static struct value *merge_outs(struct arena *a, const struct value *list, struct err *e)
{
    struct value *paths = value_map(a);
    for (size_t i = 0; i < list->list.count; i++) {
        struct value *v = list->list.items[i];
        if (v->type != VALUE_MAP) {
            if (!value_get(paths, text_of(a, v))) {
                struct value *none = value_null(a);
                none->line = v->line;
                value_set(a, paths, text_of(a, v), none);
            }
            continue;
        }
        for (size_t k = 0; k < v->map.count; k++) {
            const char *path = text_of(a, v->map.pairs[k].key);
            struct value *flags = v->map.pairs[k].val;
            const struct value *have = value_get(paths, path);
            if (flags->type != VALUE_MAP) {
                err_set(e, ERR_FORMAT, "Expected dict for '%s', got: '%s'", path,
                        flags->type == VALUE_NULL ? "NoneType" : value_type_name(flags->type));
                return NULL;
            }
            if (have && have->type == VALUE_MAP) {
                struct value *joined = value_copy(a, have);
                for (size_t n = 0; n < flags->map.count; n++) {
                    value_set_key(a, joined, flags->map.pairs[n].key, flags->map.pairs[n].val);
                }
                flags = joined;
            }
            value_set(a, paths, path, flags);
        }
    }
    return paths;
}

static int build_outs(const struct stagebuild *b, const struct value *body, struct stage *s,
                      struct err *e)
{
    static const char *const sections[] = {
#define X(name, text) text,
        OUT_KINDS(X)
#undef X
    };
    enum { KINDS = sizeof(sections) / sizeof(sections[0]) };
    const struct value *paths[KINDS] = {NULL};
    size_t n = 0;
    for (size_t k = 0; k < KINDS; k++) {
        const struct value *list = value_get(body, sections[k]);
        if (list && !(paths[k] = merge_outs(b->arena, list, e))) {
            return -1;
        }
        n += paths[k] ? paths[k]->map.count : 0;
    }
    s->outs = ARENA_ARRAY(b->arena, n + 1, struct out);
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; paths[k] && i < paths[k]->map.count; i++) {
            const struct value_pair *p = &paths[k]->map.pairs[i];
            const struct value *flags = p->val->type == VALUE_MAP ? p->val : NULL;
            if (build_out(b, s, p->key->s.p, (enum out_kind)k, flags, p->val->line,
                          &s->outs[s->out_count], e) < 0) {
                return -1;
            }
            s->out_count++;
        }
    }
    return 0;
}

/* --- whole stages ----------------------------------------------------------------------------- */

static void start_stage(const struct stagebuild *b, const char *name, const char *wdir,
                        struct stage *s)
{
    *s = (struct stage){.name = name, .file = b->file};
    s->wdir = stagebuild_path(b->repo, b->arena, path_dirname(b->arena, b->file),
                              wdir && *wdir ? wdir : ".");
    s->addr = !name                               ? b->shown
              : strcmp(b->shown, "dvc.yaml") == 0 ? name
                                                  : arena_printf(b->arena, "%s:%s", b->shown, name);
}

int stagebuild_stage(const struct stagebuild *b, const char *name, const char *group,
                     const struct value *body, unsigned line, struct stage *s, struct err *e)
{
    const struct value *wdir = value_get(body, "wdir");
    start_stage(b, name, wdir ? text_of(b->arena, wdir) : NULL, s);
    s->group = group;
    s->line = line;
    s->frozen = bool_of(body, "frozen", false);
    s->always_changed = bool_of(body, "always_changed", false);
    s->desc = str_of(body, "desc");
    s->meta = value_get(body, "meta");
    struct stagemeta_place at = {schema_shown(b->arena, b->shown), name, line};
    if (build_cmd(b, body, s, e) < 0 || build_deps(b, value_get(body, "deps"), s, e) < 0 ||
        build_params(b, value_get(body, "params"), s, e) < 0 || build_outs(b, body, s, e) < 0) {
        return -1;
    }
    return stagemeta_parse(b->arena, value_get(s->meta, "nephron"), &at, &s->nephron, e);
}

static void read_hash(struct arena *a, const struct value *entry, struct hash *h)
{
    const struct value *md5 = value_get(entry, "md5"), *size = value_get(entry, "size"),
                       *nfiles = value_get(entry, "nfiles");
    *h = (struct hash){.size = -1, .nfiles = -1};
    if (md5 && md5->type != VALUE_NULL && !(md5->type == VALUE_STR && md5->s.n == 0)) {
        h->md5 = text_of(a, md5);
    }
    h->size = size && size->type == VALUE_INT ? size->i : -1;
    h->nfiles = nfiles && nfiles->type == VALUE_INT ? nfiles->i : -1;
    h->isexec = bool_of(entry, "isexec", false);
    h->legacy = h->md5 && !value_get(entry, "hash");
    const struct value *etag = value_get(entry, "etag"), *sum = value_get(entry, "checksum");
    h->is_checksum = !etag && sum;
    h->etag = etag ? text_of(a, etag) : sum ? text_of(a, sum) : NULL;
}

static int build_file_deps(const struct stagebuild *b, const struct value *list, struct stage *s,
                           struct err *e)
{
    size_t n = list && list->type == VALUE_LIST ? list->list.count : 0;
    s->deps = ARENA_ARRAY(b->arena, n + 1, struct dep);
    for (size_t i = 0; i < n; i++) {
        const struct value *entry = list->list.items[i];
        struct dep *d = &s->deps[s->dep_count++];
        const char *path = str_of(entry, "path");
        bool elsewhere = value_get(entry, "repo") || value_get(entry, "db");
        if (!path && !elsewhere) {
            return err_set(e, ERR_FORMAT, "'%s': deps, entry %zu: no path", b->shown, i);
        }
        if (elsewhere) {
            *d = (struct dep){.def = path ? path : "",
                              .path = path ? path : "",
                              .is_url = true,
                              .line = entry->line};
        } else if (build_dep(b, s, path, entry->line, d, e) < 0) {
            return -1;
        }
        read_hash(b->arena, entry, &d->hash);
        const struct value *own = value_get(entry, "fs_config");
        d->fs_config = own ? value_copy(b->arena, own) : NULL;
        own = value_get(entry, "repo");
        d->repo = own ? value_copy(b->arena, own) : NULL;
    }
    return 0;
}

static int build_file_outs(const struct stagebuild *b, const struct value *list, struct stage *s,
                           struct err *e)
{
    size_t n = list && list->type == VALUE_LIST ? list->list.count : 0;
    s->outs = ARENA_ARRAY(b->arena, n + 1, struct out);
    for (size_t i = 0; i < n; i++) {
        const struct value *entry = list->list.items[i];
        const char *path = str_of(entry, "path");
        if (!path) {
            return err_set(e, ERR_FORMAT, "'%s': outs, entry %zu: no path", b->shown, i);
        }
        struct out *o = &s->outs[s->out_count++];
        if (build_out(b, s, path, OUT_PLAIN, entry, entry->line, o, e) < 0) {
            return -1;
        }
        read_hash(b->arena, entry, &o->hash);
    }
    return 0;
}

int stagebuild_dvc_file(const struct stagebuild *b, const struct value *doc, struct stage *s,
                        struct err *e)
{
    start_stage(b, NULL, str_of(doc, "wdir"), s);
    s->line = 1;
    s->frozen = bool_of(doc, "frozen", false) || bool_of(doc, "locked", false);
    s->always_changed = bool_of(doc, "always_changed", false);
    s->desc = str_of(doc, "desc");
    s->meta = value_get(doc, "meta");
    if (build_file_deps(b, value_get(doc, "deps"), s, e) < 0 ||
        build_file_outs(b, value_get(doc, "outs"), s, e) < 0) {
        return -1;
    }
    s->is_import = s->dep_count > 0;
    return 0;
}
