/* See hydracompose.h. */
#include "hydracompose.h"
#include "hydrabuiltin.h"
#include "hydraplan.h"
#include "hydratree.h"

#include "err.h"

#include <stdlib.h>
#include <string.h>

struct compose {
    struct arena *a;
    const char *name;
    struct override *overrides;
    size_t count;
    struct hydrarepo repo;
    struct hydrasource *sources;
    struct hydrachoices choices;
    struct hydraplan plan;
    struct hydrainterp in;
    struct err *e;
};

static int parse_overrides(struct compose *c, const struct value *texts)
{
    c->count = texts->list.count;
    c->overrides = ARENA_ARRAY(c->a, c->count + 1, struct override);
    for (size_t i = 0; i < c->count; i++) {
        struct override *o = &c->overrides[i];
        if (override_parse(c->a, texts->list.items[i]->s, o, c->e) < 0) {
            return -1;
        }
        if (override_is_sweep(o)) {
            return err_set(c->e, ERR_USAGE, "Sweep parameters '%s' requires --multirun", o->text);
        }
    }
    return 0;
}

/* ---- more folders: hydra.searchpath ---- */

static int bad_searchpath(struct compose *c, const struct value *v)
{
    struct strbuf text;
    strbuf_init_max(&text, 1000);
    value_text(&text, v);
    err_set(c->e, ERR_USAGE, "hydra.searchpath must be a list of strings. Got: %s", text.p);
    strbuf_release(&text);
    return -1;
}

/* The list, from the command line or the primary file; NULL: there is none. */
static int find_searchpath(struct compose *c, const struct hydrafile *primary,
                           const struct value **list)
{
    *list = NULL;
    for (size_t i = 0; i < c->count; i++) {
        const struct override *o = &c->overrides[i];
        if (o->kind == OVERRIDE_CHANGE && strcmp(o->key, "hydra.searchpath") == 0) {
            *list = o->value;
            return 0;
        }
    }
    if (primary == NULL) {
        return 0;
    }
    if (primary->doc->type != VALUE_MAP) {
        return err_set(c->e, ERR_FORMAT, "primary config '%s' must be a DictConfig, got ListConfig",
                       c->name);
    }
    const struct value *hydra = value_get(primary->doc, "hydra");
    *list = hydra != NULL ? value_get(hydra, "searchpath") : NULL;
    return 0;
}

static int add_source(struct compose *c, const struct hydrafile *primary, const struct value *item)
{
    struct value *none = value_map(c->a);
    struct hydrainterp in = {.a = c->a, .e = c->e, .root = primary != NULL ? primary->doc : none};
    const struct hydraplace root = {.node = in.root};
    struct hydraplace p = {.node = value_copy(c->a, item), .up = &root};
    if (hydrainterp_follow(&in, &p) < 0) {
        return -1;
    }
    if (p.node->type != VALUE_STR) {
        return bad_searchpath(c, item);
    }
    const char *path = arena_str(c->a, p.node->s).p;
    if (str_starts(p.node->s, "file://")) {
        path += 7;
    } else if (strstr(path, "://") != NULL) {
        return err_set(
            c->e, ERR_USAGE,
            "hydra.searchpath: '%s' lies in a Python module, which nephron does not load; "
            "copy its files to a folder and name that",
            path);
    }
    c->sources[c->repo.source_count++] = (struct hydrasource){.dir = path};
    return 0;
}

