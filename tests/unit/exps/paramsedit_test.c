/* Parameters files after overrides: what a person wrote stays. */
#include "paramsedit.h"

#include "alloc.h"
#include "err.h"
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *file, *before, *overrides, *after; /* overrides: one a line; after NULL: refused */
} cases[] = {
    {"p.yaml", "# top\na: 1   # one\n\nb:\n  # in\n  c: x\n", "a=22",
     "# top\na: 22  # one\n\nb:\n  # in\n  c: x\n"},
    {"p.yaml", "a: 100 # one\n", "a=1", "a: 1   # one\n"},
    {"p.yaml", "a: 1 # one\n", "a=1000", "a: 1000 # one\n"},
    {"p.yaml", "a: 'it''s' # q\n", "a=x", "a: x       # q\n"},
    {"p.yaml", "a: \"x # y\"\n", "a=z", "a: z\n"},
    {"p.yaml", "a: 1\nb: 2\n", "+c=3", "a: 1\nb: 2\nc: 3\n"},
    {"p.yaml", "a: 1", "+c=3", "a: 1\nc: 3\n"},
    {"p.yaml", "a:\n    b: 1\nc: 2\n", "+a.d=3", "a:\n    b: 1\n    d: 3\nc: 2\n"},
    {"p.yaml", "a: 1\n# of b\nb: 2\n", "~a", "# of b\nb: 2\n"},
    {"p.yaml", "a: {x: 1, y: 2} # f\nb: 1\n", "a.y=3", "a: {x: 1, y: 3} # f\nb: 1\n"},
    {"p.yaml", "a: {x: 1} # f\nb: 1\n", "+a.z=3", "a:\n  x: 1\n  z: 3\nb: 1\n"},
    {"p.yaml", "a: [1, 2]\nb: 1 # b\n", "a=[3]", "a:\n- 3\nb: 1 # b\n"},
    {"p.yaml", "a: |\n  text\n  more\nb: 1\n", "a=x", "a: x\nb: 1\n"},
    {"p.yaml", "a:\nb: 1\n", "a=x", "a: x\nb: 1\n"},
    {"p.yaml", "a: 1\nb: 1\n", "a=null", "a:\nb: 1\n"},
    {"p.yaml", "a: &x 1 # c\nb: *x\n", "a=2", "a: 2\nb: 1\n"},
    {"p.yaml", "lr: 1e-3 # kept\nb: 1\n", "b=2", "lr: 1e-3 # kept\nb: 2\n"},
    {"p.yaml", "a: 1\n", "a=1", "a: 1\n"},
    {"p.yaml", "a: 1\n", "a=1.0", "a: 1.0\n"},
    {"p.yaml", "a: 1\n", "a=true", "a: true\n"},
    {"p.yaml", "a: 1\n", "a='true'", "a: 'true'\n"},
    {"p.yaml", "\xc3\xa4: 1 # c\nb: \xc3\xb6\xc3\xb6 # d\n", "b=x", "\xc3\xa4: 1 # c\nb: x  # d\n"},
    {"p.yaml", "", "+a.b=1", "a:\n  b: 1\n"},
    {"p.yaml", "a: 1\r\nb: 2 # x\r\n", "a=3", "a: 3\r\nb: 2 # x\r\n"},
    {"p.yaml", "- 1\n", "a=1", NULL},
    {"p.yaml", "a: [\n", "a=1", NULL},
    {"p.yaml", "a: 1\n", "b=1", NULL},
    {"p.json", "{\n  \"a\": 1,\n  \"b\": [1]\n}\n", "a=2\nb.0=5", "{\"a\": 2, \"b\": [5]}"},
    {"p.toml", "# c\na = 1 # one\n[t]\nb = \"x\"\nc = [1, 2]\n", "a=2\nt.b=y\nt.c=[3]",
     "# c\na = 2 # one\n[t]\nb = \"y\"\nc = [3]\n"},
    {"p.toml", "a = 1\n", "+b=2", NULL},
    {"p.py", "import os\nLR = 0.1  # rate\nclass Net:\n    DEPTH = 2\n    NAME: str = 'x'\n",
     "LR=0.5\nNet.DEPTH=3\nNet.NAME=y",
     "import os\nLR = 0.5  # rate\nclass Net:\n    DEPTH = 3\n    NAME: str = 'y'\n"},
    {"p.py", "A = {'x': 1}\n", "A.x=2", NULL},
};

static void edits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena a;
        struct strbuf out;
        struct err e = ERR_INIT;
        arena_init(&a);
        strbuf_init(&out);
        struct value *list = value_list(&a);
        struct str rest = str_from(cases[i].overrides), one;
        while (rest.n > 0 && str_split(&rest, '\n', &one)) {
            value_push(&a, list, value_str(&a, one));
        }
        int rc = paramsedit(&a, cases[i].file, str_from(cases[i].before), list, &out, &e);
        if (cases[i].after == NULL) {
            assert_int_equal(rc, -1);
            assert_true(e.text[0] != 0);
        } else {
            if (rc < 0) {
                print_message("case %zu: %s\n", i, e.text);
            }
            assert_int_equal(rc, 0);
            assert_string_equal(out.p, cases[i].after);
        }
        strbuf_release(&out);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(edits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
