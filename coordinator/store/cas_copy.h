#ifndef NEPHRON_CAS_COPY_H
#define NEPHRON_CAS_COPY_H

#include "cas.h"
#include "par.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Files copied into the cache under names of no object, hashed on the way: the first of cas_batch.c's three steps.
 * Small ones are read by the dozen and hashed together (digest_md5_many), and written only when their object is missing;
 * big ones are hashed while they are copied.
 */

struct err;

struct cas_copy {
    struct cas *cas;
    struct cas_put *puts;
    char **
        temps; /* out, by item: the finished copy, which the caller frees; NULL: failed, or the object is there */
    bool objects; /* cas_copy_objects: md5 is the name that the content must have */
    char waiting
        [4096]; /* the folder of the copies, +<2>/<30> in it; "": each gets a temp name of its own */
    /* Above: the caller's. Below: private to cas_copy.c */
    size_t first, count, group, threads;
    struct cas_text *texts; /* by thread */
};

/* Items first … first + count - 1. Failures stand in puts[].failed. */
void cas_copy_run(struct cas_copy *c, struct par *par, size_t first, size_t count);
/* Notes why an item failed, in the copy or in what follows. */
void cas_copy_failed(struct cas_put *p, const struct err *why);
void cas_copy_release(struct cas_copy *c);

#endif
