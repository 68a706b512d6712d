/* Which jobs run inside their ranks: plain words of the built-in commands, and nothing a shell would
 * look at. */
#include "gang.h"

#include "job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool suits(const char *cmd, int ranks)
{
    const char *const cmds[] = {cmd};
    return gang_suits(&(struct job){.cmds = cmds, .cmd_count = 1, .ranks = ranks});
}

static void plain_commands_do(void **state)
{
    static const char *const yes[] = {
        "nephron train",
        "nephron  train ",
        "nephron train --fresh -q",
        "nephron evaluate",
        "nephron prepare",
        "  nephron\ttrain --params p.yaml",
        "nephron train --config config/a-b_c.yaml",
    };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        assert_true(suits(yes[i], 2));
        assert_false(suits(yes[i], 1));
        assert_false(suits(yes[i], 0));
    }
}

static void everything_else_does_not(void **state)
{
    static const char *const no[] = {
        "",
        "nephron",
        "nephron ingest",
        "nephron trains",
        "train",
        "./nephron train",
        "X=1 nephron train",
        "mpirun -n 2 nephron train",
        "nephron train | tee log",
        "nephron train > log",
        "nephron train && true",
        "nephron train; true",
        "nephron train &",
        "nephron train $X",
        "nephron train `x`",
        "nephron train 'a b'",
        "nephron train \"a\"",
        "nephron train *.yaml",
        "nephron train # twice",
        "nephron train\ntrue",
        "nephron train ~/x",
        "nephron train {a,b}",
        "nephron train a\\ b",
    };
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        assert_false(suits(no[i], 2));
    }
    const char *const mixed[] = {"nephron train", "echo done"};
    assert_false(gang_suits(&(struct job){.cmds = mixed, .cmd_count = 2, .ranks = 2}));
    const char *const apart[] = {"nephron train"};
    assert_false(
        gang_suits(&(struct job){.cmds = apart, .cmd_count = 1, .ranks = 2, .carry = {"x", 1}}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_commands_do),
        cmocka_unit_test(everything_else_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
