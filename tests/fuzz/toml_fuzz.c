/* TOML and Python parameter files; what is read must survive flattening and look-ups. The first
 * byte chooses. */
#include "err.h"
#include "params.h"
#include "pyparams.h"
#include "toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536) {
        return 0;
    }
    struct arena a;
    arena_init(&a);
    struct str text = {(const char *)data + 1, size - 1};
    struct value *v =
        data[0] & 1 ? toml_parse(&a, text, "f.toml", NULL) : pyparams_parse(&a, text, "f.py", NULL);
    if (v) {
        struct value *flat = params_flatten(&a, v);
        for (size_t i = 0; i < flat->map.count && i < 50; i++) {
            params_get(v, flat->map.pairs[i].key->s.p);
        }
        params_diff(&a, value_map(&a), v, true);
    }
    arena_release(&a);
    return 0;
}
