#ifndef NEPHRON_COMPLETION_H
#define NEPHRON_COMPLETION_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Completion scripts for bash, zsh and fish, made from the option tables of the program itself: it
 * is asked, command by command, with --help-table (opt.h), so that a script cannot know other
 * options than the program. What depends on the repository (stages, remotes, revisions) is asked of
 * `nephron` and git while a person types.
 */

struct completion_option {
    const char *short_name, *long_name; /* "-j", "--jobs"; "" when there is none */
    const char *arg;                    /* "N"; "" for flags */
    const char *help;
};

struct completion_command {
    const char *name, *help;
    struct completion_option *options;
    size_t option_count;
    struct completion_command *subs; /* "remote" -> add, list, … */
    size_t sub_count;
};

/* Asks `program` (absolute path) for all its commands. Arena memory. */
int completion_load(struct arena *a, const char *program, struct completion_command *root,
                    struct err *e);
/* Takes up the lines of one --help-table. ERR_FORMAT for lines of another form. */
int completion_parse(struct arena *a, struct str text, struct completion_command *c, struct err *e);

/* shell: "bash", "zsh", "fish". ERR_USAGE for another. */
int completion_write(struct strbuf *out, const char *shell, const struct completion_command *root,
                     struct err *e);

#endif
