/*
 * Decoding behind the header scan (image_scan.c) with stb_image on a memory budget, EXIF turning,
 * and the pass from bytes to network input. Resizing is in image_resize.c.
 */
#include "image.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "path.h"
#include "stb_budget.h"
#include "str.h"

#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_STDIO
#include <stb/stb_image.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void image_alloc(struct image *im, int width, int height)
{
    size_t row, n;

    if (width < 1 || height < 1 || !size_mul((size_t)width, 3, &row) ||
        !size_mul(row, (size_t)height, &n)) {
        BUG("picture of %d x %d", width, height);
    }
    *im = (struct image){.width = width, .height = height, .px = xcalloc(n, 1)};
}

void image_release(struct image *im)
{
    free(im->px);
    *im = (struct image)IMAGE_INIT;
}

/* Where output pixel (x, y) of a picture turned by EXIF orientation o comes from (w, h: stored). */
static size_t oriented_source(int o, int w, int h, int x, int y)
{
    int sx = o <= 4 ? x : y, sy = o <= 4 ? y : x;

    if (o == 2 || o == 3 || o == 7 || o == 8) {
        sx = w - 1 - sx;
    }
    if (o == 3 || o == 4 || o == 6 || o == 7) {
        sy = h - 1 - sy;
    }
    return ((size_t)sy * (size_t)w + (size_t)sx) * 3;
}

static void turn(struct image *im, int orientation)
{
    struct image turned;
    bool swaps = orientation > 4;

    image_alloc(&turned, swaps ? im->height : im->width, swaps ? im->width : im->height);
    for (int y = 0; y < turned.height; y++) {
        for (int x = 0; x < turned.width; x++) {
            size_t to = ((size_t)y * (size_t)turned.width + (size_t)x) * 3;
            memcpy(turned.px + to,
                   im->px + oriented_source(orientation, im->width, im->height, x, y), 3);
        }
    }
    image_release(im);
    *im = turned;
}

int image_decode(const void *data, size_t n, const struct image_options *opt, struct image *out,
                 struct err *e)
{
    struct image_info info;
    int width = 0, height = 0, channels = 0;

    if (image_scan(data, n, &info, e) < 0) {
        return -1;
    }
    stb_budget_begin(image_budget(&info, n));
    uint8_t *px = stbi_load_from_memory(data, (int)n, &width, &height, &channels, 3);
    bool refused = stb_budget_end();
    if (px == NULL) {
        const char *why = stbi_failure_reason();

        return refused ? err_set(e, ERR_LIMIT, "%s needs more memory than its %d x %d pixels allow",
                                 image_format_name(info.format), info.width, info.height)
                       : err_set(e, ERR_FORMAT, "damaged %s of %d x %d pixels (decoder: %s)",
                                 image_format_name(info.format), info.width, info.height,
                                 why ? why : "unknown");
    }
    if (width != info.width || height != info.height) {
        free(px);
        return err_set(e, ERR_FORMAT, "%s whose size is said twice, %d x %d and %d x %d",
                       image_format_name(info.format), info.width, info.height, width, height);
    }
    *out = (struct image){.width = width, .height = height, .px = px};
    if (opt != NULL && opt->apply_orientation && info.orientation > 1) {
        turn(out, info.orientation);
    }
    return 0;
}

int image_load(const char *path, const struct image_options *opt, struct image *out, struct err *e)
{
    struct strbuf bytes;
    int rc;

    strbuf_init(&bytes);
    rc = fs_read(path, IMAGE_MAX_FILE_BYTES, &bytes, e);
    if (rc == 0) {
        rc = image_decode(bytes.p, bytes.n, opt, out, e);
    }
    strbuf_release(&bytes);
    return rc < 0 ? err_wrap(e, "cannot read the picture %s", path) : 0;
}

void image_to_chw(const uint8_t *px, int width, int height, const struct image_norm *norm, float *x)
{
    size_t n = (size_t)width * (size_t)height;
    float table[3][256]; /* a byte has 256 values: divide once for each, not for each pixel */

    for (int c = 0; c < 3; c++) {
        for (int v = 0; v < 256; v++) {
            table[c][v] = ((float)v / 255.0f - norm->mean[c]) / norm->std[c];
        }
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = table[0][px[3 * i]];
        x[n + i] = table[1][px[3 * i + 1]];
        x[2 * n + i] = table[2][px[3 * i + 2]];
    }
}

static void preprocess(const struct image *im, const struct image_preprocess *p, float *x)
{
    uint8_t *small = xmalloc((size_t)p->width * (size_t)p->height * 3);

    image_resize(im, IMAGE_BILINEAR, p->width, p->height, small);
    image_to_chw(small, p->width, p->height, &p->norm, x);
    free(small);
}

int image_load_chw(const char *path, const struct image_preprocess *p, float *x, struct err *e)
{
    struct image im = IMAGE_INIT;

    if (image_load(path, &p->decode, &im, e) < 0) {
        return -1;
    }
    preprocess(&im, p, x);
    image_release(&im);
    return 0;
}

bool image_name_is_picture(const char *name)
{
    const char *ext = path_extension(name);

    return strcasecmp(ext, ".jpg") == 0 || strcasecmp(ext, ".jpeg") == 0 ||
           strcasecmp(ext, ".png") == 0;
}
