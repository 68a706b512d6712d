/* CRC-32 of zip by slicing tables. Little-endian hosts only, as all of nn/model. */
#include "crc32.h"

#include <string.h>

void crc32_init(struct crc32 *c)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int bit = 0; bit < 8; bit++) {
            v = (v & 1) ? (v >> 1) ^ 0xEDB88320u : v >> 1;
        }
        c->table[0][i] = v;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int k = 1; k < 8; k++) {
            uint32_t prev = c->table[k - 1][i];
            c->table[k][i] = (prev >> 8) ^ c->table[0][prev & 0xFF];
        }
    }
}

uint32_t crc32_update(const struct crc32 *c, uint32_t crc, const void *data, size_t n)
{
    const unsigned char *p = data;
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t lo, hi;
        memcpy(&lo, p, 4);
        memcpy(&hi, p + 4, 4);
        lo ^= crc;
        crc = c->table[7][lo & 0xFF] ^ c->table[6][(lo >> 8) & 0xFF] ^
              c->table[5][(lo >> 16) & 0xFF] ^ c->table[4][lo >> 24] ^ c->table[3][hi & 0xFF] ^
              c->table[2][(hi >> 8) & 0xFF] ^ c->table[1][(hi >> 16) & 0xFF] ^
              c->table[0][hi >> 24];
    }
    for (; n > 0; n--, p++) {
        crc = (crc >> 8) ^ c->table[0][(crc ^ *p) & 0xFF];
    }
    return ~crc;
}
