/* dvc.yaml and .dvc files to stages: what DVC 3.67 finds, in a line a stage (pipeline_check.h). */
#include "pipeline_check.h"
#include "stagemeta.h"

struct example {
    const char *yaml, *result;
};

static void check(void **state, const struct example *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(place_load_yaml(*state, x[i].yaml), x[i].result);
    }
}
#define CHECK(state, list) check(state, list, sizeof(list) / sizeof(*(list)))

static void plain_stages(void **state)
{
    static const struct example list[] = {
        {"stages:\n"
         "  prep:\n"
         "    cmd: |\n      one\n      two\n"
         "    wdir: sub/dir\n"
         "    deps: [a, ../b, /abs/c, 's3://bucket/k']\n"
         "    params: [lr, net.depth, {other.yaml: [x]}, {whole.toml: }]\n"
         "    outs: [o, {p: {cache: false, persist: true}}, o]\n"
         "    metrics: [{m.json: {cache: false}}]\n"
         "    plots: [{p.csv: {x: a, push: false}}]\n"
         "    frozen: true\n"
         "    always_changed: true\n",
         "prep [sub/dir] one|two <sub/dir/a <sub/b </abs/c <s3://bucket/k "
         "<sub/dir/params.yaml=lr,net.depth <sub/dir/other.yaml=x <sub/dir/whole.toml= "
         ">sub/dir/o >sub/dir/p!cache!persist >m:sub/dir/m.json!cache >p:sub/dir/p.csv!push "
         "frozen always\n"},
        {"stages: {s: {cmd: [a, 'b c'], params: [{params.yaml: }, lr]}}\n",
         "s a|b c <params.yaml=\n"},
        {"stages: {s: {cmd: x, deps: [./d, e/../f], outs: [d/]}}\n", "s x <d <f >d\n"},
        {"stages: {s: {cmd: x, params: [{f.yaml: k}]}}\n",
         "Expected list of params for custom params file 'f.yaml', got 'str'."},
        {"stages: {s: {cmd: x, deps: [q.dvc]}}\n", "DVC file 'q.dvc' cannot be a dependency."},
        {"stages: {s: {cmd: x, outs: [sub/dvc.yaml]}}\n",
         "DVC file 'sub/dvc.yaml' cannot be an output."},
        {"stages: {a@b: {cmd: x}}\n", "Stage 'a@b' not found inside 'dvc.yaml' file"},
    };
    CHECK(state, list);
}

static void foreach_and_matrix(void **state)
{
    struct place *t = *state;
    static const struct example list[] = {
        {"stages:\n  f: {foreach: [1, true, x y, 2.5, null], do: {cmd: \"echo ${item}\"}}\n",
         "f@1 echo 1\nf@true echo true\nf@x y echo x y\nf@2.5 echo 2.5\nf@None echo None\n"},
        {"stages:\n  f: {foreach: [{a: 1}, [2]], do: {cmd: \"x ${item}\"}}\n",
         "failed to parse 'stages.f@1.cmd' in 'dvc.yaml':\nCannot interpolate data of type "
         "'list'"},
        {"stages:\n  f: {foreach: [{a: 1}, {a: 2}], do: {cmd: \"x ${item.a}\"}}\n",
         "f@0 x 1\nf@1 x 2\n"},
        {"stages:\n  f: {foreach: {k: {v: 1}, 3: {v: 2}}, do: {cmd: \"x ${key} ${item.v}\"}}\n",
         "f@k x k 1\nf@3 x 3 2\n"},
        {"stages:\n  f: {foreach: \"${list}\", do: {cmd: \"x ${item}\"}}\n",
         "f@True x true\nf@a x a\n"},
        {"stages:\n  f: {foreach: \"${str}\", do: {cmd: x}}\n",
         "failed to resolve 'stages.f.foreach' in 'dvc.yaml': expected list/dictionary, got str"},
        {"stages:\n  f: {foreach: [], do: {cmd: x}}\n", ""},
        {"stages:\n  f: {foreach: [a, b, a], do: {cmd: \"x ${item}\"}}\n", "f@a x a\nf@b x b\n"},
        {"stages:\n  f: {foreach: [a@b], do: {cmd: x}}\n",
         "Stage 'f@a@b' not found inside 'dvc.yaml' file"},
        {"stages:\n  m:\n    matrix: {p: [x, y], q: [{c: 1}, {c: 2}]}\n"
         "    cmd: \"${key} ${item.p} ${item.q.c}\"\n",
         "m@x-q0 x-q0 x 1\nm@x-q1 x-q1 x 2\nm@y-q0 y-q0 y 1\nm@y-q1 y-q1 y 2\n"},
        {"stages:\n  m: {matrix: {p: \"${list}\", q: [\"${str}\"]}, cmd: \"x ${item.p}\"}\n",
         "m@True-s x true\nm@a-s x a\n"},
        {"stages:\n  m: {matrix: {p: \"${str}\"}, cmd: x}\n",
         "failed to resolve 'stages.m.matrix' in 'dvc.yaml': expected list for 'p', got str"},
        {"stages:\n  f: {foreach: [1], do: {cmd: \"x ${itm[0]}\"}}\n",
         "failed to parse 'stages.f@1.cmd' in 'dvc.yaml': Could not find 'itm[0]'"},
    };
    place_write(t, "params.yaml", "list: [true, a]\nstr: s\n");
    CHECK(state, list);
    place_load_yaml(t, "stages:\n  f: {foreach: [1], do: {cmd: \"x ${item}\"}}\n");
    assert_string_equal(t->p.stages[0].group, "f");
    assert_int_equal(t->p.stages[0].line, 2);
}

