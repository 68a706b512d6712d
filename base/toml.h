#ifndef NEPHRON_TOML_H
#define NEPHRON_TOML_H

#include "value.h"

struct err;

/*
 * TOML 1.0 reader: text to `struct value`. Tables are maps in source order, dates and times keep
 * their source text (VALUE_DATE), integers beyond 64 bits are refused as the specification asks.
 * Source: https://toml.io/en/v1.0.0, checked against DVC's tomlkit in tests/peer. Does no
 * I/O.
 *
 * Redefinition of keys and tables, mixing of dotted keys, inline tables and arrays of tables follow
 * the specification (refused where it forbids them).
 *
 * Limits (ERR_LIMIT beyond): input 16 MiB, depth 64, 1,000,000 nodes. UTF-8 only.
 */

/* `name` is for messages: errors are ERR_FORMAT "NAME:LINE:COLUMN: …". An empty text gives an empty
 * map. */
struct value *toml_parse(struct arena *a, struct str text, const char *name, struct err *e);

#endif
