/* Python parameter files: what DVC's reader (Python's own ast) finds in the same text. */
#include "json.h"
#include "pipeline_check.h"
#include "pyparams.h"

static const char *read_py(struct place *t, const char *text)
{
    struct json_style style = {0};
    struct value *v = pyparams_parse(&t->a, str_from(text), "p.py", &t->e);
    if (!v) {
        return t->e.text;
    }
    strbuf_reset(&t->text);
    json_write(&t->text, v, &style);
    return t->text.p;
}

static void finds_literals(void **state)
{
    static const struct {
        const char *text, *json;
    } list[] = {
        {"", "{}"},
        {"a = 1\nb: int = -2\nc = 1e-3\nd = 0x1F\ne = 1_000\nf = .5\ng = 3.\n",
         "{\"a\": 1, \"b\": -2, \"c\": 0.001, \"d\": 31, \"e\": 1000, \"f\": 0.5, \"g\": 3.0}"},
        {"s = 'a' \"b\"\nt = '''x\ny'''\nr = r'\\n'\nu = '\\x41\\u00e9\\n'\n",
         "{\"s\": \"ab\", \"t\": \"x\\ny\", \"r\": \"\\\\n\", \"u\": \"A\\u00e9\\n\"}"},
        {"a = [1, (2, 3), {4}]  # words\nb = {\n  'k': {'n': None},  # c\n  2: True,\n}\n",
         "{\"a\": [1, [2, 3], [4]], \"b\": {\"k\": {\"n\": null}, \"2\": true}}"},
        {"a = 1 + 2\nb = f()\nc = f'x'\nd = a\ne = b'x'\nf = g = 1\nh += 1\ni == 2\nj = 2\n",
         "{\"j\": 2}"},
        {"class C(B):\n    x = 1\n\n    def __init__(self):\n        self.y = 2\n        z = 3\n"
         "    def other(self):\n        self.q = 4\n    class D:\n        w = 5\nlast = 6\n",
         "{\"C\": {\"x\": 1, \"y\": 2, \"D\": {\"w\": 5}}, \"last\": 6}"},
        {"if True:\n    a = 1\nfor i in x:\n    b = 2\n@dec\ndef f():\n    c = 3\nd = 4; e = 5\n",
         "{\"d\": 4, \"e\": 5}"},
        {"a = 1, 2\nb = (1)\nc = (1,)\nd = ()\n",
         "{\"a\": [1, 2], \"b\": 1, \"c\": [1], \"d\": []}"},
        {"u = 0, f\nv = +-1\nw = -1\n", "{\"w\": -1}"},
        {"x = \\\n    3\ny = [\n1,\n]\n", "{\"x\": 3, \"y\": [1]}"},
    };
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
        assert_string_equal(read_py(*state, list[i].text), list[i].json);
    }
}

static void refuses_what_does_not_close(void **state)
{
    assert_string_equal(read_py(*state, "a = 1\nb = [1,\n"),
                        "p.py:2: a string or bracket is not closed");
    assert_string_equal(read_py(*state, "a = '''x\n"), "p.py:1: a string or bracket is not closed");
    assert_string_equal(read_py(*state, "a = '\xff'\n"), "p.py: not UTF-8 text");
}

static void deep_nesting_is_no_literal(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    strbuf_adds(&b, "a = ");
    strbuf_pad(&b, '[', 100000);
    strbuf_pad(&b, ']', 100000);
    strbuf_adds(&b, "\nb = 1\n");
    assert_string_equal(read_py(*state, b.p), "{\"b\": 1}");
    strbuf_release(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        T(finds_literals),
        T(refuses_what_does_not_close),
        T(deep_nesting_is_no_literal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
