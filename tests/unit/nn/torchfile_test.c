/* PyTorch containers that no program writes: every promise between pickle and storages broken once.
 */
#include "weights_check.h"

#include "bytes_le.h"
#include "zipfile.h"

#include <fcntl.h>

#define P "\x80\x02"
#define STORAGE(key, count)                                                                        \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" key "X\3\0\0\0cpuK" count "tQ"
#define TENSOR(key, count, args) "ctorch._utils\n_rebuild_tensor\n(" STORAGE(key, count) args "tR"
#define NAME "X\1\0\0\0a"

struct record {
    const char *name, *data;
    size_t n;
};

static struct strbuf make_zip(const struct record *r, size_t count)
{
    struct err e = ERR_INIT;
    struct zipwriter w;
    char *dir = check_dir_new();
    const char *path = check_path(dir, "z");
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    zipwriter_init(&w, fd, path);
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(zipwriter_add(&w, r[i].name, r[i].data, r[i].n, &e));
    }
    CHECK_OK(zipwriter_finish(&w, &e));
    zipwriter_release(&w);
    close(fd);
    struct strbuf b = check_read(path);
    check_dir_free(dir);
    return b;
}

#define REC(name, literal)                                                                         \
    {                                                                                              \
        name, literal, sizeof(literal) - 1                                                         \
    }
#define GOOD_PICKLE P "}" NAME TENSOR("0", "\2", "K\0K\2\x85K\1\x85") "s."
#define EIGHT "\0\0\0\0\0\0\x80\x3f"

static void zip_refused(const struct record *r, size_t count, const char *part)
{
    struct strbuf b = make_zip(r, count);
    check_refused(b.p, b.n, part);
    strbuf_release(&b);
}

static void test_zip(void **state)
{
    struct record r[] = {REC("m/data.pkl", GOOD_PICKLE), REC("m/data/0", EIGHT)};
    struct strbuf b = make_zip(r, 2);
    assert_int_equal(check_survives(b.p, b.n), 1);
    strbuf_release(&b);

    zip_refused(r, 1, "storage '0' of tensor 'a' is not in the archive");
    zip_refused(r + 1, 1, "without PyTorch's data.pkl");
    r[1].n = 7;
    zip_refused(r, 2, "storage '0' has 7 bytes, expected 8");
    r[1].n = 8;
    struct record deep[] = {REC("m/x/data.pkl", GOOD_PICKLE), REC("m/x/data/0", EIGHT)};
    zip_refused(deep, 2, "without PyTorch's data.pkl");
    struct record big[] = {r[0], r[1], REC("m/byteorder", "big")};
    zip_refused(big, 3, "byte order 'big'");
    struct record script[] = {r[0], r[1], REC("m/constants.pkl", "x")};
    zip_refused(script, 3, "TorchScript");
    struct record meta[] = {r[0], r[1], REC("m/nephron.json", "[1]")};
    zip_refused(meta, 3, "nephron.json is a list");
    meta[2] = (struct record)REC("m/nephron.json", "{\"a\": 1}");
    zip_refused(meta, 3, "'a' is a int");
    meta[2] = (struct record)REC("m/nephron.json", "{");
    zip_refused(meta, 3, "nephron.json");
}

static void pickle_refused(const char *p, size_t n, const char *part)
{
    struct record r[] = {{"m/data.pkl", p, n}, REC("m/data/0", EIGHT)};
    zip_refused(r, 2, part);
}
#define PICKLE_REFUSED(literal, part) pickle_refused(literal, sizeof(literal) - 1, part)

#define GOOD_TENSOR TENSOR("0", "\2", "K\0K\2\x85K\1\x85")

