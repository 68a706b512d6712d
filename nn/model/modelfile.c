/*
 * The description inside our model files; the table of keys is in modelfile.h. Both directions go
 * through one flat list of strings, so that .pth, .safetensors and `weights convert` agree.
 */
#include "modelfile.h"

#include "alloc.h"
#include "err.h"
#include "json.h"
#include "num.h"
#include "weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA "1"
#define KEY_SCHEMA "nephron.schema"
#define KEY_VERSION "nephron.version"
#define MAX_IMAGE_SIZE 16384

/* ---- writing ---- */

struct meta_list {
    struct arena *a;
    struct weights_meta *items;
    size_t count;
};

static void add_text(struct meta_list *l, const char *key, const char *value)
{
    l->items[l->count++] =
        (struct weights_meta){arena_strdup(l->a, key), arena_strdup(l->a, value)};
}

static void add_value(struct meta_list *l, const char *key, const struct value *v)
{
    struct strbuf text;
    strbuf_init(&text);
    json_write(&text, v, &(struct json_style){.utf8 = true});
    add_text(l, key, text.p);
    strbuf_release(&text);
}

static void add_floats(struct meta_list *l, const char *key, const float *v, size_t n)
{
    struct value *list = value_list(l->a);
    for (size_t i = 0; i < n; i++) {
        /* The shortest decimal that reads back to this float: 0.485, not 0.48500001430511475. */
        char text[NUM_TEXT_SIZE];
        double d = v[i];
        for (int digits = 6; digits <= 9; digits++) {
            snprintf(text, sizeof(text), "%.*g", digits, (double)v[i]);
            if (num_parse_double(str_from(text), &d) && (float)d == v[i]) {
                break;
            }
        }
        value_push(l->a, list, value_float(l->a, d));
    }
    add_value(l, key, list);
}

static int check_info(const struct modelfile_info *info, struct err *e)
{
    if (info->arch == NULL || info->head == NULL || info->resize == NULL) {
        return err_set(e, ERR_USAGE, "model file without architecture, head or resize");
    }
    if (info->class_count < 1 || info->class_count > MODELFILE_MAX_CLASSES) {
        return err_set(e, ERR_USAGE, "model file with %zu classes", info->class_count);
    }
    if (info->image_height < 1 || info->image_height > MAX_IMAGE_SIZE || info->image_width < 1 ||
        info->image_width > MAX_IMAGE_SIZE) {
        return err_set(e, ERR_USAGE, "model file with images of %ux%u pixels", info->image_height,
                       info->image_width);
    }
    for (int i = 0; i < 3; i++) {
        if (!isfinite(info->mean[i]) || !isfinite(info->std[i]) || info->std[i] <= 0) {
            return err_set(e, ERR_USAGE, "model file with a mean or std that is no number");
        }
    }
    return 0;
}

int modelfile_info_meta(struct arena *a, const struct modelfile_info *info,
                        struct weights_meta **meta, size_t *count, struct err *e)
{
    if (check_info(info, e) < 0) {
        return -1;
    }
    struct meta_list l = {.a = a};
    l.items = ARENA_ARRAY(a, 11 + info->extra_count, struct weights_meta);
    struct value *classes = value_list(a);
    for (size_t i = 0; i < info->class_count; i++) {
        value_push(a, classes, value_cstr(a, info->classes[i]));
    }
    add_text(&l, "format", "pt");
    add_text(&l, KEY_SCHEMA, SCHEMA);
    add_text(&l, KEY_VERSION, info->version != NULL ? info->version : NEPHRON_VERSION);
    add_text(&l, "architecture", info->arch);
    add_text(&l, "head", info->head);
    add_value(&l, "classes", classes);
    add_text(&l, "image_size", arena_printf(a, "[%u, %u]", info->image_height, info->image_width));
    add_floats(&l, "mean", info->mean, 3);
    add_floats(&l, "std", info->std, 3);
    add_text(&l, "resize", info->resize);
    if (info->split != NULL) {
        add_text(&l, "split", info->split);
    }
    for (size_t i = 0; i < info->extra_count; i++) {
        add_text(&l, info->extra[i].key, info->extra[i].value);
    }
    *meta = l.items;
    *count = l.count;
    return 0;
}

