#ifndef NEPHRON_FOREIGN_H
#define NEPHRON_FOREIGN_H

#include "gitsource.h"
#include "opt.h"

struct err;

/* What is said on the command line of the settings of another repository. */
struct foreign {
    const char *config, *remote;
    struct opt_list remote_config;
};

/* The options of all commands that read one; expanded into each table. */
#define FOREIGN_OPTIONS(f)                                                                         \
    {OPT_STR,     0,   "config", "FILE", "file of settings, over those of that repository",        \
     &(f).config, NULL},                                                                           \
        {OPT_STR, 0, "remote", "NAME", "default remote of that repository", &(f).remote, NULL},    \
    {                                                                                              \
        OPT_MULTI, 0, "remote-config", "NAME=VALUE...", "options of that remote, over its own",    \
            &(f).remote_config, NULL                                                               \
    }

/* Borrows the words. ERR_USAGE; ERR_MISSING for a file that is not there. */
int foreign_settings(struct arena *a, const struct foreign *f, struct gitsource_settings *how,
                     struct err *e);
void foreign_release(struct foreign *f);

#endif
