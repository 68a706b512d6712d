/* Numbers as text: Python's repr, rounding, parsing. Expected texts are Python 3.11's. */

#include "num.h"

#include "base_check.h"

#include <math.h>

static void repr_is_the_shortest_that_reads_back(void **state)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {0.1, "0.1"},
        {1e-05, "1e-05"},
        {1e20, "1e+20"},
        {1e10, "10000000000.0"},
        {1.0, "1.0"},
        {-0.0, "-0.0"},
        {0.0001, "0.0001"},
        {1e16, "1e+16"},
        {123456.789, "123456.789"},
        {0.3 - 0.1, "0.19999999999999998"},
        {1e15, "1000000000000000.0"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {0.25, "0.25"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
        {9999999999999998.0, "9999999999999998.0"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[NUM_TEXT_SIZE];
        num_repr(out, cases[i].v);
        assert_string_equal(out, cases[i].text);
    }
}

static void parsing_takes_whole_texts_only(void **state)
{
    int64_t i;
    double d;
    assert_true(num_parse_int(STR("-12"), &i));
    assert_int_equal(i, -12);
    assert_true(num_parse_int(STR("9223372036854775807"), &i));
    assert_false(num_parse_int(STR("9223372036854775808"), &i));
    assert_false(num_parse_int(STR("1x"), &i));
    assert_false(num_parse_int(STR("-"), &i));
    assert_false(num_parse_int(STR(""), &i));
    assert_true(num_parse_double(STR("1e-3"), &d));
    assert_true(d == 1e-3);
    assert_false(num_parse_double(STR("0x10"), &d));
    assert_false(num_parse_double(STR("1 "), &d));
    assert_false(num_parse_double(STR("nan"), &d));
}

static void sizes_and_times_for_people(void **state)
{
    char out[NUM_TEXT_SIZE];
    num_bytes(out, 999);
    assert_string_equal(out, "999 B");
    num_bytes(out, 12345678);
    assert_string_equal(out, "12.3 MB");
    num_duration(out, 65);
    assert_string_equal(out, "1m 05s");
    num_duration(out, 7380);
    assert_string_equal(out, "2h 03m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repr_is_the_shortest_that_reads_back),
        cmocka_unit_test(parsing_takes_whole_texts_only),
        cmocka_unit_test(sizes_and_times_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
