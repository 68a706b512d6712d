#ifndef NEPHRON_JSON_H
#define NEPHRON_JSON_H

#include "value.h"

struct err;

/*
 * JSON to and from `struct value` (libjansson reads; writing is ours, since DVC's files need Python's
 * exact form). Numbers: integers in 64 bits, else double by Python's repr. NaN and Infinity are
 * written as Python does and read where Python would read them.
 */

#define JSON_MAX_BYTES ((size_t)1 << 30)

/* Depth 64; data after the value is refused; last duplicate wins. Errors "NAME:LINE:COLUMN: …". */
struct value *json_parse(struct arena *a, struct str text, const char *name, struct err *e);
struct value *json_load(struct arena *a, const char *path, struct err *e);

struct json_style {
    bool sort_keys;
    bool compact;    /* "," and ":" instead of Python's ", " and ": " */
    bool utf8;       /* write non-ASCII verbatim instead of \uXXXX */
    unsigned indent; /* 0: one line; else Python's json.dump(indent=N) */
};

void json_write(struct strbuf *out, const struct value *v, const struct json_style *style);
void json_write_string(struct strbuf *out, struct str s, bool utf8); /* with the quotes */

#endif
