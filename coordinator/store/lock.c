/*
 * lock: dvc.lock in memory and its writing. Reading is in lock_parse.c. Entries keep their text, so
 * that writing after one stage changed is a concatenation: linear work however many stages there
 * are.
 */
#include "lock_private.h"

#include "alloc.h"
#include "emit.h"
#include "err.h"
#include "fs.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_LOCK_BYTES ((size_t)256 << 20)

struct lock *lock_new(const char *path, const char *shown)
{
    struct lock *l = xcalloc(1, sizeof(*l));
    arena_init(&l->arena);
    l->path = path ? xstrdup(path) : NULL;
    l->shown = xstrdup(shown);
    return l;
}

void lock_free(struct lock *l)
{
    if (!l) {
        return;
    }
    arena_release(&l->arena);
    free(l->path);
    free(l->shown);
    free(l->slots);
    free(l->index);
    free(l->raw);
    free(l);
}

/* ---- index ---- */

static uint64_t hash_name(struct str s)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < s.n; i++) {
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ULL;
    }
    return h ^ h >> 29;
}

static void index_grow(struct lock *l)
{
    free(l->index);
    l->index_size = l->index_size ? l->index_size * 2 : 64;
    l->index = xmalloc(l->index_size * sizeof(*l->index));
    memset(l->index, 0xFF, l->index_size * sizeof(*l->index));
    for (size_t i = 0; i < l->count; i++) {
        size_t at = hash_name(str_from(l->slots[i].entry->name)) & (l->index_size - 1);
        while (l->index[at] != UINT32_MAX) {
            at = (at + 1) & (l->index_size - 1);
        }
        l->index[at] = (uint32_t)i;
    }
}

static size_t index_find(const struct lock *l, struct str name)
{
    size_t at = hash_name(name) & (l->index_size - 1);
    while (l->index[at] != UINT32_MAX && !str_is(name, l->slots[l->index[at]].entry->name)) {
        at = (at + 1) & (l->index_size - 1);
    }
    return at;
}

struct lock_slot *lock_slot(const struct lock *l, struct str stage)
{
    if (!l->index_size) {
        return NULL;
    }
    uint32_t i = l->index[index_find(l, stage)];
    return i == UINT32_MAX ? NULL : &l->slots[i];
}

struct lock_slot *lock_slot_add(struct lock *l, const char *name)
{
    if ((l->count + 1) * 2 > l->index_size) {
        index_grow(l);
    }
    size_t at = index_find(l, str_from(name));
    if (l->index[at] != UINT32_MAX) {
        return NULL;
    }
    ARRAY_RESERVE(l->slots, l->count, l->capacity, 1);
    l->index[at] = (uint32_t)l->count;
    struct lock_slot *slot = &l->slots[l->count++];
    memset(slot, 0, sizeof(*slot));
    slot->entry = ARENA_NEW(&l->arena, struct lock_entry);
    slot->entry->name = arena_strdup(&l->arena, name);
    return slot;
}

/* ---- reading ---- */

static int parse_into(struct lock *l, struct str text, struct err *e)
{
    if (lock_parse_direct(l, text)) {
        return 0;
    }
    /* What the direct parser made of the first entries is dropped. */
    arena_release(&l->arena);
    l->count = 0;
    if (l->index) {
        memset(l->index, 0xFF, l->index_size * sizeof(*l->index));
    }
    return lock_parse_yaml(l, text, e);
}

struct lock *lock_parse(struct str text, const char *shown, struct err *e)
{
    struct lock *l = lock_new(NULL, shown);
    l->raw = xmalloc(text.n + 1);
    memcpy(l->raw, text.p, text.n);
    l->raw[text.n] = '\0';
    if (text.n && parse_into(l, (struct str){l->raw, text.n}, e) < 0) {
        lock_free(l);
        return NULL;
    }
    return l;
}

/* A regular file of some size that holds nothing (or only zero bytes, after a power cut). */
static bool is_torn(const struct strbuf *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->p[i] != '\0') {
            return false;
        }
    }
    return true;
}

