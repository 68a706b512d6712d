#ifndef NEPHRON_WEBCALL_H
#define NEPHRON_WEBCALL_H

#include "arena.h"
#include "err.h"
#include "httpget.h"
#include "str.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Many HTTP requests at a time on one thread, by libcurl's multi interface: connections are kept,
 * HTTP/2 is used where it is offered. A call is tried up to WEBCALL_TRIES times in a row without
 * progress, with back-off and jitter, on 408, 429, 5xx, resets, time-outs; Retry-After is honoured.
 * A download into a file goes on where it stopped (Range with If-Match, or If-Range). Redirects are
 * followed here, not by libcurl, so that no credential reaches another host.
 *
 * Before each try `prepare` makes the headers (a signature has the time in it); at the end `done`
 * gets the call, on whichever status came, or an error.
 */

#define WEBCALL_TRIES 5
#define WEBCALL_HEADERS_MAX 40

struct webcall_engine;

struct webcall {
    /* The request. Text in the call's arena, or longer lived. Path and query are percent-encoded. */
    const char *method;
    const char *origin; /* "https://host:port" */
    const char *path;   /* "/bucket/key" */
    const char *query;  /* "a=1&b=2", or "" */
    const char *headers[WEBCALL_HEADERS_MAX];
    size_t header_count;
    struct str body;      /* what is sent, unless a file is */
    const char *body_md5; /* the caller's: base64 */
    int file;             /* -1: none; closed with the call */
    uint64_t file_offset, file_bytes;
    int save;                 /* -1: none; the body of a 2xx answer goes here; the caller's */
    const char *shown;        /* of the caller, for messages: what, without secrets */
    const char *extra_header; /* NULL, or one that needs no `prepare` */
    unsigned tries;           /* 0: WEBCALL_TRIES */
    long connect_ms;          /* 0: the engine's */
    bool follow;              /* redirects */
    bool elsewhere;           /* set: a redirect led to another host, credentials must stay away */
    const char *digest_user, *digest_password;        /* NULL: no digest authentication */
    int (*prepare)(struct webcall *c, struct err *e); /* may be NULL */
    /* The end. Takes the call: webcall_free, or webcall_start again. e->code ERR_NONE: an answer
     * came, look at its status. */
    void (*done)(struct webcall *c, struct err *e);
    void *ctx, *ctx2; /* the caller's */
    size_t number;

    /* The answer. */
    struct httpget_reply reply;
    struct strbuf text;  /* its body, when not saved; cut at WEBCALL_TEXT_MAX */
    uint64_t saved;      /* bytes in `save` */
    char region[64];     /* x-amz-bucket-region */
    char location[2048]; /* where a redirect leads, absolute */

    struct arena arena;
    struct webcall_state *state; /* private to webcall.c */
};

#define WEBCALL_TEXT_MAX ((size_t)16 << 20)

struct webcall_options {
    int at_once;            /* calls; 0: 8 */
    int64_t retry_ms;       /* first pause; 0: 1000 */
    long connect_timeout_s; /* 0: 10 */
    long idle_timeout_s;    /* less than 1 KiB/s for so long is a time-out; 0: 60 */
    bool insecure;          /* do not verify certificates */
    const char *ca_file;    /* roots of trust; NULL: CURL_CA_BUNDLE, SSL_CERT_FILE, the system's */
    const volatile sig_atomic_t *stop;
};

/* Text of `opt` is copied. */
struct webcall_engine *webcall_engine_new(const struct webcall_options *opt, struct err *e);
void webcall_engine_set(struct webcall_engine *g, const struct webcall_options *opt);
void webcall_engine_free(
    struct webcall_engine *g); /* gives up what runs: `done` gets ERR_INTERRUPTED */
bool webcall_engine_idle(const struct webcall_engine *g);
/* Bytes of file contents since the last call. */
uint64_t webcall_engine_moved(struct webcall_engine *g);
/* Goes on with everything, and waits until something happens, at most timeout_ms. *readable: `fd`
 * has something. */
int webcall_engine_step(struct webcall_engine *g, int fd, bool *readable, int timeout_ms,
                        struct err *e);
/* Ends what runs and waits: `done` gets ERR_INTERRUPTED; new calls are still taken. */
void webcall_engine_drop(struct webcall_engine *g);

struct webcall *webcall_new(void); /* returns new (webcall_free) */
void webcall_free(struct webcall *c);
void webcall_start(struct webcall_engine *g, struct webcall *c); /* takes it until `done` */
/* Until this one is done; others go on meanwhile. For what must come before all else. */
int webcall_run(struct webcall_engine *g, struct webcall *c, struct err *e);
void webcall_header(struct webcall *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool webcall_ok(const struct webcall *c); /* 2xx */
/* "HTTP status 403 …" with what the server says. Always -1. */
int webcall_refused(const struct webcall *c, struct err *e);
/* Percent-encoding as RFC 3986: all but letters, digits and "-._~", and but '/' when `path`. */
char *webcall_encode(struct arena *a, struct str s, bool path);
/* "http://user@host:1/a/b?c" in "http://host:1", "/a/b". false: it is no URL. */
bool webcall_split(struct arena *a, const char *url, const char **origin, const char **path);

#endif
