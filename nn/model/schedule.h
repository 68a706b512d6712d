#ifndef NEPHRON_SCHEDULE_H
#define NEPHRON_SCHEDULE_H

#include <stddef.h>

struct err;

/*
 * Learning-rate rules, LR_SCHEDULE of params.yaml. Grammar (blanks or '+' between words):
 *
 *   schedule = [ "scale(" BATCH ")" ] [ "warmup(" EPOCHS ")" ] rule
 *   rule     = "constant"
 *            | "step(" EPOCHS [ "," FACTOR ] ")"    rate x FACTOR (0.1) every EPOCHS whole epochs
 *            | "cosine" [ "(" FINAL ")" ]           rate to FINAL (0) x rate, half a cosine
 *            | "poly" [ "(" POWER ")" ]             rate x (1 - t)^POWER (2), t from 0 to 1
 *
 *   warmup: the rate rises linearly from 0 to its value in the first EPOCHS epochs (a fraction is
 *           allowed); the rule's own time starts after it.
 *   scale:  the rate is multiplied by global batch / BATCH (linear scaling, Goyal et al. 2017).
 *
 * Large batches: "scale(256) warmup(5) poly(2)" with OPTIMIZER: lars is the recipe of You et al.
 *
 * Examples: "cosine", "step(30)", "step(10, 0.5)", "warmup(2) cosine(0.01)". Empty text: constant.
 * A word alone may also take its arguments after ':' as in "step:30:0.5".
 */

enum schedule_rule { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE, SCHEDULE_POLY };

struct schedule {
    enum schedule_rule rule;
    double every;       /* step: epochs */
    double factor;      /* step */
    double final;       /* cosine: fraction of the rate */
    double power;       /* poly */
    double warmup;      /* epochs; 0: none */
    double scale_batch; /* 0: no scaling */
};

/* text may be NULL (constant). Errors: ERR_CONFIG that shows the word and lists what is accepted.
 */
int schedule_parse(const char *text, struct schedule *s, struct err *e);

/* The rate of a step. epoch: position, whole epochs done plus the fraction of this one at the start
 * of the step (warm-up counts the step itself: pass steps_per_epoch). epochs: length of training.
 */
struct schedule_position {
    double epoch;
    double epochs;
    double steps_per_epoch;
    size_t batch; /* global batch, for scale() */
};
double schedule_rate(const struct schedule *s, double base_rate, const struct schedule_position *p);

#endif
