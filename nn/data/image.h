#ifndef NEPHRON_IMAGE_H
#define NEPHRON_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Pictures from strangers to RGB8 and to network input. JPEG (baseline and progressive, grey,
 * YCbCr, RGB) and PNG (1..16 bit, grey, palette, RGB, with or without alpha, interlaced), chosen by
 * content, never by the file's name. The pixels are those of PIL's Image.convert("RGB"): alpha is
 * dropped, not composited; of 16-bit samples the high byte is kept. JPEG values may differ by a few
 * grey levels from libjpeg's (another inverse DCT and chroma filter).
 *
 * A scan of our own runs before the decoder (stb_image) sees a byte. Limits:
 *   file 20 MiB; width and height 1..16384; 50 million pixels; 1, 3 (JPEG), 1..4 (PNG) channels;
 *   JPEG: 8 bits, Huffman, at most 64 scans, an end-of-image marker; CMYK is refused;
 *   PNG: chunk lengths inside the file, CRC right, IHDR first, PLTE where needed, IEND;
 *   memory of the decoder: image_budget() bytes.
 * A picture beyond a limit is refused with ERR_LIMIT, a malformed one with ERR_FORMAT.
 */

#define IMAGE_MAX_FILE_BYTES ((size_t)20 << 20)
#define IMAGE_MAX_SIDE_PX 16384
#define IMAGE_MAX_PIXELS 50000000u
#define IMAGE_MAX_JPEG_SCANS 64

#define IMAGE_FORMATS(X)                                                                           \
    X(JPEG, "JPEG")                                                                                \
    X(PNG, "PNG")

enum image_format {
#define X(name, text) IMAGE_##name,
    IMAGE_FORMATS(X)
#undef X
};

/* What the header scan found. */
struct image_info {
    enum image_format format;
    int width, height;   /* px, before orientation */
    int channels;        /* as stored: palette 1; grey+alpha 2 */
    int depth;           /* bits a sample */
    bool has_palette;    /* PNG colour type 3 */
    bool is_progressive; /* JPEG; for PNG: Adam7 interlace */
    int scans;           /* JPEG; PNG 1 */
    int orientation;     /* EXIF 1..8; 1 when absent or invalid */
};

/* RGB8, rows top down, 3 * width bytes a row, no padding. Zero-initialise with IMAGE_INIT. */
struct image {
    int width, height;
    uint8_t *px; /* malloc'ed */
};
#define IMAGE_INIT                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }

struct image_options {
    bool apply_orientation; /* turn as EXIF says; default off, as PIL and Keras do */
};

const char *image_format_name(enum image_format format);

/* Header scan of data[0..n): no allocation, time linear in n. Errors as above, without a name:
 * callers that know the file wrap it. */
int image_scan(const void *data, size_t n, struct image_info *out, struct err *e);
/* Bytes that decoding `info` may allocate. */
size_t image_budget(const struct image_info *info, size_t file_bytes);

/* *out must be IMAGE_INIT or released; release it with image_release. opt may be NULL. Thread-safe.
 */
int image_decode(const void *data, size_t n, const struct image_options *opt, struct image *out,
                 struct err *e);
/* As image_decode, from a file; errors name it. */
int image_load(const char *path, const struct image_options *opt, struct image *out, struct err *e);
void image_release(struct image *im);
/* Allocates (aborting when memory is out) black pixels; width, height within the limits above. */
void image_alloc(struct image *im, int width, int height);

enum image_filter {
    /* Half-pixel centres, two neighbours in each direction, no low-pass for shrinking: output pixel
     * i samples at s = max((i + 0.5) * in/out - 0.5, 0), neighbours floor(s) and min(floor(s)+1,
     * in-1). Equals torch.nn.functional.interpolate(mode="bilinear", align_corners=False,
     * antialias=False) followed by round-half-even, which is torchvision's resize(antialias=False)
     * of a uint8 tensor. This is the one that training and serving use. */
    IMAGE_BILINEAR,
    IMAGE_NEAREST, /* source floor(i * in/out), as interpolate(mode="nearest") */
    IMAGE_AREA,    /* mean over the covered source area; thumbnails */
};

/* Writes dst_width * dst_height * 3 bytes. src and dst must not overlap. */
void image_resize(const struct image *src, enum image_filter filter, int dst_width, int dst_height,
                  uint8_t *dst);

/* y = (x/255 - mean) / std, per channel. */
struct image_norm {
    float mean[3], std[3];
};
#define IMAGE_NORM_IMAGENET                                                                        \
    ((struct image_norm){.mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}})
#define IMAGE_NORM_UNIT ((struct image_norm){.mean = {0, 0, 0}, .std = {1, 1, 1}})

/* px (H,W,3) uint8 -> x (3,H,W) fp32, contiguous, in one pass. */
void image_to_chw(const uint8_t *px, int width, int height, const struct image_norm *norm,
                  float *x);

/*
 * The whole way of a picture into a network, for prediction and evaluation:
 * load, bilinear resize to (height, width), normalise. x: 3*height*width floats.
 */
struct image_preprocess {
    int width, height;
    struct image_norm norm;
    struct image_options decode;
};
int image_load_chw(const char *path, const struct image_preprocess *p, float *x, struct err *e);

/* True for names ending in .jpg, .jpeg or .png in any case. */
bool image_name_is_picture(const char *name);

#endif
