/*
 * Reading of checkpoints and choosing among them; writing is checkpoint_write.c. The layout is the
 * table in checkpoint.h. It is exact: every offset follows from the counts, so a file is either
 * well-formed in one way or refused, and the digest covers all of it.
 */
#include "checkpoint.h"

#include "checkpoint_layout.h"

#include "alloc.h"
#include "bytes_le.h"
#include "err.h"
#include "fs.h"
#include "num.h"
#include "path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- one file ---- */

/* Text of at most `n` bytes padded with NULs; printable ASCII only. NULL when it is not. */
static const char *fixed_text(struct arena *a, const unsigned char *p, size_t n)
{
    size_t length = strnlen((const char *)p, n);
    for (size_t i = 0; i < n; i++) {
        if (i < length ? p[i] <= 0x20 || p[i] >= 0x7F : p[i] != 0) {
            return NULL;
        }
    }
    return arena_strndup(a, (const char *)p, length);
}

static int read_array(struct checkpoint *c, const unsigned char *file, const unsigned char *p,
                      uint64_t *at, size_t n, struct checkpoint_array *x, struct err *e)
{
    const char *name = fixed_text(&c->arena, p, CHECKPOINT_NAME_SIZE);
    const char *dtype = fixed_text(&c->arena, p + 32, 8);
    uint64_t count = le_u64(p + 40), offset = le_u64(p + 48), bytes = le_u64(p + 56);
    if (name == NULL || name[0] == '\0' || dtype == NULL) {
        return err_set(e, ERR_FORMAT, "damaged table of arrays");
    }
    int type = 0;
    while (type < WEIGHTS_DTYPE_COUNT &&
           strcmp(weights_dtype_name((enum weights_dtype)type), dtype) != 0) {
        type++;
    }
    if (type == WEIGHTS_DTYPE_COUNT) {
        return err_set(e, ERR_FORMAT, "array '%s' has the unknown type '%s'", name, dtype);
    }
    size_t size = weights_dtype_size((enum weights_dtype)type);
    if (offset != *at || count > n / size || bytes != count * size || bytes > n - offset) {
        return err_set(e, ERR_FORMAT,
                       "array '%s' of %" PRIu64 " elements at offset %" PRIu64
                       " does not fit into a file of %zu bytes",
                       name, count, offset, n);
    }
    *x = (struct checkpoint_array){name, (enum weights_dtype)type, file + offset, (size_t)count};
    *at = checkpoint_align(offset + bytes);
    return *at > n ? err_set(e, ERR_FORMAT, "array '%s' is cut short", name) : 0;
}

static int read_arrays(struct checkpoint *c, const unsigned char *p, size_t n, uint64_t at,
                       struct err *e)
{
    c->arrays = ARENA_ARRAY(&c->arena, c->count, struct checkpoint_array);
    for (size_t i = 0; i < c->count; i++) {
        if (read_array(c, p, p + CHECKPOINT_HEAD_BYTES + i * CHECKPOINT_ARRAY_BYTES, &at, n,
                       &c->arrays[i], e) < 0) {
            return -1;
        }
    }
    if (at != n - CHECKPOINT_DIGEST_BYTES) {
        return err_set(e, ERR_FORMAT, "arrays end at byte %" PRIu64 " of a file of %zu", at, n);
    }
    return 0;
}

static int read_info(struct checkpoint *c, const unsigned char *p, uint32_t note_bytes,
                     struct err *e)
{
    const unsigned char *note = p + CHECKPOINT_HEAD_BYTES + c->count * CHECKPOINT_ARRAY_BYTES;
    c->info = (struct checkpoint_info){
        .step = le_u64(p + 24),
        .epoch = le_u64(p + 32),
        .position = le_u64(p + 40),
        .seed = le_u64(p + 48),
        .world_size = le_u32(p + 56),
        .config_digest = fixed_text(&c->arena, p + 64, 64),
        .model_digest = fixed_text(&c->arena, p + 128, 64),
        .note = arena_strndup(&c->arena, (const char *)note, note_bytes),
    };
    if (c->info.config_digest == NULL || c->info.model_digest == NULL) {
        return err_set(e, ERR_FORMAT, "damaged header");
    }
    return 0;
}

