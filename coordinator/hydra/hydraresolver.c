/* See hydraresolver.h. */
#include "hydraresolver.h"
#include "hydrascalar.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "yaml.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct call {
    struct hydrainterp *in;
    const struct hydraplace *up;
    const struct hydraplace *args;
    size_t count;
    struct hydraplace *out;
};

static int answer(struct call *c, struct value *v)
{
    *c->out = (struct hydraplace){.node = v, .up = c->up};
    return 0;
}

static const struct value *arg(const struct call *c, size_t i)
{
    return i < c->count ? c->args[i].node : NULL;
}

#define RAISED " raised while resolving interpolation: "

/* The first argument as a text. Else an error: `before`, its type, `after`; an `after` that begins with "`" follows its words and stands
 * before its type. */
static int need_text(const struct call *c, const char *before, const char *after, struct str *text)
{
    struct strbuf words;
    if (arg(c, 0)->type == VALUE_STR) {
        *text = arg(c, 0)->s;
        return 0;
    }
    strbuf_init_max(&words, 1000);
    value_text(&words, arg(c, 0));
    const char *type = hydrainterp_type(&c->args[0]);
    err_set(c->in->e, ERR_FORMAT, "%s%s%s%s", before, after[0] == '`' ? words.p : type, after,
            after[0] == '`' ? type : "");
    strbuf_release(&words);
    return -1;
}

static int call_env(struct call *c)
{
    struct str name;
    struct strbuf text;
    if (need_text(c, "TypeError" RAISED "str expected, not ", "", &name) < 0) {
        return -1;
    }
    const char *set = getenv(arena_str(c->in->a, name).p);
    const struct value *other = arg(c, 1);
    if (set != NULL && str_utf8_valid(str_from(set)) != strlen(set)) {
        return err_set(c->in->e, ERR_FORMAT, "the environment variable '%.*s' is no UTF-8 text",
                       STR_ARG(name));
    }
    if (set != NULL) {
        return answer(c, value_cstr(c->in->a, set));
    }
    if (other == NULL) {
        return err_set(c->in->e, ERR_MISSING,
                       "KeyError raised while resolving interpolation: \"Environment variable "
                       "'%.*s' not found\"",
                       STR_ARG(name));
    }
    if (other->type == VALUE_NULL) {
        return answer(c, value_null(c->in->a));
    }
    strbuf_init_max(&text, (size_t)1 << 20);
    if (value_is_scalar(other)) {
        value_text(&text, other);
    } else {
        value_repr(&text, other);
    }
    answer(c, value_str(c->in->a, strbuf_str(&text)));
    strbuf_release(&text);
    return 0;
}

static int call_select(struct call *c)
{
    struct str key;
    if (need_text(c, "AttributeError" RAISED "'", "' object has no attribute 'startswith'", &key) <
        0) {
        return -1;
    }
    struct hydraplace found;
    int rc = hydrainterp_select(c->in, c->up, key, false, &found);
    if (rc < 0 && !c->in->no_node) {
        return -1;
    }
    if (rc < 0) {
        err_clear(c->in->e);
    }
    if (rc == 0 && found.node != NULL && !hydrainterp_is_missing(found.node)) {
        *c->out = found;
        return 0;
    }
    if (c->count > 1) {
        *c->out = c->args[1];
        return 0;
    }
    return answer(c, value_null(c->in->a));
}

static int call_decode(struct call *c)
{
    struct str text;
    if (arg(c, 0)->type == VALUE_NULL) {
        return answer(c, value_null(c->in->a));
    }
    return need_text(c,
                     "TypeError" RAISED "`oc.decode` can only take strings or None as input, but `",
                     "` is of type ", &text) < 0
               ? -1
               : hydrainterp_element(c->in, c->up, text, c->out);
}

static int call_create(struct call *c)
{
    const struct value *v = arg(c, 0);
    if (v->type == VALUE_STR) {
        const struct yaml_options how = {.name = "oc.create", .plain = hydrascalar_read};
        const struct value *doc = yaml_parse(c->in->a, v->s, &how, c->in->e);
        if (doc == NULL) {
            return -1;
        }
        struct value *map = value_map(c->in->a);
        if (doc->type == VALUE_STR) {
            value_set(c->in->a, map, arena_str(c->in->a, doc->s).p, value_null(c->in->a));
        }
        v = value_is_scalar(doc) ? map : doc;
    }
    if (value_is_scalar(v) && v->type != VALUE_NULL) {
        return err_set(c->in->e, ERR_FORMAT,
                       "ValidationError raised while resolving interpolation: Object of "
                       "unsupported type: '%s'",
                       value_type_name(v->type));
    }
    return answer(c, value_copy(c->in->a, v));
}

