/*
 * stale: is a stage stale, and why. One pass over all stages asked about:
 *   1. collect the deps and outs of all stages, each path once;
 *   2. hash what the memo does not know, in parallel (content.h);
 *   3. compare with the lock, stage by stage, and note each difference.
 * Source of the rules: dvc.md §7 and §8.
 */
#include "stale.h"

#include "alloc.h"
#include "cas.h"
#include "dvcfile.h"
#include "err.h"
#include "params.h"
#include "path.h"
#include "repo.h"
#include "store.h"
#include "urldep.h"
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

const char *stale_word_name(enum stale_word w)
{
    static const char *const names[] = {
#define X(name, text) text,
        STALE_WORDS(X)
#undef X
    };
    return names[w];
}

const char *stale_reason_name(enum stale_reason r)
{
    static const char *const names[] = {
#define X(name, text) text,
        STALE_REASONS(X)
#undef X
    };
    return names[r];
}

/* ---- paths, each once ---- */

struct paths {
    struct content *items;
    size_t count, capacity;
    uint32_t *index; /* open addressing */
    size_t index_size;
    struct urldep *far; /* URLs, in the order of the stages and their deps */
    size_t far_count, far_capacity, far_taken;
};

static uint64_t hash_path(const char *path, bool legacy, bool honour)
{
    uint64_t h = 0xcbf29ce484222325ULL ^ (unsigned)(legacy * 2 + honour);
    for (; *path; path++) {
        h = (h ^ (unsigned char)*path) * 0x100000001b3ULL;
    }
    return h ^ h >> 31;
}

static void paths_grow(struct paths *p)
{
    free(p->index);
    p->index_size = p->index_size ? p->index_size * 2 : 256;
    p->index = xmalloc(p->index_size * sizeof(*p->index));
    memset(p->index, 0xFF, p->index_size * sizeof(*p->index));
    for (size_t i = 0; i < p->count; i++) {
        const struct content *c = &p->items[i];
        size_t at = hash_path(c->path, c->legacy, c->honour_ignore) & (p->index_size - 1);
        while (p->index[at] != UINT32_MAX) {
            at = (at + 1) & (p->index_size - 1);
        }
        p->index[at] = (uint32_t)i;
    }
}

/* The slot of a path, free when it is not there. */
static size_t paths_slot(const struct paths *p, const char *path, bool legacy, bool honour)
{
    size_t at = hash_path(path, legacy, honour) & (p->index_size - 1);
    for (; p->index[at] != UINT32_MAX; at = (at + 1) & (p->index_size - 1)) {
        const struct content *c = &p->items[p->index[at]];
        if (c->legacy == legacy && c->honour_ignore == honour && !strcmp(c->path, path)) {
            break;
        }
    }
    return at;
}

static size_t paths_add(struct paths *p, const char *path, bool legacy, bool honour)
{
    if ((p->count + 1) * 2 > p->index_size) {
        paths_grow(p);
    }
    size_t at = paths_slot(p, path, legacy, honour);
    if (p->index[at] != UINT32_MAX) {
        return p->index[at];
    }
    /* the output of one stage is the dependency of another: one walk for both */
    uint32_t twin = p->index[paths_slot(p, path, legacy, !honour)];
    ARRAY_RESERVE(p->items, p->count, p->capacity, 1);
    p->items[p->count] = (struct content){.path = path,
                                          .legacy = legacy,
                                          .honour_ignore = honour,
                                          .twin = twin != UINT32_MAX ? (size_t)twin + 1 : 0};
    p->index[at] = (uint32_t)p->count;
    return p->count++;
}

/* ---- what the lock says ---- */

static const struct hash unknown = {.size = -1, .nfiles = -1};

static struct hash locked_dep(const struct stale_report *r, size_t i)
{
    const struct dep *d = &r->stage->deps[i];
    if (!r->stage->name) {
        return d->hash;
    }
    const struct lock_item *item =
        r->entry ? lock_item_find(r->entry->deps, r->entry->dep_count, d->def) : NULL;
    return item ? item->hash : unknown;
}

