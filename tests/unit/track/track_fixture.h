#ifndef NEPHRON_TRACK_FIXTURE_H
#define NEPHRON_TRACK_FIXTURE_H

#include "tracking.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A temporary project and, on demand, a redis-server of its own on a unix socket in it. The server
 * dies with the test process, whatever happens to it.
 */

struct fixture {
    char dir[64];
    char socket[96];
    struct tracking tracking; /* redis_url: unix://<socket> */
    pid_t server;             /* 0: none */
};

bool fixture_has_redis(void); /* redis-server is installed */
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f); /* stops the server, removes everything */
/* Extra arguments in pairs, NULL-terminated; NULL: none. Data stay in the folder over restarts. */
void fixture_start_redis(struct fixture *f, const char *const *extra);
void fixture_signal_redis(struct fixture *f, int sig); /* SIGKILL also reaps */
void fixture_use_url(struct fixture *f, const char *url);
/* Output of redis-cli on the socket, one line for each element; static buffer. */
const char *fixture_cli(struct fixture *f, const char *const *args);
#define FIXTURE_CLI(f, ...) fixture_cli((f), (const char *const[]){__VA_ARGS__, NULL})
/* Runs `nothing sent is missing` checks: the integer that a command answers. */
long fixture_number(struct fixture *f, const char *const *args);
#define FIXTURE_NUMBER(f, ...) fixture_number((f), (const char *const[]){__VA_ARGS__, NULL})
/* Waits up to 20 s until the command answers this number; the last answer. */
long fixture_wait_number(struct fixture *f, long want, const char *const *args);
#define FIXTURE_WAIT(f, want, ...)                                                                 \
    fixture_wait_number((f), (want), (const char *const[]){__VA_ARGS__, NULL})

#endif
