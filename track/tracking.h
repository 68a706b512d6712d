#ifndef NEPHRON_TRACKING_H
#define NEPHRON_TRACKING_H

#include <stdbool.h>

struct arena;
struct err;

/*
 * Where runs are recorded: the settings that the writer (sink.h), the readers (runread.h) and
 * `nephron redis` share.
 *
 * | key of config/config.yaml | type | default  | meaning |
 * |---|---|---|---|
 * | tracking.redis_url | text | auto     | `auto`: private server below .nephron/redis;
 * |                    |      |          | `redis://user:password@host:port/db`; `unix:///path`;
 * |                    |      |          | `none`: local spool only. NEPHRON_REDIS_URL overrides |
 * | tracking.prefix    | text | nephron: | first part of every Redis key, up to 64 of [A-Za-z0-9_.:-] |
 * | tracking.log_lines | int  | 10000    | log lines kept for each run, about; 1..10000000 |
 *
 * NEPHRON_PROJECT, an absolute path, names the project whatever the current folder is: what runs in a
 * copy of a repository is recorded with the repository. A password not in the URL is taken from REDIS_PASSWORD. An absent config file is fine.
 */

#define TRACKING_PREFIX_MAX 64
#define TRACKING_DIR ".nephron"

struct tracking {
    char *project;   /* absolute path of the project folder */
    char *redis_url; /* may hold a password: never printed */
    char prefix[TRACKING_PREFIX_MAX + 1];
    long log_lines;
};

/* The project folder of `cwd` (absolute): the nearest ancestor with a .dvc folder, else the nearest
 * with a dvc.yaml, else `cwd`. The text is in the arena. */
char *tracking_project(struct arena *a, const char *cwd);

/* NEPHRON_PROJECT, when it is an absolute path; else NULL. */
const char *tracking_told_project(void);

/* Reads the settings of `project` (NULL: that of the current folder). ERR_CONFIG for a bad value,
 * ERR_FORMAT for a broken file; *t then needs no release. */
int tracking_load(struct tracking *t, const char *project, struct err *e);
void tracking_release(struct tracking *t);

/* Makes <project>/.nephron/<sub>, with a .gitignore in .nephron that keeps git away from it.
 * Returns new. */
char *tracking_dir(const struct tracking *t, const char *sub, bool create, struct err *e);

#endif
