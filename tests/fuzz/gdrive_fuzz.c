/* Drive's pages and links from any bytes; the text before the first NUL is the link. */
#include "arena.h"
#include "err.h"
#include "gdrive.h"
#include "source.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct err e = ERR_INIT;
    char *id, *key, *next = NULL;
    arena_init(&a);
    char *text = arena_strndup(&a, (const char *)data, size);
    if (gdrive_parse(&a, text, &id, &key) && id) {
        gdrive_url(&a, NULL, id, key);
    }
    source_redact(&a, text);
    source_query(&a, text, "id");
    struct str html = {(const char *)data, size};
    if (gdrive_confirm(&a, html, "https://drive.google.com/uc?id=1", NULL, &next, &e) == 0 &&
        strncasecmp(next, "https://", 8) != 0) {
        abort();
    }
    arena_release(&a);
    return 0;
}
