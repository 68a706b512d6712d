/* Prediction of pictures; see predict.h. */
#include "predict.h"

#include "arena.h"
#include "chart.h"
#include "err.h"
#include "fs.h"
#include "gradcam.h"
#include "image.h"
#include "json.h"
#include "model.h"
#include "modelfile.h"
#include "modelio.h"
#include "path.h"
#include "score.h"
#include "str.h"
#include "value.h"

#include "alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct names {
    struct arena *a;
    const char *dir;
    const char **items;
    size_t count, capacity;
};

static void add_name(struct names *n, const char *path)
{
    ARRAY_RESERVE(n->items, n->count, n->capacity, 1);
    n->items[n->count++] = path;
}

static int visit(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct names *n = ctx;
    if (!entry->is_dangling && S_ISREG(entry->st.st_mode) && image_name_is_picture(entry->path)) {
        add_name(n, path_join(n->a, n->dir, entry->path));
    }
    return 0;
}

static int list_pictures(struct names *n, const struct predict_options *opt, struct err *e)
{
    for (size_t i = 0; i < opt->count; i++) {
        const char *path = opt->paths[i];
        size_t before = n->count;
        if (!fs_is_dir(path)) {
            add_name(n, path);
            continue;
        }
        n->dir = path;
        if (fs_walk(path, visit, n, e) < 0) {
            return -1;
        }
        if (n->count == before) {
            return err_set(e, ERR_MISSING, "no .jpg, .jpeg or .png in %s", path);
        }
    }
    return 0;
}

static struct value *answer(struct arena *a, const struct modelfile_info *info, const char *path,
                            const float *logits)
{
    struct value *one = value_map(a), *all = value_map(a);
    double *p = ARENA_ARRAY(a, info->class_count, double);
    size_t best = 0;
    score_softmax(logits, info->class_count, p);
    for (size_t i = 0; i < info->class_count; i++) {
        value_set(a, all, info->classes[i], value_float(a, p[i]));
        best = p[i] > p[best] ? i : best;
    }
    value_set(a, one, "path", value_cstr(a, path));
    value_set(a, one, "image", value_cstr(a, info->classes[best]));
    value_set(a, one, "confidence", value_float(a, p[best]));
    value_set(a, one, "probabilities", all);
    return one;
}

/* --- one picture after the other ------------------------------------------------------------- */

struct predictor {
    struct arena *a;
    const struct predict_options *opt;
    struct modelfile_info info;
    struct model *m;
    struct image_preprocess prep;
    float *x;

    struct gradcam *gradcam; /* NULL: no heat maps */
    size_t label;            /* their class; class_count: the predicted one */
    struct chart_explained rows[CHART_EXPLAIN_MAX];
    size_t row_count;
    struct value *heat; /* a list: the numbers behind the maps */
};

static int find_label(struct predictor *p, struct err *e)
{
    const struct modelfile_info *info = &p->info;
    struct strbuf names;
    p->label = 0;
    strbuf_init(&names);
    while (p->opt->label && p->label < info->class_count &&
           strcmp(info->classes[p->label], p->opt->label) != 0) {
        strbuf_addf(&names, "%s%s", p->label ? ", " : "", info->classes[p->label]);
        p->label++;
    }
    int rc = 0;
    if (!p->opt->label) {
        p->label = info->class_count;
    } else if (p->label == info->class_count) {
        rc =
            err_set(e, ERR_USAGE, "the model has no class '%s'; it has %s", p->opt->label, names.p);
    }
    strbuf_release(&names);
    return rc;
}

static int open_predictor(struct predictor *p, struct err *e)
{
    int freeze = p->opt->explain ? MODEL_FREEZE_BUT_LAST : MODEL_FREEZE_NONE;
    p->m = model_open_frozen(p->opt->model, freeze, p->opt->par, p->a, &p->info, e);
    if (!p->m) {
        return err_wrap(e, "cannot predict with %s", p->opt->model);
    }
    if (model_plan(p->m, &(struct model_plan){.batch = 1, .inference = true}, e) < 0 ||
        find_label(p, e) < 0) {
        return -1;
    }
    if (p->opt->explain && !(p->gradcam = gradcam_new(p->m, e))) {
        return -1;
    }
    p->prep = (struct image_preprocess){.width = (int)p->info.image_width,
                                        .height = (int)p->info.image_height};
    memcpy(p->prep.norm.mean, p->info.mean, sizeof(p->info.mean));
    memcpy(p->prep.norm.std, p->info.std, sizeof(p->info.std));
    p->x = xcalloc((size_t)3 * p->info.image_width * p->info.image_height, sizeof(float));
    return 0;
}

static void close_predictor(struct predictor *p)
{
    for (size_t i = 0; i < p->row_count; i++) {
        image_release((struct image *)p->rows[i].picture);
    }
    gradcam_free(p->gradcam);
    free(p->x);
    model_free(p->m);
}

