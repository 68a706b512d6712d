/* Metrics against values worked out by hand, and against scikit-learn 1.5's definitions of ties and
 * absent classes. */
#include "data_check.h"

#include "score.h"

#include <math.h>

static void near(double a, double b)
{
    assert_true(fabs(a - b) < 1e-12);
}

/* Logits whose softmax is (1-p, p). */
static void add(struct score *s, size_t sample, int label, double p)
{
    const float logits[2] = {0, (float)log(p / (1 - p))};

    score_add_logits(s, logits, &(int32_t){label}, &sample, 1);
}

/*
 * label  p(1)  said
 *   0    0.1    0
 *   0    0.4    0
 *   1    0.35   0
 *   1    0.8    1        the example of sklearn's roc_auc_score: 0.75
 */
static void two_classes_by_hand(void **state)
{
    struct score s;
    struct score_report r;
    struct err e = ERR_INIT;

    score_init(&s, 2);
    add(&s, 3, 0, 0.1);
    add(&s, 2, 0, 0.4);
    add(&s, 1, 1, 0.35);
    add(&s, 0, 1, 0.8);
    check_ok(score_report(&s, &r, &e), e);
    assert_int_equal(r.count, 4);
    assert_int_equal(r.correct, 3);
    near(r.accuracy, 0.75);
    near(r.precision, 1);
    near(r.recall, 0.5);
    near(r.f1, 2.0 / 3);
    near(r.auc, 0.75);
    assert_true(fabs(r.loss - -(log(0.9) + log(0.6) + log(0.35) + log(0.8)) / 4) < 1e-7);
    static const size_t confusion[4] = {2, 0, 1, 1};
    assert_memory_equal(r.confusion, confusion, sizeof(confusion));
    near(r.per_class[0].precision, 2.0 / 3);
    near(r.per_class[0].recall, 1);
    near(r.per_class[0].f1, 0.8);
    assert_int_equal(r.per_class[0].support, 2);
    assert_int_equal(r.per_class[0].predicted, 3);
    score_report_release(&r);
    score_release(&s);
}

static void ties_count_half(void **state)
{
    struct score s;
    struct score_report r;

    score_init(&s, 2);
    /* positives 0.5 0.5 0.9, negatives 0.5 0.1: wins 1.5 + 1.5 + 2 of 6 */
    add(&s, 0, 1, 0.5);
    add(&s, 1, 1, 0.5);
    add(&s, 2, 1, 0.9);
    add(&s, 3, 0, 0.5);
    add(&s, 4, 0, 0.1);
    assert_int_equal(score_report(&s, &r, NULL), 0);
    near(r.auc, 5.0 / 6);
    assert_int_equal(r.confusion[2], 2); /* a tie of probabilities is the lowest class */
    score_report_release(&r);
    score_release(&s);
}

static void absent_classes(void **state)
{
    struct score s;
    struct score_report r;
    struct strbuf json;
    struct err e = ERR_INIT;

    score_init(&s, 2);
    assert_int_equal(score_report(&s, &r, &e), -1);
    check_said(&e, "no pictures");
    add(&s, 0, 0, 0.2);
    add(&s, 1, 0, 0.3);
    assert_int_equal(score_report(&s, &r, NULL), 0);
    near(r.precision, 0); /* zero_division=0 */
    near(r.recall, 0);
    near(r.f1, 0);
    assert_true(isnan(r.auc));
    strbuf_init(&json);
    score_report_json(&r, &json);
    assert_non_null(strstr(json.p, "    \"accuracy\": 1.0,\n"));
    assert_non_null(strstr(json.p, "    \"auc\": null\n}\n"));
    strbuf_release(&json);
    score_report_release(&r);
    score_release(&s);
}

static void add3(struct score *s, size_t sample, int label, double a, double b, double c)
{
    const float logits[3] = {(float)log(a), (float)log(b), (float)log(c)};

    score_add_logits(s, logits, &(int32_t){label}, &sample, 1);
}

/*
 * label  p0   p1   p2   said
 *   0   .7   .2   .1    0        class 0: precision 1/2, recall 1/2; auc: positives .7 .3,
 * negatives .5 .2 .1: 0   .3   .4   .3    1                 3 + 2 = 5 of 6 1   .5   .4   .1    0
 * class 1: 1/2, 1/2; positives .4 .6, negatives .2 .45 .3: 2 + 3 = 5 of 6 1   .2   .6   .2
 * 1 2   .1   .3   .6    2        class 2: 1, 1; positive .6: 4 of 4
 */
static void three_classes_by_hand(void **state)
{
    struct score s;
    struct score_report r;

    score_init(&s, 3);
    add3(&s, 0, 0, .7, .2, .1);
    add3(&s, 1, 0, .3, .45, .25);
    add3(&s, 2, 1, .5, .4, .1);
    add3(&s, 3, 1, .2, .6, .2);
    add3(&s, 4, 2, .1, .3, .6);
    assert_int_equal(score_report(&s, &r, NULL), 0);
    near(r.accuracy, 0.6);
    near(r.precision, 2.0 / 3);
    near(r.recall, 2.0 / 3);
    near(r.f1, 2.0 / 3);
    near(r.per_class[0].auc, 5.0 / 6);
    near(r.per_class[1].auc, 5.0 / 6);
    near(r.auc, (5.0 / 6 + 5.0 / 6 + 1) / 3);
    score_report_release(&r);
    score_release(&s);
}

