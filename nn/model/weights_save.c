/*
 * Writers of weights files. A tensor goes from where it lies to the file: contiguous ones in one
 * write, views through a small buffer. Layouts: docs/formats.md.
 */
#include "weights.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "path.h"
#include "pickle.h"
#include "torchfile.h"
#include "zipfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64
#define PIECE_BYTES 65536

typedef int save_write_fn(void *ctx, const void *data, size_t n, struct err *e);

/* Hands all values of `t`, row-major, to `fn`. */
static int write_values(const struct weights_entry *t, save_write_fn *fn, void *ctx, struct err *e)
{
    unsigned char piece[PIECE_BYTES];
    size_t size = weights_dtype_size(t->dtype), step = sizeof(piece) / size;
    if (weights_contiguous(t)) {
        return t->count == 0 ? 0 : fn(ctx, t->data, t->count * size, e);
    }
    for (size_t from = 0; from < t->count; from += step) {
        size_t n = t->count - from < step ? t->count - from : step;
        weights_copy_raw(t, from, n, piece);
        if (fn(ctx, piece, n * size, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_name(const struct weights_entry *t, struct err *e)
{
    struct str name = str_from(t->name);
    if (name.n == 0 || name.n > WEIGHTS_MAX_NAME || str_utf8_valid(name) != name.n) {
        return err_set(e, ERR_USAGE, "tensor name '%s' cannot be written: 1 to %d bytes of UTF-8",
                       nameindex_show(name).text, WEIGHTS_MAX_NAME);
    }
    return 0;
}

static int check_unique(const struct weights_entry *entries, size_t count, struct err *e)
{
    struct arena scratch;
    struct nameindex names;
    arena_init(&scratch);
    nameindex_init(&names, &scratch, count);
    for (size_t i = 0; i < count; i++) {
        names.refs[i] = (struct nameindex_ref){str_from(entries[i].name), (uint32_t)i};
    }
    size_t twice = nameindex_sort(&names);
    arena_release(&scratch);
    return twice == NAMEINDEX_NONE ? 0
                                   : err_set(e, ERR_USAGE, "two tensors named '%s'",
                                             nameindex_show(str_from(entries[twice].name)).text);
}

static int check_entries(const struct weights_entry *entries, size_t count, struct err *e)
{
    if (count > WEIGHTS_MAX_TENSORS) {
        return err_set(e, ERR_USAGE, "more than %d tensors", WEIGHTS_MAX_TENSORS);
    }
    for (size_t i = 0; i < count; i++) {
        if (check_name(&entries[i], e) < 0) {
            return -1;
        }
    }
    return check_unique(entries, count, e);
}

/* Copies of the entries as they will lie in the file: row-major. Returns new (free). */
static struct weights_entry *dense_layout(const struct weights_entry *entries, size_t count,
                                          struct err *e)
{
    struct weights_entry *dense = xcalloc(count + 1, sizeof(*dense));
    for (size_t i = 0; i < count; i++) {
        dense[i] = entries[i];
        if (weights_entry_layout(&dense[i], e) < 0) {
            err_wrap(e, "tensor '%s'", nameindex_show(str_from(entries[i].name)).text);
            free(dense);
            return NULL;
        }
    }
    return dense;
}

static struct value *meta_object(struct arena *a, const struct weights_meta *meta, size_t count)
{
    struct value *object = value_map(a);
    for (size_t i = 0; i < count; i++) {
        value_set(a, object, meta[i].key, value_cstr(a, meta[i].value));
    }
    return object;
}

/* ---- PyTorch ---- */

static int zip_write(void *ctx, const void *data, size_t n, struct err *e)
{
    return zipwriter_write(ctx, data, n, e);
}

static int zip_add_text(struct zipwriter *z, const char *name, const char *text, struct err *e)
{
    return zipwriter_add(z, name, text, strlen(text), e);
}

static int zip_add_meta(struct zipwriter *z, const struct weights_meta *meta, size_t count,
                        struct err *e)
{
    struct arena scratch;
    struct strbuf text;
    if (count == 0) {
        return 0;
    }
    arena_init(&scratch);
    strbuf_init(&text);
    json_write(&text, meta_object(&scratch, meta, count),
               &(struct json_style){.indent = 2, .utf8 = true});
    strbuf_addch(&text, '\n');
    int rc = zipwriter_add(z, "archive/" TORCHFILE_META_RECORD, text.p, text.n, e);
    strbuf_release(&text);
    arena_release(&scratch);
    return rc;
}

static int zip_add_tensors(struct zipwriter *z, const struct weights_entry *entries, size_t count,
                           struct err *e)
{
    char name[48];
    for (size_t i = 0; i < count; i++) {
        const struct weights_entry *t = &entries[i];
        snprintf(name, sizeof(name), "archive/data/%zu", i);
        if (zipwriter_begin(z, name, t->count * weights_dtype_size(t->dtype), e) < 0 ||
            write_values(t, zip_write, z, e) < 0 || zipwriter_end(z, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Records in torch.save's order; the folder is always "archive", so that the file's bytes do not
 * depend on its name. */
static int write_torch(struct zipwriter *z, const struct weights_entry *entries,
                       const struct weights_entry *dense, size_t count,
                       const struct weights_meta *meta, size_t meta_count, struct err *e)
{
    struct strbuf pickle;
    strbuf_init(&pickle);
    pickle_write_state_dict(&pickle, dense, count);
    int rc = zipwriter_add(z, "archive/data.pkl", pickle.p, pickle.n, e);
    strbuf_release(&pickle);
    if (rc < 0 || zip_add_text(z, "archive/.format_version", "1", e) < 0 ||
        zip_add_text(z, "archive/.storage_alignment", "64", e) < 0 ||
        zip_add_text(z, "archive/byteorder", "little", e) < 0 ||
        zip_add_meta(z, meta, meta_count, e) < 0 || zip_add_tensors(z, entries, count, e) < 0 ||
        zip_add_text(z, "archive/version", "3\n", e) < 0) {
        return -1;
    }
    return zipwriter_finish(z, e);
}

static int check_torch(const struct weights_entry *entries, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        if (weights_dtype_torch(entries[i].dtype) == NULL) {
            return err_set(e, ERR_USAGE,
                           "tensor '%s' is %s, for which PyTorch files have no storage; write a "
                           ".safetensors file",
                           nameindex_show(str_from(entries[i].name)).text,
                           weights_dtype_name(entries[i].dtype));
        }
    }
    return check_entries(entries, count, e);
}

int weights_save_torch(const char *path, const struct weights_entry *entries, size_t count,
                       const struct weights_meta *meta, size_t meta_count, struct err *e)
{
    struct fs_temp temp;
    struct zipwriter z;
    if (check_torch(entries, count, e) < 0) {
        return err_wrap(e, "cannot write %s", path);
    }
    struct weights_entry *dense = dense_layout(entries, count, e);
    if (dense == NULL || fs_temp_open(&temp, path, 0, e) < 0) {
        free(dense);
        return err_wrap(e, "cannot write %s", path);
    }
    zipwriter_init(&z, temp.fd, path);
    int rc = write_torch(&z, entries, dense, count, meta, meta_count, e);
    zipwriter_release(&z);
    free(dense);
    if (rc < 0) {
        fs_temp_abort(&temp);
        return -1;
    }
    return fs_temp_commit(&temp, path, false, e);
}

/* ---- safetensors ---- */

/* Data stands in order of element size, largest first, so that every tensor is aligned to its own
 * elements, as the reference writer does; equal sizes keep the order of the entries. */
static void place_data(const struct weights_entry *dense, size_t count, size_t *order,
                       uint64_t *offsets)
{
    static const size_t sizes[] = {8, 4, 2, 1};
    uint64_t at = 0;
    size_t placed = 0;
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        for (size_t i = 0; i < count; i++) {
            if (weights_dtype_size(dense[i].dtype) == sizes[s]) {
                order[placed++] = i;
                offsets[i] = at;
                at += (uint64_t)dense[i].count * sizes[s];
            }
        }
    }
}

static struct value *tensor_object(struct arena *a, const struct weights_entry *t, uint64_t offset)
{
    struct value *object = value_map(a), *shape = value_list(a), *range = value_list(a);
    uint64_t bytes = (uint64_t)t->count * weights_dtype_size(t->dtype);
    for (unsigned i = 0; i < t->ndim; i++) {
        value_push(a, shape, value_int(a, (int64_t)t->shape[i]));
    }
    value_push(a, range, value_int(a, (int64_t)offset));
    value_push(a, range, value_int(a, (int64_t)(offset + bytes)));
    value_set(a, object, "dtype", value_cstr(a, weights_dtype_safetensors(t->dtype)));
    value_set(a, object, "shape", shape);
    value_set(a, object, "data_offsets", range);
    return object;
}

/* Length and JSON header, filled with blanks so that the data begins at a multiple of 64. */
static void make_header(struct strbuf *out, const struct weights_entry *dense, size_t count,
                        const uint64_t *offsets, const struct weights_meta *meta, size_t meta_count)
{
    struct arena scratch;
    arena_init(&scratch);
    struct value *header = value_map(&scratch);
    if (meta_count > 0) {
        value_set(&scratch, header, "__metadata__", meta_object(&scratch, meta, meta_count));
    }
    for (size_t i = 0; i < count; i++) {
        value_append(&scratch, header, value_cstr(&scratch, dense[i].name),
                     tensor_object(&scratch, &dense[i], offsets[i]));
    }
    uint64_t length = 0;
    strbuf_add(out, &length, sizeof(length));
    json_write(out, header, &(struct json_style){.compact = true, .utf8 = true});
    strbuf_pad(out, ' ', (ALIGNMENT - out->n % ALIGNMENT) % ALIGNMENT);
    length = out->n - sizeof(length);
    memcpy(out->p, &length, sizeof(length));
    arena_release(&scratch);
}

struct plain_file {
    int fd;
    const char *path;
};

static int plain_write(void *ctx, const void *data, size_t n, struct err *e)
{
    const struct plain_file *f = ctx;
    return fs_write_all(f->fd, data, n, f->path, e);
}

static int write_safetensors(struct plain_file *f, const struct weights_entry *entries,
                             const struct weights_entry *dense, size_t count,
                             const struct weights_meta *meta, size_t meta_count, struct err *e)
{
    struct strbuf header;
    size_t *order = xcalloc(count + 1, sizeof(*order));
    uint64_t *offsets = xcalloc(count + 1, sizeof(*offsets));
    strbuf_init(&header);
    place_data(dense, count, order, offsets);
    make_header(&header, dense, count, offsets, meta, meta_count);
    int rc = plain_write(f, header.p, header.n, e);
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = write_values(&entries[order[i]], plain_write, f, e);
    }
    strbuf_release(&header);
    free(order);
    free(offsets);
    return rc;
}

static int check_safetensors(const struct weights_entry *entries, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(entries[i].name, "__metadata__") == 0) {
            return err_set(e, ERR_USAGE, "safetensors cannot hold a tensor named '__metadata__'");
        }
    }
    return check_entries(entries, count, e);
}

int weights_save_safetensors(const char *path, const struct weights_entry *entries, size_t count,
                             const struct weights_meta *meta, size_t meta_count, struct err *e)
{
    struct fs_temp temp;
    if (check_safetensors(entries, count, e) < 0) {
        return err_wrap(e, "cannot write %s", path);
    }
    struct weights_entry *dense = dense_layout(entries, count, e);
    if (dense == NULL || fs_temp_open(&temp, path, 0, e) < 0) {
        free(dense);
        return err_wrap(e, "cannot write %s", path);
    }
    struct plain_file f = {temp.fd, path};
    int rc = write_safetensors(&f, entries, dense, count, meta, meta_count, e);
    free(dense);
    if (rc < 0) {
        fs_temp_abort(&temp);
        return -1;
    }
    return fs_temp_commit(&temp, path, false, e);
}

int weights_save(const char *path, const struct weights_entry *entries, size_t count,
                 const struct weights_meta *meta, size_t meta_count, struct err *e)
{
    const char *extension = path_extension(path);
    if (strcmp(extension, ".safetensors") == 0) {
        return weights_save_safetensors(path, entries, count, meta, meta_count, e);
    }
    if (strcmp(extension, ".pth") == 0 || strcmp(extension, ".pt") == 0 ||
        strcmp(extension, ".bin") == 0) {
        return weights_save_torch(path, entries, count, meta, meta_count, e);
    }
    return err_set(e, ERR_USAGE, "%s: the name must end in .pth, .pt, .bin or .safetensors", path);
}
