/* JSON on any bytes: what is read is written in each style, and read again as the same. */
#include "err.h"
#include "json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct arena *a, const struct value *v, const struct json_style *style)
{
    struct strbuf text;
    struct err e = ERR_INIT;
    strbuf_init(&text);
    json_write(&text, v, style);
    const struct value *again = json_parse(a, strbuf_str(&text), "again.json", &e);
    /* a NaN is not equal to itself */
    if (again == NULL || (value_eq(v, v) && !value_eq(v, again))) {
        abort();
    }
    strbuf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct err e = ERR_INIT;
    arena_init(&a);
    const struct value *v = json_parse(&a, (struct str){(const char *)data, size}, "f.json", &e);
    if (v == NULL && e.text[0] == 0) {
        abort();
    }
    if (v != NULL) {
        round_trip(&a, v, &(struct json_style){0});
        round_trip(&a, v, &(struct json_style){.compact = true, .utf8 = true});
        round_trip(&a, v, &(struct json_style){.indent = 4});
    }
    arena_release(&a);
    return 0;
}
