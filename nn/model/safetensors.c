/* Reader of safetensors; the rules are in safetensors.h. The JSON header goes through base/json. */
#include "safetensors.h"

#include "weights_reader.h"

#include "bytes_le.h"
#include "err.h"
#include "json.h"

#include <inttypes.h>
#include <stdlib.h>

#define METADATA_KEY "__metadata__"
/* Brackets, commas and colons in the header: bounds the memory of the JSON tree (100,000 tensors
 * have some 1.7 million). */
#define MAX_STRUCTURAL 2000000

struct range {
    uint64_t begin, end;
    struct str name;
};

bool safetensors_looks_like(const void *data, size_t n)
{
    const unsigned char *p = data;
    return n >= 9 && p[8] == '{' && le_u64(p) < (uint64_t)1 << 48;
}

static int parse_header(struct arena *a, const unsigned char *p, size_t n, struct value **header,
                        size_t *header_bytes, struct err *e)
{
    uint64_t length = le_u64(p);
    if (length > SAFETENSORS_MAX_HEADER) {
        return err_set(e, ERR_LIMIT, "safetensors header of %" PRIu64 " bytes: the limit is %zu",
                       length, SAFETENSORS_MAX_HEADER);
    }
    if (length > n - 8) {
        return err_set(e, ERR_FORMAT,
                       "safetensors header of %" PRIu64 " bytes in a file of %zu: cut short",
                       length, n);
    }
    size_t structural = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char ch = p[8 + i];
        structural += ch == '{' || ch == '[' || ch == ',' || ch == ':';
    }
    if (structural > MAX_STRUCTURAL) {
        return err_set(e, ERR_LIMIT, "safetensors header with more than %d tensors",
                       WEIGHTS_MAX_TENSORS);
    }
    struct str text = {(const char *)p + 8, (size_t)length};
    *header = json_parse(a, text, "safetensors header", e);
    if (*header == NULL) {
        return -1;
    }
    if ((*header)->type != VALUE_MAP) {
        return err_set(e, ERR_FORMAT, "safetensors header is a %s, expected an object",
                       value_type_name((*header)->type));
    }
    *header_bytes = (size_t)length;
    return 0;
}

static int read_size(const struct value *v, uint64_t *out)
{
    if (v->type != VALUE_INT || v->i < 0) {
        return -1;
    }
    *out = (uint64_t)v->i;
    return 0;
}

static int read_dtype(const struct value *info, enum weights_dtype *out, struct err *e)
{
    struct str name = value_as_str(value_get(info, "dtype"));
    for (int t = 0; t < WEIGHTS_DTYPE_COUNT; t++) {
        if (str_is(name, weights_dtype_safetensors((enum weights_dtype)t))) {
            *out = (enum weights_dtype)t;
            return 0;
        }
    }
    return name.p == NULL || name.n == 0
               ? err_set(e, ERR_FORMAT, "no 'dtype'")
               : err_set(e, ERR_FORMAT, "dtype '%s' is not supported", nameindex_show(name).text);
}

static int read_shape(const struct value *info, struct weights_entry *t, struct err *e)
{
    const struct value *shape = value_get(info, "shape");
    if (shape == NULL || shape->type != VALUE_LIST) {
        return err_set(e, ERR_FORMAT, "no list 'shape'");
    }
    if (shape->list.count > WEIGHTS_MAX_DIMS) {
        return err_set(e, ERR_LIMIT, "%zu dimensions: the limit is %d", shape->list.count,
                       WEIGHTS_MAX_DIMS);
    }
    t->ndim = (unsigned)shape->list.count;
    for (unsigned i = 0; i < t->ndim; i++) {
        uint64_t size;
        if (read_size(shape->list.items[i], &size) < 0) {
            return err_set(e, ERR_FORMAT, "'shape' holds something else than sizes");
        }
        t->shape[i] = (size_t)size;
    }
    return weights_entry_layout(t, e);
}

