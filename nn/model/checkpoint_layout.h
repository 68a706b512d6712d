#ifndef NEPHRON_CHECKPOINT_LAYOUT_H
#define NEPHRON_CHECKPOINT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What checkpoint.c and checkpoint_write.c share of the table in checkpoint.h. */

#define CHECKPOINT_MAGIC "NEPHCKPT"
#define CHECKPOINT_PREFIX "ckpt-"
#define CHECKPOINT_SUFFIX ".np"
#define CHECKPOINT_HEAD_BYTES 192
#define CHECKPOINT_ARRAY_BYTES 64
#define CHECKPOINT_DIGEST_BYTES 64
#define CHECKPOINT_ALIGNMENT 64

static inline uint64_t checkpoint_align(uint64_t n)
{
    return (n + CHECKPOINT_ALIGNMENT - 1) / CHECKPOINT_ALIGNMENT * CHECKPOINT_ALIGNMENT;
}

/* Where the first array begins. */
static inline uint64_t checkpoint_data_offset(uint64_t arrays, uint64_t note_bytes)
{
    return checkpoint_align(CHECKPOINT_HEAD_BYTES + arrays * CHECKPOINT_ARRAY_BYTES + note_bytes);
}

/* "ckpt-<digits>.np" */
bool checkpoint_parse_name(const char *name, uint64_t *step);

#endif
