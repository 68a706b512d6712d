#ifndef NEPHRON_SCHEMA_H
#define NEPHRON_SCHEMA_H

#include "str.h"
#include "value.h"

struct err;

/*
 * The shapes that DVC accepts for dvc.yaml, dvc.lock and .dvc files, refused where DVC refuses and
 * with its texts (voluptuous and DVC's strictyaml):
 *
 *   './dvc.yaml' validation failed.
 *
 *   extra keys not allowed, in stages -> s -> bogus, line 3, column 5
 *
 * Such messages stand alone: e->detail is REPORT_PLAIN, and report.h prints them without
 * "ERROR: ".
 */

enum schema_kind { SCHEMA_DVC_YAML, SCHEMA_DVC_FILE, SCHEMA_DVC_LOCK };

/* `shown`: the file relative to the current folder, with "./" in front ("./dvc.yaml", "../x.dvc").
 */
int schema_validate(enum schema_kind kind, const struct value *doc, const char *shown,
                    struct err *e);

/*
 * Reads YAML text and validates it. An empty document (also [], 0, "") gives an empty map. Syntax
 * errors: ERR_FORMAT
 * "'./dvc.yaml' is invalid.\n\n…", with " (possible merge conflicts)" where conflict markers are
 * found. `max_bytes` 0: 16 MiB.
 */
struct value *schema_parse(struct arena *a, enum schema_kind kind, struct str text,
                           const char *shown, size_t max_bytes, struct err *e);

/* "./dvc.yaml" for the path as shown to a person ("dvc.yaml", "../x.dvc", "/abs"). Arena memory. */
const char *schema_shown(struct arena *a, const char *shown);

#endif
