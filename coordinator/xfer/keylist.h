#ifndef NEPHRON_KEYLIST_H
#define NEPHRON_KEYLIST_H

#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

/*
 * One page of names as object stores list them (XML), and single texts out of their other answers.
 * By libexpat; a document type is refused, since no store sends one.
 *
 *   <ListBucketResult><Contents><Key>a/b</Key><ETag>"5d"</ETag><Size>3</Size></Contents>…
 *     <NextContinuationToken>t</NextContinuationToken></ListBucketResult>
 *   <EnumerationResults><Blobs><Blob><Name>a/b</Name><Properties><Content-Length>3</…
 *     <NextMarker>t</NextMarker></EnumerationResults>
 */

struct keylist_form {
    const char *item, *key, *size, *etag, *next; /* names of elements */
    bool encoded;                                /* keys are percent-encoded, blanks are "+" */
};

extern const struct keylist_form keylist_s3, keylist_azure;

struct keylist_item {
    struct str key; /* any bytes */
    uint64_t size;
    const char *etag; /* without quotes */
};

struct keylist {
    struct keylist_item *items;
    size_t count, capacity; /* heap: keylist_release */
    const char *next;       /* token of the next page; NULL: the end */
};

int keylist_parse(struct arena *a, struct str xml, const struct keylist_form *form,
                  struct keylist *out, struct err *e);
void keylist_release(struct keylist *l);
/* The text of the first element of that name; NULL when there is none. ERR_FORMAT is NULL too. */
char *keylist_text(struct arena *a, struct str xml, const char *element);

/* Percent-decodes; `plus`: "+" is a blank, as in forms. */
struct str keylist_decode(struct arena *a, struct str s, bool plus);

#endif