static int read_range(const struct value *info, size_t room, struct range *r, struct err *e)
{
    const struct value *offsets = value_get(info, "data_offsets");
    if (offsets == NULL || offsets->type != VALUE_LIST || offsets->list.count != 2 ||
        read_size(offsets->list.items[0], &r->begin) < 0 ||
        read_size(offsets->list.items[1], &r->end) < 0) {
        return err_set(e, ERR_FORMAT, "no 'data_offsets' of two sizes");
    }
    if (r->begin > r->end || r->end > room) {
        return err_set(e, ERR_FORMAT,
                       "bytes %" PRIu64 " to %" PRIu64 " do not lie in the %zu bytes of data",
                       r->begin, r->end, room);
    }
    return 0;
}

static int read_tensor(struct weights *w, struct str name, const struct value *info,
                       const unsigned char *data, size_t room, struct range *r, struct err *e)
{
    struct weights_entry t = {0};
    r->name = name;
    if (info->type != VALUE_MAP) {
        return err_set(e, ERR_FORMAT, "is a %s, expected an object", value_type_name(info->type));
    }
    if (read_dtype(info, &t.dtype, e) < 0 || read_shape(info, &t, e) < 0 ||
        read_range(info, room, r, e) < 0) {
        return -1;
    }
    uint64_t bytes = (uint64_t)t.count * weights_dtype_size(t.dtype);
    if (bytes != r->end - r->begin) {
        return err_set(e, ERR_FORMAT, "its shape needs %" PRIu64 " bytes, its range has %" PRIu64,
                       bytes, r->end - r->begin);
    }
    t.data = data + r->begin;
    return weights_add(w, name, &t, e);
}

static int by_begin(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    return x->end < y->end ? -1 : x->end > y->end;
}

static int check_ranges(struct range *ranges, size_t count, size_t room, struct err *e)
{
    uint64_t end = 0;
    if (count > 1) {
        qsort(ranges, count, sizeof(*ranges), by_begin);
    }
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].begin != end) {
            return err_set(
                e, ERR_FORMAT, "tensor '%s' begins at byte %" PRIu64 ", %s byte %" PRIu64,
                nameindex_show(ranges[i].name).text, ranges[i].begin,
                ranges[i].begin < end ? "inside the one that ends at" : "leaving a hole behind",
                end);
        }
        end = ranges[i].end;
    }
    if (end != room) {
        return err_set(e, ERR_FORMAT, "the tensors end at byte %" PRIu64 " of %zu bytes of data",
                       end, room);
    }
    return 0;
}

static int read_members(struct weights *w, struct arena *scratch, const struct value *header,
                        const unsigned char *data, size_t room, struct err *e)
{
    size_t members = header->map.count, count = 0;
    struct range *ranges = ARENA_ARRAY(scratch, members, struct range);
    for (size_t i = 0; i < members; i++) {
        struct str name = header->map.pairs[i].key->s;
        const struct value *info = header->map.pairs[i].val;
        if (str_is(name, METADATA_KEY)) {
            if (weights_add_meta(w, info, "safetensors header: " METADATA_KEY, e) < 0) {
                return -1;
            }
            continue;
        }
        if (read_tensor(w, name, info, data, room, &ranges[count++], e) < 0) {
            return err_wrap(e, "safetensors header: tensor '%s'", nameindex_show(name).text);
        }
    }
    return check_ranges(ranges, count, room, e);
}

int safetensors_read(struct weights *w, const void *data, size_t n, struct err *e)
{
    struct arena scratch;
    struct value *header;
    size_t header_bytes;
    arena_init(&scratch);
    int rc = parse_header(&scratch, data, n, &header, &header_bytes, e);
    if (rc == 0) {
        rc = read_members(w, &scratch, header, (const unsigned char *)data + 8 + header_bytes,
                          n - 8 - header_bytes, e);
    }
    arena_release(&scratch);
    return rc;
}