/* Sizes first, against the file; nothing is allocated that the file does not fill. */
static int check_head(const unsigned char *p, size_t n, struct err *e)
{
    if (n < CHECKPOINT_HEAD_BYTES + CHECKPOINT_DIGEST_BYTES) {
        return err_set(e, ERR_FORMAT, "%zu bytes are too few for a checkpoint", n);
    }
    if (memcmp(p, CHECKPOINT_MAGIC, 8) != 0) {
        return err_set(e, ERR_FORMAT, "no Nephron checkpoint: the magic is missing");
    }
    if (le_u32(p + 8) != CHECKPOINT_VERSION) {
        return err_set(e, ERR_FORMAT, "checkpoint version %" PRIu32 ", this program reads %d",
                       le_u32(p + 8), CHECKPOINT_VERSION);
    }
    if (le_u64(p + 16) != n) {
        return err_set(e, ERR_FORMAT, "the file has %zu bytes, its header says %" PRIu64, n,
                       le_u64(p + 16));
    }
    if (le_u32(p + 12) > CHECKPOINT_MAX_ARRAYS || le_u32(p + 60) > CHECKPOINT_MAX_NOTE ||
        checkpoint_data_offset(le_u32(p + 12), le_u32(p + 60)) > n - CHECKPOINT_DIGEST_BYTES) {
        return err_set(e, ERR_FORMAT,
                       "%" PRIu32 " arrays and a note of %" PRIu32
                       " bytes do not fit into the file",
                       le_u32(p + 12), le_u32(p + 60));
    }
    return 0;
}

static int check_digest(const unsigned char *p, size_t n, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    digest_buffer(DIGEST_SHA256, p, n - CHECKPOINT_DIGEST_BYTES, hex);
    if (memcmp(hex, p + n - CHECKPOINT_DIGEST_BYTES, CHECKPOINT_DIGEST_BYTES) != 0) {
        return err_set(e, ERR_FORMAT, "the SHA-256 does not hold: the file is damaged");
    }
    return 0;
}

static int parse(struct checkpoint *c, const unsigned char *p, size_t n, struct err *e)
{
    if (check_head(p, n, e) < 0 || check_digest(p, n, e) < 0) {
        return -1;
    }
    c->count = le_u32(p + 12);
    uint32_t note_bytes = le_u32(p + 60);
    if (read_info(c, p, note_bytes, e) < 0) {
        return -1;
    }
    return read_arrays(c, p, n, checkpoint_data_offset(c->count, note_bytes), e);
}

struct checkpoint *checkpoint_parse(const void *data, size_t n, const char *name, struct err *e)
{
    struct checkpoint *c = xcalloc(1, sizeof(*c));
    arena_init(&c->arena);
    c->path = arena_strdup(&c->arena, name);
    if (parse(c, data, n, e) < 0) {
        err_wrap(e, "checkpoint %s", name);
        checkpoint_close(c);
        return NULL;
    }
    return c;
}

struct checkpoint *checkpoint_open(const char *path, struct err *e)
{
    struct checkpoint *c = NULL;
    struct stat st;
    void *map = MAP_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_sys(e, "cannot open checkpoint %s", path);
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        err_set(e, ERR_FORMAT, "checkpoint %s: %s", path,
                S_ISREG(st.st_mode) ? "the file is empty" : "no regular file");
        goto out;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        err_sys(e, "cannot map checkpoint %s", path);
        goto out;
    }
    c = checkpoint_parse(map, (size_t)st.st_size, path, e);
    if (c == NULL) {
        munmap(map, (size_t)st.st_size);
        goto out;
    }
    c->map = map;
    c->map_bytes = (size_t)st.st_size;
out:
    if (fd >= 0) {
        close(fd);
    }
    return c;
}

void checkpoint_close(struct checkpoint *c)
{
    if (c == NULL) {
        return;
    }
    if (c->map != NULL) {
        munmap(c->map, c->map_bytes);
    }
    arena_release(&c->arena);
    free(c);
}

