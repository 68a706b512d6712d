/* The functions of override values: casts, sweeps, orders. See override.h. */
#include "override_private.h"

#include "alloc.h"
#include "err.h"
#include "num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

typedef int call_fn(struct arena *a, const struct override_args *args, struct override_term *out,
                    struct err *e);
typedef struct value *cast_fn(struct arena *a, const struct value *v, struct err *e);

static const char *type_of(const struct value *v)
{
    return value_type_name(v->type);
}

/* ---- casts ---- */

static bool number_of(const struct value *v, double *out)
{
    return v->type == VALUE_STR ? num_parse_double(str_trim(v->s), out) : value_as_double(v, out);
}

static struct value *refuse(const struct value *v, const char *to, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    value_repr(&text, v);
    err_set(e, ERR_USAGE, "cannot make %s of %.200s", to, text.p);
    strbuf_release(&text);
    return NULL;
}

static struct value *cast_int(struct arena *a, const struct value *v, struct err *e)
{
    double f = 0;
    int64_t i = 0;
    if (v->type == VALUE_INT || v->type == VALUE_BIGINT) {
        return value_copy(a, v);
    }
    if (v->type == VALUE_STR) {
        return num_parse_int(str_trim(v->s), &i) ? value_int(a, i) : refuse(v, "an integer", e);
    }
    return number_of(v, &f) && fabs(f) < 9e18 ? value_int(a, (int64_t)f)
                                              : refuse(v, "an integer", e);
}

static struct value *cast_float(struct arena *a, const struct value *v, struct err *e)
{
    double f = 0;
    return number_of(v, &f) ? value_float(a, f) : refuse(v, "a float", e);
}

static struct value *cast_str(struct arena *a, const struct value *v, struct err *e)
{
    if (v->type == VALUE_NULL) {
        return refuse(v, "a string", e);
    }
    if (v->type == VALUE_BOOL) {
        return value_cstr(a, v->b ? "true" : "false");
    }
    struct strbuf text;
    strbuf_init(&text);
    value_text(&text, v);
    struct value *s = value_str(a, strbuf_str(&text));
    strbuf_release(&text);
    return s;
}

static struct value *cast_bool(struct arena *a, const struct value *v, struct err *e)
{
    if (v->type == VALUE_STR) {
        bool yes = v->s.n == 4 && strncasecmp(v->s.p, "true", 4) == 0;
        bool no = v->s.n == 5 && strncasecmp(v->s.p, "false", 5) == 0;
        return yes || no ? value_bool(a, yes) : refuse(v, "true or false", e);
    }
    double f = 0;
    return number_of(v, &f) ? value_bool(a, f != 0) : refuse(v, "true or false", e);
}

/* Lists and maps by their members. */
static struct value *cast_deep(struct arena *a, const struct value *v, cast_fn *cast, struct err *e)
{
    struct value *out = NULL;
    if (v->type == VALUE_LIST) {
        out = value_list(a);
        for (size_t i = 0; out != NULL && i < v->list.count; i++) {
            struct value *one = cast_deep(a, v->list.items[i], cast, e);
            if (one == NULL) {
                return NULL;
            }
            value_push(a, out, one);
        }
        return out;
    }
    if (v->type != VALUE_MAP) {
        return cast(a, v, e);
    }
    out = value_map(a);
    for (size_t i = 0; i < v->map.count; i++) {
        struct value *one = cast_deep(a, v->map.pairs[i].val, cast, e);
        if (one == NULL) {
            return NULL;
        }
        value_set_key(a, out, v->map.pairs[i].key, one);
    }
    return out;
}

/* Several arguments are a choice; one is what it is. "value" and the like name it. */
static int single(struct arena *a, const struct override_args *args, struct override_term *out,
                  struct err *e)
{
    if (args->count == 0) {
        return err_set(e, ERR_USAGE, "expected an argument");
    }
    if (args->count == 1) {
        *out = args->items[0];
        return 0;
    }
    *out = (struct override_term){.type = OVERRIDE_CHOICE, .value = value_list(a), .simple = true};
    for (size_t i = 0; i < args->count; i++) {
        if (args->items[i].type != OVERRIDE_ELEMENT || args->names[i] != NULL) {
            return err_set(e, ERR_USAGE, "argument %zu: expected a value", i + 1);
        }
        value_push(a, out->value, args->items[i].value);
    }
    return 0;
}

static int call_cast(struct arena *a, const struct override_args *args, struct override_term *out,
                     cast_fn *cast, struct err *e)
{
    if (single(a, args, out, e) < 0) {
        return -1;
    }
    bool numeric = cast == cast_int || cast == cast_float;
    if (out->type == OVERRIDE_GLOB || (out->type == OVERRIDE_INTERVAL && !numeric) ||
        (out->type == OVERRIDE_RANGE && !numeric)) {
        return err_set(e, ERR_USAGE, "this sweep can only be cast to int or float");
    }
    out->value = cast_deep(a, out->value, cast, e);
    return out->value != NULL ? 0 : -1;
}

