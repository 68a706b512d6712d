/* Models to and from weights files; see modelio.h. */
#include "modelio.h"

#include "alloc.h"
#include "err.h"
#include "model.h"
#include "num.h"
#include "weights.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_PREFIX "classifier."
#define MAX_LISTED 6 /* tensors of a kind named in an error */
#define KEY_DIVISOR "x.width_divisor"
#define KEY_HIDDEN "x.hidden"

/* ---- loading ---- */

/* A tensor of the model: parameter, or buffer of batch norm. */
struct slot {
    const char *name;
    unsigned ndim;
    const size_t *shape;
    size_t count;
    float *value;
    int64_t *counter;                   /* instead of value */
    const struct weights_entry *source; /* NULL: keeps its values */
};

struct loading {
    const struct weights *w;
    struct slot *slots;
    size_t count;
    struct str prefix; /* of all names in the file */
    enum modelio_head head;
    struct strbuf missing, unexpected, different;
    size_t missing_count, unexpected_count, different_count;
    struct modelio_report *report;
};

static bool is_head(const char *name)
{
    return strncmp(name, HEAD_PREFIX, strlen(HEAD_PREFIX)) == 0;
}

static void collect_slots(struct loading *l, const struct model *m)
{
    size_t params, buffers;
    const struct param *p = model_params(m, &params);
    const struct model_buffer *b = model_buffers(m, &buffers);
    l->slots = xcalloc(params + buffers + 1, sizeof(*l->slots));
    for (size_t i = 0; i < params; i++) {
        l->slots[l->count++] = (struct slot){.name = p[i].name,
                                             .ndim = p[i].ndim,
                                             .shape = p[i].shape,
                                             .count = p[i].count,
                                             .value = p[i].value};
    }
    for (size_t i = 0; i < buffers; i++) {
        l->slots[l->count++] = (struct slot){.name = b[i].name,
                                             .ndim = b[i].ndim,
                                             .shape = &b[i].count,
                                             .count = b[i].count,
                                             .value = b[i].value,
                                             .counter = b[i].counter};
    }
}

/* What stands before the first parameter's name in the file; empty when it is not there at all. */
static struct str find_prefix(const struct loading *l)
{
    const char *first = l->slots[0].name;
    for (size_t i = 0; i < l->w->count; i++) {
        struct str name = str_from(l->w->entries[i].name);
        if (!str_ends(name, first)) {
            continue;
        }
        struct str prefix = str_sub(name, 0, name.n - strlen(first));
        if (prefix.n == 0 || str_ends(prefix, ".") || str_ends(prefix, "/")) {
            return prefix;
        }
    }
    return (struct str){"", 0};
}

static const struct weights_entry *find_source(const struct loading *l, const char *name)
{
    struct strbuf full;
    strbuf_init(&full);
    strbuf_addstr(&full, l->prefix);
    strbuf_adds(&full, name);
    const struct weights_entry *t = weights_find(l->w, full.p);
    strbuf_release(&full);
    return t;
}

static bool same_shape(const struct slot *s, const struct weights_entry *t)
{
    bool same = t->ndim == s->ndim;
    for (unsigned i = 0; same && i < s->ndim; i++) {
        same = t->shape[i] == s->shape[i];
    }
    /* Some writers store the counter with shape (1). */
    return same || (s->counter != NULL && t->count == 1);
}

static void add_shape(struct strbuf *out, const struct slot *s)
{
    struct weights_entry t = {.ndim = s->ndim};
    for (unsigned i = 0; i < s->ndim; i++) {
        t.shape[i] = s->shape[i];
    }
    weights_shape_text(&t, out);
}

static bool begin_item(struct strbuf *out, size_t *count)
{
    ++*count;
    if (*count <= MAX_LISTED && out->n > 0) {
        strbuf_adds(out, ", ");
    }
    return *count <= MAX_LISTED;
}