struct lock *lock_read(const char *path, const char *shown, bool *was_empty, struct err *e)
{
    if (was_empty) {
        *was_empty = false;
    }
    struct lock *l = lock_new(path, shown);
    struct strbuf text;
    struct err inner = ERR_INIT;
    strbuf_init(&text);
    if (fs_read(path, MAX_LOCK_BYTES, &text, &inner) < 0) {
        strbuf_release(&text);
        if (inner.code == ERR_MISSING) {
            return l;
        }
        err_set(e, inner.code, "cannot read %s: %s", shown, inner.text);
        lock_free(l);
        return NULL;
    }
    if (is_torn(&text)) {
        if (was_empty) {
            *was_empty = true;
        }
        strbuf_release(&text);
        return l;
    }
    size_t n = text.n;
    l->raw = strbuf_detach(&text);
    if (parse_into(l, (struct str){l->raw, n}, e) < 0) {
        lock_free(l);
        return NULL;
    }
    return l;
}

const struct lock_entry *lock_find(const struct lock *l, const char *stage)
{
    struct lock_slot *slot = lock_slot(l, str_from(stage));
    return slot && !slot->gone ? slot->entry : NULL;
}

size_t lock_count(const struct lock *l)
{
    return l->count - l->gone;
}

const struct lock_entry *lock_at(const struct lock *l, size_t i)
{
    if (!l->gone) {
        return l->slots[i].entry;
    }
    for (size_t k = 0; k < l->count; k++) {
        if (!l->slots[k].gone && i-- == 0) {
            return l->slots[k].entry;
        }
    }
    return NULL;
}

bool lock_exists(const struct lock *l)
{
    return l->exists;
}

bool lock_dirty(const struct lock *l)
{
    return l->dirty;
}

/* ---- entries ---- */

const struct lock_item *lock_item_find(const struct lock_item *items, size_t count,
                                       const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(items[i].path, path)) {
            return &items[i];
        }
    }
    return NULL;
}

static bool text_eq(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static bool item_eq(const struct lock_item *a, const struct lock_item *b)
{
    return text_eq(a->hash.md5, b->hash.md5) && a->hash.size == b->hash.size &&
           a->hash.nfiles == b->hash.nfiles && a->hash.isexec == b->hash.isexec &&
           a->hash.legacy == b->hash.legacy && text_eq(a->hash.etag, b->hash.etag) &&
           a->hash.is_checksum == b->hash.is_checksum &&
           (a->extra == b->extra || (a->extra && b->extra && value_eq(a->extra, b->extra)));
}

static bool items_eq(const struct lock_item *a, size_t na, const struct lock_item *b, size_t nb)
{
    if (na != nb) {
        return false;
    }
    for (size_t i = 0; i < na; i++) {
        const struct lock_item *other =
            !strcmp(a[i].path, b[i].path) ? &b[i] : lock_item_find(b, nb, a[i].path);
        if (!other || !item_eq(&a[i], other)) {
            return false;
        }
    }
    return true;
}

bool lock_entry_eq(const struct lock_entry *a, const struct lock_entry *b)
{
    bool params =
        (!a->params && !b->params) || (a->params && b->params && value_eq(a->params, b->params));
    return params && value_eq(a->cmd, b->cmd) &&
           items_eq(a->deps, a->dep_count, b->deps, b->dep_count) &&
           items_eq(a->outs, a->out_count, b->outs, b->out_count);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct lock_item *)a)->path, ((const struct lock_item *)b)->path);
}

/* Copies keep the sharing of nodes inside of the params (they become anchors): a memo of what was
 * copied. */
struct copier {
    struct arena *a;
    const struct value **from;
    struct value **to;
    size_t count, capacity, to_capacity;
};

static struct value *copy_shared(struct copier *c, const struct value *v)
{
    if (v->type != VALUE_LIST && v->type != VALUE_MAP) {
        return value_copy(c->a, v);
    }
    for (size_t i = 0; i < c->count; i++) {
        if (c->from[i] == v) {
            return c->to[i];
        }
    }
    struct value *copy = v->type == VALUE_LIST ? value_list(c->a) : value_map(c->a);
    ARRAY_RESERVE(c->from, c->count, c->capacity, 1);
    ARRAY_RESERVE(c->to, c->count, c->to_capacity, 1);
    c->from[c->count] = v;
    c->to[c->count++] = copy;
    if (v->type == VALUE_LIST) {
        for (size_t i = 0; i < v->list.count; i++) {
            value_push(c->a, copy, copy_shared(c, v->list.items[i]));
        }
    } else {
        for (size_t i = 0; i < v->map.count; i++) {
            value_append(c->a, copy, value_copy(c->a, v->map.pairs[i].key),
                         copy_shared(c, v->map.pairs[i].val));
        }
    }
    return copy;
}

