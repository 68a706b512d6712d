#ifndef NEPHRON_DATASET_H
#define NEPHRON_DATASET_H

#include "arena.h"
#include "str.h"

#include <stddef.h>

struct err;

/*
 * A folder of class folders as one list of samples:
 *     ROOT/Normal/Normal- (12).jpg
 *     ROOT/Tumor/Tumor- (3).jpg
 * Classes are the sub-folders (links to folders count; names beginning with '.' do not) in byte
 * order; that order gives the labels. Samples are the files ending in .jpg, .jpeg or .png (any
 * case) in a class folder and below it, in byte order of their path, class after class. Files
 * directly in ROOT and files with other endings are ignored (and counted).
 */

struct sample {
    const char *path; /* relative to root: "Normal/Normal- (12).jpg" */
    const char *name; /* last part of path */
    int label;
};

struct dataset {
    const char *root;
    const char **classes;
    size_t class_count;
    struct sample *samples;
    size_t count;
    size_t *class_sizes; /* [class_count] */
    size_t
        *class_first; /* [class_count]: samples of class c are class_first[c] .. + class_sizes[c] */
    size_t ignored_count; /* files with other endings */
    /* Above: public. Below: private to dataset.c */
    struct arena arena;
};

struct dataset_options {
    size_t classes;           /* expected number of classes (CLASSES); 0: any number >= 2 */
    const char **class_names; /* expected names in this order, `classes` of them, or NULL */
};

/*
 * Reads the tree. opt may be NULL. Errors: no such folder, no class folder, only one class, an
 * empty class (named), a dangling or unreadable file (named), another number of classes than
 * expected (both said, with what was found), other class names than expected. On failure *d
 * is as after dataset_release.
 */
int dataset_open(struct dataset *d, const char *root, const struct dataset_options *opt,
                 struct err *e);
void dataset_release(struct dataset *d);

/*
 * The list as bytes, for processes that need it without reading the tree again: the root, then for
 * each class its name and the paths of its samples, an empty text behind them; every text ends with
 * NUL.
 */
void dataset_pack(const struct dataset *d, struct strbuf *out);
/* ERR_FORMAT when the bytes are not such a list. On failure *d is as after dataset_release. */
int dataset_unpack(struct dataset *d, struct str bytes, struct err *e);

/* Writes "root/path" of a sample; returns `out`. ERR_LIMIT paths were refused by dataset_open. */
#define DATASET_PATH_MAX 4096
const char *dataset_path(const struct dataset *d, size_t sample, char out[DATASET_PATH_MAX]);

#endif
