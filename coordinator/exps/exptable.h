#ifndef NEPHRON_EXPTABLE_H
#define NEPHRON_EXPTABLE_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct value;

/*
 * The table of `exp show`: a row a state (expstate.h), a column a metric, parameter and dependency.
 *
 *     Experiment rev typ Created parent State Executor <metrics> <params> <deps>
 *
 * A metric or parameter whose name stands in several files is called FILE:NAME. Source: DVC 3.67, dvc/repo/experiments/show.py and
 * dvc/commands/experiments/show.py.
 */

enum exptable_form { EXPTABLE_LINES, EXPTABLE_MARKDOWN, EXPTABLE_CSV };

struct exptable_options {
    enum exptable_form form;
    int precision;       /* significant digits of floats; 0: all */
    const char *sort_by; /* metric or parameter: NAME or FILE:NAME; NULL: none */
    bool descending;
    const char *const *keep,
        *const *drop; /* regular expressions for columns, from their first letter on */
    size_t keep_count, drop_count;
    bool only_changed;
    int64_t now_ms; /* what is of today has a time instead of a date */
    size_t
        max_width; /* EXPTABLE_LINES: columns that do not fit are left out, from the right; 0: no limit */
};

/* Appends. ERR_USAGE for --sort-by, and for patterns that are none. */
int exptable_render(const struct value *states, const struct exptable_options *opt,
                    struct strbuf *out, struct err *e);

#endif