static void keep_numbers(struct predictor *p, const char *path, const char *name, const float *heat)
{
    struct arena *a = p->a;
    struct value *one = value_map(a), *rows = value_list(a);
    size_t height, width;
    gradcam_size(p->gradcam, &height, &width);
    for (size_t y = 0; y < height; y++) {
        struct value *row = value_list(a);
        for (size_t x = 0; x < width; x++) {
            value_push(a, row, value_float(a, (double)heat[y * width + x]));
        }
        value_push(a, rows, row);
    }
    value_set(a, one, "path", value_cstr(a, path));
    value_set(a, one, "class", value_cstr(a, name));
    value_set(a, one, "heat", rows);
    value_push(a, p->heat, one);
}

/* Keeps the picture and its heat map for the sheet. */
static int explain(struct predictor *p, const struct value *one, struct err *e)
{
    struct arena *a = p->a;
    size_t height, width, label = p->label;
    const char *path = value_get(one, "path")->s.p;
    label = label < p->info.class_count ? label : gradcam_best(p->gradcam);
    const char *name = p->info.classes[label], *best = value_get(one, "image")->s.p;
    gradcam_size(p->gradcam, &height, &width);
    float *heat = ARENA_ARRAY(a, height * width, float);
    struct image *picture = ARENA_ARRAY(a, 1, struct image);
    *picture = (struct image)IMAGE_INIT;
    if (image_load(path, &p->prep.decode, picture, e) < 0) {
        return -1;
    }
    gradcam_heat(p->gradcam, label, heat);
    keep_numbers(p, path, name, heat);
    const char *says = arena_printf(a, "%s, %.1f %%", best, 100 * value_get(one, "confidence")->f);
    if (strcmp(best, name) != 0) {
        double share = value_get(value_get(one, "probabilities"), name)->f;
        says = arena_printf(a, "%s; shown is %s, %.1f %%", says, name, 100 * share);
    }
    p->rows[p->row_count++] = (struct chart_explained){picture, heat, height, width, says, path};
    return 0;
}

static struct value *predict_one(struct predictor *p, const char *path)
{
    struct err e = ERR_INIT;
    if (image_load_chw(path, &p->prep, p->x, &e) == 0) {
        const float *logits = NULL;
        if (p->gradcam) {
            logits = gradcam_forward(p->gradcam, p->x);
        } else {
            model_forward(p->m, &(struct model_batch){.x = p->x, .count = 1, .mode = MODEL_EVAL});
            logits = model_logits(p->m);
        }
        struct value *one = answer(p->a, &p->info, path, logits);
        if (!p->gradcam || explain(p, one, &e) == 0) {
            return one;
        }
    }
    struct value *bad = value_map(p->a);
    value_set(p->a, bad, "path", value_cstr(p->a, path));
    value_set(p->a, bad, "error", value_cstr(p->a, e.text));
    return bad;
}

static int write_numbers(struct predictor *p, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    json_write(&text, p->heat, &(struct json_style){.utf8 = true});
    strbuf_addch(&text, '\n');
    int rc = fs_mkdirs_for(p->opt->heat, e);
    rc = rc == 0 ? fs_write_atomic(p->opt->heat, text.p, text.n, 0, e) : rc;
    strbuf_release(&text);
    return rc;
}

static int write_sheet(struct predictor *p, struct err *e)
{
    struct image im = IMAGE_INIT;
    struct chart_explain c = {
        .title = p->row_count == 1 ? "What speaks for this class" : NULL,
        .note = arena_printf(p->a,
                             "Grad-CAM of %s, stretched over the picture; each map is shown "
                             "relative to its own maximum",
                             p->info.arch),
        .rows = p->rows,
        .count = p->row_count};
    if (p->row_count == 0) {
        return 0; /* no picture could be read, which is said already */
    }
    if (chart_explain(&c, &im, e) < 0 || fs_mkdirs_for(p->opt->explain, e) < 0) {
        return -1;
    }
    int rc = chart_save(&im, p->opt->explain, e);
    image_release(&im);
    return rc == 0 && p->opt->heat ? write_numbers(p, e) : rc;
}

struct value *predict_run(struct arena *a, const struct predict_options *opt, size_t *failed,
                          struct err *e)
{
    struct names names = {.a = a};
    struct predictor *p = xcalloc(1, sizeof(*p));
    struct value *list = NULL;
    *failed = 0;
    p->a = a;
    p->opt = opt;
    p->heat = value_list(a);
    if (open_predictor(p, e) < 0 || list_pictures(&names, opt, e) < 0) {
        goto out;
    }
    if (opt->explain && names.count > CHART_EXPLAIN_MAX) {
        err_set(e, ERR_USAGE, "--explain draws at most %d pictures in one sheet, these are %zu",
                CHART_EXPLAIN_MAX, names.count);
        goto out;
    }
    list = value_list(a);
    for (size_t i = 0; i < names.count; i++) {
        struct value *one = predict_one(p, names.items[i]);
        *failed += value_get(one, "error") != NULL;
        value_push(a, list, one);
    }
    if (opt->explain && write_sheet(p, e) < 0) {
        list = NULL;
    }
out:
    free(names.items);
    close_predictor(p);
    free(p);
    return list;
}
