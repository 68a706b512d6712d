#ifndef NEPHRON_WEIGHTS_READER_H
#define NEPHRON_WEIGHTS_READER_H

#include "str.h"
#include "weights.h"

struct err;
struct value;

/* What the readers of single formats use to fill a struct weights. Not for others. */

/* Adds a tensor; the name is copied. strides NULL: row-major. The caller has checked that the view
 * lies in its storage; here name, number of tensors and total work are checked. */
int weights_add(struct weights *w, struct str name, const struct weights_entry *t, struct err *e);
/* Adds the members of a JSON object of strings as metadata. */
int weights_add_meta(struct weights *w, const struct value *object, const char *what,
                     struct err *e);
/* After the last weights_add: refuses a name that is there twice. */
int weights_index(struct weights *w, struct err *e);

/* values[i] = element i as double; `raw` packed little-endian, any alignment. */
void weights_to_f64(enum weights_dtype t, const void *raw, size_t n, double *values);

#endif
