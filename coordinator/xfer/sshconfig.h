#ifndef NEPHRON_SSHCONFIG_H
#define NEPHRON_SSHCONFIG_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * ~/.ssh/config as far as a connection for files needs it: Host and Match (all, host, originalhost)
 * with patterns, HostName, Port, User, IdentityFile, IdentitiesOnly, IdentityAgent,
 * UserKnownHostsFile, StrictHostKeyChecking. The first value wins, IdentityFile adds up. Include,
 * ProxyJump, ProxyCommand and conditions of Match that ask for more are ERR_CONFIG with name and
 * line when they are for this host; what else there is does not matter to files and is passed over.
 */

#define SSHCONFIG_IDENTITIES_MAX 32
#define SSHCONFIG_BYTES_MAX ((size_t)1 << 20)

/* Text in the arena; NULL, 0, false: not set. Paths as written: sshconfig_expand. */
struct sshconfig {
    const char *hostname; /* "%h" and "%%" replaced */
    const char *user;
    unsigned port;
    const char *identities[SSHCONFIG_IDENTITIES_MAX];
    size_t identity_count;
    bool identities_only;
    const char *agent;       /* "none", a path */
    const char *known_hosts; /* the first file */
    bool strict;             /* hosts that are not known are refused */
};

/* What the text says of `host`. ERR_CONFIG, ERR_FORMAT: with the line's number. */
int sshconfig_parse(struct arena *a, struct str text, const char *host, struct sshconfig *out,
                    struct err *e);
/* A file's path: "~/" and %d are `home`, %h the host, %r the far user, %% a percent sign. NULL:
 * another token. */
const char *sshconfig_expand(struct arena *a, const char *path, const char *home, const char *host,
                             const char *user);
/* ssh's patterns: '*' any text, '?' one character; without regard to case. */
bool sshconfig_matches(struct str pattern, struct str host);

#endif
