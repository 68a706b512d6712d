/* Templates and what fills them; see plotspec.h. The anchors and their contents are those of DVC's
 * renderer (dvc-render 1.0, vega.py), the built-in templates are our own. */
#include "plotspec.h"

#include "err.h"
#include "json.h"
#include "plots.h"
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- built-in templates ---- */

/* The templates are YAML, the shorter way to write JSON in C. */
#define HEAD                                                                                       \
    "$schema: https://vega.github.io/schema/vega-lite/v5.json\n"                                   \
    "data: {values: <DVC_METRIC_DATA>}\n"                                                          \
    "title: {text: <DVC_METRIC_TITLE>, anchor: middle}\n"
#define SIZE "width: <DVC_METRIC_PLOT_WIDTH>, height: <DVC_METRIC_PLOT_HEIGHT>"
#define SIZED "width: <DVC_METRIC_PLOT_WIDTH>\nheight: <DVC_METRIC_PLOT_HEIGHT>\n"
#define ZOOM "params: [<DVC_METRIC_ZOOM_AND_PAN>]\n"
#define X(rest) "x: {field: <DVC_METRIC_X>, title: <DVC_METRIC_X_LABEL>" rest "}"
#define Y(rest) "y: {field: <DVC_METRIC_Y>, title: <DVC_METRIC_Y_LABEL>" rest "}"
#define NUMBER ", type: quantitative"
#define FREE NUMBER ", scale: {zero: false}"
#define CLASS ", type: nominal, sort: ascending"
#define BY_REV "color: {field: rev, type: nominal}"

/* The formatter would indent each line by where the macro before it ended. */
/* clang-format off */
static const char line[] =
    HEAD SIZED ZOOM
    "mark: {type: line, tooltip: {content: data}}\n"
    "encoding:\n"
    "  " X(NUMBER) "\n"
    "  " Y(FREE) "\n"
    "  color: <DVC_METRIC_COLOR>\n"
    "  strokeDash: <DVC_METRIC_STROKE_DASH>\n"
    "  tooltip: <DVC_METRIC_TOOLTIP>\n";

/* A smoothed line over the pale one of the data, the last point marked, a rule under the pointer. */
static const char smooth[] =
    HEAD SIZED
    "params:\n"
    "- {name: smooth, value: 0.001, bind: {input: range, min: 0.001, max: 1, step: 0.001}}\n"
    "encoding:\n"
    "  " X(NUMBER) "\n"
    "  color: <DVC_METRIC_COLOR>\n"
    "  strokeDash: <DVC_METRIC_STROKE_DASH>\n"
    "layer:\n"
    "- transform:\n"
    "  - loess: <DVC_METRIC_Y>\n"
    "    on: <DVC_METRIC_X>\n"
    "    groupby: <DVC_METRIC_GROUP_BY>\n"
    "    bandwidth: {signal: smooth}\n"
    "  encoding: {" Y(FREE) ", " BY_REV "}\n"
    "  layer:\n"
    "  - {params: [<DVC_METRIC_ZOOM_AND_PAN>], mark: line}\n"
    "  - {transform: [{filter: {param: hover, empty: false}}], mark: point}\n"
    "- mark: {type: line, opacity: 0.2}\n"
    "  encoding: {" X(NUMBER) ", " Y(FREE) ", " BY_REV "}\n"
    "- mark: {type: circle, size: 10}\n"
    "  encoding:\n"
    "    " X(NUMBER ", aggregate: max") "\n"
    "    " Y(FREE ", aggregate: {argmax: <DVC_METRIC_X>}") "\n"
    "    " BY_REV "\n"
    "- transform:\n"
    "  - {calculate: <DVC_METRIC_PIVOT_FIELD>, as: pivot_field}\n"
    "  - {pivot: pivot_field, op: mean, value: <DVC_METRIC_Y>, groupby: [<DVC_METRIC_X>]}\n"
    "  mark: {type: rule, tooltip: {content: data}, stroke: grey}\n"
    "  encoding:\n"
    "    opacity: {condition: {param: hover, empty: false, value: 0.3}, value: 0}\n"
    "  params:\n"
    "  - name: hover\n"
    "    select:\n"
    "      {type: point, fields: [<DVC_METRIC_X>], nearest: true, on: mouseover, clear: mouseout}\n";

