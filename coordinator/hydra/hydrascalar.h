#ifndef NEPHRON_HYDRASCALAR_H
#define NEPHRON_HYDRASCALAR_H

#include "arena.h"
#include "str.h"
#include "value.h"

/*
 * Plain scalars of YAML 1.1, as Hydra's files are read and what it composes is written (https://yaml.org/type/, PyYAML 6, OmegaConf 2.3).
 *
 * | kind  | words                                                                  |
 * |-------|------------------------------------------------------------------------|
 * | null  | nothing, ~ null Null NULL                                              |
 * | bool  | yes no on off true false, also Yes and YES                             |
 * | int   | 12 1_000 0b11 017 (is 15) 0x1F 1:30 (is 90)                            |
 * | float | 1. .5 1.5e+3 1:30.5 .inf .nan; when read also 1e5 1.5e3                |
 * | time  | 2026-01-31, 2026-01-31 10:00:00; text when read                        |
 */

enum hydrascalar_kind {
    HYDRASCALAR_STR,
    HYDRASCALAR_NULL,
    HYDRASCALAR_BOOL,
    HYDRASCALAR_INT,
    HYDRASCALAR_FLOAT,
    HYDRASCALAR_TIME,
    HYDRASCALAR_SIGN, /* "<<" and "=" */
};

/* What a plain scalar stands for by PyYAML's own rules. */
enum hydrascalar_kind hydrascalar_kind(struct str s);
/* The value that a file's plain scalar has for OmegaConf; NULL for "=" and numbers without digits: for yaml_options.plain. */
struct value *hydrascalar_read(struct arena *a, struct str s);
/* Would Python's int() or float() take it, or is it a word of the bool row? Such text is written in quotes. */
bool hydrascalar_is_quoted(struct str s);

#endif
