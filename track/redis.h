#ifndef NEPHRON_REDIS_H
#define NEPHRON_REDIS_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct redisReply;

/*
 * A connection to Redis: address, time-outs, pipelining, bounded replies. hiredis 0.14 does the
 * wire format; this adds what it lacks: limits on what a server may send (10^6 elements, depth 7,
 * 64 MiB), no SIGPIPE, secrets that never reach a message. One thread at a time.
 *
 * Addresses: `redis://[user][:password]@host[:port][/db]` (percent-encoded), `unix:///path[?db=N]`.
 * Without a password in it, REDIS_PASSWORD is used.
 */

#define REDIS_CONNECT_MS 500
#define REDIS_COMMAND_MS 1000
#define REDIS_ELEMENTS_MAX 1000000
#define REDIS_REPLY_BYTES_MAX ((size_t)64 << 20)

struct redis_address {
    bool is_unix;
    char host[256];
    int port;
    int db;
    char path[108]; /* as sun_path */
    char user[256], password[1024];
};

/* ERR_CONFIG with the reason; the message never holds the password. */
int redis_address_parse(struct redis_address *a, const char *url, struct err *e);
/* ERR_CONFIG when the path is too long for a socket. */
int redis_address_unix(struct redis_address *a, const char *path, struct err *e);
/* "redis://host:6379/0" or "unix:///path": for messages, without user and password. */
#define REDIS_ADDRESS_TEXT 320
void redis_address_text(const struct redis_address *a, char out[REDIS_ADDRESS_TEXT]);

struct redis;

/* Connects, authenticates, selects the database, and asks for a PONG. Blocks up to REDIS_CONNECT_MS
 * + 3 * REDIS_COMMAND_MS. Returns new (redis_close); NULL: ERR_REMOTE (nobody answers; `detail` is
 * the errno when there is one) or ERR_CONFIG (the server refuses the password or the database). */
struct redis *redis_open(const struct redis_address *a, struct err *e);
/* Takes a connected descriptor; nothing is sent. For tests and fuzzing. */
struct redis *redis_from_fd(int fd, struct err *e);
void redis_close(struct redis *r); /* NULL is fine */
/* How long one reply may take from now on; default REDIS_COMMAND_MS. */
void redis_set_timeout(struct redis *r, int ms);

/* Queues a command; nothing is sent before redis_reply. */
int redis_append(struct redis *r, int argc, const char *const *argv, const size_t *lengths,
                 struct err *e);
/* The next reply in order; error replies are replies. Returns new (redis_reply_free). NULL: the
 * connection is of no more use (time-out, closed, malformed): close it. */
struct redisReply *redis_reply(struct redis *r, struct err *e);
/* One command and its reply; an error reply gives NULL with ERR_REMOTE and the server's text. */
struct redisReply *redis_command(struct redis *r, struct err *e, ...) __attribute__((sentinel));
void redis_reply_free(struct redisReply *reply);
/* false once the connection failed: every further call fails at once. */
bool redis_usable(const struct redis *r);

#endif
