/* What a Redis server may answer, as bytes on a socket, to each question that the readers ask. */

#include "arena.h"
#include "err.h"
#include "redis.h"
#include "runread.h"

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char id[] = "0123456789abcdef0123456789abcdef";

static void ask(struct runread *r, int question)
{
    struct arena a;
    struct err e = ERR_INIT;
    const char **ids, *found;
    struct run_record run;
    struct metric_point *points;
    struct log_line *lines;
    struct runread_place place = {0};
    size_t count = 0;

    arena_init(&a);
    if (question == 0 && runread_ids(r, &a, 0, &ids, &count, &e) == 0 && count) {
        struct run_record *runs = ARENA_ARRAY(&a, count, struct run_record);
        runread_heads(r, &a, ids, count, runs, &e);
    } else if (question == 1) {
        runread_run(r, &a, id, &run, &e);
    } else if (question == 2) {
        runread_metric(r, &a, id, "loss", &place, &points, &count, &e);
    } else if (question == 3) {
        runread_log(r, &a, id, &place, &lines, &count, &e);
    } else if (question == 4) {
        runread_resolve(r, &a, "0123", &found, &e);
    }
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];

    if (size < 1 || size > 65536 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
        return 0;
    }
    if (write(pair[1], data + 1, size - 1) == (ssize_t)size - 1) {
        shutdown(pair[1], SHUT_WR); /* the end of the bytes is the end of the connection */
        struct redis *redis = redis_from_fd(pair[0], NULL);
        struct runread *r = runread_from(redis, "nephron:");
        ask(r, data[0] % 5);
        runread_close(r);
    }
    close(pair[1]);
    return 0;
}
