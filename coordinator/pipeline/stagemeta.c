/*
 * meta.nephron: one function a key, a table of keys, so that the list in the message cannot differ
 * from what is read.
 */
#include "stagemeta.h"

#include "alloc.h"
#include "err.h"
#include "num.h"

#include <math.h>

#define MAX_COUNT 1000000

struct reader {
    struct arena *a;
    const struct stagemeta_place *at;
    struct stage_meta *out;
    struct err *e;
};

static int refuse(const struct reader *r, const char *key, const char *expected,
                  const struct value *found)
{
    struct strbuf b;
    strbuf_init_max(&b, 200);
    value_repr(&b, found);
    err_set(r->e, ERR_FORMAT, "'%s', line %u: stage '%s': meta.nephron.%s: expected %s, got %s",
            r->at->shown, found->line ? found->line : r->at->line, r->at->stage, key, expected,
            b.p);
    strbuf_release(&b);
    return -1;
}

static bool count_in(const struct value *v, int64_t low, int64_t high, int *out)
{
    if (v->type != VALUE_INT || v->i < low || v->i > high) {
        return false;
    }
    *out = (int)v->i;
    return true;
}

static int read_ranks(struct reader *r, const struct value *v)
{
    struct str s = value_as_str(v);
    int64_t n;
    if (str_is(s, "all")) {
        r->out->ranks_kind = RANKS_ALL;
        return 0;
    }
    if (count_in(v, 1, MAX_COUNT, &r->out->ranks)) {
        r->out->ranks_kind = RANKS_COUNT;
        return 0;
    }
    if (s.n > 1 && s.p[s.n - 1] == '%' && num_parse_int(str_sub(s, 0, s.n - 1), &n) && n >= 1 &&
        n <= 100) {
        r->out->ranks_kind = RANKS_PERCENT;
        r->out->ranks = (int)n;
        return 0;
    }
    return refuse(r, "ranks", "all, a number from 1 on, or a percentage from 1% to 100%", v);
}

static int read_slots(struct reader *r, const struct value *v)
{
    return count_in(v, 1, MAX_COUNT, &r->out->slots) ? 0
                                                     : refuse(r, "slots", "a number from 1 on", v);
}

static int read_limit(struct reader *r, const struct value *v)
{
    return count_in(v, 1, MAX_COUNT, &r->out->limit) ? 0
                                                     : refuse(r, "limit", "a number from 1 on", v);
}

static int read_priority(struct reader *r, const struct value *v)
{
    return count_in(v, -MAX_COUNT, MAX_COUNT, &r->out->priority)
               ? 0
               : refuse(r, "priority", "a whole number", v);
}

static int read_retries(struct reader *r, const struct value *v)
{
    return count_in(v, 0, 1000, &r->out->retries)
               ? 0
               : refuse(r, "retries", "a number from 0 to 1000", v);
}

static bool is_env_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return s.n > 0;
}

static bool is_env_value(const struct value *v)
{
    if (v->type == VALUE_LIST) {
        for (size_t i = 0; i < v->list.count; i++) {
            if (!value_is_scalar(v->list.items[i])) {
                return false;
            }
        }
        return v->list.count > 0;
    }
    return value_is_scalar(v);
}

static int read_env(struct reader *r, const struct value *v)
{
    if (v->type != VALUE_MAP) {
        return refuse(r, "env", "a map of names", v);
    }
    size_t n = v->map.count;
    r->out->env_keys = ARENA_ARRAY(r->a, n + 1, const char *);
    r->out->env_values = ARENA_ARRAY(r->a, n + 1, const struct value *);
    for (size_t i = 0; i < n; i++) {
        const struct value_pair *p = &v->map.pairs[i];
        if (!is_env_name(value_as_str(p->key))) {
            return refuse(r, "env", "names of letters, digits and _", p->key);
        }
        if (!is_env_value(p->val)) {
            return refuse(r, "env", "a scalar or a list of scalars for each name", p->val);
        }
        r->out->env_keys[i] = p->key->s.p;
        r->out->env_values[i] = p->val;
    }
    r->out->env_count = n;
    return 0;
}

