#ifndef NEPHRON_DATA_CHECK_H
#define NEPHRON_DATA_CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "dataset.h"
#include "err.h"
#include "fs.h"
#include "image.h"
#include "image_write.h"
#include "str.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the data tests share: temporary folders, made-up pictures, the real inputs where present. */

/* Path of a file of the shared real inputs; skips the test when they are not on this machine. */
static inline const char *check_shared(const char *name, char out[1024])
{
    const char *root = getenv("NEPHRON_SHARED");

    snprintf(out, 1024, "%s/data/%s", root ? root : NEPHRON_SOURCE_DIR "/../shared", name);
    if (access(out, R_OK) != 0) {
        printf("SKIP: no %s (set NEPHRON_SHARED)\n", out);
        skip();
    }
    return out;
}

/* A new empty folder; remove it with check_remove. */
static inline char *check_temp(void)
{
    const char *base = getenv("TMPDIR");
    char path[512];

    snprintf(path, sizeof(path), "%s/nephron-data-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return strdup(path);
}

static inline void check_remove(char *dir)
{
    assert_int_equal(fs_remove_tree(dir, NULL), 0);
    free(dir);
}

#define check_ok(call, e)                                                                          \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            fail_msg("%s: %s", #call, (e).text);                                                   \
        }                                                                                          \
    } while (0)

/* The call is refused with a message that contains each text. */
static inline void check_said(const struct err *e, const char *part)
{
    if (strstr(e->text, part) == NULL) {
        fail_msg("expected '%s' in the message '%s'", part, e->text);
    }
}

/* A picture whose pixels tell class and number: a gradient with a bright square. */
static inline void check_picture(const char *dir, const char *name, int width, int height, int seed)
{
    uint8_t *px = malloc((size_t)width * (size_t)height * 3);
    char path[1024];

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint8_t *p = px + 3 * (y * width + x);
            p[0] = (uint8_t)((x * 3 + seed * 37) & 255);
            p[1] = (uint8_t)((y * 5 + seed * 11) & 255);
            p[2] = (uint8_t)((x + y + seed * 59) & 255);
        }
    }
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(fs_mkdirs_for(path, NULL), 0);
    assert_int_equal(image_save(path, px, width, height, NULL), 0);
    free(px);
}

/* DIR/A/a 00.png .. and DIR/B/b 00.png .. with na and nb pictures of 20 x 16 px. */
static inline void check_tree(const char *dir, int na, int nb)
{
    char name[64];

    for (int i = 0; i < na; i++) {
        snprintf(name, sizeof(name), "A/a %02d.png", i);
        check_picture(dir, name, 20, 16, i);
    }
    for (int i = 0; i < nb; i++) {
        snprintf(name, sizeof(name), "B/b %02d.png", i);
        check_picture(dir, name, 20, 16, 100 + i);
    }
}

#endif
