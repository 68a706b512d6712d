/* ${…}: values, text, options of maps, errors. Expected texts are DVC 3.67's. */
#include "pipeline_check.h"
#include "template.h"
#include "yaml.h"

static struct arena a;

static const struct value *parse(const char *yaml)
{
    struct err e = ERR_INIT;
    const struct value *v = yaml_parse(&a, str_from(yaml), NULL, &e);
    assert_non_null(v);
    return v;
}

static struct template_ctx make_context(const char *yaml)
{
    struct template_ctx t;
    struct err e = ERR_INIT;
    template_init(&t, &a);
    assert_int_equal(template_merge(&t, parse(yaml), "params.yaml", &e), 0);
    return t;
}

#define CONTEXT                                                                                    \
    "{i: 3, f: 0.10, e: 1e-3, t: true, n: null, s: a b, l: [1, x], "                               \
    "d: {bool: true, nobool: false, lst: [1, 2], str: a b, foo: {bar: 1}, n: , f: 1.0}, "          \
    "m: {k: {deep: v}}, 7: seven}"

static const char *expand(struct template_ctx *t, const char *text, const char *field)
{
    struct err e = ERR_INIT;
    struct strbuf b;
    const struct value *src = value_cstr(&a, text);
    if (template_check(src, &e) < 0) {
        return arena_strdup(&a, e.text);
    }
    const struct value *v = template_resolve(t, src, field, &e);
    if (!v) {
        return arena_strdup(&a, e.text);
    }
    strbuf_init(&b);
    strbuf_addf(&b, "%s:", value_type_name(v->type));
    value_text(&b, v);
    const char *result = arena_strdup(&a, b.p);
    strbuf_release(&b);
    return result;
}

static void expands(void **state)
{
    static const struct {
        const char *text, *result;
    } cases[] = {
        {"plain", "str:plain"},
        {"${i}", "int:3"},
        {"${ i }", "int:3"},
        {"x${i}", "str:x3"},
        {"${f} ${e} ${t} ${n} ${s}", "str:0.1 0.001 true None a b"},
        {"${l[0]} ${l.1} ${l[-1]} ${ l[ 0 ] }", "str:1 x x 1"},
        {"${m.k.deep}", "str:v"},
        {"\\${i} ${i}", "str:${i} 3"},
        {"\\${i}", "str:${i}"},
        {"open ${i", "str:open ${i"},
        {"$i {i} ${i}}", "str:$i {i} 3}"},
        {"${i\n}", "str:${i\n}"},
        {"${nope}", "Could not find 'nope'"},
        {"${l[5]}", "Could not find 'l.5'"},
        {"${s.y}", "Could not find 's.y'"},
        {"${7}", "Could not find '7'"},
        {"a ${l}", "Cannot interpolate data of type 'list'"},
        {"${d}", "Cannot interpolate data of type 'dict'"},
        {"${a[}", "${a[}\n   ^\nParseException: Expected end of text, found '['  (at char 3), "
                  "(line:1, col:4)"},
        {"${}", "${}\n  ^\nParseException: Expected !W:(.[]), found '}'  (at char 2), (line:1, "
                "col:3)"},
        {"${a..b}", "${a..b}\n   ^\nParseException: Expected end of text, found '.'  (at char 3), "
                    "(line:1, col:4)"},
    };
    struct template_ctx t = make_context(CONTEXT);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_string_equal(expand(&t, cases[i].text, "deps"), cases[i].result);
    }
}

static void maps_become_options(void **state)
{
    struct template_ctx t = make_context(CONTEXT);
    assert_string_equal(expand(&t, "x ${d} y", "cmd"),
                        "str:x --bool --lst 1 2 --str 'a b' --foo.bar 1 --n None --f 1.0 y");
    t.style = (struct template_style){.bool_optional = true, .list_append = true};
    assert_string_equal(expand(&t, "x ${d}", "cmd"),
                        "str:x --bool --no-nobool --lst 1 --lst 2 --str 'a b' --foo.bar 1 --n None "
                        "--f 1.0");
    t = make_context("{d: {l: [[1]]}}");
    assert_string_equal(expand(&t, "x ${d}", "cmd"), "Cannot interpolate nested iterable in 'l'");
}

