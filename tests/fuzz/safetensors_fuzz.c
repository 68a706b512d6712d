/* Any bytes as a weights file (safetensors by the corpus): refused with words, or every value of it
 * can be read. */
#include "err.h"
#include "weights.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct weights *w = weights_parse(data, size, "fuzz", NULL, &e);
    if (w == NULL) {
        if (e.text[0] == '\0') {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i < w->count; i++) {
        struct weights_summary s;
        weights_summarise(&w->entries[i], &s);
        if (weights_find(w, w->entries[i].name) != &w->entries[i]) {
            abort();
        }
    }
    weights_close(w);
    return 0;
}
