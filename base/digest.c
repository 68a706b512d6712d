/*
 * Digests by libcrypto; see digest.h. The old direct calls, not EVP: the first EVP digest of a
 * process loads providers and fetches the algorithm, 4.9 million instructions, a sixth of a whole
 * `nephron status`; and with the direct calls a static libcrypto.a adds these two algorithms only
 * (docs/decisions/0004). CRC32C is table-driven (polynomial 0x82F63B78, RFC 3720).
 */

#define OPENSSL_SUPPRESS_DEPRECATED

#include "digest.h"

#include "alloc.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 18)

_Static_assert(sizeof(MD5_CTX) <= sizeof(((struct digest *)0)->state), "room for MD5");
_Static_assert(sizeof(SHA256_CTX) <= sizeof(((struct digest *)0)->state), "room for SHA-256");

void digest_init(struct digest *d, enum digest_kind kind)
{
    d->kind = kind;
    if (kind == DIGEST_MD5) {
        MD5_Init((MD5_CTX *)(void *)d->state);
    } else {
        SHA256_Init((SHA256_CTX *)(void *)d->state);
    }
}

void digest_update(struct digest *d, const void *data, size_t n)
{
    if (d->kind == DIGEST_MD5) {
        MD5_Update((MD5_CTX *)(void *)d->state, data, n);
    } else {
        SHA256_Update((SHA256_CTX *)(void *)d->state, data, n);
    }
}

void digest_final(struct digest *d, char hex[DIGEST_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[SHA256_DIGEST_LENGTH];
    size_t n = d->kind == DIGEST_MD5 ? MD5_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
    if (d->kind == DIGEST_MD5) {
        MD5_Final(raw, (MD5_CTX *)(void *)d->state);
    } else {
        SHA256_Final(raw, (SHA256_CTX *)(void *)d->state);
    }
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[raw[i] >> 4];
        hex[2 * i + 1] = digits[raw[i] & 15];
    }
    hex[2 * n] = '\0';
}

void digest_buffer(enum digest_kind kind, const void *data, size_t n, char hex[DIGEST_HEX_SIZE])
{
    struct digest d;
    digest_init(&d, kind);
    digest_update(&d, data, n);
    digest_final(&d, hex);
}

static int write_chunk(int fd, const char *data, size_t n, const char *name, struct err *e)
{
    while (n > 0) {
        ssize_t done = write(fd, data, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return err_sys(e, "cannot write a copy of %s", name);
        }
        data += done;
        n -= (size_t)done;
    }
    return 0;
}

/* dst_fd < 0: hash only. */
static int pump(enum digest_kind kind, int src_fd, int dst_fd, const char *name,
                char hex[DIGEST_HEX_SIZE], uint64_t *size, struct err *e)
{
    struct digest d;
    digest_init(&d, kind);
    char *chunk = xmalloc(CHUNK);
    uint64_t total = 0;
    int rc = -1;
    for (;;) {
        ssize_t n = read(src_fd, chunk, CHUNK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            err_sys(e, "cannot read %s", name);
            goto out;
        }
        if (n == 0) {
            break;
        }
        digest_update(&d, chunk, (size_t)n);
        if (dst_fd >= 0 && write_chunk(dst_fd, chunk, (size_t)n, name, e) < 0) {
            goto out;
        }
        total += (uint64_t)n;
    }
    digest_final(&d, hex);
    if (size != NULL) {
        *size = total;
    }
    rc = 0;
out:
    free(chunk);
    return rc;
}

int digest_file(enum digest_kind kind, const char *path, char hex[DIGEST_HEX_SIZE], uint64_t *size,
                struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot open %s", path);
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    int rc = pump(kind, fd, -1, path, hex, size, e);
    close(fd);
    return rc;
}

/*
 * A big file: this thread reads and writes, another hashes what was read, and the disk starts with each part as soon
 * as it is written. So the copy takes as long as the slowest of hash, page cache and disk, not as their sum.
 */
#define RING 4
#define BIG ((off_t)16 << 20)
#define DISK_PART ((uint64_t)8 << 20)

struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    char *data[RING];
    size_t n[RING];
    unsigned filled, hashed; /* chunks so far */
    bool end;
    struct digest d;
};

