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
 * UserKnownHostsFile, StrictHostKeyChecking, ProxyJump, ProxyCommand. The first value wins, IdentityFile adds up.
 * What Include names is read as if it stood there, for the hosts that its place is for. Conditions of Match that ask
 * for more are ERR_CONFIG with name and line when they are for this host; what else there is does not matter to
 * files and is passed over.
 */

#define SSHCONFIG_IDENTITIES_MAX 32
#define SSHCONFIG_BYTES_MAX ((size_t)1 << 20) /* of one file */
#define SSHCONFIG_DEPTH_MAX 16                /* files that include one another, as for ssh */
#define SSHCONFIG_INCLUDES_MAX 256            /* all files together */

/* Text in the arena; NULL, 0, false: not set. Paths as written: sshconfig_expand. */
struct sshconfig {
    const char *hostname; /* "%h" and "%%" replaced */
    const char *user;
    unsigned port;
    const char *identities[SSHCONFIG_IDENTITIES_MAX];
    size_t identity_count;
    bool identities_only;
    const char *agent;                      /* "none", a path */
    const char *known_hosts;                /* the first file */
    bool strict;                            /* hosts that are not known are refused */
    const char *proxy_command, *proxy_jump; /* as written; at most one */
};

/* Where Include is read from. */
typedef int sshconfig_text_fn(void *ctx, const char *name, struct str text, struct err *e);
struct sshconfig_files {
    /* Calls `take` with each file that the pattern names, in order; none is no error. */
    int (*read)(void *ctx, const char *pattern, sshconfig_text_fn *take, void *take_ctx,
                struct err *e);
    void *ctx;
};

/* What the text says of `host`. `files` NULL: an Include names nothing. ERR_CONFIG, ERR_FORMAT, ERR_LIMIT: with the
 * line's number. */
int sshconfig_parse(struct arena *a, struct str text, const char *host,
                    const struct sshconfig_files *files, struct sshconfig *out, struct err *e);
/* A file's path: "~/" and %d are `home`, %h the host, %r the far user, %% a percent sign. NULL:
 * another token. */
const char *sshconfig_expand(struct arena *a, const char *path, const char *home, const char *host,
                             const char *user);
/* ssh's patterns: '*' any text, '?' one character; without regard to case. */
bool sshconfig_matches(struct str pattern, struct str host);

#endif
