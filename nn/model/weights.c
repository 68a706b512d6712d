/*
 * Opening of weights files and look-up in them: maps the file, tells the format by content, hands
 * the bytes to its reader. Values are in weights_values.c, writing in weights_save.c.
 */
#include "weights.h"

#include "weights_reader.h"

#include "alloc.h"
#include "err.h"
#include "safetensors.h"
#include "torchfile.h"
#include "value.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name, *torch, *safetensors;
    size_t size;
} DTYPES[] = {
#define X(id, name, size, torch, safe) {name, torch, safe, size},
    WEIGHTS_DTYPES(X)
#undef X
};
_Static_assert(ARRAY_SIZE(DTYPES) == WEIGHTS_DTYPE_COUNT, "WEIGHTS_DTYPE_COUNT");

const char *weights_dtype_name(enum weights_dtype t)
{
    return DTYPES[t].name;
}

const char *weights_dtype_torch(enum weights_dtype t)
{
    return DTYPES[t].torch;
}

const char *weights_dtype_safetensors(enum weights_dtype t)
{
    return DTYPES[t].safetensors;
}

size_t weights_dtype_size(enum weights_dtype t)
{
    return DTYPES[t].size;
}

const char *weights_format_name(enum weights_format f)
{
    static const char *const names[] = {"torch zip", "torch legacy", "safetensors"};
    return names[f];
}

/* ---- filling, for the readers ---- */

/* An expanded view (stride 0) or shared storages can name far more elements than the file holds;
 * whoever reads all tensors must not be made to work without bound. */
static uint64_t logical_limit(const struct weights *w)
{
    return 4 * w->file_bytes + ((uint64_t)64 << 20);
}

int weights_entry_layout(struct weights_entry *t, struct err *e)
{
    size_t count = 1, bytes;
    bool empty = false;
    for (unsigned i = 0; i < t->ndim; i++) {
        empty |= t->shape[i] == 0;
    }
    for (unsigned i = t->ndim; i-- > 0;) {
        t->strides[i] = count;
        if (!size_mul(count, t->shape[i] == 0 ? 1 : t->shape[i], &count)) {
            return err_set(e, ERR_LIMIT, "shape with more than 2^64 elements");
        }
    }
    if (!size_mul(count, weights_dtype_size(t->dtype), &bytes) || bytes > INT64_MAX) {
        return err_set(e, ERR_LIMIT, "shape with more than 2^63 bytes");
    }
    t->count = empty ? 0 : count;
    return 0;
}

int weights_add(struct weights *w, struct str name, const struct weights_entry *t, struct err *e)
{
    struct nameindex_text shown = nameindex_show(name);
    if (w->count >= WEIGHTS_MAX_TENSORS) {
        return err_set(e, ERR_LIMIT, "more than %d tensors", WEIGHTS_MAX_TENSORS);
    }
    if (name.n == 0 || name.n > WEIGHTS_MAX_NAME) {
        return err_set(e, ERR_LIMIT, "tensor '%s' with a name of %zu bytes: allowed are 1 to %d",
                       shown.text, name.n, WEIGHTS_MAX_NAME);
    }
    if (memchr(name.p, 0, name.n) != NULL || str_utf8_valid(name) != name.n) {
        return err_set(e, ERR_FORMAT, "tensor name '%s' is not valid UTF-8", shown.text);
    }
    struct weights_entry dense = *t;
    if (weights_entry_layout(&dense, e) < 0) {
        return err_wrap(e, "tensor '%s'", shown.text);
    }
    uint64_t bytes = (uint64_t)dense.count * weights_dtype_size(t->dtype);
    if (bytes > logical_limit(w) - w->logical_bytes) {
        return err_set(e, ERR_LIMIT,
                       "the tensors up to '%s' name more than %" PRIu64
                       " bytes, but the file has %" PRIu64,
                       shown.text, logical_limit(w), w->file_bytes);
    }
    w->logical_bytes += bytes;
    ARRAY_RESERVE(w->entries, w->count, w->entry_capacity, 1);
    struct weights_entry *x = &w->entries[w->count++];
    *x = *t;
    x->count = dense.count;
    x->name = arena_strndup(&w->arena, name.p, name.n);
    return 0;
}

int weights_add_meta(struct weights *w, const struct value *object, const char *what, struct err *e)
{
    if (object->type != VALUE_MAP) {
        return err_set(e, ERR_FORMAT, "%s is a %s, expected an object of strings", what,
                       value_type_name(object->type));
    }
    for (size_t i = 0; i < object->map.count; i++) {
        struct str key = object->map.pairs[i].key->s;
        const struct value *v = object->map.pairs[i].val;
        if (v->type != VALUE_STR || memchr(v->s.p, 0, v->s.n) != NULL ||
            memchr(key.p, 0, key.n) != NULL) {
            return err_set(e, ERR_FORMAT, "%s: '%s' is a %s, expected a string without NUL", what,
                           nameindex_show(key).text, value_type_name(v->type));
        }
        ARRAY_RESERVE(w->meta, w->meta_count, w->meta_capacity, 1);
        w->meta[w->meta_count++] =
            (struct weights_meta){.key = arena_strndup(&w->arena, key.p, key.n),
                                  .value = arena_strndup(&w->arena, v->s.p, v->s.n)};
    }
    return 0;
}

int weights_index(struct weights *w, struct err *e)
{
    nameindex_init(&w->names, &w->arena, w->count);
    for (size_t i = 0; i < w->count; i++) {
        w->names.refs[i] = (struct nameindex_ref){str_from(w->entries[i].name), (uint32_t)i};
    }
    size_t twice = nameindex_sort(&w->names);
    if (twice != NAMEINDEX_NONE) {
        return err_set(e, ERR_FORMAT, "two tensors named '%s'",
                       nameindex_show(str_from(w->entries[twice].name)).text);
    }
    return 0;
}

