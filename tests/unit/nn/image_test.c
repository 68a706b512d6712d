/*
 * Decoding, resizing and normalising. Expected values: means that PIL 13 found with
 * Image.open(f).convert("RGB") on the real pictures; PNG files built here byte by byte; naive
 * loops.
 */
#include "data_check.h"

#include <math.h>

/* ---- a PNG writer of our own, with stored blocks: every colour type and depth ---- */

static void add_be32(struct strbuf *b, uint32_t v)
{
    const uint8_t p[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

    strbuf_add(b, p, 4);
}

static uint32_t bitwise_crc(const uint8_t *p, size_t n)
{
    uint32_t c = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++) {
            c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
        }
    }
    return ~c;
}

static void add_chunk(struct strbuf *b, const char *type, const void *data, size_t n)
{
    add_be32(b, (uint32_t)n);
    size_t from = b->n;
    strbuf_add(b, type, 4);
    strbuf_add(b, data, n);
    add_be32(b, bitwise_crc((const uint8_t *)b->p + from, n + 4));
}

struct png {
    int width, height, depth, colour, interlace;
    const uint8_t *rows; /* with filter bytes */
    size_t rows_n;
    const uint8_t *palette, *alpha;
    size_t palette_n, alpha_n;
};

static void make_png(struct strbuf *b, const struct png *p)
{
    struct strbuf z;
    uint8_t head[13] = {0,
                        0,
                        0,
                        (uint8_t)p->width,
                        0,
                        0,
                        0,
                        (uint8_t)p->height,
                        (uint8_t)p->depth,
                        (uint8_t)p->colour,
                        0,
                        0,
                        (uint8_t)p->interlace};
    uint32_t s1 = 1, s2 = 0;
    const uint8_t stored[7] = {0x78,
                               1,
                               1,
                               (uint8_t)p->rows_n,
                               (uint8_t)(p->rows_n >> 8),
                               (uint8_t)~p->rows_n,
                               (uint8_t)(~p->rows_n >> 8)};

    strbuf_init(&z);
    strbuf_add(&z, stored, 7);
    strbuf_add(&z, p->rows, p->rows_n);
    for (size_t i = 0; i < p->rows_n; i++) {
        s1 = (s1 + p->rows[i]) % 65521;
        s2 = (s2 + s1) % 65521;
    }
    add_be32(&z, s2 << 16 | s1);
    strbuf_add(b, "\x89PNG\r\n\x1a\n", 8);
    add_chunk(b, "IHDR", head, 13);
    if (p->palette) {
        add_chunk(b, "PLTE", p->palette, p->palette_n);
    }
    if (p->alpha) {
        add_chunk(b, "tRNS", p->alpha, p->alpha_n);
    }
    add_chunk(b, "IDAT", z.p, z.n);
    add_chunk(b, "IEND", "", 0);
    strbuf_release(&z);
}

static void expect_pixels(const struct png *p, const uint8_t *rgb)
{
    struct strbuf b;
    struct image im = IMAGE_INIT;
    struct err e = ERR_INIT;

    strbuf_init(&b);
    make_png(&b, p);
    check_ok(image_decode(b.p, b.n, NULL, &im, &e), e);
    assert_int_equal(im.width, p->width);
    assert_int_equal(im.height, p->height);
    assert_memory_equal(im.px, rgb, (size_t)p->width * (size_t)p->height * 3);
    image_release(&im);
    strbuf_release(&b);
}

