#ifndef NEPHRON_PLOTFILE_H
#define NEPHRON_PLOTFILE_H

#include "value.h"

#include <stdbool.h>

struct err;

/*
 * Files that plots are made of: csv and tsv (a row is a map of strings), json, yaml, toml, and images.
 *
 *     "step,loss\n0,0.7\n"  ->  [{"step": "0", "loss": "0.7"}]
 */

bool plotfile_is_image(const char *path); /* .jpg .jpeg .gif .png .svg, as DVC */

/* The document in a file's text, chosen by the extension of `shown`; an image: its bytes as a string.
 * ERR_FORMAT for other kinds of files, or what the parsers say. In `a`. */
struct value *plotfile_parse(struct arena *a, struct str text, const char *shown, bool header,
                             struct err *e);

/* Comma or tab separated values by Python's rules (RFC 4180, CR, LF or both end a row, empty rows are
 * passed over) as a list of maps; never fails. Without a header the fields are "0", "1", … Fields
 * beyond the header are a list with the key "null", missing ones are null. */
struct value *plotfile_csv(struct arena *a, struct str text, char separator, bool header);

#endif
