/* What overrides do to parameters, and the experiments of a sweep. See override.h. Source of the rules: Hydra 1.3,
 * ConfigLoaderImpl._apply_overrides_to_config and BasicSweeper.split_arguments; OmegaConf 2.3, OmegaConf.update. */
#include "override.h"

#include "alloc.h"
#include "err.h"
#include "num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DEFAULT_FILE "params.yaml"

#define refuse(e, fmt, ...) err_set(e, ERR_USAGE, "Invalid `--set-param` value: " fmt, __VA_ARGS__)

/* ---- one override ---- */

static bool is_container(const struct value *v)
{
    return v != NULL && (v->type == VALUE_MAP || v->type == VALUE_LIST);
}

/* The place of a part of a key in a list; SIZE_MAX: it has none. */
static size_t index_of(const struct value *list, struct str part)
{
    int64_t i = 0;
    if (!num_parse_int(part, &i)) {
        return SIZE_MAX;
    }
    i += i < 0 ? (int64_t)list->list.count : 0;
    return i >= 0 && i < (int64_t)list->list.count ? (size_t)i : SIZE_MAX;
}

static struct value *member(const struct value *v, struct str part)
{
    if (v->type == VALUE_LIST) {
        size_t i = index_of(v, part);
        return i != SIZE_MAX ? v->list.items[i] : NULL;
    }
    return value_get_str(v, part);
}

static void set_member(struct arena *a, struct value *v, struct str part, struct value *to)
{
    if (v->type == VALUE_LIST) {
        v->list.items[index_of(v, part)] = to;
    } else {
        value_set(a, v, arena_strndup(a, part.p, part.n), to);
    }
}

static struct value *find(struct value *doc, const char *key)
{
    struct str rest = str_from(key), part;
    struct value *v = doc;
    while (v != NULL && rest.n > 0 && str_split(&rest, '.', &part)) {
        v = is_container(v) ? member(v, part) : NULL;
    }
    return v;
}

