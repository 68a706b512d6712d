/* PyTorch files: as they are, and with the zip's CRC-32 made good, so that mutations get beyond
 * them. */
#include "bytes_le.h"
#include "crc32.h"
#include "err.h"
#include "weights.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void repair(unsigned char *p, size_t n)
{
    static struct crc32 crc;
    if (crc.table[0][1] == 0) {
        crc32_init(&crc);
    }
    for (size_t at = 0; n >= 46 && at <= n - 46; at++) {
        if (le_u32(p + at) != 0x02014b50u) {
            continue;
        }
        size_t head = le_u32(p + at + 42), bytes = le_u32(p + at + 20);
        if (head > n || n - head < 30) {
            continue;
        }
        size_t start = head + 30 + le_u16(p + head + 26) + le_u16(p + head + 28);
        if (start <= n && bytes <= n - start) {
            le_put32(p + at + 16, crc32_update(&crc, 0, p + start, bytes));
        }
    }
}

static void read_all(const void *data, size_t size)
{
    struct err e = ERR_INIT;
    struct weights *w = weights_parse(data, size, "fuzz", NULL, &e);
    if (w == NULL && e.text[0] == '\0') {
        abort();
    }
    for (size_t i = 0; w != NULL && i < w->count && i < 100; i++) {
        struct weights_summary s;
        if (w->entries[i].count <= 100000) {
            weights_summarise(&w->entries[i], &s);
        }
    }
    weights_close(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    read_all(data, size);
    repair(copy, size);
    read_all(copy, size);
    free(copy);
    return 0;
}
