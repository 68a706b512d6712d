#ifndef NEPHRON_PART_H
#define NEPHRON_PART_H

#include "str.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * The unfinished file of a download and what is known of it. `PATH.part` holds the first bytes;
 * `PATH.part.json` says of what, so that another process may go on:
 *
 *   {"schema": 1, "url": "https://…", "etag": "\"5d3\"", "last_modified": "", "synced": 33554432,
 * "boot": "b1c5…"}
 *
 * After a kill every byte of the file counts; after a crash of the machine (another boot id) only
 * those that had been synced, since a file system may show a length whose data never arrived. One
 * process at a time: the file is held with flock(2).
 */

struct part {
    char path[4096], info[4096];
    int fd;        /* -1: closed */
    uint64_t have; /* bytes that count */
    uint64_t synced;
    bool resumed; /* have > 0 came from an earlier process or try */
    char *url;    /* of the record; owned */
    char etag[256], last_modified[64];
};

/* Opens or makes it; drops what does not belong to `url` or has no validator. ERR_BUSY when another
 * process holds it. part_close must follow, also after a failure. */
int part_open(struct part *p, const char *target, const char *url, bool fresh, struct err *e);
const char *part_validator(const struct part *p); /* for If-Range; NULL: no resuming */
/* Empties it and notes the validators of what comes now. */
int part_restart(struct part *p, const char *etag, const char *last_modified, struct err *e);
int part_write(struct part *p, const void *data, size_t n, struct err *e);
/* Syncs it and gives it its name; the record of the part goes. */
int part_commit(struct part *p, const char *target, struct err *e);
void part_close(struct part *p); /* keeps both files when there is something to go on with */

#endif
