/* The zip reader and writer: round trip, and what a damaged or hostile archive does. */
#include "weights_check.h"

#include "arena.h"
#include "bytes_le.h"
#include "crc32.h"
#include "zipfile.h"

#include <fcntl.h>

struct archive {
    char *dir;
    struct strbuf bytes;
};

static const char LONG_TEXT[] =
    "0123456789012345678901234567890123456789012345678901234567890123456";

static int setup(void **state)
{
    struct err e = ERR_INIT;
    struct archive *a = calloc(1, sizeof(*a));
    struct zipwriter w;
    a->dir = check_dir_new();
    const char *path = check_path(a->dir, "a.zip");
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    zipwriter_init(&w, fd, path);
    CHECK_OK(zipwriter_add(&w, "r/first", "hello", 5, &e));
    CHECK_OK(zipwriter_add(&w, "r/empty", "", 0, &e));
    CHECK_OK(zipwriter_begin(&w, "r/pieces", sizeof(LONG_TEXT), &e));
    CHECK_OK(zipwriter_write(&w, LONG_TEXT, 10, &e));
    CHECK_OK(zipwriter_write(&w, LONG_TEXT + 10, sizeof(LONG_TEXT) - 10, &e));
    CHECK_OK(zipwriter_end(&w, &e));
    CHECK_OK(zipwriter_finish(&w, &e));
    zipwriter_release(&w);
    close(fd);
    a->bytes = check_read(path);
    *state = a;
    return 0;
}

static int teardown(void **state)
{
    struct archive *a = *state;
    strbuf_release(&a->bytes);
    check_dir_free(a->dir);
    free(a);
    return 0;
}

/* Reads everything; returns 0 when all of it is good. */
static int read_all(const void *data, size_t n, struct err *e)
{
    struct arena arena;
    struct zipfile z;
    void *block = malloc(n > 0 ? n : 1);
    memcpy(block, data, n);
    arena_init(&arena);
    int rc = zipfile_parse(&arena, block, n, &z, e);
    for (size_t i = 0; rc == 0 && i < z.count; i++) {
        rc = zipfile_data(&z, &z.entries[i], false, e);
    }
    arena_release(&arena);
    free(block);
    return rc;
}

static void test_round_trip(void **state)
{
    struct archive *a = *state;
    struct arena arena;
    struct zipfile z;
    struct err e = ERR_INIT;
    arena_init(&arena);
    CHECK_OK(zipfile_parse(&arena, a->bytes.p, a->bytes.n, &z, &e));
    assert_int_equal(z.count, 3);
    struct zipfile_entry *x = zipfile_find(&z, STR("r/first"));
    assert_non_null(x);
    CHECK_OK(zipfile_data(&z, x, false, &e));
    assert_int_equal(x->size, 5);
    assert_memory_equal(x->data, "hello", 5);
    x = zipfile_find(&z, STR("r/pieces"));
    assert_non_null(x);
    CHECK_OK(zipfile_data(&z, x, false, &e));
    assert_memory_equal(x->data, LONG_TEXT, sizeof(LONG_TEXT));
    for (size_t i = 0; i < z.count; i++) {
        CHECK_OK(zipfile_data(&z, &z.entries[i], false, &e));
        assert_int_equal((size_t)((const char *)z.entries[i].data - a->bytes.p) % 64, 0);
    }
    assert_null(zipfile_find(&z, STR("r/none")));
    assert_null(zipfile_find(&z, STR("")));
    arena_release(&arena);
}

static void test_crc_is_the_standard_one(void **state)
{
    struct crc32 *c = malloc(sizeof(*c));
    crc32_init(c);
    assert_int_equal(crc32_update(c, 0, "123456789", 9), 0xCBF43926u);
    /* In pieces, at odd addresses. */
    uint32_t crc = crc32_update(c, 0, "1", 1);
    crc = crc32_update(c, crc, "2345678", 7);
    assert_int_equal(crc32_update(c, crc, "9", 1), 0xCBF43926u);
    free(c);
}

