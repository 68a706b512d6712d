/*
 * Splits by patient or scan. Three steps: a key for each file name (regular expression), groups of
 * equal keys, and a draw of whole groups, class by class, towards the wished number of samples.
 */
#include "split_group.h"

#include "alloc.h"
#include "arena.h"
#include "dataset.h"
#include "err.h"
#include "phantom.h"
#include "rng.h"
#include "split.h"
#include "str.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CAPTURES = 4 };

static const char *const default_patterns[] = {
    PHANTOM_GROUP_PATTERN,
    "(?i)(patient|subject|scan|case|study|series)[ _-]*([0-9]+)",
};

const char *split_default_pattern(size_t i)
{
    return i < ARRAY_SIZE(default_patterns) ? default_patterns[i] : NULL;
}

static bool ignores_case(const char *pattern)
{
    return strncmp(pattern, "(?i)", 4) == 0;
}

static int compile(regex_t *re, const char *pattern, struct err *e)
{
    bool ignore_case = ignores_case(pattern);
    int rc =
        regcomp(re, pattern + (ignore_case ? 4 : 0), REG_EXTENDED | (ignore_case ? REG_ICASE : 0));

    if (rc != 0) {
        char why[256];

        regerror(rc, re, why, sizeof(why));
        return err_set(e, ERR_CONFIG, "the group pattern '%s' is no regular expression: %s",
                       pattern, why);
    }
    if (re->re_nsub < 1 || re->re_nsub > MAX_CAPTURES) {
        size_t n = re->re_nsub;

        regfree(re);
        return err_set(
            e, ERR_CONFIG,
            "the group pattern '%s' has %zu capture groups, expected 1 to %d: put the part "
            "that names the patient in ( )",
            pattern, n, MAX_CAPTURES);
    }
    return 0;
}

/* Appends the captures, joined by '/'; those that took no part are empty. Where case does not
 * count, "Patient 7" and "patient7" are one patient. */
static bool match_key(const regex_t *re, bool fold, const char *name, struct strbuf *out)
{
    regmatch_t m[MAX_CAPTURES + 1];
    size_t from = out->n;

    if (regexec(re, name, MAX_CAPTURES + 1, m, 0) != 0) {
        return false;
    }
    for (size_t i = 1; i <= re->re_nsub; i++) {
        if (i > 1) {
            strbuf_addch(out, '/');
        }
        if (m[i].rm_so >= 0) {
            strbuf_add(out, name + m[i].rm_so, (size_t)(m[i].rm_eo - m[i].rm_so));
        }
    }
    for (size_t i = from; fold && i < out->n; i++) {
        out->p[i] = (char)(out->p[i] >= 'A' && out->p[i] <= 'Z' ? out->p[i] + 32 : out->p[i]);
    }
    return true;
}

bool split_group_key(const char *pattern, const char *name, struct strbuf *out)
{
    regex_t re;

    if (compile(&re, pattern, NULL) < 0) {
        return false;
    }
    bool found = match_key(&re, ignores_case(pattern), name, out);
    regfree(&re);
    return found;
}

/* Keys of all samples; false with *miss = the first sample that does not match. */
static bool all_keys(const struct dataset *d, const regex_t *re, bool fold, struct arena *a,
                     const char **keys, size_t *miss)
{
    struct strbuf key;
    bool ok = true;

    strbuf_init(&key);
    for (size_t i = 0; ok && i < d->count; i++) {
        strbuf_reset(&key);
        ok = match_key(re, fold, d->samples[i].name, &key);
        if (ok) {
            keys[i] = arena_strdup(a, key.p);
        } else {
            *miss = i;
        }
    }
    strbuf_release(&key);
    return ok;
}

static int find_keys(struct split *s, const struct dataset *d, const char *pattern, struct arena *a,
                     const char **keys, struct err *e)
{
    size_t miss = 0, tries = pattern ? 1 : ARRAY_SIZE(default_patterns);

    for (size_t i = 0; i < tries; i++) {
        const char *text = pattern ? pattern : default_patterns[i];
        regex_t re;

        if (compile(&re, text, e) < 0) {
            return -1;
        }
        bool ok = all_keys(d, &re, ignores_case(text), a, keys, &miss);
        regfree(&re);
        if (ok) {
            s->pattern = xstrdup(text);
            return 0;
        }
    }
    if (pattern != NULL) {
        return err_set(e, ERR_CONFIG, "the group pattern '%s' does not match the file name '%s'",
                       pattern, d->samples[miss].name);
    }
    return err_set(e, ERR_CONFIG,
                   "no built-in pattern finds the patient in the file name '%s': give a regular "
                   "expression with the patient in ( )",
                   d->samples[miss].name);
}

struct keyed {
    const char *key;
    size_t sample;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int c = strcmp(x->key, y->key);

    return c ? c : (x->sample > y->sample) - (x->sample < y->sample);
}

