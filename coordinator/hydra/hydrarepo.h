#ifndef NEPHRON_HYDRAREPO_H
#define NEPHRON_HYDRAREPO_H

#include "arena.h"
#include "hydradefault.h"
#include "value.h"

#include <stdbool.h>

struct err;

/*
 * The files of settings by their names without ".yaml": Hydra's own (hydrabuiltin.h), then those of the folders in their order. Each is
 * read once. A file is YAML 1.1 (hydrascalar.h); its first lines may name the package of its settings:
 *
 *   # @package _global_
 *   defaults:            the list, hydradefault.h; no part of the settings
 *     - db: mysql
 *   port: 80
 */

#define HYDRAREPO_MAX_FILES 10000

/* A folder, or for tests a map of texts by their paths ("db/mysql.yaml"). */
struct hydrasource {
    const char *dir;
    const struct value *texts; /* NULL: `dir` counts */
};

struct hydrafile {
    const char *path;
    struct value *doc;   /* the settings: a map, or a list */
    const char *package; /* as the first lines say; NULL: they do not */
    struct hydradefault **defaults;
    size_t count;
    bool absent;
};

struct hydrarepo {
    struct arena *a;
    const struct hydrasource *sources;
    size_t source_count;
    /* Above: public. Below: private to hydrarepo.c */
    struct value *index; /* path -> place in `files` */
    struct hydrafile **files;
    size_t count, capacity;
};

void hydrarepo_init(struct hydrarepo *r, struct arena *a, const struct hydrasource *sources,
                    size_t count);
void hydrarepo_release(struct hydrarepo *r);
/* *file: NULL when there is none of that name; else kept until release. */
int hydrarepo_load(struct hydrarepo *r, const char *path, const struct hydrafile **file,
                   struct err *e);
bool hydrarepo_is_group(const struct hydrarepo *r, const char *path);
/* The names in a group, each behind a line break and a tab. */
void hydrarepo_add_options(const struct hydrarepo *r, const char *group, struct strbuf *out);

#endif
