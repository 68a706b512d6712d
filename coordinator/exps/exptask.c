/* See exptask.h. */
#include "exptask.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "value.h"

#include <string.h>

#define TASK_MAX ((size_t)16 << 20)
#define SCHEMA 1

static const char *const state_names[] = {
#define X(name, text, shown) text,
    EXPTASK_STATES(X)
#undef X
};
static const char *const state_shown[] = {
#define X(name, text, shown) shown,
    EXPTASK_STATES(X)
#undef X
};

const char *exptask_state_name(enum exptask_state s)
{
    return state_names[s];
}

const char *exptask_state_shown(enum exptask_state s)
{
    return state_shown[s];
}

/* The flags of struct repro_options that are kept. */
static const struct {
    const char *name;
    size_t offset;
} flags[] = {
#define FLAG(name)                                                                                 \
    {                                                                                              \
#name, offsetof(struct repro_options, name)                                                \
    }
    FLAG(force),       FLAG(single_item),  FLAG(pipeline),         FLAG(all_pipelines),
    FLAG(recursive),   FLAG(downstream),   FLAG(force_downstream), FLAG(dry),
    FLAG(interactive), FLAG(pull),         FLAG(allow_missing),    FLAG(glob),
    FLAG(no_commit),   FLAG(no_run_cache),

#undef FLAG
};

static bool *flag_of(struct repro_options *o, size_t i)
{
    return (bool *)(void *)((char *)o + flags[i].offset);
}

static void put(struct arena *a, struct value *map, const char *key, const char *text)
{
    if (text != NULL) {
        value_set(a, map, key, value_cstr(a, text));
    }
}

static struct value *texts(struct arena *a, const char *const *items, size_t count)
{
    struct value *list = value_list(a);
    for (size_t i = 0; i < count; i++) {
        value_push(a, list, value_cstr(a, items[i]));
    }
    return list;
}

static struct value *repro_value(struct arena *a, const struct exptask *t)
{
    struct repro_options o = t->repro;
    struct value *v = value_map(a);
    value_set(a, v, "targets", texts(a, o.targets, o.target_count));
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (*flag_of(&o, i)) {
            value_set(a, v, flags[i].name, value_bool(a, true));
        }
    }
    value_set(a, v, "on_error", value_int(a, o.on_error));
    return v;
}

struct value *exptask_value(struct arena *a, const struct exptask *t)
{
    struct value *v = value_map(a);
    value_set(a, v, "schema", value_int(a, SCHEMA));
    put(a, v, "rev", t->rev);
    put(a, v, "name", t->name);
    put(a, v, "state", exptask_state_name(t->state));
    put(a, v, "baseline", t->baseline);
    put(a, v, "head", t->head);
    put(a, v, "message", t->message);
    put(a, v, "root", t->root);
    put(a, v, "prefix", t->prefix);
    value_set(a, v, "repro", repro_value(a, t));
    value_set(a, v, "copies", texts(a, t->copies, t->copy_count));
    value_set(a, v, "created_ms", value_int(a, t->created_ms));
    put(a, v, "worker", t->worker);
    put(a, v, "commit", t->commit);
    put(a, v, "error", t->error);
    return v;
}

/* ---- reading ---- */

static const char *get(struct arena *a, const struct value *v, const char *key)
{
    const struct value *text = value_get(v, key);
    return text != NULL && text->type == VALUE_STR && memchr(text->s.p, 0, text->s.n) == NULL
               ? arena_str(a, text->s).p
               : NULL;
}

static int64_t get_int(const struct value *v, const char *key)
{
    const struct value *n = value_get(v, key);
    return n != NULL && n->type == VALUE_INT ? n->i : 0;
}

static const char *const *get_texts(struct arena *a, const struct value *v, const char *key,
                                    size_t *count)
{
    const struct value *list = value_get(v, key);
    size_t n = list != NULL && list->type == VALUE_LIST ? list->list.count : 0;
    const char **items = ARENA_ARRAY(a, n + 1, const char *);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        if (list->list.items[i]->type == VALUE_STR) {
            items[(*count)++] = arena_str(a, list->list.items[i]->s).p;
        }
    }
    return items;
}

static bool get_state(const char *text, enum exptask_state *s)
{
    for (size_t i = 0; text != NULL && i < ARRAY_SIZE(state_names); i++) {
        if (strcmp(state_names[i], text) == 0) {
            *s = (enum exptask_state)i;
            return true;
        }
    }
    return false;
}

static void get_repro(struct arena *a, const struct value *v, struct repro_options *o)
{
    o->targets = get_texts(a, v, "targets", &o->target_count);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        const struct value *on = value_get(v, flags[i].name);
        *flag_of(o, i) = on != NULL && on->type == VALUE_BOOL && on->b;
    }
    int64_t how = get_int(v, "on_error");
    o->on_error =
        how == REPRO_KEEP_GOING || how == REPRO_IGNORE ? (enum repro_on_error)how : REPRO_STOP;
}

static bool is_id(const char *s)
{
    size_t n = s != NULL ? strspn(s, "0123456789abcdef") : 0;
    return (n == 40 || n == 64) && s[n] == 0;
}

int exptask_from_value(struct arena *a, const struct value *v, const char *where, struct exptask *t,
                       struct err *e)
{
    *t = (struct exptask){.rev = get(a, v, "rev"),
                          .name = get(a, v, "name"),
                          .baseline = get(a, v, "baseline"),
                          .head = get(a, v, "head"),
                          .message = get(a, v, "message"),
                          .root = get(a, v, "root"),
                          .prefix = get(a, v, "prefix"),
                          .worker = get(a, v, "worker"),
                          .created_ms = get_int(v, "created_ms"),
                          .commit = get(a, v, "commit"),
                          .error = get(a, v, "error")};
    t->copies = get_texts(a, v, "copies", &t->copy_count);
    get_repro(a, value_get(v, "repro"), &t->repro);
    if (get_int(v, "schema") != SCHEMA || !get_state(get(a, v, "state"), &t->state) ||
        !is_id(t->rev) || !is_id(t->baseline) || !is_id(t->head) || t->name == NULL ||
        t->root == NULL || t->prefix == NULL || (t->commit != NULL && !is_id(t->commit))) {
        return err_set(e, ERR_FORMAT,
                       "%s is not the record of a queued experiment; remove the file", where);
    }
    return 0;
}

int exptask_load(struct arena *a, const char *path, struct exptask *t, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    const struct value *v = NULL;
    if (fs_read(path, TASK_MAX, &text, e) == 0) {
        v = json_parse(a, strbuf_str(&text), path, e);
    }
    strbuf_release(&text);
    return v != NULL ? exptask_from_value(a, v, path, t, e) : -1;
}

int exptask_save(const char *path, const struct exptask *t, struct err *e)
{
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text);
    json_write(&text, exptask_value(&a, t), &(struct json_style){.indent = 1});
    strbuf_addch(&text, '\n');
    int rc = fs_mkdirs_for(path, e);
    if (rc == 0) {
        rc = fs_write_atomic(path, text.p, text.n, 0, e);
    }
    strbuf_release(&text);
    arena_release(&a);
    return rc;
}
