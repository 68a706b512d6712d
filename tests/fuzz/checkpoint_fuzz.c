/* Checkpoints whose digest was made good, so that mutations reach the size checks behind it. */
#include "checkpoint.h"
#include "digest.h"
#include "err.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const void *data, size_t size)
{
    struct err e = ERR_INIT;
    struct checkpoint *c = checkpoint_parse(data, size, "fuzz", &e);
    if (c == NULL) {
        if (e.text[0] == '\0') {
            abort();
        }
        return;
    }
    for (size_t i = 0; i < c->count; i++) {
        const struct checkpoint_array *x = &c->arrays[i];
        void *out = malloc(x->count * weights_dtype_size(x->dtype) + 1);
        checkpoint_copy(c, x->name, x->dtype, out, x->count, NULL);
        free(out);
    }
    if (strlen(c->info.note) > size) {
        abort();
    }
    checkpoint_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char hex[DIGEST_HEX_SIZE];
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, data, size);
    read_all(data, size);
    if (size > 64) {
        uint64_t length = size;
        memcpy(copy + 16, &length, sizeof(length)); /* and the size in the header */
        digest_buffer(DIGEST_SHA256, copy, size - 64, hex);
        memcpy(copy + size - 64, hex, 64);
        read_all(copy, size);
    }
    free(copy);
    return 0;
}
