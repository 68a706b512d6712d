#ifndef NEPHRON_SPOOL_FORMAT_H
#define NEPHRON_SPOOL_FORMAT_H

#include <stdint.h>

/* Bytes of the spool file, shared by its writing and reading side only; the table is in spool.h. */

#define SPOOL_MAGIC "NEPHSPL1"
#define SPOOL_VERSION 1
#define SPOOL_PAYLOAD_HEAD 12 /* kind, flags, time_ms, field count */

void spool_put_u32(unsigned char *p, uint32_t v);
void spool_put_u64(unsigned char *p, uint64_t v);
uint32_t spool_get_u32(const unsigned char *p);
uint64_t spool_get_u64(const unsigned char *p);

#endif
