#ifndef NEPHRON_INIT_H
#define NEPHRON_INIT_H

#include <stdbool.h>

struct err;
struct strbuf;

/*
 * `init`: .dvc with config, .gitignore, tmp/btime, and a .dvcignore beside it; all three `git
 * add`ed. What dvc.md §2 says. ERR_USAGE (exit 255): --no-scm with --subdir. Other errors exit 1
 * and begin "failed to initiate DVC - ".
 */

struct init_options {
    const char *dir; /* NULL: the current folder */
    bool no_scm, force, subdir;
};

int repo_init(const struct init_options *opt, struct strbuf *out, struct err *e);

#endif
