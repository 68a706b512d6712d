#ifndef NEPHRON_EXPGRID_H
#define NEPHRON_EXPGRID_H

#include "value.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct exptable_options;

/* Cells of the table of `exp show`: columns are taken out again, then it is drawn (dvc/compare.py: TabularData). */

enum expgrid_kind { EXPGRID_HEADING, EXPGRID_METRIC, EXPGRID_PARAM, EXPGRID_DEP };

struct expgrid_column {
    const char *name;
    enum expgrid_kind kind;
    bool kept, dropped;
    const char **cells; /* one a row; borrowed texts */
    size_t capacity;
};

struct expgrid {
    struct arena *arena;
    struct expgrid_column *columns;
    size_t column_count, column_capacity, row_count;
    struct value *places; /* name -> column */
};

/* Borrows `a` (until expgrid_release). */
void expgrid_init(struct expgrid *g, struct arena *a);
void expgrid_release(struct expgrid *g);
/* Before the first row. A name that is there already is not added again. */
void expgrid_column(struct expgrid *g, const char *name, enum expgrid_kind kind);
/* A row of `fill`. */
void expgrid_row(struct expgrid *g, const char *fill);
/* In the last row; borrows the text. A column that is not there: nothing. */
void expgrid_set(struct expgrid *g, const char *column, const char *text);
/* Takes out what `opt` and emptiness say, and appends the table. ERR_USAGE for patterns that are none. */
int expgrid_render(struct expgrid *g, const struct exptable_options *opt, const char *fill,
                   struct strbuf *out, struct err *e);

#endif
