#ifndef NEPHRON_REDIS_SERVER_H
#define NEPHRON_REDIS_SERVER_H

#include "redis.h"

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct tracking;

/*
 * The private server of `redis_url: auto`: one redis-server for a project, on a unix socket, no
 * TCP.
 *
 *   <project>/.nephron/redis/redis.sock      the socket (0700)
 *                           server.lock      flock(2) held by the server itself, while it lives
 *                           redis.pid  redis.log  appendonlydir/
 *                           socket           only when the path above is too long for a socket: the
 *                                            short path (a link in XDG_RUNTIME_DIR or /tmp) to use
 *
 * The starter takes the lock and lets the server inherit the descriptor. So "is it alive" is one
 * flock that no crash can leave wrong, and two starters cannot both start one.
 */

#define REDIS_SERVER_START_MS 2000

/* The socket to connect to; ERR_MISSING when there is no .nephron/redis yet and !create. */
int redis_server_address(const struct tracking *t, bool create, struct redis_address *a,
                         struct err *e);
/* Starts the server unless it runs, and waits up to REDIS_SERVER_START_MS until it answers.
 * *started (may be NULL) tells whether it was this call. ERR_MISSING: no redis-server installed.
 * ERR_BUSY: it runs but does not answer. */
int redis_server_start(const struct tracking *t, bool *started, struct err *e);
/* Asks it to save and end; waits up to 10 s. ERR_MISSING when none runs. */
int redis_server_stop(const struct tracking *t, struct err *e);
/* Alive (answering or not)? *pid (may be NULL) from the pid file, 0 when unknown. */
bool redis_server_alive(const struct tracking *t, pid_t *pid);
/* Whether it ever ran here: then its files hold runs that a reader wants. */
bool redis_server_has_data(const struct tracking *t);

/*
 * The connection that the settings ask for. For `auto` the server is started when `start`, else
 * used only when it runs. ERR_MISSING: `none`, or no server to use.
 */
struct redis *redis_connect(const struct tracking *t, bool start, struct err *e);

#endif
