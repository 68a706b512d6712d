#ifndef NEPHRON_PICKLE_MACHINE_H
#define NEPHRON_PICKLE_MACHINE_H

#include "err.h"
#include "pickle.h"

/* State of one pickle_run; shared by pickle.c and pickle_globals.c only. */

struct pickle_machine {
    struct arena *a;
    const unsigned char *p;
    size_t n, at;
    size_t op_at;        /* where the running opcode began */
    const char *op_name; /* its name */
    const char *what;
    struct err *e;
    size_t bytes_before; /* of the arena */
    struct pickle_value **stack;
    size_t depth, stack_capacity;
    struct pickle_value **memo; /* NULL: never stored */
    size_t memo_capacity, memo_used;
    size_t marks[PICKLE_MAX_DEPTH]; /* stack depth at each open MARK */
    size_t mark_count;
    struct pickle_value *result;
};

/* Sets "WHAT, byte N: …"; always -1. */
int pickle_fail(struct pickle_machine *m, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct pickle_value *pickle_new(struct pickle_machine *m, enum pickle_type type);
int pickle_push(struct pickle_machine *m, struct pickle_value *v);
struct pickle_value *pickle_pop(struct pickle_machine *m); /* NULL: failed */

/* pickle_globals.c */
int pickle_push_global(struct pickle_machine *m, struct str module, struct str name);
int pickle_persistent_id(struct pickle_machine *m); /* BINPERSID */
int pickle_reduce(struct pickle_machine *m);        /* REDUCE */

#endif
