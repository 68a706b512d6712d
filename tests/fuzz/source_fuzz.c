/* Texts that name a place: sources of data, phantom: options. Secrets must not be shown. */
#include "arena.h"
#include "err.h"
#include "phantom.h"
#include "source.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct err e = ERR_INIT;
    struct source s;
    if (size > 4096) {
        return 0;
    }
    arena_init(&a);
    const char *text = arena_strndup(&a, (const char *)data, size);
    if (source_parse(&a, text, &s, &e) < 0 ? e.text[0] == 0 : s.shown == NULL) {
        abort();
    }
    for (const char *c = source_redact(&a, text); *c != 0; c++) {
        if ((unsigned char)*c < 0x20) {
            abort();
        }
    }
    source_query(&a, text, "id");
    if (phantom_is_source(text)) {
        struct phantom_options opt;
        if (phantom_parse(text, &opt, NULL) == 0 &&
            (opt.patients < 2 || opt.slices < 1 || opt.size < 32)) {
            abort();
        }
    }
    arena_release(&a);
    return 0;
}
