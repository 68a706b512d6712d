#ifndef NEPHRON_IMAGE_WRITE_H
#define NEPHRON_IMAGE_WRITE_H

#include <stdint.h>

struct err;
struct strbuf;

/*
 * RGB8 pixels to JPEG and PNG through stb_image_write: into memory, or atomically into a file. Same
 * pixels, same bytes. Part of library nn_phantom, which needs neither OpenBLAS nor threads.
 * px: height rows of 3*width bytes.
 */

/* Appends a JPEG (4:4:4 above quality 90, else 4:2:0) to `out`. quality 1..100. */
int image_write_jpeg(struct strbuf *out, const uint8_t *px, int width, int height, int quality,
                     struct err *e);
int image_write_png(struct strbuf *out, const uint8_t *px, int width, int height, struct err *e);
/* By the extension of `path` (.png, .jpg, .jpeg; JPEG quality 92); atomic (temp, fsync, rename). */
int image_save(const char *path, const uint8_t *px, int width, int height, struct err *e);

#endif
