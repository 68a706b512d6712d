/* lock: reading both ways, order, byte equality, errors. */
#include "lock.h"
#include "lock_private.h"

#include "err.h"
#include "fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char sample[] = "schema: '2.0'\n"
                             "stages:\n"
                             "  train:\n"
                             "    cmd: cat prep.txt > model.txt\n"
                             "    deps:\n"
                             "    - path: prep.txt\n"
                             "      hash: md5\n"
                             "      md5: 0084467710d2fc9d8a306e14efbe6d0f\n"
                             "      size: 6\n"
                             "    - path: src/it's\n"
                             "      hash: md5\n"
                             "      md5: 22a1a2931c8370d3aeedd7183606fd7f.dir\n"
                             "      size: 14445097\n"
                             "      nfiles: 3\n"
                             "    params:\n"
                             "      params.yaml:\n"
                             "        lr: 0.1\n"
                             "        net.depth: 3\n"
                             "        shape:\n"
                             "        - 224\n"
                             "        - 224\n"
                             "    outs:\n"
                             "    - path: model.txt\n"
                             "      md5: 0084467710d2fc9d8a306e14efbe6d0f\n"
                             "      isexec: true\n"
                             "  list:\n"
                             "    cmd:\n"
                             "    - echo one\n"
                             "    - \"echo 'first: quoted'  and a long line that should be folded "
                             "somewhere because\n"
                             "      it is longer than 80 > c.out\"\n";

static struct lock *parse(const char *text)
{
    struct err e = ERR_INIT;
    struct lock *l = lock_parse(str_from(text), "dvc.lock", &e);
    if (!l) {
        fail_msg("%s", e.text);
    }
    return l;
}

static void expect_text(const struct lock *l, const char *want)
{
    struct strbuf out;
    strbuf_init(&out);
    lock_render(l, &out);
    assert_string_equal(out.p, want);
    strbuf_release(&out);
}

static void reads_and_rewrites(void **state)
{
    struct lock *l = parse(sample);
    assert_int_equal(lock_count(l), 2);
    const struct lock_entry *en = lock_find(l, "train");
    assert_non_null(en);
    assert_int_equal(en->dep_count, 2);
    assert_string_equal(en->deps[1].path, "src/it's");
    assert_int_equal(en->deps[1].hash.size, 14445097);
    assert_int_equal(en->deps[1].hash.nfiles, 3);
    assert_false(en->deps[0].hash.legacy);
    assert_true(en->outs[0].hash.legacy);
    assert_true(en->outs[0].hash.isexec);
    assert_true(value_get(value_get(en->params, "params.yaml"), "lr")->f == 0.1);
    assert_null(lock_find(l, "nosuch"));
    expect_text(l, sample);
    lock_free(l);
}

/* The text of a changed style: same entries, canonical text when rewritten. */
static void any_yaml_gives_the_same(void **state)
{
    static const char flow[] = "stages: {a: {cmd: \"echo\", outs: [{md5: "
                               "abcdef0123456789abcdef0123456789, path: \"x\", size: 3}]}}\n"
                               "schema: \"2.0\"\n";
    struct lock *l = parse(flow);
    const struct lock_entry *en = lock_find(l, "a");
    assert_string_equal(en->outs[0].path, "x");
    assert_int_equal(en->outs[0].hash.size, 3);
    expect_text(l,
                "stages:\n  a:\n    cmd: echo\n    outs:\n    - md5: "
                "abcdef0123456789abcdef0123456789\n      path: x\n      size: 3\nschema: '2.0'\n");
    lock_free(l);
}

static void numbers_as_hashes(void **state)
{
    struct lock *l = parse("schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs:\n    - path: o\n"
                           "      hash: md5\n      md5: '12345678901234567890123456789012'\n");
    assert_string_equal(lock_find(l, "a")->outs[0].hash.md5, "12345678901234567890123456789012");
    lock_free(l);
}

