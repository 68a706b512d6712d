#ifndef NEPHRON_STAGEFILE_H
#define NEPHRON_STAGEFILE_H

#include "str.h"
#include "value.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct graph;
struct pipeline;
struct repo;
struct stage;

/*
 * Editing dvc.yaml and .dvc files as text, so that comments and style stay: `stage add`, `freeze`,
 * `unfreeze`; and the text of `stage list`. Texts go in and out; the caller reads and writes the
 * files (fs_write_atomic).
 */

/* Writes a map as YAML lines at `indent`: emit_yaml of the store, which stands above this library.
 */
typedef void stagefile_emit_fn(struct strbuf *out, const struct value *v, unsigned indent);

struct stagefile_out {
    const char *path;
    const char *kind; /* "outs", "metrics", "plots" */
    bool no_cache, persist;
};

struct stagefile_add {
    const char *name, *cmd, *wdir, *desc; /* wdir as typed; NULL: none */
    const char *const *deps;
    size_t dep_count;
    const char *const *params; /* as typed: "lr,net.depth", "other.yaml:k", "other.yaml:" */
    size_t param_count;
    const struct stagefile_out *outs;
    size_t out_count;
    bool always_changed, force;
    stagefile_emit_fn *emit;
};

/* Several words of a command line as one command, as `stage add` joins them. */
void stagefile_join_command(char *const *words, size_t count, struct strbuf *cmd);

/*
 * Appends the stage to the text of ./dvc.yaml (empty when there is none) after DVC's checks: name,
 * command, wdir, paths given twice, cycles, outputs of other stages (`p` is the repository as it
 * stands). With `force` the entry of that name is replaced, keeping its desc and meta. Paths typed
 * are relative to wdir. A `stages` section in flow style ({…}) is written anew in block style.
 */
int stagefile_add_stage(const struct repo *r, const struct pipeline *p,
                        const struct stagefile_add *add, struct str text, struct strbuf *out,
                        struct err *e);

/* `params` of a stage from a map of files to lists of keys, as DVC writes it: files by name, keys
 * sorted, those of params.yaml first and bare. Lists may be reordered; both live in `a`. */
struct value *stagefile_params(struct arena *a, const struct value *files);

/* freeze/unfreeze: sets or drops `frozen: true` of a stage (dvc.yaml) or of the whole file (name
 * NULL: .dvc). */
int stagefile_set_frozen(struct str text, const char *shown, const char *name, bool frozen,
                         struct strbuf *out, struct err *e);

/* Removes a stage's entry; *empty says that no stage is left. */
int stagefile_remove_stage(struct str text, const char *shown, const char *name, struct strbuf *out,
                           bool *empty, struct err *e);

/* `stage list`: names padded, with what they do ("Outputs a, b", "Reports m.json", "Depends on x",
 * the first line of desc), cut at 80 code points. name_only: one name a line. */
void stagefile_list(const struct stage *const *stages, size_t count, bool name_only,
                    struct strbuf *out);

#endif
