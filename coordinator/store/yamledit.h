#ifndef NEPHRON_YAMLEDIT_H
#define NEPHRON_YAMLEDIT_H

#include "str.h"

#include <stdbool.h>

struct arena;
struct err;
struct strbuf;
struct value;

/*
 * Makes a YAML text say what `want` says and changes no more than that: values that differ are
 * written in their place, keys that are gone lose their lines, new ones come at the end of their
 * map; comments (in their columns), order, quotes and indentation stay. What cannot be edited so
 * (keys of maps in flow style, anchors, text of several lines) is written anew, the smallest block around it; in the worst case the whole
 * file, in the order of `want`. Source of the rules: DVC 3.67, dvc/utils/collections.py:apply_diff.
 *
 * Appends to `out`. ERR_FORMAT, ERR_LIMIT as yaml_parse.
 */
int yamledit_apply(struct str text, const struct value *want, struct strbuf *out, struct err *e);

/* Equal in type, too: 1, 1.0 and true differ; maps with the same keys in any order. */
bool yamledit_same(const struct value *x, const struct value *y);

#endif
