/* From documents of any shape to rows with x and y; see plots_private.h. Source: DVC 3.67,
 * dvc/render/converter/vega.py. */
#include "plots_private.h"

#include "path.h"

#include <string.h>

#define INDEX "step" /* the x of rows that have none: their number */
#define INFERRED_X "dvc_inferred_x_value"
#define INFERRED_Y "dvc_inferred_y_value"

static struct value *error_value(struct arena *a, const char *type, const char *msg)
{
    struct value *v = value_map(a);
    value_set(a, v, "type", value_cstr(a, type));
    value_set(a, v, "msg", value_cstr(a, msg));
    return v;
}

/* ---- rows of a document ---- */

static bool all_maps(const struct value *list)
{
    for (size_t i = 0; i < list->list.count; i++) {
        if (list->list.items[i]->type != VALUE_MAP) {
            return false;
        }
    }
    return list->list.count > 0;
}

/* Every row has the fields of the first one, no others. */
static bool same_fields(struct arena *a, const struct value *list)
{
    const struct value *first = list->list.items[0];
    for (size_t i = 1; i < list->list.count; i++) {
        const struct value *row = list->list.items[i];
        for (size_t k = 0; k < row->map.count; k++) {
            if (!value_get(first, plots_text(a, row->map.pairs[k].key))) {
                return false;
            }
        }
    }
    return true;
}

/* Lists of maps below `doc` become the columns of one table. */
static void add_rows(struct arena *a, const struct value *doc, struct value *rows)
{
    if (doc->type == VALUE_MAP) {
        for (size_t i = 0; i < doc->map.count; i++) {
            add_rows(a, doc->map.pairs[i].val, rows);
        }
    }
    if (doc->type != VALUE_LIST || !all_maps(doc) || !same_fields(a, doc)) {
        return;
    }
    for (size_t i = 0; i < doc->list.count; i++) {
        const struct value *row = doc->list.items[i];
        if (rows->list.count <= i) {
            value_push(a, rows, value_map(a));
        }
        for (size_t k = 0; k < row->map.count; k++) {
            value_set_key(a, rows->list.items[i], row->map.pairs[k].key, row->map.pairs[k].val);
        }
    }
}

/* The last field of the first list of maps: what is drawn when nothing is said. */
static const struct value *last_field(const struct value *doc)
{
    const struct value *found = NULL;
    if (doc && doc->type == VALUE_LIST && all_maps(doc) && doc->list.items[0]->map.count > 0) {
        const struct value *row = doc->list.items[0];
        return row->map.pairs[row->map.count - 1].key;
    }
    for (size_t i = 0; !found && doc && doc->type == VALUE_MAP && i < doc->map.count; i++) {
        found = last_field(doc->map.pairs[i].val);
    }
    return found;
}

/* ---- axes ---- */

struct axis {
    const char **files, **fields;
    size_t count;
};

static void axis_add(struct axis *x, const char *file, const struct value *field)
{
    if (field->type == VALUE_STR) {
        x->files[x->count] = file;
        x->fields[x->count++] = field->s.p;
    }
}

/* The pairs (file, field) of {"file": field or fields}. */
static struct axis axis_of(struct arena *a, const struct value *def)
{
    struct axis x = {0};
    size_t room = 0, pairs = def && def->type == VALUE_MAP ? def->map.count : 0;
    for (size_t i = 0; i < pairs; i++) {
        const struct value *v = def->map.pairs[i].val;
        room += v->type == VALUE_LIST ? v->list.count : 1;
    }
    x.files = ARENA_ARRAY(a, room + 1, const char *);
    x.fields = ARENA_ARRAY(a, room + 1, const char *);
    for (size_t i = 0; i < pairs; i++) {
        const char *file = plots_text(a, def->map.pairs[i].key);
        const struct value *v = def->map.pairs[i].val;
        for (size_t k = 0; v->type == VALUE_LIST && k < v->list.count; k++) {
            axis_add(&x, file, v->list.items[k]);
        }
        axis_add(&x, file, v);
    }
    return x;
}

static bool one_field(const struct axis *x)
{
    for (size_t i = 1; i < x->count; i++) {
        if (strcmp(x->fields[i], x->fields[0]) != 0) {
            return false;
        }
    }
    return x->count > 0;
}

