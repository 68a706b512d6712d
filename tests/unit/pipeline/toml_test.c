/* TOML 1.0: values as the specification's examples give them, and what it forbids. */
#include "json.h"
#include "pipeline_check.h"
#include "toml.h"

static const char *read_toml(struct place *t, const char *text)
{
    struct json_style style = {0};
    t->e = (struct err)ERR_INIT;
    struct value *v = toml_parse(&t->a, str_from(text), "p.toml", &t->e);
    if (!v) {
        return t->e.text;
    }
    strbuf_reset(&t->text);
    json_write(&t->text, v, &style);
    return t->text.p;
}

static void values(void **state)
{
    static const struct {
        const char *text, *json;
    } list[] = {
        {"", "{}"},
        {"# only words\r\na = 1 # c\r\n", "{\"a\": 1}"},
        {"a=+99\nb=1_000\nc=0xDEAD_beef\nd=0o755\ne=0b11\nf=-0\n",
         "{\"a\": 99, \"b\": 1000, \"c\": 3735928559, \"d\": 493, \"e\": 3, \"f\": 0}"},
        {"a=1.0\nb=5e+22\nc=1E06\nd=-2E-2\ne=6.626e-34\nf=9_224.5_1\n",
         "{\"a\": 1.0, \"b\": 5e+22, \"c\": 1000000.0, \"d\": -0.02, \"e\": 6.626e-34, "
         "\"f\": 9224.51}"},
        {"a=inf\nb=-inf\nc=nan\n", "{\"a\": Infinity, \"b\": -Infinity, \"c\": NaN}"},
        {"a=\"b\\t\\\"\\u00e9\\U0001F600\"\nb='C:\\x'\nc=\"\"\"\nx \\\n   "
         "y\"\"\"\nd='''\nq''r'''\n",
         "{\"a\": \"b\\t\\\"\\u00e9\\ud83d\\ude00\", \"b\": \"C:\\\\x\", \"c\": \"x y\", "
         "\"d\": \"q''r\"}"},
        {"a=\"\"\"x\"\"\"\"\"\n", "{\"a\": \"x\\\"\\\"\"}"},
        {"a=[1, [2,\n # c\n 3,], {x=1, y.z='q'}]\n",
         "{\"a\": [1, [2, 3], {\"x\": 1, \"y\": {\"z\": \"q\"}}]}"},
        {"a.b.c=1\na.b.d=2\n'x y'.\"z\"=3\n3.14=4\n",
         "{\"a\": {\"b\": {\"c\": 1, \"d\": 2}}, \"x y\": {\"z\": 3}, \"3\": {\"14\": 4}}"},
        {"[t]\na=1\n[t.u.v]\nb=2\n[x.y]\n[x]\nz=1\n",
         "{\"t\": {\"a\": 1, \"u\": {\"v\": {\"b\": 2}}}, \"x\": {\"y\": {}, \"z\": 1}}"},
        {"[[f]]\nn=1\n[f.p]\nc=2\n[[f.v]]\nw=3\n[[f]]\nn=4\n",
         "{\"f\": [{\"n\": 1, \"p\": {\"c\": 2}, \"v\": [{\"w\": 3}]}, {\"n\": 4}]}"},
        {"e = {}\nt = true\n", "{\"e\": {}, \"t\": true}"},
    };
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
        assert_string_equal(read_toml(*state, list[i].text), list[i].json);
    }
}

static void dates_keep_their_text(void **state)
{
    struct place *t = *state;
    static const char *const dates[] = {"1979-05-27T07:32:00Z", "1979-05-27 07:32:00.999-07:00",
                                        "1979-05-27T00:32:00",  "1979-05-27",
                                        "07:32:00.5",           "2000-02-29"};
    for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
        struct str text = str_from(arena_printf(&t->a, "d = %s # c\n", dates[i]));
        struct value *v = toml_parse(&t->a, text, "p.toml", &t->e);
        assert_non_null(v);
        assert_int_equal(value_get(v, "d")->type, VALUE_DATE);
        assert_string_equal(value_get(v, "d")->s.p, dates[i]);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *error;
    } list[] = {
        {"a = 1\na = 2\n", "p.toml:2:1: key 'a' is defined already"},
        {"a = \n", "p.toml:1:5: not a value that TOML knows"},
        {"[t]\n[t]\n", "p.toml:2:2: key 't' is defined already"},
        {"a.b = 1\n[a]\n", "p.toml:2:2: key 'a' is defined already"},
        {"[a]\nb.c = 1\n[a.b]\nd = 2\n", "p.toml:3:4: key 'b' is defined already"},
        {"[a.b]\nc = 1\n[a]\nb.d = 2\n", "p.toml:4:1: key 'b' is defined already"},
        {"t = {a = 1}\n[t.b]\n", "p.toml:2:2: key 't' is no table that can be extended"},
        {"t = {a = 1}\nt.b = 2\n", "p.toml:2:1: key 't' is defined already"},
        {"l = []\n[[l]]\n", "p.toml:2:3: key 'l' is defined already"},
        {"a = 1 b = 2\n", "p.toml:1:7: expected the end of the line"},
        {"= 1\n", "p.toml:1:1: expected a key"},
        {"a\n", "p.toml:1:2: expected '=' after a key"},
        {"a = \"x\n", "p.toml:1:7: string is not closed"},
        {"a = \"\\q\"\n", "p.toml:1:7: unknown escape in a string"},
        {"a = \"\\ud800\"\n", "p.toml:1:12: escape is not a Unicode character"},
        {"a = 01\n", "p.toml:1:5: not a value that TOML knows"},
        {"a = 1__0\n", "p.toml:1:5: not a value that TOML knows"},
        {"a = 1.\n", "p.toml:1:5: not a value that TOML knows"},
        {"a = 9223372036854775808\n", "p.toml:1:5: not a value that TOML knows"},
        {"a = 1979-02-30\n", "p.toml:1:5: not a date or time"},
        {"a = [1 2]\n", "p.toml:1:8: expected ',' or ']' in an array"},
        {"a = {b = 1,}\n", "p.toml:1:12: expected a key"},
        {"a = {b = 1\n}\n", "p.toml:1:11: expected ',' or '}' in an inline table"},
        {"[a\n", "p.toml:1:3: expected ']'"},
        {"a = '\x01'\n", "p.toml:1:6: control character in a string"},
        {"a = '\xff'\n", "p.toml:1:6: not UTF-8 text"},
    };
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
        assert_string_equal(read_toml(*state, list[i].text), list[i].error);
    }
}

static void nesting_is_bounded(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    strbuf_adds(&b, "a = ");
    strbuf_pad(&b, '[', 63);
    strbuf_pad(&b, ']', 63);
    read_toml(*state, b.p);
    assert_int_equal(((struct place *)*state)->e.code, ERR_NONE);
    strbuf_truncate(&b, 4);
    strbuf_pad(&b, '[', 100000);
    read_toml(*state, b.p);
    assert_int_equal(((struct place *)*state)->e.code, ERR_LIMIT);
    strbuf_release(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {T(values), T(dates_keep_their_text), T(refuses),
                                       T(nesting_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