static void keep(struct loading *l, const struct slot *s, const struct weights_entry *t)
{
    if (l->report == NULL) {
        return;
    }
    l->report->kept++;
    if (l->report->text == NULL) {
        return;
    }
    struct strbuf *out = l->report->text;
    strbuf_addf(out, "%s ", s->name);
    add_shape(out, s);
    strbuf_adds(out, " keeps its initial values: ");
    if (l->head == MODELIO_HEAD_IGNORE) {
        strbuf_adds(out, "the head of the file is not used\n");
    } else if (t == NULL) {
        strbuf_adds(out, "it is not in the file\n");
    } else {
        strbuf_adds(out, "in the file it is ");
        weights_shape_text(t, out);
        strbuf_addch(out, '\n');
    }
}

static void match_slot(struct loading *l, struct slot *s)
{
    bool head = is_head(s->name);
    const struct weights_entry *t = find_source(l, s->name);
    if (head && l->head == MODELIO_HEAD_IGNORE) {
        keep(l, s, t);
        return;
    }
    if (t != NULL && same_shape(s, t)) {
        s->source = t;
        return;
    }
    if (head && l->head == MODELIO_HEAD_IF_FITS) {
        keep(l, s, t);
        return;
    }
    if (t == NULL && s->counter != NULL) {
        return; /* files of before PyTorch 0.4.1 */
    }
    if (t == NULL && begin_item(&l->missing, &l->missing_count)) {
        strbuf_addf(&l->missing, "%s ", s->name);
        add_shape(&l->missing, s);
    } else if (t != NULL && begin_item(&l->different, &l->different_count)) {
        strbuf_addf(&l->different, "%s is ", s->name);
        weights_shape_text(t, &l->different);
        strbuf_adds(&l->different, " in the file and ");
        add_shape(&l->different, s);
        strbuf_adds(&l->different, " in the model");
    }
}

/* Tensors of the file, under the prefix, that the model does not have. */
static void find_unexpected(struct loading *l)
{
    struct arena scratch;
    struct nameindex names;
    arena_init(&scratch);
    nameindex_init(&names, &scratch, l->count);
    for (size_t i = 0; i < l->count; i++) {
        names.refs[i] = (struct nameindex_ref){str_from(l->slots[i].name), (uint32_t)i};
    }
    nameindex_sort(&names);
    for (size_t i = 0; i < l->w->count; i++) {
        const struct weights_entry *t = &l->w->entries[i];
        struct str name = str_from(t->name);
        if (name.n < l->prefix.n || memcmp(name.p, l->prefix.p, l->prefix.n) != 0) {
            continue; /* beside the state dict: optimizer state, for example */
        }
        name = str_sub(name, l->prefix.n, name.n - l->prefix.n);
        if (nameindex_find(&names, name) != NAMEINDEX_NONE ||
            (str_starts(name, HEAD_PREFIX) && l->head != MODELIO_HEAD_STRICT)) {
            continue;
        }
        if (begin_item(&l->unexpected, &l->unexpected_count)) {
            strbuf_addf(&l->unexpected, "%s ", nameindex_show(name).text);
            weights_shape_text(t, &l->unexpected);
        }
    }
    arena_release(&scratch);
}

static void add_list(struct err *e, const char *what, const struct strbuf *list, size_t count)
{
    if (count == 0) {
        return;
    }
    err_append(e, "; %s: %s", what, list->p);
    if (count > MAX_LISTED) {
        err_append(e, " and %zu more", count - MAX_LISTED);
    }
}

static int check_match(struct loading *l, struct err *e)
{
    if (l->missing_count + l->unexpected_count + l->different_count == 0) {
        return 0;
    }
    err_set(e, ERR_FORMAT, "the weights do not belong to this model");
    add_list(e, "different shape", &l->different, l->different_count);
    add_list(e, "missing", &l->missing, l->missing_count);
    add_list(e, "not in the model", &l->unexpected, l->unexpected_count);
    return -1;
}

