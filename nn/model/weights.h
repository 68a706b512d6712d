#ifndef NEPHRON_WEIGHTS_H
#define NEPHRON_WEIGHTS_H

#include "arena.h"
#include "digest.h"
#include "nameindex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Named tensors in a file, whatever the file's format: what PyTorch, safetensors and we write.
 * Not a model: nothing here knows layers (modelfile.h adds the meaning, modelio.h the model).
 *
 * Reading maps the file; tensors are views into the map, so a 550 MB file costs no copy. Files are
 * replaced by rename, never rewritten in place, so the map cannot change under a reader. Formats
 * are told by content, not by name:
 *
 *   format        first bytes          metadata                 read by
 *   torch zip     "PK\3\4"             <root>/nephron.json      torchfile.c (zipfile.c, pickle.c)
 *   torch legacy  80 02 8a 0a 6c fc …  none                     torchfile.c (five pickles,
 * storages) safetensors   u64 length, '{'      __metadata__             safetensors.c
 *
 * Everything else is refused by its name (tar, HDF5, Keras zip, TorchScript, npz, ONNX, HTML …).
 * The byte layout of what we write is in docs/formats.md.
 *
 * Names of nested dicts are joined with '/' ("model_state_dict/conv1.weight"); members of lists and
 * tuples by their index. Non-tensor leaves are skipped.
 */

#define WEIGHTS_MAX_DIMS 8
#define WEIGHTS_MAX_TENSORS 100000
#define WEIGHTS_MAX_NAME 1024
#define WEIGHTS_MAX_DEPTH 64

/* X(enum, our name, size in bytes, PyTorch storage class or NULL, safetensors name) */
#define WEIGHTS_DTYPES(X)                                                                          \
    X(F64, "f64", 8, "DoubleStorage", "F64")                                                       \
    X(F32, "f32", 4, "FloatStorage", "F32")                                                        \
    X(F16, "f16", 2, "HalfStorage", "F16")                                                         \
    X(BF16, "bf16", 2, "BFloat16Storage", "BF16")                                                  \
    X(I64, "i64", 8, "LongStorage", "I64")                                                         \
    X(I32, "i32", 4, "IntStorage", "I32")                                                          \
    X(I16, "i16", 2, "ShortStorage", "I16")                                                        \
    X(I8, "i8", 1, "CharStorage", "I8")                                                            \
    X(U64, "u64", 8, NULL, "U64")                                                                  \
    X(U32, "u32", 4, NULL, "U32")                                                                  \
    X(U16, "u16", 2, NULL, "U16")                                                                  \
    X(U8, "u8", 1, "ByteStorage", "U8")                                                            \
    X(BOOL, "bool", 1, "BoolStorage", "BOOL")

enum weights_dtype {
#define X(id, name, size, torch, safe) WEIGHTS_##id,
    WEIGHTS_DTYPES(X)
#undef X
};
#define WEIGHTS_DTYPE_COUNT 13

const char *weights_dtype_name(enum weights_dtype t);        /* "f32" */
const char *weights_dtype_torch(enum weights_dtype t);       /* "FloatStorage"; NULL: none */
const char *weights_dtype_safetensors(enum weights_dtype t); /* "F32" */
size_t weights_dtype_size(enum weights_dtype t);             /* bytes of one element */

enum weights_format { WEIGHTS_TORCH_ZIP, WEIGHTS_TORCH_LEGACY, WEIGHTS_SAFETENSORS };
const char *weights_format_name(enum weights_format f);

/* One tensor. When reading, `name` and `data` are borrowed from the struct weights. */
struct weights_entry {
    const char *name;
    enum weights_dtype dtype;
    unsigned ndim; /* 0: a scalar, count 1 */
    size_t shape[WEIGHTS_MAX_DIMS];
    size_t strides[WEIGHTS_MAX_DIMS]; /* in elements; 0 repeats (an expanded view) */
    const void *data;                 /* element 0, little-endian, alignment not assumed */
    size_t count;                     /* elements: product of shape */
};

