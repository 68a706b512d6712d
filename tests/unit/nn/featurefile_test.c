/* Features on disk: what is written is read, what is torn, altered or another's is refused. */
#include "data_check.h"

#include "featurefile.h"

#include "par.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { COUNT = 7, ROW = 33 };

static float value(size_t row, size_t i)
{
    return (float)(row * 1000 + i) / 7;
}

static void write_file(const char *path, size_t count)
{
    struct featurefile_writer w;
    struct err e = ERR_INIT;
    float rows[3 * ROW];
    check_ok(featurefile_begin(&w, path, KEY, count, ROW, &e), e);
    for (size_t at = 0; at < count;) {
        size_t n = count - at < 3 ? count - at : 3;
        for (size_t i = 0; i < n * ROW; i++) {
            rows[i] = value(at + i / ROW, i % ROW);
        }
        check_ok(featurefile_add(&w, rows, n, &e), e);
        at += n;
    }
    check_ok(featurefile_commit(&w, &e), e);
}

static void written_rows_are_read(void **state)
{
    struct err e = ERR_INIT;
    struct featurefile f;
    char *dir = check_temp(), path[600];
    struct par *par = par_new(2);
    snprintf(path, sizeof(path), "%s/new/a.features", dir);
    write_file(path, COUNT);
    check_ok(featurefile_open(&f, path, KEY, COUNT, ROW, &e), e);
    check_ok(featurefile_check(&f, 0, COUNT, par, &e), e);
    for (size_t r = 0; r < COUNT; r++) {
        for (size_t i = 0; i < ROW; i++) {
            assert_true(featurefile_row(&f, r)[i] == value(r, i));
        }
    }
    assert_int_equal(f.map_bytes, featurefile_bytes(COUNT, ROW));
    assert_int_equal((uintptr_t)f.rows % 64, 0);
    featurefile_close(&f);
    par_free(par);
    check_remove(dir);
}

static void anything_else_is_refused(void **state)
{
    struct err e = ERR_INIT;
    struct featurefile f;
    char *dir = check_temp(), path[600];
    snprintf(path, sizeof(path), "%s/a.features", dir);
    assert_int_equal(featurefile_open(&f, path, KEY, COUNT, ROW, &e), -1);
    assert_int_equal(e.code, ERR_MISSING);
    write_file(path, COUNT);
    assert_int_equal(featurefile_open(&f, path, OTHER, COUNT, ROW, &e), -1);
    assert_non_null(strstr(e.text, "other data"));
    assert_int_equal(featurefile_open(&f, path, KEY, COUNT + 1, ROW, &e), -1);
    assert_int_equal(featurefile_open(&f, path, KEY, COUNT, ROW - 1, &e), -1);
    assert_int_equal(featurefile_open(&f, path, KEY, SIZE_MAX / 4, SIZE_MAX / 4, &e), -1);
    check_ok(truncate(path, 500), e);
    assert_int_equal(featurefile_open(&f, path, KEY, COUNT, ROW, &e), -1);
    check_ok(truncate(path, 0), e);
    assert_int_equal(featurefile_open(&f, path, KEY, COUNT, ROW, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    check_remove(dir);
}

/* Each byte of the file is flipped: the header refuses or the row's checksum does. */
static void every_altered_byte_is_found(void **state)
{
    struct err e = ERR_INIT;
    struct featurefile f;
    struct strbuf text;
    char *dir = check_temp(), path[600];
    size_t padding = 0;
    snprintf(path, sizeof(path), "%s/a.features", dir);
    write_file(path, COUNT);
    strbuf_init(&text);
    check_ok(fs_read(path, 0, &text, &e), e);
    for (size_t i = 0; i < text.n; i++) {
        text.p[i] ^= 0x20;
        int rc = featurefile_parse(&f, text.p, text.n, "altered", KEY, COUNT, ROW, &e);
        rc = rc == 0 ? featurefile_check(&f, 0, COUNT, NULL, &e) : rc;
        padding += rc == 0;
        text.p[i] ^= 0x20;
    }
    assert_int_equal(padding, 192 - 128 - COUNT * 4); /* the zeros behind the table */
    strbuf_release(&text);
    check_remove(dir);
}

static void an_unfinished_file_does_not_appear(void **state)
{
    struct featurefile_writer w;
    struct err e = ERR_INIT;
    const float row[ROW] = {0};
    char *dir = check_temp(), path[600];
    snprintf(path, sizeof(path), "%s/a.features", dir);
    check_ok(featurefile_begin(&w, path, KEY, 2, ROW, &e), e);
    check_ok(featurefile_add(&w, row, 1, &e), e);
    assert_int_equal(featurefile_commit(&w, &e), -1);
    assert_false(fs_exists(path));
    check_ok(featurefile_begin(&w, path, KEY, 1, ROW, &e), e);
    check_ok(featurefile_add(&w, row, 1, &e), e);
    assert_int_equal(featurefile_add(&w, row, 1, &e), -1);
    featurefile_abort(&w);
    assert_int_equal(rmdir(dir), 0); /* empty: no temp file is left */
    free(dir);
}

static void used_long_ago(const char *path, int days)
{
    struct timespec t[2] = {{.tv_sec = time(NULL) - days * 86400L}, {0}};
    t[1] = t[0];
    assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void the_folder_is_swept_by_age_and_size(void **state)
{
    struct err e = ERR_INIT;
    char *dir = check_temp(), path[4][600];
    size_t bytes = featurefile_bytes(COUNT, ROW);
    for (int i = 0; i < 4; i++) {
        snprintf(path[i], sizeof(path[i]), "%s/%d.features", dir, i);
        write_file(path[i], COUNT);
        used_long_ago(path[i], 10 - i);
    }
    check_ok(featurefile_sweep(dir, path[0], 2 * bytes, 30, &e), e);
    assert_true(fs_exists(path[0])); /* kept, though the oldest */
    assert_false(fs_exists(path[1]));
    assert_true(fs_exists(path[2]) && fs_exists(path[3]));
    featurefile_touch(path[2]);
    check_ok(featurefile_sweep(dir, NULL, 100 * bytes, 5, &e), e);
    assert_false(fs_exists(path[0]) || fs_exists(path[3]));
    assert_true(fs_exists(path[2]));
    check_ok(featurefile_sweep("/nonexistent/folder", NULL, 0, 1, &e), e);
    check_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_rows_are_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(every_altered_byte_is_found),
        cmocka_unit_test(an_unfinished_file_does_not_appear),
        cmocka_unit_test(the_folder_is_swept_by_age_and_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
