#ifndef NEPHRON_MODELIO_H
#define NEPHRON_MODELIO_H

#include "modelfile.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct model;
struct par;
struct strbuf;
struct weights;

/*
 * Between a network (model.h) and a weights file (weights.h, modelfile.h): who belongs to whom by
 * name, and messages that say with both shapes what does not fit. Everything is compared before the
 * first value is copied, so a file that does not fit leaves the model as it was.
 *
 * Names are torchvision's. A common prefix of all of them in the file is found and dropped:
 * "module." (DataParallel), "model_state_dict/" (a dict around the state dict).
 */

enum modelio_head {
    MODELIO_HEAD_STRICT,  /* every tensor must be there and fit */
    MODELIO_HEAD_IF_FITS, /* classifier.* that is missing or has another shape keeps its values:
                             a file with 1000 classes into a model with 2 */
    MODELIO_HEAD_IGNORE,  /* classifier.* of the file is not looked at (INCLUDE_TOP: false) */
};

struct modelio_options {
    enum modelio_head head;
};

struct modelio_report {
    size_t loaded;       /* parameters and buffers that now have the file's values */
    size_t kept;         /* those of the head that keep theirs */
    struct strbuf *text; /* may be NULL; one line for each kept one: name and both shapes */
};

/* Any dtype is converted to fp32. num_batches_tracked may be missing (files of before PyTorch
 * 0.4.1). options and report may be NULL. ERR_FORMAT lists what is missing, unexpected or of
 * another shape.
 */
int model_load_weights(struct model *m, const struct weights *w,
                       const struct modelio_options *options, struct modelio_report *report,
                       struct err *e);
/* The same from a file. */
int model_load_file(struct model *m, const char *path, const struct modelio_options *options,
                    struct modelio_report *report, struct err *e);

/* Writes parameters and buffers in state_dict order. arch, head and image size of `info` are taken
 * from the model when NULL or 0; class_count must be the model's. */
int model_save(const struct model *m, const char *path, const struct modelfile_info *info,
               struct err *e);

/* Builds the model that the file describes and loads it strictly: for evaluation and serving. The
 * description's strings live in `a`. par is kept by the model (model.h). Returns new (model_free).
 */
struct model *model_open(const char *path, struct par *par, struct arena *a,
                         struct modelfile_info *info, struct err *e);
/* model_open with a freeze of model.h, which decides what model_features gives. */
struct model *model_open_frozen(const char *path, int freeze, struct par *par, struct arena *a,
                                struct modelfile_info *info, struct err *e);
/* The model that a description names, its values still zero. Returns new (model_free). */
struct model *model_from_info(const struct modelfile_info *info, int freeze, struct par *par,
                              struct err *e);

#endif