static void *ring_hash(void *arg)
{
    struct ring *r = arg;
    pthread_mutex_lock(&r->mutex);
    for (;;) {
        while (r->hashed == r->filled && !r->end) {
            pthread_cond_wait(&r->moved, &r->mutex);
        }
        if (r->hashed == r->filled) {
            break;
        }
        unsigned at = r->hashed % RING;
        pthread_mutex_unlock(&r->mutex);
        digest_update(&r->d, r->data[at], r->n[at]);
        pthread_mutex_lock(&r->mutex);
        r->hashed++;
        pthread_cond_signal(&r->moved);
    }
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

/* A chunk whose hashing is over. */
static char *ring_free_chunk(struct ring *r)
{
    pthread_mutex_lock(&r->mutex);
    while (r->filled - r->hashed == RING) {
        pthread_cond_wait(&r->moved, &r->mutex);
    }
    pthread_mutex_unlock(&r->mutex);
    return r->data[r->filled % RING];
}

/* n 0: that was all. */
static void ring_add(struct ring *r, size_t n)
{
    pthread_mutex_lock(&r->mutex);
    if (n > 0) {
        r->n[r->filled % RING] = n;
        r->filled++;
    } else {
        r->end = true;
    }
    pthread_cond_signal(&r->moved);
    pthread_mutex_unlock(&r->mutex);
}

static int ring_copy(struct ring *r, int src_fd, int dst_fd, const char *name, uint64_t *total,
                     struct err *e)
{
    uint64_t started = 0; /* bytes that the disk was told of */
    for (;;) {
        char *chunk = ring_free_chunk(r);
        ssize_t n = read(src_fd, chunk, CHUNK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_sys(e, "cannot read %s", name);
        }
        if (n == 0) {
            return 0;
        }
        ring_add(r, (size_t)n);
        if (write_chunk(dst_fd, chunk, (size_t)n, name, e) < 0) {
            return -1;
        }
        *total += (uint64_t)n;
        if (*total - started >= DISK_PART) {
            /* a hint: whether it arrives is what the sync afterwards says */
            sync_file_range(dst_fd, (off64_t)started, (off64_t)(*total - started),
                            SYNC_FILE_RANGE_WRITE);
            started = *total;
        }
    }
}

static int copy_big(enum digest_kind kind, int src_fd, int dst_fd, const char *name,
                    char hex[DIGEST_HEX_SIZE], uint64_t *size, struct err *e)
{
    struct ring r = {.mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    pthread_t hasher;
    digest_init(&r.d, kind);
    if (pthread_create(&hasher, NULL, ring_hash, &r) != 0) {
        return pump(kind, src_fd, dst_fd, name, hex, size, e); /* slower, not wrong */
    }
    char *chunks = xmalloc(RING * CHUNK);
    for (size_t i = 0; i < RING; i++) {
        r.data[i] = chunks + i * CHUNK;
    }
    uint64_t total = 0;
    int rc = ring_copy(&r, src_fd, dst_fd, name, &total, e);
    ring_add(&r, 0);
    pthread_join(hasher, NULL);
    digest_final(&r.d, hex);
    free(chunks);
    if (size != NULL) {
        *size = total;
    }
    return rc;
}

int digest_copy(enum digest_kind kind, int src_fd, int dst_fd, const char *name,
                char hex[DIGEST_HEX_SIZE], uint64_t *size, struct err *e)
{
    struct stat st;
    bool big = fstat(src_fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= BIG;
    return big ? copy_big(kind, src_fd, dst_fd, name, hex, size, e)
               : pump(kind, src_fd, dst_fd, name, hex, size, e);
}

static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) {
            c = (c >> 1) ^ (c & 1 ? 0x82F63B78u : 0);
        }
        crc_table[i] = c;
    }
}

uint32_t digest_crc32c(uint32_t seed, const void *data, size_t n)
{
    pthread_once(&crc_once, crc_fill);
    const unsigned char *p = data;
    uint32_t c = ~seed;
    for (size_t i = 0; i < n; i++) {
        c = crc_table[(c ^ p[i]) & 255] ^ (c >> 8);
    }
    return ~c;
}
