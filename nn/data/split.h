#ifndef NEPHRON_SPLIT_H
#define NEPHRON_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dataset;
struct err;
struct strbuf;

/*
 * Training and validation parts of a data set, the same on every rank for the same input.
 *   random   in each class, round(fraction * n) samples drawn by SEED
 *   ordered  in each class, the first floor(fraction * n) of the sorted list (Keras'
 *            validation_split)
 *   group    whole groups (patient, scan) go to one part; groups are drawn by SEED, class by class,
 *            until the class comes as near to fraction * n as whole groups allow. A group is the
 *            text that the capture groups of a POSIX extended regular expression take from the
 *            file's name (several captures are joined), in whatever class the file is.
 * Whenever fraction > 0, each class has at least one sample (group) in each part, or it is an error.
 */

#define SPLIT_KINDS(X)                                                                             \
    X(RANDOM, "random")                                                                            \
    X(ORDERED, "ordered")                                                                          \
    X(GROUP, "group")

enum split_kind {
#define X(name, text) SPLIT_##name,
    SPLIT_KINDS(X)
#undef X
};

struct split_options {
    enum split_kind kind;
    double fraction; /* validation part, [0, 1) */
    uint64_t seed;
    /* group: the expression, with one to four capture groups. NULL: the first of the built-in ones
     * that matches every file (split_default_pattern(i): the phantom's "p012 s03", then "patient
     * 12", "scan_12", "case-12", "study..", "series.."). Case counts; "(?i)" in front: it does not.
     */
    const char *pattern;
    /* group, instead of a pattern: group_of[sample] (e.g. from duplicates_groups), borrowed. */
    const size_t *group_of;
};

struct split {
    enum split_kind kind;
    double fraction;
    size_t *train, *valid; /* sample indices, ascending */
    size_t train_count, valid_count;
    size_t class_count;
    size_t *train_sizes, *valid_sizes; /* per class */
    size_t groups, valid_groups;       /* group only, else 0 */
    char *pattern;                     /* the expression used, or NULL */
};

bool split_kind_parse(const char *text, enum split_kind *out);
const char *split_kind_name(enum split_kind kind);
const char *split_default_pattern(size_t i); /* NULL past the end */

/* Errors: fraction out of range, an expression that does not compile or has no capture group, a
 * file it does not match (named), a class with one sample or one group only. */
int split_make(struct split *s, const struct dataset *d, const struct split_options *opt,
               struct err *e);
void split_release(struct split *s);

/* The group key of one file name: appends to `out`; false when it does not match. For `explain`
 * output and tests. */
bool split_group_key(const char *pattern, const char *name, struct strbuf *out);

/* "random split: 372 training (Normal 192, Tumor 180), 93 validation (Normal 48, Tumor 45)" */
void split_describe(const struct split *s, const struct dataset *d, struct strbuf *out);

#endif
