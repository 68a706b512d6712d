#ifndef NEPHRON_AWSCREDS_H
#define NEPHRON_AWSCREDS_H

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct netremote;

/*
 * Who we are for AWS, in the order of boto: the remote's settings, the environment (not when a
 * profile is named), the profile in ~/.aws/credentials and ~/.aws/config (keys, credential_process,
 * a role with source_profile), a web identity token, the container's endpoint, the instance's
 * (IMDSv2). Those that end are fetched anew five minutes before they do.
 */

struct awscreds {
    bool anonymous;
    const char *key_id, *secret, *token; /* token may be NULL */
    const char *region;                  /* of settings, environment or profile; NULL: unknown */
    const char *endpoint;                /* likewise */
    const char
        *addressing; /* s3.addressing_style of the profile: "path", "virtual"; NULL: as it suits */
    int64_t expires_ms; /* since 1970; 0: never */
    struct arena arena; /* of the texts above */
    /* private to awscreds.c */
    struct netremote *remote;
    bool refreshing;
};

/* ERR_REMOTE "no credentials for …" with where they were looked for. awscreds_release in any case.
 */
int awscreds_open(struct awscreds *c, struct netremote *n, struct err *e);
/* Fetches them anew when they are about to end. */
int awscreds_refresh(struct awscreds *c, struct err *e);
void awscreds_release(struct awscreds *c);

#endif
