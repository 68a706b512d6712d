#ifndef NEPHRON_PICKLE_H
#define NEPHRON_PICKLE_H

#include "arena.h"
#include "weights.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Interpreter for the pickles inside PyTorch's files (pickle protocols 2 to 5, CPython's
 * pickletools.py is the reference). Nothing is imported or called: a closed list of opcodes builds
 * plain values, and a closed list of globals has built-in meanings:
 *
 *   collections.OrderedDict              dict (its BUILD state is kept apart and ignored)
 *   torch._utils._rebuild_tensor[_v2]    tensor view on a storage
 *   torch._utils._rebuild_parameter      its tensor
 *   torch.XStorage                       dtype of a persistent id ('storage', X, key, location, n)
 *   torch.Size, torch.device             tuple, string
 *   torch.float32 …                      a name
 *
 * Everything else ends the reading with a message that names the opcode or global and its offset.
 * Memory is linear in the input (values 64 bytes or less per opcode, strings are views) and
 * bounded.
 */

#define PICKLE_MAX_BYTES ((size_t)128 << 20)
#define PICKLE_MAX_STACK 100000
#define PICKLE_MAX_MEMO 1000000
#define PICKLE_MAX_STRING ((size_t)16 << 20)
#define PICKLE_MAX_DEPTH 64
#define PICKLE_MAX_MEMORY ((size_t)256 << 20)

enum pickle_type {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_LONG, /* beyond 64 bits: little-endian two's complement in `s` */
    PICKLE_FLOAT,
    PICKLE_STR, /* unicode, or a Python 2 string */
    PICKLE_BYTES,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_SET,
    PICKLE_DICT,
    PICKLE_GLOBAL,
    PICKLE_STORAGE,
    PICKLE_TENSOR,
};

struct pickle_storage {
    struct str key;
    enum weights_dtype dtype;
    uint64_t count;       /* elements, of the whole storage */
    uint64_t view_offset; /* elements; old files: a window of the storage named by `key` */
    size_t at;            /* offset in the pickle, for errors */
};

struct pickle_tensor {
    const struct pickle_storage *storage;
    uint64_t offset; /* elements, from the window's start */
    unsigned ndim;
    uint64_t shape[WEIGHTS_MAX_DIMS], strides[WEIGHTS_MAX_DIMS];
    size_t at;
};

struct pickle_value;

struct pickle_items {
    struct pickle_value **p; /* dict: key, value, key, value … */
    size_t count, capacity;
};

struct pickle_value {
    enum pickle_type type;
    bool ordered; /* PICKLE_DICT: an OrderedDict, may take BUILD */
    union {
        bool b;
        int64_t i;
        double f;
        struct str s;              /* STR, BYTES, LONG */
        struct pickle_items items; /* TUPLE, LIST, SET, DICT */
        int global;                /* private to pickle.c */
        struct pickle_storage *storage;
        struct pickle_tensor *tensor;
    };
};

const char *pickle_type_name(enum pickle_type t);

/* Runs one pickle at data[*at …] up to its STOP and moves *at behind it. Values live in `a`,
 * strings are views into `data`. `what` names the pickle in errors ("archive/data.pkl"). Lists and
 * dicts may contain themselves (through the memo): walkers bound their depth. */
struct pickle_value *pickle_run(struct arena *a, const void *data, size_t n, size_t *at,
                                const char *what, struct err *e);

/* Value of a text key, the last one if it is there more than once; NULL when absent or no dict. */
const struct pickle_value *pickle_dict_get(const struct pickle_value *dict, const char *key);

/* Writing: the pickle of an OrderedDict of contiguous tensors whose storage keys are "0", "1", … in
 * the order of `entries` (protocol 2, as torch.save). */
void pickle_write_state_dict(struct strbuf *out, const struct weights_entry *entries, size_t count);

#endif
