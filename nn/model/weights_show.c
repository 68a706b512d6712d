/* `weights show` and `weights convert`: tables and copies of what weights.h reads. */
#include "weights_show.h"

#include "err.h"
#include "json.h"
#include "num.h"
#include "weights.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static int finish(FILE *out, const char *what, struct err *e)
{
    if (fflush(out) != 0 || ferror(out)) {
        return err_sys(e, "cannot write %s", what);
    }
    return 0;
}

static struct value *number(struct arena *a, double v)
{
    return isfinite(v) ? value_float(a, v) : value_null(a);
}

static struct value *tensor_json(struct arena *a, const struct weights_entry *t,
                                 const struct weights_summary *s)
{
    struct value *v = value_map(a), *shape = value_list(a);
    for (unsigned i = 0; i < t->ndim; i++) {
        value_push(a, shape, value_int(a, (int64_t)t->shape[i]));
    }
    value_set(a, v, "name", value_cstr(a, t->name));
    value_set(a, v, "dtype", value_cstr(a, weights_dtype_name(t->dtype)));
    value_set(a, v, "shape", shape);
    value_set(a, v, "contiguous", value_bool(a, weights_contiguous(t)));
    value_set(a, v, "sum", number(a, s->sum));
    value_set(a, v, "first", number(a, s->first));
    value_set(a, v, "md5", value_cstr(a, s->md5));
    return v;
}

static void totals(const struct weights *w, uint64_t *elements, uint64_t *bytes)
{
    *elements = *bytes = 0;
    for (size_t i = 0; i < w->count; i++) {
        *elements += w->entries[i].count;
        *bytes += w->entries[i].count * weights_dtype_size(w->entries[i].dtype);
    }
}

static int show_json(const struct weights *w, const char *path, FILE *out, struct err *e)
{
    struct arena a;
    struct strbuf text;
    uint64_t elements, bytes;
    arena_init(&a);
    strbuf_init(&text);
    totals(w, &elements, &bytes);
    struct value *v = value_map(&a), *meta = value_map(&a), *list = value_list(&a);
    for (size_t i = 0; i < w->meta_count; i++) {
        value_set(&a, meta, w->meta[i].key, value_cstr(&a, w->meta[i].value));
    }
    for (size_t i = 0; i < w->count; i++) {
        struct weights_summary s;
        weights_summarise(&w->entries[i], &s);
        value_push(&a, list, tensor_json(&a, &w->entries[i], &s));
    }
    value_set(&a, v, "schema", value_int(&a, 1));
    value_set(&a, v, "path", value_cstr(&a, path));
    value_set(&a, v, "format", value_cstr(&a, weights_format_name(w->format)));
    value_set(&a, v, "count", value_int(&a, (int64_t)w->count));
    value_set(&a, v, "elements", value_int(&a, (int64_t)elements));
    value_set(&a, v, "bytes", value_int(&a, (int64_t)bytes));
    value_set(&a, v, "metadata", meta);
    value_set(&a, v, "tensors", list);
    json_write(&text, v, &(struct json_style){.indent = 2, .utf8 = true});
    fprintf(out, "%s\n", text.p);
    strbuf_release(&text);
    arena_release(&a);
    return finish(out, "the list of tensors", e);
}

/* Text of a stranger for a terminal: control characters as \xNN. */
static void print_safe(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        fprintf(out, *p < 0x20 || *p == 0x7F ? "\\x%02x" : "%c", *p);
    }
}

/* Columns on a terminal; a multi-byte character counts as one. */
static int name_width(const char *text)
{
    int width = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        width += *p < 0x20 || *p == 0x7F ? 4 : (*p & 0xC0) != 0x80;
    }
    return width;
}

static void show_row(FILE *out, const struct weights_entry *t, int width, struct strbuf *shape)
{
    struct weights_summary s;
    char sum[NUM_TEXT_SIZE], first[NUM_TEXT_SIZE];
    weights_summarise(t, &s);
    strbuf_reset(shape);
    weights_shape_text(t, shape);
    num_round(sum, s.sum, 9);
    num_round(first, s.first, 9);
    int gap = width - name_width(t->name);
    print_safe(out, t->name);
    fprintf(out, "%*s  %-5s  %-18s  %18s  %18s  %s\n", gap > 0 ? gap : 0, "",
            weights_dtype_name(t->dtype), shape->p, sum, t->count > 0 ? first : "-", s.md5);
}

static int show_table(const struct weights *w, const char *path, FILE *out, struct err *e)
{
    struct strbuf shape;
    uint64_t elements, bytes;
    char size[NUM_TEXT_SIZE];
    int width = 4;
    for (size_t i = 0; i < w->count; i++) {
        int n = name_width(w->entries[i].name);
        width = n > width && n <= 80 ? n : width;
    }
    strbuf_init(&shape);
    fprintf(out, "%-*s  %-5s  %-18s  %18s  %18s  %s\n", width, "name", "dtype", "shape", "sum",
            "first", "md5");
    for (size_t i = 0; i < w->count; i++) {
        show_row(out, &w->entries[i], width, &shape);
    }
    strbuf_release(&shape);
    totals(w, &elements, &bytes);
    num_bytes(size, (double)bytes);
    fprintf(out, "\n");
    print_safe(out, path);
    fprintf(out, ": %s, %zu tensor%s, %" PRIu64 " elements, %s\n", weights_format_name(w->format),
            w->count, w->count == 1 ? "" : "s", elements, size);
    for (size_t i = 0; i < w->meta_count; i++) {
        fprintf(out, "  ");
        print_safe(out, w->meta[i].key);
        fprintf(out, ": ");
        print_safe(out, w->meta[i].value);
        fprintf(out, "\n");
    }
    return finish(out, "the list of tensors", e);
}

int weights_show(const char *path, bool json, FILE *out, struct err *e)
{
    struct weights *w = weights_open(path, NULL, e);
    if (w == NULL) {
        return -1;
    }
    int rc = json ? show_json(w, path, out, e) : show_table(w, path, out, e);
    weights_close(w);
    return rc;
}

int weights_convert(const char *in, const char *out, struct err *e)
{
    struct weights *w = weights_open(in, NULL, e);
    if (w == NULL) {
        return -1;
    }
    int rc = weights_save(out, w->entries, w->count, w->meta, w->meta_count, e);
    weights_close(w);
    return rc;
}
