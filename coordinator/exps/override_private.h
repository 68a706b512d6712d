#ifndef NEPHRON_OVERRIDE_PRIVATE_H
#define NEPHRON_OVERRIDE_PRIVATE_H

#include "override.h"

/* Between override.c, which reads, and override_call.c, which knows the functions. */

/* An element, or a sweep on its way to be one. */
struct override_term {
    enum override_type type;
    struct value *value;
    bool simple, shuffled;
};

struct override_args {
    struct override_term *items; /* positional ones first */
    const char **names;          /* NULL: positional */
    size_t count;
};

/* Evaluates NAME(args). *e is set without the place, which the caller adds. */
int override_call(struct arena *a, const char *name, const struct override_args *args,
                  struct override_term *out, struct err *e);

#endif
