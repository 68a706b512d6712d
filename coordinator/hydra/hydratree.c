/* See hydratree.h. */
#include "hydratree.h"

#include "err.h"
#include "num.h"

#include <string.h>

static bool is_container(const struct value *v)
{
    return v != NULL && !value_is_scalar(v);
}

int hydratree_check(struct arena *a, const struct value *v, struct err *e)
{
    int rc = hydrainterp_is(v) ? hydrainterp_check(a, v->s, e) : 0;
    for (size_t i = 0; rc == 0 && v->type == VALUE_LIST && i < v->list.count; i++) {
        rc = hydratree_check(a, v->list.items[i], e);
    }
    for (size_t i = 0; rc == 0 && v->type == VALUE_MAP && i < v->map.count; i++) {
        if (v->map.pairs[i].key->type == VALUE_NULL) {
            return err_set(e, ERR_FORMAT, "Incompatible key type 'NoneType'");
        }
        rc = hydratree_check(a, v->map.pairs[i].val, e);
    }
    return rc;
}

struct value *hydratree_embed(struct arena *a, const char *package, struct value *v)
{
    struct str rest = str_from(package), part;
    if (rest.n == 0) {
        return v;
    }
    struct value *root = value_map(a), *at = root;
    while (hydrainterp_next_part(&rest, &part)) {
        struct value *next = rest.p != NULL ? value_map(a) : v;
        value_set(a, at, arena_str(a, part).p, next);
        at = next;
    }
    return root;
}

/* ---- merging ---- */

static int merge_pair(struct hydrainterp *in, const struct hydraplace *dest,
                      const struct value_pair *p, bool closed);

