#ifndef NEPHRON_SSHLINK_H
#define NEPHRON_SSHLINK_H

#include "err.h"
#include "sshproxy.h"

#include <libssh/sftp.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A connection to an SFTP server, by libssh: kept as long as it works, used by one thread. The host
 * is known by ~/.ssh/known_hosts: a key that is not the known one is always refused; one of a host
 * that nobody knows passes with a warning, as in DVC, unless `strict`. Who we are is shown by the
 * key that is configured; or else by the agent's and the user's own; then by the password.
 */

/* Text lives as long as the link. */
struct sshlink_settings {
    const char *shown;   /* "ssh://user@host:22", for messages */
    const char *address; /* where to connect */
    const char *user;
    unsigned port;
    const char *ssh_dir, *known_hosts; /* known_hosts may be NULL: the one in ssh_dir */
    const char *keyfile;               /* NULL: agent and identities */
    const char *const *identities;     /* those that are absent are passed over */
    size_t identity_count;
    const char *passphrase, *password; /* NULL: none */
    bool keys;                         /* look for keys when none is configured */
    bool agent, agent_last;            /* ask it; behind the identities */
    const char *agent_socket;          /* NULL: SSH_AUTH_SOCK */
    bool strict;
    const char *const *proxy; /* the command that leads there; NULL: straight */
    long connect_s, idle_s;
};

struct sshlink {
    const struct sshlink_settings *settings;
    ssh_session session;
    sftp_session sftp;
    struct sshproxy proxy;
    bool broken; /* the connection does not work any more */
    pthread_mutex_t lock;
    int fd;              /* under the lock; -1: none */
    int64_t deadline_us; /* under the lock: when silence ends it; 0: nothing is waited for */
};

void sshlink_init(struct sshlink *l, const struct sshlink_settings *s);
/* *again: another try may help. ERR_REMOTE, ERR_CONFIG; texts have no secrets. */
int sshlink_open(struct sshlink *l, bool *again, struct err *e);
void sshlink_close(struct sshlink *l); /* fine when it is not open */
void sshlink_release(struct sshlink *l);
/* Something came or is asked for now: the time for silence begins again. */
void sshlink_stir(struct sshlink *l);
void sshlink_rest(struct sshlink *l); /* nothing is waited for */
/* From any thread: ends the connection when it was silent for too long, or in any case. */
void sshlink_watch(struct sshlink *l, int64_t now_us);
void sshlink_cut(struct sshlink *l);
/* After a call of libssh's sftp failed: says why and notes whether the connection broke. -1. */
int sshlink_failed(struct sshlink *l, struct err *e, const char *what, const char *path);
bool sshlink_is_missing(const struct sshlink *l); /* the last failure was "no such file" */

#endif
