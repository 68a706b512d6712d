/* See hydraplan.h. Source of the rules: Hydra 1.3, defaults_list.py. */
#include "hydraplan.h"
#include "hydrainterp.h"

#include "alloc.h"
#include "err.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 4096

struct walk {
    struct arena *a;
    struct hydrarepo *r;
    struct hydrachoices *c;
    struct err *e;
    size_t depth, elements;
};

static int visit(struct walk *w, struct hydradefault *d, bool interpolated);

/* ---- what is not there ---- */

static void add_search_path(const struct walk *w, struct strbuf *out)
{
    strbuf_adds(out, "\nConfig search path:");
    for (size_t i = 0; i < w->r->source_count; i++) {
        if (w->r->sources[i].texts == NULL) {
            strbuf_addf(out, "\n\t%s", w->r->sources[i].dir);
        }
    }
}

static int not_found(struct walk *w, const struct hydradefault *d)
{
    const char *path = hydradefault_path(w->a, d);
    struct strbuf text;
    strbuf_init_max(&text, 1800);
    if (d->primary) {
        strbuf_addf(
            &text, "Cannot find primary config '%s'. Check that it's in your config search path.\n",
            path);
    } else {
        strbuf_addf(&text,
                    "In '%s': ", d->parent != NULL ? hydradefault_path(w->a, d->parent) : "<root>");
        strbuf_addf(&text, d->is_group ? "Could not find '%s'\n" : "Could not load '%s'.\n", path);
    }
    if (d->is_group) {
        const char *group = hydradefault_group(w->a, d);
        struct strbuf options;
        strbuf_init_max(&options, 1000);
        hydrarepo_add_options(w->r, group, &options);
        if (options.n > 0) {
            strbuf_addf(&text, "\nAvailable options in '%s':%s", group, options.p);
        }
        strbuf_release(&options);
    }
    add_search_path(w, &text);
    err_set(w->e, ERR_MISSING, "%s", text.p);
    strbuf_release(&text);
    return -1;
}

/* "???": an option must be given. */
static int check_given(struct walk *w, const struct hydradefault *d)
{
    const char *path = hydradefault_path(w->a, d);
    struct strbuf options;
    if (!str_ends(str_from(path), "???")) {
        return 0;
    }
    if (!d->is_group) {
        return err_set(w->e, ERR_FORMAT, "Missing ConfigDefault is not supported : %s", path);
    }
    const char *key = hydradefault_key(w->a, d);
    strbuf_init_max(&options, 1000);
    hydrarepo_add_options(w->r, hydradefault_group(w->a, d), &options);
    err_set(w->e, ERR_USAGE, "You must specify '%s', e.g, %s=<OPTION>\nAvailable options:%s", key,
            key, options.p);
    strbuf_release(&options);
    return -1;
}

/* ---- one list ---- */

struct list {
    struct hydradefault **items;
    size_t count, capacity;
};

static void push(struct list *to, struct hydradefault *d)
{
    ARRAY_RESERVE(to->items, to->count, to->capacity, 1);
    to->items[to->count++] = d;
}

/* The list of a file, with `_self_` where it belongs and what the command line adds. */
static int make_list(struct walk *w, const struct hydradefault *d, const struct hydrafile *f,
                     struct list *l)
{
    size_t added = d->primary ? w->c->added_count : 0, selves = 0, others = 0;
    l->items = ARENA_ARRAY(w->a, f->count + added + 1, struct hydradefault *);
    l->count = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct hydradefault *one = hydradefault_copy(w->a, f->defaults[i]);
        selves += hydradefault_is_self(one);
        others += !one->override;
        l->items[l->count++] = one;
    }
    if (selves > 1) {
        return err_set(w->e, ERR_FORMAT, "Duplicate _self_ defined in %s",
                       hydradefault_path(w->a, d));
    }
    if (selves == 0 && f->count + added > 0 && (others > 0 || f->count == 0)) {
        l->items[l->count++] = hydradefault_new_file(w->a, "_self_");
    }
    for (size_t i = 0; i < added; i++) {
        l->items[l->count++] = hydradefault_copy(w->a, w->c->added[i]);
    }
    return 0;
}

static int misplaced(struct walk *w, const struct hydradefault *d,
                     const struct hydradefault *override, const struct hydradefault *after)
{
    const char *was = hydradefault_option(override), *now = hydradefault_option(after);
    return err_set(w->e, ERR_FORMAT,
                   "In %s: Override '%s : %s' is defined before '%s: %s'.\nOverrides must be at "
                   "the end of the defaults list",
                   hydradefault_path(w->a, d), hydradefault_key(w->a, override),
                   was != NULL ? was : "None", hydradefault_key(w->a, after),
                   now != NULL ? now : "None");
}