static int call_int(struct arena *a, const struct override_args *args, struct override_term *out,
                    struct err *e)
{
    return call_cast(a, args, out, cast_int, e);
}

static int call_float(struct arena *a, const struct override_args *args, struct override_term *out,
                      struct err *e)
{
    return call_cast(a, args, out, cast_float, e);
}

static int call_str(struct arena *a, const struct override_args *args, struct override_term *out,
                    struct err *e)
{
    return call_cast(a, args, out, cast_str, e);
}

static int call_bool(struct arena *a, const struct override_args *args, struct override_term *out,
                     struct err *e)
{
    return call_cast(a, args, out, cast_bool, e);
}

/* ---- sweeps ---- */

static int call_choice(struct arena *a, const struct override_args *args, struct override_term *out,
                       struct err *e)
{
    if (args->count == 0) {
        return err_set(e, ERR_USAGE, "choice() without values");
    }
    if (args->count == 1 && args->items[0].type == OVERRIDE_CHOICE) {
        *out = args->items[0];
        if (!out->simple) {
            return err_set(e, ERR_USAGE, "a choice cannot hold another");
        }
        out->simple = false;
        return 0;
    }
    *out = (struct override_term){.type = OVERRIDE_CHOICE, .value = value_list(a)};
    for (size_t i = 0; i < args->count; i++) {
        if (args->items[i].type != OVERRIDE_ELEMENT || args->names[i] != NULL) {
            return err_set(e, ERR_USAGE, "choice(): expected values, found a sweep or a name");
        }
        value_push(a, out->value, args->items[i].value);
    }
    return 0;
}

/* Numbers by position or name. */
static int numbers(const struct override_args *args, const char *fn, const char *const *names,
                   size_t count, struct value **out, struct err *e)
{
    for (size_t i = 0; i < args->count; i++) {
        size_t k = i;
        for (k = args->names[i] != NULL ? 0 : i;
             args->names[i] != NULL && k < count && strcmp(names[k], args->names[i]) != 0; k++) {
        }
        const struct override_term *t = &args->items[i];
        if (k >= count || out[k] != NULL) {
            return err_set(e, ERR_USAGE, "%s(): unexpected argument %zu", fn, i + 1);
        }
        if (t->type != OVERRIDE_ELEMENT ||
            (t->value->type != VALUE_INT && t->value->type != VALUE_FLOAT)) {
            return err_set(e, ERR_USAGE, "%s(): %s: expected a number, found %s", fn, names[k],
                           t->type == OVERRIDE_ELEMENT ? type_of(t->value) : "a sweep");
        }
        out[k] = t->value;
    }
    return out[0] != NULL ? 0 : err_set(e, ERR_USAGE, "%s(): expected numbers", fn);
}

static int call_range(struct arena *a, const struct override_args *args, struct override_term *out,
                      struct err *e)
{
    static const char *const names[] = {"start", "stop", "step"};
    struct value *v[3] = {NULL, NULL, NULL};
    if (numbers(args, "range", names, 3, v, e) < 0) {
        return -1;
    }
    if (v[1] == NULL) {
        v[1] = v[0];
        v[0] = value_int(a, 0);
    }
    v[2] = v[2] != NULL ? v[2] : value_int(a, 1);
    double step = 0;
    if (!number_of(v[2], &step) || step == 0 || isnan(step)) {
        return err_set(e, ERR_USAGE, "range(): the step must not be 0");
    }
    *out = (struct override_term){.type = OVERRIDE_RANGE, .value = value_list(a)};
    for (size_t i = 0; i < 3; i++) {
        value_push(a, out->value, v[i]);
    }
    return 0;
}

static int call_interval(struct arena *a, const struct override_args *args,
                         struct override_term *out, struct err *e)
{
    static const char *const names[] = {"start", "end"};
    struct value *v[2] = {NULL, NULL};
    if (numbers(args, "interval", names, 2, v, e) < 0) {
        return -1;
    }
    *out = (struct override_term){.type = OVERRIDE_INTERVAL, .value = value_list(a)};
    value_push(a, out->value, v[0]);
    if (v[1] == NULL) {
        return err_set(e, ERR_USAGE, "interval(): expected start and end");
    }
    value_push(a, out->value, v[1]);
    return 0;
}

static int call_glob(struct arena *a, const struct override_args *args, struct override_term *out,
                     struct err *e)
{
    *out = (struct override_term){.type = OVERRIDE_GLOB, .value = value_list(a)};
    return args->count > 0 && args->count <= 2 ? 0
                                               : err_set(e, ERR_USAGE, "glob(): expected patterns");
}

static int call_tag(struct arena *a, const struct override_args *args, struct override_term *out,
                    struct err *e)
{
    const struct override_term *last = args->count > 0 ? &args->items[args->count - 1] : NULL;
    if (last == NULL || last->type == OVERRIDE_ELEMENT) {
        return err_set(e, ERR_USAGE, "tag(): expected a choice, a range or an interval at the end");
    }
    *out = *last;
    return 0;
}

