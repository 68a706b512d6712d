#ifndef NEPHRON_OVERRIDE_PRIVATE_H
#define NEPHRON_OVERRIDE_PRIVATE_H

#include "override.h"

/* Between override.c, which reads, override_call.c, which knows the functions, and hydrainterp.c: the arguments of ${name:…} have
 * the tokens of override values. */

/* An element, or a sweep on its way to be one. */
struct override_term {
    enum override_type type;
    struct value *value;
    bool simple, shuffled;
};

struct override_args {
    struct override_term *items; /* positional ones first */
    const char **names;          /* NULL: positional */
    size_t count;
};

enum override_token {
    OVERRIDE_TOKEN_NONE,
    OVERRIDE_TOKEN_TEXT,
    OVERRIDE_TOKEN_ESCAPED,
    OVERRIDE_TOKEN_INT,
    OVERRIDE_TOKEN_FLOAT,
    OVERRIDE_TOKEN_BLANK,
};

/* The length of the token of an unquoted value at `at`; 0 with NONE. `in_key`: of a {map}'s key. */
size_t override_token(struct str text, size_t at, bool in_key, enum override_token *kind);
/* What a value of this token alone is. Not for ESCAPED and BLANK. */
struct value *override_token_value(struct arena *a, struct str token, enum override_token kind);
/* Appends it as part of a longer text. */
void override_token_add(struct strbuf *out, struct str token, enum override_token kind);

/* Evaluates NAME(args). *e is set without the place, which the caller adds. */
int override_call(struct arena *a, const char *name, const struct override_args *args,
                  struct override_term *out, struct err *e);

#endif