static void png_kinds_become_rgb8(void **state)
{
    static const uint8_t deep[] = {0, 0x12, 0xff, 0x80, 0x01, 0xfe, 0xdc};
    static const uint8_t deep_rgb[] = {0x12, 0x80, 0xfe};
    expect_pixels(&(struct png){1, 1, 16, 2, 0, deep, 7, 0, 0, 0, 0}, deep_rgb);

    static const uint8_t rgba[] = {0, 10, 20, 30, 0, 40, 50, 60, 128};
    static const uint8_t rgba_rgb[] = {10, 20, 30, 40, 50, 60}; /* dropped, not composited */
    expect_pixels(&(struct png){2, 1, 8, 6, 0, rgba, 9, 0, 0, 0, 0}, rgba_rgb);

    static const uint8_t grey_alpha[] = {0, 77, 0, 0, 200, 255};
    static const uint8_t grey_alpha_rgb[] = {77, 77, 77, 200, 200, 200};
    expect_pixels(&(struct png){1, 2, 8, 4, 0, grey_alpha, 6, 0, 0, 0, 0}, grey_alpha_rgb);

    static const uint8_t bits[] = {0, 0xA0};
    static const uint8_t bits_rgb[] = {255, 255, 255, 0, 0, 0, 255, 255, 255};
    expect_pixels(&(struct png){3, 1, 1, 0, 0, bits, 2, 0, 0, 0, 0}, bits_rgb);

    static const uint8_t index[] = {0, 0x1B}, colours[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const uint8_t see_through[] = {0, 128};
    expect_pixels(&(struct png){4, 1, 2, 3, 0, index, 2, colours, see_through, 12, 2}, colours);
}

/* ---- the real pictures ---- */

struct known {
    const char *file;
    int width, height;
    double mean[3];
    bool is_exact; /* PNG: the same pixels; JPEG: another inverse DCT and chroma filter */
};
static const struct known known[] = {
    {"brain-mri/no/1 no.jpeg", 630, 630, {29.718, 29.718, 29.718}, false},
    {"brain-mri/no/2 no.jpeg", 630, 630, {32.142, 32.142, 32.142}, false},
    {"brain-mri/no/N15.jpg", 225, 225, {66.401, 66.401, 66.401}, false},
    {"brain-mri/no/N19.JPG", 230, 282, {54.746, 54.746, 54.746}, false},
    {"brain-mri/no/N20.JPG", 227, 262, {62.900, 62.900, 62.900}, false},
    {"brain-mri/no/N21.jpg", 1024, 1024, {57.390, 57.390, 57.390}, false},
    {"brain-mri/no/No15.jpg", 393, 400, {57.010, 57.009, 57.013}, true},
    {"brain-mri/no/No22.jpg", 359, 449, {43.371, 43.371, 43.371}, false},
    {"brain-mri/no/no 9.png", 1920, 1080, {34.938, 34.938, 34.938}, true},
    {"brain-mri/no/no 98.jpg", 728, 725, {41.955, 41.957, 41.957}, true},
    {"brain-mri/yes/Y101.jpg", 300, 336, {51.240, 51.240, 51.240}, false},
    {"brain-mri/yes/Y108.jpg", 1059, 1200, {56.790, 56.790, 56.790}, false},
    {"brain-mri/yes/Y24.jpg", 1024, 1024, {41.671, 41.671, 41.671}, false},
    {"brain-mri/yes/Y39.jpg", 236, 278, {70.312, 70.312, 70.312}, false},
    {"brain-mri/yes/Y41.jpg", 1275, 1427, {76.338, 76.338, 76.338}, false},
    {"chest-ct/adenocarcinoma/test_000113 (7).png", 485, 340, {52.424, 52.424, 52.424}, true},
    {"image-oddities/chest-gray8.png", 425, 404, {131.794, 131.794, 131.794}, true},
    {"image-oddities/chest-n6.jpg", 224, 225, {115.091, 115.136, 115.097}, false},
    {"image-oddities/chest-n8.jpg", 800, 552, {53.857, 53.857, 53.857}, false},
    {"image-oddities/chest-n9.jpg", 400, 358, {152.213, 152.213, 152.213}, false},
    {"image-oddities/kidney-tumor-progressive.jpg", 650, 450, {73.538, 73.538, 73.538}, false},
    {"image-oddities/predict-input-andcoul.jpg", 755, 611, {73.465, 73.465, 73.465}, false},
    {"image-oddities/predict-input-krishnaik06.jpg", 512, 512, {45.672, 45.672, 45.672}, false},
};

static void real_pictures_are_as_pil_reads_them(void **state)
{
    char path[1024];

    for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
        struct image im = IMAGE_INIT;
        struct err e = ERR_INIT;

        check_ok(image_load(check_shared(known[k].file, path), NULL, &im, &e), e);
        assert_int_equal(im.width, known[k].width);
        assert_int_equal(im.height, known[k].height);
        size_t n = (size_t)im.width * (size_t)im.height;
        for (int c = 0; c < 3; c++) {
            double sum = 0;

            for (size_t i = 0; i < n; i++) {
                sum += im.px[3 * i + (size_t)c];
            }
            double off = fabs(sum / (double)n - known[k].mean[c]);
            if (off > (known[k].is_exact ? 0.0006 : 0.25)) {
                fail_msg("%s channel %d: mean off by %g", known[k].file, c, off);
            }
        }
        image_release(&im);
    }
}

