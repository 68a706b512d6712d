/*
 * The walk over an archive of a stranger. See unpack.h for what is refused and why the readers are
 * stacked as they are:
 *
 *   zip        file ─> [zip by its central directory] ─> members
 *   tar, .gz…  file ─> [one filter, raw] ─> layer: counts, CRC-32, end marker ─> [tar] ─> members
 */
#include "unpack.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "member.h"
#include "progress.h"

#include <archive.h>
#include <archive_entry.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEFAULT_BYTES ((uint64_t)50 << 30)
#define DEFAULT_ENTRIES ((uint64_t)1000000)
#define DEFAULT_RATIO 200u
#define RATIO_FREE ((uint64_t)10 << 20) /* so much may come from anything */
#define CHUNK ((size_t)128 << 10)
#define TAR_END 512 /* zero bytes that end a tar; tar(5) says two blocks, one is met */

/* ---- kinds ---- */

const char *unpack_format_name(enum unpack_format f)
{
    static const char *const names[] = {
        [UNPACK_UNKNOWN] = "unknown", [UNPACK_ZIP] = "zip",   [UNPACK_TAR] = "tar",
        [UNPACK_GZIP] = "tar.gz",     [UNPACK_XZ] = "tar.xz", [UNPACK_ZSTD] = "tar.zst",
        [UNPACK_HTML] = "html",
    };
    return names[f];
}

static bool begins(const void *data, size_t n, const char *magic, size_t magic_n)
{
    return n >= magic_n && memcmp(data, magic, magic_n) == 0;
}

