/* See hydrabuiltin.h. Source: the configuration of Hydra 1.3. */
#include "hydrabuiltin.h"

#include "alloc.h"
#include "err.h"

#include <string.h>

#define LOGGING                                                                                    \
    "version: 1\nformatters: {simple: {format: text}}\nhandlers: {console: {class: "               \
    "logging.StreamHandler, formatter: simple, stream: 'ext://sys.stdout'}}\nroot: {level: INFO, " \
    "handlers: [console]}\ndisable_existing_loggers: false\n"

static const struct file {
    const char *group, *option, *text;
} files[] = {
    {"hydra", "config",
     "defaults: [output: default, launcher: basic, sweeper: basic, help: default, hydra_help: "
     "default, "
     "hydra_logging: default, job_logging: default, callbacks: null, env: default]\n"
     "mode: null\n"
     "searchpath: []\n"
     "run: {dir: \"???\"}\n"
     "sweep: {dir: \"???\", subdir: \"???\"}\n"
     "hydra_logging: \"???\"\n"
     "job_logging: \"???\"\n"
     "sweeper: \"???\"\n"
     "launcher: \"???\"\n"
     "callbacks: {}\n"
     "help: {app_name: \"???\", header: \"???\", footer: \"???\", template: \"???\"}\n"
     "hydra_help: {hydra_help: \"???\", template: \"???\"}\n"
     "output_subdir: .hydra\n"
     "overrides: {hydra: [], task: []}\n"
     "job: {name: \"???\", chdir: null, override_dirname: \"???\", id: \"???\", num: \"???\", "
     "config_name: "
     "\"???\", env_set: {}, env_copy: [], config: {override_dirname: {kv_sep: '=', item_sep: ',', "
     "exclude_keys: []}}}\n"
     "runtime: {version: \"???\", version_base: \"???\", cwd: \"???\", config_sources: \"???\", "
     "output_dir: "
     "\"???\", choices: {}}\n"
     "verbose: false\n"},
    {"hydra/output", "default",
     "# @package hydra\nrun: {dir: outputs}\nsweep: {dir: multirun, subdir: '${hydra.job.num}'}\n"},
    {"hydra/launcher", "basic",
     "_target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher\n"},
    {"hydra/sweeper", "basic",
     "_target_: hydra._internal.core_plugins.basic_sweeper.BasicSweeper\nmax_batch_size: "
     "null\nparams: null\n"},
    {"hydra/help", "default",
     "app_name: '${hydra.job.name}'\nheader: text\nfooter: text\ntemplate: text\n"},
    {"hydra/hydra_help", "default", "template: text\n"},
    {"hydra/hydra_logging", "default", LOGGING "loggers: {logging_example: {level: DEBUG}}\n"},
    {"hydra/hydra_logging", "disabled",
     "version: 1\nroot: {level: ERROR}\ndisable_existing_loggers: true\n"},
    {"hydra/hydra_logging", "hydra_debug", LOGGING "loggers: {hydra: {level: DEBUG}}\n"},
    {"hydra/hydra_logging", "none", "version: 1\nroot: null\ndisable_existing_loggers: false\n"},
    {"hydra/job_logging", "default", LOGGING},
    {"hydra/job_logging", "disabled",
     "version: 1\nroot: {level: ERROR}\ndisable_existing_loggers: true\n"},
    {"hydra/job_logging", "none", "version: 1\nroot: null\ndisable_existing_loggers: false\n"},
    {"hydra/job_logging", "stdout", LOGGING},
    {"hydra/env", "default", "# @package _global_\n"},
};

const char *hydrabuiltin_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; slash != NULL && i < ARRAY_SIZE(files); i++) {
        size_t n = strlen(files[i].option);
        if (strlen(files[i].group) == (size_t)(slash - path) &&
            strncmp(files[i].group, path, (size_t)(slash - path)) == 0 &&
            strncmp(slash + 1, files[i].option, n) == 0 &&
            (slash[1 + n] == '\0' || strcmp(slash + 1 + n, ".yaml") == 0)) {
            return files[i].text;
        }
    }
    return NULL;
}

bool hydrabuiltin_is_group(const char *path)
{
    return hydrabuiltin_option(path, 0) != NULL;
}

const char *hydrabuiltin_option(const char *group, size_t i)
{
    for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
        if (strcmp(files[k].group, group) == 0 && i-- == 0) {
            return files[k].option;
        }
    }
    return NULL;
}

/* ---- keys ---- */

/* The maps that take no other keys, and Hydra's name for each. */
static const struct closed {
    const char *path, *name, *keys;
} closed[] = {
    {"hydra", "HydraConf",
     " mode searchpath run sweep hydra_logging job_logging sweeper launcher callbacks help "
     "hydra_help "
     "output_subdir overrides job runtime verbose "},
    {"hydra.run", "RunDir", " dir "},
    {"hydra.sweep", "SweepDir", " dir subdir "},
    {"hydra.help", "HelpConf", " app_name header footer template "},
    {"hydra.hydra_help", "HydraHelpConf", " hydra_help template "},
    {"hydra.overrides", "OverridesConf", " hydra task "},
    {"hydra.job", "JobConf",
     " name chdir override_dirname id num config_name env_set env_copy config "},
    {"hydra.job.config", "JobConfig", " override_dirname "},
    {"hydra.job.config.override_dirname", "OverrideDirname", " kv_sep item_sep exclude_keys "},
    {"hydra.runtime", "RuntimeConf",
     " version version_base cwd config_sources output_dir choices "},
};

static int check_map(const struct value *map, const char *path, struct err *e)
{
    const struct closed *c = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(closed); i++) {
        c = strcmp(closed[i].path, path) == 0 ? &closed[i] : c;
    }
    if (c == NULL || map->type != VALUE_MAP) {
        return 0;
    }
    for (size_t i = 0; i < map->map.count; i++) {
        struct strbuf key, down;
        strbuf_init(&key);
        strbuf_init(&down);
        strbuf_addch(&key, ' ');
        value_text(&key, map->map.pairs[i].key);
        strbuf_addf(&down, "%s.%s", path, key.p + 1);
        strbuf_addch(&key, ' ');
        int rc = strstr(c->keys, key.p) != NULL && strchr(key.p + 1, ' ')[1] == '\0'
                     ? check_map(map->map.pairs[i].val, down.p, e)
                     : err_set(e, ERR_FORMAT, "Key '%.*s' not in '%s'\n    full_key: %.300s",
                               (int)(key.n > 202 ? 200 : key.n - 2), key.p + 1, c->name, down.p);
        strbuf_release(&key);
        strbuf_release(&down);
        if (rc < 0) {
            return -1;
        }
    }
    return 0;
}

int hydrabuiltin_check(const struct value *hydra, struct err *e)
{
    return check_map(hydra, "hydra", e);
}
