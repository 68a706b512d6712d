/* Path arithmetic. */

#include "path.h"

#include "base_check.h"

static void normal_paths(void **state)
{
    static const char *const cases[][2] = {
        {"a/b/../c", "a/c"},
        {"./a//b/", "a/b"},
        {"..", ".."},
        {"../../a/..", "../.."},
        {"a/..", "."},
        {"", "."},
        {"/..", "/"},
        {"/a/./b/../..", "/"},
        {"../a/../../b", "../../b"},
        {"a/../../b", "../b"},
        {"/", "/"},
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(path_normal(&a, cases[i][0]), cases[i][1]);
    }
    arena_release(&a);
}

static void relative_paths(void **state)
{
    static const char *const cases[][3] = {
        {"/a/b", "/a/c", "../c"},  {"/a", "/a", "."},    {"/a", "/a/b/c", "b/c"},
        {"/a/b/c", "/a", "../.."}, {".", "x", "x"},      {"sub", "x", "../x"},
        {"/ab", "/a", "../a"},     {"/", "/x/y", "x/y"}, {"sub/deep", "sub", ".."},
        {"a/b", "a/bc", "../bc"},
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(path_relative(&a, cases[i][0], cases[i][1]), cases[i][2]);
    }
    arena_release(&a);
}

static void inside_is_by_component(void **state)
{
    assert_true(path_inside("a", "a"));
    assert_true(path_inside("a", "a/b"));
    assert_false(path_inside("a", "ab"));
    assert_true(path_inside(".", "x/y"));
    assert_false(path_inside(".", "../y"));
    assert_false(path_inside(".", "/y"));
    assert_true(path_inside("/", "/y"));
}

static void members_of_archives_stay_below(void **state)
{
    assert_true(path_is_safe_member(STR("Normal/Normal- (12).jpg")));
    assert_false(path_is_safe_member(STR("../x")));
    assert_false(path_is_safe_member(STR("a/../x")));
    assert_false(path_is_safe_member(STR("/x")));
    assert_false(path_is_safe_member(STR("a//b")));
    assert_false(path_is_safe_member(STR("a\0b")));
    assert_false(path_is_safe_member(STR("")));
}

static void parts_of_names(void **state)
{
    struct arena a;
    arena_init(&a);
    assert_string_equal(path_dirname(&a, "a/b/c"), "a/b");
    assert_string_equal(path_dirname(&a, "c"), ".");
    assert_string_equal(path_dirname(&a, "/c"), "/");
    assert_string_equal(path_basename("a/b.jpg"), "b.jpg");
    assert_string_equal(path_extension("a.d/b.JPG"), ".JPG");
    assert_string_equal(path_extension("a.d/.hidden"), "");
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_paths),           cmocka_unit_test(relative_paths),
        cmocka_unit_test(inside_is_by_component), cmocka_unit_test(members_of_archives_stay_below),
        cmocka_unit_test(parts_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