int modelfile_write(const char *path, const struct modelfile_tensor *tensors, size_t count,
                    const struct modelfile_info *info, struct err *e)
{
    struct arena scratch;
    struct weights_meta *meta;
    size_t meta_count;
    int rc = -1;
    struct weights_entry *entries = xcalloc(count + 1, sizeof(*entries));
    arena_init(&scratch);
    if (modelfile_info_meta(&scratch, info, &meta, &meta_count, e) < 0) {
        err_wrap(e, "cannot write %s", path);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        struct weights_entry *t = &entries[i];
        t->name = tensors[i].name;
        t->dtype = tensors[i].type == MODELFILE_I64 ? WEIGHTS_I64 : WEIGHTS_F32;
        t->ndim = tensors[i].ndim;
        memcpy(t->shape, tensors[i].shape, sizeof(t->shape));
        t->data = tensors[i].data;
        if (weights_entry_layout(t, e) < 0) {
            goto out;
        }
    }
    rc = weights_save(path, entries, count, meta, meta_count, e);
out:
    arena_release(&scratch);
    free(entries);
    return rc;
}

/* ---- reading ---- */

struct info_reader {
    struct arena *a;
    const struct weights *w;
    struct err *e;
};

static const char *need_text(const struct info_reader *r, const char *key)
{
    const char *text = weights_meta_find(r->w, key);
    if (text == NULL) {
        err_set(r->e, ERR_FORMAT, "model description has no '%s'", key);
    }
    return text == NULL ? NULL : arena_strdup(r->a, text);
}

/* A key that holds a JSON list. */
static const struct value *need_list(const struct info_reader *r, const char *key)
{
    const char *text = weights_meta_find(r->w, key);
    if (text == NULL) {
        err_set(r->e, ERR_FORMAT, "model description has no '%s'", key);
        return NULL;
    }
    struct value *v = json_parse(r->a, str_from(text), key, r->e);
    if (v == NULL) {
        err_wrap(r->e, "model description");
        return NULL;
    }
    if (v->type != VALUE_LIST) {
        err_set(r->e, ERR_FORMAT, "model description: '%s' is a %s, expected a list", key,
                value_type_name(v->type));
        return NULL;
    }
    return v;
}

static int read_floats(const struct info_reader *r, const char *key, float out[3])
{
    const struct value *list = need_list(r, key);
    if (list == NULL) {
        return -1;
    }
    bool good = list->list.count == 3;
    for (size_t i = 0; good && i < 3; i++) {
        const struct value *v = list->list.items[i];
        double d = v->type == VALUE_FLOAT ? v->f : v->type == VALUE_INT ? (double)v->i : NAN;
        out[i] = (float)d;
        good = isfinite(out[i]);
    }
    return good ? 0
                : err_set(r->e, ERR_FORMAT, "model description: '%s' is not a list of 3 numbers",
                          key);
}

static int read_classes(const struct info_reader *r, struct modelfile_info *info)
{
    const struct value *list = need_list(r, "classes");
    if (list == NULL) {
        return -1;
    }
    size_t n = list->list.count;
    if (n < 1 || n > MODELFILE_MAX_CLASSES) {
        return err_set(r->e, ERR_FORMAT, "model description: %zu classes, allowed are 1 to %d", n,
                       MODELFILE_MAX_CLASSES);
    }
    info->classes = ARENA_ARRAY(r->a, n, const char *);
    info->class_count = n;
    for (size_t i = 0; i < n; i++) {
        const struct value *v = list->list.items[i];
        if (v->type != VALUE_STR || v->s.n == 0 || memchr(v->s.p, 0, v->s.n) != NULL) {
            return err_set(r->e, ERR_FORMAT, "model description: class %zu is no text", i);
        }
        info->classes[i] = arena_strndup(r->a, v->s.p, v->s.n);
    }
    return 0;
}