/* ---- orders ---- */

static int compare_order(const struct value *x, const struct value *y)
{
    double a = 0, b = 0;
    if (x->type == VALUE_STR && y->type == VALUE_STR) {
        return str_cmp(x->s, y->s);
    }
    number_of(x, &a);
    number_of(y, &b);
    return a < b ? -1 : a > b;
}

/* Insertion: stable, as Python's; values of one command line are few. */
static int sort_list(struct arena *a, struct value *list, bool reverse, struct err *e)
{
    struct value **items = ARENA_ARRAY(a, list->list.count + 1, struct value *);
    bool texts = false, others = false;
    for (size_t i = 0; i < list->list.count; i++) {
        struct value *v = list->list.items[i];
        texts = texts || v->type == VALUE_STR;
        others = others || v->type != VALUE_STR;
        if (v->type == VALUE_LIST || v->type == VALUE_MAP || v->type == VALUE_NULL ||
            (texts && others)) {
            return err_set(e, ERR_USAGE, "sort(): values that cannot be compared");
        }
        size_t k = i;
        for (; k > 0; k--) {
            int order = compare_order(items[k - 1], v);
            if (reverse ? order >= 0 : order <= 0) {
                break;
            }
            items[k] = items[k - 1];
        }
        items[k] = v;
    }
    list->list.items = items;
    return 0;
}

static struct value *sum(struct arena *a, const struct value *x, double sign, const struct value *y)
{
    double f = 0, g = 0;
    number_of(x, &f);
    number_of(y, &g);
    double r = f + sign * fabs(g);
    return x->type == VALUE_INT && y->type == VALUE_INT ? value_int(a, (int64_t)r)
                                                        : value_float(a, r);
}

/* The same numbers from the other end. */
static void turn_range(struct arena *a, struct value *range, bool reverse)
{
    struct value **v = range->list.items, *start = v[0];
    double from = 0, to = 0;
    number_of(v[0], &from);
    number_of(v[1], &to);
    if (reverse ? from >= to : from <= to) {
        return;
    }
    double sign = reverse ? -1 : 1;
    v[0] = sum(a, v[1], sign, v[2]);
    v[1] = sum(a, start, sign, v[2]);
    v[2] = v[2]->type == VALUE_INT ? value_int(a, -v[2]->i) : value_float(a, -v[2]->f);
}

static int call_sort(struct arena *a, const struct override_args *args, struct override_term *out,
                     struct err *e)
{
    struct override_args rest = {.items = ARENA_ARRAY(a, args->count + 1, struct override_term),
                                 .names = ARENA_ARRAY(a, args->count + 1, const char *)};
    bool reverse = false;
    for (size_t i = 0; i < args->count; i++) {
        const char *name = args->names[i];
        if (name != NULL && strcmp(name, "reverse") == 0) {
            const struct value *v = args->items[i].value;
            reverse = v->type == VALUE_BOOL && v->b;
        } else {
            rest.items[rest.count++] = args->items[i];
        }
    }
    if (single(a, &rest, out, e) < 0) {
        return -1;
    }
    out->value = value_copy(a, out->value);
    if (out->type == OVERRIDE_RANGE) {
        turn_range(a, out->value, reverse);
        return 0;
    }
    return out->value->type == VALUE_LIST ? sort_list(a, out->value, reverse, e) : 0;
}

static int call_shuffle(struct arena *a, const struct override_args *args,
                        struct override_term *out, struct err *e)
{
    if (single(a, args, out, e) < 0) {
        return -1;
    }
    if (out->type == OVERRIDE_CHOICE || out->type == OVERRIDE_RANGE) {
        out->shuffled = true;
        return 0;
    }
    struct value *v = value_copy(a, out->value);
    out->value = v;
    for (size_t i = v->type == VALUE_LIST ? v->list.count : 0; i > 1; i--) {
        uint32_t dice = 0;
        if (getrandom(&dice, sizeof dice, 0) != sizeof dice) {
            return err_sys(e, "no random numbers");
        }
        struct value *t = v->list.items[i - 1];
        v->list.items[i - 1] = v->list.items[dice % i];
        v->list.items[dice % i] = t;
    }
    return 0;
}

int override_call(struct arena *a, const char *name, const struct override_args *args,
                  struct override_term *out, struct err *e)
{
    static const struct {
        const char *name;
        call_fn *call;
    } functions[] = {
        {"int", call_int},   {"float", call_float},       {"str", call_str},
        {"bool", call_bool}, {"choice", call_choice},     {"range", call_range},
        {"sort", call_sort}, {"interval", call_interval}, {"glob", call_glob},
        {"tag", call_tag},   {"shuffle", call_shuffle},
    };
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        if (strcmp(functions[i].name, name) == 0) {
            return functions[i].call(a, args, out, e);
        }
    }
    return err_set(e, ERR_USAGE, "unknown function '%s'", name);
}
