#ifndef NEPHRON_NUM_H
#define NEPHRON_NUM_H

#include "str.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Numbers as text, independent of the locale. num_repr is Python's repr(float): the shortest digits
 * that read back to the same double, exponent form below 1e-4 and from 1e16 on, "inf", "nan".
 */

#define NUM_TEXT_SIZE 40

void num_repr(char out[NUM_TEXT_SIZE], double v);
/* Python's round(v, digits to `precision` significant): used by tables (DVC: 5). */
void num_round(char out[NUM_TEXT_SIZE], double v, int precision);
bool num_parse_int(struct str s, int64_t *out);   /* whole text, decimal, sign allowed */
bool num_parse_double(struct str s, double *out); /* whole text; decimal point only, no hex */
/* Sizes for people: "12.3 MB" (powers of 1000), and times: "1m 05s", "2h 03m", "0.4s". */
void num_bytes(char out[NUM_TEXT_SIZE], double bytes);
void num_duration(char out[NUM_TEXT_SIZE], double seconds);

#endif
