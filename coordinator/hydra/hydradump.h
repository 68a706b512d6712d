#ifndef NEPHRON_HYDRADUMP_H
#define NEPHRON_HYDRADUMP_H

#include "str.h"
#include "value.h"

/*
 * What was composed as YAML, byte for byte as OmegaConf.to_yaml writes it (PyYAML 6's emitter, block style, width 80, no anchors). The
 * other writer of YAML, emit.h, has the habits of ruamel.yaml: another folding, other quotes.
 *
 * | thing         | written                                                                       |
 * |---------------|-------------------------------------------------------------------------------|
 * | map, list     | in lines; a list at the indent of its key; empty `{}`, `[]`                   |
 * | null          | null                                                                          |
 * | float         | Python's repr, "1e-05" as 1.0e-05; .inf -.inf .nan                            |
 * | str           | plain, else '…', else "…" (control characters); '…' for all that reads as a   |
 * |               | number or a bool in Python                                                    |
 * | folding       | at single blanks beyond column 80; "…" with a backslash at the line's end     |
 */

void hydradump(struct strbuf *out, const struct value *v);

#endif
