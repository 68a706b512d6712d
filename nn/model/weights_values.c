/*
 * Values of tensors: element order, types, sums. Works in pieces of a few thousand elements, so
 * that memory does not depend on the tensor.
 */
#include "weights.h"

#include "weights_reader.h"

#include "alloc.h"
#include "bytes_le.h"
#include "digest.h"
#include "err.h"

#include <math.h>
#include <string.h>

#define PIECE 4096 /* elements */

bool weights_contiguous(const struct weights_entry *t)
{
    size_t expected = 1;
    for (unsigned i = t->ndim; i-- > 0;) {
        if (t->shape[i] != 1 && t->strides[i] != expected) {
            return t->count == 0;
        }
        expected *= t->shape[i];
    }
    return true;
}

void weights_shape_text(const struct weights_entry *t, struct strbuf *out)
{
    strbuf_addch(out, '(');
    for (unsigned i = 0; i < t->ndim; i++) {
        strbuf_addf(out, i > 0 ? ", %zu" : "%zu", t->shape[i]);
    }
    strbuf_adds(out, t->ndim == 1 ? ",)" : ")");
}

static void copy_strided(unsigned char *out, const unsigned char *in, size_t n, size_t stride,
                         size_t size)
{
    switch (size) {
    case 1:
        for (size_t i = 0; i < n; i++) {
            out[i] = in[i * stride];
        }
        return;
    case 2:
        for (size_t i = 0; i < n; i++) {
            memcpy(out + 2 * i, in + 2 * i * stride, 2);
        }
        return;
    case 4:
        for (size_t i = 0; i < n; i++) {
            memcpy(out + 4 * i, in + 4 * i * stride, 4);
        }
        return;
    default:
        for (size_t i = 0; i < n; i++) {
            memcpy(out + 8 * i, in + 8 * i * stride, 8);
        }
    }
}

void weights_copy_raw(const struct weights_entry *t, size_t from, size_t n, void *out)
{
    size_t size = weights_dtype_size(t->dtype);
    if (n == 0) {
        return;
    }
    if (weights_contiguous(t)) {
        memcpy(out, (const unsigned char *)t->data + from * size, n * size);
        return;
    }
    size_t at[WEIGHTS_MAX_DIMS], last = t->ndim - 1;
    for (size_t i = t->ndim, rest = from; i-- > 0; rest /= t->shape[i]) {
        at[i] = rest % t->shape[i];
    }
    for (unsigned char *p = out; n > 0;) {
        size_t offset = 0, run = t->shape[last] - at[last];
        for (size_t i = 0; i <= last; i++) {
            offset += at[i] * t->strides[i];
        }
        run = run < n ? run : n;
        copy_strided(p, (const unsigned char *)t->data + offset * size, run, t->strides[last],
                     size);
        p += run * size;
        n -= run;
        at[last] += run;
        for (size_t i = last; i > 0 && at[i] == t->shape[i]; i--) {
            at[i] = 0;
            at[i - 1]++;
        }
    }
}

