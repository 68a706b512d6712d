/* Settings of the run store and the folder it lives in; see tracking.h. */

#include "tracking.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "fs.h"
#include "path.h"
#include "redis.h"
#include "yaml.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINES_DEFAULT 10000
#define LOG_LINES_MAX 10000000

/* The nearest folder from `dir` upwards that has `name`, or NULL. */
static char *find_upwards(struct arena *a, const char *dir, const char *name, bool want_dir)
{
    for (char *at = path_normal(a, dir);; at = path_dirname(a, at)) {
        const char *candidate = path_join(a, at, name);
        if (want_dir ? fs_is_dir(candidate) : fs_is_file(candidate)) {
            return at;
        }
        if (strcmp(at, "/") == 0 || strcmp(at, ".") == 0) {
            return NULL;
        }
    }
}

char *tracking_project(struct arena *a, const char *cwd)
{
    char *found = find_upwards(a, cwd, ".dvc", true);
    if (!found) {
        found = find_upwards(a, cwd, "dvc.yaml", false);
    }
    return found ? found : path_normal(a, cwd);
}

/* Text of an optional setting; absent and null give NULL. */
static int setting_text(const struct value *section, const char *file, const char *key,
                        const char **out, struct err *e)
{
    const struct value *v = value_get(section, key);
    *out = NULL;
    if (!v || v->type == VALUE_NULL) {
        return 0;
    }
    if (v->type != VALUE_STR) {
        return err_set(e, ERR_CONFIG, "%s:%u: tracking.%s must be text, found %s", file, v->line,
                       key, value_type_name(v->type));
    }
    *out = v->s.p;
    return 0;
}

static int set_prefix(struct tracking *t, const char *prefix, const char *file, struct err *e)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "_.:-";
    size_t n = strlen(prefix);
    if (n > TRACKING_PREFIX_MAX || strspn(prefix, allowed) != n) {
        return err_set(e, ERR_CONFIG,
                       "%s: tracking.prefix must be up to %d of letters, digits and _ . : -", file,
                       TRACKING_PREFIX_MAX);
    }
    memcpy(t->prefix, prefix, n + 1);
    return 0;
}

static int check_url(const char *url, const char *where, struct err *e)
{
    struct redis_address address;
    if (strcmp(url, "auto") == 0 || strcmp(url, "none") == 0) {
        return 0;
    }
    if (redis_address_parse(&address, url, e) < 0) {
        return err_wrap(e, "%s", where);
    }
    return 0;
}

static int read_section(struct tracking *t, const struct value *section, const char *file,
                        const char **url, struct err *e)
{
    const char *prefix;
    if (section && section->type != VALUE_MAP && section->type != VALUE_NULL) {
        return err_set(e, ERR_CONFIG, "%s:%u: tracking must be a mapping, found %s", file,
                       section->line, value_type_name(section->type));
    }
    if (setting_text(section, file, "redis_url", url, e) < 0 ||
        setting_text(section, file, "prefix", &prefix, e) < 0 ||
        (prefix && set_prefix(t, prefix, file, e) < 0)) {
        return -1;
    }
    const struct value *lines = value_get(section, "log_lines");
    if (lines && lines->type != VALUE_NULL) {
        if (lines->type != VALUE_INT || lines->i < 1 || lines->i > LOG_LINES_MAX) {
            return err_set(e, ERR_CONFIG, "%s:%u: tracking.log_lines must be a number from 1 to %d",
                           file, lines->line, LOG_LINES_MAX);
        }
        t->log_lines = (long)lines->i;
    }
    return 0;
}

const char *tracking_told_project(void)
{
    const char *told = getenv("NEPHRON_PROJECT");
    return told != NULL && told[0] == '/' ? told : NULL;
}

int tracking_load(struct tracking *t, const char *project, struct err *e)
{
    struct arena a;
    struct err missing = ERR_INIT;
    const char *url = NULL;
    int rc = -1;

    *t = (struct tracking){.prefix = "nephron:", .log_lines = LOG_LINES_DEFAULT};
    arena_init(&a);
    const char *cwd = path_cwd(&a);
    const char *told = tracking_told_project();
    const char *root = told      ? told
                       : project ? path_absolute(&a, cwd, project)
                                 : tracking_project(&a, cwd);
    const char *file = path_join(&a, root, "config/config.yaml");
    struct value *doc =
        yaml_load(&a, file, &(struct yaml_options){.name = "config/config.yaml"}, &missing);
    if (!doc && missing.code != ERR_MISSING) {
        if (e) {
            *e = missing;
        }
        goto out;
    }
    if (read_section(t, value_get(doc, "tracking"), "config/config.yaml", &url, e) < 0) {
        goto out;
    }
    const char *env = getenv("NEPHRON_REDIS_URL");
    bool from_env = env && *env;
    url = from_env ? env : url ? url : "auto";
    if (check_url(url, from_env ? "NEPHRON_REDIS_URL" : "config/config.yaml: tracking.redis_url",
                  e) < 0) {
        goto out;
    }
    t->project = xstrdup(root);
    t->redis_url = xstrdup(url);
    rc = 0;
out:
    arena_release(&a);
    return rc;
}

void tracking_release(struct tracking *t)
{
    free(t->project);
    free(t->redis_url);
    *t = (struct tracking){0};
}

char *tracking_dir(const struct tracking *t, const char *sub, bool create, struct err *e)
{
    struct arena a;
    char *result = NULL;

    arena_init(&a);
    const char *root = path_join(&a, t->project, TRACKING_DIR);
    const char *dir = path_join(&a, root, sub);
    if (create) {
        const char *ignore = path_join(&a, root, ".gitignore");
        if (fs_mkdirs(dir, e) < 0) {
            goto out;
        }
        /* The folder hides itself; a user who edits the file keeps the edit. */
        if (!fs_exists(ignore) && fs_write_atomic(ignore, "*\n", 2, 0644, e) < 0) {
            goto out;
        }
    }
    result = xstrdup(dir);
out:
    arena_release(&a);
    return result;
}