static int read_image_size(const struct info_reader *r, struct modelfile_info *info)
{
    const struct value *list = need_list(r, "image_size");
    unsigned size[2];
    if (list == NULL) {
        return -1;
    }
    bool good = list->list.count == 2;
    for (size_t i = 0; good && i < 2; i++) {
        const struct value *v = list->list.items[i];
        good = v->type == VALUE_INT && v->i >= 1 && v->i <= MAX_IMAGE_SIZE;
        size[i] = good ? (unsigned)v->i : 0;
    }
    if (!good) {
        return err_set(r->e, ERR_FORMAT,
                       "model description: 'image_size' is not [height, width], each 1 to %d",
                       MAX_IMAGE_SIZE);
    }
    info->image_height = size[0];
    info->image_width = size[1];
    return 0;
}

static void read_extra(const struct info_reader *r, struct modelfile_info *info)
{
    struct weights_meta *extra = ARENA_ARRAY(r->a, r->w->meta_count, struct weights_meta);
    for (size_t i = 0; i < r->w->meta_count; i++) {
        const struct weights_meta *m = &r->w->meta[i];
        if (strncmp(m->key, "x.", 2) == 0) {
            extra[info->extra_count++] =
                (struct weights_meta){arena_strdup(r->a, m->key), arena_strdup(r->a, m->value)};
        }
    }
    info->extra = extra;
}

static int read_info(const struct info_reader *r, struct modelfile_info *info)
{
    const char *schema = weights_meta_find(r->w, KEY_SCHEMA);
    if (schema == NULL) {
        return err_set(r->e, ERR_MISSING,
                       "this weights file has no description of a Nephron model (architecture, "
                       "classes, preprocessing); it was written by another program");
    }
    if (strcmp(schema, SCHEMA) != 0) {
        return err_set(r->e, ERR_FORMAT,
                       "model description has schema '%s', this program knows '" SCHEMA "'",
                       nameindex_show(str_from(schema)).text);
    }
    info->arch = need_text(r, "architecture");
    info->head = info->arch == NULL ? NULL : need_text(r, "head");
    info->resize = info->head == NULL ? NULL : need_text(r, "resize");
    info->version = info->resize == NULL ? NULL : need_text(r, KEY_VERSION);
    if (info->version == NULL || read_classes(r, info) < 0 || read_image_size(r, info) < 0 ||
        read_floats(r, "mean", info->mean) < 0 || read_floats(r, "std", info->std) < 0) {
        return -1;
    }
    for (int i = 0; i < 3; i++) {
        if (info->std[i] <= 0) {
            return err_set(r->e, ERR_FORMAT, "model description: 'std' is not positive");
        }
    }
    info->split = weights_meta_find(r->w, "split");
    info->split = info->split == NULL ? NULL : arena_strdup(r->a, info->split);
    read_extra(r, info);
    return 0;
}

int modelfile_info_from(struct arena *a, const struct weights *w, const char *path,
                        struct modelfile_info *info, struct err *e)
{
    struct info_reader r = {a, w, e};
    *info = (struct modelfile_info){0};
    return read_info(&r, info) < 0 ? err_wrap(e, "%s", path) : 0;
}

int modelfile_read_info(struct arena *a, const char *path, struct modelfile_info *info,
                        struct err *e)
{
    struct weights *w =
        weights_open(path, &(struct weights_open_options){.skip_checksums = true}, e);
    if (w == NULL) {
        return -1;
    }
    int rc = modelfile_info_from(a, w, path, info, e);
    weights_close(w);
    return rc;
}
