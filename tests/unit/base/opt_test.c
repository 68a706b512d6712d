/* Option tables. */

#include "opt.h"

#include "err.h"

#include "base_check.h"

static bool all, dot;
static const char *name;
static long jobs;
static struct opt_list deps, targets;

static const struct opt options[] = {{OPT_FLAG, 'a', "all", NULL, "all", &all, NULL},
                                     {OPT_FLAG, 0, "dot", NULL, "dot", &dot, NULL},
                                     {OPT_STR, 'n', "name", "NAME", "name", &name, "names"},
                                     {OPT_INT, 'j', "jobs", "N", "jobs", &jobs, NULL},
                                     {OPT_LIST, 'd', "deps", "PATH", "deps", &deps, NULL},
                                     {OPT_MULTI, 0, "targets", "T...", "targets", &targets, NULL},
                                     OPT_END};

static enum opt_result parse(size_t max, bool stop, char **argv, struct opt_list *args,
                             struct err *e)
{
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    const struct opt_spec spec = {
        .usage = "x", .options = options, .max_args = max, .stop_at_first_word = stop};
    return opt_parse(&spec, argc, argv, args, e);
}

static void options_and_words_mix(void **state)
{
    char *argv[] = {"x",   "one",       "-aj4", "--name=n", "--de", "p",  "-dq",
                    "two", "--targets", "t1",   "t2",       "--",   "-z", NULL};
    struct opt_list args = {0};
    struct err e = ERR_INIT;
    assert_int_equal(parse(OPT_ANY, false, argv, &args, &e), OPT_OK);
    assert_true(all);
    assert_int_equal(jobs, 4);
    assert_string_equal(name, "n");
    assert_int_equal(deps.count, 2);
    assert_string_equal(deps.items[1], "q");
    assert_int_equal(targets.count, 2);
    assert_int_equal(args.count, 3);
    assert_string_equal(args.items[2], "-z");
    opt_list_release(&args);
    opt_list_release(&deps);
    opt_list_release(&targets);
}

static void commands_keep_their_own_options(void **state)
{
    char *argv[] = {"x", "-n", "s", "python", "-c", "print", NULL};
    struct opt_list args = {0};
    assert_int_equal(parse(OPT_ANY, true, argv, &args, NULL), OPT_OK);
    assert_int_equal(args.count, 3);
    assert_string_equal(args.items[1], "-c");
    opt_list_release(&args);
}

static void mistakes_are_named(void **state)
{
    static char *const cases[][4] = {
        {"x", "--nosuch", NULL}, {"x", "-j", "four", NULL}, {"x", "--name", NULL},
        {"x", "--d", NULL},      {"x", "extra", NULL},      {"x", "--all=1", NULL},
    };
    static const char *const texts[] = {
        "unrecognized arguments: --nosuch",
        "argument --jobs: expected a whole number, got 'four'",
        "argument --name: expected one argument",
        "ambiguous option: --d could match --dot, --deps",
        "unrecognized arguments: extra",
        "argument --all: ignored explicit argument '1'",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct opt_list args = {0};
        struct err e = ERR_INIT;
        assert_int_equal(parse(0, false, (char **)cases[i], &args, &e), OPT_BAD);
        assert_string_equal(e.text, texts[i]);
        opt_list_release(&args);
    }
}

static void near_names_are_found(void **state)
{
    static const char *const names[] = {"status", "stage", "repro"};
    assert_string_equal(opt_nearest("stauts", names, 3), "status");
    assert_null(opt_nearest("zzz", names, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_mix),
        cmocka_unit_test(commands_keep_their_own_options),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(near_names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
