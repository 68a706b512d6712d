/*
 * Header scan of JPEG (ITU-T T.81 annex B; EXIF 2.3 for the orientation) and PNG (RFC 2083): walks
 * every segment or chunk without decoding, so that the decoder sees only files whose size, kind and
 * completeness are known. See image.h for the limits.
 */
#include "image.h"

#include "err.h"

#include <string.h>

struct bytes {
    const uint8_t *p;
    size_t n;
};

static unsigned be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static unsigned tiff16(const uint8_t *p, bool little)
{
    return little ? (unsigned)p[1] << 8 | p[0] : be16(p);
}

static uint32_t tiff32(const uint8_t *p, bool little)
{
    return little ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0]
                  : be32(p);
}

/* Orientation (tag 0x0112) from the first directory of a TIFF block; 1 when absent or damaged: a
 * bad note about a picture is no reason to refuse the picture. */
static int tiff_orientation(struct bytes t)
{
    if (t.n < 14 || (memcmp(t.p, "II", 2) != 0 && memcmp(t.p, "MM", 2) != 0)) {
        return 1;
    }
    bool little = t.p[0] == 'I';
    uint32_t at = tiff32(t.p + 4, little);
    if (at > t.n - 2) {
        return 1;
    }
    unsigned entries = tiff16(t.p + at, little);
    for (unsigned i = 0; i < entries; i++) {
        size_t entry = (size_t)at + 2 + 12 * (size_t)i;

        if (entry + 12 > t.n) {
            return 1;
        }
        if (tiff16(t.p + entry, little) == 0x0112) {
            unsigned v = tiff16(t.p + entry + 8, little);
            return v >= 1 && v <= 8 ? (int)v : 1;
        }
    }
    return 1;
}

static int check_size(const struct image_info *info, struct err *e)
{
    if (info->width < 1 || info->height < 1) {
        return err_set(e, ERR_FORMAT, "%s of %d x %d pixels", image_format_name(info->format),
                       info->width, info->height);
    }
    if (info->width > IMAGE_MAX_SIDE_PX || info->height > IMAGE_MAX_SIDE_PX) {
        return err_set(e, ERR_LIMIT, "%s of %d x %d pixels, at most %d a side are allowed",
                       image_format_name(info->format), info->width, info->height,
                       IMAGE_MAX_SIDE_PX);
    }
    if ((uint64_t)info->width * (uint64_t)info->height > IMAGE_MAX_PIXELS) {
        return err_set(e, ERR_LIMIT, "%s of %d x %d pixels, more than 50 million",
                       image_format_name(info->format), info->width, info->height);
    }
    return 0;
}

/* ---- JPEG ---- */

enum {
    M_SOF0 = 0xC0,
    M_SOF2 = 0xC2,
    M_DHT = 0xC4,
    M_RST0 = 0xD0,
    M_SOI = 0xD8,
    M_EOI = 0xD9,
    M_SOS = 0xDA,
    M_APP1 = 0xE1,
    M_TEM = 0x01,
};

static const char *jpeg_kind(unsigned marker)
{
    switch (marker) {
    case 0xC3:
        return "lossless";
    case 0xC5:
    case 0xC6:
    case 0xC7:
        return "hierarchical";
    default:
        return "arithmetic-coded";
    }
}

