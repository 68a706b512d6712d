#ifndef NEPHRON_SPLIT_GROUP_H
#define NEPHRON_SPLIT_GROUP_H

#include <stdbool.h>

struct dataset;
struct err;
struct split;
struct split_options;

/* The group half of split_make: sets is_valid[] of whole groups, and s->groups, valid_groups,
 * pattern. */
int split_group_mark(struct split *s, const struct dataset *d, const struct split_options *opt,
                     bool *is_valid, struct err *e);

#endif
