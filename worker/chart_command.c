/* Curves from a description; see chart_command.h. */
#include "chart_command.h"

#include "arena.h"
#include "chart.h"
#include "err.h"
#include "image.h"
#include "json.h"
#include "str.h"
#include "value.h"

#include <math.h>
#include <stdlib.h>

#define PANELS_MAX 8

static const char *text_of(const struct value *map, const char *key)
{
    const struct value *v = value_get(map, key);
    return v && v->type == VALUE_STR ? v->s.p : NULL;
}

/* NULL when it is no list of numbers. */
static double *numbers_of(struct arena *a, const struct value *list, size_t *count)
{
    if (!list || list->type != VALUE_LIST) {
        return NULL;
    }
    double *out = ARENA_ARRAY(a, list->list.count + 1, double);
    for (size_t i = 0; i < list->list.count; i++) {
        const struct value *v = list->list.items[i];
        out[i] = v->type == VALUE_FLOAT ? v->f : v->type == VALUE_INT ? (double)v->i : (double)NAN;
    }
    *count = list->list.count;
    return out;
}

static int draw_panel(struct arena *a, const struct value *panel, struct image *out, struct err *e)
{
    const struct value *list = value_get(panel, "series");
    if (!list || list->type != VALUE_LIST) {
        return err_set(e, ERR_FORMAT, "a panel has no list 'series'");
    }
    struct chart_series *series = ARENA_ARRAY(a, list->list.count + 1, struct chart_series);
    for (size_t i = 0; i < list->list.count; i++) {
        const struct value *one = list->list.items[i];
        size_t xs = 0, ys = 0;
        const double *x = numbers_of(a, value_get(one, "x"), &xs);
        const double *y = numbers_of(a, value_get(one, "y"), &ys);
        const char *name = text_of(one, "name");
        if (!x || !y || xs != ys || !name) {
            return err_set(e, ERR_FORMAT, "series %zu needs name, x and y of the same length", i);
        }
        series[i] = (struct chart_series){.name = name, .x = x, .y = y, .count = xs};
    }
    return chart_lines(&(struct chart_lines){.title = text_of(panel, "title"),
                                             .x_label = text_of(panel, "x_label"),
                                             .series = series,
                                             .series_count = list->list.count},
                       out, e);
}

/* Adds `next` to the right of or below what is there; takes it. */
static int join(struct image *all, struct image *next, bool below, struct err *e)
{
    struct image both = IMAGE_INIT;
    if (!all->px) {
        *all = *next;
        return 0;
    }
    int rc = below ? chart_above(all, next, &both, e) : chart_beside(all, next, &both, e);
    image_release(all);
    image_release(next);
    *all = both;
    return rc;
}

static int draw_all(struct arena *a, const struct value *panels, struct image *all, struct err *e)
{
    for (size_t i = 0; i < panels->list.count; i += 2) {
        struct image row = IMAGE_INIT, one = IMAGE_INIT;
        for (size_t k = i; k < i + 2 && k < panels->list.count; k++) {
            if (draw_panel(a, panels->list.items[k], &one, e) < 0 ||
                join(&row, &one, false, e) < 0) {
                image_release(&row);
                return -1;
            }
            one = (struct image)IMAGE_INIT;
        }
        if (join(all, &row, true, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int chart_draw(struct str json, const char *file, struct err *e)
{
    struct arena a;
    struct image all = IMAGE_INIT;
    int rc = -1;
    arena_init(&a);
    const struct value *doc = json_parse(&a, json, "the chart's description", e);
    const struct value *panels = doc ? value_get(doc, "panels") : NULL;
    if (doc && (!panels || panels->type != VALUE_LIST || panels->list.count < 1 ||
                panels->list.count > PANELS_MAX)) {
        err_set(e, ERR_FORMAT, "the chart's description has no list of 1 to %d panels", PANELS_MAX);
    } else if (doc) {
        rc = draw_all(&a, panels, &all, e);
        rc = rc == 0 ? chart_save(&all, file, e) : rc;
    }
    image_release(&all);
    arena_release(&a);
    return rc;
}
