/* config/config.yaml and params.yaml, parted by the first NUL: typed settings in their ranges, or a reason. */
#include "err.h"
#include "settings.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings s;
    struct err e = ERR_INIT;
    if (size > 65536) {
        return 0;
    }
    char *text = malloc(size + 2);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = text[size + 1] = 0;
    if (settings_parse(&s, text, text + strlen(text) + 1, NULL, &e) < 0) {
        if (e.text[0] == 0) {
            abort();
        }
    } else {
        if (s.classes < 2 || s.batch < 1 || s.epochs < 1 || s.width < 32 || s.height < 32 ||
            !isfinite(s.learning_rate) || !(s.learning_rate > 0) ||
            !(s.validation_split >= 0 && s.validation_split < 1)) {
            abort();
        }
        settings_release(&s);
    }
    free(text);
    return 0;
}