static struct value *check_axis(struct arena *a, const struct axis *x, const struct value *tables)
{
    for (size_t i = 0; i < x->count; i++) {
        const struct value *rows = value_get(tables, x->files[i]);
        if (!rows || rows->list.count == 0 || value_get(rows->list.items[0], x->fields[i])) {
            continue;
        }
        struct strbuf msg;
        strbuf_init(&msg);
        strbuf_addf(&msg, "Could not find provided field ('%s') in data fields ('", x->fields[i]);
        const struct value *row = rows->list.items[0];
        for (size_t k = 0; k < row->map.count; k++) {
            strbuf_adds(&msg, k ? ", " : "");
            value_text(&msg, row->map.pairs[k].key);
        }
        strbuf_adds(&msg, "').");
        struct value *error = error_value(a, "FieldNotFoundError", msg.p);
        strbuf_release(&msg);
        return error;
    }
    return NULL;
}

/* x and y as maps of files where that can be told. */
static void infer_axes(struct arena *a, const char *id, struct value *props,
                       const struct value *data)
{
    struct value *x = value_get(props, "x"), *y = value_get(props, "y"), *map = value_map(a);
    if (x && x->type == VALUE_STR) {
        for (size_t i = 0; y && y->type == VALUE_MAP && i < y->map.count; i++) {
            const struct value *fields = y->map.pairs[i].val;
            struct value *each = value_list(a);
            for (size_t k = 0; fields->type == VALUE_LIST && k < fields->list.count; k++) {
                value_push(a, each, x);
            }
            value_set_key(a, map, y->map.pairs[i].key, fields->type == VALUE_LIST ? each : x);
        }
        if (!y || y->type != VALUE_MAP) {
            value_set(a, map, id, x);
        }
        value_set(a, props, "x", map);
    }
    if (!y) {
        y = (struct value *)last_field(value_get(data, id));
    }
    if (y && y->type != VALUE_MAP) {
        map = value_map(a);
        value_set(a, map, id, y);
        value_set(a, props, "y", map);
    }
}

static void infer_label(struct arena *a, struct value *props, const char *key, const struct axis *x,
                        const char *none, const char *many)
{
    if (!value_get(props, key)) {
        const char *text = x->count == 0 ? none : one_field(x) ? x->fields[0] : many;
        value_set(a, props, key, value_cstr(a, text));
    }
}

/* ---- rows of a revision ---- */

/* How much of the front all files share, in whole components. */
static size_t common_prefix(const struct axis *y)
{
    size_t n = 0;
    bool several = false;
    const char *first = y->count ? y->files[0] : "";
    for (size_t i = 1; i < y->count; i++) {
        several = several || strcmp(y->files[i], first) != 0;
    }
    for (size_t at = 0; several && first[at]; at++) {
        if (first[at] != '/') {
            continue;
        }
        for (size_t i = 1; i < y->count; i++) {
            if (strncmp(y->files[i], first, at + 1) != 0) {
                return n;
            }
        }
        n = at;
    }
    return n;
}

static const char *short_name(const char *file, size_t prefix)
{
    file += prefix;
    while (*file == '/') {
        file++;
    }
    return file;
}

static struct value *join_x(struct arena *a, struct value *rows, const struct value *tables,
                            const char *x_file, const char *x_field, const char *as,
                            const char *y_file, const char *y_field)
{
    const struct value *from = x_file ? value_get(tables, x_file) : NULL;
    if (x_file && (from ? from->list.count : 0) != rows->list.count) {
        return error_value(a, "DvcException",
                           arena_printf(a,
                                        "Cannot join '%s' from '%s' and '%s' from '%s'. They have "
                                        "to have same length.",
                                        x_field, x_file, y_field, y_file));
    }
    for (size_t i = 0; i < rows->list.count; i++) {
        struct value *v =
            x_file ? value_get(from->list.items[i], x_field) : value_int(a, (int64_t)i);
        if (v) {
            value_set(a, rows->list.items[i], as, v);
        }
    }
    return NULL;
}

