/* See hydra.h. */
#include "hydra.h"
#include "hydracompose.h"
#include "hydradump.h"

#include "config.h"
#include "err.h"
#include "fs.h"
#include "repo.h"
#include "value.h"

void hydra_add_file(struct arena *a, struct value *files)
{
    if (value_get(files, HYDRA_FILE) == NULL) {
        value_set(a, files, HYDRA_FILE, value_list(a));
    }
}

/* Below the root, unless it is absolute. */
static const char *below_root(const struct repo *r, struct arena *a, const char *path)
{
    return path[0] == '/' ? path : arena_printf(a, "%s/%s", r->root, path);
}

/* What a Python program would load. */
static int check_python(const struct repo *r, struct arena *a, struct err *e)
{
    const char *module = config_get(r->config, "hydra", "config_module");
    const char *plugins = config_get(r->config, "hydra", "plugins_path");
    if (module != NULL) {
        return err_set(
            e, ERR_USAGE,
            "hydra.config_module '%s' is a Python module, which nephron does not load; put "
            "its settings into a folder and name that: `nephron config hydra.config_dir "
            "conf`",
            module);
    }
    const char *dir =
        arena_printf(a, "%s/hydra_plugins", below_root(r, a, plugins != NULL ? plugins : ""));
    return fs_is_dir(dir)
               ? err_set(e, ERR_USAGE,
                         "'%s' holds plug-ins of Hydra (hydra.plugins_path), Python programs that "
                         "nephron does not load; take them away, or run with --no-hydra",
                         dir)
               : 0;
}

int hydra_compose(const struct repo *r, struct arena *a, const struct value *overrides,
                  struct strbuf *out, struct err *e)
{
    const char *dir = config_get(r->config, "hydra", "config_dir");
    const char *name = config_get(r->config, "hydra", "config_name");
    const struct hydrasource main = {.dir = below_root(r, a, dir != NULL ? dir : "conf")};
    struct value *doc;
    if (check_python(r, a, e) < 0) {
        return -1;
    }
    if (!fs_is_dir(main.dir)) {
        return err_set(e, ERR_MISSING,
                       "Primary config directory not found.\nCheck that the config directory '%s' "
                       "exists and readable",
                       main.dir);
    }
    if (hydracompose(a, &main, name != NULL ? name : "config", overrides, &doc, e) < 0) {
        return -1;
    }
    hydradump(out, doc);
    return 0;
}
