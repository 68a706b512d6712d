#ifndef NEPHRON_CLASSDIR_H
#define NEPHRON_CLASSDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

/*
 * Where in a tree the classes are. A class folder holds images (jpg, jpeg, png) itself and has no
 * folder with images below it; the data folder is what all class folders have in common:
 *
 *   kidney-ct-scan-image/Normal/a.jpg, kidney-ct-scan-image/Tumor/b.jpg   ->  kidney-ct-scan-image
 *   Normal/a.jpg, Tumor/b.jpg                                             ->  .
 *   x/train/Normal/a.jpg, x/train/Tumor/…, x/test/Normal/…                ->  x    (2 levels)
 */

struct classdir_class {
    const char *name; /* relative to the data folder; byte order */
    uint64_t images;
};

struct classdir {
    const char *root; /* data folder relative to the scanned one; "." for itself */
    struct classdir_class *classes;
    size_t class_count;
    bool nested; /* class folders have different parents */
    uint64_t images, image_bytes;
    uint64_t others; /* files of the tree that are no images in a class folder */
};

bool classdir_is_image(const char *name);
/* ERR_FORMAT when no folder below `dir` holds images: says what it holds instead. */
int classdir_scan(struct arena *a, const char *dir, struct classdir *out, struct err *e);

#endif
