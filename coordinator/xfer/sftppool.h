#ifndef NEPHRON_SFTPPOOL_H
#define NEPHRON_SFTPPOOL_H

#include "netremote.h"
#include "sshlink.h"

#include <stdint.h>

/*
 * Threads, each with a connection of its own, that work on a remote's requests. Both begin when
 * there is work for them and are kept. A request whose connection breaks is tried again, up to
 * SFTPPOOL_TRIES times in a row without progress, with back-off. When a server takes no more
 * connections, those that there are do it all.
 */

#define SFTPPOOL_TRIES 5

struct sftppool;

struct sftppool_options {
    struct netremote *remote;
    const struct sshlink_settings *settings;
    size_t connections; /* at most */
    int64_t retry_ms;   /* first pause; 0: 1000 */
};

/* Does a request; called again with the same op when the connection broke. What it added to the
 * reply before an error is dropped. `state` is op-long memory of the kind's, zeroed at first. */
typedef int sftppool_fn(void *ctx, struct sshlink *l, struct netop *op, void *state, struct err *e);

/* Connects once, so that a wrong key is known at once. NULL: *e is set. */
struct sftppool *sftppool_new(const struct sftppool_options *opt, struct err *e);
void sftppool_start(struct sftppool *p, struct netop *op, sftppool_fn *fn, void *ctx,
                    size_t state_bytes);
/* Gives up what runs: it fails by ERR_INTERRUPTED. */
void sftppool_free(struct sftppool *p);

/* Progress of a request: its tries begin anew after enough of it. A sftpfile_moved_fn; ctx is the
 * op. */
void sftppool_moved(void *op, uint64_t bytes);

#endif
