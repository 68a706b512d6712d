#ifndef NEPHRON_STB_BUDGET_H
#define NEPHRON_STB_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * stb_image allocates without a context argument, so what one decode may hold is kept per thread:
 * begin, decode, end. Beyond the budget its allocations fail and it gives up cleanly.
 */
void stb_budget_begin(size_t bytes);
bool stb_budget_end(void); /* true: some allocation was refused */

#endif