static struct hash locked_out(const struct stale_report *r, size_t i)
{
    const struct out *o = &r->stage->outs[i];
    if (!r->stage->name) {
        return o->hash;
    }
    const struct lock_item *item =
        r->entry ? lock_item_find(r->entry->outs, r->entry->out_count, o->def) : NULL;
    return item ? item->hash : unknown;
}

/* An output counts when no filter was given, or when it is, holds or lies in what the filter names.
 */
static bool out_selected(const struct stale_options *opt, const struct out *o)
{
    return !opt->skip_outs &&
           (!opt->filter || path_inside(o->path, opt->filter) || path_inside(opt->filter, o->path));
}

static bool looks_at_deps(const struct stale_report *r, const struct stale_options *opt)
{
    return !r->frozen || opt->frozen_deps;
}

/* ---- differences ---- */

static struct stale_change *add_change(struct store *s, struct arena *a, struct stale_report *r,
                                       enum stale_where where, enum stale_word word,
                                       const char *path)
{
    if (r->change_count == r->change_capacity) {
        size_t capacity = r->change_capacity ? r->change_capacity * 2 : 4;
        struct stale_change *changes = ARENA_ARRAY(a, capacity, struct stale_change);
        if (r->change_count) {
            memcpy(changes, r->changes, r->change_count * sizeof(*changes));
        }
        r->changes = changes;
        r->change_capacity = capacity;
    }
    struct stale_change *c = &r->changes[r->change_count++];
    *c = (struct stale_change){.where = where,
                               .word = word,
                               .path = path,
                               .shown = store_show(s, a, path),
                               .was_hash = unknown,
                               .now_hash = unknown};
    return c;
}

/* Is what is there what was recorded? By what its server calls it, where there is no md5. */
static bool same_hash(const struct hash *was, const struct hash *now)
{
    return was->etag || now->etag ? was->etag && now->etag && !strcmp(was->etag, now->etag)
                                  : was->md5 && now->md5 && !strcmp(was->md5, now->md5);
}

static void compare_dep(struct store *s, struct arena *a, struct stale_report *r, size_t i)
{
    const struct dep *d = &r->stage->deps[i];
    const struct content *now = &r->deps[i];
    struct hash was = locked_dep(r, i);
    if (d->is_url && !urldep_is_one(d)) {
        return;
    }
    enum stale_word word;
    if (now->kind == CONTENT_MISSING) {
        word = STALE_DELETED;
    } else if (!same_hash(&was, &now->hash)) {
        word = STALE_MODIFIED;
    } else {
        return;
    }
    struct stale_change *c = add_change(s, a, r, STALE_DEP, word, d->path);
    c->was_hash = was;
    c->now_hash = now->hash;
    c->never_locked = !was.md5 && !was.etag;
    c->index = i;
}

static void compare_out(struct store *s, struct arena *a, struct stale_report *r, size_t i)
{
    const struct out *o = &r->stage->outs[i];
    const struct content *now = &r->outs[i];
    struct hash was = locked_out(r, i);
    enum stale_word word;
    bool same = same_hash(&was, &now->hash);
    const struct cas_id id = {was.md5, was.legacy};
    /* of a folder that has not changed the members are known: its list need not be read */
    if (was.md5 && o->cache && !o->is_url && !cas_has_all(s->cas, id, same ? now->tree : NULL)) {
        word = STALE_NOT_IN_CACHE;
    } else if (now->kind == CONTENT_MISSING) {
        word = STALE_DELETED;
    } else if (!same) {
        word = STALE_MODIFIED;
    } else {
        return;
    }
    struct stale_change *c = add_change(s, a, r, STALE_OUT, word, o->path);
    c->was_hash = was;
    c->now_hash = now->hash;
    c->never_locked = !was.md5 && !was.etag;
    c->index = i;
}

/*
 * What a reader of dvc.lock gets for a value that is written there. Nearly always the value; but
 * DVC's folding drops blanks where a run of them meets the end of a line (emit.c). DVC finds such a
 * stage changed for ever; we compare with what could be written.
 */
static const struct value *as_locked(struct arena *a, const struct lock_entry *en)
{
    struct strbuf text;
    strbuf_init(&text);
    lock_entry_render(en, 4, &text);
    const struct value *v = yaml_parse(a, strbuf_str(&text), NULL, NULL);
    strbuf_release(&text);
    return v;
}