static void too_many_stages_are_refused_before_they_are_made(void **state)
{
    struct place *t = *state;
    struct strbuf b;
    strbuf_init(&b);
    strbuf_adds(&b, "stages:\n  m:\n    cmd: x\n    matrix:\n");
    for (int k = 0; k < 12; k++) {
        strbuf_addf(&b, "      k%d: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n", k);
    }
    place_load_yaml(t, b.p);
    assert_int_equal(t->e.code, ERR_LIMIT);
    assert_non_null(strstr(t->e.text, "more than 100000 stages at 'stages.m.matrix'"));
    strbuf_release(&b);
}

static void vars(void **state)
{
    struct place *t = *state;
    static const struct example list[] = {
        {"vars: [v.json:a, {c: 3}]\nstages: {s: {cmd: \"${a} ${c} ${lr}\"}}\n", "s 1 3 0.1\n"},
        {"vars: [{lr: 3}]\n", "failed to parse 'vars' in 'dvc.yaml':\ncannot redefine 'lr' from "
                              "'vars[0]' as it already exists in 'params.yaml'"},
        {"vars: [nofile.yaml]\n",
         "failed to parse 'vars' in 'dvc.yaml': 'nofile.yaml' does not exist"},
        {"vars: [\"${x}\"]\n",
         "failed to parse 'vars' in 'dvc.yaml': interpolating is not allowed"},
        {"vars: [v.json:nope]\n",
         "failed to parse 'vars' in 'dvc.yaml': could not find 'nope' in 'v.json'"},
        {"vars: [v.json, v.json]\nstages: {s: {cmd: \"${b}\"}}\n", "s 2\n"},
        {"vars: [v.json:a, v.json]\n", "failed to parse 'vars' in 'dvc.yaml':\ncannot load "
                                       "'v.json' as it's partially loaded already"},
        {"vars: [v.json, v.json:a]\n", "failed to parse 'vars' in 'dvc.yaml':\ncannot partially "
                                       "load 'v.json:a' as it's already loaded."},
        {"stages:\n  s: {vars: [{q: 5}], cmd: \"${q}\"}\n  t: {cmd: \"${q}\"}\n",
         "failed to parse 'stages.t.cmd' in 'dvc.yaml': Could not find 'q'"},
        {"stages:\n  s: {wdir: d, vars: [w.toml], cmd: \"${in.wdir}\"}\n", "s [d] yes\n"},
        {"stages:\n  s: {vars: [{lr: 5}], cmd: x}\n",
         "failed to parse stage 's' in 'dvc.yaml':\ncannot redefine 'lr' from 's.vars[0]' as it "
         "already exists in 'params.yaml'"},
        {"vars: [p.py]\nstages: {s: {cmd: \"${N} ${C.x}\"}}\n", "s 7 [1]\n"},
    };
    place_write(t, "params.yaml", "lr: 0.10\n");
    place_write(t, "v.json", "{\"a\": 1, \"b\": 2}");
    place_write(t, "d/w.toml", "[in]\nwdir = \"yes\"\n");
    place_write(t, "p.py", "import os\nN = 7\nclass C:\n    x = '[1]'\n    y = os.getcwd()\n");
    CHECK(state, list);
}

