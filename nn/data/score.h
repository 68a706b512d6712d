#ifndef NEPHRON_SCORE_H
#define NEPHRON_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct strbuf;

/*
 * Quality of a classifier from its rows (sample, label, loss, probabilities). Rows are kept as one
 * plain array of doubles, so that ranks gather them with one MPI_Gatherv of MPI_DOUBLE and append
 * them; score_report sorts by sample before it sums, so the result does not depend on ranks, shards
 * or order of arrival, to the last bit.
 *
 * Row format, score_stride(classes) doubles: [0] sample index, [1] label, [2] loss (cross-entropy,
 * natural logarithm), [3..3+classes) probabilities.
 *
 * Definitions as in scikit-learn with zero_division=0. Two classes: precision, recall, f1 and auc
 * are of class 1 (positive). More: macro means over classes, auc one-vs-rest. auc counts ties as
 * half.
 */

struct score {
    size_t classes;
    size_t count;    /* rows */
    size_t capacity; /* rows */
    double *rows;
};

void score_init(struct score *s, size_t classes); /* classes >= 2 */
void score_release(struct score *s);
void score_reset(struct score *s); /* keeps the memory */
size_t score_stride(size_t classes);

/* logits (n, classes), labels (n) in 0..classes-1, samples (n). Softmax and loss in double. */
void score_add_logits(struct score *s, const float *logits, const int32_t *labels,
                      const size_t *samples, size_t n);
/* Rows in the format above, e.g. gathered from another rank. ERR_FORMAT when a label, loss or
 * probability is not possible. */
int score_append(struct score *s, const double *rows, size_t n, struct err *e);
/* softmax in double of one row */
void score_softmax(const float *logits, size_t classes, double *p);

struct score_class {
    double precision, recall, f1;
    double auc;     /* one-vs-rest; NaN when the class is absent or alone */
    size_t support; /* samples with this label */
    size_t predicted;
};

struct score_report {
    size_t classes, count, correct;
    double loss, accuracy, precision, recall, f1;
    double auc;        /* NaN when undefined (a class without samples) */
    size_t *confusion; /* [true * classes + predicted] */
    struct score_class *per_class;
};

/* Sorts the rows by sample, drops no duplicates; ERR_USAGE without rows. Argmax ties: lowest class.
 */
int score_report(struct score *s, struct score_report *out, struct err *e);
void score_report_release(struct score_report *r);

/* Loss and accuracy alone, from the same rows, in the same order. */
void score_loss_accuracy(struct score *s, double *loss, double *accuracy);

/* Row i: its sample (returned), label and predicted class. */
size_t score_at(const struct score *s, size_t i, int *label, int *guess);

/* A misclassified row. */
struct score_miss {
    size_t sample;
    int label, predicted;
    double confidence; /* probability of the predicted class */
};
/* The `max` most confident mistakes, most confident first (ties: by sample). Returns the number. */
size_t score_misses(const struct score *s, struct score_miss *out, size_t max);

/* {"loss": …, "accuracy": …, "precision": …, "recall": …, "f1": …, "auc": …}, indented by 4 as the
 * application writes scores.json, with a final newline; auc null when undefined. */
void score_report_json(const struct score_report *r, struct strbuf *out);
/* The per-class table for people: class, precision, recall, f1, auc, support. */
void score_report_table(const struct score_report *r, const char *const *class_names,
                        struct strbuf *out);
/* actual,predicted rows for DVC's confusion plot: "actual,predicted\nNormal,Tumor\n…", in sample
 * order. */
void score_confusion_csv(struct score *s, const char *const *class_names, struct strbuf *out);

#endif
