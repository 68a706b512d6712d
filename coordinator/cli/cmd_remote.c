/* `config`, `remote` and `cache`: the settings. */

#include "cmd.h"

#include "alloc.h"
#include "config.h"
#include "err.h"
#include "migrate.h"
#include "fs.h"
#include "path.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

/* ---- what all share ---- */

struct level_args {
    bool global, host, project, local, quiet;
    enum config_level level;
};

/* Expanded into each table. */
#define LEVEL_OPTIONS(a)                                                                           \
    {OPT_FLAG, 0, "global", NULL, "the settings of this user", &(a).global, NULL},                 \
        {OPT_FLAG, 0, "system", NULL, "the settings of this machine", &(a).host, NULL},            \
        {OPT_FLAG,     0,   "project", NULL, "the settings of this repository (.dvc/config)",      \
         &(a).project, NULL},                                                                      \
        {OPT_FLAG,   0,   "local", NULL, "the settings of this copy of it (.dvc/config.local)",    \
         &(a).local, NULL},                                                                        \
    {                                                                                              \
        OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &(a).quiet, NULL                 \
    }

/* Parses; false with *code set when the command is over. */
static bool parse(const struct opt_spec *spec, int argc, char **argv, struct level_args *a,
                  struct opt_list *args, int *code)
{
    if (!session_options(spec, argc, argv, args, 254, code)) {
        return false;
    }
    if (a->global + a->host + a->project + a->local > 1) {
        fprintf(stderr, "ERROR: --global, --system, --project and --local exclude each other\n");
        opt_print_usage(spec);
        opt_list_release(args);
        *code = 254;
        return false;
    }
    a->level = a->global    ? CONFIG_GLOBAL
               : a->host    ? CONFIG_SYSTEM
               : a->project ? CONFIG_PROJECT
               : a->local   ? CONFIG_LOCAL
                            : CONFIG_ANY;
    return true;
}

/* The settings of the repository around us, also when they are wrong and wait for repair; outside
 * of a repository those of the user. Returns new (config_free). */
static struct config *open_config(struct err *e)
{
    struct repo r;
    struct err why = ERR_INIT;
    struct arena a;
    const char *dvc_dir = NULL;
    arena_init(&a);
    if (repo_open(&r, NULL, &why) == 0) {
        dvc_dir = arena_strdup(&a, r.dvc_dir);
        repo_close(&r);
    } else if (why.code == ERR_CONFIG) {
        const char *dir = path_cwd(&a);
        for (dvc_dir = path_join(&a, dir, ".dvc"); !fs_is_dir(dvc_dir) && strcmp(dir, "/") != 0;) {
            dir = path_dirname(&a, dir);
            dvc_dir = path_join(&a, dir, ".dvc");
        }
    }
    struct config *c = config_open(dvc_dir, e);
    arena_release(&a);
    return c;
}

/* What a command does with the open settings: as config.h, 0, 1 or -1. */
struct work {
    struct level_args level;
    struct opt_list args;
    bool unset, list, show_origin, as_default, force;
};
typedef int work_fn(struct config *c, const struct work *w, struct strbuf *out, struct err *e);

static int run(work_fn *fn, struct work *w)
{
    struct err e = ERR_INIT;
    struct strbuf out;
    strbuf_init(&out);
    struct config *c = open_config(&e);
    int rc = c == NULL ? -1 : fn(c, w, &out, &e);
    if (!w->level.quiet) {
        fwrite(out.p, 1, out.n, stdout);
    }
    strbuf_release(&out);
    config_free(c);
    opt_list_release(&w->args);
    return rc >= 0 ? rc : session_fail(&e, e.code == ERR_USAGE ? 254 : 255);
}

static const char *arg(const struct work *w, size_t i)
{
    return i < w->args.count ? w->args.items[i] : NULL;
}

/* ---- config ---- */

static int do_config(struct config *c, const struct work *w, struct strbuf *out, struct err *e)
{
    const char *name = arg(w, 0), *value = arg(w, 1);
    if (w->list) {
        return config_cmd_list(c, w->level.level, w->show_origin, out, e);
    }
    if (w->unset) {
        return config_cmd_unset(c, w->level.level, name, e);
    }
    return value != NULL ? config_cmd_set(c, w->level.level, name, value, e)
                         : config_cmd_get(c, w->level.level, name, w->show_origin, out, e);
}

static const char *config_misuse(const struct work *w)
{
    if (w->show_origin && (w->unset || w->args.count > 1)) {
        return "--show-origin can't be used together with any of these options: -u/--unset, value";
    }
    if (w->list && (w->unset || w->args.count > 0)) {
        return "-l/--list can't be used together with any of these options: -u/--unset, name, "
               "value";
    }
    return !w->list && w->args.count == 0 ? "name argument is required" : NULL;
}

