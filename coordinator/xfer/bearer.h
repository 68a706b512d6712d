#ifndef NEPHRON_BEARER_H
#define NEPHRON_BEARER_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct webcall;
struct webcall_engine;

/* Tokens of OAuth 2 that authorize requests for about an hour (RFC 6749, RFC 6750, RFC 7523). */

struct bearer {
    char *token;        /* heap */
    int64_t expires_ms; /* since 1970 */
    bool refreshing;
};

/* One request for a token: a form by POST, or a GET of a metadata endpoint. */
struct bearer_request {
    const char *url;
    const char *form;   /* NULL: GET */
    const char *header; /* "Metadata-Flavor: Google", or NULL */
    const char *shown;
};

/* Fetches one anew. ERR_REMOTE. */
int bearer_fetch(struct bearer *b, struct webcall_engine *g, const struct bearer_request *q,
                 struct err *e);
/* Good for more than five minutes, or somebody fetches one already. */
bool bearer_good(const struct bearer *b);
void bearer_add(const struct bearer *b, struct webcall *c);
void bearer_release(struct bearer *b);

#endif
