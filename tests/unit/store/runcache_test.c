/* runcache: keys as DVC computes them. */
#include "runcache.h"

#include "lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The train stage of the reference repository, run by DVC 3.67.1. */
static void keys_of_the_reference(void **state)
{
    struct arena a;
    arena_init(&a);
    struct value *params = value_map(&a), *file = value_map(&a);
    value_set(&a, file, "lr", value_float(&a, 0.1));
    value_set(&a, params, "params.yaml", file);
    const struct hash h = {.md5 = "0084467710d2fc9d8a306e14efbe6d0f", .size = 6, .nfiles = -1};
    struct lock_item dep = {"prep.txt", h, NULL}, out = {"model.txt", h, NULL};
    struct lock_entry en = {.name = "train",
                            .cmd =
                                value_cstr(&a, "cat prep.txt > model.txt; echo x >> train.count"),
                            .deps = &dep,
                            .dep_count = 1,
                            .params = params,
                            .outs = &out,
                            .out_count = 1};
    char key[65], val[65];
    runcache_key(&en, key);
    runcache_value(&en, val);
    assert_string_equal(key, "735a7431b6c883b4b14fb26f75a79785cd609e68342dfd37e096aba0a7495814");
    assert_string_equal(val, "e3e5373c09255fbb49c82ecc821e3d9fce48fd02b8c10786956ae961b84fdb60");
    /* sizes do not count, also inside of parameters; hashes do */
    dep.hash.size = 7;
    value_set(&a, file, "size", value_int(&a, 1));
    char again[65];
    runcache_key(&en, again);
    assert_string_equal(again, key);
    out.hash.md5 = "1084467710d2fc9d8a306e14efbe6d0f";
    runcache_key(&en, again);
    assert_string_equal(again, key);
    runcache_value(&en, again);
    assert_string_not_equal(again, val);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_of_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
