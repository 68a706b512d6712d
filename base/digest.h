#ifndef NEPHRON_DIGEST_H
#define NEPHRON_DIGEST_H

#include "str.h"

#include <stdint.h>

struct err;

/*
 * MD5 and SHA-256 (libcrypto), streaming, as lower-case hex. MD5 is DVC's content address,
 * not a protection against forgery.
 */

enum digest_kind { DIGEST_MD5, DIGEST_SHA256 };

#define DIGEST_HEX_SIZE 65 /* room for SHA-256 and the terminator; MD5 uses 33 */

struct digest {
    /* private to digest.c */
    enum digest_kind kind;
    _Alignas(8) unsigned char state[112];
};

void digest_init(struct digest *d, enum digest_kind kind);
void digest_update(struct digest *d, const void *data, size_t n);
void digest_final(struct digest *d, char hex[DIGEST_HEX_SIZE]);

void digest_buffer(enum digest_kind kind, const void *data, size_t n, char hex[DIGEST_HEX_SIZE]);
/* MD5 of many texts that are in memory, 16 at a time in the lanes of vectors: several times as fast as one by one. */
struct digest_job {
    const void *data;
    size_t n;
    char hex[33]; /* out */
};
void digest_md5_many(struct digest_job *jobs, size_t count);
/* *size may be NULL. Memory does not depend on the file's size. */
int digest_file(enum digest_kind kind, const char *path, char hex[DIGEST_HEX_SIZE], uint64_t *size,
                struct err *e);
/* Copies src_fd to dst_fd and hashes on the way: one read of the data. Big files are hashed by a second thread, and
 * the disk starts while they are copied. */
int digest_copy(enum digest_kind kind, int src_fd, int dst_fd, const char *name,
                char hex[DIGEST_HEX_SIZE], uint64_t *size, struct err *e);

uint32_t digest_crc32c(uint32_t seed, const void *data, size_t n); /* start with seed 0 */

#endif
