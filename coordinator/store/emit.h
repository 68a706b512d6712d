#ifndef NEPHRON_EMIT_H
#define NEPHRON_EMIT_H

#include "str.h"
#include "value.h"

/*
 * YAML as DVC writes it (ruamel.yaml's round-trip emitter, block style, width 80), from struct
 * value.
 *
 * | thing            | written                                                                    |
 * |------------------|----------------------------------------------------------------------------|
 * | map              | `key: value`, nested maps 2 deeper; empty `{}`                             |
 * | list             | `- item` at the indent of its key; empty `[]`; a map in a list starts on  |
 * |                  | the dash's line                                                            |
 * | null             | nothing after `key:`; `-` and a blank in a list                            |
 * | bool, int        | true false; decimal                                                        |
 * | float            | Python's repr: 0.1 1e-05 1e+20 1.0; .inf -.inf .nan                        |
 * | str, plain       | when it starts with no indicator, holds no `: `, ` #`, edge blanks,        |
 * |                  | controls, and would not read as another type                               |
 * | str, quoted      | '…' else "…"; several lines or control characters: "…" with escapes        |
 * | folding          | column > 80 at single blanks, see emit.c                                   |
 * | shared nodes     | the same list or map reached twice: `&id001`, then `*id001`                |
 * Columns count code points. Checked byte for byte against DVC 3.67 (tests/unit/store/emit_test.c,
 * t0301).
 */

struct emit_options {
    unsigned indent; /* column of the outermost keys */
    bool no_anchors; /* write shared nodes out in full */
    unsigned
        *next_anchor; /* number of the next anchor, for a file written in pieces; NULL: from 1 */
};

/* A map (or any value) as lines, each ending in a newline. */
void emit_yaml(struct strbuf *out, const struct value *v, const struct emit_options *opt);
/* One scalar as a value that starts at `column` (a blank stands before it already), folded to 80,
 * continuation lines at `indent`. No newline at the end. */
void emit_scalar(struct strbuf *out, const struct value *v, unsigned column, unsigned indent);

#endif
