#ifndef NEPHRON_HYDRADEFAULT_H
#define NEPHRON_HYDRADEFAULT_H

#include "arena.h"
#include "value.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * One element of a defaults list (https://hydra.cc/docs/1.3/advanced/defaults_list) and the names that follow from it.
 *
 *   - path                   a file, from the folder of the file that holds the list; "/path": from the top
 *   - group: option          the file group/option; null: none; a list: several files
 *   - optional group: x      none when the file is not there       - override group: x   changes what another list chose
 *   - group@package: x       under another key than the group's    - _self_              the file that holds the list
 *
 * Its package is the key its settings go below: as written here, else as in the file's first lines (# @package a.b), else its group with
 * dots; below the package of the file that holds the list, unless "_global_" stands in it; "_here_" adds nothing, "_group_" is
 * the group.
 */
struct hydradefault {
    bool is_group;
    const char *name;            /* the path, or the group */
    const char *option;          /* of a group; NULL: null, or `options` */
    const struct value *options; /* of a group: a list of strings; NULL: one */
    const char *package;         /* as written; NULL: none */
    const char *header;          /* of the file's first lines; NULL: none */
    const char *dir;             /* of the file that holds the list; NULL: not yet known */
    const char *parent_package;
    bool optional, override, primary, external, deleted;
    /* What its own list gave, in the order of merging. Without: itself. */
    struct hydradefault **children;
    size_t count;
    const struct hydradefault *parent;
};

/* Reads a list; *items in `a`. `path`: of its file, for messages. ERR_FORMAT. */
int hydradefault_read(struct arena *a, const char *path, const struct value *list,
                      struct hydradefault ***items, size_t *count, struct err *e);
struct hydradefault *hydradefault_new_file(struct arena *a, const char *path);
struct hydradefault *hydradefault_copy(struct arena *a, const struct hydradefault *d);

bool hydradefault_is_self(const struct hydradefault *d);
bool hydradefault_is_missing(const struct hydradefault *d);
bool hydradefault_is_interpolation(struct arena *a, const struct hydradefault *d);
void hydradefault_place(struct arena *a, struct hydradefault *d, const char *dir,
                        const char *package);
void hydradefault_set_header(struct arena *a, struct hydradefault *d, const char *package);

/* Below: once it has been placed; in `a`. */
const char *hydradefault_option(const struct hydradefault *d); /* NULL: null */
const char *hydradefault_group(struct arena *a, const struct hydradefault *d);
const char *hydradefault_path(struct arena *a, const struct hydradefault *d);
/* `header`: does the file's own package count? */
const char *hydradefault_package(struct arena *a, const struct hydradefault *d, bool header);
/* What names it in overrides: "group", or "group@package" when that is another. */
const char *hydradefault_key(struct arena *a, const struct hydradefault *d);

#endif