#define POINTS(axis)                                                                               \
    "mark: {type: point, tooltip: {content: data}}\n"                                              \
    "encoding:\n"                                                                                  \
    "  " X(axis) "\n"                                                                              \
    "  " Y(axis) "\n"                                                                              \
    "  color: <DVC_METRIC_COLOR>\n"                                                                \
    "  shape: <DVC_METRIC_SHAPE>\n"                                                                \
    "  tooltip: <DVC_METRIC_TOOLTIP>\n"
static const char scatter[] =
    HEAD SIZED ZOOM POINTS(NUMBER);
static const char jitter[] =
    HEAD SIZED
    "transform:\n"
    "- {calculate: random(), as: randomX}\n"
    "- {calculate: random(), as: randomY}\n"
    POINTS("")
    "  xOffset: {field: randomX, type: quantitative}\n"
    "  yOffset: {field: randomY, type: quantitative}\n";

#define BARS(sort)                                                                                 \
    "mark: {type: bar}\n"                                                                          \
    "encoding:\n"                                                                                  \
    "  " X(FREE) "\n"                                                                              \
    "  " Y(", type: nominal" sort) "\n"                                                            \
    "  yOffset: {field: rev, sort: []}\n"                                                          \
    "  color: <DVC_METRIC_COLOR>\n"                                                                \
    "  column: <DVC_METRIC_COLUMN>\n"
static const char bars[] =
    HEAD SIZED ZOOM BARS("");
static const char bars_sorted[] =
    HEAD SIZED ZOOM BARS(", sort: -x");

/* Cells are counted, pairs that never occur are 0; one matrix a revision. */
#define COUNT                                                                                      \
    "facet: {column: {field: rev, sort: []}, row: <DVC_METRIC_ROW>}\n"                             \
    "spec:\n"                                                                                      \
    "  encoding: {" X(CLASS) ", " Y(CLASS) "}\n"                                                   \
    "  transform:\n"                                                                               \
    "  - aggregate: [{op: count, as: xy_count}]\n"                                                 \
    "    groupby: [<DVC_METRIC_Y>, <DVC_METRIC_X>]\n"                                              \
    "  - {impute: xy_count, groupby: <DVC_METRIC_GROUP_BY_Y>, key: <DVC_METRIC_X>, value: 0}\n"    \
    "  - {impute: xy_count, groupby: <DVC_METRIC_GROUP_BY_X>, key: <DVC_METRIC_Y>, value: 0}\n"
#define TIP(shade)                                                                                 \
    "tooltip: [{field: <DVC_METRIC_X>, type: nominal}, {field: <DVC_METRIC_Y>, type: nominal}, "   \
    "{field: " shade NUMBER "}]"
#define INK "color: {condition: {test: datum.part > 0.5, value: white}, value: black}"
static const char confusion[] =
    HEAD
    "params: [{name: showValues, bind: {input: checkbox}}]\n"
    COUNT
    "  - {joinaggregate: [{op: max, field: xy_count, as: max_count}], groupby: []}\n"
    "  - {calculate: datum.xy_count / datum.max_count, as: part}\n"
    "  layer:\n"
    "  - {mark: rect, " SIZE ", encoding: {color: {field: xy_count" NUMBER
    ", title: '', scale: {domainMin: 0, nice: true}}, " TIP("xy_count") "}}\n"
    "  - mark: text\n"
    "    encoding:\n"
    "      text: {condition: {param: showValues, field: xy_count" NUMBER "}}\n"
    "      " INK "\n";
static const char confusion_normalized[] =
    HEAD COUNT
    "  - {joinaggregate: [{op: sum, field: xy_count, as: sum_y}], groupby: [rev, <DVC_METRIC_Y>]}\n"
    "  - {calculate: datum.xy_count / datum.sum_y, as: part}\n"
    "  layer:\n"
    "  - {mark: rect, " SIZE ", encoding: {color: {field: part" NUMBER
    ", title: '', scale: {domain: [0, 1]}}, " TIP("part") "}}\n"
    "  - mark: text\n"
    "    encoding:\n"
    "      text: {field: part" NUMBER ", format: .2f}\n"
    "      " INK "\n";
/* clang-format on */

static const struct {
    const char *name, *text;
} builtin[] = {
    {"simple", line},         {"linear", smooth},
    {"confusion", confusion}, {"confusion_normalized", confusion_normalized},
    {"scatter", scatter},     {"scatter_jitter", jitter},
    {"smooth", smooth},       {"bar_horizontal_sorted", bars_sorted},
    {"bar_horizontal", bars},
};
enum { BUILTIN = sizeof(builtin) / sizeof(builtin[0]) };