static int copy_slots(struct loading *l, struct err *e)
{
    for (size_t i = 0; i < l->count; i++) {
        struct slot *s = &l->slots[i];
        if (s->source == NULL) {
            continue;
        }
        int rc;
        if (s->counter == NULL) {
            rc = weights_copy_f32(s->source, s->value, s->count, e);
        } else if (s->source->dtype <= WEIGHTS_BF16) { /* tinygrad stores the counter as f32 */
            float tracked;
            rc = weights_copy_f32(s->source, &tracked, 1, e);
            *s->counter = rc == 0 && tracked >= 0 && tracked < 0x1p62f ? (int64_t)tracked : 0;
        } else {
            rc = weights_copy_i64(s->source, s->counter, 1, e);
        }
        if (rc < 0) {
            return -1;
        }
        if (l->report != NULL) {
            l->report->loaded++;
        }
    }
    return 0;
}

int model_load_weights(struct model *m, const struct weights *w,
                       const struct modelio_options *options, struct modelio_report *report,
                       struct err *e)
{
    struct loading l = {.w = w, .report = report};
    l.head = options != NULL ? options->head : MODELIO_HEAD_STRICT;
    strbuf_init(&l.missing);
    strbuf_init(&l.unexpected);
    strbuf_init(&l.different);
    if (report != NULL) {
        report->loaded = report->kept = 0;
    }
    collect_slots(&l, m);
    l.prefix = find_prefix(&l);
    for (size_t i = 0; i < l.count; i++) {
        match_slot(&l, &l.slots[i]);
    }
    find_unexpected(&l);
    int rc = check_match(&l, e) < 0 || copy_slots(&l, e) < 0 ? -1 : 0;
    strbuf_release(&l.missing);
    strbuf_release(&l.unexpected);
    strbuf_release(&l.different);
    free(l.slots);
    return rc;
}

int model_load_file(struct model *m, const char *path, const struct modelio_options *options,
                    struct modelio_report *report, struct err *e)
{
    struct weights *w = weights_open(path, NULL, e);
    if (w == NULL) {
        return -1;
    }
    int rc = model_load_weights(m, w, options, report, e);
    weights_close(w);
    return rc < 0 ? err_wrap(e, "%s", path) : 0;
}

/* ---- saving ---- */

static void add_buffers(struct modelfile_tensor *out, size_t *count, const char *param_name,
                        const struct model_buffer *b, size_t buffers)
{
    size_t stem = strlen(param_name) - strlen("bias");
    for (size_t i = 0; i < buffers; i++) {
        if (strncmp(b[i].name, param_name, stem) != 0) {
            continue;
        }
        out[(*count)++] = (struct modelfile_tensor){
            .name = b[i].name,
            .type = b[i].counter != NULL ? MODELFILE_I64 : MODELFILE_F32,
            .ndim = b[i].ndim,
            .shape = {b[i].count},
            .data = b[i].counter != NULL ? (const void *)b[i].counter : (const void *)b[i].value,
        };
    }
}

/* Order of state_dict: a batch norm's buffers follow its bias. Returns new (free). */
static struct modelfile_tensor *list_tensors(const struct model *m, size_t *count)
{
    size_t params, buffers;
    const struct param *p = model_params(m, &params);
    const struct model_buffer *b = model_buffers(m, &buffers);
    struct modelfile_tensor *out = xcalloc(params + buffers + 1, sizeof(*out));
    *count = 0;
    for (size_t i = 0; i < params; i++) {
        struct modelfile_tensor *t = &out[(*count)++];
        *t = (struct modelfile_tensor){.name = p[i].name, .ndim = p[i].ndim, .data = p[i].value};
        memcpy(t->shape, p[i].shape, sizeof(p[i].shape));
        if (str_ends(str_from(p[i].name), ".bias")) {
            add_buffers(out, count, p[i].name, b, buffers);
        }
    }
    if (*count != params + buffers) {
        BUG("%zu of %zu tensors of the model were listed", *count, params + buffers);
    }
    return out;
}