static void whole_values_without_a_field(void **state)
{
    struct template_ctx t = make_context(CONTEXT);
    assert_string_equal(expand(&t, "${l}", NULL), "list:[1, 'x']");
    assert_string_equal(expand(&t, "${m}", NULL), "dict:{'k': {'deep': 'v'}}");
}

static void keys_expand_too(void **state)
{
    struct template_ctx t = make_context("{p: out, q: {r: 1}}");
    struct err e = ERR_INIT;
    const struct value *v =
        template_resolve(&t, parse("- \"${p}.txt\": {cache: false}"), "outs", &e);
    assert_non_null(v);
    assert_non_null(value_get(v->list.items[0], "out.txt"));
    assert_null(template_resolve(&t, parse("{\"${q}\": 1}"), NULL, &e));
}

static void shares_what_does_not_change(void **state)
{
    struct template_ctx t = make_context("{p: out}");
    const struct value *src = parse("[a, {b: c}]");
    assert_ptr_equal(template_resolve(&t, src, "outs", NULL), src);
}

static void merging_names_both_sources(void **state)
{
    struct template_ctx t = make_context("{model: {name: a}, lr: 1}");
    struct err e = ERR_INIT;
    assert_int_equal(template_merge(&t, parse("{model: {size: 3}}"), "vars[0]", &e), 0);
    assert_string_equal(expand(&t, "${model.name}${model.size}", "cmd"), "str:a3");
    assert_int_equal(template_merge(&t, parse("{model: {name: b}}"), "vars[1]", &e), -1);
    assert_string_equal(e.text, "cannot redefine 'model.name' from 'vars[1]' as it already exists "
                                "in 'params.yaml'");
    assert_int_equal(t.fault, TEMPLATE_MERGE);
    assert_int_equal(template_merge(&t, parse("{model: {size: 4}}"), "x.yaml", &e), -1);
    assert_string_equal(e.text, "cannot redefine 'model.size' from 'x.yaml' as it already exists "
                                "in 'vars[0]'");
    assert_string_equal(expand(&t, "${model.size}", "cmd"), "int:3");
}

static void a_stage_may_extend_a_copy(void **state)
{
    struct template_ctx file = make_context("{a: 1}"), stage = file;
    struct err e = ERR_INIT;
    assert_int_equal(template_merge(&stage, parse("{b: 2}"), "s.vars[0]", &e), 0);
    assert_string_equal(expand(&stage, "${a}${b}", "cmd"), "str:12");
    assert_string_equal(expand(&file, "${b}", "cmd"), "Could not find 'b'");
}

static void item_and_key_are_reserved(void **state)
{
    struct template_ctx t = make_context("{item: old}");
    struct err e = ERR_INIT;
    t.item = parse("{x: 1}");
    t.key = value_cstr(&a, "k");
    assert_string_equal(expand(&t, "${item.x} ${key}", "cmd"), "str:1 k");
    assert_int_equal(template_merge(&t, parse("{item: 1, key: 2}"), "v", &e), -1);
    assert_string_equal(e.text, "attempted to modify reserved keys item and key");
}

static void text_is_bounded(void **state)
{
    struct strbuf big;
    struct err e = ERR_INIT;
    strbuf_init(&big);
    strbuf_pad(&big, 'x', 700000);
    struct template_ctx t = make_context("{a: 1}");
    struct value *doc = value_map(&a);
    value_set(&a, doc, "b", value_str(&a, strbuf_str(&big)));
    assert_int_equal(template_merge(&t, doc, "v", &e), 0);
    assert_non_null(template_resolve(&t, value_cstr(&a, "${b}."), "cmd", &e));
    assert_null(template_resolve(&t, value_cstr(&a, "${b}${b}"), "cmd", &e));
    assert_int_equal(e.code, ERR_LIMIT);
    strbuf_release(&big);
}

static int open_arena(void **state)
{
    arena_init(&a);
    return 0;
}

static int close_arena(void **state)
{
    arena_release(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands),
        cmocka_unit_test(maps_become_options),
        cmocka_unit_test(whole_values_without_a_field),
        cmocka_unit_test(keys_expand_too),
        cmocka_unit_test(shares_what_does_not_change),
        cmocka_unit_test(merging_names_both_sources),
        cmocka_unit_test(a_stage_may_extend_a_copy),
        cmocka_unit_test(item_and_key_are_reserved),
        cmocka_unit_test(text_is_bounded),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