/* ---- what is refused ---- */

static void refuse(const void *data, size_t n, enum err_code code, const char *said)
{
    struct image im = IMAGE_INIT;
    struct err e = ERR_INIT;

    assert_int_equal(image_decode(data, n, NULL, &im, &e), -1);
    assert_null(im.px);
    check_said(&e, said);
    assert_int_equal(e.code, code);
}

static void small_jpeg(struct strbuf *b)
{
    uint8_t px[24 * 16 * 3];

    for (size_t i = 0; i < sizeof(px); i++) {
        px[i] = (uint8_t)(i * 7);
    }
    strbuf_init(b);
    assert_int_equal(image_write_jpeg(b, px, 24, 16, 95, NULL), 0);
}

static size_t find_marker(const struct strbuf *b, int marker)
{
    for (size_t i = 0; i + 1 < b->n; i++) {
        if ((uint8_t)b->p[i] == 0xFF && (uint8_t)b->p[i + 1] == marker) {
            return i;
        }
    }
    fail_msg("no marker %02X", marker);
    return 0;
}

static void bad_jpegs_are_refused(void **state)
{
    struct strbuf b;

    small_jpeg(&b);
    size_t frame = find_marker(&b, 0xC0);
    refuse(b.p, b.n - 2, ERR_FORMAT, "cut off");
    refuse(b.p, b.n / 2, ERR_FORMAT, "cut off");
    refuse(b.p, 30, ERR_FORMAT, "beyond the file");
    refuse(b.p, 0, ERR_FORMAT, "empty");
    refuse("GIF89a", 6, ERR_FORMAT, "neither a JPEG nor a PNG");

    b.p[frame + 4] = 12;
    refuse(b.p, b.n, ERR_FORMAT, "12 bits");
    b.p[frame + 4] = 8;
    b.p[frame + 1] = (char)0xC9;
    refuse(b.p, b.n, ERR_FORMAT, "arithmetic-coded");
    b.p[frame + 1] = (char)0xC3;
    refuse(b.p, b.n, ERR_FORMAT, "lossless");
    b.p[frame + 1] = (char)0xC0;
    b.p[frame + 5] = (char)0x50; /* height 20,496 */
    refuse(b.p, b.n, ERR_LIMIT, "16384 a side");
    b.p[frame + 5] = 0x3f;
    b.p[frame + 7] = 0x3f;
    refuse(b.p, b.n, ERR_LIMIT, "50 million");
    strbuf_release(&b);
}

static void bad_huffman_tables_are_refused(void **state)
{
    struct strbuf b;

    small_jpeg(&b);
    size_t table = find_marker(&b, 0xC4) + 4; /* class and place, then 16 counts */
    uint8_t was = (uint8_t)b.p[table + 8];
    b.p[table + 8] = (char)255;
    refuse(b.p, b.n, ERR_FORMAT, "Huffman table of");
    b.p[table + 8] = (char)was;
    b.p[table] = 0x24;
    refuse(b.p, b.n, ERR_FORMAT, "class and place 24");
    strbuf_release(&b);
}

static void cmyk_is_refused_by_name(void **state)
{
    static const uint8_t four[] = {0xFF, 0xD8, 0xFF, 0xC0, 0, 20, 8,    0, 8, 0,    8, 4,    1,
                                   0x11, 0,    2,    0x11, 0, 3,  0x11, 0, 4, 0x11, 0, 0xFF, 0xD9};
    char *dir = check_temp(), path[1024];
    struct image im = IMAGE_INIT;
    struct err e = ERR_INIT;

    snprintf(path, sizeof(path), "%s/scan four.jpg", dir);
    assert_int_equal(fs_write_atomic(path, four, sizeof(four), 0, NULL), 0);
    assert_int_equal(image_load(path, NULL, &im, &e), -1);
    check_said(&e, "scan four.jpg");
    check_said(&e, "CMYK");
    check_remove(dir);
}

