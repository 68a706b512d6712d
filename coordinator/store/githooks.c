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
#include "yamledit.h"

#include <string.h>

#define MAX_CONFIG ((size_t)1 << 20)

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

static int set_merge_driver(const struct repo *r, struct err *e)
{
    /* %P, which DVC does not pass: the repository may lie below git's root, where git calls the driver */
    static const char *const settings[][2] = {
        {"merge.dvc.name", "DVC merge driver"},
        {"merge.dvc.driver",
         "nephron git-hook merge-driver --ancestor %O --our %A --their %B --path %P"}};
    struct strbuf out;
    strbuf_init(&out);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(settings); i++) {
        const char *args[] = {"config", settings[i][0], settings[i][1], NULL};
        rc = git_run(r, args, &out, e);
    }
    strbuf_release(&out);
    return rc;
}

static int write_hooks(const struct repo *r, struct arena *a, struct err *e)
{
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
    value_set(a, hook, "require_serial", value_bool(a, true));
    value_set(a, hook, "verbose", value_bool(a, true)); /* else what goes well says nothing */
    value_push(a, stages, value_cstr(a, name));
    value_set(a, hook, "stages", stages);
    return hook;
}

/* Adds the entry to the file's document; false when it is there. */
static bool add_tool_entry(struct arena *a, struct value *doc)
{
    static const char *const names[ARRAY_SIZE(hooks)] = {"pre-commit", "pre-push", "post-checkout"};
    struct value *repos = value_get(doc, "repos"), *entry = value_map(a), *list = value_list(a);
    if (repos == NULL || repos->type != VALUE_LIST) {
        repos = value_list(a);
        value_set(a, doc, "repos", repos);
    }
    for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
        value_push(a, list, tool_hook(a, names[i]));
    }
    value_set(a, entry, "repo", value_cstr(a, "local"));
    value_set(a, entry, "hooks", list);
    for (size_t i = 0; i < repos->list.count; i++) {
        if (value_eq(repos->list.items[i], entry)) {
            return false;
        }
    }
    value_push(a, repos, entry);
    return true;
}

static int write_tool_config(const struct repo *r, struct arena *a, struct err *e)
{
    const char *file = path_join(a, r->scm_root, ".pre-commit-config.yaml");
    struct strbuf text, out;
    strbuf_init(&text);
    strbuf_init(&out);
    int rc = fs_exists(file) ? fs_read(file, MAX_CONFIG, &text, e) : 0;
    struct value *doc = rc == 0 ? yaml_parse(a, strbuf_str(&text), NULL, e) : NULL;
    rc = doc == NULL ? -1 : rc;
    bool is_map = doc != NULL && doc->type == VALUE_MAP;
    doc = is_map ? doc : value_map(a);
    if (rc == 0 && add_tool_entry(a, doc)) {
        if (is_map) {
            rc = yamledit_apply(strbuf_str(&text), doc, &out, e);
        } else {
            emit_yaml(&out, doc, NULL);
        }
        rc = rc == 0 ? fs_write_atomic(file, out.p, out.n, 0, e) : rc;
    }
    strbuf_release(&text);
    strbuf_release(&out);
    return rc;
}

int githooks_install(const struct repo *r, struct arena *a, bool tool, struct err *e)
{
    if (r->no_scm || r->scm_root == NULL) {
        return 0;
    }
    if (set_merge_driver(r, e) < 0) {
        return -1;
    }
    return tool ? write_tool_config(r, a, e) : write_hooks(r, a, e);
}
