#ifndef NEPHRON_BYTES_LE_H
#define NEPHRON_BYTES_LE_H

#include <stdint.h>
#include <string.h>

/* Little-endian integers at any address. Tensors are used as they lie in the files, so the code of
 * nn/model needs a little-endian host; all Nephron targets (x86-64, arm64) are. */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "nn/model needs a little-endian host");

static inline uint16_t le_u16(const unsigned char *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t le_u32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t le_u64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline unsigned char *le_put16(unsigned char *p, uint16_t v)
{
    memcpy(p, &v, sizeof(v));
    return p + sizeof(v);
}

static inline unsigned char *le_put32(unsigned char *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
    return p + sizeof(v);
}

static inline unsigned char *le_put64(unsigned char *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
    return p + sizeof(v);
}

#endif