static void dvc_files(void **state)
{
    struct place *t = *state;
    place_write(t, "dvc.yaml", "stages: {s: {cmd: x, outs: [out]}}\n");
    place_write(t, "data/raw.dvc",
                "frozen: true\ndeps:\n- path: /src/raw\n  md5: aaa\n  size: 3\n"
                "outs:\n- md5: bbb.dir\n  nfiles: 2\n  size: 9\n  hash: md5\n"
                "  path: raw\n  desc: words\nmeta: {k: v}\n");
    place_write(t, "old.dvc", "wdir: data\nouts:\n- md5: ccc\n  path: x\n");
    place_write(t, "out/hidden.dvc", "not: valid\n"); /* inside of an output: not entered */
    assert_string_equal(place_load(t), "s x >out\nold.dvc [data] >data/x\ndata/raw.dvc [data] "
                                       "</src/raw >data/raw frozen\n");
    const struct stage *raw = pipeline_find(&t->p, "data/raw.dvc", NULL);
    assert_true(raw->is_import);
    assert_string_equal(raw->outs[0].hash.md5, "bbb.dir");
    assert_int_equal(raw->outs[0].hash.nfiles, 2);
    assert_false(raw->outs[0].hash.legacy);
    assert_true(raw->deps[0].hash.legacy);
    assert_string_equal(raw->outs[0].desc, "words");
    assert_true(pipeline_find(&t->p, "old.dvc", NULL)->outs[0].hash.legacy);
    assert_null(pipeline_find(&t->p, "old.dvc", "s"));
}

static void names_follow_the_current_folder(void **state)
{
    struct place *t = *state;
    place_write(t, "dvc.yaml", "stages: {top: {cmd: x}}\n");
    place_write(t, "sub/dvc.yaml", "stages: {s: {cmd: x, outs: [o]}}\n");
    assert_string_equal(place_load(t), "top x\nsub/dvc.yaml:s [sub] x >sub/o\n");
    t->repo.prefix = "sub";
    assert_string_equal(place_load(t), "../dvc.yaml:top x\ns [sub] x >sub/o\n");
    place_write(t, "dvc.yaml", "stages: {top: 1}\n");
    assert_string_equal(place_load(t),
                        "'../dvc.yaml' validation failed.\n\nexpected a dictionary, in stages -> "
                        "top, line 1, column 9");
    t->repo.prefix = ".";
}

static void ignored_folders_are_not_entered(void **state)
{
    struct place *t = *state;
    place_write(t, ".dvcignore", "/skip/\n*.tmp.dvc\n");
    place_write(t, "skip/dvc.yaml", "broken: [\n");
    place_write(t, ".dvc/tmp/dvc.yaml", "broken: [\n");
    place_write(t, "x.tmp.dvc", "broken: [\n");
    place_write(t, "dvc.yaml", "stages: {top: {cmd: x}}\n");
    t->repo.ignore = ignore_new(t->root);
    assert_string_equal(place_load(t), "top x\n");
    place_write(t, "dvc.yaml", "stages: {top: {cmd: x, outs: [skip/a]}}\n");
    place_load(t);
    assert_non_null(strstr(t->e.text, "/skip/a' is ignored by .dvcignore:1:/skip/"));
    ignore_free(t->repo.ignore);
    t->repo.ignore = NULL;
}

