/* signing: see signing.h. */
#include "signing.h"

#include "arena.h"
#include "err.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <limits.h>
#include <string.h>

void signing_hmac_sha256(const void *key, size_t key_bytes, struct str text,
                         unsigned char out[SIGNING_SHA256_BYTES])
{
    unsigned n = SIGNING_SHA256_BYTES;
    if (!HMAC(EVP_sha256(), key, (int)key_bytes, (const unsigned char *)text.p, text.n, out, &n)) {
        BUG("libcrypto has no HMAC-SHA256");
    }
}

char *signing_hex(struct arena *a, const unsigned char *data, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *out = arena_alloc(a, 2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    return out;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

unsigned char *signing_unhex(struct arena *a, struct str hex)
{
    unsigned char *out = arena_alloc(a, hex.n / 2 + 1);
    for (size_t i = 0; i + 1 < hex.n; i += 2) {
        int high = hex_digit(hex.p[i]), low = hex_digit(hex.p[i + 1]);
        if (high < 0 || low < 0) {
            return NULL;
        }
        out[i / 2] = (unsigned char)(high << 4 | low);
    }
    return hex.n % 2 == 0 ? out : NULL;
}

char *signing_base64(struct arena *a, const void *data, size_t n)
{
    char *out = arena_alloc(a, (n + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((unsigned char *)out, data, (int)n);
    return out;
}

char *signing_base64url(struct arena *a, const void *data, size_t n)
{
    char *out = signing_base64(a, data, n);
    for (char *p = out; *p; p++) {
        *p = (char)(*p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? '\0' : *p);
        if (!*p) {
            break;
        }
    }
    return out;
}

unsigned char *signing_unbase64(struct arena *a, struct str text, size_t *n)
{
    if (text.n == 0 || text.n % 4 != 0 || text.n > INT_MAX / 2) {
        return NULL;
    }
    unsigned char *out = arena_alloc(a, text.n / 4 * 3 + 1);
    int got = EVP_DecodeBlock(out, (const unsigned char *)text.p, (int)text.n);
    if (got < 0) {
        return NULL;
    }
    size_t padding = (size_t)(text.p[text.n - 1] == '=') + (text.p[text.n - 2] == '=');
    *n = (size_t)got - padding;
    return out;
}

char *signing_rs256(struct arena *a, struct str pem, struct str text, struct err *e)
{
    char *out = NULL;
    size_t n = 0;
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    const unsigned char *data = (const unsigned char *)text.p;
    if (key && EVP_PKEY_base_id(key) == EVP_PKEY_RSA &&
        EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(md, NULL, &n, data, text.n) == 1) {
        unsigned char *signature = arena_alloc(a, n);
        if (EVP_DigestSign(md, signature, &n, data, text.n) == 1) {
            out = signing_base64url(a, signature, n);
        }
    }
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    BIO_free(bio);
    if (!out) {
        err_set(e, ERR_CONFIG, "the private key is no RSA key in PEM");
    }
    return out;
}
