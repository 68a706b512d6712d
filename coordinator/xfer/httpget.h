#ifndef NEPHRON_HTTPGET_H
#define NEPHRON_HTTPGET_H

#include "str.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * One GET by libcurl, redirects included: what came back, and whether trying again makes sense.
 * No policy here: resuming, retries, checks and files are download.c's.
 * Limits: connect 10 s, 1 KiB/s for 30 s, 5 redirects, 64 KiB of headers an answer.
 */

struct httpget; /* a handle with its connection and its cookies */

struct httpget_reply { /* of the last answer, redirects apart */
    long status;
    char etag[256]; /* strong validators only; "" when absent, weak or too long */
    /* As they came, "" when absent or too long. */
    char any_etag[256], content_md5[128], digest[256];
    bool no_ranges; /* Accept-Ranges: none */
    char last_modified[64];
    char content_type[128];
    bool has_length, has_range;
    uint64_t length;       /* Content-Length */
    uint64_t range_first;  /* Content-Range; of "bytes N-M/T" */
    uint64_t range_total;  /* the T, also with a star for N-M; UINT64_MAX: unknown */
    int64_t retry_after_s; /* 0: not said */
    char url[8192];        /* where it came from in the end */
};

struct httpget_request {
    const char *url;
    uint64_t offset;      /* 0: all of it */
    const char *if_range; /* validator; needed with an offset */
    bool allow_downgrade; /* may a redirect lead from https to http? */
    const volatile sig_atomic_t *stop;
    /* The body as it comes, with the reply's headers complete. -1 ends the transfer with *e. */
    int (*body)(void *ctx, const struct httpget_reply *r, const void *data, size_t n,
                struct err *e);
    void *ctx;
};

enum httpget_result {
    HTTPGET_DONE,   /* an answer came whole: look at its status */
    HTTPGET_AGAIN,  /* network trouble that may pass: *e says which */
    HTTPGET_FAILED, /* *e: trouble that will not, or the body callback's own error */
};

struct httpget *httpget_open(struct err *e);
void httpget_close(struct httpget *h); /* NULL is fine */
enum httpget_result httpget_run(struct httpget *h, const struct httpget_request *q,
                                struct httpget_reply *r, struct err *e);
/* The value of the first cookie whose name begins with `prefix`, copied; false when there is none.
 */
bool httpget_cookie(struct httpget *h, const char *prefix, char *out, size_t size);

/* What webcall.c has in common with this. */
/* Takes what a header line says into *r; unknown ones are passed over. */
void httpget_parse_header(struct httpget_reply *r, struct str line);
/* Words what libcurl's code means (`detail`: its error buffer). True: it may pass. */
bool httpget_explain(int code, const char *detail, struct err *e);
/* Roots of trust other than the system's: what the curl program and OpenSSL look at. NULL: none. */
const char *httpget_ca_file(void);

#endif