static void too_many_scans_are_refused(void **state)
{
    struct strbuf b, many;

    small_jpeg(&b);
    strbuf_init(&many);
    size_t sos = find_marker(&b, 0xDA);
    strbuf_add(&many, b.p, sos);
    for (int i = 0; i < IMAGE_MAX_JPEG_SCANS + 1; i++) {
        strbuf_add(&many, b.p + sos, 14);
    }
    strbuf_add(&many, "\xFF\xD9", 2);
    refuse(many.p, many.n, ERR_LIMIT, "scans");
    strbuf_release(&many);
    strbuf_release(&b);
}

static void bad_pngs_are_refused(void **state)
{
    static const uint8_t row[] = {0, 1, 2, 3};
    struct strbuf b;

    strbuf_init(&b);
    make_png(&b, &(struct png){1, 1, 8, 2, 0, row, 4, 0, 0, 0, 0});
    for (size_t n = 8; n < b.n; n++) {
        struct image im = IMAGE_INIT;
        assert_int_equal(image_decode(b.p, n, NULL, &im, NULL), -1);
    }
    b.p[8 + 8 + 3] ^= 1; /* width: the check sum knows */
    refuse(b.p, b.n, ERR_FORMAT, "check sum");
    strbuf_reset(&b);
    make_png(&b, &(struct png){1, 1, 8, 3, 0, row, 2, 0, 0, 0, 0});
    refuse(b.p, b.n, ERR_FORMAT, "no palette");
    strbuf_reset(&b);
    make_png(&b, &(struct png){1, 1, 3, 2, 0, row, 4, 0, 0, 0, 0});
    refuse(b.p, b.n, ERR_FORMAT, "unknown kind");
    strbuf_reset(&b);
    make_png(&b, &(struct png){0, 1, 8, 2, 0, row, 1, 0, 0, 0, 0});
    refuse(b.p, b.n, ERR_FORMAT, "0 x 1");
    strbuf_reset(&b);
    make_png(&b, &(struct png){200, 200, 8, 2, 0, row, 4, 0, 0, 0, 0});
    refuse(b.p, b.n, ERR_FORMAT, "damaged PNG of 200 x 200");
    strbuf_release(&b);
}

static void missing_and_huge_files_are_named(void **state)
{
    char *dir = check_temp(), path[1024];
    struct image im = IMAGE_INIT;
    struct err e = ERR_INIT;

    snprintf(path, sizeof(path), "%s/none.jpg", dir);
    assert_int_equal(image_load(path, NULL, &im, &e), -1);
    check_said(&e, "none.jpg");
    snprintf(path, sizeof(path), "%s/huge.jpg", dir);
    FILE *f = fopen(path, "wb");
    assert_int_equal(ftruncate(fileno(f), (off_t)IMAGE_MAX_FILE_BYTES + 1), 0);
    fclose(f);
    err_clear(&e);
    assert_int_equal(image_load(path, NULL, &im, &e), -1);
    check_said(&e, "huge.jpg");
    assert_int_equal(e.code, ERR_LIMIT);
    check_remove(dir);
}

/* ---- orientation ---- */

/* A JPEG with an EXIF orientation put behind its first marker. */
static void with_orientation(struct strbuf *out, const struct strbuf *jpeg, int value)
{
    const uint8_t exif[] = {0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,
                            'M',  'M',  0, 42, 0,   0,   0,   8,   0, 1,
                            1,    0x12, 0, 3,  0,   0,   0,   1,   0, (uint8_t)value,
                            0,    0,    0, 0,  0,   0};

    strbuf_init(out);
    strbuf_add(out, jpeg->p, 2);
    strbuf_add(out, exif, sizeof(exif));
    strbuf_add(out, jpeg->p + 2, jpeg->n - 2);
}

static const uint8_t *at(const struct image *im, int x, int y)
{
    return im->px + 3 * (y * im->width + x);
}