struct weights_meta {
    const char *key, *value;
};

struct weights {
    enum weights_format format;
    struct weights_entry *entries; /* in the order of the file's dict */
    size_t count;
    struct weights_meta *meta; /* strings; [0, meta_count) */
    size_t meta_count;
    /* Above: public. Below: private to weights.c and the readers of single formats. */
    const char *path;
    struct arena arena;
    size_t entry_capacity;
    size_t meta_capacity;
    uint64_t logical_bytes; /* sum of count × size: bounds the work on aliased storages */
    uint64_t file_bytes;
    struct nameindex names;
    void *map;
    size_t map_bytes;
};

struct weights_open_options {
    bool skip_checksums; /* do not read the storages to check CRC-32: for looking at headers only */
};

/* Returns new (weights_close). `options` may be NULL. ERR_MISSING, ERR_IO, ERR_FORMAT (what was
 * found and where), ERR_LIMIT. */
struct weights *weights_open(const char *path, const struct weights_open_options *options,
                             struct err *e);
/* As weights_open on bytes in memory, which must outlive the result; no I/O. `name` is for errors.
 */
struct weights *weights_parse(const void *data, size_t n, const char *name,
                              const struct weights_open_options *options, struct err *e);
void weights_close(struct weights *w);

/* NULL when absent; returns borrowed. */
const struct weights_entry *weights_find(const struct weights *w, const char *name);
const char *weights_meta_find(const struct weights *w, const char *key);

bool weights_contiguous(const struct weights_entry *t); /* row-major without gaps */
/* "(64, 3, 3, 3)", "()" for a scalar, as Python prints shapes. */
void weights_shape_text(const struct weights_entry *t, struct strbuf *out);
/* Row-major elements [from, from+n) of any strides, in the tensor's dtype, packed little-endian. */
void weights_copy_raw(const struct weights_entry *t, size_t from, size_t n, void *out);
/* All elements as contiguous row-major fp32 (rounded to nearest even from f64 and integers).
 * ERR_FORMAT naming both when `count` differs from the tensor's. */
int weights_copy_f32(const struct weights_entry *t, float *out, size_t count, struct err *e);
/* As above for integer and bool tensors; floating tensors are refused. */
int weights_copy_i64(const struct weights_entry *t, int64_t *out, size_t count, struct err *e);

struct weights_summary {
    char md5[DIGEST_HEX_SIZE]; /* of the values as little-endian row-major bytes */
    double sum;                /* in double, in row-major order */
    double first;              /* NaN for an empty tensor */
};
void weights_summarise(const struct weights_entry *t, struct weights_summary *out);

/* Fills count and row-major strides from shape. ERR_LIMIT when the product overflows. */
int weights_entry_layout(struct weights_entry *t, struct err *e);

/*
 * Writers. Entries may have any strides and lie anywhere (also in the map of an open file); values
 * are streamed, so no second copy of a contiguous tensor is made. Atomic (fs.h). The bytes depend
 * on entries and metadata only: the same model gives the same digest. ERR_USAGE for a name twice, a
 * name or dtype the format cannot hold.
 * weights_save_torch writes what torch.load(weights_only=True) reads as an OrderedDict of tensors.
 */
int weights_save_torch(const char *path, const struct weights_entry *entries, size_t count,
                       const struct weights_meta *meta, size_t meta_count, struct err *e);
int weights_save_safetensors(const char *path, const struct weights_entry *entries, size_t count,
                             const struct weights_meta *meta, size_t meta_count, struct err *e);
/* By extension: .safetensors, or .pth .pt .bin; ERR_USAGE for another one. */
int weights_save(const char *path, const struct weights_entry *entries, size_t count,
                 const struct weights_meta *meta, size_t meta_count, struct err *e);

#endif