/* Gives the elements their place and keeps the overrides among them. */
static int note_overrides(struct walk *w, const struct hydradefault *d, const struct list *l,
                          bool interpolated)
{
    const struct hydradefault *last = NULL;
    const char *dir = hydradefault_group(w->a, d), *path = hydradefault_path(w->a, d);
    const char *package = hydradefault_package(w->a, d, true);
    for (size_t i = 0; i < l->count; i++) {
        struct hydradefault *one = l->items[i];
        one->parent = d;
        if (hydradefault_is_self(one)) {
            continue;
        }
        hydradefault_place(w->a, one, dir, package);
        if (last != NULL && !one->override && !one->external) {
            return misplaced(w, d, last, one);
        }
        if (!one->override) {
            continue;
        }
        last = one;
        if (interpolated) {
            return err_set(w->e, ERR_FORMAT,
                           "%s: Default List Overrides are not allowed in the subtree\nof an in "
                           "interpolated config group (override %s=%s).\n",
                           path, hydradefault_key(w->a, one),
                           one->option != NULL ? one->option : "None");
        }
        hydrachoice_override(w->c, path, one);
    }
    return 0;
}

/* ---- children, from the end of the list ---- */

/* `group: [a, b]` */
static int add_options(struct walk *w, struct hydradefault *d, const struct hydradefault *one,
                       struct list *to, bool interpolated)
{
    for (size_t i = one->options->list.count; i > 0; i--) {
        struct str item = one->options->list.items[i - 1]->s;
        if (memmem(item.p, item.n, "${", 2) != NULL) {
            return err_set(w->e, ERR_FORMAT,
                           "In '%s': Defaults List interpolation is not supported in options list "
                           "items",
                           hydradefault_path(w->a, d));
        }
        struct hydradefault *file =
            hydradefault_new_file(w->a, arena_printf(w->a, "%s/%.*s", one->name, STR_ARG(item)));
        file->package = one->package;
        file->optional = one->optional;
        file->parent = d;
        hydradefault_place(w->a, file, one->dir, one->parent_package);
        if (visit(w, file, interpolated) < 0) {
            return -1;
        }
        push(to, file);
    }
    return 0;
}

static int add_child(struct walk *w, struct hydradefault *d, struct hydradefault *one,
                     struct list *to, bool interpolated)
{
    if (hydradefault_is_self(one)) {
        push(to, one);
        return 0;
    }
    if (one->override) {
        return 0;
    }
    hydrachoice_apply(w->c, one);
    if (one->options != NULL) {
        return add_options(w, d, one, to, interpolated);
    }
    if (!hydradefault_is_interpolation(w->a, one) && visit(w, one, interpolated) < 0) {
        return -1;
    }
    push(to, one);
    return 0;
}

static int interpolation_failed(struct walk *w, const char *text, const struct value *map)
{
    struct strbuf keys;
    strbuf_init_max(&keys, 1000);
    for (size_t i = 0; i < map->map.count; i++) {
        strbuf_addf(&keys, "%s%s",
                    i > 0 ? ", " : ", possible interpolation keys: ", map->map.pairs[i].key->s.p);
    }
    err_set(w->e, ERR_FORMAT, "Error resolving interpolation '%.400s'%s", text, keys.p);
    strbuf_release(&keys);
    return -1;
}

/* `group: ${other}_x`: once all other options are known. */
static int resolve_child(struct walk *w, struct hydradefault *one)
{
    struct value *map = hydrachoice_map(w->c);
    struct err why = ERR_INIT;
    struct hydrainterp in = {.a = w->a, .root = map, .e = &why};
    const struct hydraplace root = {.node = map};
    const char *text = one->is_group ? one->option : hydradefault_path(w->a, one);
    struct hydraplace out;
    if (one->is_group && strncmp(text, "${defaults.", 11) == 0) {
        return err_set(w->e, ERR_FORMAT,
                       "Defaults list element '%s=%s' is using a deprecated interpolation form.",
                       hydradefault_key(w->a, one), text);
    }
    if (hydrainterp_text(&in, &root, str_from(text), &out) < 0) {
        return interpolation_failed(w, text, map);
    }
    if (out.node->type != VALUE_STR) {
        return err_set(w->e, ERR_FORMAT, "the interpolation '%s' in a defaults list is no text",
                       text);
    }
    text = arena_str(w->a, out.node->s).p;
    *(one->is_group ? &one->option : &one->name) = text;
    return visit(w, one, true);
}