/* Numbers groups in byte order of their keys; returns how many. */
static size_t number_groups(const struct dataset *d, const char **keys, size_t *group_of)
{
    struct keyed *list = xmalloc(d->count * sizeof(*list));
    size_t groups = 0;

    for (size_t i = 0; i < d->count; i++) {
        list[i] = (struct keyed){keys[i], i};
    }
    qsort(list, d->count, sizeof(*list), by_key);
    for (size_t i = 0; i < d->count; i++) {
        groups += i == 0 || strcmp(list[i].key, list[i - 1].key) != 0;
        group_of[list[i].sample] = groups - 1;
    }
    free(list);
    return groups;
}

/* Samples of each class in each group, and the class that a group is drawn with: its largest. */
struct tally {
    size_t groups, classes;
    size_t *sizes; /* [group * classes + class] */
    size_t *home;  /* [group] */
};

static void tally_init(struct tally *t, const struct dataset *d, const size_t *group_of,
                       size_t groups)
{
    *t = (struct tally){.groups = groups, .classes = d->class_count};
    t->sizes = xcalloc(groups * d->class_count, sizeof(*t->sizes));
    t->home = xcalloc(groups, sizeof(*t->home));
    for (size_t i = 0; i < d->count; i++) {
        t->sizes[group_of[i] * t->classes + (size_t)d->samples[i].label]++;
    }
    for (size_t g = 0; g < groups; g++) {
        for (size_t c = 1; c < t->classes; c++) {
            const size_t *row = t->sizes + g * t->classes;
            t->home[g] = row[c] > row[t->home[g]] ? c : t->home[g];
        }
    }
}

static void tally_release(struct tally *t)
{
    free(t->sizes);
    free(t->home);
}

/* Takes groups in drawn order while that brings the class nearer to its target. */
static size_t take_groups(const struct tally *t, size_t class_index, const size_t *order, size_t n,
                          double target, bool *valid_group)
{
    size_t taken = 0, smallest = order[0];
    double have = 0;

    for (size_t i = 0; i < n; i++) {
        double size = (double)t->sizes[order[i] * t->classes + class_index];

        if (size < (double)t->sizes[smallest * t->classes + class_index]) {
            smallest = order[i];
        }
        if (taken + 1 < n && fabs(have + size - target) < fabs(have - target)) {
            valid_group[order[i]] = true;
            have += size;
            taken++;
        }
    }
    if (taken == 0) {
        valid_group[smallest] = true;
        taken = 1;
    }
    return taken;
}

static int draw_class(struct split *s, const struct dataset *d, const struct split_options *opt,
                      const struct tally *t, size_t c, bool *valid_group, struct err *e)
{
    size_t *order = xmalloc(t->groups * sizeof(*order)), n = 0;
    struct rng r;
    int rc = 0;

    for (size_t g = 0; g < t->groups; g++) {
        if (t->home[g] == c) {
            order[n++] = g;
        }
    }
    if (n < 2) {
        rc = err_set(e, ERR_FORMAT,
                     "class '%s' has %zu group%s of its own, a split by group needs at least two",
                     d->classes[c], n, n == 1 ? "" : "s");
    } else {
        rng_init(&r, opt->seed, RNG_SPLIT, c, 1);
        rng_shuffle(&r, order, n);
        s->valid_groups +=
            take_groups(t, c, order, n, opt->fraction * (double)d->class_sizes[c], valid_group);
    }
    free(order);
    return rc;
}

static int draw_groups(struct split *s, const struct dataset *d, const struct split_options *opt,
                       const size_t *group_of, size_t groups, bool *is_valid, struct err *e)
{
    struct tally t;
    bool *valid_group = xcalloc(groups, sizeof(*valid_group));
    int rc = 0;

    tally_init(&t, d, group_of, groups);
    s->groups = groups;
    for (size_t c = 0; rc == 0 && c < d->class_count; c++) {
        rc = draw_class(s, d, opt, &t, c, valid_group, e);
    }
    for (size_t i = 0; i < d->count; i++) {
        is_valid[i] = valid_group[group_of[i]];
    }
    free(valid_group);
    tally_release(&t);
    return rc;
}

int split_group_mark(struct split *s, const struct dataset *d, const struct split_options *opt,
                     bool *is_valid, struct err *e)
{
    struct arena a;
    size_t *group_of = xmalloc(d->count * sizeof(*group_of)), groups = 0;
    int rc = 0;

    arena_init(&a);
    if (opt->group_of != NULL) {
        for (size_t i = 0; i < d->count; i++) {
            group_of[i] = opt->group_of[i];
            groups = group_of[i] >= groups ? group_of[i] + 1 : groups;
        }
    } else {
        const char **keys = ARENA_ARRAY(&a, d->count, const char *);

        rc = find_keys(s, d, opt->pattern, &a, keys, e);
        if (rc == 0) {
            groups = number_groups(d, keys, group_of);
        }
    }
    if (rc == 0) {
        rc = draw_groups(s, d, opt, group_of, groups, is_valid, e);
    }
    free(group_of);
    arena_release(&a);
    return rc;
}