static int by_key(const void *a, const void *b)
{
    const struct value_pair *x = a, *y = b;
    return str_cmp(value_as_str(x->key), value_as_str(y->key));
}

/* params.yaml first, others by name; keys of each sorted. */
static struct value *copy_params(struct arena *a, const struct value *params)
{
    struct copier c = {.a = a};
    struct value *files = value_map(a);
    struct value *first = value_map(a);
    for (size_t i = 0; i < params->map.count; i++) {
        const struct value_pair *p = &params->map.pairs[i];
        struct value *map = value_map(a);
        for (size_t k = 0; k < p->val->map.count; k++) {
            value_append(a, map, value_copy(a, p->val->map.pairs[k].key),
                         copy_shared(&c, p->val->map.pairs[k].val));
        }
        qsort(map->map.pairs, map->map.count, sizeof(*map->map.pairs), by_key);
        value_append(a, files, value_copy(a, p->key), map);
    }
    qsort(files->map.pairs, files->map.count, sizeof(*files->map.pairs), by_key);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < files->map.count; i++) {
            struct value_pair *p = &files->map.pairs[i];
            if (str_is(value_as_str(p->key), "params.yaml") == (pass == 0)) {
                value_append(a, first, p->key, p->val);
            }
        }
    }
    free(c.from);
    free(c.to);
    return first;
}

static struct lock_item *copy_items(struct arena *a, const struct lock_item *items, size_t count)
{
    struct lock_item *copy = ARENA_ARRAY(a, count, struct lock_item);
    for (size_t i = 0; i < count; i++) {
        copy[i] = items[i];
        copy[i].path = arena_strdup(a, items[i].path);
        copy[i].hash.md5 = items[i].hash.md5 ? arena_strdup(a, items[i].hash.md5) : NULL;
        copy[i].hash.etag = items[i].hash.etag ? arena_strdup(a, items[i].hash.etag) : NULL;
        copy[i].extra = items[i].extra ? value_copy(a, items[i].extra) : NULL;
    }
    if (count) {
        qsort(copy, count, sizeof(*copy), by_path);
    }
    return copy;
}

static void copy_entry(struct arena *a, const struct lock_entry *en, struct lock_entry *copy)
{
    copy->cmd = value_copy(a, en->cmd);
    copy->deps = copy_items(a, en->deps, en->dep_count);
    copy->dep_count = en->dep_count;
    copy->outs = copy_items(a, en->outs, en->out_count);
    copy->out_count = en->out_count;
    copy->params = en->params && en->params->map.count ? copy_params(a, en->params) : NULL;
}

struct lock_entry *lock_entry_copy(struct arena *a, const struct lock_entry *en)
{
    struct lock_entry *copy = ARENA_NEW(a, struct lock_entry);
    copy->name = en->name ? arena_strdup(a, en->name) : NULL;
    copy_entry(a, en, copy);
    return copy;
}

static struct value *items_value(struct arena *a, const struct lock_item *items, size_t count)
{
    struct value *list = value_list(a);
    for (size_t i = 0; i < count; i++) {
        const struct hash *h = &items[i].hash;
        struct value *map = value_map(a);
        value_append(a, map, value_cstr(a, "path"), value_cstr(a, items[i].path));
        if (!h->legacy) {
            value_append(a, map, value_cstr(a, "hash"), value_cstr(a, "md5"));
        }
        if (h->md5) {
            value_append(a, map, value_cstr(a, "md5"), value_cstr(a, h->md5));
        }
        if (h->etag) {
            value_append(a, map, value_cstr(a, h->is_checksum ? "checksum" : "etag"),
                         value_cstr(a, h->etag));
        }
        if (h->size >= 0) {
            value_append(a, map, value_cstr(a, "size"), value_int(a, h->size));
        }
        if (h->nfiles >= 0) {
            value_append(a, map, value_cstr(a, "nfiles"), value_int(a, h->nfiles));
        }
        if (h->isexec) {
            value_append(a, map, value_cstr(a, "isexec"), value_bool(a, true));
        }
        for (size_t k = 0; items[i].extra && k < items[i].extra->map.count; k++) {
            value_append(a, map, items[i].extra->map.pairs[k].key,
                         items[i].extra->map.pairs[k].val);
        }
        value_push(a, list, map);
    }
    return list;
}