static void top_sections(void **state)
{
    struct place *t = *state;
    place_write(t, "sub/dvc.yaml",
                "vars: [{n: m}]\nmetrics: [\"${n}.json\"]\nparams: [../p.toml]\n"
                "plots: [a.csv, {b.csv: {x: \"${n}\"}}]\n"
                "artifacts: {\"${n}\": {path: out}}\n");
    place_load(t);
    assert_int_equal(t->p.file_count, 1);
    const struct pipeline_file *f = &t->p.files[0];
    assert_string_equal(f->metrics[0], "sub/m.json");
    assert_string_equal(f->params[0], "p.toml");
    assert_int_equal(f->plots->list.count, 2);
    assert_string_equal(value_get(value_get(f->plots->list.items[1], "b.csv"), "x")->s.p, "m");
    assert_non_null(value_get(f->artifacts, "m"));
}

static void nephron_keys(void **state)
{
    struct place *t = *state;
    static const struct example bad[] = {
        {"{rank: 2}", "meta.nephron.rank is not a key of Nephron; known: ranks, slots, limit, "
                      "priority, env, timeout, retries"},
        {"{ranks: 0}", "meta.nephron.ranks: expected all, a number from 1 on, or a percentage from "
                       "1% to 100%, got 0"},
        {"{ranks: 101%}", "meta.nephron.ranks: expected all, a number from 1 on, or a percentage "
                          "from 1% to 100%, got '101%'"},
        {"{slots: x}", "meta.nephron.slots: expected a number from 1 on, got 'x'"},
        {"{limit: true}", "meta.nephron.limit: expected a number from 1 on, got True"},
        {"{env: [A]}", "meta.nephron.env: expected a map of names, got ['A']"},
        {"{env: {A-B: 1}}", "meta.nephron.env: expected names of letters, digits and _, got 'A-B'"},
        {"{timeout: 10x}", "meta.nephron.timeout: expected seconds above 0, or a time such as "
                           "\"10m\", got '10x'"},
        {"{ranks: 2, slots: 2}", "meta.nephron: ranks and slots exclude each other"},
        {"3", "meta.nephron: expected a map, got int"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        place_load_yaml(t,
                        arena_printf(&t->a, "stages:\n  x:\n    cmd: y\n    meta: {nephron: %s}\n",
                                     bad[i].yaml));
        assert_int_equal(t->e.code, ERR_FORMAT);
        assert_string_equal(
            t->e.text, arena_printf(&t->a, "'./dvc.yaml', line 4: stage 'x': %s", bad[i].result));
    }
    place_load_yaml(t,
                    "stages:\n  x:\n    cmd: y\n    meta:\n      nephron: {ranks: 50%, limit: 2, "
                    "priority: -3, env: {GPU: [0, 1], B: x}, timeout: 1h30m, retries: 2}\n");
    const struct stage_meta *m = &t->p.stages[0].nephron;
    assert_int_equal(m->ranks_kind, RANKS_PERCENT);
    assert_int_equal(m->ranks, 50);
    assert_int_equal(m->limit, 2);
    assert_int_equal(m->priority, -3);
    assert_int_equal(m->retries, 2);
    assert_true(m->timeout_s == 5400);
    assert_int_equal(m->env_count, 2);
    assert_string_equal(m->env_keys[0], "GPU");
    assert_int_equal(m->env_values[0]->list.count, 2);
}

static void durations(void **state)
{
    double s;
    assert_true(stagemeta_duration(STR("90"), &s) && s == 90);
    assert_true(stagemeta_duration(STR("500ms"), &s) && s == 0.5);
    assert_true(stagemeta_duration(STR("2d1.5h"), &s) && s == 2 * 86400 + 5400);
    assert_false(stagemeta_duration(STR("0"), &s));
    assert_false(stagemeta_duration(STR("5 m"), &s));
    assert_false(stagemeta_duration(STR("m"), &s));
    assert_false(stagemeta_duration(STR(""), &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain_stages, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(foreach_and_matrix, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(too_many_stages_are_refused_before_they_are_made,
                                        place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(vars, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(dvc_files, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(names_follow_the_current_folder, place_setup,
                                        place_teardown),
        cmocka_unit_test_setup_teardown(ignored_folders_are_not_entered, place_setup,
                                        place_teardown),
        cmocka_unit_test_setup_teardown(top_sections, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(nephron_keys, place_setup, place_teardown),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