int hydratree_merge(struct hydrainterp *in, const struct hydraplace *dest, const struct value *src,
                    bool closed)
{
    for (size_t i = 0; i < src->map.count; i++) {
        if (merge_pair(in, dest, &src->map.pairs[i], closed) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What is there under a key. An interpolation of a list or map becomes a copy of that. */
static int have_at(struct hydrainterp *in, const struct hydraplace *dest, struct value *key,
                   struct str name, struct value **have)
{
    struct err none = ERR_INIT, *keep = in->e;
    *have = value_get_str(dest->node, name);
    if (*have == NULL || !hydrainterp_is(*have)) {
        return 0;
    }
    struct hydraplace p = {.node = *have, .up = dest};
    size_t depth = in->depth;
    in->e = &none;
    int rc = hydrainterp_follow(in, &p);
    in->e = keep;
    in->depth = depth;
    if (rc < 0 || p.bare || value_is_scalar(p.node)) {
        return none.code == ERR_LIMIT ? err_set(in->e, ERR_LIMIT, "%s", none.text) : 0;
    }
    if ((*have = hydrainterp_copy(in, p.node)) == NULL) {
        return -1;
    }
    value_set_key(in->a, dest->node, key, *have);
    return 0;
}

static int merge_into(struct hydrainterp *in, const struct hydraplace *dest, struct value *have,
                      const struct value *src, bool closed)
{
    const struct hydraplace at = {.node = have, .up = dest};
    if (have->type != src->type) {
        return err_set(in->e, ERR_FORMAT, "Cannot merge DictConfig with ListConfig");
    }
    if (have->type == VALUE_MAP) {
        return hydratree_merge(in, &at, src, closed);
    }
    struct value *copy = hydrainterp_copy(in, src);
    if (copy == NULL) {
        return -1;
    }
    have->list = copy->list;
    return 0;
}

static int merge_pair(struct hydrainterp *in, const struct hydraplace *dest,
                      const struct value_pair *p, bool closed)
{
    struct strbuf name;
    struct value *have = NULL;
    strbuf_init(&name);
    value_text(&name, p->key);
    bool missing = hydrainterp_is_missing(p->val);
    int rc = have_at(in, dest, p->key, strbuf_str(&name), &have);
    if (rc == 0 && have == NULL && closed) {
        rc = err_set(in->e, ERR_MISSING, "Key '%.200s' is not in struct", name.p);
    } else if (rc == 0 && is_container(have) && is_container(p->val)) {
        rc = merge_into(in, dest, have, p->val, closed);
    } else if (rc == 0 && (have == NULL || !missing)) {
        struct value *copy = hydrainterp_copy(in, p->val);
        rc = copy != NULL ? 0 : -1;
        if (rc == 0) {
            value_set_key(in->a, dest->node, p->key, copy);
        }
    }
    strbuf_release(&name);
    return rc;
}

/* ---- one key ---- */

struct setting {
    struct hydrainterp *in;
    const struct override *o;
    const struct value *v;
    bool force;
};

/* A key that a closed tree lacks, in Hydra's words. */
static int lacks(const struct setting *s, struct str part)
{
    size_t n = (size_t)(part.p + part.n - s->o->key);
    return err_set(s->in->e, ERR_USAGE,
                   "Could not override '%s'.\nTo append to your config use +%s: Key '%.*s' is not "
                   "in struct\n    full_key: %.*s\n    object_type=dict",
                   s->o->key, s->o->text, STR_ARG(part), (int)n, s->o->key);
}

static int refuse(const struct setting *s, const char *why)
{
    return err_set(s->in->e, ERR_USAGE, "Error merging override %s: %.400s", s->o->text, why);
}

static int put(const struct setting *s, struct value *at, struct str part, struct value *v)
{
    int64_t i = 0;
    if (at->type == VALUE_MAP) {
        value_set(s->in->a, at, arena_str(s->in->a, part).p, v);
        return 0;
    }
    if (!num_parse_int(str_trim(part), &i)) {
        return err_set(s->in->e, ERR_USAGE, "invalid literal for int() with base 10: '%.*s'",
                       STR_ARG(part));
    }
    i += i < 0 ? (int64_t)at->list.count : 0;
    if (i < 0 || i >= (int64_t)at->list.count) {
        return refuse(s, "list index out of range");
    }
    at->list.items[i] = v;
    return 0;
}

static int set_last(const struct setting *s, const struct hydraplace *at, struct str part)
{
    bool bad_index;
    struct value *have = hydrainterp_member(at->node, part, &bad_index);
    if (have == NULL && at->node->type == VALUE_MAP && !s->force) {
        return lacks(s, part);
    }
    if (is_container(have) && is_container(s->v)) {
        struct err why = ERR_INIT, *keep = s->in->e;
        s->in->e = &why;
        int rc = merge_into(s->in, at, have, s->v, !s->force);
        s->in->e = keep;
        if (rc < 0 && why.code == ERR_MISSING) {
            return err_set(keep, ERR_USAGE,
                           "Could not override '%s'.\nTo append to your config use +%s: %.400s",
                           s->o->key, s->o->text, why.text);
        }
        return rc < 0 ? refuse(s, why.text) : 0;
    }
    return put(s, at->node, part, value_copy(s->in->a, s->v));
}

static int set_key(const struct setting *s)
{
    struct str rest = str_from(s->o->key), part;
    struct hydraplace *at = ARENA_NEW(s->in->a, struct hydraplace);
    at->node = s->in->root;
    while (hydrainterp_next_part(&rest, &part)) {
        bool bad_index;
        if (rest.p == NULL) {
            return set_last(s, at, part);
        }
        struct value *next = hydrainterp_member(at->node, part, &bad_index);
        if (bad_index) {
            return err_set(s->in->e, ERR_USAGE, "Index '%.*s' (str) is not an int", STR_ARG(part));
        }
        if (next == NULL && at->node->type == VALUE_MAP && !s->force) {
            return lacks(s, part);
        }
        if (!is_container(next)) {
            next = value_map(s->in->a); /* what stood in the way goes */
            if (put(s, at->node, part, next) < 0) {
                return -1;
            }
        }
        struct hydraplace *down = ARENA_NEW(s->in->a, struct hydraplace);
        *down = (struct hydraplace){.node = next, .up = at};
        at = down;
    }
    return 0;
}

/* ---- overrides ---- */

/* The value at a key: NULL when there is none, it is null or "???". */
static int selected(const struct setting *s, const char *key, struct value **found)
{
    const struct hydraplace root = {.node = s->in->root};
    struct err why = ERR_INIT, *keep = s->in->e;
    struct hydraplace p;
    s->in->e = &why;
    int rc = hydrainterp_select(s->in, &root, str_from(key), false, &p);
    s->in->e = keep;
    if (rc < 0 && !s->in->no_node) {
        return refuse(s, why.text);
    }
    bool none =
        rc < 0 || p.node == NULL || p.node->type == VALUE_NULL || hydrainterp_is_missing(p.node);
    *found = none ? NULL : p.node;
    return 0;
}

static int delete_key(const struct setting *s)
{
    const char *key = s->o->key, *dot = strrchr(key, '.');
    struct value *have, *parent = s->in->root;
    if (selected(s, key, &have) < 0) {
        return -1;
    }
    if (have == NULL) {
        return err_set(s->in->e, ERR_USAGE, "Could not delete from config. '%s' does not exist.",
                       key);
    }
    if (s->v != NULL && s->v->type != VALUE_NULL && !value_eq(s->v, have)) {
        struct strbuf text;
        strbuf_init_max(&text, 1000);
        value_text(&text, have);
        strbuf_adds(&text, " and not ");
        value_text(&text, s->v);
        err_set(s->in->e, ERR_USAGE, "Could not delete from config. The value of '%s' is %s.", key,
                text.p);
        strbuf_release(&text);
        return -1;
    }
    if (dot != NULL &&
        selected(s, arena_strndup(s->in->a, key, (size_t)(dot - key)), &parent) < 0) {
        return -1;
    }
    if (parent->type != VALUE_MAP) {
        return err_set(s->in->e, ERR_USAGE, "list indices must be integers or slices, not str");
    }
    value_remove(parent, dot != NULL ? dot + 1 : key);
    return 0;
}

static int add_key(struct setting *s)
{
    struct value *have;
    if (selected(s, s->o->key, &have) < 0) {
        return -1;
    }
    s->force = true;
    return have == NULL || is_container(s->v)
               ? set_key(s)
               : err_set(s->in->e, ERR_USAGE,
                         "Could not append to config. An item is already at '%s'.\nEither remove + "
                         "prefix: '%s'\nOr add a second + to add or override '%s': '+%s'\n",
                         s->o->key, s->o->text + 1, s->o->key, s->o->text);
}

int hydratree_set(struct hydrainterp *in, const struct override *o)
{
    struct setting s = {in, o, o->value, o->kind == OVERRIDE_FORCE_ADD};
    struct err why = ERR_INIT;
    if (o->package != NULL) {
        return err_set(in->e, ERR_USAGE,
                       "Override %s looks like a config group override, but config group '%s' does "
                       "not exist.",
                       o->text, o->key);
    }
    if (o->value != NULL && hydratree_check(in->a, o->value, &why) < 0) {
        return refuse(&s, why.text);
    }
    return o->kind == OVERRIDE_DELETE ? delete_key(&s)
           : o->kind == OVERRIDE_ADD  ? add_key(&s)
                                      : set_key(&s);
}
