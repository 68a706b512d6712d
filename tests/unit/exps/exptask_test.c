/* Records of queued experiments: written, read back, refused when they are none. */
#include "exptask.h"

#include "alloc.h"
#include "err.h"
#include "json.h"
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef01234567"

static void round_trip(void **state)
{
    (void)state;
    static const char *const targets[] = {"train", "a b"}, *const copies[] = {"data/x"};
    const struct exptask t = {.rev = ID,
                              .name = "n",
                              .baseline = ID,
                              .head = ID,
                              .message = "m\"\n",
                              .root = "/r",
                              .prefix = "sub",
                              .repro = {.targets = targets,
                                        .target_count = 2,
                                        .force = true,
                                        .no_run_cache = true,
                                        .on_error = REPRO_KEEP_GOING},
                              .copies = copies,
                              .copy_count = 1,
                              .state = EXPTASK_RUNNING,
                              .worker = "w.lock",
                              .created_ms = 1767323045000};
    struct arena a;
    struct strbuf one, two;
    struct exptask back;
    arena_init(&a);
    strbuf_init(&one);
    strbuf_init(&two);
    struct value *v = exptask_value(&a, &t);
    json_write(&one, v, &(struct json_style){0});
    assert_int_equal(
        exptask_from_value(&a, json_parse(&a, strbuf_str(&one), "t", NULL), "t", &back, NULL), 0);
    json_write(&two, exptask_value(&a, &back), &(struct json_style){0});
    assert_string_equal(one.p, two.p);
    assert_true(back.repro.force && back.repro.no_run_cache && !back.repro.pull);
    assert_string_equal(back.repro.targets[1], "a b");
    strbuf_release(&one);
    strbuf_release(&two);
    arena_release(&a);
}

static void refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "1",
        "{\"schema\": 2}",
        "{\"schema\": 1, \"rev\": \"../../x\", \"name\": \"n\", \"state\": \"queued\", "
        "\"baseline\": \"" ID "\", \"head\": \"" ID "\", \"root\": \"/\", \"prefix\": \".\"}",
        "{\"schema\": 1, \"rev\": \"" ID
        "\", \"name\": \"n\", \"state\": \"no\", \"baseline\": \"" ID "\", \"head\": \"" ID
        "\", \"root\": \"/\", \"prefix\": \".\"}",
        "{\"schema\": 1, \"rev\": \"" ID
        "\", \"name\": 1, \"state\": \"queued\", \"baseline\": \"" ID "\", \"head\": \"" ID
        "\", \"root\": \"/\", \"prefix\": \".\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct arena a;
        struct exptask t;
        struct err e = ERR_INIT;
        arena_init(&a);
        const struct value *v = json_parse(&a, str_from(texts[i]), "t", NULL);
        assert_non_null(v);
        assert_int_equal(exptask_from_value(&a, v, "FILE", &t, &e), -1);
        assert_non_null(strstr(e.text, "FILE"));
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
