#ifndef NEPHRON_KEYSTORE_H
#define NEPHRON_KEYSTORE_H

#include "arena.h"
#include "keylist.h"
#include "netremote.h"
#include "webcall.h"

/*
 * What object stores have in common: a key is a path of a URL; HEAD, GET, PUT and DELETE do what
 * they say; names come in pages of XML; big files go up in parts. What they have not in common, how
 * a request is signed before all, is in a dialect.
 */

enum keystore_parts {
    KEYSTORE_WHOLE,     /* no uploads in parts */
    KEYSTORE_MULTIPART, /* S3: begin, number the parts, complete or abort */
    KEYSTORE_BLOCKS,    /* Azure: put blocks, then their list */
};

struct keystore;

struct keystore_dialect {
    enum keystore_parts parts;
    bool follow;                      /* redirects */
    bool md5_answer;                  /* the store compares Content-MD5 with what came */
    const struct keylist_form *names; /* NULL: cannot list */
    const char *put_method;           /* "PUT" */
    /* Adds what authorizes this try. */
    int (*sign)(struct keystore *k, struct webcall *c, struct err *e);
    /* Adds what describes a new object (may be NULL); `parts`: of an upload in parts, as a whole. */
    void (*describe)(struct keystore *k, struct webcall *c, bool parts);
    /* Query of a page of names. */
    const char *(*list_query)(const struct keystore *k, struct arena *a, const char *prefix,
                              const char *token);
    /* A refusal that another try may mend (another region): true when `k` was changed for it. */
    bool (*mend)(struct keystore *k, const struct webcall *c);
    /* Deletes many at a time by a request of its own (NULL: one by one). Fills body and headers. */
    void (*remove_many)(struct keystore *k, struct webcall *c, const struct netop *op);
};

struct keystore {
    const struct keystore_dialect *dialect;
    struct netremote *remote;
    struct webcall_engine *engine;
    const char *origin;      /* "https://bucket.s3.amazonaws.com" */
    const char *bucket_path; /* "" or "/bucket", encoded */
    const char *prefix;      /* "data/store": before each path, not encoded; "" */
    const char *shown;       /* the URL without secrets */
    void *own;               /* the dialect's */
};

/* The functions of a netkind; ctx is a struct keystore. */
void keystore_has(void *ctx, struct netop *op);
void keystore_put(void *ctx, struct netop *op);
void keystore_get(void *ctx, struct netop *op);
void keystore_list(void *ctx, struct netop *op);
void keystore_remove(void *ctx, struct netop *op);

/* Private to keystore*.c. */
/* A request for a key (path of an op); ctx is the op, ctx2 the store. Query may be "". */
struct webcall *keystore_call(struct keystore *k, struct netop *op, const char *method,
                              const char *path, const char *query);
/* "prefix/path", not encoded. */
const char *keystore_key(const struct keystore *k, struct arena *a, const char *path);
/* Ends an op by the error, or by what the answer says when there is none. Frees the call. */
void keystore_end(struct webcall *c, struct err *e);
/* When the dialect can mend it: starts the call again and is true. */
bool keystore_again(struct webcall *c, const struct err *e);
/* The md5 that a path stands for ("files/md5/ab/cd…"); false for other files. */
bool keystore_path_md5(const char *path, char md5[33]);
void keystore_put_parts(struct keystore *k, struct netop *op, int fd, uint64_t size);

/* From twice this size on, files go up in parts. */
#define KEYSTORE_PART_BYTES ((uint64_t)32 << 20)

#endif
