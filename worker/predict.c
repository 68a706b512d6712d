/* Prediction of pictures; see predict.h. */
#include "predict.h"

#include "arena.h"
#include "err.h"
#include "fs.h"
#include "image.h"
#include "model.h"
#include "modelfile.h"
#include "modelio.h"
#include "path.h"
#include "score.h"
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

static struct value *predict_one(struct arena *a, struct model *m,
                                 const struct modelfile_info *info,
                                 const struct image_preprocess *prep, const char *path, float *x)
{
    struct err e = ERR_INIT;
    if (image_load_chw(path, prep, x, &e) < 0) {
        struct value *bad = value_map(a);
        value_set(a, bad, "path", value_cstr(a, path));
        value_set(a, bad, "error", value_cstr(a, e.text));
        return bad;
    }
    model_forward(m, &(struct model_batch){.x = x, .count = 1, .mode = MODEL_EVAL});
    return answer(a, info, path, model_logits(m));
}

struct value *predict_run(struct arena *a, const struct predict_options *opt, size_t *failed,
                          struct err *e)
{
    struct modelfile_info info;
    struct names names = {.a = a};
    struct value *list = NULL;
    float *x = NULL;
    *failed = 0;
    struct model *m = model_open(opt->model, opt->par, a, &info, e);
    if (!m) {
        err_wrap(e, "cannot predict with %s", opt->model);
        return NULL;
    }
    if (list_pictures(&names, opt, e) < 0 ||
        model_plan(m, &(struct model_plan){.batch = 1, .inference = true}, e) < 0) {
        goto out;
    }
    struct image_preprocess prep = {.width = (int)info.image_width,
                                    .height = (int)info.image_height};
    memcpy(prep.norm.mean, info.mean, sizeof(info.mean));
    memcpy(prep.norm.std, info.std, sizeof(info.std));
    x = xcalloc((size_t)3 * info.image_width * info.image_height, sizeof(float));
    list = value_list(a);
    for (size_t i = 0; i < names.count; i++) {
        struct value *one = predict_one(a, m, &info, &prep, names.items[i], x);
        *failed += value_get(one, "error") != NULL;
        value_push(a, list, one);
    }
out:
    free(names.items);
    free(x);
    model_free(m);
    return list;
}