/* ---- formats ---- */

static const struct {
    size_t offset;
    const char *magic;
    size_t length;
    const char *what;
} REFUSED[] = {
    {257, "ustar", 5,
     "a tar archive; the tar form of old PyTorch files is not read, since its loader can be made "
     "to "
     "execute code (CVE-2025-32434)"},
    {0, "\x89HDF\r\n\x1a\n", 8, "an HDF5 file (Keras .h5), which is not supported yet"},
    {0, "\x93NUMPY", 6, "a NumPy .npy array"},
    {0, "GGUF", 4, "a GGUF model"},
    {0, "\x1f\x8b", 2, "a gzip file; unpack it first"},
    {0, "\xff\xd8\xff", 3, "a JPEG image"},
    {0, "\x89PNG", 4, "a PNG image"},
    {0, "version https://git-lfs", 23,
     "a Git LFS pointer, not the file itself; run 'git lfs pull'"},
    {0, "<", 1, "an HTML or XML page, perhaps an error page of a failed download"},
    {0, "\x80", 1, "a pickle, but not one that torch.save wrote"},
};

static int refuse(const unsigned char *p, size_t n, struct err *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(REFUSED); i++) {
        size_t end = REFUSED[i].offset + REFUSED[i].length;
        if (n >= end && memcmp(p + REFUSED[i].offset, REFUSED[i].magic, REFUSED[i].length) == 0) {
            return err_set(e, ERR_FORMAT, "this is %s; expected a PyTorch or safetensors file",
                           REFUSED[i].what);
        }
    }
    if (n >= 3 && p[0] == 8 && p[1] < 32 && (p[2] == 0x12 || p[2] == 0x1a || p[2] == 0x3a)) {
        return err_set(e, ERR_FORMAT,
                       "this looks like an ONNX model; expected a PyTorch or safetensors file");
    }
    char start[17] = "";
    for (size_t i = 0; i < 8 && i < n; i++) {
        snprintf(start + 2 * i, 3, "%02x", p[i]);
    }
    return err_set(e, ERR_FORMAT,
                   "no weights file that is known (PyTorch, safetensors): it starts with %s",
                   n == 0 ? "nothing" : start);
}

static int read_any(struct weights *w, const void *data, size_t n,
                    const struct weights_open_options *options, struct err *e)
{
    const unsigned char *p = data;
    bool skip = options != NULL && options->skip_checksums;
    if (n == 0) {
        return err_set(e, ERR_FORMAT, "the file is empty");
    }
    if (n >= 4 && (memcmp(p, "PK\3\4", 4) == 0 || memcmp(p, "PK\5\6", 4) == 0)) {
        w->format = WEIGHTS_TORCH_ZIP;
        return torchfile_read_zip(w, data, n, skip, e);
    }
    if (torchfile_is_legacy(data, n)) {
        w->format = WEIGHTS_TORCH_LEGACY;
        return torchfile_read_legacy(w, data, n, e);
    }
    if (safetensors_looks_like(data, n)) {
        w->format = WEIGHTS_SAFETENSORS;
        return safetensors_read(w, data, n, e);
    }
    return refuse(p, n, e);
}

struct weights *weights_parse(const void *data, size_t n, const char *name,
                              const struct weights_open_options *options, struct err *e)
{
    struct weights *w = xcalloc(1, sizeof(*w));
    arena_init(&w->arena);
    w->path = arena_strdup(&w->arena, name);
    w->file_bytes = n;
    if (read_any(w, data, n, options, e) < 0 || weights_index(w, e) < 0) {
        err_wrap(e, "%s", name);
        weights_close(w);
        return NULL;
    }
    return w;
}

/* Maps a whole regular file; *map is NULL for an empty one. */
static int map_file(const char *path, void **map, size_t *n, struct err *e)
{
    struct stat st;
    int rc = -1;
    *map = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_sys(e, "cannot open %s", path);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(e, ERR_FORMAT, "%s is %s, expected a weights file", path,
                S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
        goto out;
    }
    *n = (size_t)st.st_size;
    if (*n > 0) {
        *map = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0);
        if (*map == MAP_FAILED) {
            *map = NULL;
            err_sys(e, "cannot map %s", path);
            goto out;
        }
    }
    rc = 0;
out:
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

struct weights *weights_open(const char *path, const struct weights_open_options *options,
                             struct err *e)
{
    void *map;
    size_t n;
    if (map_file(path, &map, &n, e) < 0) {
        return NULL;
    }
    struct weights *w = weights_parse(map, n, path, options, e);
    if (w == NULL) {
        if (map != NULL) {
            munmap(map, n);
        }
        return NULL;
    }
    w->map = map;
    w->map_bytes = n;
    return w;
}

void weights_close(struct weights *w)
{
    if (w == NULL) {
        return;
    }
    if (w->map != NULL) {
        munmap(w->map, w->map_bytes);
    }
    free(w->entries);
    free(w->meta);
    arena_release(&w->arena);
    free(w);
}

const struct weights_entry *weights_find(const struct weights *w, const char *name)
{
    size_t i = nameindex_find(&w->names, str_from(name));
    return i == NAMEINDEX_NONE ? NULL : &w->entries[i];
}

const char *weights_meta_find(const struct weights *w, const char *key)
{
    for (size_t i = 0; i < w->meta_count; i++) {
        if (strcmp(w->meta[i].key, key) == 0) {
            return w->meta[i].value;
        }
    }
    return NULL;
}
