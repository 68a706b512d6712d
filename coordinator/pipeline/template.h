#ifndef NEPHRON_TEMPLATE_H
#define NEPHRON_TEMPLATE_H

#include "value.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * `${…}` expansion as DVC 3.67 does it: a context of values (params.yaml, vars) and strings that
 * refer to it.
 *
 *   ${a.b[0].c}   blanks around names are dropped; [i] is the same as .i
 *   \${x}         the literal text ${x}
 *   ${            without a closing brace on the same line: literal
 *   "${x}"        alone in a string: keeps the value's type;  "n=${x}": text (true/false, None,
 * 0.1) cmd: ${d}     a map in a command becomes options (--k v), by parsing.bool and parsing.list
 *
 * Only maps merge; a name that is there already is an error that names both sources. Keys that are
 * not strings are not visible. Values come from an arena and are shared, never changed.
 *
 * Limits: an expanded string 1 MiB, all strings of a context 256 MiB, nesting of data 64. The
 * result of an expansion is not expanded again.
 */

/* Why the last call failed: DVC words the frame of the message by it. */
enum template_fault {
    TEMPLATE_OK,
    TEMPLATE_SYNTAX,   /* ${a[} or a value that cannot be interpolated */
    TEMPLATE_MERGE,    /* a name is defined twice */
    TEMPLATE_LOADED,   /* a vars file was loaded before, in whole or in part */
    TEMPLATE_KEY,      /* unknown name */
    TEMPLATE_LOAD,     /* vars file missing, no map, key missing in it */
    TEMPLATE_RESERVED, /* vars define `item` or `key` inside of foreach or matrix */
    TEMPLATE_FILE,     /* vars file cannot be read or parsed */
};

struct template_style {
    bool bool_optional; /* parsing.bool = boolean_optional: --no-x for false */
    bool list_append;   /* parsing.list = append: --x 1 --x 2 */
};

struct template_layer;
struct template_import;

struct template_ctx {
    struct arena *arena; /* borrowed; results are allocated here */
    struct template_style style;
    const struct value *item, *key; /* foreach and matrix: shadow the merged names; NULL: none */
    enum template_fault fault;      /* of the last failure */
    /* Above: public. Below: private to template.c. */
    size_t expanded_bytes;
    const struct value *root;
    struct template_layer *layers;   /* what was merged, newest first */
    struct template_import *imports; /* vars files seen, newest first */
};

void template_init(struct template_ctx *t, struct arena *a);

/* Merges `doc` (a map) under the name `source` ("params.yaml", "vars[0]"). Copies cost the
 * top-level keys and the maps on common paths only, so a stage's context may start as `*stage =
 * *file`. */
int template_merge(struct template_ctx *t, const struct value *doc, const char *source,
                   struct err *e);

/* How vars files are read. `shown` is what messages call the file. Returns NULL with *e set:
 * ERR_MISSING when absent, ERR_USAGE for a folder. */
typedef struct value *template_read_fn(void *ctx, const char *path, const char *shown,
                                       struct err *e);

struct template_vars {
    const struct value *vars; /* list of strings "file", "file:k1,k2" and maps; NULL: none */
    const char *wdir;         /* repo path that file names are relative to */
    const char *wdir_shown;   /* the same relative to the current folder, as in messages */
    const char *stage;        /* NULL: the file's own vars */
    const char *default_file; /* merged first when it exists; NULL: none */
    template_read_fn *read;
    void *read_ctx;
};
int template_load_vars(struct template_ctx *t, const struct template_vars *v, struct err *e);

/*
 * Expands every string in `src` (map keys too); the result shares what did not change. `field` is
 * the stage's field ("cmd", "deps", …) and decides what may be interpolated; NULL allows lists and
 * maps (foreach, matrix, top-level sections).
 */
const struct value *template_resolve(struct template_ctx *t, const struct value *src,
                                     const char *field, struct err *e);

/* The value that an expression names, or NULL with DVC's "Could not find 'x'". */
const struct value *template_select(struct template_ctx *t, struct str expr, struct err *e);

/* Syntax of every ${…} in `src`; ERR_FORMAT with DVC's picture of the place. */
int template_check(const struct value *src, struct err *e);
/* Whether any string in `src` holds a ${…} that is not escaped. */
bool template_has_expr(const struct value *src);

/* A scalar as DVC writes it into names and commands: true, false, None, 0.1, text. */
void template_text(struct strbuf *out, const struct value *v);

#endif