static void order_of_arrival_changes_no_bit(void **state)
{
    enum { N = 101 };
    struct score whole, parts[3], gathered;
    struct score_report a, b;
    struct err e = ERR_INIT;

    score_init(&whole, 2);
    for (int k = 0; k < 3; k++) {
        score_init(&parts[k], 2);
    }
    for (size_t i = 0; i < N; i++) {
        double p = 0.01 + 0.98 * fmod((double)i * 0.618, 1);

        add(&whole, i, (int)(i % 3 == 0), p);
        add(&parts[(i * 7) % 3], i, (int)(i % 3 == 0), p);
    }
    score_init(&gathered, 2);
    for (int k = 2; k >= 0; k--) {
        check_ok(score_append(&gathered, parts[k].rows, parts[k].count, &e), e);
        score_release(&parts[k]);
    }
    check_ok(score_report(&whole, &a, &e), e);
    check_ok(score_report(&gathered, &b, &e), e);
    assert_memory_equal(&a.loss, &b.loss, sizeof(double));
    assert_memory_equal(&a.auc, &b.auc, sizeof(double));
    assert_memory_equal(whole.rows, gathered.rows, N * score_stride(2) * sizeof(double));
    score_report_release(&a);
    score_report_release(&b);
    score_release(&whole);
    score_release(&gathered);
}

static void impossible_rows_are_refused(void **state)
{
    static const double bad[][5] = {{-1, 0, 0.1, 0.9, 0.1},  {0, 2, 0.1, 0.9, 0.1},
                                    {0, 0.5, 0.1, 0.9, 0.1}, {0, 0, -3, 0.9, 0.1},
                                    {0, 0, 0.1, 1.9, -0.9},  {NAN, 0, 0.1, 0.9, 0.1}};
    struct score s;

    score_init(&s, 2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(score_append(&s, bad[i], 1, NULL), -1);
    }
    assert_int_equal(s.count, 0);
    score_release(&s);
}

static void huge_logits_do_not_overflow(void **state)
{
    static const float logits[2] = {3000, -3000};
    struct score s;
    double loss, accuracy, p[2];

    score_init(&s, 2);
    score_add_logits(&s, logits, &(int32_t){1}, &(size_t){0}, 1);
    score_loss_accuracy(&s, &loss, &accuracy);
    near(loss, 6000);
    near(accuracy, 0);
    score_softmax(logits, 2, p);
    near(p[0], 1);
    score_release(&s);
}

static void a_diverged_model_says_nan(void **state)
{
    static const float logits[2] = {NAN, NAN};
    struct score s;
    struct score_report r;

    score_init(&s, 2);
    score_add_logits(&s, logits, &(int32_t){1}, &(size_t){0}, 1);
    add(&s, 1, 0, 0.3);
    assert_int_equal(score_report(&s, &r, NULL), 0);
    assert_true(isnan(r.loss) && isnan(r.auc));
    score_report_release(&r);
    score_release(&s);
}

static void mistakes_and_texts(void **state)
{
    static const char *const names[] = {"Normal", "Tumor, \"big\""};
    struct score s;
    struct score_miss miss[2];
    struct score_report r;
    struct strbuf text;

    score_init(&s, 2);
    add(&s, 5, 0, 0.7);
    add(&s, 4, 1, 0.1);
    add(&s, 3, 1, 0.9);
    add(&s, 2, 0, 0.6);
    assert_int_equal(score_misses(&s, miss, 2), 2);
    assert_int_equal(miss[0].sample, 4);
    assert_int_equal(miss[0].predicted, 0);
    assert_true(fabs(miss[0].confidence - 0.9) < 1e-6);
    assert_int_equal(miss[1].sample, 5);
    strbuf_init(&text);
    score_confusion_csv(&s, names, &text);
    assert_string_equal(text.p, "actual,predicted\nNormal,\"Tumor, \"\"big\"\"\"\n"
                                "\"Tumor, \"\"big\"\"\",\"Tumor, \"\"big\"\"\"\n"
                                "\"Tumor, \"\"big\"\"\",Normal\nNormal,\"Tumor, \"\"big\"\"\"\n");
    strbuf_reset(&text);
    assert_int_equal(score_report(&s, &r, NULL), 0);
    score_report_table(&r, names, &text);
    assert_non_null(
        strstr(text.p, "class         precision     recall         f1        auc  support\n"));
    assert_non_null(
        strstr(text.p, "Normal           0.0000     0.0000     0.0000     0.5000        2\n"));
    assert_non_null(strstr(text.p, "accuracy 0.2500 (1 of 4)"));
    score_report_release(&r);
    strbuf_release(&text);
    score_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_classes_by_hand),
        cmocka_unit_test(ties_count_half),
        cmocka_unit_test(absent_classes),
        cmocka_unit_test(three_classes_by_hand),
        cmocka_unit_test(order_of_arrival_changes_no_bit),
        cmocka_unit_test(impossible_rows_are_refused),
        cmocka_unit_test(huge_logits_do_not_overflow),
        cmocka_unit_test(a_diverged_model_says_nan),
        cmocka_unit_test(mistakes_and_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
