#ifndef NEPHRON_HYDRA_H
#define NEPHRON_HYDRA_H

#include "arena.h"
#include "str.h"

struct err;
struct repo;
struct value;

/*
 * params.yaml composed from a folder of settings, `hydra.enabled` of the repository's config:
 *
 *   hydra.config_dir      the folder, below the root; default conf
 *   hydra.config_name     the primary file without ".yaml"; default config
 *   hydra.config_module, plug-ins in hydra.plugins_path: Python's, refused
 */

#define HYDRA_FILE "params.yaml" /* the file that is composed, as typed */

/* Adds an entry for params.yaml to the map of override_files: it is composed also when nothing is set in it. */
void hydra_add_file(struct arena *a, struct value *files);
/* Appends the text of params.yaml. `overrides`: list of texts. ERR_USAGE for what Python alone can do, else as hydracompose. */
int hydra_compose(const struct repo *r, struct arena *a, const struct value *overrides,
                  struct strbuf *out, struct err *e);

#endif
