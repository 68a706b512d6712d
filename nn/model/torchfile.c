/*
 * PyTorch's files: the tensors of the unpickled object, joined with their storages. The container
 * is read here, the object by pickle.c. Layout of both forms: torch/serialization.py, _save and
 * _legacy_save.
 */
#include "torchfile.h"

#include "weights_reader.h"

#include "bytes_le.h"
#include "err.h"
#include "json.h"
#include "pickle.h"
#include "zipfile.h"

#include <inttypes.h>
#include <stdio.h>

/* Visits of container members: shared containers make a tree larger than the pickle. */
#define MAX_VISITS 4000000

/* The first pickle of the legacy form holds 0x1950a86a20f9469cfc6c: LONG1, its bytes, STOP. Before
 * it stand PROTO (two bytes) and, from protocol 4 on, FRAME (nine). */
static const unsigned char LEGACY_MAGIC[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                             0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

struct torchfile {
    struct weights *w;
    struct arena scratch; /* pickle values, zip directory */
    struct strbuf name;   /* of the member being visited */
    size_t visits;
    /* zip form */
    struct zipfile zip;
    struct str root; /* "archive/" */
    bool skip_crc;
    /* legacy form: keys and where their bytes are; set before the walk */
    struct nameindex keys;
    struct legacy_storage {
        struct str key;
        const unsigned char *data;
        uint64_t count;
        enum weights_dtype dtype;
        bool is_known; /* dtype and count came from the object */
    } * storages;
    size_t storage_count;
};

static void torchfile_init(struct torchfile *f, struct weights *w, bool skip_crc)
{
    *f = (struct torchfile){.w = w, .skip_crc = skip_crc};
    arena_init(&f->scratch);
    strbuf_init_max(&f->name, WEIGHTS_MAX_NAME + 1);
}

static void torchfile_release(struct torchfile *f)
{
    strbuf_release(&f->name);
    arena_release(&f->scratch);
}

/* ---- the object ---- */

typedef int tensor_fn(struct torchfile *f, const struct pickle_tensor *t, struct err *e);

static int walk(struct torchfile *f, const struct pickle_value *v, unsigned depth, tensor_fn *fn,
                struct err *e);

static int walk_member(struct torchfile *f, const char *text, size_t n,
                       const struct pickle_value *v, unsigned depth, tensor_fn *fn, struct err *e)
{
    if (v->type < PICKLE_TUPLE || v->type == PICKLE_SET) {
        f->visits++;
        return 0; /* a number or a text */
    }
    size_t before = f->name.n;
    if (before > 0) {
        strbuf_addch(&f->name, '/');
    }
    strbuf_add(&f->name, text, n);
    int rc = walk(f, v, depth + 1, fn, e);
    f->name.truncated = false;
    strbuf_truncate(&f->name, before);
    return rc;
}

static int walk_key(struct torchfile *f, const struct pickle_value *key,
                    const struct pickle_value *v, unsigned depth, tensor_fn *fn, struct err *e)
{
    char digits[24];
    if (key->type == PICKLE_STR) {
        return walk_member(f, key->s.p, key->s.n, v, depth, fn, e);
    }
    if (key->type == PICKLE_INT) {
        int n = snprintf(digits, sizeof(digits), "%" PRId64, key->i);
        return walk_member(f, digits, (size_t)n, v, depth, fn, e);
    }
    return walk_member(f, pickle_type_name(key->type), strlen(pickle_type_name(key->type)), v,
                       depth, fn, e);
}

static int walk_list(struct torchfile *f, const struct pickle_items *items, unsigned depth,
                     tensor_fn *fn, struct err *e)
{
    char digits[24];
    for (size_t i = 0; i < items->count; i++) {
        int n = snprintf(digits, sizeof(digits), "%zu", i);
        if (walk_member(f, digits, (size_t)n, items->p[i], depth, fn, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Calls fn for every tensor, with its joined name in f->name. */
static int walk(struct torchfile *f, const struct pickle_value *v, unsigned depth, tensor_fn *fn,
                struct err *e)
{
    if (depth > WEIGHTS_MAX_DEPTH || ++f->visits > MAX_VISITS) {
        return err_set(e, ERR_LIMIT, "%s: %s", nameindex_show(strbuf_str(&f->name)).text,
                       depth > WEIGHTS_MAX_DEPTH ? "dicts nested deeper than 64"
                                                 : "more than 4 million members");
    }
    switch (v->type) {
    case PICKLE_TENSOR:
        if (f->name.truncated) {
            return err_set(e, ERR_LIMIT, "tensor '%s': name longer than %d bytes",
                           nameindex_show(strbuf_str(&f->name)).text, WEIGHTS_MAX_NAME);
        }
        return fn(f, v->tensor, e);
    case PICKLE_DICT:
        for (size_t i = 0; i + 1 < v->items.count; i += 2) {
            if (walk_key(f, v->items.p[i], v->items.p[i + 1], depth, fn, e) < 0) {
                return -1;
            }
        }
        return 0;
    case PICKLE_LIST:
    case PICKLE_TUPLE:
        return walk_list(f, &v->items, depth, fn, e);
    default:
        return 0;
    }
}

/* Adds the view `t` of a storage whose first element is at `data`. */
static int add_tensor(struct torchfile *f, const struct pickle_tensor *t, const unsigned char *data,
                      struct err *e)
{
    struct weights_entry x = {.dtype = t->storage->dtype, .ndim = t->ndim};
    for (unsigned i = 0; i < t->ndim; i++) {
        x.shape[i] = (size_t)t->shape[i];
        x.strides[i] = (size_t)t->strides[i];
    }
    x.data = data + (t->storage->view_offset + t->offset) * weights_dtype_size(x.dtype);
    struct str name = f->name.n > 0 ? strbuf_str(&f->name) : STR("tensor");
    return weights_add(f->w, name, &x, e);
}

/* Bytes of a whole storage, or -1. */
static int storage_bytes(const struct pickle_storage *s, size_t *bytes, struct err *e)
{
    size_t size = weights_dtype_size(s->dtype);
    if (s->count > INT64_MAX / size) {
        return err_set(e, ERR_FORMAT, "storage '%s' of %" PRIu64 " elements",
                       nameindex_show(s->key).text, s->count);
    }
    *bytes = (size_t)s->count * size;
    return 0;
}

/* ---- zip form ---- */

static struct zipfile_entry *find_record(struct torchfile *f, const char *kind, struct str name)
{
    struct strbuf path;
    strbuf_init(&path);
    strbuf_addstr(&path, f->root);
    strbuf_adds(&path, kind);
    strbuf_addstr(&path, name);
    struct zipfile_entry *x = zipfile_find(&f->zip, strbuf_str(&path));
    strbuf_release(&path);
    return x;
}

static int zip_tensor(struct torchfile *f, const struct pickle_tensor *t, struct err *e)
{
    size_t bytes;
    struct zipfile_entry *x = find_record(f, "data/", t->storage->key);
    struct nameindex_text key = nameindex_show(t->storage->key);
    if (x == NULL) {
        return err_set(e, ERR_FORMAT, "storage '%s' of tensor '%s' is not in the archive", key.text,
                       nameindex_show(strbuf_str(&f->name)).text);
    }
    if (storage_bytes(t->storage, &bytes, e) < 0 || zipfile_data(&f->zip, x, f->skip_crc, e) < 0) {
        return -1;
    }
    if (x->size != bytes) {
        return err_set(e, ERR_FORMAT, "storage '%s' has %" PRIu64 " bytes, expected %zu", key.text,
                       x->size, bytes);
    }
    return add_tensor(f, t, x->data, e);
}

static const char *other_archive(const struct zipfile *z)
{
    for (size_t i = 0; i < z->count; i++) {
        struct str name = z->entries[i].name;
        if (str_ends(name, "model.weights.h5")) {
            return "a Keras 3 archive, which is not supported yet";
        }
        if (str_ends(name, ".npy")) {
            return "a NumPy .npz archive";
        }
    }
    return "a zip archive without PyTorch's data.pkl";
}

/* Finds "<root>/data.pkl" and sets f->root to "<root>/". */
static struct zipfile_entry *find_pickle(struct torchfile *f, struct err *e)
{
    for (size_t i = 0; i < f->zip.count; i++) {
        struct str name = f->zip.entries[i].name;
        if (!str_ends(name, "/data.pkl") ||
            memchr(name.p, '/', name.n) != name.p + name.n - strlen("/data.pkl")) {
            continue;
        }
        f->root = str_sub(name, 0, name.n - strlen("data.pkl"));
        if (find_record(f, "constants.pkl", STR("")) != NULL) {
            err_set(e, ERR_FORMAT,
                    "this is a TorchScript archive (a program); save the module's state_dict()");
            return NULL;
        }
        return &f->zip.entries[i];
    }
    err_set(e, ERR_FORMAT, "this is %s", other_archive(&f->zip));
    return NULL;
}

static int check_byte_order(struct torchfile *f, struct err *e)
{
    struct zipfile_entry *x = find_record(f, "byteorder", STR(""));
    if (x == NULL) {
        return 0; /* older than 2.1: little-endian */
    }
    if (zipfile_data(&f->zip, x, false, e) < 0) {
        return -1;
    }
    struct str order = {(const char *)x->data, (size_t)x->size};
    return str_is(order, "little") ? 0
                                   : err_set(e, ERR_FORMAT, "byte order '%s', expected 'little'",
                                             nameindex_show(order).text);
}

static int read_meta_record(struct torchfile *f, struct err *e)
{
    struct zipfile_entry *x = find_record(f, TORCHFILE_META_RECORD, STR(""));
    if (x == NULL) {
        return 0;
    }
    if (zipfile_data(&f->zip, x, false, e) < 0) {
        return -1;
    }
    if (x->size > (size_t)16 << 20) {
        return err_set(e, ERR_LIMIT, TORCHFILE_META_RECORD " of %" PRIu64 " bytes", x->size);
    }
    struct value *v = json_parse(&f->scratch, (struct str){(const char *)x->data, (size_t)x->size},
                                 TORCHFILE_META_RECORD, e);
    return v == NULL ? -1 : weights_add_meta(f->w, v, TORCHFILE_META_RECORD, e);
}

static int read_zip(struct torchfile *f, const void *data, size_t n, struct err *e)
{
    if (zipfile_parse(&f->scratch, data, n, &f->zip, e) < 0) {
        return -1;
    }
    struct zipfile_entry *x = find_pickle(f, e);
    if (x == NULL || zipfile_data(&f->zip, x, false, e) < 0 || check_byte_order(f, e) < 0) {
        return -1;
    }
    size_t at = 0;
    char what[160];
    snprintf(what, sizeof(what), "%s", nameindex_show(x->name).text);
    const struct pickle_value *v = pickle_run(&f->scratch, x->data, (size_t)x->size, &at, what, e);
    if (v == NULL || walk(f, v, 0, zip_tensor, e) < 0) {
        return -1;
    }
    return read_meta_record(f, e);
}

int torchfile_read_zip(struct weights *w, const void *data, size_t n, bool skip_crc, struct err *e)
{
    struct torchfile f;
    torchfile_init(&f, w, skip_crc);
    int rc = read_zip(&f, data, n, e);
    torchfile_release(&f);
    return rc;
}

/* ---- legacy form ---- */

bool torchfile_is_legacy(const void *data, size_t n)
{
    static const size_t places[] = {2, 11};
    const unsigned char *p = data;
    for (size_t i = 0; i < 2; i++) {
        if (n >= places[i] + sizeof(LEGACY_MAGIC) && p[0] == 0x80 &&
            memcmp(p + places[i], LEGACY_MAGIC, sizeof(LEGACY_MAGIC)) == 0) {
            return true;
        }
    }
    return false;
}

/* Protocol 1001, and a writer whose numbers lie as ours do. */
static int check_header(const struct pickle_value *protocol, const struct pickle_value *sys,
                        struct err *e)
{
    if (protocol->type != PICKLE_INT || protocol->i != 1001) {
        return err_set(e, ERR_FORMAT, "PyTorch protocol is not 1001");
    }
    const struct pickle_value *order = pickle_dict_get(sys, "little_endian");
    if (order == NULL || order->type != PICKLE_BOOL || !order->b) {
        return err_set(e, ERR_FORMAT, "the file does not say that it is little-endian");
    }
    return 0;
}

static int read_keys(struct torchfile *f, const struct pickle_value *keys, struct err *e)
{
    if (keys->type != PICKLE_LIST) {
        return err_set(e, ERR_FORMAT, "storage keys are a %s, expected a list",
                       pickle_type_name(keys->type));
    }
    f->storage_count = keys->items.count;
    f->storages = ARENA_ARRAY(&f->scratch, f->storage_count, struct legacy_storage);
    nameindex_init(&f->keys, &f->scratch, f->storage_count);
    for (size_t i = 0; i < f->storage_count; i++) {
        const struct pickle_value *key = keys->items.p[i];
        if (key->type != PICKLE_STR) {
            return err_set(e, ERR_FORMAT, "storage key is a %s, expected a str",
                           pickle_type_name(key->type));
        }
        f->storages[i].key = key->s;
        f->keys.refs[i] = (struct nameindex_ref){key->s, (uint32_t)i};
    }
    size_t twice = nameindex_sort(&f->keys);
    if (twice != NAMEINDEX_NONE) {
        return err_set(e, ERR_FORMAT, "storage '%s' twice",
                       nameindex_show(f->storages[twice].key).text);
    }
    return 0;
}

/* First walk: which type and size each storage has. */
static int note_storage(struct torchfile *f, const struct pickle_tensor *t, struct err *e)
{
    size_t bytes, i = nameindex_find(&f->keys, t->storage->key);
    struct nameindex_text key = nameindex_show(t->storage->key);
    if (i == NAMEINDEX_NONE) {
        return err_set(e, ERR_FORMAT, "storage '%s' of tensor '%s' is not in the file", key.text,
                       nameindex_show(strbuf_str(&f->name)).text);
    }
    struct legacy_storage *s = &f->storages[i];
    if (s->is_known && (s->dtype != t->storage->dtype || s->count != t->storage->count)) {
        return err_set(e, ERR_FORMAT, "storage '%s' is named with two types or sizes", key.text);
    }
    s->is_known = true;
    s->dtype = t->storage->dtype;
    s->count = t->storage->count;
    return storage_bytes(t->storage, &bytes, e);
}

/* The raw storages, in the order of the keys: u64 count, elements. */
static int locate_storages(struct torchfile *f, const unsigned char *p, size_t n, size_t at,
                           struct err *e)
{
    for (size_t i = 0; i < f->storage_count; i++) {
        struct legacy_storage *s = &f->storages[i];
        struct nameindex_text key = nameindex_show(s->key);
        if (!s->is_known) {
            return err_set(e, ERR_FORMAT, "storage '%s' belongs to no tensor", key.text);
        }
        if (n - at < 8 || le_u64(p + at) != s->count) {
            return err_set(e, ERR_FORMAT,
                           "byte %zu: storage '%s' does not begin with its %" PRIu64 " elements",
                           at, key.text, s->count);
        }
        at += 8;
        size_t bytes = (size_t)s->count * weights_dtype_size(s->dtype);
        if (bytes > n - at) {
            return err_set(e, ERR_FORMAT,
                           "byte %zu: storage '%s' of %zu bytes is cut short: %zu are left", at,
                           key.text, bytes, n - at);
        }
        s->data = p + at;
        at += bytes;
    }
    return 0;
}

static int legacy_tensor(struct torchfile *f, const struct pickle_tensor *t, struct err *e)
{
    size_t i = nameindex_find(&f->keys, t->storage->key);
    return add_tensor(f, t, f->storages[i].data, e);
}

static int read_legacy(struct torchfile *f, const void *data, size_t n, struct err *e)
{
    static const char *const names[] = {"magic number", "protocol", "system info", "object",
                                        "storage keys"};
    const struct pickle_value *v[5];
    size_t at = 0;
    for (int i = 0; i < 5; i++) {
        v[i] = pickle_run(&f->scratch, data, n, &at, names[i], e);
        if (v[i] == NULL) {
            return -1;
        }
    }
    if (check_header(v[1], v[2], e) < 0 || read_keys(f, v[4], e) < 0 ||
        walk(f, v[3], 0, note_storage, e) < 0 || locate_storages(f, data, n, at, e) < 0) {
        return -1;
    }
    f->visits = 0;
    return walk(f, v[3], 0, legacy_tensor, e);
}

int torchfile_read_legacy(struct weights *w, const void *data, size_t n, struct err *e)
{
    struct torchfile f;
    torchfile_init(&f, w, true);
    int rc = read_legacy(&f, data, n, e);
    torchfile_release(&f);
    return rc;
}