struct value *lock_entry_value(struct arena *a, const struct lock_entry *en)
{
    struct value *map = value_map(a);
    value_append(a, map, value_cstr(a, "cmd"), (struct value *)en->cmd);
    if (en->dep_count) {
        value_append(a, map, value_cstr(a, "deps"), items_value(a, en->deps, en->dep_count));
    }
    if (en->params && en->params->map.count) {
        value_append(a, map, value_cstr(a, "params"), (struct value *)en->params);
    }
    if (en->out_count) {
        value_append(a, map, value_cstr(a, "outs"), items_value(a, en->outs, en->out_count));
    }
    return map;
}

void lock_entry_render(const struct lock_entry *en, unsigned indent, struct strbuf *out)
{
    struct arena a;
    arena_init(&a);
    emit_yaml(out, lock_entry_value(&a, en), &(struct emit_options){.indent = indent});
    arena_release(&a);
}

/* ---- changing ---- */

static void render_slot(struct lock *l, struct lock_slot *slot)
{
    struct value *doc = value_map(&l->arena);
    value_append(&l->arena, doc, value_cstr(&l->arena, slot->entry->name),
                 lock_entry_value(&l->arena, slot->entry));
    struct strbuf text;
    strbuf_init(&text);
    emit_yaml(&text, doc, &(struct emit_options){.indent = 2});
    slot->text = arena_str(&l->arena, strbuf_str(&text));
    strbuf_release(&text);
    slot->has_anchor = memmem(slot->text.p, slot->text.n, "&id", 3) != NULL;
    slot->doc = doc;
}

bool lock_set(struct lock *l, const struct lock_entry *en)
{
    struct lock_slot *slot = lock_slot(l, str_from(en->name));
    if (slot && !slot->gone && lock_entry_eq(slot->entry, en)) {
        return false;
    }
    if (slot && slot->gone) {
        /* DVC appends a stage that comes back: the old place is forgotten. */
        size_t keep = 0;
        for (size_t i = 0; i < l->count; i++) {
            if (!l->slots[i].gone) {
                l->slots[keep++] = l->slots[i];
            }
        }
        l->count = keep;
        l->gone = 0;
        l->index_size /= 2;
        index_grow(l);
        slot = NULL;
    }
    if (!slot) {
        slot = lock_slot_add(l, en->name);
    }
    slot->entry = lock_entry_copy(&l->arena, en);
    render_slot(l, slot);
    l->dirty = true;
    return true;
}

bool lock_remove(struct lock *l, const char *stage)
{
    struct lock_slot *slot = lock_slot(l, str_from(stage));
    if (!slot || slot->gone) {
        return false;
    }
    slot->gone = true;
    l->gone++;
    l->dirty = true;
    return true;
}

/* ---- writing ---- */

static void render_stages(const struct lock *l, struct strbuf *out)
{
    if (!lock_count(l)) {
        strbuf_adds(out, "stages: {}\n");
        return;
    }
    strbuf_adds(out, "stages:\n");
    unsigned anchor = 1;
    for (size_t i = 0; i < l->count; i++) {
        const struct lock_slot *slot = &l->slots[i];
        if (slot->gone) {
            continue;
        }
        if (slot->has_anchor) {
            emit_yaml(out, slot->doc, &(struct emit_options){.indent = 2, .next_anchor = &anchor});
        } else {
            strbuf_addstr(out, slot->text);
        }
    }
}

void lock_render(const struct lock *l, struct strbuf *out)
{
    bool stages = false;
    if (!l->top) {
        strbuf_adds(out, "schema: '2.0'\n");
    }
    for (size_t i = 0; l->top && i < l->top->map.count; i++) {
        const struct value_pair *p = &l->top->map.pairs[i];
        if (str_is(value_as_str(p->key), "stages")) {
            stages = true;
            render_stages(l, out);
            continue;
        }
        struct arena a;
        arena_init(&a);
        struct value *one = value_map(&a);
        value_append(&a, one, p->key, p->val);
        emit_yaml(out, one, NULL);
        arena_release(&a);
    }
    if (!stages) {
        render_stages(l, out);
    }
}

int lock_write(struct lock *l, struct err *e)
{
    if (!l->dirty) {
        return 0;
    }
    int rc;
    if (!lock_count(l)) {
        rc = fs_remove(l->path, e);
    } else {
        struct strbuf text;
        strbuf_init(&text);
        lock_render(l, &text);
        rc = fs_write_atomic(l->path, text.p, text.n, 0, e);
        strbuf_release(&text);
    }
    if (rc == 0) {
        l->dirty = false;
        l->exists = lock_count(l) > 0;
    }
    return rc;
}
