/* See hydrachoice.h. Source of the rules: Hydra 1.3, defaults_list.Overrides. */
#include "hydrachoice.h"
#include "hydrarepo.h"

#include "alloc.h"
#include "err.h"

#include <stdlib.h>
#include <string.h>

/* ---- the command line ---- */

/* "group", "group@package" */
static const char *key_of(struct arena *a, const struct override *o)
{
    return o->package != NULL ? arena_printf(a, "%s@%s", o->key, o->package) : o->key;
}

static int add_deletion(struct hydrachoices *c, const struct override *o, struct err *e)
{
    const struct value *v = o->value;
    bool none = v == NULL || v->type == VALUE_NULL;
    if (!none && v->type != VALUE_STR) {
        return err_set(e, ERR_USAGE, "Config group override deletion value must be a string : %s",
                       o->text);
    }
    const char *key = key_of(c->a, o);
    size_t at = 0;
    while (at < c->deletion_count && strcmp(c->deletions[at].key, key) != 0) {
        at++;
    }
    c->deletion_count += at == c->deletion_count;
    c->deletions[at] = (struct hydradeletion){key, none ? NULL : arena_str(c->a, v->s).p, false};
    return 0;
}

static void add_group(struct hydrachoices *c, const struct override *o)
{
    struct hydradefault *d = ARENA_NEW(c->a, struct hydradefault);
    d->is_group = d->external = true;
    d->name = o->key;
    d->package = o->package != NULL && strcmp(o->package, "_here_") == 0 ? "" : o->package;
    d->option = o->value->type == VALUE_STR ? arena_str(c->a, o->value->s).p : NULL;
    d->options = o->value->type == VALUE_LIST ? o->value : NULL;
    c->added[c->added_count++] = d;
}

static struct hydrachoice *find(const struct hydrachoices *c, const char *key)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->items[i].key, key) == 0) {
            return &c->items[i];
        }
    }
    return NULL;
}

static struct hydrachoice *choose(struct hydrachoices *c, const char *key)
{
    struct hydrachoice *one = find(c, key);
    if (one == NULL) {
        ARRAY_RESERVE(c->items, c->count, c->capacity, 1);
        one = &c->items[c->count++];
    }
    *one = (struct hydrachoice){.key = key};
    return one;
}

static int check_options(const struct value *v, const struct override *o, struct err *e)
{
    for (size_t i = 0; v->type == VALUE_LIST && i < v->list.count; i++) {
        if (v->list.items[i]->type != VALUE_STR) {
            return err_set(e, ERR_USAGE, "the options of a config group must be texts: %s",
                           o->text);
        }
    }
    return 0;
}

static int add_one(struct hydrachoices *c, const struct hydrarepo *r, const struct override *o,
                   struct err *e)
{
    const struct value *v = o->value;
    if ((v != NULL && v->type == VALUE_MAP) || !hydrarepo_is_group(r, o->key)) {
        c->values[c->value_count++] = o;
        return 0;
    }
    if (o->kind == OVERRIDE_FORCE_ADD) {
        return err_set(e, ERR_USAGE, "force-add of config groups is not supported: '%s'", o->text);
    }
    if (o->kind == OVERRIDE_DELETE) {
        return add_deletion(c, o, e);
    }
    if (v->type != VALUE_STR && v->type != VALUE_LIST) {
        return err_set(e, ERR_USAGE, "Config group override must be a string or a list. Got %s",
                       v->type == VALUE_NULL ? "NoneType" : value_type_name(v->type));
    }
    if (check_options(v, o, e) < 0) {
        return -1;
    }
    if (o->kind == OVERRIDE_ADD) {
        add_group(c, o);
        return 0;
    }
    struct hydrachoice *one = choose(c, key_of(c->a, o));
    one->option = v->type == VALUE_STR ? arena_str(c->a, v->s).p : NULL;
    one->options = v->type == VALUE_LIST ? v : NULL;
    return 0;
}

int hydrachoice_open(struct hydrachoices *c, const struct hydrarepo *r,
                     const struct override *overrides, size_t count, struct err *e)
{
    *c = (struct hydrachoices){.a = r->a};
    c->deletions = ARENA_ARRAY(r->a, count + 1, struct hydradeletion);
    c->added = ARENA_ARRAY(r->a, count + 1, struct hydradefault *);
    c->values = ARENA_ARRAY(r->a, count + 1, const struct override *);
    for (size_t i = 0; i < count; i++) {
        if (add_one(c, r, &overrides[i], e) < 0) {
            return -1;
        }
    }
    return 0;
}

void hydrachoice_release(struct hydrachoices *c)
{
    free(c->items);
    free(c->known);
    c->items = NULL;
    c->known = NULL;
    c->count = c->known_count = c->capacity = c->known_capacity = 0;
}

/* ---- lists ---- */