static void test_names(void **state)
{
    struct err e = ERR_INIT;
    void *block;
    /* {'a': [t, (t, 5)], 7: {'x': t}, 'n': 3} */
    static const char p[] = P "}(" NAME "](" GOOD_TENSOR GOOD_TENSOR "K\5\x86"
                              "eK\7}X\1\0\0\0x" GOOD_TENSOR "sX\1\0\0\0nK\3u.";
    struct record r[] = {REC("m/data.pkl", p), REC("m/data/0", EIGHT)};
    struct strbuf b = make_zip(r, 2);
    struct weights *w = check_parse(b.p, b.n, &e, &block);
    if (w == NULL) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(w->count, 3);
    assert_string_equal(w->entries[0].name, "a/0");
    assert_string_equal(w->entries[1].name, "a/1/0");
    assert_string_equal(w->entries[2].name, "7/x");
    assert_ptr_equal(w->entries[0].data, w->entries[2].data); /* one storage, no copy */
    weights_close(w);
    free(block);
    strbuf_release(&b);

    PICKLE_REFUSED(P "}(" NAME GOOD_TENSOR NAME GOOD_TENSOR "u.", "two tensors named 'a'");
    PICKLE_REFUSED(P "}X\1\0\0\0\xff" GOOD_TENSOR "s.", "'\\xff' is not valid UTF-8");
    PICKLE_REFUSED(P "}X\3\0\0\0a\0b" GOOD_TENSOR "s.", "'a\\x00b'");
}

/* Keys that are neither text nor number, sets, names beyond the limit. */
static void test_odd_members(void **state)
{
    static const char p[] = P "}(\x88" GOOD_TENSOR "X\1\0\0\0s\x8f(K\1\x90NNu.";
    struct record r[] = {REC("m/data.pkl", p), REC("m/data/0", EIGHT)};
    struct strbuf b = make_zip(r, 2), pickle;
    assert_int_equal(check_survives(b.p, b.n), 1);
    strbuf_release(&b);
    strbuf_init(&pickle);
    strbuf_add(&pickle, P "}X\x4c\4\0\0", 8);
    strbuf_pad(&pickle, 'n', 1100);
    strbuf_add(&pickle, GOOD_TENSOR "s.", sizeof(GOOD_TENSOR "s.") - 1);
    pickle_refused(pickle.p, pickle.n, "name longer than 1024 bytes");
    strbuf_release(&pickle);
    PICKLE_REFUSED(P "}" NAME "ctorch._utils\n_rebuild_tensor\n((X\7\0\0\0storagectorch\n"
                     "FloatStorage\nX\1\0\0\0"
                     "0X\3\0\0\0cpu"
                     "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7ftQK\0K\2\x85K\1\x85tRs.",
                   "storage '0' of 9223372036854775807 elements");
}

/* Containers that hold themselves, and a tree of shared lists with 2^64 leaves. */
static void test_cycles_and_explosions(void **state)
{
    PICKLE_REFUSED(P "]q\0h\0a.", "nested deeper than 64");
    PICKLE_REFUSED(P "}q\0" NAME "h\0s.", "nested deeper than 64");
    struct strbuf b;
    strbuf_init(&b);
    strbuf_adds(&b, P "]");
    for (int i = 0; i < 60; i++) {
        strbuf_add(&b, "q", 1);
        strbuf_addch(&b, (char)i);
        strbuf_add(&b, "](h", 3);
        strbuf_addch(&b, (char)i);
        strbuf_add(&b, "h", 1);
        strbuf_addch(&b, (char)i);
        strbuf_add(&b, "e", 1);
    }
    strbuf_addch(&b, '.');
    pickle_refused(b.p, b.n, "more than 4 million members");
    strbuf_release(&b);
}

/* One element shown 2^40 times: legal to PyTorch, endless work for a reader. */
static void test_expanded_views(void **state)
{
    struct err e = ERR_INIT;
    void *block;
    PICKLE_REFUSED(P "}" NAME TENSOR("0", "\2", "K\0\x8a\6\0\0\0\0\0\1\x85K\0\x85") "s.",
                   "name more than");
    PICKLE_REFUSED(P "}" NAME TENSOR(
                       "0", "\2", "K\0(\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\7t(K\0K\0t") "s.",
                   "more than 2^6");
    static const char p[] = P "}" NAME TENSOR("0", "\2", "K\1(M\x10\x27t(K\0t") "s."; /* 10000 */
    struct record r[] = {REC("m/data.pkl", p), REC("m/data/0", EIGHT)};
    struct strbuf b = make_zip(r, 2);
    struct weights *w = check_parse(b.p, b.n, &e, &block);
    if (w == NULL) {
        fail_msg("%s", e.text);
    }
    struct weights_summary s;
    weights_summarise(&w->entries[0], &s);
    assert_true(s.sum == 10000.0);
    weights_close(w);
    free(block);
    strbuf_release(&b);
}

