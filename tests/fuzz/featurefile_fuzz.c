/* Kept features, asked for with the sizes and the key that the bytes themselves name. */
#include "err.h"
#include "featurefile.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct featurefile f;
    struct err e = ERR_INIT;
    uint64_t count = 0, floats = 0;
    char key[FEATUREFILE_KEY_SIZE] = "";
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, data, size);
    if (size >= 96) {
        memcpy(&count, data + 16, sizeof(count));
        memcpy(&floats, data + 24, sizeof(floats));
        memcpy(key, data + 32, 64);
    }
    if (featurefile_parse(&f, copy, size, "fuzz", key, count, floats, &e) == 0) {
        featurefile_check(&f, 0, count, NULL, &e);
    } else if (e.text[0] == '\0') {
        abort();
    }
    free(copy);
    return 0;
}
