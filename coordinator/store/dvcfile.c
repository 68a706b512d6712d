/* dvcfile: writing and editing .dvc files. */
#include "dvcfile.h"

#include "alloc.h"
#include "digest.h"
#include "emit.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "value.h"
#include "yaml.h"
#include "yamledit.h"

#include <inttypes.h>
#include <string.h>

enum { FIELD_MD5, FIELD_SIZE, FIELD_NFILES, FIELD_ISEXEC, FIELD_HASH, FIELD_COUNT };
static const char *const field_names[FIELD_COUNT] = {"md5", "size", "nfiles", "isexec", "hash"};

/* The value of a field, NULL when the hash has none. */
static struct value *field_value(struct arena *a, const struct hash *h, int field)
{
    switch (field) {
    case FIELD_MD5:
        return h->md5 ? value_cstr(a, h->md5) : NULL;
    case FIELD_SIZE:
        return h->size >= 0 ? value_int(a, h->size) : NULL;
    case FIELD_NFILES:
        return h->nfiles >= 0 ? value_int(a, h->nfiles) : NULL;
    case FIELD_ISEXEC:
        return h->isexec ? value_bool(a, true) : NULL;
    default:
        return h->legacy ? NULL : value_cstr(a, "md5");
    }
}

static void put_fields(struct arena *a, struct value *map, const struct hash *hash)
{
    for (int f = 0; f < FIELD_COUNT; f++) {
        struct value *v = field_value(a, hash, f);
        if (v) {
            value_set(a, map, field_names[f], v);
        } else {
            value_remove(map, field_names[f]);
        }
    }
}

void dvcfile_new(struct strbuf *out, const char *path, const struct hash *hash)
{
    struct arena a;
    arena_init(&a);
    struct value *item = value_map(&a), *outs = value_list(&a), *doc = value_map(&a);
    put_fields(&a, item, hash);
    value_set(&a, item, "path", value_cstr(&a, path));
    value_push(&a, outs, item);
    value_set(&a, doc, "outs", outs);
    emit_yaml(out, doc, NULL);
    arena_release(&a);
}

static struct value *repo_value(struct arena *a, const struct dvcfile_import *x)
{
    struct value *repo = value_map(a);
    value_set(a, repo, "url", value_cstr(a, x->repo_url));
    if (x->rev) {
        value_set(a, repo, "rev", value_cstr(a, x->rev));
    }
    if (x->rev_lock) {
        value_set(a, repo, "rev_lock", value_cstr(a, x->rev_lock));
    }
    if (x->repo_config) {
        value_set(a, repo, "config", value_copy(a, x->repo_config));
    }
    if (x->repo_remote) {
        value_set(a, repo, "remote", value_copy(a, x->repo_remote));
    }
    return repo;
}

static struct value *import_dep(struct arena *a, const struct dvcfile_import *x)
{
    struct value *dep = value_map(a);
    if (x->repo_url) {
        value_set(a, dep, "path", value_cstr(a, x->dep_path));
        value_set(a, dep, "repo", repo_value(a, x));
        return dep;
    }
    if (x->etag) {
        value_set(a, dep, x->etag_name ? x->etag_name : "checksum", value_cstr(a, x->etag));
    }
    put_fields(a, dep, x->dep);
    value_set(a, dep, "path", value_cstr(a, x->dep_path));
    if (x->fs_config) {
        value_set(a, dep, "fs_config", value_copy(a, x->fs_config));
    }
    return dep;
}

void dvcfile_new_import(struct strbuf *out, const struct dvcfile_import *x)
{
    struct arena a;
    char md5[33];
    arena_init(&a);
    struct value *doc = value_map(&a), *deps = value_list(&a), *outs = value_list(&a);
    struct value *item = value_map(&a);
    put_fields(&a, item, x->out);
    value_set(&a, item, "path", value_cstr(&a, x->out_path));
    value_push(&a, deps, import_dep(&a, x));
    value_push(&a, outs, item);
    if (!x->no_exec) {
        value_set(&a, doc, "md5", value_cstr(&a, "")); /* its place is the first */
    }
    if (x->frozen) {
        value_set(&a, doc, "frozen", value_bool(&a, true));
    }
    value_set(&a, doc, "deps", deps);
    value_set(&a, doc, "outs", outs);
    if (!x->no_exec) {
        dvcfile_stage_md5(doc, md5);
        value_set(&a, doc, "md5", value_cstr(&a, md5));
    }
    emit_yaml(out, doc, NULL);
    arena_release(&a);
}

/* ---- edits ---- */

/* The map at `index` of list `key`; NULL with ERR_FORMAT when there is none. */
static struct value *find_item(const struct value *doc, const char *key, size_t index,
                               struct err *e)
{
    const struct value *list = value_get(doc, key);
    if (!list || list->type != VALUE_LIST || index >= list->list.count ||
        list->list.items[index]->type != VALUE_MAP) {
        err_set(e, ERR_FORMAT, "no item %zu in '%s'", index, key);
        return NULL;
    }
    return list->list.items[index];
}

