#ifndef NEPHRON_YAMLEDIT_H
#define NEPHRON_YAMLEDIT_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>

struct value;

/*
 * A YAML file after some of its values changed, as text in which all else stays as a person wrote it: comments, order, quotes,
 * blank lines, the form of numbers. What is added goes to the end of its map; a list that changes is written anew, one item a
 * line. A file whose changes cannot be told apart that way (flow style around a new key, shared nodes, several documents' worth of
 * tags) is written anew as a whole.
 *
 * `old`: the document as parsed from `text`; `now`: what it is to be. Both are maps.
 */
void yamledit(struct arena *a, struct str text, const struct value *old, const struct value *now,
              struct strbuf *out);

/* Equal in type, too: 1, 1.0 and true differ; maps with the same keys in any order. */
bool yamledit_same(const struct value *x, const struct value *y);

#endif