static int jpeg_frame(unsigned marker, struct bytes seg, struct image_info *out, struct err *e)
{
    if (marker > M_SOF2) {
        return err_set(e, ERR_FORMAT, "%s JPEG is not supported (marker FF%02X)", jpeg_kind(marker),
                       marker);
    }
    if (out->channels != 0) {
        return err_set(e, ERR_FORMAT, "JPEG with two frame headers");
    }
    if (seg.n < 6 || seg.n < 6 + 3 * (size_t)seg.p[5]) {
        return err_set(e, ERR_FORMAT, "JPEG with a frame header that is too short");
    }
    out->depth = seg.p[0];
    out->height = (int)be16(seg.p + 1);
    out->width = (int)be16(seg.p + 3);
    out->channels = seg.p[5];
    out->is_progressive = marker == M_SOF2;
    if (out->depth != 8) {
        return err_set(e, ERR_FORMAT, "JPEG with %d bits a sample, only 8 are supported",
                       out->depth);
    }
    if (out->channels == 4) {
        return err_set(e, ERR_FORMAT,
                       "CMYK JPEG (4 components) is not supported, convert the picture to RGB");
    }
    if (out->channels != 1 && out->channels != 3) {
        return err_set(e, ERR_FORMAT, "JPEG with %d components, expected 1 or 3", out->channels);
    }
    return check_size(out, e);
}

/* Behind the entropy-coded data that starts at `at`: the place of the next marker's FF, or n. */
static size_t jpeg_skip_scan(struct bytes file, size_t at)
{
    while (at < file.n) {
        const uint8_t *ff = memchr(file.p + at, 0xFF, file.n - at);

        if (ff == NULL) {
            return file.n;
        }
        at = (size_t)(ff - file.p);
        if (at + 1 >= file.n) {
            return file.n;
        }
        unsigned next = file.p[at + 1];
        if (next != 0 && next != 0xFF && (next & 0xF8) != M_RST0) {
            return at;
        }
        at += next == 0xFF ? 1 : 2;
    }
    return file.n;
}

/*
 * Huffman tables, T.81 B.2.4.2. Checked here because the decoder of 2022 (Debian 12) stores the
 * code lengths before it counts them: more than 256 codes write past its table (found by
 * image_fuzz). It meets segments at the same places as this walk: both go from marker to marker by
 * the segments' lengths and leave a scan at the first marker that is no restart.
 */
static int jpeg_huffman(struct bytes seg, struct err *e)
{
    while (seg.n > 0) {
        size_t codes = 0;

        if (seg.n < 17) {
            return err_set(e, ERR_FORMAT, "JPEG with a Huffman table that is cut off");
        }
        for (size_t i = 1; i <= 16; i++) {
            codes += seg.p[i];
        }
        if (seg.p[0] >> 4 > 1 || (seg.p[0] & 15) > 3 || codes > 256 || 17 + codes > seg.n) {
            return err_set(e, ERR_FORMAT,
                           "JPEG with a Huffman table of %zu codes (class and place %02X)", codes,
                           seg.p[0]);
        }
        seg.p += 17 + codes;
        seg.n -= 17 + codes;
    }
    return 0;
}

static int jpeg_segment(unsigned marker, struct bytes seg, struct image_info *out, struct err *e)
{
    if (marker >= M_SOF0 && marker <= 0xCF && marker != M_DHT && marker != 0xC8 && marker != 0xCC) {
        return jpeg_frame(marker, seg, out, e);
    }
    if (marker == M_DHT && jpeg_huffman(seg, e) < 0) {
        return -1;
    }
    if (marker == M_APP1 && seg.n > 6 && memcmp(seg.p, "Exif\0", 6) == 0) {
        out->orientation = tiff_orientation((struct bytes){seg.p + 6, seg.n - 6});
    }
    if (marker == M_SOS) {
        if (out->channels == 0) {
            return err_set(e, ERR_FORMAT, "JPEG with data before its frame header");
        }
        if (++out->scans > IMAGE_MAX_JPEG_SCANS) {
            return err_set(e, ERR_LIMIT, "JPEG with more than %d scans", IMAGE_MAX_JPEG_SCANS);
        }
        /* Each progressive scan walks all coefficients: this product is the decoder's time. */
        if ((uint64_t)out->scans * (uint64_t)out->width * (uint64_t)out->height >
            8 * (uint64_t)IMAGE_MAX_PIXELS) {
            return err_set(e, ERR_LIMIT, "JPEG of %d x %d pixels with %d scans takes too long",
                           out->width, out->height, out->scans);
        }
    }
    return 0;
}

