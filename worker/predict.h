#ifndef NEPHRON_PREDICT_H
#define NEPHRON_PREDICT_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct par;
struct value;

/*
 * Classes of pictures by a model file, with the preprocessing that the file names.
 *
 * Result: a list with one map for each picture, in the order given (a folder gives its pictures, in
 * byte order of their path, and those below it):
 *   {"path": "x.jpg", "image": "Tumor", "confidence": 0.98, "probabilities": {"Normal": 0.02, …}}
 * With `explain` a sheet shows each picture beside the heat map of its class.
 * A picture that cannot be read gives {"path", "error"} and is counted in *failed.
 */

struct predict_options {
    const char *model;
    const char *const *paths;
    size_t count;
    struct par *par;
    const char *explain; /* where to draw heat maps (gradcam.h), .png; NULL: none */
    const char *label;   /* the class they are of; NULL: the predicted one */
    const char *heat; /* also the numbers, as JSON: [{"path", "class", "heat": [[…]]}]; or NULL */
};

/* The value lives in `a`. Errors: the model, a path that does not exist, a folder without pictures.
 */
struct value *predict_run(struct arena *a, const struct predict_options *opt, size_t *failed,
                          struct err *e);

#endif
