/* Files of a person that are edited as text (.dvc, dvc.yaml): what comes out must be read again and hold what was put in. */
#include "arena.h"
#include "dvcfile.h"
#include "err.h"
#include "stagefile.h"
#include "value.h"
#include "yaml.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MD5 "0123456789abcdef0123456789abcdef"

static const struct value *read_again(struct arena *a, const struct strbuf *text)
{
    const struct value *v = yaml_parse(a, strbuf_str(text), NULL, NULL);
    if (v == NULL) {
        abort();
    }
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct strbuf out;
    struct str text = {(const char *)data, size};
    struct hash hash = {.md5 = MD5, .size = 7, .nfiles = -1};
    if (size > 65536) {
        return 0;
    }
    arena_init(&a);
    strbuf_init(&out);
    const struct value *given = yaml_parse(&a, text, NULL, NULL);
    if (given == NULL || given->type != VALUE_MAP) { /* the pipeline has refused it before */
        goto out;
    }
    if (dvcfile_edit(text, "outs", 0, &hash, &out, NULL) == 0) {
        const struct value *outs = value_get(read_again(&a, &out), "outs");
        if (outs == NULL || outs->type != VALUE_LIST || outs->list.count == 0 ||
            !str_is(value_as_str(value_get(outs->list.items[0], "md5")), MD5)) {
            abort();
        }
    }
    strbuf_reset(&out);
    if (stagefile_set_frozen(text, "f.dvc", NULL, true, &out, NULL) == 0) {
        const struct value *frozen = value_get(read_again(&a, &out), "frozen");
        if (frozen == NULL || frozen->type != VALUE_BOOL || !frozen->b) {
            abort();
        }
    }
out:
    strbuf_release(&out);
    arena_release(&a);
    return 0;
}