static void orientation_is_an_option(void **state)
{
    struct strbuf plain, turned;
    struct image is = IMAGE_INIT, im = IMAGE_INIT;
    const struct image_options yes = {.apply_orientation = true};

    small_jpeg(&plain);
    assert_int_equal(image_decode(plain.p, plain.n, NULL, &is, NULL), 0);
    int w = is.width, h = is.height;
    for (int o = 1; o <= 8; o++) {
        with_orientation(&turned, &plain, o);
        assert_int_equal(image_decode(turned.p, turned.n, NULL, &im, NULL), 0);
        assert_int_equal(im.width, w); /* off by default */
        assert_memory_equal(im.px, is.px, (size_t)(w * h * 3));
        image_release(&im);
        assert_int_equal(image_decode(turned.p, turned.n, &yes, &im, NULL), 0);
        assert_int_equal(im.width, o > 4 ? h : w);
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                /* PIL's ImageOps.exif_transpose: where stored (x, y) goes */
                int to[8][2] = {{x, y}, {w - 1 - x, y}, {w - 1 - x, h - 1 - y}, {x, h - 1 - y},
                                {y, x}, {h - 1 - y, x}, {h - 1 - y, w - 1 - x}, {y, w - 1 - x}};
                assert_memory_equal(at(&im, to[o - 1][0], to[o - 1][1]), at(&is, x, y), 3);
            }
        }
        image_release(&im);
        strbuf_release(&turned);
    }
    image_release(&is);
    strbuf_release(&plain);
}

/* ---- resizing and normalising ---- */

static double naive_bilinear(const struct image *im, int c, int w, int h, int x, int y)
{
    double sx = fmax((x + 0.5) * im->width / w - 0.5, 0);
    double sy = fmax((y + 0.5) * im->height / h - 0.5, 0);
    int x0 = (int)sx, y0 = (int)sy;
    int x1 = x0 + 1 < im->width ? x0 + 1 : x0, y1 = y0 + 1 < im->height ? y0 + 1 : y0;
    double fx = sx - x0, fy = sy - y0;

    return (1 - fy) * ((1 - fx) * at(im, x0, y0)[c] + fx * at(im, x1, y0)[c]) +
           fy * ((1 - fx) * at(im, x0, y1)[c] + fx * at(im, x1, y1)[c]);
}

static struct image noise(int w, int h)
{
    struct image im;
    uint32_t v = 12345;

    image_alloc(&im, w, h);
    for (int i = 0; i < w * h * 3; i++) {
        v = v * 1664525 + 1013904223;
        im.px[i] = (uint8_t)(v >> 24);
    }
    return im;
}

static void bilinear_equals_the_definition(void **state)
{
    static const int sizes[][2] = {{7, 5}, {64, 48}, {200, 31}, {1, 1}, {33, 33}};
    struct image im = noise(61, 47);

    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        int w = sizes[k][0], h = sizes[k][1];
        uint8_t *out = malloc((size_t)(w * h * 3));

        image_resize(&im, IMAGE_BILINEAR, w, h, out);
        for (int i = 0; i < w * h * 3; i++) {
            double exact = naive_bilinear(&im, i % 3, w, h, i / 3 % w, i / 3 / w);
            assert_true(fabs(out[i] - exact) <= 0.5 + 1e-3);
        }
        free(out);
    }
    image_release(&im);
}

static void bilinear_equals_pytorch(void **state)
{
    /* F.interpolate(torch.arange(12.).reshape(1,1,3,4) * 20, size=(2,3), mode="bilinear").round()
     * and size=(5,2), PyTorch 2.15. */
    static const uint8_t down[6] = {23, 50, 77, 143, 170, 197},
                         tall[10] = {10, 50, 42, 82, 90, 130, 138, 178, 170, 210};
    struct image im;
    uint8_t out[30];

    image_alloc(&im, 4, 3);
    for (int i = 0; i < 36; i++) {
        im.px[i] = (uint8_t)(i / 3 * 20);
    }
    image_resize(&im, IMAGE_BILINEAR, 3, 2, out);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(out[3 * i], down[i]);
    }
    image_resize(&im, IMAGE_BILINEAR, 2, 5, out);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(out[3 * i], tall[i]);
    }
    image_release(&im);
}

