/*
 * The `phantom:` source: options, names, and one slice as pixels or JPEG. What is drawn is in
 * phantom_anatomy.c.
 */
#include "phantom.h"

#include "alloc.h"
#include "err.h"
#include "image_write.h"
#include "num.h"
#include "phantom_anatomy.h"
#include "phantom_draw.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every key of the source URL, its range and where it goes. */
#define PHANTOM_KEYS(X)                                                                            \
    X(patients, 2, 10000)                                                                          \
    X(slices, 1, 200)                                                                              \
    X(size, 32, 1024)                                                                              \
    X(seed, 0, INT64_MAX)

void phantom_defaults(struct phantom_options *opt)
{
    *opt = (struct phantom_options){.seed = 1, .patients = 80, .slices = 3, .size = 256};
}

bool phantom_is_source(const char *url)
{
    return url != NULL && strncmp(url, PHANTOM_SCHEME, strlen(PHANTOM_SCHEME)) == 0;
}

static int bad_value(struct str key, struct str value, long long low, long long high, struct err *e)
{
    if (high == INT64_MAX) {
        return err_set(e, ERR_CONFIG,
                       "phantom: '%.*s' must be a whole number from %lld, not '%.*s'", STR_ARG(key),
                       low, STR_ARG(value));
    }
    return err_set(e, ERR_CONFIG,
                   "phantom: '%.*s' must be a whole number from %lld to %lld, not '%.*s'",
                   STR_ARG(key), low, high, STR_ARG(value));
}

static int set_key(struct phantom_options *opt, struct str key, struct str value, struct err *e)
{
    int64_t n = 0;
    bool is_number = num_parse_int(value, &n);

#define X(name, low, high)                                                                         \
    if (str_is(key, #name)) {                                                                      \
        if (!is_number || n < (low) || n > (high)) {                                               \
            return bad_value(key, value, low, high, e);                                            \
        }                                                                                          \
        opt->name = (__typeof__(opt->name))n;                                                      \
        return 0;                                                                                  \
    }
    PHANTOM_KEYS(X)
#undef X
    return err_set(e, ERR_CONFIG,
                   "phantom: unknown key '%.*s', expected patients, slices, size or seed",
                   STR_ARG(key));
}

static int parse_pairs(struct str query, struct phantom_options *opt, struct err *e)
{
    struct str pair;

    while (str_split(&query, '&', &pair)) {
        struct str value = pair, key;

        if (pair.n == 0) {
            continue;
        }
        if (memchr(pair.p, '=', pair.n) == NULL) {
            return err_set(e, ERR_CONFIG, "phantom: '%.*s' has no value, expected key=value",
                           STR_ARG(pair));
        }
        str_split(&value, '=', &key);
        if (set_key(opt, key, value, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int phantom_parse(const char *url, struct phantom_options *opt, struct err *e)
{
    struct phantom_options parsed;

    phantom_defaults(&parsed);
    if (!phantom_is_source(url)) {
        return err_set(e, ERR_CONFIG, "'%s' is not a phantom: source", url ? url : "");
    }
    struct str rest = str_from(url + strlen(PHANTOM_SCHEME));
    if (str_starts(rest, "//")) {
        rest = str_sub(rest, 2, rest.n - 2);
    }
    if (rest.n > 0 && rest.p[0] != '?') {
        return err_set(e, ERR_CONFIG,
                       "phantom: expected '?' after 'phantom:', found '%.*s' (example: "
                       "phantom:?patients=80&slices=3&size=256&seed=1)",
                       STR_ARG(rest));
    }
    if (rest.n > 0 && parse_pairs(str_sub(rest, 1, rest.n - 1), &parsed, e) < 0) {
        return -1;
    }
    *opt = parsed;
    return 0;
}

const char *phantom_class_name(int class_index)
{
    return class_index == 0 ? "Normal" : "Tumor";
}

size_t phantom_count(const struct phantom_options *opt)
{
    return (size_t)PHANTOM_CLASSES * (size_t)opt->patients * (size_t)opt->slices;
}

struct phantom_id phantom_id_at(const struct phantom_options *opt, size_t i)
{
    size_t slices = (size_t)opt->slices, patients = (size_t)opt->patients;

    return (struct phantom_id){.class_index = (int)(i / slices / patients),
                               .patient = (int)(i / slices % patients),
                               .slice = (int)(i % slices)};
}

void phantom_name(const struct phantom_options *opt, struct phantom_id id,
                  char out[PHANTOM_NAME_SIZE])
{
    const char *class_name = phantom_class_name(id.class_index);
    int number = id.class_index * opt->patients + id.patient + 1;

    snprintf(out, PHANTOM_NAME_SIZE, "%s/%s- p%03d s%02d.jpg", class_name, class_name, number,
             id.slice + 1);
}

void phantom_slice(const struct phantom_options *opt, struct phantom_id id, uint8_t *rgb)
{
    struct anatomy a;
    struct field f;

    anatomy_draw_patient(&a, opt->seed, id.class_index, id.patient);
    field_init(&f, opt->size);
    anatomy_render(&a, opt->slices, id.slice, &f, rgb);
    field_release(&f);
}

int phantom_jpeg(const struct phantom_options *opt, struct phantom_id id, struct strbuf *out,
                 struct err *e)
{
    uint8_t *rgb = xmalloc((size_t)opt->size * (size_t)opt->size * 3);

    phantom_slice(opt, id, rgb);
    int rc = image_write_jpeg(out, rgb, opt->size, opt->size, PHANTOM_JPEG_QUALITY, e);
    free(rgb);
    return rc;
}
