#ifndef NEPHRON_DOWNLOAD_H
#define NEPHRON_DOWNLOAD_H

#include "clock.h"
#include "digest.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;

/*
 * Download of one file by libcurl into its place, or nothing: the bytes go to `PATH.part`, which is
 * kept after a failure so that the next try, also of another process, goes on where this one
 * stopped (Range + If-Range with the ETag or Last-Modified kept in `PATH.part.json`). Size and
 * checksum are verified, the file is synced, then renamed. `PATH.json` records what it is:
 *
 *   {"schema": 1, "url": "https://…", "etag": "\"5d3…\"", "last_modified": "…", "size": 58936381,
 * "sha256": "…"}
 *
 * A file whose record names the same URL and whose bytes have the recorded SHA-256 is not fetched
 * again. Tries 5 times in a row without progress, with back-off and jitter, on 408, 429, 5xx,
 * resets, time-outs; Retry-After is honoured up to 300 s. Redirects: 5, http and https only, and
 * away from https only when a checksum is known. TLS is verified; CURL_CA_BUNDLE or SSL_CERT_FILE
 * name other roots; http_proxy, https_proxy, no_proxy count. Credentials in the URL do not follow
 * to another host.
 */

#define DOWNLOAD_TRIES 5

/* Asked when HTML came instead of a file. Sets *next (in the arena) and returns 0, or -1. */
typedef int download_html_fn(struct arena *a, const char *html, size_t n, const char *page_url,
                             const char *cookie_token, char **next, struct err *e);

struct download {
    const char *url;
    const char *path;
    const char *shown;                 /* the URL without secrets: for messages and the record */
    const char *sha256;                /* 64 hex digits, or NULL */
    bool force;                        /* fetch although the file is there; also drops PATH.part */
    bool quiet;                        /* no progress bar */
    uint64_t max_bytes;                /* 0: DOWNLOAD_MAX_BYTES */
    int64_t retry_ms;                  /* first pause; 0: 1000 */
    const char *no_page;               /* what HTML is not: "an archive"; NULL: HTML is welcome */
    download_html_fn *html;            /* NULL: HTML is an error (unless welcome) */
    const volatile sig_atomic_t *stop; /* non-zero: give up, ERR_INTERRUPTED; NULL: never */
    const struct clock *clock;         /* NULL: the system's */
};

#define DOWNLOAD_MAX_BYTES ((uint64_t)64 << 30)

struct download_result {
    bool fetched;      /* false: it was there already */
    uint64_t bytes;    /* size of the file */
    uint64_t received; /* bytes that came over the wire now */
    unsigned retries;
    char sha256[DIGEST_HEX_SIZE];
};

/* Blocks. Errors: ERR_REMOTE (server, network), ERR_FORMAT (checksum, HTML), ERR_LIMIT, ERR_IO,
 * ERR_BUSY (another process is fetching the same file), ERR_INTERRUPTED. */
int download_file(const struct download *d, struct download_result *out, struct err *e);

/* Copies a local file with the same verification and record; progress and stop as above. */
int download_copy(const struct download *d, const char *from, struct download_result *out,
                  struct err *e);

/* PATH.json: whether it says that `path` is what `url` gave; then `out` is filled and the bytes
 * have been hashed and agree (and with `sha256` unless NULL). */
bool download_present(const char *path, const char *shown, const char *sha256,
                      struct download_result *out);
/* Writes PATH.json. */
int download_record(const char *path, const char *shown, const char *etag,
                    const char *last_modified, uint64_t size, const char *sha256, struct err *e);

#endif
