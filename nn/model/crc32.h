#ifndef NEPHRON_CRC32_H
#define NEPHRON_CRC32_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32 of zip (polynomial 0xEDB88320), eight bytes a step ("slicing by 8", Kounavis and Berry
 * 2005): 1.5 GB/s or so, where a byte a step gives 0.4. The tables are the caller's, so there is no
 * global state; making them takes some microseconds.
 */

struct crc32 {
    uint32_t table[8][256];
};

void crc32_init(struct crc32 *c);
/* Start with 0; pass the result on for the next piece. */
uint32_t crc32_update(const struct crc32 *c, uint32_t crc, const void *data, size_t n);

#endif