static int add_searchpath(struct compose *c)
{
    const struct hydrafile *primary;
    const struct value *list;
    if (hydrarepo_load(&c->repo, c->name, &primary, c->e) < 0 ||
        find_searchpath(c, primary, &list) < 0) {
        return -1;
    }
    if (list == NULL || list->type == VALUE_NULL || hydrainterp_is_missing(list)) {
        return 0;
    }
    if (list->type != VALUE_LIST) {
        return bad_searchpath(c, list);
    }
    const struct hydrasource main = c->sources[0];
    c->sources = ARENA_ARRAY(c->a, list->list.count + 1, struct hydrasource);
    c->sources[0] = main;
    c->repo.sources = c->sources;
    for (size_t i = 0; i < list->list.count; i++) {
        if (add_source(c, primary, list->list.items[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- merging ---- */

static int check_own_settings(struct compose *c, const struct hydrastep *step,
                              const struct value *doc)
{
    const struct value *hydra = value_get(doc, "hydra");
    const struct value *list = hydra != NULL ? value_get(hydra, "searchpath") : NULL;
    if (list != NULL && list->type != VALUE_NULL && !step->primary &&
        strcmp(step->path, "hydra/config") != 0) {
        return err_set(c->e, ERR_USAGE,
                       "In '%s': Overriding hydra.searchpath is only supported from the primary "
                       "config",
                       step->path);
    }
    struct err why = ERR_INIT;
    if (hydra != NULL && hydrabuiltin_check(hydra, true, &why) < 0) {
        return err_set(c->e, ERR_FORMAT, "In '%s': %s", step->path, why.text);
    }
    return 0;
}

static int merge_step(struct compose *c, const struct hydrastep *step)
{
    const struct hydraplace root = {.node = c->in.root};
    const struct hydrafile *f;
    struct err why = ERR_INIT;
    if (hydrarepo_load(&c->repo, step->path, &f, c->e) < 0) {
        return -1;
    }
    struct value *doc = hydratree_embed(c->a, step->package, f->doc);
    if (doc->type == VALUE_MAP && check_own_settings(c, step, doc) < 0) {
        return -1;
    }
    c->in.e = &why;
    int rc = doc->type == VALUE_MAP
                 ? hydratree_merge(&c->in, &root, doc, false)
                 : err_set(&why, ERR_FORMAT, "Cannot merge DictConfig with ListConfig");
    c->in.e = c->e;
    return rc == 0 ? 0
                   : err_set(c->e, why.code,
                             "In '%s': ConfigTypeError raised while composing config:\n%s",
                             step->path, why.text);
}

static int set_value(struct compose *c, const struct override *o)
{
    struct err why = ERR_INIT;
    const char *owner = o->kind == OVERRIDE_DELETE ? hydrabuiltin_owner(c->a, o->key) : NULL;
    if (owner != NULL) {
        return err_set(c->e, ERR_USAGE,
                       "Error merging override %s: %s (DictConfig) does not support deletion",
                       o->text, owner);
    }
    if (hydratree_set(&c->in, o) < 0) {
        return -1;
    }
    const struct value *hydra = value_get(c->in.root, "hydra");
    bool own = strncmp(o->key, "hydra.", 6) == 0 && hydra != NULL;
    return own && hydrabuiltin_check(hydra, false, &why) < 0
               ? err_set(c->e, ERR_USAGE, "Error merging override %s: %s", o->text, why.text)
               : 0;
}

/* Variables that a job of Hydra's would take along must be there. */
static int check_environment(struct compose *c)
{
    const struct value *names = value_find(c->in.root, "hydra.job.env_copy");
    for (size_t i = 0; names != NULL && names->type == VALUE_LIST && i < names->list.count; i++) {
        const struct value *name = names->list.items[i];
        if (name->type == VALUE_STR && getenv(arena_str(c->a, name->s).p) == NULL) {
            return err_set(c->e, ERR_MISSING, "'%.*s'", STR_ARG(name->s));
        }
    }
    return 0;
}

static int compose_all(struct compose *c, const struct value *texts)
{
    if (parse_overrides(c, texts) < 0 || add_searchpath(c) < 0 ||
        hydrachoice_open(&c->choices, &c->repo, c->overrides, c->count, c->e) < 0 ||
        hydraplan_make(&c->plan, &c->repo, &c->choices, c->name, c->e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < c->plan.count; i++) {
        if (merge_step(c, &c->plan.steps[i]) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < c->choices.value_count; i++) {
        if (set_value(c, c->choices.values[i]) < 0) {
            return -1;
        }
    }
    if (check_environment(c) < 0) {
        return -1;
    }
    value_remove(c->in.root, "hydra");
    const struct hydraplace root = {.node = c->in.root};
    return hydrainterp_resolve(&c->in, &root);
}

int hydracompose(struct arena *a, const struct hydrasource *main, const char *name,
                 const struct value *overrides, struct value **out, struct err *e)
{
    struct hydrasource sources[1] = {*main};
    struct compose c = {.a = a, .name = name, .sources = sources, .e = e};
    c.in = (struct hydrainterp){.a = a, .root = value_map(a), .e = e};
    hydrarepo_init(&c.repo, a, sources, 1);
    int rc = compose_all(&c, overrides);
    *out = c.in.root;
    hydraplan_release(&c.plan);
    hydrachoice_release(&c.choices);
    hydrarepo_release(&c.repo);
    return rc;
}