const char *plotspec_name(size_t i)
{
    return i < BUILTIN ? builtin[i].name : NULL;
}

struct value *plotspec_template(struct arena *a, const char *name)
{
    for (size_t i = 0; i < BUILTIN; i++) {
        if (strcmp(builtin[i].name, name) == 0) {
            return yaml_parse(a, str_from(builtin[i].text), NULL, NULL);
        }
    }
    return NULL;
}

/* ---- anchors ---- */

static bool has_anchor(const struct value *v, const char *anchor)
{
    bool found = v->type == VALUE_STR && strcmp(v->s.p, anchor) == 0;
    for (size_t i = 0; !found && v->type == VALUE_MAP && i < v->map.count; i++) {
        found = has_anchor(v->map.pairs[i].val, anchor);
    }
    for (size_t i = 0; !found && v->type == VALUE_LIST && i < v->list.count; i++) {
        found = has_anchor(v->list.items[i], anchor);
    }
    return found;
}

/* The text with the anchor replaced wherever it stands. */
static struct value *replace_text(struct arena *a, struct value *v, const char *anchor,
                                  const char *with)
{
    struct strbuf out;
    const char *p = v->s.p, *hit;
    strbuf_init(&out);
    for (; (hit = strstr(p, anchor)) != NULL; p = hit + strlen(anchor)) {
        strbuf_add(&out, p, (size_t)(hit - p));
        strbuf_adds(&out, with);
    }
    strbuf_adds(&out, p);
    struct value *done = value_str(a, strbuf_str(&out));
    strbuf_release(&out);
    return done;
}

/* `v` with the anchor filled; in place, but for `v` itself. */
static struct value *replace(struct arena *a, struct value *v, const char *anchor,
                             struct value *with)
{
    if (v->type == VALUE_STR && strcmp(v->s.p, anchor) == 0) {
        return with;
    }
    if (v->type == VALUE_STR && with->type == VALUE_STR && strstr(v->s.p, anchor)) {
        return replace_text(a, v, anchor, with->s.p);
    }
    for (size_t i = 0; v->type == VALUE_MAP && i < v->map.count; i++) {
        v->map.pairs[i].val = replace(a, v->map.pairs[i].val, anchor, with);
    }
    for (size_t i = 0; v->type == VALUE_LIST && i < v->list.count; i++) {
        v->list.items[i] = replace(a, v->list.items[i], anchor, with);
    }
    return v;
}

