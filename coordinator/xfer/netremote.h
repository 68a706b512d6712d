#ifndef NEPHRON_NETREMOTE_H
#define NEPHRON_NETREMOTE_H

#include "arena.h"
#include "err.h"
#include "frame.h"
#include "str.h"
#include "webcall.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * `nephron-xfer remote`: the far end of the socket that coordinator/store/remote_helper.h describes.
 * One remote a process, one thread, one event loop: requests come as frames, each becomes a netop,
 * the kind of remote works on it by webcalls and answers it when it is done.
 *
 * A new kind is a struct netkind in the table of netremote.c (and a word in
 * remote_helper_knows). A kind that blocks may answer from threads of its own: netop_done and
 * netop_fail may be called from any thread.
 */

struct netremote;

/* A request under way. */
struct netop {
    struct netremote *remote;
    struct frame request;
    struct arena arena;  /* for whatever the op needs */
    struct strbuf reply; /* fields of the reply are added here, by frame_add */
    size_t begin;
    size_t pending;     /* the kind's: calls that are under way for it */
    struct err failure; /* the kind's: the first trouble of many */
};

void netop_done(struct netop *op);                      /* takes it */
void netop_fail(struct netop *op, const struct err *e); /* takes it */
const char *netop_path(const struct netop *op);         /* the first field */

struct netkind {
    const char *scheme;
    const char *can; /* letters of remote_helper.h: "LD" */
    /* Looks at the settings and makes the context. Credentials must not be in error texts. */
    int (*open)(struct netremote *n, void **ctx, struct err *e);
    void (*has)(void *ctx, struct netop *op);
    void (*put)(void *ctx, struct netop *op);
    void (*get)(void *ctx, struct netop *op);
    void (*list)(void *ctx, struct netop *op);   /* NULL: cannot */
    void (*remove)(void *ctx, struct netop *op); /* NULL: cannot */
    void (*md5)(void *ctx, struct netop *op);    /* NULL: it has ETags */
    void (*close)(void *ctx);
};

extern const struct netkind s3_netkind, gs_netkind, azure_netkind, httpremote_netkind,
    httpremote_netkind_tls, sftpremote_netkind;

/* Of the remote's settings; NULL when unset. */
const char *netremote_setting(const struct netremote *n, const char *name);
bool netremote_flag(const struct netremote *n, const char *name, bool unset);
const char *netremote_url(const struct netremote *n);
struct arena *netremote_arena(struct netremote *n); /* lives as long as the remote */
struct webcall_engine *netremote_engine(struct netremote *n);
size_t netremote_jobs(const struct netremote *n); /* requests at a time; 0: as the kind likes */
int64_t netremote_retry_ms(const struct netremote *n);
/* Progress of a kind that works without webcalls; from any thread. */
void netremote_moved(struct netremote *n, uint64_t bytes);
/* Whether the process is asked to end: begin nothing new. */
bool netremote_stopping(const struct netremote *n);
/* The base of "scheme://bucket/some/prefix": "bucket" and "some/prefix". ERR_CONFIG without a
 * bucket. */
int netremote_bucket(struct netremote *n, const char **bucket, const char **prefix, struct err *e);

struct netremote_options {
    int in, out; /* descriptors */
    int64_t retry_ms;
    const volatile sig_atomic_t *stop;
};

/* Until `in` ends. ERR_FORMAT when what comes are no frames; ERR_INTERRUPTED. */
int netremote_run(const struct netremote_options *opt, struct err *e);

#endif
