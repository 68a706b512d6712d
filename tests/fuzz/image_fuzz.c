/*
 * Pictures from strangers: header scan, decoding with and without turning, resizing. Whatever the
 * scan lets through, the decoder must survive within its budget, and sizes must agree.
 */
#include "err.h"
#include "image.h"

#include <stdlib.h>

enum { MAX_PIXELS = 1 << 20, SIDE = 9 }; /* larger ones are only slower, not other code */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const uint8_t *data, size_t size, const struct image_info *info,
                   const struct image_options *opt)
{
    struct image im = IMAGE_INIT;
    struct err e = ERR_INIT;
    uint8_t small[SIDE * SIDE * 3];

    if (image_decode(data, size, opt, &im, &e) < 0) {
        if (e.text[0] == '\0' || im.px != NULL) {
            abort();
        }
        return;
    }
    if ((size_t)im.width * (size_t)im.height != (size_t)info->width * (size_t)info->height) {
        abort();
    }
    image_resize(&im, IMAGE_BILINEAR, SIDE, SIDE, small);
    image_resize(&im, IMAGE_AREA, SIDE, SIDE, small);
    image_release(&im);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_info info;
    struct err e = ERR_INIT;

    if (image_scan(data, size, &info, &e) < 0) {
        if (e.text[0] == '\0') {
            abort();
        }
        return 0;
    }
    if ((size_t)info.width * (size_t)info.height <= MAX_PIXELS) {
        decode(data, size, &info, NULL);
        decode(data, size, &info, &(struct image_options){.apply_orientation = true});
    }
    return 0;
}
