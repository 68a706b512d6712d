#ifndef NEPHRON_OPTIM_H
#define NEPHRON_OPTIM_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct model;

/*
 * Optimisers over the trainable part of the flat arena. sgd and adam are PyTorch's formulas:
 *   sgd    g = grad + weight_decay w;  m = momentum m + g;  w -= lr m   (dampening 0, no nesterov)
 *   adam   g = grad + weight_decay w;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *          w -= lr / (1 - beta1^t)  m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 *   lars   for large batches (You, Gitman & Ginsburg 2017, arXiv:1708.03888, algorithm 1), for each
 *          weight tensor on its own:
 *            trust_ratio = trust |w| / (|grad| + weight_decay |w|)      (1 where |w| or |grad| is
 * 0) m = momentum m + lr trust_ratio (grad + weight_decay w);  w -= m Vectors (biases, batch norm)
 * are left out of it: ratio 1 and no decay, as usual. Gradients are first scaled by min(1,
 * clip_norm / (norm + 1e-6)), norm being the global 2-norm of all trainable gradients
 * (torch.nn.utils.clip_grad_norm_). Norms are summed in double over blocks of fixed size in fixed
 * order: bits do not depend on threads or ranks.
 */

#define OPTIM_KINDS(X)                                                                             \
    X(SGD, "sgd")                                                                                  \
    X(ADAM, "adam")                                                                                \
    X(LARS, "lars")

enum optim_kind {
#define X(name, text) OPTIM_##name,
    OPTIM_KINDS(X)
#undef X
};

struct optim_config {
    enum optim_kind kind;
    double momentum; /* sgd, lars */
    double weight_decay;
    double clip_norm;         /* 0: no clipping */
    double beta1, beta2, eps; /* adam; 0: 0.9, 0.999, 1e-8 */
    double trust;             /* lars; 0: 0.001 */
};

struct optim;

/* "sgd", "adam" or "lars". */
int optim_parse_kind(const char *text, enum optim_kind *kind, struct err *e);
const char *optim_kind_name(enum optim_kind kind);

/* m is kept until optim_free. Returns new. Errors: ERR_CONFIG naming the field (negative, not
 * finite), ERR_LIMIT when memory is short. */
struct optim *optim_new(const struct optim_config *config, struct model *m, struct err *e);
void optim_free(struct optim *o);
const struct optim_config *optim_config(const struct optim *o);

/* One update at the given learning rate. Returns the global norm of the gradients before clipping
 * (0 without clip_norm: it is not computed); not finite: the update was skipped, the caller
 * decides. */
double optim_step(struct optim *o, double rate);

/*
 * State for checkpoints. Slot 0 is momentum ("momentum_buffer") or Adam's "exp_avg", slot 1
 * "exp_avg_sq"; each mirrors the arena: model_arena_count() floats, the same offsets, zero where
 * parameters are frozen.
 */
size_t optim_slots(const struct optim *o);
const char *optim_slot_name(const struct optim *o, size_t slot);
float *optim_slot(const struct optim *o, size_t slot);
uint64_t optim_steps(const struct optim *o); /* updates so far */
void optim_set_steps(struct optim *o, uint64_t steps);

#endif
