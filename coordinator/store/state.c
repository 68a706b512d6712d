/*
 * state: the memo of hashes. Everything is read into one open-addressing table at start (10,000
 * records: 640 KB, under a millisecond); new records are appended by one write at flush, under a lock,
 * so that a file written anew loses nothing that others appended. Readers take no lock: half a record
 * at the end, or one mixed where there are no locks (NFS), is dropped by its CRC.
 */
#include "state.h"

#include "alloc.h"
#include "arena.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static const char magic[16] = "NEPHRON-STATE-1\n";

#define YOUNG_NS 2000000000LL
/* Beyond this the file is garbage or a file system gone wild; it is started anew. */
#define MAX_STATE_BYTES ((size_t)1 << 30)

struct record {
    uint64_t dev, ino;
    int64_t size, mtime_ns, ctime_ns;
    unsigned char md5[16];
    uint32_t kind;
    uint32_t crc;
};
_Static_assert(sizeof(struct record) == 64, "the file format");

struct state {
    char *path;
    pthread_mutex_t lock;
    struct record *table; /* kind 0: free */
    size_t size, count;
    struct record *fresh; /* not written yet */
    size_t fresh_count, fresh_capacity;
    size_t in_file; /* records in the file, old ones included */
};

static uint32_t record_crc(const struct record *r)
{
    return digest_crc32c(0, r, offsetof(struct record, crc));
}

static struct record *find(const struct state *s, uint64_t dev, uint64_t ino, uint32_t kind)
{
    uint64_t h = (ino * 0x9E3779B97F4A7C15ULL) ^ (dev * 0xC2B2AE3D27D4EB4FULL) ^ kind;
    size_t i = (h >> 17) & (s->size - 1);
    while (s->table[i].kind &&
           (s->table[i].ino != ino || s->table[i].dev != dev || s->table[i].kind != kind)) {
        i = (i + 1) & (s->size - 1);
    }
    return &s->table[i];
}

static void reserve(struct state *s, size_t want)
{
    size_t size = s->size ? s->size : 1024;
    while (size < want * 2) {
        size *= 2;
    }
    if (size == s->size) {
        return;
    }
    struct record *old = s->table;
    size_t old_size = s->size;
    s->table = xcalloc(size, sizeof(*s->table));
    s->size = size;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].kind) {
            *find(s, old[i].dev, old[i].ino, old[i].kind) = old[i];
        }
    }
    free(old);
}

static void insert(struct state *s, const struct record *r)
{
    reserve(s, s->count + 1);
    struct record *slot = find(s, r->dev, r->ino, r->kind);
    s->count += !slot->kind;
    *slot = *r;
}

static void load(struct state *s)
{
    struct strbuf data;
    strbuf_init(&data);
    if (fs_read(s->path, MAX_STATE_BYTES, &data, NULL) < 0 || data.n < sizeof(magic) ||
        memcmp(data.p, magic, sizeof(magic)) != 0) {
        if (data.n) {
            s->in_file = SIZE_MAX / 4; /* not ours: rewritten at the next flush */
        }
        strbuf_release(&data);
        return;
    }
    size_t n = (data.n - sizeof(magic)) / sizeof(struct record);
    reserve(s, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct record r;
        memcpy(&r, data.p + sizeof(magic) + i * sizeof(r), sizeof(r));
        if (r.crc == record_crc(&r) && (r.kind == STATE_MD5 || r.kind == STATE_MD5_LEGACY)) {
            insert(s, &r);
        }
    }
    /* A torn tail would put all later records out of step: the file is made anew. */
    s->in_file = (data.n - sizeof(magic)) % sizeof(struct record) ? SIZE_MAX / 4 : n;
    strbuf_release(&data);
}

struct state *state_open(const char *path)
{
    struct state *s = xcalloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    reserve(s, 1);
    if (path) {
        s->path = xstrdup(path);
        load(s);
    }
    return s;
}

static int rewrite(struct state *s, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    strbuf_reserve(&out, sizeof(magic) + s->count * sizeof(struct record));
    strbuf_add(&out, magic, sizeof(magic));
    for (size_t i = 0; i < s->size; i++) {
        if (s->table[i].kind) {
            strbuf_add(&out, &s->table[i], sizeof(s->table[i]));
        }
    }
    /* no fsync is worth its time here: after a power cut an empty memo is a correct memo */
    struct fs_temp t;
    int rc = fs_temp_open(&t, s->path, 0, e);
    if (rc == 0) {
        rc = fs_write_all(t.fd, out.p, out.n, s->path, e);
        if (rc < 0) {
            fs_temp_abort(&t);
        } else {
            rc = fs_temp_commit(&t, s->path, true, e);
        }
    }
    strbuf_release(&out);
    if (rc == 0) {
        s->in_file = s->count;
    }
    return rc;
}

/* An empty memo under its name, unless another process was first: a rename over it would drop what
 * that one has appended since. */