static struct value *copy_rows(struct arena *a, const struct value *rows)
{
    struct value *copy = value_list(a);
    for (size_t i = 0; rows && i < rows->list.count; i++) {
        const struct value *row = rows->list.items[i];
        struct value *to = value_map(a);
        for (size_t k = 0; k < row->map.count; k++) {
            value_append(a, to, row->map.pairs[k].key, row->map.pairs[k].val);
        }
        value_push(a, copy, to);
    }
    return copy;
}

struct maker {
    const char *rev;
    const struct value *tables;
    struct axis x, y;
    bool many_x, many_y; /* several names of fields: one new name for all */
    size_t prefix;
};

/* The rows of the i-th series. */
static struct value *add_series(struct arena *a, const struct maker *m, size_t i,
                                struct plotpoints *out)
{
    const char *file = m->y.files[i], *field = m->y.fields[i];
    struct value *rows = copy_rows(a, value_get(m->tables, file));
    size_t xi = m->x.count > 1 ? i : 0;
    const char *x_file = m->x.count ? m->x.files[xi] : NULL;
    const char *x_field = m->x.count ? m->x.fields[xi] : INDEX;
    for (size_t k = 0; m->many_y && k < rows->list.count; k++) {
        struct value *v = value_get(rows->list.items[k], field);
        if (v) {
            value_set(a, rows->list.items[k], INFERRED_Y, v);
        }
    }
    struct value *error =
        join_x(a, rows, m->tables, x_file, x_field, m->many_x ? INFERRED_X : x_field, file, field);
    struct value *series = value_map(a);
    value_set(a, series, "filename", value_cstr(a, short_name(file, m->prefix)));
    value_set(a, series, "field", value_cstr(a, field));
    value_push(a, out->series, series);
    for (size_t k = 0; k < rows->list.count; k++) {
        struct value *row = rows->list.items[k];
        value_set(a, row, "rev", value_cstr(a, m->rev));
        value_set(a, row, "filename", value_get(series, "filename"));
        value_set(a, row, "field", value_get(series, "field"));
        value_push(a, out->points, row);
    }
    return error;
}

struct value *plotpoints_make(struct arena *a, const char *id, const char *rev,
                              const struct value *given, const struct value *data,
                              struct plotpoints *out)
{
    struct value *props = value_map(a), *tables = value_map(a), *error;
    for (size_t i = 0; i < given->map.count; i++) {
        value_append(a, props, given->map.pairs[i].key, given->map.pairs[i].val);
    }
    for (size_t i = 0; i < data->map.count; i++) {
        struct value *rows = value_list(a);
        add_rows(a, data->map.pairs[i].val, rows);
        value_set_key(a, tables, data->map.pairs[i].key, rows);
    }
    infer_axes(a, id, props, data);
    *out = (struct plotpoints){
        .points = value_list(a), .series = value_list(a), .props = value_map(a)};
    struct maker m = {.rev = rev, .tables = tables};
    m.x = axis_of(a, value_get(props, "x"));
    m.y = axis_of(a, value_get(props, "y"));
    if ((error = check_axis(a, &m.x, tables)) || (error = check_axis(a, &m.y, tables))) {
        return error;
    }
    if (m.x.count > 1 && m.x.count != m.y.count) {
        return error_value(
            a, "DvcException",
            arena_printf(a,
                         "Cannot have different number of x and y data sources. Found "
                         "%zu x and %zu y data sources.",
                         m.x.count, m.y.count));
    }
    m.many_x = m.x.count > 1 && !one_field(&m.x);
    m.many_y = m.y.count > 1 && !one_field(&m.y);
    m.prefix = common_prefix(&m.y);
    for (size_t i = 0; i < m.y.count; i++) {
        if ((error = add_series(a, &m, i, out)) != NULL) {
            return error;
        }
    }
    if (out->points->list.count == 0) {
        return NULL;
    }
    infer_label(a, props, "x_label", &m.x, INDEX, "x");
    infer_label(a, props, "y_label", &m.y, "y", "y");
    value_set(a, props, "x",
              value_cstr(a, m.many_x    ? INFERRED_X
                            : m.x.count ? m.x.fields[0]
                                        : INDEX));
    value_set(a, props, "y", value_cstr(a, m.many_y ? INFERRED_Y : m.y.fields[0]));
    out->props = props;
    return NULL;
}
