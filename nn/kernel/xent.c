/* Softmax cross-entropy; see xent.h. Some hundred numbers a step: not worth threads. */

#include "xent.h"

#include <math.h>

static double row_max(const float *v, size_t n)
{
    double best = v[0];
    for (size_t i = 1; i < n; i++) {
        best = v[i] > best || isnan(v[i]) ? v[i] : best;
    }
    return best;
}

void xent_softmax(size_t n, size_t classes, const float *logits, float *probabilities)
{
    for (size_t r = 0; r < n; r++) {
        const float *z = logits + r * classes;
        float *p = probabilities + r * classes;
        double top = row_max(z, classes), sum = 0;
        for (size_t c = 0; c < classes; c++) {
            sum += exp(z[c] - top);
        }
        for (size_t c = 0; c < classes; c++) {
            p[c] = (float)(exp(z[c] - top) / sum);
        }
    }
}

void xent_forward(size_t n, size_t classes, const float *logits, const int32_t *labels,
                  float *probabilities, float *loss)
{
    xent_softmax(n, classes, logits, probabilities);
    for (size_t r = 0; r < n; r++) {
        const float *z = logits + r * classes;
        double top = row_max(z, classes), sum = 0;
        for (size_t c = 0; c < classes; c++) {
            sum += exp(z[c] - top);
        }
        loss[r] = (float)(log(sum) + top - z[labels[r]]);
    }
}

void xent_backward(size_t n, size_t classes, const float *probabilities, const int32_t *labels,
                   size_t batch, float *dlogits)
{
    for (size_t r = 0; r < n; r++) {
        for (size_t c = 0; c < classes; c++) {
            double p = probabilities[r * classes + c], t = labels[r] == (int32_t)c ? 1.0 : 0.0;
            dlogits[r * classes + c] = (float)((p - t) / (double)batch);
        }
    }
}