static int truncated_jpeg(const struct image_info *out, struct err *e)
{
    if (out->scans == 0) {
        return err_set(e, ERR_FORMAT, "JPEG without picture data (cut off?)");
    }
    return err_set(e, ERR_FORMAT, "JPEG ends before its end-of-image marker (cut off?)");
}

static int scan_jpeg(struct bytes file, struct image_info *out, struct err *e)
{
    size_t at = 2;

    out->format = IMAGE_JPEG;
    for (;;) {
        const uint8_t *ff = at < file.n ? memchr(file.p + at, 0xFF, file.n - at) : NULL;

        if (ff == NULL) {
            return truncated_jpeg(out, e);
        }
        at = (size_t)(ff - file.p);
        while (at < file.n && file.p[at] == 0xFF) {
            at++;
        }
        if (at >= file.n) {
            return truncated_jpeg(out, e);
        }
        unsigned marker = file.p[at++];
        if (marker == M_EOI) {
            return out->scans > 0 ? 0 : truncated_jpeg(out, e);
        }
        if (marker == 0 || marker == M_TEM || marker == M_SOI || (marker & 0xF8) == M_RST0) {
            continue; /* no length; 00 is padding between segments */
        }
        if (file.n - at < 2 || be16(file.p + at) < 2 || be16(file.p + at) > file.n - at) {
            return err_set(e, ERR_FORMAT, "JPEG segment FF%02X reaches beyond the file", marker);
        }
        size_t length = be16(file.p + at);
        if (jpeg_segment(marker, (struct bytes){file.p + at + 2, length - 2}, out, e) < 0) {
            return -1;
        }
        at += length;
        if (marker == M_SOS) {
            at = jpeg_skip_scan(file, at);
        }
    }
}

/* ---- PNG ---- */

