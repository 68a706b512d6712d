/* The archive walk in memory, on tars made here and zips made by zipout. Archives of other
 * programs: tests/cli/t0503-unpack.sh. */
#include "err.h"
#include "fs.h"
#include "str.h"
#include "unpack.h"
#include "zipout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ustar, POSIX.1-1988: name 0, mode 100, size 124, checksum 148, type 156, link 157, magic 257 */
static void add_member(struct strbuf *tar, const char *name, char type, const char *link,
                       const char *data)
{
    char h[512] = {0};
    size_t n = data ? strlen(data) : 0;
    unsigned sum = 0;
    snprintf(h, 100, "%s", name);
    snprintf(h + 100, 8, "%07o", 0644);
    snprintf(h + 108, 8, "%07o", 0);
    snprintf(h + 116, 8, "%07o", 0);
    snprintf(h + 124, 12, "%011o", (unsigned)n & 07777777u);
    snprintf(h + 136, 12, "%011o", 0);
    memset(h + 148, ' ', 8);
    h[156] = type;
    snprintf(h + 157, 100, "%s", link ? link : "");
    memcpy(h + 257, "ustar\00000", 8);
    for (size_t i = 0; i < 512; i++) {
        sum += (unsigned char)h[i];
    }
    snprintf(h + 148, 8, "%06o", sum);
    strbuf_add(tar, h, 512);
    if (n > 0) {
        strbuf_add(tar, data, n);
        strbuf_pad(tar, '\0', (512 - n % 512) % 512);
    }
}

struct seen {
    struct strbuf text; /* "D name;" "F name=data;" */
};

static int on_folder(void *ctx, const char *name, struct err *e)
{
    strbuf_addf(&((struct seen *)ctx)->text, "D %s;", name);
    return 0;
}

static int on_begin(void *ctx, const char *name, bool executable, struct err *e)
{
    strbuf_addf(&((struct seen *)ctx)->text, "%c %s=", executable ? 'X' : 'F', name);
    return 0;
}

static int on_data(void *ctx, const void *data, size_t n, struct err *e)
{
    strbuf_add(&((struct seen *)ctx)->text, data, n);
    return 0;
}

static int on_end(void *ctx, struct err *e)
{
    strbuf_addch(&((struct seen *)ctx)->text, ';');
    return 0;
}

static int walk(const struct strbuf *b, struct seen *seen, const struct unpack_limits *limits,
                struct unpack_stats *stats, struct err *e)
{
    struct unpack_visitor v = {on_folder, on_begin, on_data, on_end, seen};
    struct unpack_options opt = {.name = "test"};
    if (limits) {
        opt.limits = *limits;
    }
    strbuf_init(&seen->text);
    return unpack_walk_memory(b->p, b->n, &v, &opt, stats, e);
}

static void expect_walk(const struct strbuf *b, const char *text, uint64_t files)
{
    struct seen seen;
    struct unpack_stats stats;
    struct err e = ERR_INIT;
    if (walk(b, &seen, NULL, &stats, &e) < 0) {
        fail_msg("%s", e.text);
    }
    assert_string_equal(seen.text.p, text);
    assert_int_equal(stats.files, files);
    strbuf_release(&seen.text);
}

static void expect_refused(const struct strbuf *b, const struct unpack_limits *limits,
                           enum err_code code, const char *words)
{
    struct seen seen;
    struct unpack_stats stats;
    struct err e = ERR_INIT;
    assert_int_equal(walk(b, &seen, limits, &stats, &e), -1);
    if (!strstr(e.text, words)) {
        fail_msg("'%s' is not in: %s", words, e.text);
    }
    assert_int_equal(e.code, code);
    strbuf_release(&seen.text);
}

static void tar_members(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    add_member(&b, "./", '5', NULL, NULL);
    add_member(&b, "./top/", '5', NULL, NULL);
    add_member(&b, "./top/a (1).jpg", '0', NULL, "hello");
    add_member(&b, "top/.DS_Store", '0', NULL, "junk");
    add_member(&b, "top/empty", '0', NULL, NULL);
    strbuf_pad(&b, '\0', 1024);
    expect_walk(&b, "D top;F top/a (1).jpg=hello;F top/empty=;", 2);
    strbuf_release(&b);
}

