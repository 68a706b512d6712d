/* Metrics from gathered rows: see score.h. What is written for people and files is in score_text.c.
 */
#include "score.h"

#include "alloc.h"
#include "err.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE, LABEL, LOSS, PROBS };

void score_init(struct score *s, size_t classes)
{
    *s = (struct score){.classes = classes};
}

void score_release(struct score *s)
{
    free(s->rows);
    *s = (struct score){.classes = s->classes};
}

void score_reset(struct score *s)
{
    s->count = 0;
}

size_t score_stride(size_t classes)
{
    return PROBS + classes;
}

static double *score_row(const struct score *s, size_t i)
{
    return s->rows + i * score_stride(s->classes);
}

static double *add_rows(struct score *s, size_t n)
{
    size_t stride = score_stride(s->classes), bytes;

    if (s->count + n > s->capacity) {
        s->capacity = s->count + n > 2 * s->capacity ? s->count + n : 2 * s->capacity;
        if (!size_mul(s->capacity, stride * sizeof(double), &bytes)) {
            BUG("%zu score rows", s->capacity);
        }
        s->rows = xrealloc(s->rows, bytes);
    }
    s->count += n;
    return score_row(s, s->count - n);
}

/* Logarithm of the sum of exponentials, and the probabilities. */
static double softmax(const float *logits, size_t classes, double *p)
{
    double high = logits[0], sum = 0;

    for (size_t c = 1; c < classes; c++) {
        high = logits[c] > high ? logits[c] : high;
    }
    for (size_t c = 0; c < classes; c++) {
        p[c] = exp(logits[c] - high);
        sum += p[c];
    }
    for (size_t c = 0; c < classes; c++) {
        p[c] /= sum;
    }
    return high + log(sum);
}

void score_softmax(const float *logits, size_t classes, double *p)
{
    softmax(logits, classes, p);
}

void score_add_logits(struct score *s, const float *logits, const int32_t *labels,
                      const size_t *samples, size_t n)
{
    double *row = add_rows(s, n);

    for (size_t i = 0; i < n; i++, logits += s->classes, row += score_stride(s->classes)) {
        if (labels[i] < 0 || (size_t)labels[i] >= s->classes) {
            BUG("label %d of %zu classes", labels[i], s->classes);
        }
        row[SAMPLE] = (double)samples[i];
        row[LABEL] = labels[i];
        row[LOSS] = softmax(logits, s->classes, row + PROBS) - logits[labels[i]];
    }
}

/* Diverged models give NaN probabilities, which are kept: the report then says nan, as it should.
 */
static bool row_is_possible(const double *row, size_t classes)
{
    if (!(row[SAMPLE] >= 0 && row[SAMPLE] <= 9007199254740992.0) ||
        row[SAMPLE] != floor(row[SAMPLE]) || !(row[LABEL] >= 0 && row[LABEL] < (double)classes) ||
        row[LABEL] != floor(row[LABEL]) || row[LOSS] < -1e-9) {
        return false;
    }
    for (size_t c = 0; c < classes; c++) {
        if (row[PROBS + c] < 0 || row[PROBS + c] > 1) {
            return false;
        }
    }
    return true;
}

int score_append(struct score *s, const double *rows, size_t n, struct err *e)
{
    size_t stride = score_stride(s->classes);

    for (size_t i = 0; i < n; i++) {
        if (!row_is_possible(rows + i * stride, s->classes)) {
            return err_set(e, ERR_FORMAT, "row %zu of %zu gathered scores is not possible", i, n);
        }
    }
    double *to = add_rows(s, n);
    if (n > 0) {
        memcpy(to, rows, n * stride * sizeof(double));
    }
    return 0;
}

static int by_sample(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (x[SAMPLE] > y[SAMPLE]) - (x[SAMPLE] < y[SAMPLE]);
}

static void sort_rows(struct score *s)
{
    if (s->count > 1) {
        qsort(s->rows, s->count, score_stride(s->classes) * sizeof(double), by_sample);
    }
}