static void nearest_and_area(void **state)
{
    struct image im = noise(6, 4);
    uint8_t out[9 * 3];

    image_resize(&im, IMAGE_NEAREST, 3, 3, out);
    for (int y = 0; y < 3; y++) {
        for (int x = 0; x < 3; x++) {
            assert_memory_equal(out + 3 * (3 * y + x), at(&im, x * 2, y * 4 / 3), 3);
        }
    }
    image_resize(&im, IMAGE_AREA, 3, 2, out);
    for (int i = 0; i < 18; i++) {
        int c = i % 3, x = i / 3 % 3, y = i / 9;
        double mean = (at(&im, 2 * x, 2 * y)[c] + at(&im, 2 * x + 1, 2 * y)[c] +
                       at(&im, 2 * x, 2 * y + 1)[c] + at(&im, 2 * x + 1, 2 * y + 1)[c]) /
                      4.0;
        assert_true(fabs(out[i] - mean) <= 0.5);
    }
    image_release(&im);
}

static void bytes_become_normalised_planes(void **state)
{
    static const uint8_t px[2 * 3] = {0, 128, 255, 51, 102, 204};
    const struct image_norm norm = IMAGE_NORM_IMAGENET;
    float x[6];

    image_to_chw(px, 2, 1, &norm, x);
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < 2; i++) {
            double v = (px[3 * i + c] / 255.0 - norm.mean[c]) / norm.std[c];
            assert_true(fabs(x[2 * c + i] - v) < 1e-6);
        }
    }
}

static void a_file_goes_the_same_way_as_its_pixels(void **state)
{
    char *dir = check_temp(), path[1024];
    struct image_preprocess p = {.width = 8, .height = 6, .norm = IMAGE_NORM_IMAGENET};
    float direct[144], steps[144];
    uint8_t small[144];
    struct image im = IMAGE_INIT;
    struct err e = ERR_INIT;

    check_picture(dir, "one.jpg", 40, 30, 3);
    snprintf(path, sizeof(path), "%s/one.jpg", dir);
    check_ok(image_load_chw(path, &p, direct, &e), e);
    check_ok(image_load(path, NULL, &im, &e), e);
    image_resize(&im, IMAGE_BILINEAR, 8, 6, small);
    image_to_chw(small, 8, 6, &p.norm, steps);
    assert_memory_equal(direct, steps, sizeof(steps));
    image_release(&im);
    check_remove(dir);
}

static void writing_reads_back(void **state)
{
    struct image im = noise(37, 23), back = IMAGE_INIT;
    struct strbuf b;
    struct err e = ERR_INIT;

    strbuf_init(&b);
    check_ok(image_write_png(&b, im.px, im.width, im.height, &e), e);
    check_ok(image_decode(b.p, b.n, NULL, &back, &e), e);
    assert_memory_equal(back.px, im.px, 37 * 23 * 3);
    image_release(&back);
    assert_int_equal(image_save("/nowhere/x.gif", im.px, 37, 23, &e), -1);
    check_said(&e, ".gif");
    image_release(&im);
    strbuf_release(&b);
}

static void endings_in_any_case(void **state)
{
    assert_true(image_name_is_picture("Normal- (12).jpg"));
    assert_true(image_name_is_picture("x.JPEG"));
    assert_true(image_name_is_picture("a.b.Png"));
    assert_false(image_name_is_picture("jpg"));
    assert_false(image_name_is_picture("x.gif"));
    assert_false(image_name_is_picture("x.jpg.txt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_kinds_become_rgb8),
        cmocka_unit_test(real_pictures_are_as_pil_reads_them),
        cmocka_unit_test(bad_jpegs_are_refused),
        cmocka_unit_test(bad_huffman_tables_are_refused),
        cmocka_unit_test(cmyk_is_refused_by_name),
        cmocka_unit_test(too_many_scans_are_refused),
        cmocka_unit_test(bad_pngs_are_refused),
        cmocka_unit_test(missing_and_huge_files_are_named),
        cmocka_unit_test(orientation_is_an_option),
        cmocka_unit_test(bilinear_equals_the_definition),
        cmocka_unit_test(bilinear_equals_pytorch),
        cmocka_unit_test(nearest_and_area),
        cmocka_unit_test(bytes_become_normalised_planes),
        cmocka_unit_test(a_file_goes_the_same_way_as_its_pixels),
        cmocka_unit_test(writing_reads_back),
        cmocka_unit_test(endings_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
