/* Jobs and results as they come over the wire: what is accepted packs to the same bytes. */
#include "carry.h"
#include "job.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str bytes = {(const char *)data, size};
    struct job j;
    struct job_result r;
    struct carry list;
    struct strbuf out;
    arena_init(&a);
    strbuf_init(&out);
    if (job_unpack(bytes, &a, &j, NULL) == 0) {
        job_pack(&j, &out);
        if (!str_eq(bytes, strbuf_str(&out))) {
            abort();
        }
        carry_parse(&a, j.carry, &list, NULL);
    }
    carry_parse(&a, bytes, &list, NULL);
    strbuf_reset(&out);
    if (result_unpack(bytes, &a, &r, NULL) == 0) {
        result_pack(&r, &out);
        if (!str_eq(bytes, strbuf_str(&out))) {
            abort();
        }
    }
    strbuf_release(&out);
    arena_release(&a);
    return 0;
}
