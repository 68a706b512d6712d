/* simd.finish: the end of a pass that made rows of a product; see simd.h.
 * Before including, define what simd_vector.h asks for.
 */

INLINE void finish_vector(const struct simd_rows *r, size_t row, size_t ch, size_t part)
{
    vec v = load(r->from + row * r->ld + ch);
    if (r->bias) {
        v += load_some(r->bias + ch, part);
    }
    if (r->relu) {
        v = keep_where(~(v < 0), v);
    }
    if (r->mask) {
        v = keep_where(load_some(r->mask + row * r->width + ch, part) > 0, v);
    }
    store_some(r->to + row * r->width + ch, v, part);
}

static void finish(const struct simd_rows *r)
{
    for (size_t row = 0; row < r->rows; row++) {
        size_t ch = r->begin;
        for (; ch + SIMD_LANES <= r->end; ch += SIMD_LANES) {
            finish_vector(r, row, ch, 0);
        }
        if (ch < r->end) {
            finish_vector(r, row, ch, r->end - ch);
        }
    }
}
