/* frame: see frame.h. */
#include "frame.h"

#include "err.h"
#include "num.h"

#include <inttypes.h>
#include <string.h>

#define HEAD_BYTES (sizeof(uint32_t) + 1) /* id and kind */

static void add_u32(struct strbuf *out, size_t n)
{
    uint32_t v = (uint32_t)n;
    strbuf_add(out, &v, sizeof(v));
}

size_t frame_begin(struct strbuf *out, uint32_t id, char kind)
{
    size_t begin = out->n;
    add_u32(out, 0);
    strbuf_add(out, &id, sizeof(id));
    strbuf_add(out, &kind, 1);
    return begin;
}

void frame_add(struct strbuf *out, struct str field)
{
    add_u32(out, field.n);
    strbuf_add(out, field.p, field.n);
    strbuf_add(out, "", 1);
}

void frame_adds(struct strbuf *out, const char *field)
{
    frame_add(out, str_from(field));
}

void frame_add_u64(struct strbuf *out, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, n);
    frame_adds(out, text);
}

void frame_end(struct strbuf *out, size_t begin)
{
    uint32_t n = (uint32_t)(out->n - begin - sizeof(n));
    memcpy(out->p + begin, &n, sizeof(n));
}

static uint32_t get_u32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Cuts the next field off *rest. */
static bool next_field(struct str *rest, struct str *field)
{
    if (rest->n < sizeof(uint32_t)) {
        return false;
    }
    size_t n = get_u32(rest->p), room = rest->n - sizeof(uint32_t);
    if (n >= room || rest->p[sizeof(uint32_t) + n] != '\0') {
        return false;
    }
    *field = (struct str){rest->p + sizeof(uint32_t), n};
    *rest = str_sub(*rest, sizeof(uint32_t) + n + 1, rest->n);
    return true;
}

static int parse_body(struct arena *a, struct str body, struct frame *f, struct err *e)
{
    struct str rest = str_sub(body, HEAD_BYTES, body.n), field;
    f->id = get_u32(body.p);
    f->kind = body.p[sizeof(uint32_t)];
    f->count = 0;
    while (rest.n > 0 && next_field(&rest, &field)) {
        f->count++;
    }
    if (rest.n > 0) {
        return err_set(e, ERR_FORMAT, "a field of a message does not end where it should");
    }
    f->fields = ARENA_ARRAY(a, f->count + 1, struct str);
    rest = str_sub(body, HEAD_BYTES, body.n);
    for (size_t i = 0; i < f->count; i++) {
        next_field(&rest, &field);
        f->fields[i] = arena_str(a, field);
    }
    return 1;
}

int frame_parse(struct arena *a, struct str in, struct frame *f, size_t *used, struct err *e)
{
    if (in.n < sizeof(uint32_t)) {
        return 0;
    }
    size_t n = get_u32(in.p);
    if (n < HEAD_BYTES || n > FRAME_MAX_BYTES) {
        return err_set(e, ERR_FORMAT, "a message of %zu bytes: expected %zu to %zu", n, HEAD_BYTES,
                       FRAME_MAX_BYTES);
    }
    if (in.n - sizeof(uint32_t) < n) {
        return 0;
    }
    *used = sizeof(uint32_t) + n;
    return parse_body(a, str_sub(in, sizeof(uint32_t), n), f, e);
}

const char *frame_field(const struct frame *f, size_t i)
{
    return i < f->count ? f->fields[i].p : "";
}

uint64_t frame_u64(const struct frame *f, size_t i)
{
    int64_t n = 0;
    return i < f->count && num_parse_int(f->fields[i], &n) && n > 0 ? (uint64_t)n : 0;
}

bool frame_is_text(const struct frame *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (memchr(f->fields[i].p, '\0', f->fields[i].n)) {
            return false;
        }
    }
    return true;
}
