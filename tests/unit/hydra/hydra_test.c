/*
 * Folders of settings as Hydra composes them: hydra.jsonl holds what DVC itself made of each (tests/peer/hydra_peer.py). Another such file can
 * be named in NEPHRON_HYDRA_CASES.
 */
#include "hydracompose.h"
#include "hydradump.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CASES NEPHRON_SOURCE_DIR "/tests/unit/hydra/hydra.jsonl"

/* Words of Python's own that are no part of Hydra's answer: a fault is a fault. */
static bool is_same_error(const char *ours, struct str theirs, bool strict)
{
    size_t n = strcspn(ours, "\n");
    return !strict || (n == theirs.n && memcmp(ours, theirs.p, n) == 0);
}

/* True when ours is as theirs; else both are printed. `at`: the line of the file. */
static bool check_case(struct arena *a, const struct value *c, size_t at, bool strict)
{
    const struct value *name = value_get(c, "name"), *overrides = value_get(c, "overrides");
    const struct value *text = value_get(c, "text"), *error = value_get(c, "error");
    const struct hydrasource main = {.texts = value_get(c, "files")};
    struct value *doc;
    struct strbuf out;
    struct err e = ERR_INIT;
    strbuf_init(&out);
    int rc = hydracompose(a, &main, name != NULL ? name->s.p : "config",
                          overrides != NULL ? overrides : value_list(a), &doc, &e);
    if (rc == 0) {
        hydradump(&out, doc);
    }
    bool same = rc == 0 ? text != NULL && str_eq(strbuf_str(&out), text->s)
                        : error != NULL && is_same_error(e.text, error->s, strict);
    if (!same) {
        print_error("line %zu\nours: %.600s\ntheirs: %.600s\n\n", at, rc < 0 ? e.text : out.p,
                    text != NULL ? text->s.p : error->s.p);
    }
    strbuf_release(&out);
    return same;
}

static void as_dvc(void **state)
{
    (void)state;
    const char *other = getenv("NEPHRON_HYDRA_CASES");
    struct strbuf file;
    size_t wrong = 0, count = 0, composed = 0;
    strbuf_init(&file);
    setenv("HYDRA_PEER", "from outside", 1);
    assert_int_equal(fs_read(other != NULL ? other : CASES, 0, &file, NULL), 0);
    struct str rest = strbuf_str(&file), line;
    while (rest.n > 0 && str_split(&rest, '\n', &line)) {
        struct arena a;
        arena_init(&a);
        const struct value *c = line.n > 0 ? json_parse(&a, line, CASES, NULL) : NULL;
        if (c != NULL) {
            count++;
            composed += value_get(c, "text") != NULL;
            wrong += !check_case(&a, c, count, value_get(c, "words") != NULL);
        }
        arena_release(&a);
    }
    strbuf_release(&file);
    print_message("%zu folders, %zu of them composed\n", count, composed);
    assert_true(count >= 60 && composed >= count / 4);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_dvc)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
