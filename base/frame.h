#ifndef NEPHRON_FRAME_H
#define NEPHRON_FRAME_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * Messages between two of our programs over a pipe: an id that joins a reply to its request, a
 * letter that says what it is, and fields of any bytes. In the byte order of the machine, since both
 * ends are of one build.
 *
 *   u32  bytes that follow        33
 *   u32  id                       7
 *   u8   kind                     'G'
 *   then each field: u32 length, the bytes, one NUL (so that a field is also a C string)
 *                                 12 "files/md5/a…" NUL   2 "/x" NUL
 */

#define FRAME_MAX_BYTES ((size_t)16 << 20)

struct frame {
    uint32_t id;
    char kind;
    size_t count;
    struct str *fields; /* NUL-terminated too */
};

/* Writing: begin, fields, end with what begin returned. */
size_t frame_begin(struct strbuf *out, uint32_t id, char kind);
void frame_add(struct strbuf *out, struct str field);
void frame_adds(struct strbuf *out, const char *field);
void frame_add_u64(struct strbuf *out, uint64_t n); /* as decimal text */
void frame_end(struct strbuf *out, size_t begin);

/* The first frame of `in`, copied into the arena. 1: *used bytes were taken; 0: not all of it is
 * there yet; -1: ERR_FORMAT, this is no frame. */
int frame_parse(struct arena *a, struct str in, struct frame *f, size_t *used, struct err *e);

/* The field, or "" when the frame has fewer. Does not hide NULs: frame_is_text. */
const char *frame_field(const struct frame *f, size_t i);
uint64_t frame_u64(const struct frame *f, size_t i); /* 0 when it is no number */
bool frame_is_text(const struct frame *f);           /* no field has a NUL inside */

#endif
