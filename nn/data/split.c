/* Training and validation parts: see split.h. Group splits draw whole groups in split_group.c. */
#include "split.h"

#include "alloc.h"
#include "dataset.h"
#include "err.h"
#include "rng.h"
#include "split_group.h"
#include "str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
#define X(name, text) text,
    SPLIT_KINDS(X)
#undef X
};

bool split_kind_parse(const char *text, enum split_kind *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(kind_names); i++) {
        if (strcmp(text, kind_names[i]) == 0) {
            *out = (enum split_kind)i;
            return true;
        }
    }
    return false;
}

const char *split_kind_name(enum split_kind kind)
{
    return kind_names[kind];
}

/* Validation samples of a class of n: at least one, and one left for training. */
static size_t valid_share(const struct split_options *opt, size_t n)
{
    double exact = opt->fraction * (double)n;
    size_t share = (size_t)(opt->kind == SPLIT_ORDERED ? floor(exact) : floor(exact + 0.5));

    return share < 1 ? 1 : share > n - 1 ? n - 1 : share;
}

static int mark_by_class(const struct dataset *d, const struct split_options *opt, bool *is_valid,
                         struct err *e)
{
    for (size_t c = 0; c < d->class_count; c++) {
        size_t n = d->class_sizes[c], first = d->class_first[c];

        if (n < 2) {
            return err_set(e, ERR_FORMAT,
                           "class '%s' has one picture only, a validation part needs at least two",
                           d->classes[c]);
        }
        size_t share = valid_share(opt, n), *order = xmalloc(n * sizeof(*order));
        struct rng r;

        for (size_t i = 0; i < n; i++) {
            order[i] = first + i;
        }
        if (opt->kind == SPLIT_RANDOM) {
            rng_init(&r, opt->seed, RNG_SPLIT, c, 0);
            rng_shuffle(&r, order, n);
        }
        for (size_t i = 0; i < share; i++) {
            is_valid[order[i]] = true;
        }
        free(order);
    }
    return 0;
}

static void fill_parts(struct split *s, const struct dataset *d, const bool *is_valid)
{
    s->train = xcalloc(d->count + 1, sizeof(*s->train));
    s->valid = xcalloc(d->count + 1, sizeof(*s->valid));
    s->class_count = d->class_count;
    s->train_sizes = xcalloc(d->class_count, sizeof(*s->train_sizes));
    s->valid_sizes = xcalloc(d->class_count, sizeof(*s->valid_sizes));
    for (size_t i = 0; i < d->count; i++) {
        if (is_valid[i]) {
            s->valid[s->valid_count++] = i;
            s->valid_sizes[d->samples[i].label]++;
        } else {
            s->train[s->train_count++] = i;
            s->train_sizes[d->samples[i].label]++;
        }
    }
}

int split_make(struct split *s, const struct dataset *d, const struct split_options *opt,
               struct err *e)
{
    bool *is_valid = xcalloc(d->count, sizeof(*is_valid));
    int rc = 0;

    *s = (struct split){.kind = opt->kind, .fraction = opt->fraction};
    if (!(opt->fraction >= 0 && opt->fraction < 1)) {
        rc = err_set(e, ERR_CONFIG, "the validation part must be from 0 up to but not 1, not %g",
                     opt->fraction);
    } else if (opt->fraction > 0 && opt->kind == SPLIT_GROUP) {
        rc = split_group_mark(s, d, opt, is_valid, e);
    } else if (opt->fraction > 0) {
        rc = mark_by_class(d, opt, is_valid, e);
    }
    if (rc == 0) {
        fill_parts(s, d, is_valid);
    } else {
        split_release(s);
    }
    free(is_valid);
    return rc;
}

void split_release(struct split *s)
{
    free(s->train);
    free(s->valid);
    free(s->train_sizes);
    free(s->valid_sizes);
    free(s->pattern);
    *s = (struct split){0};
}

static void describe_part(const struct dataset *d, size_t count, const size_t *sizes,
                          const char *name, struct strbuf *out)
{
    strbuf_addf(out, "%zu %s (", count, name);
    for (size_t c = 0; c < d->class_count; c++) {
        strbuf_addf(out, "%s%s %zu", c ? ", " : "", d->classes[c], sizes[c]);
    }
    strbuf_adds(out, ")");
}

void split_describe(const struct split *s, const struct dataset *d, struct strbuf *out)
{
    strbuf_addf(out, "%s split: ", split_kind_name(s->kind));
    describe_part(d, s->train_count, s->train_sizes, "training", out);
    strbuf_adds(out, ", ");
    describe_part(d, s->valid_count, s->valid_sizes, "validation", out);
    if (s->groups > 0) {
        strbuf_addf(out, "; %zu of %zu groups in validation", s->valid_groups, s->groups);
    }
}
