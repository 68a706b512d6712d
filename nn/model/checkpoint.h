#ifndef NEPHRON_CHECKPOINT_H
#define NEPHRON_CHECKPOINT_H

#include "str.h"
#include "weights.h"

#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Training checkpoints: flat arrays as they lie in memory, so that a resumed run is bitwise the run
 * that was never stopped. A folder holds "ckpt-<step>.np" files; each is written whole to a temp
 * file, synced and renamed, then all but the newest `keep` are removed. There is no "latest" file
 * that could disagree: the folder is the list, the step in the header decides.
 *
 *   offset  field           type      meaning
 *   0       magic           8 bytes   "NEPHCKPT"
 *   8       version         u32       1
 *   12      array_count     u32       ≤ 64
 *   16      file_bytes      u64       whole file, trailer included
 *   24      step            u64       optimizer updates done
 *   32      epoch           u64       current epoch, from 0
 *   40      position        u64       samples of this epoch already used
 *   48      seed            u64
 *   56      world_size      u32       ranks that wrote it (resume may use another number)
 *   60      note_bytes      u32       ≤ 16 MiB
 *   64      config_digest   64 chars  hex, NUL-padded
 *   128     model_digest    64 chars  hex, NUL-padded
 *   192     arrays          64 bytes each: name 32 chars NUL-padded, dtype 8 chars ("f32"),
 *                           u64 count, u64 offset, u64 bytes
 *   …       note            JSON text of the caller (history, run id), then zeros to 64 bytes
 *   …       data            each array at a multiple of 64, zeros between
 *   end-64  sha256          hex digest of every byte before it
 *
 * Integers are little-endian. Reading checks magic, version and every size against the file before
 * anything is allocated, and the digest before anything is used.
 */

#define CHECKPOINT_VERSION 1
#define CHECKPOINT_MAX_ARRAYS 64
#define CHECKPOINT_MAX_NOTE ((size_t)16 << 20)
#define CHECKPOINT_NAME_SIZE 32

struct checkpoint_info {
    uint64_t step, epoch, position, seed;
    uint32_t world_size;
    const char *config_digest; /* hex text ≤ 64, or NULL */
    const char *model_digest;
    const char *note; /* NUL-terminated text, usually JSON; NULL: none */
};

struct checkpoint_array {
    const char *name; /* ≤ 31 bytes: "params", "momentum", "bn" */
    enum weights_dtype dtype;
    const void *data;
    size_t count; /* elements */
};

struct checkpoint {
    const char *path;
    struct checkpoint_info info;
    struct checkpoint_array *arrays; /* data in the file's map, 64-byte aligned */
    size_t count;
    /* Above: public. Below: private to checkpoint.c */
    struct arena arena;
    void *map;
    size_t map_bytes;
};

struct checkpoint_write_options {
    unsigned keep; /* newest files left in the folder; 0: 2 */
};

/* Writes dir/ckpt-<step>.np (folder made when needed) and removes older ones beyond `keep`, of
 * files with a step up to this one: files of a later step were left by another run and are not
 * touched. On failure the earlier files are as they were. Blocks until the bytes are on disk. */
int checkpoint_write(const char *dir, const struct checkpoint_info *info,
                     const struct checkpoint_array *arrays, size_t count,
                     const struct checkpoint_write_options *options, struct err *e);

/* Returns new (checkpoint_close), verified. ERR_FORMAT says what does not hold. */
struct checkpoint *checkpoint_open(const char *path, struct err *e);
/* As above on bytes in memory that outlive the result; no I/O. */
struct checkpoint *checkpoint_parse(const void *data, size_t n, const char *name, struct err *e);
/* The newest of the folder (highest step) whose checksum holds. One line for every file passed over
 * is appended to `passed_over` (may be NULL). ERR_MISSING when there is none or no folder. */
struct checkpoint *checkpoint_latest(const char *dir, struct strbuf *passed_over, struct err *e);
void checkpoint_close(struct checkpoint *c);
/* Removes every ckpt-<step>.np of the folder: a training that starts anew must not be resumed from
 * the files of an earlier one. An absent folder is fine. */
int checkpoint_remove_all(const char *dir, struct err *e);

/* ERR_MISSING, or ERR_FORMAT naming both when type or count differ. */
int checkpoint_copy(const struct checkpoint *c, const char *name, enum weights_dtype dtype,
                    void *out, size_t count, struct err *e);

#endif