void hydrachoice_override(struct hydrachoices *c, const char *file, const struct hydradefault *d)
{
    const char *key = hydradefault_key(c->a, d);
    if (find(c, key) == NULL) {
        struct hydrachoice *one = choose(c, key);
        one->option = d->option;
        one->options = d->options;
        one->file = file;
    }
}

void hydrachoice_apply(struct hydrachoices *c, struct hydradefault *d)
{
    struct hydrachoice *one = d->is_group ? find(c, hydradefault_key(c->a, d)) : NULL;
    if (one != NULL) {
        d->option = one->option;
        d->options = one->options;
        one->used = true;
    }
}

bool hydrachoice_delete(struct hydrachoices *c, const struct hydradefault *d)
{
    if (!d->is_group || c->deletion_count == 0) {
        return false;
    }
    const char *key = hydradefault_key(c->a, d);
    for (size_t i = 0; i < c->deletion_count; i++) {
        struct hydradeletion *one = &c->deletions[i];
        if (strcmp(one->key, key) == 0) {
            bool same =
                one->option == NULL || (d->option != NULL && strcmp(one->option, d->option) == 0);
            one->used = one->used || same;
            return same;
        }
    }
    return false;
}

int hydrachoice_know(struct hydrachoices *c, const struct hydradefault *d, struct err *e)
{
    if (!d->is_group) {
        return 0;
    }
    const char *key = hydradefault_key(c->a, d);
    for (size_t i = 0; i < c->known_count; i++) {
        const char *was = c->known[i].option;
        if (strcmp(c->known[i].key, key) != 0) {
            continue;
        }
        if ((was == NULL) != (d->option == NULL) || (was != NULL && strcmp(was, d->option) != 0)) {
            return err_set(e, ERR_USAGE,
                           "Multiple values for %s. To override a value use 'override %s: %s'", key,
                           key, was != NULL ? was : "None");
        }
        return 0;
    }
    ARRAY_RESERVE(c->known, c->known_count, c->known_capacity, 1);
    c->known[c->known_count++] = (struct hydraknown){key, hydradefault_group(c->a, d), d->option};
    return 0;
}

struct value *hydrachoice_map(const struct hydrachoices *c)
{
    struct value *map = value_map(c->a);
    for (size_t i = 0; i < c->known_count; i++) {
        const char *option = c->known[i].option;
        value_set(c->a, map, c->known[i].key,
                  option != NULL ? value_cstr(c->a, option) : value_null(c->a));
    }
    return map;
}

/* ---- in the end ---- */

static int compare(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* The keys of the same group with other packages, for the person who missed. */
static void add_similar(const struct hydrachoices *c, const char *key, struct strbuf *out)
{
    const char **keys = ARENA_ARRAY(c->a, c->known_count + 1, const char *);
    size_t count = 0, n = strcspn(key, "@");
    for (size_t i = 0; i < c->known_count; i++) {
        if (strlen(c->known[i].group) == n && strncmp(c->known[i].group, key, n) == 0) {
            keys[count++] = c->known[i].key;
        }
    }
    if (count == 0) {
        strbuf_adds(out, " No match in the defaults list.");
        return;
    }
    qsort(keys, count, sizeof *keys, compare);
    strbuf_adds(out,
                count > 1 ? "\nDid you mean to override one of " : "\nDid you mean to override ");
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(out, "%s%s", i > 0 ? ", " : "", keys[i]);
    }
    strbuf_adds(out, "?");
}

static int not_used(const struct hydrachoices *c, const struct hydrachoice *one, struct err *e)
{
    struct strbuf text;
    strbuf_init_max(&text, 1800);
    if (one->file != NULL) {
        strbuf_addf(&text, "In '%s': ", one->file);
    }
    strbuf_addf(&text, "Could not override '%s'.", one->key);
    add_similar(c, one->key, &text);
    if (one->file == NULL) {
        strbuf_addf(&text, "\nTo append to your default list use +%s=", one->key);
        if (one->options != NULL) {
            value_repr(&text, one->options);
        } else {
            strbuf_adds(&text, one->option);
        }
    }
    err_set(e, ERR_USAGE, "%s", text.p);
    strbuf_release(&text);
    return -1;
}

int hydrachoice_check_used(const struct hydrachoices *c, struct err *e)
{
    for (size_t i = 0; i < c->count; i++) {
        if (!c->items[i].used) {
            return not_used(c, &c->items[i], e);
        }
    }
    for (size_t i = 0; i < c->deletion_count; i++) {
        const struct hydradeletion *d = &c->deletions[i];
        if (!d->used) {
            return err_set(e, ERR_USAGE, "Could not delete '%s%s%s'. No match in the defaults list",
                           d->key, d->option != NULL ? "=" : "",
                           d->option != NULL ? d->option : "");
        }
    }
    return 0;
}
