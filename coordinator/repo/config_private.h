#ifndef NEPHRON_CONFIG_PRIVATE_H
#define NEPHRON_CONFIG_PRIVATE_H

#include "config.h"

/*
 * Shared by config*.c only. `raw` is a level as written in its file, sections packed below
 * "remote", "machine" and "db"; `view` is the same with paths absolute; `merged` are all views,
 * later levels over earlier ones.
 */

struct config {
    struct arena arena;
    const char *dvc_dir;              /* NULL: not in a repository */
    const char *files[CONFIG_LEVELS]; /* NULL: level does not exist here */
    struct value *raw[CONFIG_LEVELS];
    struct value *view[CONFIG_LEVELS];
    struct value *merged;
};

/* Calls fn on every option of the map that holds a path (cache.dir, remote urls, key files). */
typedef const char *config_path_fn(struct arena *a, const char *conf_dir, const char *path);
void config_map_paths(struct arena *a, struct value *sections, const char *conf_dir,
                      config_path_fn *fn);
/* Does an option of a remote hold a path? */
bool config_is_remote_path(const char *option);
void config_merge(struct arena *a, struct value *into, const struct value *update);

/* One change of one level: begin, edit *conf, commit (validate, write, reload). */
int config_edit_begin(struct config *c, enum config_level *level, struct value **conf,
                      struct err *e);
int config_edit_commit(struct config *c, enum config_level level, struct value *conf,
                       struct err *e);

int config_schema_check(const struct value *merged, struct err *e);
/* Section names of the schema, ended by NULL, in its order. */
extern const char *const config_schema_sections[];

#endif