/* IEEE 754 binary16 to binary32: exact. */
static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 0x1F, mantissa = h & 0x3FF;
    uint32_t bits;
    if (exponent == 0) {
        float v = (float)mantissa * 0x1p-24f;
        return sign != 0 ? -v : v;
    }
    bits = sign | (exponent == 31 ? 0x7F800000u : (exponent + 112) << 23) | mantissa << 13;
    float v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static float bfloat_to_float(uint16_t b)
{
    uint32_t bits = (uint32_t)b << 16;
    float v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* Loads element i of `type` from any alignment and converts it. */
#define CONVERT(type, expr)                                                                        \
    for (size_t i = 0; i < n; i++) {                                                               \
        type x;                                                                                    \
        memcpy(&x, p + i * sizeof(x), sizeof(x));                                                  \
        out[i] = (expr);                                                                           \
    }                                                                                              \
    break

#define CONVERT_ALL(out_type)                                                                      \
    const unsigned char *p = raw;                                                                  \
    switch (t) {                                                                                   \
    case WEIGHTS_F64:                                                                              \
        CONVERT(double, (out_type)x);                                                              \
    case WEIGHTS_F32:                                                                              \
        CONVERT(float, (out_type)x);                                                               \
    case WEIGHTS_F16:                                                                              \
        CONVERT(uint16_t, (out_type)half_to_float(x));                                             \
    case WEIGHTS_BF16:                                                                             \
        CONVERT(uint16_t, (out_type)bfloat_to_float(x));                                           \
    case WEIGHTS_I64:                                                                              \
        CONVERT(int64_t, (out_type)x);                                                             \
    case WEIGHTS_I32:                                                                              \
        CONVERT(int32_t, (out_type)x);                                                             \
    case WEIGHTS_I16:                                                                              \
        CONVERT(int16_t, (out_type)x);                                                             \
    case WEIGHTS_I8:                                                                               \
        CONVERT(int8_t, (out_type)x);                                                              \
    case WEIGHTS_U64:                                                                              \
        CONVERT(uint64_t, (out_type)x);                                                            \
    case WEIGHTS_U32:                                                                              \
        CONVERT(uint32_t, (out_type)x);                                                            \
    case WEIGHTS_U16:                                                                              \
        CONVERT(uint16_t, (out_type)x);                                                            \
    case WEIGHTS_U8:                                                                               \
        CONVERT(uint8_t, (out_type)x);                                                             \
    case WEIGHTS_BOOL:                                                                             \
        CONVERT(uint8_t, (out_type)(x != 0));                                                      \
    }

void weights_to_f64(enum weights_dtype t, const void *raw, size_t n, double *out)
{
    CONVERT_ALL(double)
}

static void to_f32(enum weights_dtype t, const void *raw, size_t n, float *out)
{
    CONVERT_ALL(float)
}

static int check_count(const struct weights_entry *t, size_t count, struct err *e)
{
    return t->count == count ? 0
                             : err_set(e, ERR_FORMAT, "tensor '%s' has %zu elements, expected %zu",
                                       nameindex_show(str_from(t->name)).text, t->count, count);
}

int weights_copy_f32(const struct weights_entry *t, float *out, size_t count, struct err *e)
{
    if (check_count(t, count, e) < 0) {
        return -1;
    }
    if (t->dtype == WEIGHTS_F32) {
        weights_copy_raw(t, 0, count, out);
        return 0;
    }
    unsigned char raw[PIECE * 8];
    for (size_t from = 0; from < count; from += PIECE) {
        size_t n = count - from < PIECE ? count - from : PIECE;
        weights_copy_raw(t, from, n, raw);
        to_f32(t->dtype, raw, n, out + from);
    }
    return 0;
}

static int64_t load_int(enum weights_dtype t, const unsigned char *p)
{
    switch (t) {
    case WEIGHTS_I64:
    case WEIGHTS_U64:
        return (int64_t)le_u64(p);
    case WEIGHTS_I32:
        return (int32_t)le_u32(p);
    case WEIGHTS_U32:
        return le_u32(p);
    case WEIGHTS_I16:
        return (int16_t)le_u16(p);
    case WEIGHTS_U16:
        return le_u16(p);
    case WEIGHTS_I8:
        return (int8_t)*p;
    case WEIGHTS_BOOL:
        return *p != 0;
    default:
        return *p;
    }
}

int weights_copy_i64(const struct weights_entry *t, int64_t *out, size_t count, struct err *e)
{
    if (check_count(t, count, e) < 0) {
        return -1;
    }
    if (t->dtype <= WEIGHTS_BF16) {
        return err_set(e, ERR_FORMAT, "tensor '%s' is %s, expected integers",
                       nameindex_show(str_from(t->name)).text, weights_dtype_name(t->dtype));
    }
    unsigned char raw[PIECE * 8];
    size_t size = weights_dtype_size(t->dtype);
    for (size_t from = 0; from < count; from += PIECE) {
        size_t n = count - from < PIECE ? count - from : PIECE;
        weights_copy_raw(t, from, n, raw);
        for (size_t i = 0; i < n; i++) {
            out[from + i] = load_int(t->dtype, raw + i * size);
        }
    }
    return 0;
}

void weights_summarise(const struct weights_entry *t, struct weights_summary *out)
{
    unsigned char raw[PIECE * 8];
    double values[PIECE];
    struct digest md5;
    size_t size = weights_dtype_size(t->dtype);
    *out = (struct weights_summary){.first = NAN};
    digest_init(&md5, DIGEST_MD5);
    for (size_t from = 0; from < t->count; from += PIECE) {
        size_t n = t->count - from < PIECE ? t->count - from : PIECE;
        weights_copy_raw(t, from, n, raw);
        digest_update(&md5, raw, n * size);
        weights_to_f64(t->dtype, raw, n, values);
        for (size_t i = 0; i < n; i++) {
            out->sum += values[i];
        }
        if (from == 0) {
            out->first = values[0];
        }
    }
    digest_final(&md5, out->md5);
}
