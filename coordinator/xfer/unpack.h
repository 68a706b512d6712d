#ifndef NEPHRON_UNPACK_H
#define NEPHRON_UNPACK_H

#include "str.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct progress;

/*
 * Archives of strangers, by libarchive: zip, tar, tar.gz, tar.xz, tar.zst; no other reader is
 * compiled into the decision (most of libarchive's published faults are in the others). One walk
 * checks and hands out; the caller decides what becomes of the entries. Nothing is visible to
 * anybody before the whole archive was read: unpack_to_dir fills a folder that the caller renames
 * afterwards.
 *
 * Refused, naming the entry: absolute names, "..", drive letters, backslash, NUL, control
 * characters, empty or over-long names, names that are not UTF-8, links, devices, FIFOs, sockets,
 * encryption, a name twice, a file where a folder is; more than `entries`, `bytes`, or `ratio`
 * times the packed size once 10 MiB are written (bytes really written count, header sizes are not
 * believed); a second layer of compression; a wrong CRC or a missing end. Modes are & 0755, owners
 * and times are not taken over: a preserved old mtime together with a re-used inode could fool
 * DVC's (inode, mtime, size) memo.
 *
 * zip needs its central directory, so a cut zip is seen at once. A compressed tar is walked through
 * two readers, one that only decompresses, one that only reads tar: so the whole stream is read,
 * its trailing checksum is verified (libarchive skips gzip's), and filters cannot be stacked.
 */

enum unpack_format {
    UNPACK_UNKNOWN,
    UNPACK_ZIP,
    UNPACK_TAR,
    UNPACK_GZIP,
    UNPACK_XZ,
    UNPACK_ZSTD,
    UNPACK_HTML
};

/* From the first bytes (512 are enough). HTML and UNKNOWN are no archives. */
enum unpack_format unpack_sniff(const void *data, size_t n);
const char *unpack_format_name(enum unpack_format f); /* "zip", "tar", "tar.gz", … */

struct unpack_limits { /* zero: the default */
    uint64_t bytes;    /* total written: 50 GiB */
    uint64_t entries;  /* 1,000,000 */
    unsigned ratio;    /* 200 */
};

struct unpack_stats {
    enum unpack_format format;
    uint64_t files, folders, bytes;
    uint64_t skipped;    /* __MACOSX, .DS_Store, Thumbs.db, desktop.ini */
    uint64_t collisions; /* names that fall together on file systems without case or with Unicode
                            forms */
    char collision[256]; /* the first of them */
};

/* What is done with an entry. Each returns 0, or -1 with *e set, which ends the walk. */
struct unpack_visitor {
    int (*folder)(void *ctx, const char *name, struct err *e);
    int (*file_begin)(void *ctx, const char *name, bool executable, struct err *e);
    int (*file_data)(void *ctx, const void *data, size_t n, struct err *e);
    int (*file_end)(void *ctx, struct err *e);
    void *ctx;
};

struct unpack_options {
    const char *name; /* for messages: the archive's path */
    struct unpack_limits limits;
    struct progress *progress;         /* counts packed bytes read; NULL: none */
    const volatile sig_atomic_t *stop; /* NULL: never */
};

/* `visitor` NULL: only check. Errors: ERR_FORMAT, ERR_LIMIT, ERR_IO, ERR_INTERRUPTED. */
int unpack_walk_memory(const void *data, size_t n, const struct unpack_visitor *visitor,
                       const struct unpack_options *opt, struct unpack_stats *stats, struct err *e);
int unpack_walk_file(const char *path, const struct unpack_visitor *visitor,
                     const struct unpack_options *opt, struct unpack_stats *stats, struct err *e);

/* Unpacks into `dir`, which must exist and be empty. Every component is opened relative to its
 * parent without following links. On failure what was written stays for the caller to remove. */
int unpack_to_dir(const char *path, const char *dir, const struct unpack_options *opt,
                  struct unpack_stats *stats, struct err *e);

#endif
