/* The pickle interpreter on any bytes; what it returns is walked to a bounded depth. */
#include "arena.h"
#include "err.h"
#include "pickle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t visits;

static void walk(const struct pickle_value *v, int depth)
{
    if (depth > 8 || ++visits > 10000) {
        return;
    }
    if (v->type == PICKLE_STR || v->type == PICKLE_BYTES || v->type == PICKLE_LONG) {
        volatile char last = v->s.n > 0 ? v->s.p[v->s.n - 1] : 0;
        (void)last;
    }
    if (v->type == PICKLE_TENSOR && v->tensor->storage->key.p == NULL) {
        abort();
    }
    if (v->type >= PICKLE_TUPLE && v->type <= PICKLE_DICT) {
        for (size_t i = 0; i < v->items.count; i++) {
            walk(v->items.p[i], depth + 1);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct arena a;
    size_t at = 0;
    arena_init(&a);
    const struct pickle_value *v = pickle_run(&a, data, size, &at, "fuzz", &e);
    if (v != NULL ? at > size : e.text[0] == '\0') {
        abort(); /* a refusal has words */
    }
    visits = 0;
    if (v != NULL) {
        walk(v, 0);
    }
    arena_release(&a);
    return 0;
}