static bool same_when_locked(const struct value *was, const struct value *now, bool is_cmd,
                             const char *file, const char *key)
{
    struct arena a;
    arena_init(&a);
    struct value *files = value_map(&a), *keys = value_map(&a);
    struct lock_entry en = {.cmd = is_cmd ? now : value_cstr(&a, "x")};
    if (!is_cmd) {
        value_set(&a, keys, key, (struct value *)now);
        value_set(&a, files, file, keys);
        en.params = files;
    }
    const struct value *v = as_locked(&a, &en);
    v = is_cmd ? value_get(v, "cmd") : value_get(value_get(value_get(v, "params"), file), key);
    bool same = v && value_eq(v, was);
    arena_release(&a);
    return same;
}

static void compare_key(struct store *s, struct arena *a, struct stale_report *r, size_t index,
                        const char *key, const struct value *was, const struct value *now)
{
    enum stale_word word;
    if (!now) {
        word = STALE_DELETED;
    } else if (!was) {
        word = STALE_NEW;
    } else if (!value_eq(now, was) &&
               !same_when_locked(was, now, false, r->stage->params[index].def, key)) {
        word = STALE_MODIFIED;
    } else {
        return;
    }
    struct stale_change *c = add_change(s, a, r, STALE_PARAM, word, r->stage->params[index].path);
    c->key = arena_strdup(a, key);
    c->was = was;
    c->now = now ? value_copy(a, now) : NULL;
    c->index = index;
    r->missing_params += !now;
}

static const char *key_text(struct arena *a, const struct value *key)
{
    struct strbuf b;
    strbuf_init(&b);
    value_text(&b, key);
    char *text = arena_strndup(a, b.p, b.n);
    strbuf_release(&b);
    return text;
}

/* The whole file: its keys in file order, then those that only the lock knows. */
static void compare_whole_file(struct store *s, struct arena *a, struct stale_report *r, size_t i,
                               const struct value *was, const struct value *now)
{
    for (size_t k = 0; k < now->map.count; k++) {
        const char *key = key_text(a, now->map.pairs[k].key);
        compare_key(s, a, r, i, key, value_get(was, key), now->map.pairs[k].val);
    }
    for (size_t k = 0; k < was->map.count; k++) {
        const char *key = key_text(a, was->map.pairs[k].key);
        if (!value_get(now, key)) {
            compare_key(s, a, r, i, key, was->map.pairs[k].val, NULL);
        }
    }
}

static int compare_params(struct store *s, struct arena *a, struct stale_report *r, size_t i,
                          struct params_cache *files, struct err *e)
{
    const struct param_dep *p = &r->stage->params[i];
    const struct value *was = r->entry ? value_get(r->entry->params, p->def) : NULL;
    if (content_kind(s, p->path, false) == CONTENT_MISSING) {
        add_change(s, a, r, STALE_PARAMS_FILE, STALE_DELETED, p->path)->index = i;
        return 0;
    }
    if (!was || was->type != VALUE_MAP) {
        struct stale_change *c = add_change(s, a, r, STALE_PARAMS_FILE, STALE_NEW, p->path);
        c->index = i;
        c->never_locked = true;
        return 0;
    }
    struct value *now;
    if (params_read(files, s->repo, p, &now, NULL, e) < 0) {
        return -1;
    }
    if (!p->key_count) {
        compare_whole_file(s, a, r, i, was, now);
    }
    for (size_t k = 0; k < p->key_count; k++) {
        compare_key(s, a, r, i, p->keys[k], value_get(was, p->keys[k]), value_get(now, p->keys[k]));
    }
    return 0;
}

static bool cmd_differs(const struct stage *st, const struct value *cmd)
{
    if (!st->cmd_is_list) {
        return !str_is(value_as_str(cmd), st->cmd_text) || cmd->type != VALUE_STR;
    }
    if (cmd->type != VALUE_LIST || cmd->list.count != st->cmd_count) {
        return true;
    }
    for (size_t i = 0; i < st->cmd_count; i++) {
        if (!str_is(value_as_str(cmd->list.items[i]), st->cmds[i])) {
            return true;
        }
    }
    return false;
}

