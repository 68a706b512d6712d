/* Digests by libcrypto; see digest.h. CRC32C is table-driven (polynomial 0x82F63B78, RFC 3720). */

#include "digest.h"

#include "alloc.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 18)

void digest_init(struct digest *d, enum digest_kind kind)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const EVP_MD *md = kind == DIGEST_MD5 ? EVP_md5() : EVP_sha256();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, md, NULL) != 1) {
        BUG("libcrypto refuses %s", kind == DIGEST_MD5 ? "MD5 (FIPS mode?)" : "SHA-256");
    }
    d->ctx = ctx;
}

void digest_update(struct digest *d, const void *data, size_t n)
{
    if (EVP_DigestUpdate(d->ctx, data, n) != 1) {
        BUG("EVP_DigestUpdate failed");
    }
}

void digest_final(struct digest *d, char hex[DIGEST_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_DigestFinal_ex(d->ctx, raw, &n) != 1) {
        BUG("EVP_DigestFinal_ex failed");
    }
    for (unsigned i = 0; i < n; i++) {
        hex[2 * i] = digits[raw[i] >> 4];
        hex[2 * i + 1] = digits[raw[i] & 15];
    }
    hex[2 * n] = '\0';
    digest_release(d);
}

void digest_release(struct digest *d)
{
    EVP_MD_CTX_free(d->ctx);
    d->ctx = NULL;
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
            return err_sys(e, "cannot write %s", name);
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
    digest_release(&d);
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

int digest_copy(enum digest_kind kind, int src_fd, int dst_fd, const char *name,
                char hex[DIGEST_HEX_SIZE], uint64_t *size, struct err *e)
{
    return pump(kind, src_fd, dst_fd, name, hex, size, e);
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
