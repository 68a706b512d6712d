/* Confusion matrix, mistakes and curves as PNG; see evaluate.h. */
#include "evaluate_pictures.h"

#include "imageset.h"
#include "settings.h"

#include "alloc.h"
#include "chart.h"
#include "err.h"
#include "fs.h"
#include "image.h"
#include "log.h"
#include "num.h"
#include "path.h"
#include "pixels.h"
#include "score.h"
#include "str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MISSES_MAX 24
#define CURVE_COLUMNS 7 /* of history.csv: epoch, step, train loss, accuracy, val …, lr */

static int save(struct image *im, const char *path, struct err *e)
{
    int rc = chart_save(im, path, e);
    image_release(im);
    return rc;
}

static int write_confusion(struct arena *a, const struct evaluate_pictures *p, struct err *e)
{
    struct image im = IMAGE_INIT;
    const struct dataset *d = &p->set->data;
    if (d->class_count > 64) {
        return 0; /* no picture could be read */
    }
    struct chart_confusion c = {
        .class_names = (const char *const *)d->classes,
        .classes = d->class_count,
        .counts = p->report->confusion,
        .note = arena_printf(a, "validation, %s split, accuracy %.1f %%",
                             split_kind_name(p->settings->split_kind), 100 * p->report->accuracy),
    };
    if (chart_confusion(&c, &im, e) < 0) {
        return -1;
    }
    return save(&im, path_join(a, p->settings->evaluation_dir, "confusion.png"), e);
}

static int write_misses(struct arena *a, const struct evaluate_pictures *p, struct err *e)
{
    struct score_miss misses[MISSES_MAX];
    struct chart_cell cells[MISSES_MAX];
    struct image im = IMAGE_INIT;
    const struct dataset *d = &p->set->data;
    int width = pixels_width(p->set->pixels), height = pixels_height(p->set->pixels);
    size_t n = score_misses(p->score, misses, MISSES_MAX);
    for (size_t i = 0; i < n; i++) {
        uint8_t *scratch = arena_alloc(a, 3 * (size_t)width * (size_t)height);
        const uint8_t *px = pixels_get(p->set->pixels, misses[i].sample, scratch, e);
        if (!px) {
            return -1;
        }
        cells[i] = (struct chart_cell){
            .px = px,
            .width = width,
            .height = height,
            .caption = {d->samples[misses[i].sample].name,
                        arena_printf(a, "is %s", d->classes[misses[i].label]),
                        arena_printf(a, "not %s (%.0f %%)", d->classes[misses[i].predicted],
                                     100 * misses[i].confidence)}};
    }
    struct chart_sheet sheet = {
        .title = "Misclassified",
        .note =
            arena_printf(a, "%zu of %zu", p->report->count - p->report->correct, p->report->count),
        .cells = cells,
        .count = n};
    if (chart_sheet(&sheet, &im, e) < 0) {
        return -1;
    }
    return save(&im, path_join(a, p->settings->evaluation_dir, "misclassified.png"), e);
}

/* --- curves ---------------------------------------------------------------------------------- */

struct history {
    double *column[CURVE_COLUMNS];
    size_t rows;
};

/* false: not a file of ours. Empty fields are gaps. */
static bool parse_history(struct arena *a, struct str text, struct history *h)
{
    struct str rest = text, line;
    size_t capacity = 1;
    for (size_t i = 0; i < text.n; i++) {
        capacity += text.p[i] == '\n';
    }
    for (size_t c = 0; c < CURVE_COLUMNS; c++) {
        h->column[c] = ARENA_ARRAY(a, capacity, double);
    }
    h->rows = 0;
    if (!str_split(&rest, '\n', &line) || !str_starts(line, "epoch,step,train_loss")) {
        return false;
    }
    while (str_split(&rest, '\n', &line) && line.n > 0) {
        struct str field, fields = line;
        for (size_t c = 0; c < CURVE_COLUMNS; c++) {
            double v = (double)NAN;
            if (!str_split(&fields, ',', &field) || (field.n > 0 && !num_parse_double(field, &v))) {
                return false;
            }
            h->column[c][h->rows] = v;
        }
        h->rows++;
    }
    return h->rows > 0;
}

static int draw_panel(const struct history *h, const char *title, size_t train, size_t valid,
                      struct image *out, struct err *e)
{
    struct chart_series series[2] = {
        {"training", h->column[0], h->column[train], h->rows},
        {"validation", h->column[0], h->column[valid], h->rows},
    };
    bool measured = false;
    for (size_t i = 0; i < h->rows; i++) {
        measured = measured || !isnan(h->column[valid][i]);
    }
    return chart_lines(
        &(struct chart_lines){
            .title = title, .x_label = "epoch", .series = series, .series_count = measured ? 2 : 1},
        out, e);
}

static int write_curves(struct arena *a, const struct evaluate_pictures *p, struct err *e)
{
    struct strbuf text;
    struct history h;
    struct image left = IMAGE_INIT, right = IMAGE_INIT, both = IMAGE_INIT;
    const char *from = path_join(a, p->settings->training_dir, "history.csv");
    int rc = -1;
    strbuf_init(&text);
    if (!fs_exists(from)) {
        log_warn("evaluate", "%s is missing: no curves are drawn", from);
        rc = 0;
        goto out;
    }
    if (fs_read(from, (size_t)64 << 20, &text, e) < 0) {
        goto out;
    }
    if (!parse_history(a, strbuf_str(&text), &h)) {
        log_warn("evaluate", "%s has no rows of training: no curves are drawn", from);
        rc = 0;
        goto out;
    }
    if (draw_panel(&h, "Loss", 2, 4, &left, e) < 0 ||
        draw_panel(&h, "Accuracy", 3, 5, &right, e) < 0 ||
        chart_beside(&left, &right, &both, e) < 0) {
        goto out;
    }
    rc = chart_save(&both, path_join(a, p->settings->evaluation_dir, "curves.png"), e);
out:
    image_release(&left);
    image_release(&right);
    image_release(&both);
    strbuf_release(&text);
    return rc;
}

int evaluate_pictures_write(struct arena *a, const struct evaluate_pictures *p, struct err *e)
{
    if (write_confusion(a, p, e) < 0 || write_misses(a, p, e) < 0) {
        return -1;
    }
    return write_curves(a, p, e);
}