static bool begins_html(const char *p, size_t n)
{
    static const char *const marks[] = {"<!doctype html", "<html",   "<head", "<body",
                                        "<title",         "<script", "<meta", "<!--"};
    if (begins(p, n, "\xef\xbb\xbf", 3)) {
        p += 3;
        n -= 3;
    }
    while (n > 0 && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
        n--;
    }
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        if (n >= strlen(marks[i]) && strncasecmp(p, marks[i], strlen(marks[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* A tar header sums its own bytes (its checksum field as blanks) and says so at 148, in octal: also
 * the oldest tars, which have no magic. */
static bool is_tar_header(const unsigned char *p, size_t n)
{
    unsigned sum = 0, said = 0;
    if (n < 512) {
        return false;
    }
    for (size_t i = 0; i < 512; i++) {
        sum += i >= 148 && i < 156 ? ' ' : p[i];
    }
    size_t i = 148;
    while (i < 156 && p[i] == ' ') {
        i++;
    }
    for (; i < 156 && p[i] >= '0' && p[i] <= '7'; i++) {
        said = said * 8 + (unsigned)(p[i] - '0');
    }
    return sum == said && sum != 8 * ' ';
}

enum unpack_format unpack_sniff(const void *data, size_t n)
{
    if (begins(data, n, "PK\3\4", 4) || begins(data, n, "PK\5\6", 4)) {
        return UNPACK_ZIP;
    }
    if (begins(data, n, "\x1f\x8b", 2)) {
        return UNPACK_GZIP;
    }
    if (begins(data, n,
               "\xfd"
               "7zXZ\0",
               6)) {
        return UNPACK_XZ;
    }
    if (begins(data, n, "\x28\xb5\x2f\xfd", 4)) {
        return UNPACK_ZSTD;
    }
    if (begins_html(data, n)) {
        return UNPACK_HTML;
    }
    return is_tar_header(data, n) ? UNPACK_TAR : UNPACK_UNKNOWN;
}

/* ---- state ---- */

struct packed { /* where the archive is: a descriptor, or memory */
    int fd;     /* -1: memory */
    const void *data;
    uint64_t size;
    unsigned char *chunk; /* what was read of the file last */
};

struct layer { /* decompressed bytes on their way to the tar reader */
    struct walk *walk;
    struct archive *raw;
    unsigned char *chunk;
    uint64_t bytes, zeros; /* zeros: how many the stream ends with so far */
    uint32_t crc;
};

struct walk {
    struct packed packed;
    const struct unpack_visitor *visitor;
    const struct unpack_options *opt;
    struct unpack_stats *stats;
    struct archive *members; /* hands out entries */
    struct archive *outer;   /* reads the file: the same for zip, the raw reader for tar */
    struct layer *layer;     /* NULL for zip */
    struct member_set seen;
    unsigned char *buffer;
    struct err *e;
};

static uint64_t limit_bytes(const struct walk *w)
{
    return w->opt->limits.bytes ? w->opt->limits.bytes : DEFAULT_BYTES;
}

static uint64_t limit_entries(const struct walk *w)
{
    return w->opt->limits.entries ? w->opt->limits.entries : DEFAULT_ENTRIES;
}

static unsigned limit_ratio(const struct walk *w)
{
    return w->opt->limits.ratio ? w->opt->limits.ratio : DEFAULT_RATIO;
}

static int check_stop(const struct walk *w)
{
    if (w->opt->stop && *w->opt->stop) {
        return err_set(w->e, ERR_INTERRUPTED, "interrupted");
    }
    return 0;
}

/* libarchive's own text, and what it most often means. */
static int broken(const struct walk *w, struct archive *a, const char *where)
{
    if (w->e && w->e->code != ERR_NONE) {
        return -1; /* a callback of ours has said what it was */
    }
    const char *text = archive_error_string(a);
    return err_set(w->e, ERR_FORMAT,
                   "%s%sthe %s archive is damaged or cut short (%s); fetch it again",
                   where ? where : "", where ? ": " : "", unpack_format_name(w->stats->format),
                   text ? text : "it ends too early");
}

static uint64_t consumed(const struct walk *w)
{
    la_int64_t n = archive_filter_bytes(w->outer, -1);
    return n > 0 ? (uint64_t)n : 0;
}

/* The file by callbacks of our own: libarchive reports a disk that cannot be read as a damaged
 * archive. */
static la_ssize_t on_file_read(struct archive *a, void *ctx, const void **data)
{
    struct walk *w = ctx;
    ssize_t n;
    do {
        n = read(w->packed.fd, w->packed.chunk, CHUNK);
    } while (n < 0 && errno == EINTR);
    *data = w->packed.chunk;
    if (n < 0) {
        archive_set_error(a, errno, "cannot read");
        err_sys(w->e, "cannot read the archive");
        return ARCHIVE_FATAL;
    }
    return n;
}

static la_int64_t on_file_seek(struct archive *a, void *ctx, la_int64_t offset, int whence)
{
    struct walk *w = ctx;
    off_t at = lseek(w->packed.fd, offset, whence);
    if (at < 0) {
        archive_set_error(a, errno, "cannot seek");
        return ARCHIVE_FATAL;
    }
    return at;
}

static int open_packed(struct archive *a, struct walk *w)
{
    const struct packed *p = &w->packed;
    if (p->fd < 0) {
        return archive_read_open_memory(a, p->data, (size_t)p->size);
    }
    archive_read_set_read_callback(a, on_file_read);
    archive_read_set_seek_callback(a, on_file_seek);
    archive_read_set_callback_data(a, w);
    return archive_read_open1(a);
}

/* ---- the layer between filter and tar ---- */

static uint32_t crc32_update(uint32_t crc, const unsigned char *p, size_t n)
{
    static const uint32_t nibble[16] = {
        /* polynomial 0xedb88320 (RFC 1952, section 8), 4 bits a step */
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc = nibble[(crc ^ p[i]) & 15] ^ crc >> 4;
        crc = nibble[(crc ^ (uint32_t)(p[i] >> 4)) & 15] ^ crc >> 4;
    }
    return ~crc;
}

static void count_zeros(struct layer *l, const unsigned char *p, size_t n)
{
    size_t zeros = 0;
    while (zeros < n && zeros < TAR_END && p[n - 1 - zeros] == 0) {
        zeros++;
    }
    l->zeros = zeros == n ? l->zeros + n : zeros;
}

static int check_layer(const struct walk *w, const struct layer *l)
{
    /* Headers and padding may double what small files take, more than that is no tar of images. */
    if (l->bytes / 2 > limit_bytes(w) + RATIO_FREE) {
        return err_set(w->e, ERR_LIMIT,
                       "the archive unpacks to more than %" PRIu64 " bytes (limits.unpack_bytes)",
                       limit_bytes(w));
    }
    if (l->bytes > RATIO_FREE && l->bytes / limit_ratio(w) > w->packed.size) {
        return err_set(w->e, ERR_LIMIT,
                       "the archive unpacks to more than %u times its size "
                       "(limits.unpack_ratio): it looks like a bomb",
                       limit_ratio(w));
    }
    return check_stop(w);
}

/* Decompresses the next chunk. Returns its size, 0 at the end, -1 with the error set. */
static la_ssize_t layer_next(struct layer *l)
{
    struct walk *w = l->walk;
    la_ssize_t n = archive_read_data(l->raw, l->chunk, CHUNK);
    if (n < 0) {
        return broken(w, l->raw, NULL);
    }
    l->bytes += (uint64_t)n;
    if (w->stats->format == UNPACK_GZIP) {
        l->crc = crc32_update(l->crc, l->chunk, (size_t)n);
    }
    count_zeros(l, l->chunk, (size_t)n);
    return check_layer(w, l) < 0 ? -1 : n;
}

static la_ssize_t on_layer_read(struct archive *a, void *ctx, const void **data)
{
    struct layer *l = ctx;
    la_ssize_t n = layer_next(l);
    *data = l->chunk;
    if (n < 0) {
        archive_set_error(a, EIO, "%s", "the layer below failed");
        return ARCHIVE_FATAL;
    }
    return n;
}

/* RFC 1952: the last 8 bytes are CRC-32 and length (mod 2^32) of what was packed. libarchive 3.6
 * reads over them. Several members in one file are no form that tar writes, and are refused here.
 */
static int check_gzip_trailer(const struct walk *w, const struct layer *l)
{
    unsigned char t[8];
    const struct packed *p = &w->packed;
    if (p->size < 18) {
        return err_set(w->e, ERR_FORMAT, "the gzip file is cut short; fetch it again");
    }
    if (p->fd < 0) {
        memcpy(t, (const unsigned char *)p->data + p->size - 8, 8);
    } else if (pread(p->fd, t, 8, (off_t)(p->size - 8)) != 8) {
        return err_sys(w->e, "cannot read the end of %s", w->opt->name);
    }
    uint32_t crc = t[0] | (uint32_t)t[1] << 8 | (uint32_t)t[2] << 16 | (uint32_t)t[3] << 24;
    uint32_t size = t[4] | (uint32_t)t[5] << 8 | (uint32_t)t[6] << 16 | (uint32_t)t[7] << 24;
    if (crc != l->crc || size != (uint32_t)l->bytes) {
        return err_set(w->e, ERR_FORMAT,
                       "the gzip checksum does not match: the archive is damaged or "
                       "cut short; fetch it again");
    }
    return 0;
}

/* The tar has been read to its end marker; the rest of the stream is read too, for its checksum. */
static int layer_finish(struct layer *l)
{
    la_ssize_t n;
    do {
        n = layer_next(l);
    } while (n > 0);
    if (n < 0) {
        return -1;
    }
    if (l->zeros < TAR_END) {
        return err_set(l->walk->e, ERR_FORMAT,
                       "the tar has no end marker: it is cut short or something "
                       "is appended; fetch it again");
    }
    return l->walk->stats->format == UNPACK_GZIP ? check_gzip_trailer(l->walk, l) : 0;
}

/* ---- members ---- */

static int check_kind(const struct walk *w, struct archive_entry *entry, const char *name)
{
    const char *what = NULL;
    if (archive_entry_is_encrypted(entry)) {
        return err_set(w->e, ERR_FORMAT,
                       "the member '%s' is encrypted, which is not supported; pack it "
                       "again without a password",
                       name);
    }
    if (archive_entry_hardlink(entry)) {
        what = "a hard link";
    } else if (archive_entry_filetype(entry) == AE_IFLNK) {
        what = "a symbolic link";
    } else if (archive_entry_filetype(entry) != AE_IFREG &&
               archive_entry_filetype(entry) != AE_IFDIR) {
        what = "a device, FIFO or socket";
    }
    if (what) {
        return err_set(w->e, ERR_FORMAT,
                       "the member '%s' is %s; only files and folders are unpacked", name, what);
    }
    return 0;
}

static int check_growth(const struct walk *w, const char *name, uint64_t size, uint64_t before)
{
    uint64_t used = consumed(w) > before ? consumed(w) - before : 0;
    if (w->stats->bytes > limit_bytes(w)) {
        return err_set(w->e, ERR_LIMIT,
                       "the archive unpacks to more than %" PRIu64
                       " bytes (limits.unpack_bytes); reached in '%s'",
                       limit_bytes(w), name);
    }
    bool whole = w->stats->bytes > RATIO_FREE && w->stats->bytes / limit_ratio(w) > w->packed.size;
    /* What one member of a compressed tar took cannot be seen: the filter reads ahead. */
    bool alone = !w->layer && size > RATIO_FREE && size / limit_ratio(w) > used;
    if (whole || alone) {
        return err_set(w->e, ERR_LIMIT,
                       "the member '%s' makes the archive more than %u times its size "
                       "(limits.unpack_ratio): it looks like a bomb",
                       name, limit_ratio(w));
    }
    return check_stop(w);
}

static int read_file(struct walk *w, const char *name, bool executable)
{
    const struct unpack_visitor *v = w->visitor;
    uint64_t size = 0, before = consumed(w);
    if (v && v->file_begin(v->ctx, name, executable, w->e) < 0) {
        return -1;
    }
    for (;;) {
        la_ssize_t n = archive_read_data(w->members, w->buffer, CHUNK);
        if (n < 0) {
            return broken(w, w->members, name);
        }
        if (n == 0) {
            break;
        }
        size += (uint64_t)n;
        w->stats->bytes += (uint64_t)n;
        if (check_growth(w, name, size, before) < 0 ||
            (v && v->file_data(v->ctx, w->buffer, (size_t)n, w->e) < 0)) {
            return -1;
        }
        if (w->opt->progress) {
            progress_set(w->opt->progress, consumed(w));
        }
    }
    w->stats->files++;
    return v ? v->file_end(v->ctx, w->e) : 0;
}

static int on_entry(struct walk *w, struct archive_entry *entry)
{
    char name[MEMBER_NAME_MAX + 1];
    const struct unpack_visitor *v = w->visitor;
    const char *raw = archive_entry_pathname_utf8(entry);
    bool folder = archive_entry_filetype(entry) == AE_IFDIR;
    if (member_normal(raw ? raw : archive_entry_pathname(entry), name, w->e) < 0 ||
        check_kind(w, entry, name) < 0) {
        return -1;
    }
    if (name[0] == '\0') { /* "./", the packed folder itself */
        return folder ? 0 : err_set(w->e, ERR_FORMAT, "a member that is a file has no name");
    }
    if (member_is_junk(name)) {
        w->stats->skipped++;
        return 0;
    }
    if (member_set_add(&w->seen, name, folder, w->e) < 0) {
        return -1;
    }
    if (!folder) {
        return read_file(w, name, (archive_entry_perm(entry) & 0100) != 0);
    }
    w->stats->folders++;
    return v ? v->folder(v->ctx, name, w->e) : 0;
}

#define EOCD_BYTES 22 /* end of central directory record, APPNOTE 6.3.10 section 4.3.16 */
#define COMMENT_MAX 65535

/*
 * The number of members that the zip's end record promises must be what was read: libarchive drops
 * directory entries that share one local header, which only hostile or broken archives have.
 * 65535 stands for "see the zip64 record" and is not compared.
 */
static int check_promise(const struct walk *w, uint64_t entries)
{
    const struct packed *p = &w->packed;
    size_t n = p->size < EOCD_BYTES + COMMENT_MAX ? (size_t)p->size : EOCD_BYTES + COMMENT_MAX;
    unsigned char *tail = xmalloc(n + 1);
    int rc = 0;
    if (p->fd < 0) {
        memcpy(tail, (const unsigned char *)p->data + p->size - n, n);
    } else if (pread(p->fd, tail, n, (off_t)(p->size - n)) != (ssize_t)n) {
        rc = err_sys(w->e, "cannot read the end of the archive");
    }
    for (size_t i = n < EOCD_BYTES ? 0 : n - EOCD_BYTES + 1; rc == 0 && i > 0; i--) {
        const unsigned char *r = tail + i - 1;
        if (memcmp(r, "PK\5\6", 4) != 0) {
            continue;
        }
        unsigned promised = r[10] | (unsigned)r[11] << 8;
        if (promised != 65535 && promised != entries) {
            rc = err_set(w->e, ERR_FORMAT,
                         "the zip promises %u members, %" PRIu64
                         " can be read: it is damaged or made to deceive",
                         promised, entries);
        }
        break;
    }
    free(tail);
    return rc;
}

static int walk_members(struct walk *w)
{
    uint64_t entries = 0;
    for (;;) {
        struct archive_entry *entry;
        int rc = archive_read_next_header(w->members, &entry);
        if (rc == ARCHIVE_EOF) {
            return w->layer ? layer_finish(w->layer) : check_promise(w, entries);
        }
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
            return broken(w, w->members, NULL);
        }
        if (++entries > limit_entries(w)) {
            return err_set(w->e, ERR_LIMIT,
                           "the archive has more than %" PRIu64 " members (limits.unpack_entries)",
                           limit_entries(w));
        }
        if (check_stop(w) < 0 || on_entry(w, entry) < 0) {
            return -1;
        }
    }
}

/* ---- readers ---- */

static int walk_zip(struct walk *w)
{
    struct archive *a = archive_read_new();
    w->members = w->outer = a;
    /* Only the reader that needs the central directory: the streaming one takes a cut zip for
     * whole. */
    int rc =
        archive_read_support_format_zip_seekable(a) == ARCHIVE_OK && open_packed(a, w) == ARCHIVE_OK
            ? walk_members(w)
            : broken(w, a, NULL);
    archive_read_free(a);
    return rc;
}

static int support_filter(struct archive *a, enum unpack_format f)
{
    switch (f) {
    case UNPACK_GZIP:
        return archive_read_support_filter_gzip(a);
    case UNPACK_XZ:
        return archive_read_support_filter_xz(a);
    case UNPACK_ZSTD:
        return archive_read_support_filter_zstd(a);
    default:
        return archive_read_support_filter_none(a);
    }
}

static int open_layer(struct walk *w, struct archive *raw)
{
    struct archive_entry *entry;
    if (support_filter(raw, w->stats->format) != ARCHIVE_OK ||
        archive_read_support_format_raw(raw) != ARCHIVE_OK || open_packed(raw, w) != ARCHIVE_OK ||
        archive_read_next_header(raw, &entry) != ARCHIVE_OK) {
        return broken(w, raw, NULL);
    }
    if (archive_filter_count(raw) > (w->stats->format == UNPACK_TAR ? 1 : 2)) {
        return err_set(w->e, ERR_FORMAT,
                       "the archive is compressed more than once; unpack the outer layer first");
    }
    return 0;
}

static int walk_tar(struct walk *w)
{
    struct layer layer = {.walk = w, .raw = archive_read_new(), .chunk = xmalloc(CHUNK)};
    struct archive *tar = archive_read_new();
    w->layer = &layer;
    w->outer = layer.raw;
    w->members = tar;
    int rc = open_layer(w, layer.raw);
    if (rc == 0 && (archive_read_support_format_tar(tar) != ARCHIVE_OK ||
                    archive_read_open(tar, &layer, NULL, on_layer_read, NULL) != ARCHIVE_OK)) {
        rc = broken(w, tar, NULL);
    }
    if (rc == 0) {
        rc = walk_members(w);
    }
    archive_read_free(tar);
    archive_read_free(layer.raw);
    free(layer.chunk);
    return rc;
}

static int unknown(const struct walk *w)
{
    const char *found = w->packed.size == 0               ? "an empty file"
                        : w->stats->format == UNPACK_HTML ? "a web page"
                                                          : "something else";
    return err_set(w->e, ERR_FORMAT,
                   "expected a zip, tar, tar.gz, tar.xz or tar.zst archive, found %s", found);
}

/* libarchive converts names by the thread's locale; C.UTF-8 makes that the identity on UTF-8. */
static int walk_in_utf8(struct walk *w)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    int rc;
    switch (w->stats->format) {
    case UNPACK_ZIP:
        rc = walk_zip(w);
        break;
    case UNPACK_TAR:
    case UNPACK_GZIP:
    case UNPACK_XZ:
    case UNPACK_ZSTD:
        rc = walk_tar(w);
        break;
    default:
        rc = unknown(w);
        break;
    }
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return rc;
}

static int walk_run(struct walk *w, const void *head, size_t n)
{
    *w->stats = (struct unpack_stats){.format = unpack_sniff(head, n)};
    member_set_init(&w->seen);
    w->buffer = xmalloc(CHUNK);
    w->packed.chunk = w->packed.fd >= 0 ? xmalloc(CHUNK) : NULL;
    int rc = walk_in_utf8(w);
    w->stats->collisions = w->seen.collisions;
    memcpy(w->stats->collision, w->seen.collision, sizeof(w->stats->collision));
    member_set_release(&w->seen);
    free(w->buffer);
    free(w->packed.chunk);
    return rc < 0 ? err_wrap(w->e, "%s", w->opt->name) : 0;
}

int unpack_walk_memory(const void *data, size_t n, const struct unpack_visitor *visitor,
                       const struct unpack_options *opt, struct unpack_stats *stats, struct err *e)
{
    struct err inner = ERR_INIT;
    struct walk w = {.packed = {.fd = -1, .data = data, .size = n},
                     .visitor = visitor,
                     .opt = opt,
                     .stats = stats,
                     .e = e ? e : &inner};
    return walk_run(&w, data, n);
}

int unpack_walk_file(const char *path, const struct unpack_visitor *visitor,
                     const struct unpack_options *opt, struct unpack_stats *stats, struct err *e)
{
    struct err inner = ERR_INIT;
    unsigned char head[512];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot open the archive %s", path);
    }
    ssize_t n = pread(fd, head, sizeof(head), 0);
    if (n < 0 || fstat(fd, &st) < 0) {
        err_sys(e, "cannot read the archive %s", path);
        close(fd);
        return -1;
    }
    struct walk w = {.packed = {.fd = fd, .size = (uint64_t)st.st_size},
                     .visitor = visitor,
                     .opt = opt,
                     .stats = stats,
                     .e = e ? e : &inner};
    int rc = walk_run(&w, head, (size_t)n);
    close(fd);
    return rc;
}