/* A map over a map is merged: without `add`, keys that are not there are refused. */
static bool merge(struct arena *a, struct value *into, const struct value *from, bool add)
{
    for (size_t i = 0; i < from->map.count; i++) {
        const struct value_pair *p = &from->map.pairs[i];
        struct strbuf name;
        strbuf_init(&name);
        value_text(&name, p->key);
        struct value *have = value_get(into, name.p);
        bool ok = have != NULL || add;
        if (ok && have != NULL && have->type == VALUE_MAP && p->val->type == VALUE_MAP) {
            ok = merge(a, have, p->val, add);
        } else if (ok) {
            value_set_key(a, into, p->key, value_copy(a, p->val));
        }
        strbuf_release(&name);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* Where a key could not be followed: its last part that was looked for. */
struct missing {
    struct str key;  /* from the start up to that part */
    struct str part; /* the part alone */
    bool kind;       /* it is there, but a list is no map */
};

/* Sets the value at a key. `add`: maps on the way are made. false: a part of the way is not there. */
static bool update(struct arena *a, struct value *doc, const char *key, const struct value *to,
                   bool add, struct missing *miss)
{
    struct str rest = str_from(key), part;
    struct value *at = doc;
    while (str_split(&rest, '.', &part)) {
        struct value *next = member(at, part);
        bool last = rest.n == 0;
        *miss = (struct missing){{key, (size_t)(part.p + part.n - key)}, part, false};
        if (next == NULL && (!add || at->type == VALUE_LIST)) {
            return false;
        }
        if (last) {
            miss->kind = is_container(next) && is_container(to) && next->type != to->type;
            if (miss->kind) {
                return false;
            }
            if (next != NULL && next->type == VALUE_MAP && to->type == VALUE_MAP) {
                return merge(a, next, to, add);
            }
            set_member(a, at, part, value_copy(a, to));
            return true;
        }
        if (!is_container(next)) {
            next = value_map(a); /* as OmegaConf: what stood in the way goes */
            set_member(a, at, part, next);
        }
        at = next;
    }
    return false;
}

static int set_key(struct arena *a, struct value *doc, const struct override *o,
                   const struct value *v, bool add, struct err *e)
{
    struct missing miss = {{0}, {0}, false};
    if (update(a, doc, o->key, v, add, &miss)) {
        return 0;
    }
    if (add || miss.kind) {
        return refuse(e, "Error merging override %s", o->text);
    }
    return refuse(
        e,
        "Could not override '%s'.\nTo append to your config use +%s: Key '%.*s' is not in "
        "struct\n    full_key: %.*s\n    object_type=dict",
        o->key, o->text, STR_ARG(miss.part), STR_ARG(miss.key));
}

static int delete_key(struct arena *a, struct value *doc, const struct override *o, struct err *e)
{
    struct value *have = find(doc, o->key);
    if (have == NULL || have->type == VALUE_NULL) {
        return refuse(e, "Could not delete from config. '%s' does not exist.", o->key);
    }
    if (o->value != NULL && o->value->type != VALUE_NULL && !value_eq(o->value, have)) {
        struct strbuf text;
        strbuf_init(&text);
        value_text(&text, have);
        strbuf_adds(&text, " and not ");
        value_text(&text, o->value);
        refuse(e, "Could not delete from config. The value of '%s' is %s.", o->key, text.p);
        strbuf_release(&text);
        return -1;
    }
    const char *dot = strrchr(o->key, '.');
    struct value *parent =
        dot != NULL ? find(doc, arena_strndup(a, o->key, (size_t)(dot - o->key))) : doc;
    const char *name = dot != NULL ? dot + 1 : o->key;
    if (parent->type != VALUE_MAP) {
        return refuse(e, "Error merging override %s", o->text);
    }
    value_remove(parent, name);
    return 0;
}

/* ---- ${other.key} ---- */

/* What an interpolation stands for; NULL with *e set. */
static struct value *look_up(struct arena *a, struct value *doc, struct str name, struct err *e)
{
    struct str env = name;
    if (str_starts(name, "oc.env:")) {
        env = str_sub(name, 7, name.n);
        struct str var = env;
        const char *comma = memchr(env.p, ',', env.n);
        var.n = comma != NULL ? (size_t)(comma - env.p) : env.n;
        const char *set = getenv(arena_str(a, str_trim(var)).p);
        if (set != NULL) {
            return value_cstr(a, set);
        }
        if (comma != NULL) {
            return value_str(a, str_trim(str_sub(env, var.n + 1, env.n)));
        }
        refuse(e, "Environment variable '%.*s' not found", STR_ARG(var));
        return NULL;
    }
    struct value *v = find(doc, arena_str(a, str_trim(name)).p);
    if (v == NULL) {
        refuse(e, "Interpolation key '%.*s' not found", STR_ARG(name));
    }
    return v;
}

/* A text with ${…}: the value itself when there is nothing else, or the text with their texts. */
static struct value *resolve_text(struct arena *a, struct value *doc, struct str s, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    struct value *result = NULL;
    size_t at = 0;
    for (;;) {
        const char *open = memmem(s.p + at, s.n - at, "${", 2);
        const char *close = open != NULL ? memchr(open, '}', (size_t)(s.p + s.n - open)) : NULL;
        if (close == NULL) {
            strbuf_add(&out, s.p + at, s.n - at);
            result = value_str(a, strbuf_str(&out));
            break;
        }
        struct str name = {open + 2, (size_t)(close - open - 2)};
        struct value *v = look_up(a, doc, name, e);
        if (v == NULL || (open == s.p && close + 1 == s.p + s.n)) {
            result = v;
            break;
        }
        strbuf_add(&out, s.p + at, (size_t)(open - s.p) - at);
        value_text(&out, v);
        at = (size_t)(close + 1 - s.p);
    }
    strbuf_release(&out);
    return result;
}

static struct value *resolve(struct arena *a, struct value *doc, struct value *v, struct err *e)
{
    if (v->type == VALUE_STR) {
        return memmem(v->s.p, v->s.n, "${", 2) != NULL ? resolve_text(a, doc, v->s, e) : v;
    }
    for (size_t i = 0; v->type == VALUE_LIST && i < v->list.count; i++) {
        if ((v->list.items[i] = resolve(a, doc, v->list.items[i], e)) == NULL) {
            return NULL;
        }
    }
    for (size_t i = 0; v->type == VALUE_MAP && i < v->map.count; i++) {
        if ((v->map.pairs[i].val = resolve(a, doc, v->map.pairs[i].val, e)) == NULL) {
            return NULL;
        }
    }
    return v;
}

static int add_key(struct arena *a, struct value *doc, const struct override *o,
                   const struct value *v, struct err *e)
{
    const struct value *have = find(doc, o->key);
    if (have == NULL || have->type == VALUE_NULL || is_container(v)) {
        return set_key(a, doc, o, v, true, e);
    }
    return refuse(
        e,
        "Could not append to config. An item is already at '%s'.\nEither remove + prefix: "
        "'%s'\nOr add a second + to add or override '%s': '+%s'\n",
        o->key, o->text + 1, o->key, o->text);
}

int override_apply(struct arena *a, struct value *doc, const struct override *o, struct err *e)
{
    if (o->package != NULL) {
        return refuse(e,
                      "Override %s looks like a config group override, but config group '%s' does "
                      "not exist.",
                      o->text, o->key);
    }
    if (o->kind == OVERRIDE_DELETE) {
        return delete_key(a, doc, o, e);
    }
    struct value *v = resolve(a, doc, value_copy(a, o->value), e);
    if (v == NULL) {
        return -1;
    }
    return o->kind == OVERRIDE_ADD ? add_key(a, doc, o, v, e)
                                   : set_key(a, doc, o, v, o->kind == OVERRIDE_FORCE_ADD, e);
}

/* ---- sweeps ---- */

static double to_double(const struct value *v)
{
    return v->type == VALUE_INT ? (double)v->i : v->f;
}

static int sweep_range(struct arena *a, const struct value *range, struct value *out, struct err *e)
{
    struct value *const *v = range->list.items;
    bool whole = v[0]->type == VALUE_INT && v[1]->type == VALUE_INT && v[2]->type == VALUE_INT;
    long double start = to_double(v[0]), stop = to_double(v[1]), step = to_double(v[2]);
    if (!(fabsl(start) < 1e300L) || !(fabsl(stop) < 1e300L) || step == 0) {
        return err_set(e, ERR_USAGE, "Invalid `--set-param` value: a range without an end");
    }
    for (int64_t i = 0;; i++) {
        long double x = start + (long double)i * step;
        if (step > 0 ? x >= stop : x <= stop) {
            return 0;
        }
        if (i == OVERRIDE_MAX_SWEEP) {
            return err_set(e, ERR_LIMIT, "a range of more than %d values", OVERRIDE_MAX_SWEEP);
        }
        value_push(a, out, whole ? value_int(a, (int64_t)x) : value_float(a, (double)x));
    }
}

static void shuffle(struct value *list)
{
    for (size_t i = list->list.count; i > 1; i--) {
        uint32_t dice = 0;
        if (getrandom(&dice, sizeof dice, 0) != sizeof dice) {
            return;
        }
        struct value *t = list->list.items[i - 1];
        list->list.items[i - 1] = list->list.items[dice % i];
        list->list.items[dice % i] = t;
    }
}

int override_sweep(struct arena *a, const struct override *o, struct value **elements,
                   struct err *e)
{
    *elements = value_list(a);
    if (o->type == OVERRIDE_GLOB) {
        return err_set(e, ERR_USAGE, "Glob override '%s' is not supported.", o->text);
    }
    if (o->type == OVERRIDE_INTERVAL) {
        return err_set(e, ERR_USAGE,
                       "BasicSweeper does not support sweep type : INTERVAL_SWEEP ('%s'); use "
                       "range(start,stop,step)",
                       o->text);
    }
    if (o->type == OVERRIDE_RANGE) {
        if (sweep_range(a, o->value, *elements, e) < 0) {
            return -1;
        }
    } else {
        for (size_t i = 0; i < o->value->list.count; i++) {
            value_push(a, *elements, o->value->list.items[i]);
        }
    }
    if (o->shuffled) {
        shuffle(*elements);
    }
    return 0;
}

struct value *override_files(struct arena *a, const char *const *typed, size_t count)
{
    struct value *files = value_map(a);
    for (size_t i = 0; i < count; i++) {
        const char *equal = strchrnul(typed[i], '=');
        const char *colon = memchr(typed[i], ':', (size_t)(equal - typed[i]));
        const char *file =
            colon != NULL ? arena_strndup(a, typed[i], (size_t)(colon - typed[i])) : DEFAULT_FILE;
        struct value *list = value_get(files, file);
        if (list == NULL) {
            list = value_list(a);
            value_set(a, files, file, list);
        }
        value_push(a, list, value_cstr(a, colon != NULL ? colon + 1 : typed[i]));
    }
    return files;
}

int override_check(struct arena *a, const struct value *files, bool *sweep, struct err *e)
{
    *sweep = false;
    for (size_t f = 0; f < files->map.count; f++) {
        const struct value *list = files->map.pairs[f].val;
        for (size_t i = 0; i < list->list.count; i++) {
            struct override o;
            if (override_parse(a, list->list.items[i]->s, &o, e) < 0) {
                return -1;
            }
            *sweep = *sweep || override_is_sweep(&o);
        }
    }
    return 0;
}

/* The texts that one override becomes, one an experiment. */
static struct value *variants(struct arena *a, const struct override *o, struct err *e)
{
    struct value *elements, *texts = value_list(a);
    struct strbuf text;
    strbuf_init(&text);
    struct override one = *o;
    if (!override_is_sweep(o)) {
        elements = value_list(a);
        value_push(a, elements, o->value != NULL ? o->value : value_null(a));
    } else if (override_sweep(a, o, &elements, e) < 0) {
        strbuf_release(&text);
        return NULL;
    }
    for (size_t i = 0; i < elements->list.count; i++) {
        one.value = elements->list.items[i];
        strbuf_reset(&text);
        override_add_text(&text, &one);
        value_push(a, texts, value_str(a, strbuf_str(&text)));
    }
    strbuf_release(&text);
    return texts;
}

/* Every choice of one variant of each key, the last key fastest: list of lists of texts. */
static int file_product(struct arena *a, const struct value *keys, struct value **out,
                        struct err *e)
{
    size_t total = 1;
    for (size_t k = 0; k < keys->map.count; k++) {
        total *= keys->map.pairs[k].val->list.count;
        if (total > OVERRIDE_MAX_SWEEP) {
            return err_set(e, ERR_LIMIT, "a sweep over more than %d experiments",
                           OVERRIDE_MAX_SWEEP);
        }
    }
    *out = value_list(a);
    for (size_t n = 0; n < total; n++) {
        struct value *one = value_list(a);
        size_t block = total;
        for (size_t k = 0; k < keys->map.count; k++) {
            const struct value *texts = keys->map.pairs[k].val;
            block /= texts->list.count;
            value_push(a, one, texts->list.items[n / block % texts->list.count]);
        }
        value_push(a, *out, one);
    }
    return 0;
}

static struct value *file_variants(struct arena *a, const struct value *list, struct err *e)
{
    struct value *keys = value_map(a), *out = NULL;
    for (size_t i = 0; i < list->list.count; i++) {
        struct override o;
        struct value *texts;
        if (override_parse(a, list->list.items[i]->s, &o, e) < 0 ||
            (texts = variants(a, &o, e)) == NULL) {
            return NULL;
        }
        value_set(a, keys, arena_printf(a, "%d%s", o.kind, o.key), texts);
    }
    return file_product(a, keys, &out, e) == 0 ? out : NULL;
}

struct value *override_product(struct arena *a, const struct value *files, struct err *e)
{
    struct value *out = value_list(a);
    value_push(a, out, value_map(a));
    for (size_t f = 0; f < files->map.count; f++) {
        struct value *variants_here = file_variants(a, files->map.pairs[f].val, e);
        struct value *next = value_list(a);
        if (variants_here == NULL) {
            return NULL;
        }
        if (out->list.count * variants_here->list.count > OVERRIDE_MAX_SWEEP) {
            err_set(e, ERR_LIMIT, "a sweep over more than %d experiments", OVERRIDE_MAX_SWEEP);
            return NULL;
        }
        for (size_t i = 0; i < out->list.count; i++) {
            for (size_t k = 0; k < variants_here->list.count; k++) {
                struct value *one = value_copy(a, out->list.items[i]);
                value_set_key(a, one, files->map.pairs[f].key, variants_here->list.items[k]);
                value_push(a, next, one);
            }
        }
        out = next;
    }
    return out;
}
