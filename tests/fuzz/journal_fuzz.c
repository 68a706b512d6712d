/* The journal of a killed run: any bytes give whole records or nothing. */
#include "journal.h"

#include "lock.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(void *ctx, const char *file, const struct lock_entry *entry, struct err *e)
{
    if (file == NULL || entry->name == NULL) {
        abort();
    }
    ++*(size_t *)ctx;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count = 0, bad = 0;
    if (journal_parse((struct str){(const char *)data, size}, take, &count, &bad, NULL) == 0 &&
        bad > size) {
        abort();
    }
    return 0;
}