bool stagemeta_duration(struct str text, double *seconds)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    double total = 0;
    text = str_trim(text);
    if (num_parse_double(text, seconds)) {
        return isfinite(*seconds) && *seconds > 0;
    }
    for (size_t i = 0; i < text.n;) {
        size_t start = i, unit;
        while (i < text.n && ((text.p[i] >= '0' && text.p[i] <= '9') || text.p[i] == '.')) {
            i++;
        }
        double v;
        if (!num_parse_double(str_sub(text, start, i - start), &v)) {
            return false;
        }
        for (unit = 0; unit < ARRAY_SIZE(units); unit++) {
            size_t n = strlen(units[unit].name);
            bool ends = i + n == text.n || (i + n < text.n && text.p[i + n] <= '9');
            if (i + n <= text.n && ends && memcmp(text.p + i, units[unit].name, n) == 0) {
                i += n;
                break;
            }
        }
        if (unit == ARRAY_SIZE(units)) {
            return false;
        }
        total += v * units[unit].seconds;
    }
    *seconds = total;
    return total > 0 && isfinite(total);
}

static int read_timeout(struct reader *r, const struct value *v)
{
    double s = 0;
    bool ok = v->type == VALUE_INT     ? (s = (double)v->i) > 0
              : v->type == VALUE_FLOAT ? isfinite(v->f) && (s = v->f) > 0
                                       : v->type == VALUE_STR && stagemeta_duration(v->s, &s);
    if (!ok || s > 1e9) {
        return refuse(r, "timeout", "seconds above 0, or a time such as \"10m\"", v);
    }
    r->out->timeout_s = s;
    return 0;
}

static const struct {
    const char *key;
    int (*read)(struct reader *r, const struct value *v);
} keys[] = {
    {"ranks", read_ranks},       {"slots", read_slots}, {"limit", read_limit},
    {"priority", read_priority}, {"env", read_env},     {"timeout", read_timeout},
    {"retries", read_retries},
};

static int refuse_key(const struct reader *r, const struct value *key)
{
    struct strbuf b;
    strbuf_init_max(&b, 100);
    value_text(&b, key);
    err_set(r->e, ERR_FORMAT,
            "'%s', line %u: stage '%s': meta.nephron.%s is not a key of Nephron; known:",
            r->at->shown, key->line ? key->line : r->at->line, r->at->stage, b.p);
    strbuf_release(&b);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        err_append(r->e, "%s %s", i ? "," : "", keys[i].key);
    }
    return -1;
}

int stagemeta_parse(struct arena *a, const struct value *nephron, const struct stagemeta_place *at,
                    struct stage_meta *out, struct err *e)
{
    struct reader r = {a, at, out, e};
    *out = (struct stage_meta){0};
    if (!nephron || nephron->type == VALUE_NULL) {
        return 0;
    }
    if (nephron->type != VALUE_MAP) {
        return err_set(e, ERR_FORMAT,
                       "'%s', line %u: stage '%s': meta.nephron: expected a map, got %s", at->shown,
                       nephron->line ? nephron->line : at->line, at->stage,
                       value_type_name(nephron->type));
    }
    for (size_t i = 0; i < nephron->map.count; i++) {
        const struct value_pair *p = &nephron->map.pairs[i];
        size_t k = 0;
        while (k < ARRAY_SIZE(keys) && !str_is(value_as_str(p->key), keys[k].key)) {
            k++;
        }
        if (k == ARRAY_SIZE(keys)) {
            return refuse_key(&r, p->key);
        }
        if (keys[k].read(&r, p->val) < 0) {
            return -1;
        }
    }
    if (out->ranks_kind != RANKS_NONE && out->slots) {
        return err_set(e, ERR_FORMAT,
                       "'%s', line %u: stage '%s': meta.nephron: ranks and slots exclude each "
                       "other",
                       at->shown, nephron->line ? nephron->line : at->line, at->stage);
    }
    return 0;
}