static void appends_and_keeps_places(void **state)
{
    struct lock *l = parse(sample);
    struct arena a;
    arena_init(&a);
    struct lock_item outs[] = {{"z", {.md5 = "aa", .size = 1, .nfiles = -1}, NULL},
                               {"b", {.md5 = "bb", .size = 2, .nfiles = -1}, NULL}};
    struct lock_entry en = {
        .name = "new", .cmd = value_cstr(&a, "make it"), .outs = outs, .out_count = 2};
    assert_true(lock_set(l, &en));
    assert_false(lock_set(l, &en));
    assert_true(lock_dirty(l));
    en.name = "list";
    const struct lock_entry *before = lock_find(l, "list");
    assert_true(lock_set(l, &en));
    assert_int_equal(before->cmd->type, VALUE_LIST); /* what was handed out stays valid */
    assert_string_equal(lock_at(l, 0)->name, "train");
    assert_string_equal(lock_at(l, 1)->name, "list");
    assert_string_equal(lock_at(l, 2)->name, "new");
    struct strbuf out;
    strbuf_init(&out);
    lock_render(l, &out);
    static const char tail[] =
        "  list:\n    cmd: make it\n    outs:\n    - path: b\n      hash: md5\n"
        "      md5: bb\n      size: 2\n    - path: z\n      hash: md5\n"
        "      md5: aa\n      size: 1\n  new:\n";
    assert_non_null(strstr(out.p, tail));
    strbuf_release(&out);
    assert_true(lock_remove(l, "train"));
    assert_int_equal(lock_count(l), 2);
    assert_null(lock_find(l, "train"));
    arena_release(&a);
    lock_free(l);
}

static void params_in_canonical_order(void **state)
{
    struct arena a;
    struct lock *l = parse("");
    arena_init(&a);
    struct value *params = value_map(&a), *first = value_map(&a), *other = value_map(&a);
    struct value *shared = value_map(&a), *holder = value_map(&a);
    value_set(&a, shared, "q", value_int(&a, 1));
    value_set(&a, holder, "s", shared);
    value_set(&a, first, "z", holder);
    value_set(&a, first, "a", shared);
    value_set(&a, other, "k", value_int(&a, 2));
    value_set(&a, params, "a.yaml", other);
    value_set(&a, params, "params.yaml", first);
    struct lock_entry en = {.name = "s", .cmd = value_cstr(&a, "c"), .params = params};
    lock_set(l, &en);
    en.name = "t";
    lock_set(l, &en);
    expect_text(l,
                "schema: '2.0'\nstages:\n  s:\n    cmd: c\n    params:\n      params.yaml:\n"
                "        a: &id001\n          q: 1\n        z:\n          s: *id001\n"
                "      a.yaml:\n        k: 2\n  t:\n    cmd: c\n    params:\n      params.yaml:\n"
                "        a: &id002\n          q: 1\n        z:\n          s: *id002\n"
                "      a.yaml:\n        k: 2\n");
    arena_release(&a);
    lock_free(l);
}

static void refuse(const char *text, const char *why)
{
    struct err e = ERR_INIT;
    assert_null(lock_parse(str_from(text), "dvc.lock", &e));
    assert_int_equal(e.code, ERR_FORMAT);
    if (!strstr(e.text, why)) {
        fail_msg("'%s' does not say '%s'", e.text, why);
    }
}

static void refuses_with_dvcs_words(void **state)
{
    refuse("stages: {}\n", "'./dvc.lock' validation failed.");
    refuse("stages: {}\n", "required key not provided, in schema");
    refuse("schema: '1.0'\nstages: {}\n", "invalid schema version, in schema, line 1");
    refuse("schema: '2.0'\nstages:\n  t:\n    deps: []\n",
           "required key not provided, in stages -> t -> cmd");
    refuse("schema: '2.0'\nstages:\n  t:\n    cmd: x\n    bogus: 1\n",
           "extra keys not allowed, in stages -> t -> bogus, line 5");
    refuse("schema: '2.0'\nstages:\n  t:\n    cmd: x\n    outs:\n    - path: a\n      size: many\n",
           "expected int, in stages -> t -> outs -> 0 -> size");
    refuse("schema: '2.0'\nstages: [\n", "'./dvc.lock' is invalid.");
    refuse("schema: '2.0'\nstages:\n  t:\n    cmd: x\n  t:\n    cmd: y\n", "invalid");
    refuse("foo: 1\nschema: '2.0'\n", "extra keys not allowed, in foo");
}

