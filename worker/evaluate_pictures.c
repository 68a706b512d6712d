/* Confusion matrix, mistakes and curves as PNG; see evaluate.h. */
#include "evaluate_pictures.h"

#include "imageset.h"
#include "settings.h"

#include "alloc.h"
#include "chart.h"
#include "err.h"
#include "fs.h"
#include "gradcam.h"
#include "heatmap.h"
#include "image.h"
#include "log.h"
#include "model.h"
#include "num.h"
#include "path.h"
#include "pixels.h"
#include "score.h"
#include "str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MISSES_MAX 24
#define MISS_PX 160     /* side of a thumbnail */
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

/* --- mistakes, each beside what the network saw in it ---------------------------------------- */

struct misses {
    struct arena *a;
    const struct evaluate_pictures *p;
    struct gradcam *gradcam;
    float *x, *heat;
    struct image pictures[MISSES_MAX], maps[MISSES_MAX];
    struct chart_cell cells[MISSES_MAX];
};

/* The picture of a file at the size of a thumbnail. */
static int load_thumb(const char *path, struct image *out, struct err *e)
{
    struct image im = IMAGE_INIT;
    if (image_load(path, NULL, &im, e) < 0) {
        return -1;
    }
    int longer = im.width > im.height ? im.width : im.height;
    int width = (int)((long)im.width * MISS_PX / longer);
    int height = (int)((long)im.height * MISS_PX / longer);
    image_alloc(out, width < 1 ? 1 : width, height < 1 ? 1 : height);
    image_resize(&im, longer > MISS_PX ? IMAGE_AREA : IMAGE_BILINEAR, out->width, out->height,
                 out->px);
    image_release(&im);
    return 0;
}

static int add_miss(struct misses *s, size_t i, const struct score_miss *miss, struct err *e)
{
    const struct dataset *d = &s->p->set->data;
    struct pixels *pixels = s->p->set->pixels;
    const struct image_norm norm = IMAGE_NORM_IMAGENET;
    int width = pixels_width(pixels), height = pixels_height(pixels);
    char path[DATASET_PATH_MAX];
    size_t h, w;
    uint8_t *scratch = arena_alloc(s->a, 3 * (size_t)width * (size_t)height);
    const uint8_t *px = pixels_get(pixels, miss->sample, scratch, e);
    if (!px || load_thumb(dataset_path(d, miss->sample, path), &s->pictures[i], e) < 0) {
        return -1;
    }
    image_to_chw(px, width, height, &norm, s->x);
    gradcam_forward(s->gradcam, s->x);
    gradcam_heat(s->gradcam, (size_t)miss->predicted, s->heat);
    gradcam_size(s->gradcam, &h, &w);
    heatmap_overlay(&s->pictures[i], s->heat, h, w, &s->maps[i]);
    s->cells[i] = (struct chart_cell){
        .px = s->pictures[i].px,
        .beside = s->maps[i].px,
        .width = s->pictures[i].width,
        .height = s->pictures[i].height,
        .caption = {d->samples[miss->sample].name,
                    arena_printf(s->a, "is %s, called %s (%.0f %%)", d->classes[miss->label],
                                 d->classes[miss->predicted], 100 * miss->confidence)}};
    return 0;
}

static int draw_misses(struct misses *s, size_t n, struct err *e)
{
    struct image im = IMAGE_INIT;
    const struct score_report *r = s->p->report;
    size_t wrong = r->count - r->correct;
    const char *shown = wrong > n ? arena_printf(s->a, ", the %zu most confident", n) : "";
    struct chart_sheet sheet = {
        .title = "Misclassified",
        .note = n == 0 ? arena_printf(s->a, "all %zu are right", r->count)
                       : arena_printf(s->a,
                                      "%zu of %zu%s; beside each what spoke for the wrong class "
                                      "(Grad-CAM: blue little, red much)",
                                      wrong, r->count, shown),
        .cells = s->cells,
        .count = n,
        .thumb_px = MISS_PX};
    if (chart_sheet(&sheet, &im, e) < 0) {
        return -1;
    }
    return save(&im, path_join(s->a, s->p->settings->evaluation_dir, "misclassified.png"), e);
}

static int write_misses(struct arena *a, const struct evaluate_pictures *p, struct err *e)
{
    struct score_miss list[MISSES_MAX];
    struct misses *s = xcalloc(1, sizeof(*s));
    const struct model_config *c = model_config(p->model);
    size_t h, w, n = score_misses(p->score, list, MISSES_MAX);
    int rc = -1;
    s->a = a;
    s->p = p;
    s->gradcam = gradcam_new(p->model, e);
    if (s->gradcam) {
        gradcam_size(s->gradcam, &h, &w);
        s->heat = xcalloc(h * w, sizeof(float));
        s->x = xcalloc(c->channels * c->height * c->width, sizeof(float));
        rc = 0;
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = add_miss(s, i, &list[i], e);
    }
    rc = rc == 0 ? draw_misses(s, n, e) : rc;
    for (size_t i = 0; i < n; i++) {
        image_release(&s->pictures[i]);
        image_release(&s->maps[i]);
    }
    gradcam_free(s->gradcam);
    free(s->heat);
    free(s->x);
    free(s);
    return rc;
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