/* The map of oc.dict.…; *key: its name. */
static const struct value *need_map(struct call *c, const char *name, struct str *key)
{
    struct hydraplace found;
    const char *before = arena_printf(
        c->in->a, "TypeError" RAISED "`%s` requires a string as input, but obtained `", name);
    if (need_text(c, before, "` of type: ", key) < 0 ||
        hydrainterp_select(c->in, c->up, *key, true, &found) < 0) {
        return NULL;
    }
    if (found.node == NULL) {
        err_set(c->in->e, ERR_MISSING,
                "ConfigKeyError raised while resolving interpolation: Key not found: '%.*s'",
                STR_ARG(*key));
        return NULL;
    }
    if (found.node->type != VALUE_MAP) {
        err_set(c->in->e, ERR_FORMAT,
                "TypeError raised while resolving interpolation: `%s` cannot be applied to objects "
                "of type: %s",
                name, hydrainterp_type(&found));
        return NULL;
    }
    return found.node;
}

static int call_keys(struct call *c)
{
    struct str key;
    const struct value *map = need_map(c, "oc.dict.keys", &key);
    struct value *list = value_list(c->in->a);
    for (size_t i = 0; map != NULL && i < map->map.count; i++) {
        value_push(c->in->a, list, value_copy(c->in->a, map->map.pairs[i].key));
    }
    return map != NULL ? answer(c, list) : -1;
}

/* Interpolations of the values: what they are is found when the list is resolved, one level deeper. */
static int call_values(struct call *c)
{
    struct str key;
    const struct value *map = need_map(c, "oc.dict.values", &key);
    struct value *list = value_list(c->in->a);
    for (size_t i = 0; map != NULL && i < map->map.count; i++) {
        struct strbuf text;
        strbuf_init(&text);
        strbuf_addf(&text, "${%s%.*s.", str_starts(key, ".") ? "." : "", STR_ARG(key));
        value_text(&text, map->map.pairs[i].key);
        strbuf_addch(&text, '}');
        value_push(c->in->a, list, value_str(c->in->a, strbuf_str(&text)));
        strbuf_release(&text);
    }
    return map != NULL ? answer(c, list) : -1;
}

static int call_deprecated(struct call *c)
{
    struct str key;
    if (need_text(c, "TypeError" RAISED "oc.deprecated: interpolation key type is not a string (",
                  ")", &key) < 0 ||
        hydrainterp_select(c->in, c->up, key, false, c->out) < 0) {
        return -1;
    }
    return c->out->node != NULL
               ? 0
               : err_set(c->in->e, ERR_MISSING,
                         "ConfigKeyError raised while resolving interpolation: In oc.deprecated "
                         "resolver: Key not found: '%.*s'",
                         STR_ARG(key));
}

static int call_now(struct call *c)
{
    char text[512];
    struct str format;
    struct tm tm;
    if (need_text(c, "TypeError" RAISED "strftime() argument 1 must be str, not ", "", &format) <
        0) {
        return -1;
    }
    time_t t = (time_t)(clock_wall_ms(&clock_system) / 1000);
    localtime_r(&t, &tm);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size_t n = strftime(text, sizeof text, arena_str(c->in->a, format).p, &tm);
#pragma GCC diagnostic pop
    return answer(c, value_str(c->in->a, (struct str){text, n}));
}

static int call_foreign(struct call *c)
{
    return err_set(c->in->e, ERR_USAGE,
                   "the resolvers `hydra` and `python_version` tell of a running Python program, "
                   "which nephron is not; write the value itself");
}

int hydraresolver_call(struct hydrainterp *in, const struct hydraplace *up, struct str name,
                       const struct hydraplace *args, size_t count, struct hydraplace *out)
{
    static const struct {
        const char *name;
        int (*call)(struct call *c);
        size_t min, max;
    } resolvers[] = {
        {"oc.env", call_env, 1, 2},
        {"oc.select", call_select, 1, 2},
        {"oc.decode", call_decode, 1, 1},
        {"oc.create", call_create, 1, 1},
        {"oc.dict.keys", call_keys, 1, 1},
        {"oc.dict.values", call_values, 1, 1},
        {"oc.deprecated", call_deprecated, 1, 2},
        {"now", call_now, 1, 1},
        {"hydra", call_foreign, 0, 9},
        {"python_version", call_foreign, 0, 9},
    };
    struct call c = {in, up, args, count, out};
    for (size_t i = 0; i < ARRAY_SIZE(resolvers); i++) {
        if (!str_is(name, resolvers[i].name)) {
            continue;
        }
        if (count < resolvers[i].min || count > resolvers[i].max) {
            return err_set(in->e, ERR_FORMAT,
                           "TypeError raised while resolving interpolation: %s takes from %zu to "
                           "%zu arguments, found %zu",
                           resolvers[i].name, resolvers[i].min, resolvers[i].max, count);
        }
        return resolvers[i].call(&c);
    }
    return err_set(in->e, ERR_FORMAT, "Unsupported interpolation type %.*s", STR_ARG(name));
}