int cmd_config(int argc, char **argv)
{
    struct work w = {0};
    const struct opt options[] = {
        LEVEL_OPTIONS(w.level),
        {OPT_FLAG, 'u', "unset", NULL, "take the option off", &w.unset, NULL},
        {OPT_FLAG, 'l', "list", NULL, "all options that are set", &w.list, NULL},
        {OPT_FLAG, 0, "show-origin", NULL, "print which file each comes from", &w.show_origin,
         NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron config [OPTION]... [NAME [VALUE]]",
        .about =
            "Prints or sets an option. NAME is section.option or remote.NAME.option; nearer files "
            "win: system, global, project, local.",
        .examples = "  nephron config cache.type hardlink,copy\n  nephron config -l --show-origin\n"
                    "  nephron config --local -u core.remote",
        .options = options,
        .max_args = 2};
    int code;
    if (!parse(&spec, argc, argv, &w.level, &w.args, &code)) {
        return code;
    }
    const char *misuse = config_misuse(&w);
    if (misuse != NULL) {
        fprintf(stderr, "ERROR: %s\n", misuse);
        opt_list_release(&w.args);
        return 1;
    }
    return run(do_config, &w);
}

/* ---- remote ---- */

static int do_add(struct config *c, const struct work *w, struct strbuf *out, struct err *e)
{
    return config_remote_add(c, w->level.level, arg(w, 0), arg(w, 1), w->as_default, w->force, out,
                             e);
}

static int remote_add(int argc, char **argv)
{
    struct work w = {0};
    const struct opt options[] = {
        LEVEL_OPTIONS(w.level),
        {OPT_FLAG, 'd', "default", NULL, "make it the default remote", &w.as_default, NULL},
        {OPT_FLAG, 'f', "force", NULL, "overwrite a remote of this name", &w.force, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron remote add [OPTION]... NAME URL",
        .about = "Adds a remote. A relative folder is kept relative to the settings file.",
        .examples = "  nephron remote add -d store /mnt/store\n  nephron remote add near ../store",
        .options = options,
        .min_args = 2,
        .max_args = 2};
    int code;
    return parse(&spec, argc, argv, &w.level, &w.args, &code) ? run(do_add, &w) : code;
}

static int do_default(struct config *c, const struct work *w, struct strbuf *out, struct err *e)
{
    return config_remote_default(c, w->level.level, arg(w, 0), w->unset, out, e);
}

static int remote_default(int argc, char **argv)
{
    struct work w = {0};
    const struct opt options[] = {LEVEL_OPTIONS(w.level),
                                  {OPT_FLAG, 'u', "unset", NULL, "have no default", &w.unset, NULL},
                                  OPT_END};
    const struct opt_spec spec = {.usage = "nephron remote default [OPTION]... [NAME]",
                                  .about = "Prints or sets the default remote.",
                                  .examples =
                                      "  nephron remote default\n  nephron remote default store",
                                  .options = options,
                                  .max_args = 1};
    int code;
    return parse(&spec, argc, argv, &w.level, &w.args, &code) ? run(do_default, &w) : code;
}

static int do_list(struct config *c, const struct work *w, struct strbuf *out, struct err *e)
{
    return config_remote_list(c, w->level.level, out, e);
}

static int remote_list(int argc, char **argv)
{
    struct work w = {0};
    const struct opt options[] = {LEVEL_OPTIONS(w.level), OPT_END};
    const struct opt_spec spec = {.usage = "nephron remote list [OPTION]...",
                                  .about = "Prints the names and addresses of all remotes.",
                                  .examples = "  nephron remote list --project",
                                  .options = options};
    int code;
    return parse(&spec, argc, argv, &w.level, &w.args, &code) ? run(do_list, &w) : code;
}

static int do_modify(struct config *c, const struct work *w, struct strbuf *out, struct err *e)
{
    (void)out;
    return config_remote_modify(c, w->level.level, arg(w, 0), arg(w, 1),
                                w->unset ? NULL : arg(w, 2), e);
}

static int remote_modify(int argc, char **argv)
{
    struct work w = {0};
    const struct opt options[] = {
        LEVEL_OPTIONS(w.level),
        {OPT_FLAG, 'u', "unset", NULL, "take the option off", &w.unset, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron remote modify [OPTION]... NAME SETTING [VALUE]",
        .about = "Sets or unsets a setting of a remote.",
        .examples = "  nephron remote modify store jobs 8\n  nephron remote modify -u store jobs",
        .options = options,
        .min_args = 2,
        .max_args = 3};
    int code;
    if (!parse(&spec, argc, argv, &w.level, &w.args, &code)) {
        return code;
    }
    if (!w.unset && w.args.count < 3) {
        fprintf(stderr, "ERROR: the following arguments are required: value\n");
        opt_print_usage(&spec);
        opt_list_release(&w.args);
        return 254;
    }
    return run(do_modify, &w);
}

static int do_remove(struct config *c, const struct work *w, struct strbuf *out, struct err *e)
{
    (void)out;
    return config_remote_remove(c, w->level.level, arg(w, 0), e);
}

static int remote_remove(int argc, char **argv)
{
    struct work w = {0};
    const struct opt options[] = {LEVEL_OPTIONS(w.level), OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron remote remove [OPTION]... NAME",
        .about = "Removes a remote from the settings; what it holds stays where it is.",
        .examples = "  nephron remote remove store",
        .options = options,
        .min_args = 1,
        .max_args = 1};
    int code;
    return parse(&spec, argc, argv, &w.level, &w.args, &code) ? run(do_remove, &w) : code;
}

static int do_rename(struct config *c, const struct work *w, struct strbuf *out, struct err *e)
{
    (void)out;
    return config_remote_rename(c, w->level.level, arg(w, 0), arg(w, 1), e);
}

static int remote_rename(int argc, char **argv)
{
    struct work w = {0};
    const struct opt options[] = {LEVEL_OPTIONS(w.level), OPT_END};
    const struct opt_spec spec = {.usage = "nephron remote rename [OPTION]... NAME NEW",
                                  .about = "Renames a remote; the default follows.",
                                  .examples = "  nephron remote rename store archive",
                                  .options = options,
                                  .min_args = 2,
                                  .max_args = 2};
    int code;
    return parse(&spec, argc, argv, &w.level, &w.args, &code) ? run(do_rename, &w) : code;
}

int cmd_remote(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"add", remote_add, "add a remote"},
        {"default", remote_default, "print or set the default remote"},
        {"list", remote_list, "list all remotes"},
        {"modify", remote_modify, "change a setting of a remote"},
        {"remove", remote_remove, "remove a remote"},
        {"rename", remote_rename, "rename a remote"},
    };
    return session_dispatch("remote", commands, ARRAY_SIZE(commands), argc, argv);
}

/* ---- cache ---- */

static int do_cache_dir(struct config *c, const struct work *w, struct strbuf *out, struct err *e)
{
    return config_cache_dir(c, w->level.level, arg(w, 0), w->unset, out, e);
}

static int cache_dir(int argc, char **argv)
{
    struct work w = {0};
    const struct opt options[] = {
        LEVEL_OPTIONS(w.level),
        {OPT_FLAG, 'u', "unset", NULL, "go back to .dvc/cache", &w.unset, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron cache dir [OPTION]... [FOLDER]",
        .about = "Prints or sets the folder of the cache. Objects are not moved.",
        .examples = "  nephron cache dir\n  nephron cache dir --local /scratch/cache",
        .options = options,
        .max_args = 1};
    int code;
    return parse(&spec, argc, argv, &w.level, &w.args, &code) ? run(do_cache_dir, &w) : code;
}

static int migrate(struct session *s, bool dry, bool files, struct strbuf *out, struct err *e)
{
    size_t count;
    const char **names;
    if (migrate_objects(s->store, &s->arena, dry, &count, e) < 0) {
        return -1;
    }
    strbuf_addf(out,
                dry ? "%zu files will be re-hashed and migrated to the DVC 3.0 cache location.\n"
                    : "Migrated %zu files to DVC 3.0 cache location.\n",
                count);
    if (!files) {
        return 0;
    }
    if (migrate_files(s->store, &s->arena, &s->pipeline, dry, &names, &count, e) < 0) {
        return -1;
    }
    strbuf_adds(out, count == 0 ? "No DVC files in the repo to migrate to the 3.0 format.\n"
                     : dry ? "Entries in following DVC files will be migrated to the 3.0 format:\n"
                           : "Entries in following DVC files were migrated to the 3.0 format:\n");
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(out, "\t%s\n", names[i]);
    }
    return 0;
}

static int cache_migrate(int argc, char **argv)
{
    bool dry = false, files = false, quiet = false;
    const struct opt options[] = {
        {OPT_FLAG, 0, "dvc-files", NULL,
         "also .dvc files and dvc.lock, from what is in the workspace", &files, NULL},
        {OPT_FLAG, 0, "dry", NULL, "say what would be done", &dry, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron cache migrate [OPTION]...",
        .about = "Makes objects that DVC 2 left in the cache objects of DVC 3. They also stay "
                 "where they "
                 "are, without taking room twice where the file system has hard links.",
        .examples = "  nephron cache migrate --dry\n  nephron cache migrate --dvc-files",
        .options = options};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt_list_release(&args);
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_STORE, quiet, &e) < 0) {
        return session_fail(&e, 255);
    }
    struct strbuf out;
    strbuf_init(&out);
    int rc = session_lock(&s, "nephron cache migrate", &e);
    rc = rc == 0 ? migrate(&s, dry, files, &out, &e) : rc;
    if (!quiet) {
        fwrite(out.p, 1, out.n, stdout);
    }
    strbuf_release(&out);
    session_close(&s);
    return rc == 0 ? 0 : session_fail(&e, 255);
}

int cmd_cache(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"dir", cache_dir, "print or set the folder of the cache"},
        {"migrate", cache_migrate, "objects of DVC 2 become those of DVC 3"},
    };
    return session_dispatch("cache", commands, ARRAY_SIZE(commands), argc, argv);
}
