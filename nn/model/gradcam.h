#ifndef NEPHRON_GRADCAM_H
#define NEPHRON_GRADCAM_H

#include <stddef.h>

struct err;
struct model;

/*
 * Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): where in a picture the network sees what
 * speaks for a class. With A (K,h,w) the map of the last convolution (after its ReLU) and z_c the
 * class's logit:
 *     alpha_k = mean over (y, x) of dz_c / dA_k        heat = max(0, sum over k of alpha_k A_k)
 * VGG at 224 x 224 gives a heat map of 14 x 14, which is stretched over the picture.
 *
 * The model runs as far as the last convolution's input (model_features); that convolution, the
 * pooling and the head are computed here, forward and backward, in fp32 on NCHW planes, so that
 * nothing of the training engine's inner layout is relied on. One picture at a time.
 *
 *     m = model_open_frozen(path, MODEL_FREEZE_BUT_LAST, ...); model_plan(m, inference, batch 1)
 *     g = gradcam_new(m);
 *     gradcam_forward(g, x);  c = gradcam_best(g);  gradcam_heat(g, c, heat);
 */

struct gradcam;

/* m is kept until gradcam_free: built with MODEL_FREEZE_BUT_LAST and planned. Returns new.
 * ERR_USAGE when it was not built so. */
struct gradcam *gradcam_new(struct model *m, struct err *e);
void gradcam_free(struct gradcam *g);                                      /* NULL is fine */
void gradcam_size(const struct gradcam *g, size_t *height, size_t *width); /* of a heat map */

/* x (3,H,W) as for model_forward. Returns the logits, borrowed until the next forward. */
const float *gradcam_forward(struct gradcam *g, const float *x);
size_t gradcam_best(const struct gradcam *g); /* class of the largest logit */
/* heat (h,w), each >= 0, in units of the logit; all 0 when nothing speaks for the class. */
void gradcam_heat(struct gradcam *g, size_t label, float *heat);

/* The parts, for tests: the map A (K,h,w), which may be changed, the logits of it, and dz_c/dA. */
float *gradcam_map(struct gradcam *g, size_t *channels);
const float *gradcam_head(struct gradcam *g);
const float *gradcam_gradient(struct gradcam *g, size_t label);

#endif