static void test_every_truncation_is_refused(void **state)
{
    struct archive *a = *state;
    for (size_t n = 0; n < a->bytes.n; n++) {
        struct err e = ERR_INIT;
        assert_int_equal(read_all(a->bytes.p, n, &e), -1);
        assert_int_not_equal(e.text[0], '\0');
    }
}

/* A payload byte is found by CRC-32; any other by a message or without consequence. */
static void test_every_flipped_byte_is_survived(void **state)
{
    struct archive *a = *state;
    size_t payload = (size_t)(strstr(a->bytes.p + 64, "hello") - a->bytes.p);
    for (size_t i = 0; i < a->bytes.n; i++) {
        for (int bit = 1; bit < 256; bit <<= 1) {
            struct err e = ERR_INIT;
            a->bytes.p[i] = (char)(a->bytes.p[i] ^ bit);
            int rc = read_all(a->bytes.p, a->bytes.n, &e);
            assert_true(rc == 0 || e.text[0] != '\0');
            if (i >= payload && i < payload + 5) {
                assert_int_equal(rc, -1);
                CHECK_CONTAINS(e.text, "CRC-32");
            }
            a->bytes.p[i] = (char)(a->bytes.p[i] ^ bit);
        }
    }
}

/* Offset of the first central directory record. */
static size_t central(const struct archive *a)
{
    for (size_t i = 0; i + 4 < a->bytes.n; i++) {
        if (memcmp(a->bytes.p + i, "PK\1\2", 4) == 0) {
            return i;
        }
    }
    fail_msg("no central directory");
    return 0;
}

static void refused(const struct archive *a, const char *part)
{
    struct err e = ERR_INIT;
    assert_int_equal(read_all(a->bytes.p, a->bytes.n, &e), -1);
    CHECK_CONTAINS(e.text, part);
}

static void test_refusals_name_the_entry(void **state)
{
    struct archive *a = *state;
    unsigned char *x = (unsigned char *)a->bytes.p + central(a);
    unsigned char *end = (unsigned char *)a->bytes.p + a->bytes.n;
    x[10] = 8;
    refused(a, "'r/first' is compressed (method 8)");
    x[10] = 0;
    x[8] |= 1;
    refused(a, "'r/first' is encrypted");
    x[8] &= 0xFE;
    le_put32(x + 24, 6);
    refused(a, "two sizes");
    le_put32(x + 20, 6);
    refused(a, "CRC-32");
    le_put32(x + 20, 0x7FFFFFFF);
    le_put32(x + 24, 0x7FFFFFFF);
    refused(a, "larger than the file");
    le_put32(x + 20, 5);
    le_put32(x + 24, 5);
    le_put32(x + 42, 0x7FFFFFFF);
    refused(a, "no local header at offset 2147483647");
    le_put32(x + 42, UINT32_MAX);
    refused(a, "lacks its 64-bit sizes");
    le_put32(x + 42, 0);
    memcpy(a->bytes.p + 30, "R", 1);
    refused(a, "another name in its local header");
    memcpy(a->bytes.p + 30, "r", 1);
    memcpy(x + 46, "r/empty", 7); /* the second entry's name */
    refused(a, "two entries named 'r/empty'");
    memcpy(x + 46, "r/first", 7);
    x[47] = 0;
    refused(a, "NUL");
    x[47] = '/';
    le_put64(end - 98 + 32, 300000);
    le_put64(end - 98 + 24, 300000);
    refused(a, "300000 entries: the limit is 200000");
    le_put64(end - 98 + 32, 100000);
    le_put64(end - 98 + 24, 100000);
    refused(a, "cannot hold 100000 entries");
    le_put64(end - 98 + 32, 3);
    refused(a, "several parts");
    le_put64(end - 98 + 24, 3);
    le_put64(end - 98 + 48, UINT64_MAX - 5);
    refused(a, "does not fit into the file");
    le_put64(end - 98 + 48, 5);
    refused(a, "damaged entry in the zip central directory");
}

