#ifndef NEPHRON_JOBOUTPUT_H
#define NEPHRON_JOBOUTPUT_H

#include "job.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct runner_hooks;

/*
 * What one job writes, from the moment the runner has the bytes: into the job's log file, line by
 * line to the runner's hooks, and (captured jobs) kept for the result. However a runner comes by
 * the bytes, pipes or memory, the three receivers see the same. The log holds "> cmd" before each
 * command and "[exited with N after S s]" at the end; a full disk costs the log, never the job.
 */

#define JOBOUTPUT_STREAMS 2 /* unfinished lines of stdout and stderr do not mix */

struct joboutput {
    /* All private to joboutput.c. */
    const struct job *job;
    const struct runner_hooks *hooks;
    bool keep, no_commands;
    int log_fd;
    struct strbuf head, tail;
    size_t dropped;
    struct strbuf lines[JOBOUTPUT_STREAMS]; /* begun, no newline yet */
};

struct joboutput_options {
    const struct job *job;            /* kept until release */
    const struct runner_hooks *hooks; /* kept until release; NULL: nobody */
    bool keep;                        /* for joboutput_text */
    bool no_commands;                 /* kept without the lines "> cmd" */
};

/* Opens the log (a first attempt begins it anew, a retry appends); without one nothing is lost but
 * the log. */
void joboutput_init(struct joboutput *o, const struct joboutput_options *opt);
void joboutput_release(struct joboutput *o);
/* A command is about to start. */
void joboutput_command(struct joboutput *o, const char *cmd);
void joboutput_add(struct joboutput *o, int stream, struct str bytes);
/* The stream is at its end: a line without newline counts too. */
void joboutput_end(struct joboutput *o, int stream);
/* The job is over: the log's last line. */
void joboutput_close(struct joboutput *o, int status, double seconds);
/* What was kept, at most RUNNER_OUTPUT_MAX and a word about what was left out; in `a`. */
const char *joboutput_text(const struct joboutput *o, struct arena *a, size_t *bytes);

#endif