#define MAGIC "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define PROTOCOL "\x80\2M\xe9\3."
#define SYS "\x80\2}X\x0d\0\0\0little_endian\x88s."
#define KEYS                                                                                       \
    "\x80\2]X\1\0\0\0"                                                                             \
    "0a."

static void legacy_refused(const char *p, size_t n, const char *part)
{
    check_refused(p, n, part);
}
#define LEGACY_REFUSED(literal, part) legacy_refused(literal, sizeof(literal) - 1, part)
#define COUNT2 "\2\0\0\0\0\0\0\0"

static void test_legacy(void **state)
{
    static const char good[] = MAGIC PROTOCOL SYS GOOD_PICKLE KEYS COUNT2 EIGHT;
    assert_int_equal(check_survives(good, sizeof(good) - 1), 1);
    for (size_t n = 0; n < sizeof(good) - 1; n++) {
        assert_int_equal(check_survives(good, n), 0);
    }
    LEGACY_REFUSED(MAGIC "\x80\2M\xe8\3." SYS GOOD_PICKLE KEYS COUNT2 EIGHT,
                   "protocol is not 1001");
    LEGACY_REFUSED(MAGIC PROTOCOL "\x80\2}." GOOD_PICKLE KEYS COUNT2 EIGHT, "little-endian");
    LEGACY_REFUSED(MAGIC PROTOCOL
                   "\x80\2}X\x0d\0\0\0little_endian\x89s." GOOD_PICKLE KEYS COUNT2 EIGHT,
                   "little-endian");
    LEGACY_REFUSED(MAGIC PROTOCOL SYS GOOD_PICKLE "\x80\2}." COUNT2 EIGHT,
                   "storage keys are a dict");
    LEGACY_REFUSED(MAGIC PROTOCOL SYS GOOD_PICKLE "\x80\2]." COUNT2 EIGHT,
                   "storage '0' of tensor 'a' is not in the file");
    LEGACY_REFUSED(MAGIC PROTOCOL SYS GOOD_PICKLE "\x80\2](X\1\0\0\0"
                                                  "0X\1\0\0\0"
                                                  "0e." COUNT2 EIGHT,
                   "storage '0' twice");
    LEGACY_REFUSED(MAGIC PROTOCOL SYS GOOD_PICKLE "\x80\2](X\1\0\0\0"
                                                  "0X\1\0\0\0"
                                                  "1e." COUNT2 EIGHT,
                   "storage '1' belongs to no tensor");
    LEGACY_REFUSED(MAGIC PROTOCOL SYS GOOD_PICKLE KEYS "\3\0\0\0\0\0\0\0" EIGHT,
                   "does not begin with its 2 elements");
    LEGACY_REFUSED(MAGIC PROTOCOL SYS GOOD_PICKLE KEYS COUNT2 "\0\0\0\0", "cut short: 4 are left");
    LEGACY_REFUSED(MAGIC PROTOCOL SYS
                   "\x80\2}(" NAME GOOD_TENSOR
                   "X\1\0\0\0b" TENSOR("0", "\3", "K\0K\3\x85K\1\x85") "u." KEYS COUNT2 EIGHT,
                   "two types or sizes");
}

/* PyTorch 0.3: a window of a storage, named by (key, offset, size). */
static void test_legacy_storage_view(void **state)
{
    struct err e = ERR_INIT;
    void *block;
    float value;
#define VIEW(offset, size)                                                                         \
    "}" NAME "ctorch._utils\n_rebuild_tensor\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"   \
    "0X\3\0\0\0cpuK\2X\1\0\0\0vK" offset "K" size "\x87tQK\0K\1\x85K\1\x85tRs."
    static const char good[] = MAGIC PROTOCOL SYS P VIEW("\1", "\1") KEYS COUNT2 EIGHT;
    struct weights *w = check_parse(good, sizeof(good) - 1, &e, &block);
    if (w == NULL) {
        fail_msg("%s", e.text);
    }
    CHECK_OK(weights_copy_f32(&w->entries[0], &value, 1, &e));
    assert_true(value == 1.0f);
    weights_close(w);
    free(block);
    LEGACY_REFUSED(MAGIC PROTOCOL SYS P VIEW("\2", "\1") KEYS COUNT2 EIGHT,
                   "view beyond the end of storage '0'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zip),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_odd_members),
        cmocka_unit_test(test_cycles_and_explosions),
        cmocka_unit_test(test_expanded_views),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_legacy_storage_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