static size_t predicted(const double *row, size_t classes)
{
    size_t best = 0;

    for (size_t c = 1; c < classes; c++) {
        best = row[PROBS + c] > row[PROBS + best] ? c : best;
    }
    return best;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

void score_loss_accuracy(struct score *s, double *loss, double *accuracy)
{
    double sum = 0;
    size_t correct = 0;

    sort_rows(s);
    for (size_t i = 0; i < s->count; i++) {
        const double *row = score_row(s, i);

        sum += row[LOSS];
        correct += predicted(row, s->classes) == (size_t)row[LABEL];
    }
    *loss = s->count ? sum / (double)s->count : 0;
    *accuracy = ratio((double)correct, (double)s->count);
}

/* ---- area under the ROC curve ---- */

struct ranked {
    double p;
    bool is_positive;
};

static int by_probability(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->p, y = ((const struct ranked *)b)->p;

    return (x > y) - (x < y);
}

/* Mann-Whitney: the share of (positive, negative) pairs in the right order, ties half. */
static double auc_of(const struct score *s, size_t class_index)
{
    struct ranked *list = xmalloc((s->count + 1) * sizeof(*list));
    double wins = 0, below = 0, positives = 0;
    bool is_number = true;

    for (size_t i = 0; i < s->count; i++) {
        const double *row = score_row(s, i);

        list[i] = (struct ranked){row[PROBS + class_index], (size_t)row[LABEL] == class_index};
        is_number = is_number && !isnan(list[i].p);
    }
    qsort(list, s->count, sizeof(*list), by_probability);
    for (size_t i = 0, j; i < s->count; i = j) {
        double up = 0, down = 0;

        for (j = i; j < s->count && list[j].p == list[i].p; j++) {
            up += list[j].is_positive;
            down += !list[j].is_positive;
        }
        j = j == i ? i + 1 : j; /* NaN equals nothing */
        wins += up * (below + 0.5 * down);
        below += down;
        positives += up;
    }
    free(list);
    return is_number && positives > 0 && below > 0 ? wins / (positives * below) : NAN;
}

/* ---- the report ---- */

static void fill_classes(const struct score *s, struct score_report *out)
{
    size_t k = s->classes;

    for (size_t c = 0; c < k; c++) {
        struct score_class *pc = &out->per_class[c];
        double hit = (double)out->confusion[c * k + c];

        for (size_t o = 0; o < k; o++) {
            pc->support += out->confusion[c * k + o];
            pc->predicted += out->confusion[o * k + c];
        }
        pc->precision = ratio(hit, (double)pc->predicted);
        pc->recall = ratio(hit, (double)pc->support);
        pc->f1 = ratio(2 * hit, (double)(pc->predicted + pc->support));
        pc->auc = auc_of(s, c);
    }
}

static void summarise(struct score_report *out)
{
    if (out->classes == 2) {
        const struct score_class *positive = &out->per_class[1];

        out->precision = positive->precision;
        out->recall = positive->recall;
        out->f1 = positive->f1;
        out->auc = positive->auc;
        return;
    }
    double share = 1 / (double)out->classes;
    for (size_t c = 0; c < out->classes; c++) {
        out->precision += share * out->per_class[c].precision;
        out->recall += share * out->per_class[c].recall;
        out->f1 += share * out->per_class[c].f1;
        out->auc += share * out->per_class[c].auc;
    }
}

int score_report(struct score *s, struct score_report *out, struct err *e)
{
    size_t k = s->classes;

    if (s->count == 0) {
        return err_set(e, ERR_USAGE, "no pictures to score");
    }
    *out = (struct score_report){.classes = k, .count = s->count};
    out->confusion = xcalloc(k * k, sizeof(*out->confusion));
    out->per_class = xcalloc(k, sizeof(*out->per_class));
    score_loss_accuracy(s, &out->loss, &out->accuracy);
    for (size_t i = 0; i < s->count; i++) {
        const double *row = score_row(s, i);
        size_t guess = predicted(row, k);

        out->confusion[(size_t)row[LABEL] * k + guess]++;
        out->correct += guess == (size_t)row[LABEL];
    }
    fill_classes(s, out);
    summarise(out);
    return 0;
}

void score_report_release(struct score_report *r)
{
    free(r->confusion);
    free(r->per_class);
    *r = (struct score_report){0};
}

static int by_confidence(const void *a, const void *b)
{
    const struct score_miss *x = a, *y = b;

    if (x->confidence != y->confidence) {
        return x->confidence > y->confidence ? -1 : 1;
    }
    return (x->sample > y->sample) - (x->sample < y->sample);
}

size_t score_misses(const struct score *s, struct score_miss *out, size_t max)
{
    struct score_miss *all = xmalloc((s->count + 1) * sizeof(*all));
    size_t n = 0;

    for (size_t i = 0; i < s->count; i++) {
        const double *row = score_row(s, i);
        size_t guess = predicted(row, s->classes);

        if (guess != (size_t)row[LABEL]) {
            all[n++] = (struct score_miss){.sample = (size_t)row[SAMPLE],
                                           .label = (int)row[LABEL],
                                           .predicted = (int)guess,
                                           .confidence = row[PROBS + guess]};
        }
    }
    qsort(all, n, sizeof(*all), by_confidence);
    n = n < max ? n : max;
    memcpy(out, all, n * sizeof(*out));
    free(all);
    return n;
}

size_t score_at(const struct score *s, size_t i, int *label, int *guess)
{
    const double *row = score_row(s, i);

    *label = (int)row[LABEL];
    *guess = (int)predicted(row, s->classes);
    return (size_t)row[SAMPLE];
}
