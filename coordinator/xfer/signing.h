#ifndef NEPHRON_SIGNING_H
#define NEPHRON_SIGNING_H

#include "str.h"

#include <stddef.h>

struct arena;
struct err;

/* Keyed digests, Base64 and RS256, by libcrypto: what requests to object stores are signed with. */

#define SIGNING_SHA256_BYTES 32

void signing_hmac_sha256(const void *key, size_t key_bytes, struct str text,
                         unsigned char out[SIGNING_SHA256_BYTES]);
/* Lower-case hex in the arena. */
char *signing_hex(struct arena *a, const unsigned char *data, size_t n);
/* The reverse; NULL when it is no hex. */
unsigned char *signing_unhex(struct arena *a, struct str hex);
char *signing_base64(struct arena *a, const void *data, size_t n);
/* As JWTs have it: "-_" for "+/", no "=". */
char *signing_base64url(struct arena *a, const void *data, size_t n);
/* NULL when it is no Base64. */
unsigned char *signing_unbase64(struct arena *a, struct str text, size_t *n);
/* RSASSA-PKCS1-v1_5 with SHA-256 by a PEM private key; base64url in the arena. NULL: ERR_CONFIG. */
char *signing_rs256(struct arena *a, struct str pem, struct str text, struct err *e);

#endif