static bool cmd_changed(const struct stage *st, const struct value *cmd)
{
    if (!cmd_differs(st, cmd)) {
        return false;
    }
    struct arena a;
    arena_init(&a);
    struct value *now = st->cmd_is_list ? value_list(&a) : value_cstr(&a, st->cmd_text);
    for (size_t i = 0; st->cmd_is_list && i < st->cmd_count; i++) {
        value_push(&a, now, value_cstr(&a, st->cmds[i]));
    }
    bool changed = !same_when_locked(cmd, now, true, NULL, NULL);
    arena_release(&a);
    return changed;
}

/* Imports carry the md5 of their own description. */
static bool checksum_changed(struct store *s, const struct stage *st)
{
    struct arena a;
    char hex[33];
    arena_init(&a);
    struct value *doc = yaml_load(&a, repo_abs(s->repo, &a, st->file), NULL, NULL);
    bool changed = false;
    if (doc) {
        dvcfile_stage_md5(doc, hex);
        changed = !str_is(value_as_str(value_get(doc, "md5")), hex);
    }
    arena_release(&a);
    return changed;
}

/* ---- the pass ---- */

static int begin_report(struct store *s, const struct stage *st, struct stale_report *r,
                        struct err *e)
{
    *r = (struct stale_report){.stage = st, .frozen = st->frozen};
    if (st->name) {
        struct lock *l = store_lock(s, st->file, e);
        if (!l) {
            return -1;
        }
        r->entry = lock_find(l, st->name);
    }
    bool callback = st->cmd_count && !st->dep_count && !st->param_count && !st->out_count;
    r->always_changed = st->always_changed || callback;
    r->changed_command = r->entry && cmd_changed(st, r->entry->cmd);
    r->changed_checksum = st->is_import && checksum_changed(s, st);
    return 0;
}

static void far_add(struct paths *p, const char *url, const struct value *fs_config)
{
    ARRAY_RESERVE(p->far, p->far_count, p->far_capacity, 1);
    p->far[p->far_count++] = (struct urldep){.url = url, .fs_config = fs_config};
}

static void collect_paths(struct paths *p, const struct stale_report *r,
                          const struct stale_options *opt)
{
    const struct stage *st = r->stage;
    for (size_t i = 0; looks_at_deps(r, opt) && i < st->dep_count; i++) {
        if (urldep_is_one(&st->deps[i])) {
            far_add(p, st->deps[i].path, st->deps[i].fs_config);
        } else if (!st->deps[i].is_url) {
            struct hash was = locked_dep(r, i);
            paths_add(p, st->deps[i].path, was.md5 && was.legacy, false);
        }
    }
    for (size_t i = 0; i < st->out_count; i++) {
        if (out_selected(opt, &st->outs[i]) && st->outs[i].is_url) {
            far_add(p, st->outs[i].path, NULL);
        } else if (out_selected(opt, &st->outs[i])) {
            struct hash was = locked_out(r, i);
            paths_add(p, st->outs[i].path, was.md5 && was.legacy, true);
        }
    }
}

static bool is_recorded(const struct stale_report *r, size_t dep)
{
    for (size_t i = 0; r->entry && i < r->entry->dep_count; i++) {
        if (strcmp(r->entry->deps[i].path, r->stage->deps[dep].def) == 0) {
            return true;
        }
    }
    return false;
}

