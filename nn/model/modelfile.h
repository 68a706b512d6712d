#ifndef NEPHRON_MODELFILE_H
#define NEPHRON_MODELFILE_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct weights;
struct weights_meta;

/*
 * Our model files: weights plus what one must know to use them, so that serving cannot disagree
 * with training. The description is a flat map of strings, the same in both formats:
 *
 *   .safetensors        `__metadata__` of the header
 *   .pth .pt            zip record "archive/nephron.json", which torch.load does not look at; the
 *                       pickle is a plain state dict, so torchvision's VGG takes it by
 *                       load_state_dict(torch.load(f, weights_only=True)) without extra keys
 *
 *   key              example                       meaning
 *   format           pt                            safetensors' own convention
 *   nephron.schema   1                             version of this table
 *   nephron.version  0.1.0                         program that wrote the file
 *   architecture     vgg16_bn                      torchvision's name
 *   head             classifier | linear
 *   classes          ["Normal", "Tumor"]           JSON list, in the order of the logits
 *   image_size       [224, 224]                    pixels: height, width
 *   mean, std        [0.485, 0.456, 0.406]         JSON lists, RGB, after scaling to 0..1
 *   resize           bilinear                      how an image becomes image_size
 *   split            group                         how validation data was set apart; may be absent
 *   x.<anything>     …                             carried, never interpreted
 */

#define MODELFILE_MAX_CLASSES 10000

struct modelfile_info {
    const char *arch;
    const char *head;
    const char **classes;
    size_t class_count;
    unsigned image_height, image_width; /* pixels */
    float mean[3], std[3];
    const char *resize;
    const char *split;                /* NULL: not said */
    const char *version;              /* of the writer; NULL when writing: this library's */
    const struct weights_meta *extra; /* further keys, written as they are; reading: "x.…" keys */
    size_t extra_count;
};

enum modelfile_type { MODELFILE_F32, MODELFILE_I64 };

/* A contiguous row-major tensor of the program. */
struct modelfile_tensor {
    const char *name;
    enum modelfile_type type;
    unsigned ndim;
    size_t shape[8];
    const void *data; /* const float * or const int64_t *, borrowed */
};

/* Format by extension (.safetensors, .pth, .pt). Atomic; no copy of the tensors is made. */
int modelfile_write(const char *path, const struct modelfile_tensor *tensors, size_t count,
                    const struct modelfile_info *info, struct err *e);

/* Reads the description only, never the tensors' bytes. Strings live in `a`. ERR_MISSING when the
 * file is a weights file without our description (torchvision's, for example); ERR_FORMAT when a
 * key is missing or malformed, naming it. */
int modelfile_read_info(struct arena *a, const char *path, struct modelfile_info *info,
                        struct err *e);
/* The same from an open file. */
int modelfile_info_from(struct arena *a, const struct weights *w, const char *path,
                        struct modelfile_info *info, struct err *e);

/* The description as metadata strings in `a`: for code that writes weights itself. */
int modelfile_info_meta(struct arena *a, const struct modelfile_info *info,
                        struct weights_meta **meta, size_t *count, struct err *e);

#endif