static uint32_t png_crc(const uint8_t *p, size_t n)
{
    /* CRC-32 of RFC 2083 annex 15, four bits at a time. */
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static bool png_depth_is_legal(int colour, int depth)
{
    switch (colour) {
    case 0:
        return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case 3:
        return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case 2:
    case 4:
    case 6:
        return depth == 8 || depth == 16;
    default:
        return false;
    }
}

static int png_header(struct bytes data, struct image_info *out, struct err *e)
{
    static const int channels[7] = {1, 0, 3, 1, 2, 0, 4};

    if (data.n != 13) {
        return err_set(e, ERR_FORMAT, "PNG header of %zu bytes, expected 13", data.n);
    }
    if (be32(data.p) > INT32_MAX || be32(data.p + 4) > INT32_MAX) {
        return err_set(e, ERR_LIMIT, "PNG of %u x %u pixels", be32(data.p), be32(data.p + 4));
    }
    int colour = data.p[9];
    out->width = (int)be32(data.p);
    out->height = (int)be32(data.p + 4);
    out->depth = data.p[8];
    if (!png_depth_is_legal(colour, out->depth) || data.p[10] != 0 || data.p[11] != 0 ||
        data.p[12] > 1) {
        return err_set(e, ERR_FORMAT,
                       "PNG of unknown kind (colour type %d, %d bits, compression %d, filter %d, "
                       "interlace %d)",
                       colour, out->depth, data.p[10], data.p[11], data.p[12]);
    }
    out->channels = channels[colour];
    out->has_palette = colour == 3;
    out->is_progressive = data.p[12] == 1;
    return check_size(out, e);
}

struct png_state {
    bool header, palette, data;
};

static int png_chunk(const char *type, struct bytes data, struct png_state *seen,
                     struct image_info *out, struct err *e)
{
    if (!seen->header) {
        if (memcmp(type, "IHDR", 4) != 0) {
            return err_set(e, ERR_FORMAT, "PNG does not begin with its header");
        }
        seen->header = true;
        return png_header(data, out, e);
    }
    if (memcmp(type, "PLTE", 4) == 0) {
        seen->palette = true;
        if (data.n == 0 || data.n % 3 != 0 || data.n > 768) {
            return err_set(e, ERR_FORMAT, "PNG palette of %zu bytes", data.n);
        }
    } else if (memcmp(type, "IDAT", 4) == 0) {
        seen->data = true;
        if (out->has_palette && !seen->palette) {
            return err_set(e, ERR_FORMAT, "PNG with palette colours but no palette");
        }
    } else if (memcmp(type, "eXIf", 4) == 0) {
        out->orientation = tiff_orientation(data);
    } else if (!(type[0] & 0x20)) {
        return err_set(e, ERR_FORMAT, "PNG with an unknown or repeated critical chunk");
    }
    return 0;
}

static int scan_png(struct bytes file, struct image_info *out, struct err *e)
{
    struct png_state seen = {0};
    size_t at = 8;

    out->format = IMAGE_PNG;
    out->scans = 1;
    for (;;) {
        if (file.n - at < 12 || be32(file.p + at) > file.n - at - 12) {
            return err_set(e, ERR_FORMAT, "PNG ends inside a chunk (cut off?)");
        }
        size_t length = be32(file.p + at);
        const char *type = (const char *)file.p + at + 4;
        bool is_critical = !(type[0] & 0x20);
        if (is_critical && png_crc(file.p + at + 4, length + 4) != be32(file.p + at + 8 + length)) {
            return err_set(e, ERR_FORMAT, "PNG with a wrong check sum at byte %zu (damaged?)", at);
        }
        if (memcmp(type, "IEND", 4) == 0 && seen.header) {
            return seen.data ? 0 : err_set(e, ERR_FORMAT, "PNG without picture data");
        }
        if (png_chunk(type, (struct bytes){file.p + at + 8, length}, &seen, out, e) < 0) {
            return -1;
        }
        at += 12 + length;
    }
}

/* ---- both ---- */

const char *image_format_name(enum image_format format)
{
    static const char *const names[] = {
#define X(name, text) text,
        IMAGE_FORMATS(X)
#undef X
    };
    return names[format];
}

int image_scan(const void *data, size_t n, struct image_info *out, struct err *e)
{
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    struct bytes file = {data, n};

    *out = (struct image_info){.orientation = 1};
    if (n > IMAGE_MAX_FILE_BYTES) {
        return err_set(e, ERR_LIMIT, "picture file of %zu bytes, at most %zu are allowed", n,
                       IMAGE_MAX_FILE_BYTES);
    }
    if (n == 0) {
        return err_set(e, ERR_FORMAT, "the picture file is empty");
    }
    if (n >= 3 && file.p[0] == 0xFF && file.p[1] == M_SOI && file.p[2] == 0xFF) {
        return scan_jpeg(file, out, e);
    }
    if (n >= 8 && memcmp(file.p, png, 8) == 0) {
        return scan_png(file, out, e);
    }
    return err_set(e, ERR_FORMAT, "neither a JPEG nor a PNG picture (begins with %02X %02X)",
                   file.p[0], n > 1 ? file.p[1] : 0);
}

size_t image_budget(const struct image_info *info, size_t file_bytes)
{
    size_t px = (size_t)info->width * (size_t)info->height, per_px;

    if (info->format == IMAGE_JPEG) {
        /* Planes padded to whole blocks, RGB; progressive keeps 16-bit coefficients as well. */
        per_px = 8 + (info->is_progressive ? 8 : 0);
    } else {
        /* Inflated rows (growing by doubling), samples, palette expansion, RGB. */
        size_t stored = (size_t)info->channels * (info->depth == 16 ? 2 : 1);
        per_px = 3 * (stored + 1) + stored + 8;
    }
    return px * per_px + file_bytes + ((size_t)64 << 20);
}
