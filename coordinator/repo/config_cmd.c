/* The logic of `config`, `remote` and `cache dir`: what dvc/commands/{config,remote,cache}.py do.
 */
#include "config_private.h"

#include "err.h"
#include "path.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define CONFIG_PREFIX "config file error"

/* "remote.store.url" -> top "remote", section "store", option "url"; "core.remote" -> top NULL. */
struct option_name {
    const char *top, *section, *option;
};

static char *lower_copy(struct arena *a, const char *s, size_t n)
{
    char *p = arena_strndup(a, s, n);
    for (char *c = p; *c != 0; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return p;
}

/* NAME_REGEX of DVC: ^((remote|db)\.)?[^.]*\.[^.]*$ */
static int parse_name(struct arena *a, const char *name, struct option_name *out, struct err *e)
{
    out->top = NULL;
    const char *rest = name;
    const char *first = strchr(name, '.');
    const char *second = first != NULL ? strchr(first + 1, '.') : NULL;
    if (second != NULL) {
        size_t n = (size_t)(first - name);
        bool known =
            (n == 6 && memcmp(name, "remote", 6) == 0) || (n == 2 && memcmp(name, "db", 2) == 0);
        if (!known || strchr(second + 1, '.') != NULL) {
            first = NULL;
        }
        out->top = arena_strndup(a, name, n);
        rest = name + n + 1;
    }
    if (first == NULL) {
        return err_set(e, ERR_USAGE,
                       "argument name: name argument should look like remote.name.option or "
                       "db.name.option or section.option");
    }
    const char *dot = strchr(rest, '.');
    out->section = lower_copy(a, rest, (size_t)(dot - rest));
    out->option = lower_copy(a, dot + 1, strlen(dot + 1));
    return 0;
}

static int check_present(const struct value *conf, const struct option_name *n, struct err *e)
{
    const char *kind = n->top != NULL ? n->top : "section";
    const struct value *section = value_get(conf, n->section);
    if (section == NULL) {
        return err_set(e, ERR_CONFIG, CONFIG_PREFIX ": %s '%s' doesn't exist", kind, n->section);
    }
    if (value_get(section, n->option) == NULL) {
        return err_set(e, ERR_CONFIG, CONFIG_PREFIX ": option '%s' doesn't exist in %s '%s'",
                       n->option, kind, n->section);
    }
    return 0;
}

static int check_level(const struct config *c, enum config_level level, struct err *e)
{
    if (level != CONFIG_ANY && c->files[level] == NULL) {
        return err_set(e, ERR_CONFIG, CONFIG_PREFIX ": Not inside a DVC repo");
    }
    return 0;
}

static void add_origin(struct config *c, int level, struct strbuf *out)
{
    const char *file = c->files[level];
    if (level >= CONFIG_PROJECT) {
        struct arena a;
        arena_init(&a);
        strbuf_adds(out, path_relative(&a, path_dirname(&a, c->dvc_dir), file));
        arena_release(&a);
    } else {
        strbuf_adds(out, file);
    }
    strbuf_addch(out, '\t');
}

static void add_text(struct strbuf *out, const struct value *v)
{
    if (v->type == VALUE_LIST || v->type == VALUE_MAP) {
        value_repr(out, v);
    } else {
        value_text(out, v);
    }
}

int config_cmd_get(struct config *c, enum config_level level, const char *name, bool show_origin,
                   struct strbuf *out, struct err *e)
{
    struct option_name n;
    if (parse_name(&c->arena, name, &n, e) < 0 || check_level(c, level, e) < 0) {
        return -1;
    }
    for (int l = CONFIG_LEVELS - 1; l >= 0; l--) {
        if (c->files[l] == NULL || (level != CONFIG_ANY && l != (int)level)) {
            continue;
        }
        const struct value *conf = n.top != NULL ? value_get(c->view[l], n.top) : c->view[l];
        struct err missing = ERR_INIT;
        if (check_present(conf, &n, &missing) < 0) {
            if (level != CONFIG_ANY) {
                return err_set(e, missing.code, "%s", missing.text);
            }
            continue;
        }
        if (show_origin) {
            add_origin(c, l, out);
        }
        add_text(out, value_get(value_get(conf, n.section), n.option));
        strbuf_addch(out, '\n');
        break;
    }
    return 0;
}

/* Relative local paths are typed from the current folder and stored from the file's. */
static const char *typed_path(struct config *c, enum config_level level, const char *path)
{
    struct arena *a = &c->arena;
    size_t scheme = strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if ((scheme > 0 && strncmp(path + scheme, "://", 3) == 0) || path[0] == '/' || path[0] == '~') {
        return path;
    }
    const char *dir = path_dirname(a, c->files[level]);
    return path_relative(a, dir, path_absolute(a, path_cwd(a), path));
}

static bool is_path_option(const char *top, const char *section, const char *option)
{
    if (top == NULL) {
        return strcmp(section, "cache") == 0 && strcmp(option, "dir") == 0;
    }
    return strcmp(top, "remote") == 0 && config_is_remote_path(option);
}

/* The map `name` below `conf`, made when absent. NULL: something else stands there. */
static struct value *sub_map(struct arena *a, struct value *conf, const char *name)
{
    struct value *v = value_get(conf, name);
    if (v == NULL) {
        v = value_map(a);
        value_set(a, conf, name, v);
    }
    return v->type == VALUE_MAP ? v : NULL;
}

static int set_option(struct config *c, enum config_level level, struct value *conf,
                      const struct option_name *n, const char *value, struct err *e)
{
    struct arena *a = &c->arena;
    struct value *group = n->top != NULL ? sub_map(a, conf, n->top) : conf;
    struct value *section = group != NULL ? sub_map(a, group, n->section) : NULL;
    if (section == NULL) {
        return err_set(e, ERR_CONFIG, CONFIG_PREFIX ": '%s' is an option, not a section",
                       n->section);
    }
    if (is_path_option(n->top, n->section, n->option)) {
        value = typed_path(c, level, value);
    }
    value_set(a, section, n->option, value_cstr(a, value));
    return 0;
}

int config_cmd_set(struct config *c, enum config_level level, const char *name, const char *value,
                   struct err *e)
{
    struct option_name n;
    struct value *conf;
    if (parse_name(&c->arena, name, &n, e) < 0 || config_edit_begin(c, &level, &conf, e) < 0 ||
        set_option(c, level, conf, &n, value, e) < 0) {
        return -1;
    }
    return config_edit_commit(c, level, conf, e);
}

int config_cmd_unset(struct config *c, enum config_level level, const char *name, struct err *e)
{
    struct option_name n;
    struct value *conf;
    if (parse_name(&c->arena, name, &n, e) < 0 || config_edit_begin(c, &level, &conf, e) < 0) {
        return -1;
    }
    struct value *group = n.top != NULL ? value_get(conf, n.top) : conf;
    if (check_present(group, &n, e) < 0) {
        return -1;
    }
    value_remove(value_get(group, n.section), n.option);
    return config_edit_commit(c, level, conf, e);
}

static void list_flat(struct config *c, int level, bool show_origin, const char *prefix,
                      const struct value *map, struct strbuf *out)
{
    for (size_t i = 0; i < map->map.count; i++) {
        const struct value *val = map->map.pairs[i].val;
        struct strbuf key;
        strbuf_init(&key);
        strbuf_addf(&key, "%s%s%s", prefix, *prefix != 0 ? "." : "",
                    value_as_str(map->map.pairs[i].key).p);
        if (val->type == VALUE_MAP) {
            list_flat(c, level, show_origin, key.p, val, out);
        } else {
            if (show_origin) {
                add_origin(c, level, out);
            }
            strbuf_addf(out, "%s=", key.p);
            add_text(out, val);
            strbuf_addch(out, '\n');
        }
        strbuf_release(&key);
    }
}

int config_cmd_list(struct config *c, enum config_level level, bool show_origin, struct strbuf *out,
                    struct err *e)
{
    if (check_level(c, level, e) < 0) {
        return -1;
    }
    for (int l = 0; l < CONFIG_LEVELS; l++) {
        if (c->files[l] != NULL && (level == CONFIG_ANY || l == (int)level)) {
            list_flat(c, l, show_origin, "", c->view[l], out);
        }
    }
    return 0;
}

/* ---- remotes ---- */

static int no_such_remote(const char *name, struct err *e)
{
    return err_set(e, ERR_CONFIG, CONFIG_PREFIX ": remote '%s' doesn't exist.", name);
}

int config_remote_add(struct config *c, enum config_level level, const char *name, const char *url,
                      bool as_default, bool force, struct strbuf *out, struct err *e)
{
    struct arena *a = &c->arena;
    struct value *conf;
    name = lower_copy(a, name, strlen(name));
    if (as_default) {
        strbuf_addf(out, "Setting '%s' as a default remote.\n", name);
    }
    if (config_edit_begin(c, &level, &conf, e) < 0) {
        return -1;
    }
    if (strchr(name, '"') != NULL || strchr(name, '\n') != NULL || strchr(name, '\'') != NULL) {
        return err_set(e, ERR_CONFIG, CONFIG_PREFIX ": the name of a remote cannot hold quotes: %s",
                       name);
    }
    struct value *remotes = value_get(conf, "remote");
    if (value_get(remotes, name) != NULL && !force) {
        return err_set(
            e, ERR_CONFIG,
            CONFIG_PREFIX ": remote '%s' already exists. Use `-f|--force` to overwrite it.", name);
    }
    struct value *remote = value_map(a);
    value_set(a, remote, "url", value_cstr(a, typed_path(c, level, url)));
    value_set(a, remotes, name, remote);
    if (as_default) {
        value_set(a, value_get(conf, "core"), "remote", value_cstr(a, name));
    }
    return config_edit_commit(c, level, conf, e);
}

int config_remote_modify(struct config *c, enum config_level level, const char *name,
                         const char *option, const char *value, struct err *e)
{
    struct arena *a = &c->arena;
    struct value *conf;
    name = lower_copy(a, name, strlen(name));
    if (config_edit_begin(c, &level, &conf, e) < 0) {
        return -1;
    }
    bool known = false;
    for (int l = 0; l <= (int)level; l++) {
        known = known || (c->view[l] != NULL && value_get(value_get(c->view[l], "remote"), name));
    }
    if (!known) {
        return no_such_remote(name, e);
    }
    struct value *remote = sub_map(a, value_get(conf, "remote"), name);
    if (remote == NULL) {
        return no_such_remote(name, e);
    }
    if (value == NULL) {
        value_remove(remote, option);
    } else {
        value_set(a, remote, option,
                  value_cstr(a, is_path_option("remote", name, option) ? typed_path(c, level, value)
                                                                       : value));
    }
    return config_edit_commit(c, level, conf, e);
}

/* Changes core.remote from `old` to `now` (NULL: drops it) in one level; nothing to do is no write.
 */
static int change_default(struct config *c, enum config_level level, const char *old,
                          const char *now, struct err *e)
{
    if (c->files[level] == NULL) {
        return 0;
    }
    const struct value *v = value_get(value_get(c->raw[level], "core"), "remote");
    if (v == NULL || strcmp(value_as_str(v).p, old) != 0) {
        return 0;
    }
    struct value *conf;
    if (config_edit_begin(c, &level, &conf, e) < 0) {
        return -1;
    }
    if (now == NULL) {
        value_remove(value_get(conf, "core"), "remote");
    } else {
        value_set(&c->arena, value_get(conf, "core"), "remote", value_cstr(&c->arena, now));
    }
    return config_edit_commit(c, level, conf, e);
}

int config_remote_remove(struct config *c, enum config_level level, const char *name, struct err *e)
{
    struct value *conf;
    name = lower_copy(&c->arena, name, strlen(name));
    if (config_edit_begin(c, &level, &conf, e) < 0) {
        return -1;
    }
    if (!value_remove(value_get(conf, "remote"), name)) {
        return no_such_remote(name, e);
    }
    if (config_edit_commit(c, level, conf, e) < 0) {
        return -1;
    }
    for (int l = CONFIG_LOCAL; l >= (int)level; l--) {
        if (change_default(c, (enum config_level)l, name, NULL, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int config_remote_rename(struct config *c, enum config_level level, const char *name,
                         const char *new_name, struct err *e)
{
    struct arena *a = &c->arena;
    struct value *conf;
    name = lower_copy(a, name, strlen(name));
    if (value_get(value_get(c->merged, "remote"), new_name) != NULL) {
        return err_set(e, ERR_CONFIG,
                       CONFIG_PREFIX ": Rename failed. Remote name '%s' already exists.", new_name);
    }
    if (config_edit_begin(c, &level, &conf, e) < 0) {
        return -1;
    }
    struct value *remotes = value_get(conf, "remote");
    struct value *remote = value_get(remotes, name);
    if (remote == NULL) {
        return no_such_remote(name, e);
    }
    value_set(a, remotes, new_name, remote);
    value_remove(remotes, name);
    struct value *core = value_get(conf, "core");
    if (str_is(value_as_str(value_get(core, "remote")), name)) {
        value_set(a, core, "remote", value_cstr(a, new_name));
    }
    if (config_edit_commit(c, level, conf, e) < 0) {
        return -1;
    }
    for (int l = CONFIG_LOCAL; l > (int)level; l--) {
        if (change_default(c, (enum config_level)l, name, new_name, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int config_remote_default(struct config *c, enum config_level level, const char *name, bool unset,
                          struct strbuf *out, struct err *e)
{
    struct arena *a = &c->arena;
    if (name == NULL && !unset) {
        if (check_level(c, level, e) < 0) {
            return -1;
        }
        const struct value *conf = level == CONFIG_ANY ? c->merged : c->view[level];
        const struct value *v = value_get(value_get(conf, "core"), "remote");
        if (v == NULL) {
            strbuf_adds(out, "No default remote set\n");
            return 1;
        }
        add_text(out, v);
        strbuf_addch(out, '\n');
        return 0;
    }
    struct value *conf;
    if (config_edit_begin(c, &level, &conf, e) < 0) {
        return -1;
    }
    struct value *core = value_get(conf, "core");
    if (unset) {
        value_remove(core, "remote");
        return config_edit_commit(c, level, conf, e);
    }
    name = lower_copy(a, name, strlen(name));
    bool known = false;
    for (int l = 0; l <= (int)level; l++) {
        known = known || (c->view[l] != NULL && value_get(value_get(c->view[l], "remote"), name));
    }
    if (!known) {
        return err_set(e, ERR_CONFIG,
                       CONFIG_PREFIX ": default remote must be present in remote list.");
    }
    value_set(a, core, "remote", value_cstr(a, name));
    return config_edit_commit(c, level, conf, e);
}

/* DVC prints tabs through a console that expands them to columns of eight. */
static void add_tab(struct strbuf *out, size_t line_start)
{
    size_t column = str_utf8_length((struct str){out->p + line_start, out->n - line_start});
    strbuf_pad(out, ' ', 8 - column % 8);
}

int config_remote_list(struct config *c, enum config_level level, struct strbuf *out, struct err *e)
{
    if (check_level(c, level, e) < 0) {
        return -1;
    }
    const struct value *conf = level == CONFIG_ANY ? c->merged : c->view[level];
    const struct value *remotes = value_get(conf, "remote");
    struct str def = value_as_str(value_get(value_get(conf, "core"), "remote"));
    for (size_t i = 0; remotes != NULL && i < remotes->map.count; i++) {
        struct str name = value_as_str(remotes->map.pairs[i].key);
        const struct value *url = value_get(remotes->map.pairs[i].val, "url");
        size_t start = out->n;
        strbuf_addstr(out, name);
        add_tab(out, start);
        strbuf_addstr(out, value_as_str(url));
        if (def.n > 0 && str_eq(def, name)) {
            add_tab(out, start);
            strbuf_adds(out, "(default)");
        }
        strbuf_addch(out, '\n');
    }
    return 0;
}

int config_cache_dir(struct config *c, enum config_level level, const char *path, bool unset,
                     struct strbuf *out, struct err *e)
{
    static const struct option_name dir = {NULL, "cache", "dir"};
    if (path == NULL && !unset) {
        if (check_level(c, level, e) < 0) {
            return -1;
        }
        const struct value *conf = level == CONFIG_ANY ? c->merged : c->view[level];
        struct err missing = ERR_INIT;
        if (check_present(conf, &dir, &missing) == 0) {
            add_text(out, value_get(value_get(conf, "cache"), "dir"));
        } else if (c->dvc_dir == NULL || level != CONFIG_ANY) {
            return err_set(e, missing.code, "%s", missing.text);
        } else {
            strbuf_addf(out, "%s/cache", c->dvc_dir);
        }
        strbuf_addch(out, '\n');
        return 0;
    }
    return unset ? config_cmd_unset(c, level, "cache.dir", e)
                 : config_cmd_set(c, level, "cache.dir", path, e);
}