/* The plain end record is enough (archives of other programs), also behind a comment. */
static void test_without_zip64_and_with_a_comment(void **state)
{
    struct archive *a = *state;
    struct err e = ERR_INIT;
    struct strbuf b;
    strbuf_init(&b);
    strbuf_add(&b, a->bytes.p, a->bytes.n - 98);
    strbuf_add(&b, a->bytes.p + a->bytes.n - 22, 20);
    strbuf_add(&b, "\x07\x00PK\5\6xyz", 9);
    CHECK_OK(read_all(b.p, b.n, &e));
    strbuf_release(&b);
}

/* One entry whose sizes and offset stand in the zip64 field, behind another extra field. */
static struct strbuf make_zip64(size_t field_bytes, uint64_t size)
{
    struct strbuf b;
    unsigned char central[46] = {0}, extra[4 + 3 + 4 + 24] = {9, 9, 3, 0, 'x', 'y', 'z'};
    unsigned char end[22] = {0}, local[30] = {0};
    struct crc32 *crc = malloc(sizeof(*crc));
    crc32_init(crc);
    le_put32(local, 0x04034b50u);
    le_put16(local + 26, 1);
    strbuf_init(&b);
    strbuf_add(&b, local, sizeof(local));
    strbuf_adds(&b, "nhello");
    le_put32(central, 0x02014b50u);
    le_put32(central + 16, crc32_update(crc, 0, "hello", 5));
    le_put64(central + 20, UINT64_MAX); /* both sizes */
    le_put16(central + 28, 1);
    le_put16(central + 30, (uint16_t)(11 + field_bytes));
    le_put32(central + 42, UINT32_MAX);
    le_put16(extra + 7, 1);
    le_put16(extra + 9, (uint16_t)field_bytes);
    le_put64(extra + 11, size);
    le_put64(extra + 19, size);
    le_put64(extra + 27, 0);
    strbuf_add(&b, central, sizeof(central));
    strbuf_adds(&b, "n");
    strbuf_add(&b, extra, 11 + field_bytes);
    le_put32(end, 0x06054b50u);
    le_put16(end + 8, 1);
    le_put16(end + 10, 1);
    le_put32(end + 12, (uint32_t)(47 + 11 + field_bytes));
    le_put32(end + 16, 36);
    strbuf_add(&b, end, sizeof(end));
    free(crc);
    return b;
}

static void test_zip64_sizes(void **state)
{
    struct err e = ERR_INIT;
    struct strbuf b = make_zip64(24, 5);
    CHECK_OK(read_all(b.p, b.n, &e));
    strbuf_release(&b);
    b = make_zip64(24, (uint64_t)1 << 63);
    assert_int_equal(read_all(b.p, b.n, &e), -1);
    CHECK_CONTAINS(e.text, "larger than the file");
    strbuf_release(&b);
    b = make_zip64(8, 5); /* the field ends before the stored size: that stays 2^32 - 1 */
    assert_int_equal(read_all(b.p, b.n, &e), -1);
    CHECK_CONTAINS(e.text, "larger than the file");
    strbuf_release(&b);
    b = make_zip64(16, 5); /* and here before the offset */
    assert_int_equal(read_all(b.p, b.n, &e), -1);
    CHECK_CONTAINS(e.text, "no local header at offset 4294967295");
    strbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test(test_crc_is_the_standard_one),
        cmocka_unit_test_setup_teardown(test_every_truncation_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_flipped_byte_is_survived, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals_name_the_entry, setup, teardown),
        cmocka_unit_test(test_zip64_sizes),
        cmocka_unit_test_setup_teardown(test_without_zip64_and_with_a_comment, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
