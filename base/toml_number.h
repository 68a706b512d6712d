#ifndef NEPHRON_TOML_NUMBER_H
#define NEPHRON_TOML_NUMBER_H

#include "value.h"

/* The words of TOML that are numbers, dates and times. Source: https://toml.io/en/v1.0.0. */

/* An integer (decimal, 0x, 0o, 0b; 64 bits) or float (inf and nan too); NULL when the whole word is
 * none. */
struct value *toml_number(struct arena *a, struct str word);

/* Length of the date, time or both that `s` begins with; 0 when it looks like none, -1 when it is a
 * wrong one. */
long toml_date_length(struct str s);

#endif
