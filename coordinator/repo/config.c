/* Reading and writing of config levels; see config.h. Grammar: config_ini.c, schema:
 * config_schema.c, commands: config_cmd.c. */
#include "config_private.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "num.h"
#include "path.h"

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_PREFIX "config file error"
#define CONFIG_MAX ((size_t)1 << 20)

/* ---- paths in values ---- */

static const char *const remote_paths[] = {"url",
                                           "gdrive_user_credentials_file",
                                           "gdrive_service_account_json_file_path",
                                           "credentialpath",
                                           "configpath",
                                           "keyfile",
                                           "cert_path",
                                           "key_path"};
static const char *const machine_paths[] = {"startup_script", "setup_script"};

bool config_is_remote_path(const char *option)
{
    for (size_t i = 0; i < ARRAY_SIZE(remote_paths); i++) {
        if (strcmp(option, remote_paths[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void map_path(struct arena *a, struct value *options, const char *option,
                     const char *conf_dir, config_path_fn *fn)
{
    struct value *v = value_get(options, option);
    if (v != NULL && v->type == VALUE_STR) {
        value_set(a, options, option, value_cstr(a, fn(a, conf_dir, v->s.p)));
    }
}

static void map_named(struct arena *a, struct value *names, const char *const *options,
                      size_t count, const char *conf_dir, config_path_fn *fn)
{
    for (size_t i = 0; names != NULL && names->type == VALUE_MAP && i < names->map.count; i++) {
        for (size_t k = 0; k < count; k++) {
            map_path(a, names->map.pairs[i].val, options[k], conf_dir, fn);
        }
    }
}

void config_map_paths(struct arena *a, struct value *sections, const char *conf_dir,
                      config_path_fn *fn)
{
    map_path(a, value_get(sections, "cache"), "dir", conf_dir, fn);
    map_named(a, value_get(sections, "remote"), remote_paths, ARRAY_SIZE(remote_paths), conf_dir,
              fn);
    map_named(a, value_get(sections, "machine"), machine_paths, ARRAY_SIZE(machine_paths), conf_dir,
              fn);
}

/* Python's re.match(r"\w+://", path) */
static bool is_url(const char *path)
{
    size_t n = 0;
    while (isalnum((unsigned char)path[n]) || path[n] == '_' || (unsigned char)path[n] >= 0x80) {
        n++;
    }
    return n > 0 && strncmp(path + n, "://", 3) == 0;
}

static const char *expand_user(struct arena *a, const char *path)
{
    if (path[0] != '~') {
        return path;
    }
    const char *slash = strchr(path, '/');
    size_t n = slash != NULL ? (size_t)(slash - path) : strlen(path);
    const char *home = n == 1 ? getenv("HOME") : NULL;
    if (n > 1) {
        const struct passwd *pw = getpwnam(arena_strndup(a, path + 1, n - 1));
        home = pw != NULL ? pw->pw_dir : NULL;
    }
    return home != NULL && home[0] == '/' ? arena_printf(a, "%s%s", home, path + n) : path;
}

/* As stored -> absolute. */
static const char *resolve_path(struct arena *a, const char *conf_dir, const char *path)
{
    if (is_url(path) || path[0] == '/') {
        return path;
    }
    const char *expanded = expand_user(a, path);
    return expanded[0] == '/' ? expanded : path_absolute(a, conf_dir, path);
}

/* ---- files ---- */

static const char *lower(struct arena *a, struct str s)
{
    char *p = arena_strndup(a, s.p, s.n);
    for (char *c = p; *c != 0; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return p;
}

static struct value *lower_keys(struct arena *a, const struct value *map)
{
    struct value *out = value_map(a);
    for (size_t i = 0; i < map->map.count; i++) {
        struct value *val = map->map.pairs[i].val;
        value_set(a, out, lower(a, value_as_str(map->map.pairs[i].key)),
                  val->type == VALUE_MAP ? lower_keys(a, val) : val);
    }
    return out;
}

/* 'remote "store"' -> "store" below "remote"; NULL when `section` is none of that kind. */
static const char *named_part(struct arena *a, const char *section, const char *kind)
{
    struct str s = str_trim(str_from(section));
    if (!str_starts(s, kind)) {
        return NULL;
    }
    s = str_trim(str_sub(s, strlen(kind), s.n - strlen(kind)));
    if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"') {
        return NULL;
    }
    return arena_strndup(a, s.p + 1, s.n - 2);
}

static const char *const named_kinds[] = {"remote", "machine", "db"};

static struct value *unpack_named(struct arena *a, const struct value *sections)
{
    struct value *out = value_map(a);
    for (size_t k = 0; k < ARRAY_SIZE(named_kinds); k++) {
        value_set(a, out, named_kinds[k], value_map(a));
    }
    for (size_t i = 0; i < sections->map.count; i++) {
        const char *section = value_as_str(sections->map.pairs[i].key).p;
        const char *name = NULL;
        for (size_t k = 0; k < ARRAY_SIZE(named_kinds) && name == NULL; k++) {
            name = named_part(a, section, named_kinds[k]);
            if (name != NULL) {
                struct value *group = value_get(out, named_kinds[k]);
                if (group->type == VALUE_MAP) {
                    value_set(a, group, name, sections->map.pairs[i].val);
                }
            }
        }
        if (name == NULL) {
            value_set(a, out, section, sections->map.pairs[i].val);
        }
    }
    return out;
}

static struct value *pack_named(struct arena *a, const struct value *conf)
{
    struct value *out = value_map(a);
    for (size_t i = 0; i < conf->map.count; i++) {
        const char *section = value_as_str(conf->map.pairs[i].key).p;
        struct value *val = conf->map.pairs[i].val;
        bool named = false;
        for (size_t k = 0; k < ARRAY_SIZE(named_kinds); k++) {
            named = named || strcmp(section, named_kinds[k]) == 0;
        }
        bool empty = val->type == VALUE_MAP && val->map.count == 0;
        if (!named && !empty) {
            value_set(a, out, section, val);
        }
    }
    for (size_t k = 0; k < ARRAY_SIZE(named_kinds); k++) {
        const struct value *group = value_get(conf, named_kinds[k]);
        for (size_t i = 0; group != NULL && group->type == VALUE_MAP && i < group->map.count; i++) {
            value_set(a, out,
                      arena_printf(a, "%s \"%s\"", named_kinds[k],
                                   value_as_str(group->map.pairs[i].key).p),
                      group->map.pairs[i].val);
        }
    }
    return out;
}

static void add_schema_sections(struct arena *a, struct value *conf)
{
    for (const char *const *s = config_schema_sections; *s != NULL; s++) {
        if (value_get(conf, *s) == NULL) {
            value_set(a, conf, *s, value_map(a));
        }
    }
}

/* The text of a level's file; empty: there is none. */
static int read_level(struct config *c, enum config_level level, struct strbuf *text, struct err *e)
{
    struct err why = ERR_INIT;
    return fs_read(c->files[level], CONFIG_MAX, text, &why) == 0 || why.code == ERR_MISSING
               ? 0
               : err_set(e, ERR_CONFIG, CONFIG_PREFIX ": %s", why.text);
}

static int take_level(struct config *c, enum config_level level, struct str text, struct err *e)
{
    struct arena *a = &c->arena;
    struct value *sections = config_parse(a, text, e);
    if (sections == NULL) {
        return err_wrap(e, CONFIG_PREFIX);
    }
    c->raw[level] = unpack_named(a, lower_keys(a, sections));
    add_schema_sections(a, c->raw[level]);
    c->view[level] = value_copy(a, c->raw[level]);
    config_map_paths(a, c->view[level], path_dirname(a, c->files[level]), resolve_path);
    return 0;
}

static int load_level(struct config *c, enum config_level level, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    int rc = read_level(c, level, &text, e);
    rc = rc == 0 ? take_level(c, level, strbuf_str(&text), e) : rc;
    strbuf_release(&text);
    return rc;
}

void config_merge(struct arena *a, struct value *into, const struct value *update)
{
    for (size_t i = 0; i < update->map.count; i++) {
        const char *key = value_as_str(update->map.pairs[i].key).p;
        struct value *val = update->map.pairs[i].val;
        struct value *old = value_get(into, key);
        if (old != NULL && old->type == VALUE_MAP && val->type == VALUE_MAP) {
            config_merge(a, old, val);
        } else {
            value_set(a, into, key, value_copy(a, val));
        }
    }
}

static void merge_levels(struct config *c)
{
    c->merged = value_map(&c->arena);
    for (int level = 0; level < CONFIG_LEVELS; level++) {
        if (c->view[level] != NULL) {
            config_merge(&c->arena, c->merged, c->view[level]);
        }
    }
}

static int load_all(struct config *c, struct err *e)
{
    for (int level = 0; level < CONFIG_LEVELS; level++) {
        if (c->files[level] != NULL && load_level(c, (enum config_level)level, e) < 0) {
            return -1;
        }
    }
    merge_levels(c);
    return 0;
}

void config_overlay(struct config *c, const struct value *sections)
{
    struct value *own = value_copy(&c->arena, sections);
    config_map_paths(&c->arena, own, path_cwd(&c->arena), resolve_path);
    config_merge(&c->arena, c->merged, own);
}

int config_reread_project(struct config *c, struct str text, struct err *e)
{
    if (take_level(c, CONFIG_PROJECT, text, e) < 0) {
        return -1;
    }
    merge_levels(c);
    return 0;
}

int config_read_file(struct arena *a, const char *path, struct value **sections, struct err *e)
{
    struct strbuf text;
    struct err why = ERR_INIT;
    strbuf_init(&text);
    int rc = fs_read(path, CONFIG_MAX, &text, &why);
    if (rc < 0) {
        rc = why.code == ERR_MISSING
                 ? err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'", path)
                 : err_set(e, why.code, "%s", why.text);
    } else if ((*sections = config_parse(a, strbuf_str(&text), e)) == NULL) {
        rc = err_wrap(e, CONFIG_PREFIX);
    } else {
        *sections = unpack_named(a, lower_keys(a, *sections));
    }
    strbuf_release(&text);
    return rc;
}

static const char *user_config_dir(struct arena *a)
{
    const char *dir = getenv("DVC_GLOBAL_CONFIG_DIR");
    if (dir != NULL && dir[0] != 0) {
        return path_absolute(a, path_cwd(a), dir);
    }
    const char *xdg = getenv("XDG_CONFIG_HOME");
    if (xdg != NULL && xdg[0] == '/') {
        return path_join(a, xdg, "dvc");
    }
    const char *home = getenv("HOME");
    if (home == NULL || home[0] != '/') {
        const struct passwd *pw = getpwuid(getuid());
        home = pw != NULL ? pw->pw_dir : "/";
    }
    return path_join(a, home, ".config/dvc");
}

static const char *system_config_dir(struct arena *a)
{
    const char *dir = getenv("DVC_SYSTEM_CONFIG_DIR");
    if (dir != NULL && dir[0] != 0) {
        return path_absolute(a, path_cwd(a), dir);
    }
    const char *xdg = getenv("XDG_CONFIG_DIRS");
    if (xdg != NULL && xdg[0] == '/') {
        return path_join(a, arena_strndup(a, xdg, strcspn(xdg, ":")), "dvc");
    }
    return "/etc/xdg/dvc";
}

struct config *config_open(const char *dvc_dir, struct err *e)
{
    struct config *c = xcalloc(1, sizeof *c);
    arena_init(&c->arena);
    struct arena *a = &c->arena;
    c->files[CONFIG_SYSTEM] = path_join(a, system_config_dir(a), "config");
    c->files[CONFIG_GLOBAL] = path_join(a, user_config_dir(a), "config");
    if (dvc_dir != NULL) {
        c->dvc_dir = arena_strdup(a, dvc_dir);
        c->files[CONFIG_PROJECT] = path_join(a, dvc_dir, "config");
        c->files[CONFIG_LOCAL] = path_join(a, dvc_dir, "config.local");
    }
    if (load_all(c, e) < 0) {
        config_free(c);
        return NULL;
    }
    return c;
}

const char *config_file(const struct config *c, enum config_level level)
{
    return c->files[level];
}

void config_free(struct config *c)
{
    if (c != NULL) {
        arena_release(&c->arena);
        free(c);
    }
}

int config_validate(const struct config *c, struct err *e)
{
    return config_schema_check(c->merged, e) < 0 ? err_wrap(e, CONFIG_PREFIX) : 0;
}

/* ---- reading ---- */

const struct value *config_merged(const struct config *c)
{
    return c->merged;
}

static const char *option_text(const struct value *v)
{
    return v != NULL && v->type == VALUE_STR ? v->s.p : NULL;
}

const char *config_get(const struct config *c, const char *section, const char *option)
{
    return option_text(value_get(value_get(c->merged, section), option));
}

bool config_get_bool(const struct config *c, const char *section, const char *option, bool unset)
{
    const char *text = config_get(c, section, option);
    return text == NULL ? unset : strcasecmp(text, "true") == 0;
}

int64_t config_get_int(const struct config *c, const char *section, const char *option,
                       int64_t unset)
{
    const char *text = config_get(c, section, option);
    int64_t i;
    return text != NULL && num_parse_int(str_from(text), &i) ? i : unset;
}

const char *config_remote_get(const struct config *c, const char *remote, const char *option)
{
    return option_text(value_get(value_get(value_get(c->merged, "remote"), remote), option));
}

const char *config_default_remote(const struct config *c)
{
    /* DVC's schema lower-cases core.remote, as names of remotes are. */
    struct value *v = value_get(value_get(c->merged, "core"), "remote");
    if (option_text(v) == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < v->s.n; i++) {
        if (isupper((unsigned char)v->s.p[i])) {
            value_set(
                (struct arena *)&c->arena, value_get(c->merged, "core"), "remote",
                value_cstr((struct arena *)&c->arena, lower((struct arena *)&c->arena, v->s)));
            return option_text(value_get(value_get(c->merged, "core"), "remote"));
        }
    }
    return v->s.p;
}

const char **config_cache_types(const struct config *c, struct arena *a, size_t *count)
{
    const struct value *v = value_get(value_get(c->merged, "cache"), "type");
    *count = 0;
    if (v == NULL) {
        return NULL;
    }
    if (v->type == VALUE_LIST) {
        const char **types = ARENA_ARRAY(a, v->list.count, const char *);
        for (size_t i = 0; i < v->list.count; i++) {
            types[(*count)++] = arena_strdup(a, value_as_str(v->list.items[i]).p);
        }
        return types;
    }
    struct str rest = value_as_str(v), word;
    const char **types = ARENA_ARRAY(a, rest.n + 1, const char *);
    while (str_split(&rest, ',', &word)) {
        types[(*count)++] = arena_str(a, str_trim(word)).p;
    }
    return types;
}

/* ---- writing ---- */

int config_edit_begin(struct config *c, enum config_level *level, struct value **conf,
                      struct err *e)
{
    if (*level == CONFIG_ANY) {
        *level = CONFIG_PROJECT;
    }
    if (c->files[*level] == NULL) {
        return err_set(e, ERR_CONFIG, CONFIG_PREFIX ": Not inside a DVC repo");
    }
    *conf = value_copy(&c->arena, c->raw[*level]);
    return 0;
}

/* A relative path of the file in normal form, as DVC rewrites it. */
static const char *store_path(struct arena *a, const char *conf_dir, const char *path)
{
    (void)conf_dir;
    if (is_url(path) || path[0] == '/' || expand_user(a, path) != path) {
        return path;
    }
    return path_normal(a, path);
}

int config_edit_commit(struct config *c, enum config_level level, struct value *conf, struct err *e)
{
    struct arena *a = &c->arena;
    const char *file = c->files[level];
    config_map_paths(a, conf, path_dirname(a, file), store_path);
    struct value *merged = value_map(a);
    for (int l = 0; l < (int)level; l++) {
        if (c->view[l] != NULL) {
            config_merge(a, merged, c->view[l]);
        }
    }
    config_merge(a, merged, conf);
    if (config_schema_check(merged, e) < 0) {
        return err_wrap(e, CONFIG_PREFIX);
    }
    struct strbuf text;
    strbuf_init(&text);
    if (config_emit(&text, pack_named(a, conf), e) < 0) {
        strbuf_release(&text);
        return err_wrap(e, CONFIG_PREFIX);
    }
    struct stat st;
    mode_t mode = stat(file, &st) == 0 ? st.st_mode & 0777 : 0;
    int rc = fs_mkdirs_for(file, e);
    if (rc == 0) {
        rc = fs_write_atomic(file, text.p, text.n, mode, e);
    }
    strbuf_release(&text);
    if (rc < 0) {
        return err_wrap(e, "cannot write the config");
    }
    return load_all(c, e);
}
