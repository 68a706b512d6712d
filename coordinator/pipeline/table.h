#ifndef NEPHRON_TABLE_H
#define NEPHRON_TABLE_H

#include "value.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Tables for people, as DVC prints them: columns aligned left and separated by two blanks, a header
 * row, "-" for what is absent; or GitHub's markdown form followed by an empty line. Width counts
 * code points.
 */

struct table {
    struct arena arena;
    /* Above: public. Below: private to table.c. */
    const char **columns;
    size_t column_count, column_capacity;
    const char **cells; /* row after row, NULL: absent */
    size_t row_count, cell_capacity;
};

void table_init(struct table *t);
void table_release(struct table *t);
/* Adds a column on the right; rows that exist have nothing in it. Returns its number. */
size_t table_column(struct table *t, const char *name);
size_t table_row(struct table *t);
/* Copies the text; NULL: absent. */
void table_set(struct table *t, size_t row, size_t column, const char *text);
/* A value as DVC formats it: floats rounded to `precision` digits after the point (Python's round;
 * 0: as they are). */
void table_set_value(struct table *t, size_t row, size_t column, const struct value *v,
                     int precision);
/* Without header rows when `headers` is false (stage list). Ends with a newline; nothing at all for
 * no rows and no headers. */
void table_render(const struct table *t, bool headers, bool markdown, struct strbuf *out);

struct table_diff_options {
    const char *title;    /* "Param" or "Metric" */
    const char *old_name; /* "HEAD" */
    const char *new_name; /* "workspace" */
    bool no_path, change; /* leave the Path column out; add the Change column */
    bool markdown;
    int precision;             /* 0: floats in full */
    bool significant;          /* precision counts significant digits, not those after the point */
    const char *no_difference; /* what Change has where nothing can be subtracted; NULL: "-" */
};
/* `diff` as params_diff returns it. */
void table_diff(const struct value *diff, const struct table_diff_options *opt, struct strbuf *out);
/* Adds to a map: nested maps with dotted keys, all else as it is, under "" when `v` is no map. */
void table_flatten(struct arena *a, const struct value *v, struct value *into);
/* `result` as valuefiles.h describes it. revisions: show the Revision column. */
void table_metrics(const struct value *result, bool revisions, bool markdown, int precision,
                   struct strbuf *out);

#endif
