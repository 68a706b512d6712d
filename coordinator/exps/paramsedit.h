#ifndef NEPHRON_PARAMSEDIT_H
#define NEPHRON_PARAMSEDIT_H

#include "arena.h"
#include "str.h"

struct err;
struct value;

/*
 * A parameters file after overrides (override.h), as text; its kind goes by its extension: YAML with comments and style kept,
 * JSON in one line as DVC writes it, TOML and Python by the lines of the values that change. ERR_FORMAT for a file that cannot be
 * read, ERR_USAGE for an override that does not fit, or that would change more of a TOML or Python file than a value.
 */

/* `shown`: the file as typed. `text`: empty for a file that is not there. `overrides`: list of texts. Appends to *out. */
int paramsedit(struct arena *a, const char *shown, struct str text, const struct value *overrides,
               struct strbuf *out, struct err *e);

#endif
