/*
 * Tables as tabulate 0.9 draws them for DVC ("plain" and "github"): a column is as
 * wide as its widest cell and its header + 2; cells lose blanks at their ends; lines lose blanks at
 * the end.
 */
#include "table.h"

#include "alloc.h"
#include "num.h"

#include <math.h>
#include <stdio.h>

void table_init(struct table *t)
{
    *t = (struct table){0};
    arena_init(&t->arena);
}

void table_release(struct table *t)
{
    free(t->columns);
    free(t->cells);
    arena_release(&t->arena);
    *t = (struct table){0};
}

size_t table_column(struct table *t, const char *name)
{
    size_t old = t->column_count, rows = t->row_count;
    ARRAY_RESERVE(t->columns, t->column_count, t->column_capacity, 1);
    t->columns[t->column_count++] = arena_strdup(&t->arena, name);
    if (rows) {
        const char **cells = xcalloc(rows * t->column_count, sizeof(*cells));
        for (size_t i = 0; i < rows; i++) {
            memcpy(cells + i * t->column_count, t->cells + i * old, old * sizeof(*cells));
        }
        free(t->cells);
        t->cells = cells;
        t->cell_capacity = rows * t->column_count;
    }
    return old;
}

size_t table_row(struct table *t)
{
    size_t used = t->row_count * t->column_count;
    ARRAY_RESERVE(t->cells, used, t->cell_capacity, t->column_count);
    for (size_t i = 0; i < t->column_count; i++) {
        t->cells[used + i] = NULL;
    }
    return t->row_count++;
}

void table_set(struct table *t, size_t row, size_t column, const char *text)
{
    struct str s = str_trim(str_from(text));
    char *copy = NULL;
    if (text) {
        copy = arena_strndup(&t->arena, s.p, s.n);
        for (char *p = copy; *p; p++) {
            *p = *p == '\n' || *p == '\r' ? ' ' : *p; /* one row, one line */
        }
    }
    t->cells[row * t->column_count + column] = copy;
}

/* Python's round(v, digits): correctly rounded decimal, then the shortest text of that number. */
static double round_to(double v, int digits)
{
    char text[400];
    double rounded;
    if (!isfinite(v) || digits > 30) {
        return v;
    }
    snprintf(text, sizeof(text), "%.*f", digits, v);
    for (char *p = text; *p; p++) {
        *p = *p == ',' ? '.' : *p; /* a locale's comma */
    }
    return num_parse_double(str_from(text), &rounded) ? rounded : v;
}

void table_set_value(struct table *t, size_t row, size_t column, const struct value *v,
                     int precision)
{
    if (!v || v->type == VALUE_NULL) {
        table_set(t, row, column, "-");
        return;
    }
    struct strbuf b;
    strbuf_init(&b);
    if (v->type == VALUE_FLOAT && precision > 0) {
        struct value rounded = *v;
        rounded.f = round_to(v->f, precision);
        value_text(&b, &rounded);
    } else {
        value_text(&b, v);
    }
    table_set(t, row, column, b.p);
    strbuf_release(&b);
}

/* As table_set_value, in the form that `opt` asks for. */
static void set_number(struct table *t, size_t row, size_t column, const struct value *v,
                       const struct table_diff_options *opt)
{
    if (opt->significant && opt->precision > 0 && v && v->type == VALUE_FLOAT) {
        char text[64];
        snprintf(text, sizeof(text), "%.*g", opt->precision < 40 ? opt->precision : 40, v->f);
        table_set(t, row, column, text);
    } else {
        table_set_value(t, row, column, v, opt->precision);
    }
}

static const char *cell(const struct table *t, size_t row, size_t column)
{
    const char *text = t->cells[row * t->column_count + column];
    return text ? text : "-";
}

static void add_cell(struct strbuf *out, const char *text, size_t width)
{
    size_t n = str_utf8_length(str_from(text));
    strbuf_adds(out, text);
    strbuf_pad(out, ' ', width > n ? width - n : 0);
}

static void end_line(struct strbuf *out, size_t start)
{
    while (out->n > start && out->p[out->n - 1] == ' ') {
        strbuf_truncate(out, out->n - 1);
    }
    strbuf_addch(out, '\n');
}

/* row < 0: the headers. */
static void add_row(const struct table *t, const size_t *widths, long row, bool markdown,
                    struct strbuf *out)
{
    size_t start = out->n;
    for (size_t i = 0; i < t->column_count; i++) {
        strbuf_adds(out, markdown ? (i ? " | " : "| ") : i ? "  " : "");
        add_cell(out, row < 0 ? t->columns[i] : cell(t, (size_t)row, i), widths[i]);
    }
    strbuf_adds(out, markdown ? " |" : "");
    end_line(out, start);
}

static void add_rule(const struct table *t, const size_t *widths, struct strbuf *out)
{
    for (size_t i = 0; i < t->column_count; i++) {
        strbuf_addch(out, '|');
        strbuf_pad(out, '-', widths[i] + 2);
    }
    strbuf_adds(out, "|\n");
}

