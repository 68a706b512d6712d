#ifndef NEPHRON_CONFIG_H
#define NEPHRON_CONFIG_H

#include "str.h"
#include "value.h"

#include <stdbool.h>

struct err;

/*
 * DVC's settings: four INI files that shadow one another (system < global < project < local), read
 * and written byte for byte as DVC 3.67 does (ConfigObj), validated with its texts.
 *
 *     [core]
 *         remote = store          option lines indented by four blanks, " = " between
 *     ['remote "store"']          named sections keep both quotes
 *         url = ../../rel         local paths relative to the file's folder; quoted when they
 *                                 hold , ; # or quotes
 *
 * In memory a level is a map section -> option -> text (or list of texts, for an unquoted a,b);
 * remotes are below the section "remote" by name. Names of sections and options are lower case.
 * Paths (cache.dir, remote urls and key files) are absolute in memory. Files:
 * `$DVC_SYSTEM_CONFIG_DIR` or /etc/xdg/dvc, `$DVC_GLOBAL_CONFIG_DIR` or
 * `$XDG_CONFIG_HOME/dvc` or ~/.config/dvc, .dvc/config, .dvc/config.local.
 *
 * Errors are ERR_CONFIG (exit 251), text "config file error: …"; main prints "configuration error -
 * " before it.
 */

enum config_level {
    CONFIG_SYSTEM,
    CONFIG_GLOBAL,
    CONFIG_PROJECT,
    CONFIG_LOCAL,
    CONFIG_LEVELS,
    CONFIG_ANY = CONFIG_LEVELS, /* reading: all merged; writing: the project's */
};

struct config;

/* Reads all levels. dvc_dir: absolute path of .dvc, or NULL outside of a repository. Does not
 * validate: a command that repairs the config must be able to open it. Returns new (config_free).
 */
struct config *config_open(const char *dvc_dir, struct err *e);
void config_free(struct config *c);
/* Settings that hold for this process alone, over all levels, until the next write: sections as config_read_file
 * gives them. Relative paths in them start at the current folder. */
void config_overlay(struct config *c, const struct value *sections);
/* The project's level anew, from the text of its file in another revision; what was laid over is gone. */
int config_reread_project(struct config *c, struct str text, struct err *e);
/* A file of settings outside of the levels: names packed as in memory, paths as written. ERR_MISSING as Python says
 * it, ERR_CONFIG. In `a`. */
int config_read_file(struct arena *a, const char *path, struct value **sections, struct err *e);
/* DVC's schema over the merged levels. */
int config_validate(const struct config *c, struct err *e);

/* The file of a level; NULL: there is none here. */
const char *config_file(const struct config *c, enum config_level level);

/* Merged values; NULL when unset. Returned text is borrowed until the next write. */
const char *config_get(const struct config *c, const char *section, const char *option);
bool config_get_bool(const struct config *c, const char *section, const char *option, bool unset);
int64_t config_get_int(const struct config *c, const char *section, const char *option,
                       int64_t unset);
/* An option of a remote: config_remote_get(c, "store", "url"). */
const char *config_remote_get(const struct config *c, const char *remote, const char *option);
/* core.remote, or NULL. */
const char *config_default_remote(const struct config *c);
/* section -> option -> value of all levels merged; borrowed. */
const struct value *config_merged(const struct config *c);
/* cache.type as a list in order of trial; *count is 0 when unset (then: reflink, copy). Arena
 * memory. */
const char **config_cache_types(const struct config *c, struct arena *a, size_t *count);

/*
 * The commands. Answers are appended to *out as they appear on stdout; 0 done, 1 done with exit
 * status 1, -1 with *e set. `name` is "section.option", "remote.NAME.option" or "db.NAME.option";
 * ERR_USAGE when it is not.
 */
int config_cmd_get(struct config *c, enum config_level level, const char *name, bool show_origin,
                   struct strbuf *out, struct err *e);
int config_cmd_set(struct config *c, enum config_level level, const char *name, const char *value,
                   struct err *e);
int config_cmd_unset(struct config *c, enum config_level level, const char *name, struct err *e);
int config_cmd_list(struct config *c, enum config_level level, bool show_origin, struct strbuf *out,
                    struct err *e);

int config_remote_add(struct config *c, enum config_level level, const char *name, const char *url,
                      bool as_default, bool force, struct strbuf *out, struct err *e);
int config_remote_modify(struct config *c, enum config_level level, const char *name,
                         const char *option, const char *value /* NULL: unset */, struct err *e);
int config_remote_rename(struct config *c, enum config_level level, const char *name,
                         const char *new_name, struct err *e);
int config_remote_remove(struct config *c, enum config_level level, const char *name,
                         struct err *e);
/* name NULL and !unset: prints it. */
int config_remote_default(struct config *c, enum config_level level, const char *name, bool unset,
                          struct strbuf *out, struct err *e);
int config_remote_list(struct config *c, enum config_level level, struct strbuf *out,
                       struct err *e);
/* path NULL and !unset: prints the absolute folder. */
int config_cache_dir(struct config *c, enum config_level level, const char *path, bool unset,
                     struct strbuf *out, struct err *e);

/* The INI text as a map of sections (not lower-cased, names as written): for tests and fuzzing. */
struct value *config_parse(struct arena *a, struct str text, struct err *e);
/* The reverse, as ConfigObj writes it. ERR_CONFIG for what could not be read back (both kinds of
 * quotes in a list). */
int config_emit(struct strbuf *out, const struct value *sections, struct err *e);

#endif
