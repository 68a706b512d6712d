#ifndef NEPHRON_WEIGHTS_CHECK_H
#define NEPHRON_WEIGHTS_CHECK_H

/* What the tests of model files share: cmocka, a folder of the test's own, bytes of files, checks
 * that hostile bytes are refused with words. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "err.h"
#include "fs.h"
#include "str.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline char *check_dir_new(void)
{
    char name[512];
    const char *tmp = getenv("TMPDIR");
    snprintf(name, sizeof(name), "%s/nephron-weights-XXXXXX", tmp != NULL ? tmp : "/tmp");
    char *dir = mkdtemp(name);
    assert_non_null(dir);
    return strdup(dir);
}

static inline void check_dir_free(char *dir)
{
    struct err e = ERR_INIT;
    assert_int_equal(fs_remove_tree(dir, &e), 0);
    free(dir);
}

static inline const char *check_path(const char *dir, const char *name)
{
    static char path[8][1024];
    static int next;
    next = (next + 1) % 8;
    snprintf(path[next], sizeof(path[next]), "%s/%s", dir, name);
    return path[next];
}

static inline struct strbuf check_read(const char *path)
{
    struct strbuf b;
    struct err e = ERR_INIT;
    strbuf_init(&b);
    if (fs_read(path, 0, &b, &e) < 0) {
        fail_msg("%s", e.text);
    }
    return b;
}

/* NULL when the test inputs are not on this machine. */
static inline const char *check_shared(const char *name)
{
    static char path[1024];
    const char *shared = getenv("NEPHRON_SHARED");
    if (shared != NULL) {
        snprintf(path, sizeof(path), "%s/%s", shared, name);
    } else {
        snprintf(path, sizeof(path), "%s/../shared/%s", NEPHRON_SOURCE_DIR, name);
    }
    return access(path, R_OK) == 0 ? path : NULL;
}

#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            fail_msg("%s: %s", #call, e.text);                                                     \
        }                                                                                          \
    } while (0)

#define CHECK_CONTAINS(text, part)                                                                 \
    do {                                                                                           \
        if (strstr((text), (part)) == NULL) {                                                      \
            fail_msg("'%s' does not contain '%s'", (text), (part));                                \
        }                                                                                          \
    } while (0)

/* A copy in a block of its own, so that the sanitizer sees a read beyond its end. */
static inline struct weights *check_parse(const void *data, size_t n, struct err *e, void **block)
{
    *block = malloc(n > 0 ? n : 1);
    memcpy(*block, data, n);
    return weights_parse(*block, n, "test", NULL, e);
}

/* The bytes must be refused, with `part` in the message. */
static inline void check_refused(const void *data, size_t n, const char *part)
{
    struct err e = ERR_INIT;
    void *block;
    struct weights *w = check_parse(data, n, &e, &block);
    if (w != NULL) {
        weights_close(w);
        fail_msg("not refused; expected '%s'", part);
    }
    CHECK_CONTAINS(e.text, part);
    CHECK_CONTAINS(e.text, "test");
    free(block);
}

/* Either refused with a message or read whole: every value is visited. Returns whether it was read.
 */
static inline int check_survives(const void *data, size_t n)
{
    struct err e = ERR_INIT;
    void *block;
    struct weights *w = check_parse(data, n, &e, &block);
    if (w == NULL) {
        assert_int_not_equal(e.code, ERR_NONE);
        assert_int_not_equal(e.text[0], '\0');
        free(block);
        return 0;
    }
    for (size_t i = 0; i < w->count; i++) {
        struct weights_summary s;
        weights_summarise(&w->entries[i], &s);
    }
    weights_close(w);
    free(block);
    return 1;
}

#endif