int dvcfile_edit(struct str text, const char *key, size_t index, const struct hash *hash,
                 struct strbuf *out, struct err *e)
{
    struct arena a;
    arena_init(&a);
    int rc = -1;
    struct value *doc = yaml_parse(&a, text, NULL, e);
    struct value *item = doc ? find_item(doc, key, index, e) : NULL;
    if (item) {
        put_fields(&a, item, hash);
        rc = yamledit_apply(text, doc, out, e);
    }
    arena_release(&a);
    return rc;
}

int dvcfile_renew_md5(struct str text, struct strbuf *out, struct err *e)
{
    struct arena a;
    char md5[33];
    arena_init(&a);
    int rc = -1;
    struct value *doc = yaml_parse(&a, text, NULL, e);
    if (doc) {
        dvcfile_stage_md5(doc, md5);
        value_set(&a, doc, "md5", value_cstr(&a, md5));
        rc = yamledit_apply(text, doc, out, e);
    }
    arena_release(&a);
    return rc;
}

/* What an update of an import says of its source. */
static void put_source(struct arena *a, struct value *dep, const struct dvcfile_import *x)
{
    if (x->repo_url) {
        struct value *repo = value_get(dep, "repo");
        if (!repo || repo->type != VALUE_MAP) {
            value_set(a, dep, "repo", repo_value(a, x));
            return;
        }
        if (x->rev) {
            value_set(a, repo, "rev", value_cstr(a, x->rev));
        }
        value_set(a, repo, "rev_lock", value_cstr(a, x->rev_lock));
        return;
    }
    put_fields(a, dep, x->dep);
    if (x->etag) {
        value_set(a, dep, x->etag_name ? x->etag_name : "checksum", value_cstr(a, x->etag));
    } else {
        value_remove(dep, "checksum");
    }
}

int dvcfile_edit_import(struct str text, const struct dvcfile_import *x, struct strbuf *out,
                        struct err *e)
{
    struct arena a;
    char md5[33];
    arena_init(&a);
    int rc = -1;
    struct value *doc = yaml_parse(&a, text, NULL, e);
    struct value *dep = doc ? find_item(doc, "deps", 0, e) : NULL;
    struct value *item = dep ? find_item(doc, "outs", 0, e) : NULL;
    if (item) {
        put_source(&a, dep, x);
        put_fields(&a, item, x->out);
        dvcfile_stage_md5(doc, md5);
        value_set(&a, doc, "md5", value_cstr(&a, md5));
        rc = yamledit_apply(text, doc, out, e);
    }
    arena_release(&a);
    return rc;
}

/* ---- files ---- */

#define MAX_FILE ((size_t)16 << 20)

int dvcfile_change(const char *path, dvcfile_edit_fn *edit, void *ctx, struct err *e)
{
    struct strbuf was, now;
    strbuf_init(&was);
    strbuf_init(&now);
    int rc = fs_read(path, MAX_FILE, &was, e);
    if (rc == 0) {
        rc = edit(ctx, strbuf_str(&was), &now, e);
    }
    if (rc == 0) {
        rc = fs_write_if_changed(path, now.p, now.n, NULL, e);
    }
    strbuf_release(&was);
    strbuf_release(&now);
    return rc;
}

static int change_import(void *ctx, struct str text, struct strbuf *out, struct err *e)
{
    return ctx ? dvcfile_edit_import(text, ctx, out, e) : dvcfile_renew_md5(text, out, e);
}

int dvcfile_change_import(const char *path, const struct dvcfile_import *x, struct err *e)
{
    return dvcfile_change(path, change_import, (void *)x, e);
}

/* ---- md5 of an import ---- */

static bool is_excluded(struct str key)
{
    static const char *const names[] = {"desc",   "type",    "labels", "meta", "locked", "frozen",
                                        "metric", "persist", "isexec", "size", "nfiles"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_is(key, names[i])) {
            return true;
        }
    }
    return false;
}

static struct value *filtered(struct arena *a, const struct value *v, bool top)
{
    if (v->type == VALUE_LIST) {
        struct value *list = value_list(a);
        for (size_t i = 0; i < v->list.count; i++) {
            value_push(a, list, filtered(a, v->list.items[i], false));
        }
        return list;
    }
    if (v->type != VALUE_MAP) {
        return (struct value *)v;
    }
    struct value *map = value_map(a);
    for (size_t i = 0; i < v->map.count; i++) {
        struct str key = value_as_str(v->map.pairs[i].key);
        bool own = top && (str_is(key, "md5") ||
                           (str_is(key, "wdir") && str_is(value_as_str(v->map.pairs[i].val), ".")));
        if (!own && !is_excluded(key)) {
            value_append(a, map, v->map.pairs[i].key, filtered(a, v->map.pairs[i].val, false));
        }
    }
    return map;
}

void dvcfile_stage_md5(const struct value *doc, char hex[33])
{
    struct arena a;
    struct strbuf text;
    char full[DIGEST_HEX_SIZE];
    arena_init(&a);
    strbuf_init(&text);
    json_write(&text, filtered(&a, doc, true), &(struct json_style){.sort_keys = true});
    digest_buffer(DIGEST_MD5, text.p, text.n, full);
    memcpy(hex, full, 33);
    strbuf_release(&text);
    arena_release(&a);
}
