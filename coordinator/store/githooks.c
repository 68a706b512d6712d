/* githooks: see githooks.h. */
#include "githooks.h"

#include "alloc.h"
#include "emit.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "path.h"
#include "repo.h"
#include "str.h"
#include "value.h"
#include "yaml.h"

#include <string.h>

static const char *const hooks[] = {"post-checkout", "pre-commit", "pre-push"};

/* Where git looks: core.hooksPath, or hooks below .git. */
static const char *hooks_folder(const struct repo *r, struct arena *a, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    const char *args[] = {"rev-parse", "--git-path", "hooks", NULL};
    const char *dir = NULL;
    if (git_run(r, args, &out, e) == 0) {
        dir = path_absolute(a, r->root, arena_str(a, str_trim(strbuf_str(&out))).p);
    }
    strbuf_release(&out);
    return dir;
}

int githooks_install(const struct repo *r, struct arena *a, struct err *e)
{
    if (r->no_scm || r->scm_root == NULL) {
        return 0;
    }
    const char *dir = hooks_folder(r, a, e);
    if (dir == NULL || fs_mkdirs(dir, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
        if (fs_exists(path_join(a, dir, hooks[i]))) {
            return err_set(
                e, ERR_USAGE,
                "Hook '%s' already exists. Please refer to <https://man.dvc.org/install> for "
                "more info.",
                hooks[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
        const char *text =
            arena_printf(a, "#!/bin/sh\nexec nephron git-hook %s \"$@\"\n", hooks[i]);
        if (fs_write_atomic(path_join(a, dir, hooks[i]), text, strlen(text), 0755, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static struct value *tool_hook(struct arena *a, const char *name)
{
    struct value *hook = value_map(a), *stages = value_list(a);
    value_set(a, hook, "id", value_cstr(a, arena_printf(a, "nephron-%s", name)));
    value_set(a, hook, "name", value_cstr(a, arena_printf(a, "nephron %s", name)));
    value_set(a, hook, "entry", value_cstr(a, arena_printf(a, "nephron git-hook %s", name)));
    value_set(a, hook, "language", value_cstr(a, "system"));
    value_set(a, hook, "pass_filenames", value_bool(a, false));
    value_set(a, hook, "always_run", value_bool(a, true));
    value_push(a, stages, value_cstr(a, name));
    value_set(a, hook, "stages", stages);
    return hook;
}

int githooks_install_tool(const struct repo *r, struct arena *a, struct err *e)
{
    if (r->no_scm || r->scm_root == NULL) {
        return 0;
    }
    const char *file = path_join(a, r->scm_root, ".pre-commit-config.yaml");
    struct value *doc = fs_exists(file) ? yaml_load(a, file, NULL, e) : value_map(a);
    if (doc == NULL) {
        return -1;
    }
    doc = doc->type == VALUE_MAP ? doc : value_map(a);
    struct value *repos = value_get(doc, "repos"), *entry = value_map(a), *list = value_list(a);
    if (repos == NULL || repos->type != VALUE_LIST) {
        repos = value_list(a);
        value_set(a, doc, "repos", repos);
    }
    for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
        value_push(a, list, tool_hook(a, hooks[i]));
    }
    value_set(a, entry, "repo", value_cstr(a, "local"));
    value_set(a, entry, "hooks", list);
    for (size_t i = 0; i < repos->list.count; i++) {
        if (value_eq(repos->list.items[i], entry)) {
            return 0;
        }
    }
    value_push(a, repos, entry);
    struct strbuf out;
    strbuf_init(&out);
    emit_yaml(&out, doc, NULL);
    int rc = fs_write_atomic(file, out.p, out.n, 0, e);
    strbuf_release(&out);
    return rc;
}
