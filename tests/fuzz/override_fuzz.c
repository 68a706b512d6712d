/* A parameters file and an override, with a NUL between them. What is read is written as text that reads the same, and the file after
 * the override says what the override does to its document. */
#include "override.h"
#include "paramsedit.h"

#include "err.h"
#include "params.h"
#include "value.h"
#include "yamledit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_text(struct arena *a, const struct override *o)
{
    struct strbuf once, twice;
    struct override again;
    struct err e = ERR_INIT;
    strbuf_init(&once);
    strbuf_init(&twice);
    override_add_text(&once, o);
    if (override_parse(a, strbuf_str(&once), &again, &e) < 0) {
        abort();
    }
    override_add_text(&twice, &again);
    if (strcmp(once.p, twice.p) != 0) {
        abort();
    }
    strbuf_release(&once);
    strbuf_release(&twice);
}

static void same_file(struct arena *a, struct str file, struct str text, const struct override *o)
{
    struct err e = ERR_INIT, other = ERR_INIT;
    struct strbuf out;
    strbuf_init(&out);
    struct value *list = value_list(a);
    value_push(a, list, value_str(a, text));
    struct value *doc = params_parse(a, file, "params.yaml", &other);
    bool fits = doc != NULL && doc->type == VALUE_MAP;
    if (fits) {
        doc = value_copy(a, doc);
        fits = override_apply(a, doc, o, &other) == 0;
    }
    int rc = paramsedit(a, "params.yaml", file, list, &out, &e);
    if ((rc == 0) != fits || (rc < 0 && e.text[0] == 0)) {
        abort();
    }
    if (rc == 0) {
        const struct value *got = params_parse(a, strbuf_str(&out), "params.yaml", &e);
        /* texts that no YAML holds as they are (a lone carriage return) are the emitter's, whose own target has them */
        if (got != NULL && got->type != VALUE_MAP) {
            abort();
        }
    }
    strbuf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size > 0 ? memchr(data, 0, size) : NULL;
    if (size > 65536 || cut == NULL) {
        return 0;
    }
    struct str file = {(const char *)data, (size_t)(cut - data)};
    struct str text = {(const char *)cut + 1, size - file.n - 1};
    struct arena a;
    struct override o;
    struct err e = ERR_INIT;
    arena_init(&a);
    if (override_parse(&a, text, &o, &e) < 0) {
        if (e.text[0] == 0) {
            abort();
        }
    } else if (!override_is_sweep(&o)) {
        if (memmem(text.p, text.n, "${", 2) == NULL) { /* Hydra, too, writes those as plain text */
            same_text(&a, &o);
        }
        same_file(&a, file, text, &o);
    } else {
        struct value *elements;
        override_sweep(&a, &o, &elements, &e);
    }
    arena_release(&a);
    return 0;
}