static int resolve_children(struct walk *w, const struct list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        struct hydradefault *one = l->items[i];
        if (!hydradefault_is_self(one) && hydradefault_is_interpolation(w->a, one) &&
            resolve_child(w, one) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_children(struct walk *w, struct hydradefault *d, const struct list *l,
                        bool interpolated)
{
    struct list to = {0};
    int rc = 0;
    for (size_t i = l->count; rc == 0 && i > 0; i--) {
        rc = add_child(w, d, l->items[i - 1], &to, interpolated);
    }
    if (rc == 0) {
        rc = resolve_children(w, &to);
    }
    d->children = ARENA_ARRAY(w->a, to.count + 1, struct hydradefault *);
    d->count = to.count;
    for (size_t i = 0; i < to.count; i++) {
        d->children[i] = to.items[to.count - 1 - i];
    }
    free(to.items);
    return rc;
}

/* ---- one element ---- */

static int enter_file(struct walk *w, struct hydradefault *d, bool interpolated)
{
    const struct hydrafile *f;
    struct list l;
    if (check_given(w, d) < 0 || hydrarepo_load(w->r, hydradefault_path(w->a, d), &f, w->e) < 0) {
        return -1;
    }
    if (f == NULL) {
        d->deleted = d->optional;
        return d->optional ? 0 : not_found(w, d);
    }
    return make_list(w, d, f, &l) < 0 || note_overrides(w, d, &l, interpolated) < 0 ||
                   add_children(w, d, &l, interpolated) < 0
               ? -1
               : 0;
}

static int set_header(struct walk *w, struct hydradefault *d)
{
    const struct hydrafile *f;
    if (hydradefault_is_missing(d) || hydradefault_option(d) == NULL) {
        return 0;
    }
    if (hydrarepo_load(w->r, hydradefault_path(w->a, d), &f, w->e) < 0) {
        return -1;
    }
    if (f == NULL && d->primary) {
        return not_found(w, d);
    }
    hydradefault_set_header(w->a, d, f != NULL ? f->package : NULL);
    return 0;
}

static int check_size(const struct walk *w, const struct hydradefault *d)
{
    bool long_package = d->package != NULL && strlen(d->package) > NAME_MAX_BYTES;
    if (long_package || strlen(hydradefault_path(w->a, d)) > NAME_MAX_BYTES ||
        strlen(hydradefault_package(w->a, d, true)) > NAME_MAX_BYTES) {
        return err_set(w->e, ERR_LIMIT, "a name of more than %d bytes in a defaults list",
                       NAME_MAX_BYTES);
    }
    return 0;
}

static int visit(struct walk *w, struct hydradefault *d, bool interpolated)
{
    if (++w->elements > HYDRAPLAN_MAX_ELEMENTS || w->depth == HYDRAPLAN_MAX_DEPTH) {
        return err_set(w->e, ERR_LIMIT,
                       "defaults lists that name each other without an end (more than %d deep or "
                       "%d elements), at '%.400s'",
                       HYDRAPLAN_MAX_DEPTH, HYDRAPLAN_MAX_ELEMENTS, hydradefault_path(w->a, d));
    }
    if (check_size(w, d) < 0 || set_header(w, d) < 0 || check_size(w, d) < 0) {
        return -1;
    }
    if (hydrachoice_delete(w->c, d)) {
        d->deleted = true;
        return 0;
    }
    if (hydrachoice_know(w->c, d, w->e) < 0) {
        return -1;
    }
    if (hydradefault_option(d) == NULL) {
        return 0;
    }
    w->depth++;
    int rc = enter_file(w, d, interpolated);
    w->depth--;
    return rc;
}

/* ---- the list ---- */

static void add_step(struct hydraplan *p, struct arena *a, const struct hydradefault *d)
{
    ARRAY_RESERVE(p->steps, p->count, p->capacity, 1);
    p->steps[p->count++] =
        (struct hydrastep){hydradefault_path(a, d), hydradefault_package(a, d, true), d->primary};
}

static int flatten(struct hydraplan *p, struct walk *w, const struct hydradefault *d,
                   struct value *keys)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < d->count; i++) {
        const struct hydradefault *one = d->children[i];
        if (hydradefault_is_self(one)) {
            add_step(p, w->a, d);
        } else {
            rc = flatten(p, w, one, keys);
        }
    }
    if (d->count > 0 || d->deleted || hydradefault_is_missing(d) ||
        hydradefault_option(d) == NULL) {
        return rc;
    }
    if (d->is_group) {
        const char *key = hydradefault_key(w->a, d);
        if (value_get(keys, key) != NULL) {
            return err_set(w->e, ERR_FORMAT, "%s appears more than once in the final defaults list",
                           key);
        }
        value_set(w->a, keys, key, value_null(w->a));
    }
    add_step(p, w->a, d);
    return 0;
}

int hydraplan_make(struct hydraplan *p, struct hydrarepo *r, struct hydrachoices *c,
                   const char *primary, struct err *e)
{
    struct walk w = {.a = r->a, .r = r, .c = c, .e = e};
    struct hydradefault *own = hydradefault_new_file(r->a, primary);
    struct hydradefault *hydra = hydradefault_new_file(r->a, "hydra/config");
    struct value *keys = value_map(r->a);
    *p = (struct hydraplan){0};
    own->primary = true;
    hydradefault_place(r->a, own, "", "");
    hydradefault_place(r->a, hydra, "", "");
    if (visit(&w, own, false) < 0 || visit(&w, hydra, false) < 0 ||
        flatten(p, &w, hydra, keys) < 0 || flatten(p, &w, own, keys) < 0) {
        return -1;
    }
    return hydrachoice_check_used(c, e);
}

void hydraplan_release(struct hydraplan *p)
{
    free(p->steps);
    *p = (struct hydraplan){0};
}
