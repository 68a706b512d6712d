/* See joboutput.h. */
#include "joboutput.h"

#include "fs.h"
#include "runner.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define HALF_OUTPUT (RUNNER_OUTPUT_MAX / 2)
#define LINE_MAX_BYTES 4096

void joboutput_init(struct joboutput *o, const struct joboutput_options *opt)
{
    const struct job *j = opt->job;
    *o = (struct joboutput){.job = j,
                            .hooks = opt->hooks,
                            .keep = opt->keep,
                            .no_commands = opt->no_commands,
                            .log_fd = -1};
    strbuf_init(&o->head);
    strbuf_init(&o->tail);
    for (int i = 0; i < JOBOUTPUT_STREAMS; i++) {
        strbuf_init(&o->lines[i]);
    }
    if (j->log_path != NULL) {
        int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (j->attempt > 0 ? O_APPEND : O_TRUNC);
        o->log_fd = open(j->log_path, flags, 0666);
    }
}

static void close_log(struct joboutput *o)
{
    if (o->log_fd >= 0) {
        close(o->log_fd);
        o->log_fd = -1;
    }
}

void joboutput_release(struct joboutput *o)
{
    close_log(o);
    strbuf_release(&o->head);
    strbuf_release(&o->tail);
    for (int i = 0; i < JOBOUTPUT_STREAMS; i++) {
        strbuf_release(&o->lines[i]);
    }
}

static void keep(struct joboutput *o, struct str bytes)
{
    if (o->head.n < HALF_OUTPUT) {
        size_t room = HALF_OUTPUT - o->head.n;
        size_t k = bytes.n < room ? bytes.n : room;
        strbuf_add(&o->head, bytes.p, k);
        bytes = str_sub(bytes, k, bytes.n - k);
    }
    strbuf_addstr(&o->tail, bytes);
    if (o->tail.n > 2 * HALF_OUTPUT) {
        size_t drop = o->tail.n - HALF_OUTPUT;
        memmove(o->tail.p, o->tail.p + drop, HALF_OUTPUT);
        strbuf_truncate(&o->tail, HALF_OUTPUT);
        o->dropped += drop;
    }
}

static void to_log(struct joboutput *o, struct str bytes)
{
    if (o->log_fd >= 0 && fs_write_all(o->log_fd, bytes.p, bytes.n, o->job->log_path, NULL) < 0) {
        close_log(o); /* a full disk must not fail the stage because of its log */
    }
}

static void hand_line(struct joboutput *o, struct strbuf *line)
{
    o->hooks->line(o->hooks->ctx, o->job, strbuf_str(line));
    strbuf_reset(line);
}

static void feed_lines(struct joboutput *o, struct strbuf *line, struct str text)
{
    if (o->hooks == NULL || o->hooks->line == NULL) {
        return;
    }
    while (text.n > 0) {
        const char *nl = memchr(text.p, '\n', text.n);
        size_t n = nl != NULL ? (size_t)(nl - text.p) : text.n;
        strbuf_add(line, text.p, n < LINE_MAX_BYTES ? n : LINE_MAX_BYTES);
        if (nl != NULL || line->n >= LINE_MAX_BYTES) {
            hand_line(o, line);
        }
        n += nl != NULL;
        text = str_sub(text, n, text.n - n);
    }
}

void joboutput_command(struct joboutput *o, const char *cmd)
{
    struct strbuf b;
    strbuf_init(&b);
    strbuf_addf(&b, "> %s\n", cmd);
    to_log(o, strbuf_str(&b));
    if (o->keep && !o->no_commands) {
        keep(o, strbuf_str(&b));
    }
    strbuf_release(&b);
    if (o->hooks != NULL && o->hooks->command != NULL) {
        o->hooks->command(o->hooks->ctx, o->job, cmd);
    }
}

void joboutput_add(struct joboutput *o, int stream, struct str bytes)
{
    to_log(o, bytes);
    feed_lines(o, &o->lines[stream], bytes);
    if (o->keep) {
        keep(o, bytes);
    }
}

void joboutput_end(struct joboutput *o, int stream)
{
    if (o->lines[stream].n > 0) {
        hand_line(o, &o->lines[stream]);
    }
}

void joboutput_close(struct joboutput *o, int status, double seconds)
{
    struct strbuf b;
    strbuf_init(&b);
    strbuf_addf(&b, "[exited with %d after %.3f s]\n", status, seconds);
    to_log(o, strbuf_str(&b));
    strbuf_release(&b);
    close_log(o);
}

const char *joboutput_text(const struct joboutput *o, struct arena *a, size_t *bytes)
{
    struct strbuf all;
    strbuf_init(&all);
    strbuf_addstr(&all, strbuf_str(&o->head));
    if (o->dropped > 0) {
        strbuf_addf(&all, "\n[%zu bytes left out; the whole output is in the stage's log]\n",
                    o->dropped);
    }
    strbuf_addstr(&all, strbuf_str(&o->tail));
    const char *text = arena_strndup(a, all.p, all.n);
    *bytes = all.n;
    strbuf_release(&all);
    return text;
}
