/* runcache: finished stages by the content of their inputs, see runcache.h. */
#include "runcache.h"

#include "alloc.h"
#include "cas.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "pipeline.h"
#include "repo.h"
#include "store.h"
#include "yaml.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool outs_allowed(const struct stage *st)
{
    for (size_t i = 0; i < st->out_count; i++) {
        const struct out *o = &st->outs[i];
        if (o->persist || o->path[0] == '/' || o->is_url) {
            return false;
        }
    }
    return st->out_count > 0;
}

bool runcache_allowed(const struct store *s, const struct stage *st)
{
    if (!st->cmd_count || st->always_changed || st->dep_count + st->param_count == 0) {
        return false;
    }
    for (size_t i = 0; i < st->dep_count; i++) {
        if (st->deps[i].is_url) {
            return false;
        }
    }
    return outs_allowed(st);
}

bool runcache_savable(const struct store *s, const struct stage *st)
{
    for (size_t i = 0; i < st->out_count; i++) {
        if (st->outs[i].kind == OUT_PLAIN && !st->outs[i].cache) {
            return false;
        }
    }
    return runcache_allowed(s, st);
}

/* ---- keys ---- */

/* A copy without `size` and `nfiles` at any depth: DVC drops them from parameters too. */
static struct value *without_sizes(struct arena *a, const struct value *v)
{
    if (v->type == VALUE_LIST) {
        struct value *list = value_list(a);
        for (size_t i = 0; i < v->list.count; i++) {
            value_push(a, list, without_sizes(a, v->list.items[i]));
        }
        return list;
    }
    if (v->type != VALUE_MAP) {
        return (struct value *)v;
    }
    struct value *map = value_map(a);
    for (size_t i = 0; i < v->map.count; i++) {
        struct str key = value_as_str(v->map.pairs[i].key);
        if (!str_is(key, "size") && !str_is(key, "nfiles")) {
            value_append(a, map, v->map.pairs[i].key, without_sizes(a, v->map.pairs[i].val));
        }
    }
    return map;
}

static void hash_entry(const struct lock_entry *en, bool paths_only, char hex[65])
{
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text);
    struct value *v = lock_entry_value(&a, en);
    if (paths_only) {
        struct value *outs = value_list(&a);
        for (size_t i = 0; i < en->out_count; i++) {
            value_push(&a, outs, value_cstr(&a, en->outs[i].path));
        }
        value_set(&a, v, "outs", outs);
    }
    json_write(&text, without_sizes(&a, v), &(struct json_style){.sort_keys = true});
    digest_buffer(DIGEST_SHA256, text.p, text.n, hex);
    strbuf_release(&text);
    arena_release(&a);
}

void runcache_key(const struct lock_entry *en, char key[65])
{
    hash_entry(en, true, key);
}

void runcache_value(const struct lock_entry *en, char value[65])
{
    hash_entry(en, false, value);
}

/* ---- files ---- */

static char *key_dir(struct store *s, struct arena *a, const char *key)
{
    return arena_printf(a, "%s/runs/%.2s/%s", cas_dir(s->cas), key, key);
}

int runcache_save(struct store *s, const struct lock_entry *en, struct err *e)
{
    struct arena a;
    struct strbuf text;
    char key[65], value[65];
    arena_init(&a);
    strbuf_init(&text);
    runcache_key(en, key);
    runcache_value(en, value);
    char *path = arena_printf(&a, "%s/%s", key_dir(s, &a, key), value);
    int rc = 0;
    if (!fs_is_file(path)) {
        lock_entry_render(en, 0, &text);
        rc = fs_mkdirs_for(path, e);
        if (rc == 0) {
            rc = fs_write_atomic(path, text.p, text.n, 0, e);
        }
    }
    strbuf_release(&text);
    arena_release(&a);
    return rc;
}

/* The name in `dir` that was written last; "" when there is none. */
static int newest(struct arena *a, const char *dir, const char **name, struct err *e)
{
    char **names;
    size_t count;
    struct timespec best = {0};
    *name = "";
    if (!fs_is_dir(dir)) {
        return 0;
    }
    if (fs_list(a, dir, &names, &count, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        if (strlen(names[i]) != 64 || stat(arena_printf(a, "%s/%s", dir, names[i]), &st) < 0) {
            continue;
        }
        if (!**name || st.st_mtim.tv_sec > best.tv_sec ||
            (st.st_mtim.tv_sec == best.tv_sec && st.st_mtim.tv_nsec > best.tv_nsec)) {
            best = st.st_mtim;
            *name = names[i];
        }
    }
    return 0;
}

struct lock_entry *runcache_find(struct store *s, struct arena *a, const struct lock_entry *en,
                                 struct err *e)
{
    char key[65];
    const char *name;
    runcache_key(en, key);
    char *dir = key_dir(s, a, key);
    if (newest(a, dir, &name, e) < 0 || !*name) {
        return NULL;
    }
    char *path = arena_printf(a, "%s/%s", dir, name);
    struct err inner = ERR_INIT;
    struct value *doc = yaml_load(a, path, NULL, &inner);
    struct lock_entry *found =
        doc ? lock_entry_from_value(a, en->name ? en->name : "", doc, "stage", &inner) : NULL;
    if (!found) {
        store_note(s, STORE_NOTE_WARN, "corrupted cache file '%s'.", path);
        unlink(path);
        return NULL;
    }
    char value[65];
    runcache_value(found, value);
    return strcmp(value, name) == 0 ? found : NULL; /* torn, but still YAML */
}

bool runcache_complete(struct store *s, const struct lock_entry *en)
{
    bool all = true;
    for (size_t i = 0; i < en->out_count && all; i++) {
        const struct hash *h = &en->outs[i].hash;
        all = h->md5 && cas_has_all(s->cas, (struct cas_id){h->md5, h->legacy}, NULL);
    }
    return all;
}