/* Sizes that are not the architecture's own go along, so that model_open can build the model. */
static size_t add_sizes(const struct model_config *c, struct weights_meta *extra, char (*text)[24])
{
    size_t n = 0;
    if (c->width_divisor > 1) {
        snprintf(text[n], sizeof(text[n]), "%zu", c->width_divisor);
        extra[n] = (struct weights_meta){KEY_DIVISOR, text[n]};
        n++;
    }
    if (c->hidden != 0 && c->hidden != 4096) {
        snprintf(text[n], sizeof(text[n]), "%zu", c->hidden);
        extra[n] = (struct weights_meta){KEY_HIDDEN, text[n]};
        n++;
    }
    return n;
}

int model_save(const struct model *m, const char *path, const struct modelfile_info *info,
               struct err *e)
{
    const struct model_config *c = model_config(m);
    struct modelfile_info full = *info;
    char text[2][24];
    size_t count;
    if (info->class_count != c->classes) {
        return err_set(e, ERR_USAGE, "cannot write %s: %zu class names for a model of %zu classes",
                       path, info->class_count, c->classes);
    }
    full.arch = info->arch != NULL ? info->arch : c->name;
    full.head = info->head != NULL ? info->head : model_head_name(c->head);
    full.image_height = info->image_height != 0 ? info->image_height : (unsigned)c->height;
    full.image_width = info->image_width != 0 ? info->image_width : (unsigned)c->width;
    struct weights_meta *extra = xcalloc(info->extra_count + 2, sizeof(*extra));
    full.extra_count = add_sizes(c, extra, text);
    for (size_t i = 0; i < info->extra_count; i++) {
        bool is_size = strcmp(info->extra[i].key, KEY_DIVISOR) == 0 ||
                       strcmp(info->extra[i].key, KEY_HIDDEN) == 0;
        if (!is_size) {
            extra[full.extra_count++] = info->extra[i];
        }
    }
    full.extra = extra;
    struct modelfile_tensor *tensors = list_tensors(m, &count);
    int rc = modelfile_write(path, tensors, count, &full, e);
    free(tensors);
    free(extra);
    return rc;
}

/* ---- opening ---- */

static int read_size_key(const struct modelfile_info *info, const char *key, size_t *out,
                         struct err *e)
{
    for (size_t i = 0; i < info->extra_count; i++) {
        int64_t v;
        if (strcmp(info->extra[i].key, key) != 0) {
            continue;
        }
        if (!num_parse_int(str_from(info->extra[i].value), &v) || v < 1 || v > 65536) {
            return err_set(e, ERR_FORMAT, "model description: '%s' is no size", key);
        }
        *out = (size_t)v;
    }
    return 0;
}

struct model *model_from_info(const struct modelfile_info *info, int freeze, struct par *par,
                              struct err *e)
{
    struct model_config c = {.name = info->arch,
                             .classes = info->class_count,
                             .height = info->image_height,
                             .width = info->image_width,
                             .freeze = freeze,
                             .empty = true,
                             .par = par};
    if (model_parse_head(info->head, &c.head, e) < 0 ||
        read_size_key(info, KEY_DIVISOR, &c.width_divisor, e) < 0 ||
        read_size_key(info, KEY_HIDDEN, &c.hidden, e) < 0) {
        return NULL;
    }
    return model_new(&c, e);
}

struct model *model_open(const char *path, struct par *par, struct arena *a,
                         struct modelfile_info *info, struct err *e)
{
    return model_open_frozen(path, MODEL_FREEZE_NONE, par, a, info, e);
}

struct model *model_open_frozen(const char *path, int freeze, struct par *par, struct arena *a,
                                struct modelfile_info *info, struct err *e)
{
    struct model *m = NULL;
    struct weights *w = weights_open(path, NULL, e);
    if (w == NULL || modelfile_info_from(a, w, path, info, e) < 0) {
        goto out;
    }
    m = model_from_info(info, freeze, par, e);
    if (m == NULL || model_load_weights(m, w, NULL, NULL, e) < 0) {
        err_wrap(e, "%s", path);
        model_free(m);
        m = NULL;
    }
out:
    weights_close(w);
    return m;
}
