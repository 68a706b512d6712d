/* .dir objects: any bytes; what is accepted stays inside of its folder and survives a round trip.
 */
#include "dirobj.h"
#include "err.h"
#include "path.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct dirobj d, back;
    struct err e = ERR_INIT;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text);
    if (dirobj_parse(&a, &d, (struct str){(const char *)data, size}, "x", &e) < 0) {
        if (e.code != ERR_FORMAT) {
            abort();
        }
    } else {
        for (size_t i = 0; i < d.count; i++) {
            const char *abs = path_absolute(&a, "/safe/place", d.items[i].relpath);
            if (!path_inside("/safe/place", abs) || !strcmp(abs, "/safe/place")) {
                abort();
            }
        }
        dirobj_write(&d, &text);
        if (dirobj_parse(&a, &back, strbuf_str(&text), "x", &e) < 0 ||
            strcmp(back.md5, d.md5) != 0 || back.count != d.count) {
            abort();
        }
    }
    strbuf_release(&text);
    arena_release(&a);
    return 0;
}
