#ifndef NEPHRON_HYDRABUILTIN_H
#define NEPHRON_HYDRABUILTIN_H

#include "arena.h"
#include "str.h"
#include "value.h"

#include <stdbool.h>

struct err;

/*
 * The settings of Hydra itself, below the key `hydra`. They are not written to params.yaml, but a folder of settings may change them, so
 * their names must be known: an unknown one is refused, and groups below hydra/ can be chosen. Of values only what can be seen
 * is here.
 */

/* The file "hydra/job_logging/default" as YAML; NULL: no such file. */
const char *hydrabuiltin_file(const char *path);
bool hydrabuiltin_is_group(const char *path);
/* The options of a group in order; NULL at the end. For i beyond: NULL. */
const char *hydrabuiltin_option(const char *group, size_t i);
/* Has the value of `hydra` the types that Hydra wants and, with `keys`, only keys that it knows? ERR_FORMAT. */
int hydrabuiltin_check(const struct value *hydra, bool keys, struct err *e);
/* Hydra's name for the map that a key ("hydra.run.dir") lies in, whose keys cannot be deleted; NULL for other maps. */
const char *hydrabuiltin_owner(struct arena *a, const char *key);

#endif
