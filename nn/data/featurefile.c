/* Features on disk; the format is in featurefile.h. */
#include "featurefile.h"

#include "alloc.h"
#include "arena.h"
#include "clock.h"
#include "digest.h"
#include "err.h"
#include "par.h"
#include "path.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "NEPHFEAT"
#define VERSION 1
#define ALIGN 64

struct header {
    char magic[8];
    uint32_t version, header_crc;
    uint64_t count, row_floats;
    char key[64];
    char zero[32];
};
_Static_assert(sizeof(struct header) == 128, "the header has no gaps");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is that of memory");

/* --- geometry -------------------------------------------------------------------------------- */

static size_t rows_offset(size_t count)
{
    size_t end = sizeof(struct header) + count * sizeof(uint32_t);
    return (end + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t row_bytes(size_t row_floats)
{
    return row_floats * sizeof(float);
}

size_t featurefile_bytes(size_t count, size_t row_floats)
{
    size_t row, rows;
    if (count > SIZE_MAX / 16 || !size_mul(row_floats, sizeof(float), &row) ||
        !size_mul(row, count, &rows) || rows > SIZE_MAX - rows_offset(count)) {
        return SIZE_MAX;
    }
    return rows_offset(count) + rows;
}

static uint32_t header_crc(const struct header *h, const uint32_t *table)
{
    struct header copy = *h;
    copy.header_crc = 0;
    uint32_t crc = digest_crc32c(0, &copy, sizeof(copy));
    return digest_crc32c(crc, table, h->count * sizeof(uint32_t));
}

/* --- reading --------------------------------------------------------------------------------- */

int featurefile_parse(struct featurefile *f, const void *data, size_t n, const char *name,
                      const char *key, size_t count, size_t row_floats, struct err *e)
{
    struct header h;
    *f = (struct featurefile){.path = name, .count = count, .row_floats = row_floats};
    if (n < sizeof(h)) {
        return err_set(e, ERR_FORMAT, "%s: %zu bytes are no features", name, n);
    }
    memcpy(&h, data, sizeof(h));
    if (memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0 || h.version != VERSION) {
        return err_set(e, ERR_FORMAT, "%s: no features of version %d", name, VERSION);
    }
    if (strlen(key) != sizeof(h.key) || memcmp(h.key, key, sizeof(h.key)) != 0) {
        return err_set(e, ERR_FORMAT, "%s: made from other data or another model", name);
    }
    if (h.count != count || h.row_floats != row_floats ||
        featurefile_bytes(count, row_floats) != n) {
        return err_set(
            e, ERR_FORMAT, "%s: %zu bytes with %llu rows of %llu floats, expected %zu of %zu", name,
            n, (unsigned long long)h.count, (unsigned long long)h.row_floats, count, row_floats);
    }
    f->table = (const uint32_t *)((const char *)data + sizeof(h));
    f->rows = (const float *)((const char *)data + rows_offset(count));
    if (header_crc(&h, f->table) != h.header_crc) {
        return err_set(e, ERR_FORMAT, "%s: the header's checksum does not hold", name);
    }
    return 0;
}

int featurefile_open(struct featurefile *f, const char *path, const char *key, size_t count,
                     size_t row_floats, struct err *e)
{
    struct stat st;
    *f = (struct featurefile){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? err_set(e, ERR_MISSING, "no features %s", path)
                               : err_sys(e, "cannot open %s", path);
    }
    if (fstat(fd, &st) < 0) {
        close(fd);
        return err_sys(e, "cannot look at %s", path);
    }
    size_t n = (size_t)st.st_size;
    void *map = n > 0 ? mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED) {
        return err_set(e, ERR_FORMAT, "%s: an empty file, or one that cannot be mapped", path);
    }
    int rc = featurefile_parse(f, map, n, path, key, count, row_floats, e);
    f->map = map;
    f->map_bytes = n;
    if (rc < 0) {
        featurefile_close(f);
    }
    return rc;
}

void featurefile_close(struct featurefile *f)
{
    if (f->map) {
        munmap(f->map, f->map_bytes);
    }
    *f = (struct featurefile){0};
}

const float *featurefile_row(const struct featurefile *f, size_t sample)
{
    return f->rows + sample * f->row_floats;
}

struct check {
    const struct featurefile *f;
    size_t first;
    atomic_size_t bad; /* lowest bad row; SIZE_MAX: none */
};

static void check_row(void *ctx, size_t item, int thread)
{
    struct check *c = ctx;
    size_t row = c->first + item;
    const float *values = featurefile_row(c->f, row);
    if (digest_crc32c(0, values, row_bytes(c->f->row_floats)) == c->f->table[row]) {
        return;
    }
    size_t lowest = atomic_load(&c->bad);
    while (row < lowest && !atomic_compare_exchange_weak(&c->bad, &lowest, row)) {
    }
}

int featurefile_check(const struct featurefile *f, size_t first, size_t last, struct par *par,
                      struct err *e)
{
    struct check c = {.f = f, .first = first};
    atomic_init(&c.bad, SIZE_MAX);
    par_for(par, last - first, check_row, &c);
    size_t bad = atomic_load(&c.bad);
    return bad == SIZE_MAX
               ? 0
               : err_set(e, ERR_FORMAT, "%s: the checksum of row %zu does not hold", f->path, bad);
}

/* --- writing --------------------------------------------------------------------------------- */

static void release_writer(struct featurefile_writer *w)
{
    free(w->table);
    w->table = NULL;
}

int featurefile_begin(struct featurefile_writer *w, const char *path, const char *key, size_t count,
                      size_t row_floats, struct err *e)
{
    static const char zeros[4096];
    *w = (struct featurefile_writer){
        .path = path, .key = key, .count = count, .row_floats = row_floats};
    if (fs_mkdirs_for(path, e) < 0 || fs_temp_open(&w->temp, path, 0600, e) < 0) {
        return -1;
    }
    w->table = xcalloc(count + 1, sizeof(*w->table));
    /* Room for header and table; both are written last. */
    for (size_t left = rows_offset(count); left > 0;) {
        size_t n = left < sizeof(zeros) ? left : sizeof(zeros);
        if (fs_write_all(w->temp.fd, zeros, n, path, e) < 0) {
            featurefile_abort(w);
            return -1;
        }
        left -= n;
    }
    return 0;
}

int featurefile_add(struct featurefile_writer *w, const float *rows, size_t n, struct err *e)
{
    if (n > w->count - w->written) {
        return err_set(e, ERR_BUG, "%s: more than %zu rows", w->path, w->count);
    }
    for (size_t i = 0; i < n; i++) {
        w->table[w->written + i] =
            digest_crc32c(0, rows + i * w->row_floats, row_bytes(w->row_floats));
    }
    w->written += n;
    return fs_write_all(w->temp.fd, rows, n * row_bytes(w->row_floats), w->path, e);
}

void featurefile_abort(struct featurefile_writer *w)
{
    fs_temp_abort(&w->temp);
    release_writer(w);
}

int featurefile_commit(struct featurefile_writer *w, struct err *e)
{
    struct header h = {.version = VERSION, .count = w->count, .row_floats = w->row_floats};
    memcpy(h.magic, MAGIC, sizeof(h.magic));
    memcpy(h.key, w->key, sizeof(h.key));
    h.header_crc = header_crc(&h, w->table);
    if (w->written != w->count) {
        featurefile_abort(w);
        return err_set(e, ERR_BUG, "%s: %zu of %zu rows", w->path, w->written, w->count);
    }
    if (lseek(w->temp.fd, 0, SEEK_SET) < 0 ||
        fs_write_all(w->temp.fd, &h, sizeof(h), w->path, e) < 0 ||
        fs_write_all(w->temp.fd, w->table, w->count * sizeof(*w->table), w->path, e) < 0) {
        featurefile_abort(w);
        return -1;
    }
    int rc = fs_temp_commit(&w->temp, w->path, false, e);
    release_writer(w);
    return rc;
}

/* --- the folder ------------------------------------------------------------------------------ */

void featurefile_touch(const char *path)
{
    utimensat(AT_FDCWD, path, NULL, 0); /* only the order of removal depends on it */
}

struct old_file {
    const char *path;
    int64_t used_s;
    size_t bytes;
};

static int by_use(const void *a, const void *b)
{
    const struct old_file *x = a, *y = b;
    return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

int featurefile_sweep(const char *dir, const char *keep, size_t max_bytes, unsigned days,
                      struct err *e)
{
    struct arena a;
    char **names;
    size_t count, n = 0, total = 0;
    int rc = -1;
    arena_init(&a);
    if (!fs_is_dir(dir)) {
        rc = 0;
        goto out;
    }
    fs_sweep_temp(dir);
    if (fs_list(&a, dir, &names, &count, e) < 0) {
        goto out;
    }
    struct old_file *files = ARENA_ARRAY(&a, count + 1, struct old_file);
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        const char *path = path_join(&a, dir, names[i]);
        if (str_ends(str_from(names[i]), FEATUREFILE_SUFFIX) && lstat(path, &st) == 0 &&
            S_ISREG(st.st_mode) && (!keep || strcmp(path, keep) != 0)) {
            files[n++] = (struct old_file){path, st.st_mtime, (size_t)st.st_size};
            total += (size_t)st.st_size;
        }
    }
    qsort(files, n, sizeof(*files), by_use);
    int64_t oldest = clock_wall_ms(&clock_system) / 1000 - (int64_t)days * 86400;
    rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (total > max_bytes || files[i].used_s < oldest) {
            rc = fs_remove(files[i].path, e);
            total -= files[i].bytes;
        }
    }
out:
    arena_release(&a);
    return rc;
}