int checkpoint_copy(const struct checkpoint *c, const char *name, enum weights_dtype dtype,
                    void *out, size_t count, struct err *e)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct checkpoint_array *x = &c->arrays[i];
        if (strcmp(x->name, name) != 0) {
            continue;
        }
        if (x->dtype != dtype || x->count != count) {
            return err_set(e, ERR_FORMAT,
                           "checkpoint %s: array '%s' has %zu elements of %s, expected %zu of %s",
                           c->path, name, x->count, weights_dtype_name(x->dtype), count,
                           weights_dtype_name(dtype));
        }
        if (count > 0) {
            memcpy(out, x->data, count * weights_dtype_size(dtype));
        }
        return 0;
    }
    return err_set(e, ERR_MISSING, "checkpoint %s has no array '%s'", c->path, name);
}

/* ---- a folder ---- */

bool checkpoint_parse_name(const char *name, uint64_t *step)
{
    int64_t number;
    struct str s = str_from(name);
    size_t prefix = strlen(CHECKPOINT_PREFIX), suffix = strlen(CHECKPOINT_SUFFIX);
    if (!str_starts(s, CHECKPOINT_PREFIX) || !str_ends(s, CHECKPOINT_SUFFIX) ||
        s.n < prefix + suffix + 1) {
        return false;
    }
    struct str digits = str_sub(s, prefix, s.n - prefix - suffix);
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9') {
            return false;
        }
    }
    if (!num_parse_int(digits, &number)) {
        return false;
    }
    *step = (uint64_t)number;
    return true;
}

struct candidate {
    const char *path;
    uint64_t step; /* by the header; by the name when there is no header to believe */
    uint64_t name_step;
};

/* The step in the header, unverified: only the order of trying depends on it. */
static uint64_t peek_step(const char *path, uint64_t fallback)
{
    unsigned char head[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = fd >= 0 && pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
                memcmp(head, CHECKPOINT_MAGIC, 8) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return good ? le_u64(head + 24) : fallback;
}

static int newest_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->step != y->step) {
        return x->step > y->step ? -1 : 1;
    }
    return strcmp(y->path, x->path);
}

static int list_candidates(struct arena *a, const char *dir, struct candidate **list, size_t *count,
                           struct err *e)
{
    char **names;
    size_t n;
    if (fs_list(a, dir, &names, &n, e) < 0) {
        return -1;
    }
    *list = ARENA_ARRAY(a, n, struct candidate);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        struct candidate *x = &(*list)[*count];
        if (checkpoint_parse_name(names[i], &x->name_step)) {
            x->path = path_join(a, dir, names[i]);
            x->step = peek_step(x->path, x->name_step);
            ++*count;
        }
    }
    if (*count > 1) {
        qsort(*list, *count, sizeof(**list), newest_first);
    }
    return 0;
}

static void pass_over(struct strbuf *notes, const char *text)
{
    if (notes != NULL) {
        strbuf_addf(notes, "%s\n", text);
    }
}

static struct checkpoint *first_good(const struct candidate *list, size_t count,
                                     struct strbuf *notes)
{
    for (size_t i = 0; i < count; i++) {
        struct err why = ERR_INIT;
        struct checkpoint *c = checkpoint_open(list[i].path, &why);
        if (c == NULL) {
            pass_over(notes, why.text);
            continue;
        }
        if (list[i].name_step != c->info.step && notes != NULL) {
            strbuf_addf(notes, "checkpoint %s holds step %" PRIu64 ", not that of its name\n",
                        c->path, c->info.step);
        }
        return c;
    }
    return NULL;
}

struct checkpoint *checkpoint_latest(const char *dir, struct strbuf *passed_over, struct err *e)
{
    struct arena a;
    struct candidate *list = NULL;
    size_t count = 0;
    struct checkpoint *c = NULL;
    arena_init(&a);
    if (list_candidates(&a, dir, &list, &count, e) == 0) {
        c = first_good(list, count, passed_over);
        if (c == NULL && count == 0) {
            err_set(e, ERR_MISSING, "no checkpoint in %s", dir);
        } else if (c == NULL) {
            err_set(e, ERR_MISSING, "none of the %zu checkpoints in %s is good", count, dir);
        }
    }
    arena_release(&a);
    return c;
}

int checkpoint_remove_all(const char *dir, struct err *e)
{
    struct arena a;
    struct candidate *list = NULL;
    size_t count = 0;
    int rc = 0;
    arena_init(&a);
    if (fs_is_dir(dir)) {
        rc = list_candidates(&a, dir, &list, &count, e);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = fs_remove(list[i].path, e);
    }
    arena_release(&a);
    return rc;
}