static void empty_files_are_absent(void **state)
{
    char path[] = "/tmp/nephron-lock-XXXXXX";
    int fd = mkstemp(path);
    struct err e = ERR_INIT;
    bool was_empty = false;
    assert_true(fd >= 0);
    close(fd);
    struct lock *l = lock_read(path, "dvc.lock", &was_empty, &e);
    assert_non_null(l);
    assert_true(was_empty);
    assert_false(lock_exists(l));
    lock_free(l);
    unlink(path);
    l = lock_read(path, "dvc.lock", &was_empty, &e);
    assert_non_null(l);
    assert_false(was_empty);
    struct arena a;
    arena_init(&a);
    struct lock_entry en = {.name = "s", .cmd = value_cstr(&a, "c")};
    lock_set(l, &en);
    assert_int_equal(lock_write(l, &e), 0);
    assert_false(lock_dirty(l));
    lock_free(l);
    l = lock_read(path, "dvc.lock", NULL, &e);
    assert_int_equal(lock_count(l), 1);
    lock_remove(l, "s");
    assert_int_equal(lock_write(l, &e), 0);
    assert_int_equal(access(path, F_OK), -1);
    lock_free(l);
    arena_release(&a);
}

/* Every lock of the corpus: the direct parser and the YAML reader agree. */
static void corpus_both_ways(void **state)
{
    const char *shared = getenv("NEPHRON_SHARED");
    char list[512];
    snprintf(list, sizeof(list), "%s/data/dvc-corpus/INDEX.tsv",
             shared ? shared : NEPHRON_SOURCE_DIR "/../shared");
    struct strbuf index;
    strbuf_init(&index);
    if (fs_read(list, 0, &index, NULL) < 0) {
        print_message("SKIP: no corpus at %s\n", list);
        strbuf_release(&index);
        skip();
    }
    size_t read = 0;
    struct str rest = strbuf_str(&index), line, repo, file;
    while (str_split(&rest, '\n', &line)) {
        char path[1024], folder[256];
        if (!str_split(&line, '\t', &repo) || !str_split(&line, '\t', &file)) {
            continue;
        }
        snprintf(folder, sizeof(folder), "%.*s", STR_ARG(repo));
        char *slash = strchr(folder, '/');
        if (!slash || !str_ends(file, "dvc.yaml")) {
            continue;
        }
        snprintf(path, sizeof(path), "%.*s%.*s__%s/%.*slock", (int)(strlen(list) - 9), list,
                 (int)(slash - folder), folder, slash + 1, (int)file.n - 4, file.p);
        struct strbuf text;
        strbuf_init(&text);
        if (fs_read(path, 0, &text, NULL) == 0) {
            struct lock *direct = lock_new(NULL, "dvc.lock"), *yaml = lock_new(NULL, "dvc.lock");
            bool fits = lock_parse_direct(direct, strbuf_str(&text));
            bool valid = lock_parse_yaml(yaml, strbuf_str(&text), NULL) == 0;
            assert_true(!fits || valid);
            read += fits;
            for (size_t i = 0; fits && i < lock_count(yaml); i++) {
                assert_string_equal(lock_at(direct, i)->name, lock_at(yaml, i)->name);
                assert_true(lock_entry_eq(lock_at(direct, i), lock_at(yaml, i)));
            }
            if (fits) {
                struct strbuf x, y;
                strbuf_init(&x);
                strbuf_init(&y);
                lock_render(direct, &x);
                lock_render(yaml, &y);
                assert_string_equal(x.p, y.p);
                strbuf_release(&x);
                strbuf_release(&y);
            }
            lock_free(direct);
            lock_free(yaml);
        }
        strbuf_release(&text);
    }
    assert_true(read >= 60);
    strbuf_release(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_rewrites),        cmocka_unit_test(any_yaml_gives_the_same),
        cmocka_unit_test(numbers_as_hashes),         cmocka_unit_test(appends_and_keeps_places),
        cmocka_unit_test(params_in_canonical_order), cmocka_unit_test(refuses_with_dvcs_words),
        cmocka_unit_test(empty_files_are_absent),    cmocka_unit_test(corpus_both_ways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
