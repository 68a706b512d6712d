/* Answers of object stores and frames from any bytes; the first byte chooses. */
#include "arena.h"
#include "err.h"
#include "frame.h"
#include "keylist.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_page(struct str text, const struct keylist_form *form)
{
    struct arena a;
    struct keylist l;
    struct err e = ERR_INIT;
    arena_init(&a);
    if (keylist_parse(&a, text, form, &l, &e) == 0) {
        keylist_release(&l);
    } else if (e.code == ERR_NONE || l.items) {
        abort();
    }
    keylist_text(&a, text, "Message");
    arena_release(&a);
}

static void read_frame(struct str text)
{
    struct arena a;
    struct frame f;
    size_t used = 0;
    arena_init(&a);
    if (frame_parse(&a, text, &f, &used, NULL) > 0) {
        if (used > text.n || frame_field(&f, f.count)[0] != '\0') {
            abort();
        }
        frame_is_text(&f);
    }
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct str text = {(const char *)data + 1, size - 1};
    if (data[0] == 'f') {
        read_frame(text);
    } else {
        read_page(text, data[0] == 'z' ? &keylist_azure : &keylist_s3);
    }
    return 0;
}
