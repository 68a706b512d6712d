/* dvc.lock: both readers on any bytes; what is read is written and read again, and stays the same.
 */
#include "err.h"
#include "lock.h"
#include "lock_private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void render(const struct lock *l, struct strbuf *out)
{
    strbuf_init(out);
    lock_render(l, out);
}

/* The direct parser must not read what the YAML reader refuses, nor read it differently. */
static void compare_readers(struct str text)
{
    struct lock *direct = lock_new(NULL, "dvc.lock"), *yaml = lock_new(NULL, "dvc.lock");
    if (lock_parse_direct(direct, text)) {
        if (lock_parse_yaml(yaml, text, NULL) < 0 || lock_count(direct) != lock_count(yaml)) {
            abort();
        }
        for (size_t i = 0; i < lock_count(yaml); i++) {
            const struct lock_entry *a = lock_at(direct, i), *b = lock_at(yaml, i);
            /* a NaN is not equal to itself: then only the shape is compared */
            if (strcmp(a->name, b->name) != 0 || (lock_entry_eq(b, b) && !lock_entry_eq(a, b))) {
                abort();
            }
        }
    }
    lock_free(direct);
    lock_free(yaml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct err e = ERR_INIT;
    compare_readers(text);
    struct lock *l = lock_parse(text, "dvc.lock", &e);
    if (!l) {
        if (!e.text[0]) {
            abort();
        }
        return 0;
    }
    struct strbuf once, twice;
    render(l, &once);
    struct lock *again = lock_parse(strbuf_str(&once), "dvc.lock", &e);
    if (!again || lock_count(again) != lock_count(l)) {
        abort();
    }
    render(again, &twice);
    /* a run of blanks at the end of a folded line is DVC's loss, reproduced */
    bool lossy = strstr(once.p, "  \n") != NULL;
    if (!lossy && (once.n != twice.n || memcmp(once.p, twice.p, once.n) != 0)) {
        abort();
    }
    strbuf_release(&once);
    strbuf_release(&twice);
    lock_free(again);
    lock_free(l);
    return 0;
}
