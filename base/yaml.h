#ifndef NEPHRON_YAML_H
#define NEPHRON_YAML_H

#include "value.h"

struct err;

/*
 * YAML reader: text to `struct value` with DVC's (ruamel, YAML 1.2 core) rules:
 * yes/no/on/off are strings, 010 is 10, 0o10 is 8, 0x1F is 31, 1_000 is 1000, 1e-5 is a float, .inf, .nan;
 * null is ~, null, Null, NULL or nothing; duplicate keys are an error; `<<` merges maps; aliases
 * share the node. Dates stay text. Tags other than the core ones are refused, never acted on.
 * Does no I/O (yaml_load apart). Source: https://yaml.org/spec/1.2.2 chapter 10.3, DVC 3.67.
 *
 * Limits (ERR_LIMIT beyond): input 16 MiB unless told, depth 64, 1,000,000 nodes after alias
 * expansion counted while composing, 10,000 anchors, scalar 4 MiB, merge depth 16; UTF-8 only.
 */

struct yaml_options {
    const char *name; /* for messages: "dvc.yaml"; NULL: "<yaml>" */
    size_t max_bytes; /* 0: 16 MiB */
    size_t max_nodes; /* 0: 1,000,000 */
    /* Other rules for plain scalars than yaml_scalar's; NULL from it: what can stand nowhere. A reader with its own rules follows
     * PyYAML in maps too: what `<<` brings stands before the map's own keys, and only keys that are strings must be unique. */
    struct value *(*plain)(struct arena *a, struct str text);
};

/* An empty document gives a null value. Errors: ERR_FORMAT "NAME:LINE:COLUMN: …", ERR_LIMIT. */
struct value *yaml_parse(struct arena *a, struct str text, const struct yaml_options *opt,
                         struct err *e);
/* Reads the file and parses it. ERR_MISSING when absent. */
struct value *yaml_load(struct arena *a, const char *path, const struct yaml_options *opt,
                        struct err *e);
/* The type and value that a plain scalar resolves to under the rules above. */
struct value *yaml_scalar(struct arena *a, struct str text);

#endif
