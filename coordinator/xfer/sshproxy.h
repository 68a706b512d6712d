#ifndef NEPHRON_SSHPROXY_H
#define NEPHRON_SSHPROXY_H

#include "arena.h"
#include "proc.h"

#include <stdbool.h>

struct err;

/*
 * A command that stands between us and an ssh server (ProxyCommand, ProxyJump of ssh_config(5)): it is started with a
 * socket as its stdin and stdout, which is then the connection. Its messages go to our stderr. It ends with the
 * connection, and is always waited for.
 *     ProxyCommand nc %h %p   ->  sh -c "exec nc lab 22"
 *     ProxyJump a,me@b:2222   ->  ssh -J a -l me -p 2222 -W lab:22 -- b
 */

struct sshproxy {
    struct proc proc;
    bool runs;
};

/* Whom the connection is for; all of it comes into a command line, so only plain names pass. */
struct sshproxy_target {
    const char *host;  /* %h: where to connect */
    const char *typed; /* %n: as the URL has it */
    const char *user;  /* %r */
    unsigned port;     /* %p */
};

/* The words of a command, NULL-terminated; in `a`. NULL: ERR_CONFIG. */
const char *const *sshproxy_command(struct arena *a, const char *text,
                                    const struct sshproxy_target *t, struct err *e);
const char *const *sshproxy_jump(struct arena *a, const char *list, const struct sshproxy_target *t,
                                 struct err *e);

/* *fd: our end of the socket, the caller's. ERR_REMOTE, by the command's name. */
int sshproxy_start(struct sshproxy *p, const char *const *argv, int *fd, struct err *e);
/* Ends it, gently, then not. Adds to `e` (NULL: nobody asks) how it ended when it did so by itself. Fine when none
 * runs. */
void sshproxy_end(struct sshproxy *p, const char *const *argv, struct err *e);

#endif
