/* Refusals of dvc.yaml and .dvc files: the texts are DVC 3.67's own, taken from its stderr. */
#include "pipeline_check.h"
#include "report.h"
#include "schema.h"

struct refusal {
    const char *text, *error;
};

#define FAILED "'./dvc.yaml' validation failed.\n\n"

static const struct refusal refusals[] = {
    {"stages:\n  s:\n    bogus: 1\n    cmd: x\n",
     FAILED "extra keys not allowed, in stages -> s -> bogus, line 3, column 5"},
    {"stages:\n  s:\n    deps: [a]\n",
     FAILED "required key not provided, in stages -> s -> cmd, line 3, column 5"},
    {"stages:\n  s:\n    cmd: 1\n", FAILED "expected str, in stages -> s -> cmd, line 3, column 5"},
    {"stages:\n  s:\n    cmd: x\n    outs: x\n",
     FAILED "expected a list, in stages -> s -> outs, line 3, column 5"},
    {"stages:\n  s:\n    cmd: x\n    outs:\n    - o: {cache: 1}\n",
     FAILED "expected bool, in stages -> s -> outs -> 0 -> o -> cache, line 5, column 10"},
    {"foo: 1\n", FAILED "extra keys not allowed, in foo"},
    {"stages:\n  s:\n    cmd: x\n    outs: x\n    bogus: 1\n  t: 1\nfoo: 1\n",
     "'./dvc.yaml' validation failed: 4 errors.\n\n"
     "expected a list, in stages -> s -> outs, line 3, column 5\n\n"
     "extra keys not allowed, in stages -> s -> bogus, line 3, column 5\n\n"
     "expected a dictionary, in stages -> t, line 2, column 3\n\n"
     "extra keys not allowed, in foo"},
    {"- a\n", "'./dvc.yaml' validation failed: expected a dictionary."},
    {"stages:\n  s:\n    foreach: [1]\n",
     FAILED "required key not provided, in stages -> s -> do, line 3, column 5"},
    {"stages:\n  s:\n    foreach: 1\n    do: {cmd: x}\n",
     FAILED "expected dict, in stages -> s -> foreach, line 3, column 5"},
    {"stages:\n  s:\n    cmd: x\n    deps:\n",
     FAILED "expected a list, in stages -> s -> deps, line 3, column 5"},
    {"stages:\n  s:\n    cmd: x\n    frozen: ${y}\n",
     FAILED "expected bool, in stages -> s -> frozen, line 3, column 5"},
    {"artifacts:\n  a: {desc: x}\n",
     FAILED "required key not provided, in artifacts -> a -> path, line 2, column 6"},
};

static void refuses_as_dvc(void **state)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        assert_string_equal(place_load_yaml(*state, refusals[i].text), refusals[i].error);
        assert_int_equal(((struct place *)*state)->e.detail, REPORT_PLAIN);
        assert_int_equal(((struct place *)*state)->e.code, ERR_FORMAT);
    }
}

static void accepts_what_dvc_accepts(void **state)
{
    static const char *const texts[] = {
        "",
        "[]\n",
        "stages: {}\n",
        "# nothing but words\n",
        "stages:\n  s:\n    cmd: [a, b]\n    meta: {a: [1]}\n    vars: [{q: 1}]\n",
        "plots:\n- a.csv\n- b: {x: k, y: {f.csv: [a, b]}}\n- c:\nmetrics: [m.json]\n",
        "params: [p.toml]\n",
        "artifacts: {m: {path: a, type: model, labels: [x], meta: 1}}\ndatasets: whatever\n",
        "stages: {s: {cmd: x, plots: [{p.csv: {x: a, header: false}}]}}\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        const char *text = place_load_yaml(*state, texts[i]);
        assert_int_equal(((struct place *)*state)->e.code, ERR_NONE);
        assert_null(strstr(text, "validation failed"));
    }
}

static void syntax_errors_name_the_place(void **state)
{
    struct place *t = *state;
    place_load_yaml(t, "stages:\n  s: [\n");
    assert_non_null(strstr(t->e.text, "'./dvc.yaml' is invalid.\n\n"));
    assert_non_null(strstr(t->e.text, "in line 3, column 1"));
    place_load_yaml(t, "stages:\n  s:\n    cmd: x\n  s:\n    cmd: y\n");
    assert_non_null(strstr(t->e.text, "'./dvc.yaml' is invalid.\n\n"));
    assert_non_null(strstr(t->e.text, "duplicate key"));
    place_load_yaml(t, "stages:\n<<<<<<< HEAD\n  a: {cmd: x}\n=======\n  b: [\n>>>>>>> z\n");
    assert_non_null(strstr(t->e.text, "is invalid (possible merge conflicts)."));
}

static void dvc_files_are_checked(void **state)
{
    struct place *t = *state;
    unlink(arena_printf(&t->a, "%s/dvc.yaml", t->root));
    place_write(t, "sub/x.dvc", "outs:\n- md5: ab\n  path: x\n");
    assert_string_equal(place_load(t),
                        "'./sub/x.dvc' validation failed.\n\nnot a valid value, in outs -> 0 -> "
                        "md5, line 2, column 3");
    place_write(t, "sub/x.dvc", "outs:\n- path: x\n  size: big\ncmd: y\n");
    assert_string_equal(place_load(t), "'./sub/x.dvc' validation failed: 2 errors.\n\nexpected "
                                       "int, in outs -> 0 -> size, line 2, column 3\n\nextra keys "
                                       "not allowed, in cmd");
}

static void lock_schema(void **state)
{
    struct place *t = *state;
    struct err e = ERR_INIT;
    assert_null(schema_parse(&t->a, SCHEMA_DVC_LOCK, STR("schema: '1.0'\n"), "./dvc.lock", 0, &e));
    assert_string_equal(e.text,
                        "'./dvc.lock' validation failed.\n\ninvalid schema version, in schema");
    e = (struct err)ERR_INIT;
    assert_null(schema_parse(&t->a, SCHEMA_DVC_LOCK,
                             STR("schema: '2.0'\nstages:\n  t:\n    deps: []\n"), "./dvc.lock", 0,
                             &e));
    assert_string_equal(e.text, "'./dvc.lock' validation failed.\n\nrequired key not provided, in "
                                "stages -> t -> cmd, line 4, column 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_as_dvc),
        cmocka_unit_test(accepts_what_dvc_accepts),
        cmocka_unit_test(syntax_errors_name_the_place),
        cmocka_unit_test(dvc_files_are_checked),
        cmocka_unit_test(lock_schema),
    };
    return cmocka_run_group_tests(tests, place_setup, place_teardown);
}
