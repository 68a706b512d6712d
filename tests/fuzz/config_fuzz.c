/* DVC config files: what is read, written and read again is the same. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a);
    const struct value *first = config_parse(&a, (struct str){(const char *)data, size}, NULL);
    if (first != NULL) {
        struct strbuf once, twice;
        strbuf_init(&once);
        strbuf_init(&twice);
        if (config_emit(&once, first, NULL) == 0) {
            const struct value *second = config_parse(&a, strbuf_str(&once), NULL);
            if (second == NULL || config_emit(&twice, second, NULL) < 0 ||
                !str_eq(strbuf_str(&once), strbuf_str(&twice))) {
                abort();
            }
        }
        strbuf_release(&once);
        strbuf_release(&twice);
    }
    arena_release(&a);
    return 0;
}