static int finish_report(struct store *s, struct arena *a, struct paths *p,
                         const struct stale_options *opt, struct params_cache *files,
                         struct stale_report *r, struct err *e)
{
    const struct stage *st = r->stage;
    r->deps = ARENA_ARRAY(a, st->dep_count, struct content);
    r->outs = ARENA_ARRAY(a, st->out_count, struct content);
    for (size_t i = 0; looks_at_deps(r, opt) && i < st->dep_count; i++) {
        if (!st->deps[i].is_url) {
            struct hash was = locked_dep(r, i);
            r->deps[i] = p->items[paths_add(p, st->deps[i].path, was.md5 && was.legacy, false)];
        } else if (urldep_is_one(&st->deps[i])) {
            r->deps[i] = p->far[p->far_taken++].now;
        } else if (st->name && !is_recorded(r, i)) {
            return err_set(e, ERR_USAGE,
                           "stage '%s' depends on '%s': datasets are not known here; "
                           "`nephron import-url` their files and depend on those",
                           st->addr, st->deps[i].path);
        }
        compare_dep(s, a, r, i);
    }
    for (size_t i = 0; looks_at_deps(r, opt) && i < st->param_count; i++) {
        if (compare_params(s, a, r, i, files, e) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < st->out_count; i++) {
        if (out_selected(opt, &st->outs[i]) && st->outs[i].is_url) {
            r->outs[i] = p->far[p->far_taken++].now;
            compare_out(s, a, r, i);
        } else if (out_selected(opt, &st->outs[i])) {
            struct hash was = locked_out(r, i);
            r->outs[i] = p->items[paths_add(p, st->outs[i].path, was.md5 && was.legacy, true)];
            compare_out(s, a, r, i);
        }
    }
    return 0;
}

int stale_check(struct store *s, struct arena *a, const struct stage *const *stages, size_t count,
                const struct stale_options *opt, struct stale_report *reports, struct err *e)
{
    static const struct stale_options none = {0};
    opt = opt ? opt : &none;
    struct paths p = {0};
    struct params_cache files;
    params_cache_init(&files);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = begin_report(s, stages[i], &reports[i], e);
        if (rc == 0) {
            collect_paths(&p, &reports[i], opt);
        }
    }
    if (rc == 0) {
        rc = content_read(s, a, p.items, p.count, e);
    }
    if (rc == 0) {
        rc = urldep_read(s, a, p.far, p.far_count, e);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = finish_report(s, a, &p, opt, &files, &reports[i], e);
    }
    params_cache_release(&files);
    free(p.items);
    free(p.index);
    free(p.far);
    return rc;
}

/* ---- deciding ---- */

/* A missing dep is harmless under --allow-missing unless its producer would make something else. */
static bool producer_differs(struct store *s, const struct stale_report *r,
                             const struct stale_change *c, const struct stale_decision *d)
{
    for (size_t i = 0; i < d->upstream_count; i++) {
        const struct stage *up = d->upstream[i];
        for (size_t k = 0; k < up->out_count; k++) {
            if (strcmp(up->outs[k].path, c->path) != 0) {
                continue;
            }
            struct stale_report other = {.stage = up};
            struct lock *l = up->name ? store_lock(s, up->file, NULL) : NULL;
            other.entry = l ? lock_find(l, up->name) : NULL;
            struct hash h = locked_out(&other, k);
            if (!h.md5 || !c->was_hash.md5 ? h.md5 != c->was_hash.md5
                                           : strcmp(h.md5, c->was_hash.md5) != 0) {
                return true;
            }
        }
    }
    return false;
}

static bool change_counts(struct store *s, const struct stale_report *r,
                          const struct stale_change *c, const struct stale_decision *d)
{
    if (!d || !d->allow_missing) {
        return true;
    }
    if (c->where == STALE_OUT) {
        return c->word != STALE_DELETED && c->word != STALE_NOT_IN_CACHE;
    }
    return c->where == STALE_PARAM || c->word != STALE_DELETED || producer_differs(s, r, c, d);
}

enum stale_reason stale_decide(struct store *s, const struct stale_report *r,
                               const struct stale_decision *d)
{
    if (r->changed_command || r->changed_checksum) {
        return STALE_BY_COMMAND;
    }
    if (r->always_changed && !r->frozen) {
        return STALE_BY_ALWAYS;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->change_count; i++) {
            const struct stale_change *c = &r->changes[i];
            bool is_out = c->where == STALE_OUT;
            if (is_out == (pass == 1) && (is_out || !r->frozen) && change_counts(s, r, c, d)) {
                return !is_out ? STALE_BY_DEP : r->stage->name ? STALE_BY_OUT : STALE_BY_SOURCE;
            }
        }
    }
    return STALE_BY_FRESH;
}

bool stale_any(const struct stale_report *r)
{
    return r->change_count || r->changed_command || r->changed_checksum || r->always_changed;
}
