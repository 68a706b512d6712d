/* Overrides as Hydra reads them: overrides.jsonl holds what Hydra itself answered (tests/peer/overrides.py). */
#include "override.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "value.h"
#include "yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CASES NEPHRON_SOURCE_DIR "/tests/unit/hydra/overrides.jsonl"

/* What we make of one text, in the form of the file. */
static struct value *outcome(struct arena *a, struct str params, struct str text, const char **kind)
{
    struct override o;
    struct err e = ERR_INIT;
    *kind = "error";
    if (override_parse(a, text, &o, &e) < 0) {
        assert_int_equal(e.code, ERR_USAGE);
        return value_null(a);
    }
    if (override_is_sweep(&o)) {
        struct value *files = value_map(a), *list = value_list(a), *texts = value_list(a);
        value_push(a, list, value_str(a, text));
        value_set(a, files, "p", list);
        struct value *all = override_product(a, files, &e);
        if (all == NULL) {
            return value_null(a);
        }
        for (size_t i = 0; i < all->list.count; i++) {
            value_push(a, texts, value_get(all->list.items[i], "p")->list.items[0]);
        }
        *kind = "sweep";
        return texts;
    }
    struct value *doc = yaml_parse(a, params, NULL, &e);
    assert_non_null(doc);
    if (override_apply(a, doc, &o, &e) < 0) {
        return value_null(a);
    }
    *kind = "doc";
    return doc;
}

static void add_case(struct strbuf *out, struct str text, const char *kind, const struct value *v)
{
    json_write_string(out, text, false);
    strbuf_addf(out, " %s ", kind);
    json_write(out, v, &(struct json_style){.sort_keys = true});
    strbuf_addch(out, '\n');
}

static void as_hydra(void **state)
{
    (void)state;
    struct arena a;
    struct strbuf file, ours, theirs;
    arena_init(&a);
    strbuf_init(&file);
    strbuf_init(&ours);
    strbuf_init(&theirs);
    assert_int_equal(fs_read(CASES, 0, &file, NULL), 0);
    struct str rest = strbuf_str(&file), line;
    struct str params = {0};
    size_t wrong = 0, count = 0;
    while (rest.n > 0 && str_split(&rest, '\n', &line)) {
        struct value *v = line.n > 0 ? json_parse(&a, line, CASES, NULL) : NULL;
        if (v == NULL) {
            continue;
        }
        if (params.n == 0) {
            params = v->s;
            continue;
        }
        const char *kind;
        struct str text = v->list.items[0]->s;
        const struct value *got = outcome(&a, params, text, &kind);
        strbuf_reset(&ours);
        strbuf_reset(&theirs);
        add_case(&ours, text, kind, got);
        add_case(&theirs, text, v->list.items[1]->s.p, v->list.items[2]);
        if (strcmp(ours.p, theirs.p) != 0) {
            print_message("expected %sfound    %s", theirs.p, ours.p);
            wrong++;
        }
        count++;
    }
    assert_true(count > 150);
    assert_int_equal(wrong, 0);
    strbuf_release(&theirs);
    strbuf_release(&ours);
    strbuf_release(&file);
    arena_release(&a);
}

static void files_by_first_mention(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    const char *const typed[] = {"a=1", "other.json:b=x:y", "a=c:d", "other.json:e=2"};
    struct strbuf b;
    strbuf_init(&b);
    json_write(&b, override_files(&a, typed, 4), &(struct json_style){0});
    assert_string_equal(
        b.p, "{\"params.yaml\": [\"a=1\", \"a=c:d\"], \"other.json\": [\"b=x:y\", \"e=2\"]}");
    strbuf_release(&b);
    arena_release(&a);
}

/* Limits hold: a sweep beyond them is an error, no flood of experiments, no endless loop. */
static void limits(void **state)
{
    (void)state;
    static const char *const texts[] = {"a=range(0,1e9)", "a=range(0,inf)", "a=range(1,2,0)",
                                        "a=range(0,1,1e-300)"};
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct value *files = value_map(&a), *list = value_list(&a);
        struct err e = ERR_INIT;
        value_push(&a, list, value_cstr(&a, texts[i]));
        value_set(&a, files, "p", list);
        assert_null(override_product(&a, files, &e));
        assert_true(e.code != ERR_NONE && e.text[0] != 0);
    }
    struct strbuf deep;
    struct override o;
    strbuf_init(&deep);
    strbuf_adds(&deep, "a=");
    strbuf_pad(&deep, '[', 5000);
    assert_int_equal(override_parse(&a, strbuf_str(&deep), &o, NULL), -1);
    strbuf_release(&deep);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_hydra),
        cmocka_unit_test(files_by_first_mention),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
