#ifndef NEPHRON_PYPARAMS_H
#define NEPHRON_PYPARAMS_H

#include "value.h"

struct err;

/*
 * Parameters in a Python file, as far as DVC reads them: `name = literal` and `name: type =
 * literal` at the top level, in a class (a nested map) and, as `self.name = literal`, in a function
 * `__init__`. Literals: numbers, strings (with prefixes r, b, u, joined when adjacent), True,
 * False, None, lists, tuples and sets (lists here), dicts, and a sign before a number. Assignments
 * of anything else are skipped. Nothing is executed. Imports, loops and the like are passed over by
 * indentation.
 *
 * Errors: ERR_FORMAT "NAME:LINE: …" for brackets and strings that do not close. Limits: 16 MiB,
 * depth 64.
 */
struct value *pyparams_parse(struct arena *a, struct str text, const char *name, struct err *e);

#endif
