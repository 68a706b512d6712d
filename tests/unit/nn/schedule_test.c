/* Learning-rate rules: values at known places, the grammar, its refusals. */

#include "nn_check.h"

#include "err.h"
#include "schedule.h"

static double rate(const char *text, double epoch, double epochs)
{
    struct schedule s;
    struct err e = ERR_INIT;
    if (schedule_parse(text, &s, &e) < 0) {
        fail_msg("%s", e.text);
    }
    return schedule_rate(&s, 0.1,
                         &(struct schedule_position){
                             .epoch = epoch, .epochs = epochs, .steps_per_epoch = 10, .batch = 64});
}

static void near(double a, double b)
{
    if (!(fabs(a - b) < 1e-12)) {
        fail_msg("%.15g is not %.15g", a, b);
    }
}

static void test_rules(void **state)
{
    near(rate(NULL, 3, 10), 0.1);
    near(rate("", 3, 10), 0.1);
    near(rate("constant", 9.9, 10), 0.1);
    near(rate("step(3)", 2.99, 10), 0.1);
    near(rate("step(3)", 3, 10), 0.01);
    near(rate("step(3, 0.5)", 9, 10), 0.0125);
    near(rate("step:3:0.5", 9, 10), 0.0125);
    near(rate("cosine", 0, 10), 0.1);
    near(rate("cosine", 5, 10), 0.05);
    near(rate("cosine", 10, 10), 0);
    near(rate("cosine(0.2)", 10, 10), 0.02);
    near(rate("cosine", 11, 10), 0); /* past the end it stays */
    near(rate("poly", 0, 10), 0.1);
    near(rate("poly", 5, 10), 0.025);
    near(rate("poly(1)", 7.5, 10), 0.025);
    near(rate("poly", 12, 10), 0);
}

static void test_warmup_and_scaling(void **state)
{
    near(rate("warmup(2) constant", 0, 10), 0.1 * 0.05); /* the first of 20 steps */
    near(rate("warmup(2)", 1.9, 10), 0.1);
    near(rate(" warmup(2)+cosine ", 6, 10), 0.05);
    near(rate("warmup(0.5) step(4)", 4.5, 10), 0.01);
    near(rate("scale(256) constant", 0, 10), 0.025);
    near(rate("scale:32", 0, 10), 0.2);
    near(rate("scale(32) warmup(2) poly(2)", 6, 10), 0.2 * 0.25);
}

static void refuse(const char *text, const char *says)
{
    struct schedule s = {.warmup = 77};
    struct err e = ERR_INIT;
    if (schedule_parse(text, &s, &e) == 0) {
        fail_msg("'%s' was accepted", text);
    }
    assert_int_equal(e.code, ERR_CONFIG);
    if (!strstr(e.text, says) || !strstr(e.text, "accepted: constant, step(")) {
        fail_msg("'%s' says: %s", text, e.text);
    }
    assert_true(s.warmup == 77); /* untouched */
}

static void test_refusals(void **state)
{
    refuse("linear", "'linear'");
    refuse("cosine step(3)", "second rule");
    refuse("step", "0 numbers");
    refuse("step(0)", "above 0");
    refuse("step(-1)", "above 0");
    refuse("step(1,2,3)", "too many");
    refuse("step(1", "no ')'");
    refuse("step(x)", "'x'");
    refuse("step(nan)", "nan");
    refuse("cosine(-1)", "from 0");
    refuse("(3)", "''");
    refuse(")", "')'");
    refuse("Cosine", "'Cosine'");
    refuse("cosine)", "cosine)");
    refuse("warmup", "warmup");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_warmup_and_scaling),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