static int create(struct state *s, struct err *e)
{
    struct fs_temp t;
    if (fs_temp_open(&t, s->path, 0, e) < 0) {
        return -1;
    }
    int rc = fs_write_all(t.fd, magic, sizeof(magic), s->path, e);
    if (rc == 0 && link(t.path, s->path) < 0 && errno != EEXIST) {
        rc = err_sys(e, "cannot write %s", s->path);
    }
    fs_temp_abort(&t);
    return rc;
}

/* The file under its name, locked against other writers (where the file system has locks). */
static int open_locked(struct state *s, struct stat *st, struct err *e)
{
    for (;;) {
        int fd = open(s->path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT && create(s, e) == 0) {
            continue;
        }
        if (fd < 0) {
            return err_sys(e, "cannot open %s", s->path);
        }
        flock(fd, LOCK_EX);
        struct stat named;
        if (fstat(fd, st) == 0 && stat(s->path, &named) == 0 && named.st_ino == st->st_ino) {
            return fd;
        }
        close(fd); /* written anew by another process while we waited */
    }
}

/* The caller holds the file's lock: what others appended since our start is taken in first. */
static int compact(struct state *s, struct err *e)
{
    load(s);
    for (size_t i = 0; i < s->fresh_count; i++) {
        insert(s, &s->fresh[i]);
    }
    return rewrite(s, e);
}

static int write_fresh(struct state *s, struct err *e)
{
    struct stat st;
    int fd = open_locked(s, &st, e);
    if (fd < 0) {
        return -1;
    }
    bool torn = st.st_size < (off_t)sizeof(magic) ||
                ((size_t)st.st_size - sizeof(magic)) % sizeof(struct record) != 0;
    bool wasteful = s->in_file > 1024 && s->in_file > 2 * s->count;
    int rc = torn || wasteful
                 ? compact(s, e)
                 : fs_write_all(fd, s->fresh, s->fresh_count * sizeof(*s->fresh), s->path, e);
    if (!torn && !wasteful) {
        s->in_file += s->fresh_count;
    }
    close(fd);
    return rc;
}

static void flush_locked(struct state *s)
{
    if (!s->path || !s->fresh_count) {
        return;
    }
    struct err e = ERR_INIT;
    if (fs_mkdirs_for(s->path, &e) < 0 || write_fresh(s, &e) < 0) {
        log_info("state", "hashes are not remembered: %s", e.text);
    }
    s->fresh_count = 0;
}

void state_flush(struct state *s)
{
    if (s) {
        pthread_mutex_lock(&s->lock);
        flush_locked(s);
        pthread_mutex_unlock(&s->lock);
    }
}

void state_close(struct state *s)
{
    if (!s) {
        return;
    }
    state_flush(s);
    pthread_mutex_destroy(&s->lock);
    free(s->table);
    free(s->fresh);
    free(s->path);
    free(s);
}

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000LL + t->tv_nsec;
}

int64_t state_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return ns_of(&t);
}

static void describe(struct record *r, const struct stat *st, enum state_kind kind)
{
    memset(r, 0, sizeof(*r));
    r->dev = (uint64_t)st->st_dev;
    r->ino = (uint64_t)st->st_ino;
    r->size = (int64_t)st->st_size;
    r->mtime_ns = ns_of(&st->st_mtim);
    r->ctime_ns = ns_of(&st->st_ctim);
    r->kind = (uint32_t)kind;
}

bool state_get(struct state *s, const struct stat *st, enum state_kind kind, char md5[33])
{
    if (!s) {
        return false;
    }
    struct record want;
    describe(&want, st, kind);
    pthread_mutex_lock(&s->lock);
    struct record r = *find(s, want.dev, want.ino, want.kind);
    pthread_mutex_unlock(&s->lock);
    if (!r.kind || r.size != want.size || r.mtime_ns != want.mtime_ns ||
        r.ctime_ns != want.ctime_ns) {
        return false;
    }
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        md5[2 * i] = hex[r.md5[i] >> 4];
        md5[2 * i + 1] = hex[r.md5[i] & 15];
    }
    md5[32] = '\0';
    return true;
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void state_put(struct state *s, const struct stat *st, enum state_kind kind, const char *md5,
               int64_t hashed_at_ns)
{
    if (!s) {
        return;
    }
    struct record r;
    describe(&r, st, kind);
    int64_t newest = r.mtime_ns > r.ctime_ns ? r.mtime_ns : r.ctime_ns;
    if (newest > hashed_at_ns - YOUNG_NS) {
        return;
    }
    for (int i = 0; i < 16; i++) {
        int high = nibble(md5[2 * i]), low = high < 0 ? -1 : nibble(md5[2 * i + 1]);
        if (low < 0) {
            return;
        }
        r.md5[i] = (unsigned char)(high << 4 | low);
    }
    r.crc = record_crc(&r);
    pthread_mutex_lock(&s->lock);
    insert(s, &r);
    if (s->path) {
        ARRAY_RESERVE(s->fresh, s->fresh_count, s->fresh_capacity, 1);
        s->fresh[s->fresh_count++] = r;
    }
    pthread_mutex_unlock(&s->lock);
}
