/* YAML on any bytes: what is read is written as DVC writes it, and read again as the same. */
#include "emit.h"
#include "err.h"
#include "yaml.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where a double-quoted text is folded right behind an escape, DVC's line break reads as a blank that
 * was not there. */
static bool folds_behind_escape(const char *p)
{
    while ((p = strchr(p, '\\')) != NULL && p[1] != 0) {
        size_t digits = p[1] == 'x' ? 2 : p[1] == 'u' ? 4 : p[1] == 'U' ? 8 : 0;
        bool fold = p[1] == '\n';
        p += 2 + strnlen(p + 2, digits);
        if (!fold && *p == '\n') {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct err e = ERR_INIT;
    if (size > 65536) {
        return 0;
    }
    arena_init(&a);
    const struct value *v = yaml_parse(&a, (struct str){(const char *)data, size}, NULL, &e);
    if (v == NULL && e.text[0] == 0) {
        abort();
    }
    if (v != NULL && v->type == VALUE_MAP) {
        struct strbuf text;
        strbuf_init(&text);
        emit_yaml(&text, v, &(struct emit_options){0});
        const struct value *again = yaml_parse(&a, strbuf_str(&text), NULL, &e);
        /* a run of blanks at a fold and U+0085 are DVC's loss, reproduced; a NaN is not equal to itself */
        bool lossy = strstr(text.p, "  \n") != NULL || strstr(text.p, "\xc2\x85") != NULL ||
                     folds_behind_escape(text.p) || !value_eq(v, v);
        if (again == NULL || (!lossy && !value_eq(v, again))) {
            abort();
        }
        strbuf_release(&text);
    }
    arena_release(&a);
    return 0;
}