void table_render(const struct table *t, bool headers, bool markdown, struct strbuf *out)
{
    if (t->row_count == 0 && (!headers || t->column_count == 0)) {
        return;
    }
    size_t *widths = xcalloc(t->column_count + 1, sizeof(*widths));
    for (size_t i = 0; i < t->column_count; i++) {
        widths[i] = headers ? str_utf8_length(str_from(t->columns[i])) + 2 : 0;
        for (size_t k = 0; k < t->row_count; k++) {
            size_t n = str_utf8_length(str_from(cell(t, k, i)));
            widths[i] = n > widths[i] ? n : widths[i];
        }
    }
    if (headers) {
        add_row(t, widths, -1, markdown, out);
    }
    if (markdown) {
        add_rule(t, widths, out);
    }
    for (size_t k = 0; k < t->row_count; k++) {
        add_row(t, widths, (long)k, markdown, out);
    }
    strbuf_adds(out, markdown ? "\n" : "");
    free(widths);
}

/* --- DVC's tables ----------------------------------------------------------------------------- */

void table_diff(const struct value *diff, const struct table_diff_options *opt, struct strbuf *out)
{
    struct table t;
    table_init(&t);
    size_t path = opt->no_path ? SIZE_MAX : table_column(&t, "Path");
    size_t key = table_column(&t, opt->title), old = table_column(&t, opt->old_name),
           new = table_column(&t, opt->new_name);
    size_t change = opt->change ? table_column(&t, "Change") : SIZE_MAX;
    for (size_t i = 0; i < diff->map.count; i++) {
        const struct value *keys = diff->map.pairs[i].val;
        for (size_t k = 0; k < keys->map.count; k++) {
            const struct value *d = keys->map.pairs[k].val;
            size_t row = table_row(&t);
            if (path != SIZE_MAX) {
                table_set(&t, row, path, diff->map.pairs[i].key->s.p);
            }
            table_set(&t, row, key, keys->map.pairs[k].key->s.p);
            set_number(&t, row, old, value_get(d, "old"), opt);
            set_number(&t, row, new, value_get(d, "new"), opt);
            if (change != SIZE_MAX && opt->no_difference && !value_get(d, "diff")) {
                table_set(&t, row, change, opt->no_difference);
            } else if (change != SIZE_MAX) {
                set_number(&t, row, change, value_get(d, "diff"), opt);
            }
        }
    }
    if (t.row_count) {
        table_render(&t, true, opt->markdown, out);
    }
    table_release(&t);
}

static int compare_names(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

struct metric_rows {
    struct value *flat;  /* list of {rev, path, values} */
    struct value *names; /* set */
};

static void flatten(struct arena *a, const struct value *v, struct strbuf *prefix,
                    struct value *into)
{
    if (v->type != VALUE_MAP) {
        value_set(a, into, prefix->p, (struct value *)v);
        return;
    }
    size_t base = prefix->n;
    for (size_t i = 0; i < v->map.count; i++) {
        strbuf_adds(prefix, base ? "." : "");
        value_text(prefix, v->map.pairs[i].key);
        flatten(a, v->map.pairs[i].val, prefix, into);
        strbuf_truncate(prefix, base);
    }
}

void table_flatten(struct arena *a, const struct value *v, struct value *into)
{
    struct strbuf prefix;
    strbuf_init(&prefix);
    flatten(a, v, &prefix, into);
    strbuf_release(&prefix);
}

static void collect_metrics(struct arena *a, const struct value *result, struct metric_rows *rows)
{
    for (size_t i = 0; i < result->map.count; i++) {
        const struct value *files = value_get(result->map.pairs[i].val, "data");
        for (size_t k = 0; files && k < files->map.count; k++) {
            const struct value *data = value_get(files->map.pairs[k].val, "data");
            struct value *row = value_list(a), *values = value_map(a);
            value_push(a, row, result->map.pairs[i].key);
            value_push(a, row, files->map.pairs[k].key);
            value_push(a, row, values);
            if (data) {
                table_flatten(a, data, values);
            }
            for (size_t m = 0; m < values->map.count; m++) {
                value_set_key(a, rows->names, values->map.pairs[m].key, value_null(a));
            }
            value_push(a, rows->flat, row);
        }
    }
}

void table_metrics(const struct value *result, bool revisions, bool markdown, int precision,
                   struct strbuf *out)
{
    struct table t;
    table_init(&t);
    struct metric_rows rows = {value_list(&t.arena), value_map(&t.arena)};
    collect_metrics(&t.arena, result, &rows);
    size_t n = rows.names->map.count, first = revisions ? 2 : 1;
    const char **names = ARENA_ARRAY(&t.arena, n + 1, const char *);
    for (size_t i = 0; i < n; i++) {
        names[i] = rows.names->map.pairs[i].key->s.p;
    }
    if (n) {
        qsort(names, n, sizeof(*names), compare_names);
    }
    if (revisions) {
        table_column(&t, "Revision");
    }
    table_column(&t, "Path");
    for (size_t i = 0; i < n; i++) {
        table_column(&t, names[i]);
    }
    for (size_t i = 0; i < rows.flat->list.count; i++) {
        struct value *const *row = rows.flat->list.items[i]->list.items;
        size_t at = table_row(&t);
        if (revisions) {
            table_set(&t, at, 0, row[0]->s.p);
        }
        table_set(&t, at, first - 1, row[1]->s.p);
        for (size_t k = 0; k < n; k++) {
            const struct value *v = value_get(row[2], names[k]);
            if (v) {
                table_set_value(&t, at, first + k, v, precision);
            }
        }
    }
    if (t.row_count) {
        table_render(&t, true, markdown, out);
    }
    table_release(&t);
}