static void tar_refusals(void **state)
{
    static const struct {
        const char *name;
        char type;
        const char *link, *words;
    } cases[] = {
        {"../a", '0', NULL, "'..'"},       {"/a", '0', NULL, "absolute"},
        {"a\\b", '0', NULL, "backslash"},  {"l", '2', "/etc", "symbolic link"},
        {"l", '1', "x", "hard link"},      {"d", '3', NULL, "device"},
        {"d", '4', NULL, "device"},        {"f", '6', NULL, "FIFO"},
        {"x/a", '0', NULL, "there twice"}, {"x", '0', NULL, "a file and a folder"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf b;
        strbuf_init(&b);
        add_member(&b, "x/a", '0', NULL, "first");
        add_member(&b, cases[i].name, cases[i].type, cases[i].link, "");
        strbuf_pad(&b, '\0', 1024);
        expect_refused(&b, NULL, ERR_FORMAT, cases[i].words);
        strbuf_release(&b);
    }
}

static void tar_cut_anywhere(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    add_member(&b, "x/a", '0', NULL, "first");
    add_member(&b, "x/b", '0', NULL, "second");
    strbuf_pad(&b, '\0', 1024);
    for (size_t n = 0; n < 2048; n += 64) { /* one zero block is an end that readers take */
        struct strbuf cut;
        strbuf_init(&cut);
        strbuf_add(&cut, b.p, n);
        expect_refused(&cut, NULL, ERR_FORMAT, "test");
        strbuf_release(&cut);
    }
    strbuf_release(&b);
}

static void limits_hold_at_their_edge(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    add_member(&b, "x/a", '0', NULL, "12345");
    add_member(&b, "x/b", '0', NULL, "67890");
    strbuf_pad(&b, '\0', 1024);
    struct seen seen;
    struct unpack_stats stats;
    struct unpack_limits exact = {.bytes = 10, .entries = 2};
    assert_int_equal(walk(&b, &seen, &exact, &stats, NULL), 0);
    assert_int_equal(stats.bytes, 10);
    strbuf_release(&seen.text);
    expect_refused(&b, &(struct unpack_limits){.bytes = 9}, ERR_LIMIT, "more than 9 bytes");
    expect_refused(&b, &(struct unpack_limits){.entries = 1}, ERR_LIMIT, "more than 1 members");
    strbuf_release(&b);
}

static void sniffing(void **state)
{
    assert_int_equal(unpack_sniff("PK\3\4", 4), UNPACK_ZIP);
    assert_int_equal(unpack_sniff("PK\5\6", 4), UNPACK_ZIP);
    assert_int_equal(unpack_sniff("\x1f\x8b", 2), UNPACK_GZIP);
    assert_int_equal(unpack_sniff("\xfd"
                                  "7zXZ\0",
                                  6),
                     UNPACK_XZ);
    assert_int_equal(unpack_sniff("\x28\xb5\x2f\xfd", 4), UNPACK_ZSTD);
    assert_int_equal(unpack_sniff("\xef\xbb\xbf \r\n<!DocType HTML>", 21), UNPACK_HTML);
    assert_int_equal(unpack_sniff("<html lang=de>", 14), UNPACK_HTML);
    assert_int_equal(unpack_sniff("<htm", 4), UNPACK_UNKNOWN);
    assert_int_equal(unpack_sniff("", 0), UNPACK_UNKNOWN);
    char zeros[512] = {0};
    assert_int_equal(unpack_sniff(zeros, 512), UNPACK_UNKNOWN);
}

static void zip_round_trip(void **state)
{
    char dir[] = "/tmp/nephron-unpack-XXXXXX";
    char path[64];
    struct err e = ERR_INIT;
    struct strbuf first, second;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a.zip", dir);
    strbuf_init(&first);
    strbuf_init(&second);
    for (int round = 0; round < 2; round++) {
        struct zipout *z = zipout_open(path, &e);
        assert_non_null(z);
        assert_int_equal(zipout_add(z, "top/N/a (1).jpg", "hello", 5, &e), 0);
        assert_false(fs_exists(path) && round == 0);
        assert_int_equal(zipout_add(z, "top/T/b.jpg", "", 0, &e), 0);
        assert_int_equal(zipout_commit(z, &e), 0);
        assert_int_equal(fs_read(path, 0, round ? &second : &first, &e), 0);
        setenv("TZ", "Pacific/Auckland", 1);
    }
    assert_int_equal(first.n, second.n);
    assert_memory_equal(first.p, second.p, first.n);
    expect_walk(&first, "F top/N/a (1).jpg=hello;F top/T/b.jpg=;", 2);
    for (size_t n = 4; n < first.n; n += 3) {
        struct strbuf cut;
        strbuf_init(&cut);
        strbuf_add(&cut, first.p, n);
        expect_refused(&cut, NULL, ERR_FORMAT, "damaged or cut short");
        strbuf_release(&cut);
    }
    strbuf_release(&first);
    strbuf_release(&second);
    fs_remove_tree(dir, NULL);
}

static void abandoned_zip_leaves_nothing(void **state)
{
    char dir[] = "/tmp/nephron-unpack-XXXXXX";
    char path[64], **names;
    size_t count = 1;
    struct arena a;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a.zip", dir);
    struct zipout *z = zipout_open(path, NULL);
    assert_non_null(z);
    assert_int_equal(zipout_add(z, "a", "x", 1, NULL), 0);
    zipout_abort(z);
    arena_init(&a);
    assert_int_equal(fs_list(&a, dir, &names, &count, NULL), 0);
    assert_int_equal(count, 0);
    arena_release(&a);
    assert_int_equal(rmdir(dir), 0);
    zipout_abort(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tar_members),
        cmocka_unit_test(tar_refusals),
        cmocka_unit_test(tar_cut_anywhere),
        cmocka_unit_test(limits_hold_at_their_edge),
        cmocka_unit_test(sniffing),
        cmocka_unit_test(zip_round_trip),
        cmocka_unit_test(abandoned_zip_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