/* What differs from plot to plot, kept apart by --split. */
static bool is_split(const char *name)
{
    static const char *const names[] = {"COLOR",   "DATA",        "PLOT_HEIGHT", "PLOT_WIDTH",
                                        "SHAPE",   "STROKE_DASH", "TITLE",       "TOOLTIP",
                                        "X_LABEL", "Y_LABEL",     "ZOOM_AND_PAN"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

struct filler {
    struct arena *a;
    struct value *content;
    struct value *anchors; /* NULL: nothing is split off */
};

static void fill(struct filler *f, const char *name, struct value *with)
{
    const char *anchor = arena_printf(f->a, "<DVC_METRIC_%s>", name);
    if (!has_anchor(f->content, anchor) && with->type != VALUE_STR) {
        return;
    }
    if (f->anchors && is_split(name)) {
        value_set(f->a, f->anchors, anchor, with);
        return;
    }
    f->content = replace(f->a, f->content, anchor, with);
}

/* A document of our own making, printf-like. */
static struct value *parsed(struct arena *a, const char *text)
{
    return json_parse(a, str_from(text), "plot", NULL);
}

/* ---- encodings ---- */

const char *plotspec_colour(size_t i)
{
    static const char *const colours[] = {"#945dd6", "#13adc7", "#f46837", "#48bb78",
                                          "#4299e1", "#ed8936", "#f56565"};
    return colours[i % (sizeof(colours) / sizeof(colours[0]))];
}

static struct value *encoding(struct arena *a, const char *field, struct value *domain,
                              struct value *range)
{
    struct value *v = value_map(a), *scale = value_map(a);
    value_set(a, scale, "domain", domain);
    value_set(a, scale, "range", range);
    value_set(a, v, "field", value_cstr(a, field));
    value_set(a, v, "scale", scale);
    return v;
}

static struct value *colours_of(struct arena *a, struct value *revs)
{
    struct value *range = value_list(a);
    for (size_t i = 0; i < revs->list.count; i++) {
        value_push(a, range, value_cstr(a, plotspec_colour(i)));
    }
    return encoding(a, "rev", revs, range);
}

/* Dashes or shapes by series, their legend drawn hollow. */
static struct value *marks_of(struct arena *a, const char *field, struct value *domain,
                              const char *choices)
{
    struct value *all = parsed(a, choices), *range = value_list(a);
    for (size_t i = 0; i < domain->list.count; i++) {
        value_push(a, range, all->list.items[i % all->list.count]);
    }
    struct value *v = encoding(a, field, domain, range);
    value_set(a, v, "legend",
              parsed(a, "{\"symbolFillColor\":\"transparent\",\"symbolStrokeColor\":\"grey\"}"));
    return v;
}

static struct value *names_list(struct arena *a, const char *const *names)
{
    struct value *list = value_list(a);
    for (; *names; names++) {
        value_push(a, list, value_cstr(a, *names));
    }
    return list;
}

/* {"field": …} for each of the names. */
static struct value *tooltip_of(struct arena *a, const char *const *names)
{
    struct value *list = value_list(a);
    for (; *names; names++) {
        struct value *one = value_map(a);
        value_set(a, one, "field", value_cstr(a, *names));
        value_push(a, list, one);
    }
    return list;
}

/* ---- series ---- */

static bool varies(const struct value *series, const char *key)
{
    for (size_t i = 1; i < series->list.count; i++) {
        if (!value_eq(value_get(series->list.items[i], key),
                      value_get(series->list.items[0], key))) {
            return true;
        }
    }
    return false;
}

const char *plotspec_series_field(const struct plot *plot)
{
    bool file = plot->series && varies(plot->series, "filename");
    bool field = plot->series && varies(plot->series, "field");
    return file && field ? "filename::field" : file ? "filename" : field ? "field" : NULL;
}

static const char *series_name(struct arena *a, const struct value *s, const char *by)
{
    if (strcmp(by, "filename::field") != 0) {
        return value_as_str(value_get(s, by)).p;
    }
    return arena_printf(a, "%s::%s", value_as_str(value_get(s, "filename")).p,
                        value_as_str(value_get(s, "field")).p);
}

struct value *plotspec_domain(struct arena *a, const struct plot *plot, const char *by)
{
    struct value *domain = value_list(a), *seen = value_map(a);
    for (size_t i = 0; i < plot->series->list.count; i++) {
        const char *name = series_name(a, plot->series->list.items[i], by);
        if (!value_get(seen, name)) {
            value_set(a, seen, name, value_null(a));
            value_push(a, domain, value_cstr(a, name));
        }
    }
    plots_sort(domain);
    return domain;
}

static void fill_series(struct filler *f, struct plot *plot, const char *by)
{
    struct arena *a = f->a;
    struct value *domain = plotspec_domain(a, plot, by), *facet = value_map(a);
    bool two = strcmp(by, "filename::field") == 0;
    value_set(a, facet, "field", value_cstr(a, by));
    value_set(a, facet, "sort", value_list(a));
    fill(f, "PIVOT_FIELD",
         value_cstr(a, two ? "datum.rev + '::' + datum.filename + '::' + datum.field"
                           : arena_printf(a, "datum.rev + '::' + datum.%s", by)));
    fill(f, "ROW", facet);
    fill(f, "COLUMN", facet);
    fill(f, "STROKE_DASH", marks_of(a, by, domain, "[[1,0],[8,8],[8,4],[4,4],[4,2],[2,1],[1,1]]"));
    fill(f, "SHAPE", marks_of(a, by, domain, "[\"circle\",\"square\",\"triangle\",\"diamond\"]"));
}

static bool has_optional(const struct value *content)
{
    static const char *const names[] = {"COLOR",        "COLUMN",      "GROUP_BY_X",  "GROUP_BY_Y",
                                        "GROUP_BY",     "PIVOT_FIELD", "PLOT_HEIGHT", "PLOT_WIDTH",
                                        "ROW",          "SHAPE",       "STROKE_DASH", "TOOLTIP",
                                        "ZOOM_AND_PAN", NULL};
    for (size_t i = 0; names[i]; i++) {
        char anchor[64];
        snprintf(anchor, sizeof(anchor), "<DVC_METRIC_%s>", names[i]);
        if (has_anchor(content, anchor)) {
            return true;
        }
    }
    return false;
}

static void fill_optional(struct filler *f, struct plot *plot, const char *by)
{
    struct arena *a = f->a;
    const char *x = value_as_str(value_get(plot->props, "x")).p;
    const char *y = value_as_str(value_get(plot->props, "y")).p;
    const char *end = by; /* NULL ends the lists one earlier */
    fill(f, "COLOR", colours_of(a, plot->revs));
    fill(f, "ZOOM_AND_PAN",
         parsed(a, "{\"name\":\"grid\",\"select\":\"interval\",\"bind\":\"scales\"}"));
    fill(f, "PLOT_HEIGHT", value_int(a, 300));
    fill(f, "PLOT_WIDTH", value_int(a, 300));
    fill(f, "GROUP_BY", names_list(a, (const char *[]){"rev", end, NULL}));
    fill(f, "GROUP_BY_X",
         names_list(a,
                    by ? (const char *[]){"rev", by, x, NULL} : (const char *[]){"rev", x, NULL}));
    fill(f, "GROUP_BY_Y",
         names_list(a,
                    by ? (const char *[]){"rev", by, y, NULL} : (const char *[]){"rev", y, NULL}));
    fill(f, "TOOLTIP", tooltip_of(a, (const char *[]){"rev", x, y, end, NULL}));
    if (by) {
        fill_series(f, plot, by);
        return;
    }
    static const char *const unused[] = {"COLUMN", "ROW", "SHAPE", "STROKE_DASH"};
    fill(f, "PIVOT_FIELD", value_cstr(a, "datum.rev"));
    for (size_t i = 0; i < sizeof(unused) / sizeof(unused[0]); i++) {
        const char *anchor = arena_printf(a, "<DVC_METRIC_%s>", unused[i]);
        f->content = replace(a, f->content, anchor, value_map(a));
    }
}

void plotspec_name_series(struct arena *a, struct plot *plot)
{
    const char *by = plotspec_series_field(plot);
    bool two = by && strcmp(by, "filename::field") == 0;
    for (size_t i = 0; i < plot->points->list.count; i++) {
        struct value *row = plot->points->list.items[i];
        if (two && value_get(row, "field")) {
            value_set(a, row, by, value_cstr(a, series_name(a, row, by)));
        }
        if (!by || two || strcmp(by, "field") == 0) {
            value_remove(row, "filename");
        }
        if (!by || two || strcmp(by, "filename") == 0) {
            value_remove(row, "field");
        }
    }
}

/* Vega reads dots and brackets in names of fields as paths. */
static struct value *escaped(struct arena *a, const char *name)
{
    struct strbuf out;
    strbuf_init(&out);
    for (; *name; name++) {
        if (strchr(".[]", *name)) {
            strbuf_addch(&out, '\\');
        }
        strbuf_addch(&out, *name);
    }
    struct value *v = value_str(a, strbuf_str(&out));
    strbuf_release(&out);
    return v;
}

struct value *plotspec_fill(struct arena *a, const struct value *content, struct plot *plot,
                            struct value **anchors, struct err *e)
{
    static const char *const texts[][2] = {
        {"TITLE", "title"}, {"X_LABEL", "x_label"}, {"Y_LABEL", "y_label"}};
    struct filler f = {.a = a, .content = value_copy(a, content)};
    const char *by = plotspec_series_field(plot);
    if (!has_anchor(content, "<DVC_METRIC_DATA>")) {
        err_set(e, ERR_FORMAT, "template of plot '%s' is not using '<DVC_METRIC_DATA>' anchor",
                plot->name);
        return NULL;
    }
    if (anchors) {
        *anchors = f.anchors = value_map(a);
    }
    if (has_optional(content)) {
        fill_optional(&f, plot, by);
        plotspec_name_series(a, plot);
    }
    for (size_t i = 0; i < 3; i++) {
        struct value *v = value_get(plot->props, texts[i][1]);
        if (v) {
            fill(&f, texts[i][0], v);
        }
    }
    fill(&f, "X", escaped(a, value_as_str(value_get(plot->props, "x")).p));
    fill(&f, "Y", escaped(a, value_as_str(value_get(plot->props, "y")).p));
    fill(&f, "DATA", plot->points);
    return f.content;
}
