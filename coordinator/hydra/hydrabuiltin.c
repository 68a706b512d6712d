/* See hydrabuiltin.h. Source: the configuration of Hydra 1.3. */
#include "hydrabuiltin.h"
#include "hydrainterp.h"

#include "alloc.h"
#include "err.h"
#include "num.h"

#include <string.h>
#include <strings.h>

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

/* ---- keys and types ---- */

enum kind {
    KIND_MAP,  /* with these keys alone; `name`: Hydra's name for it */
    KIND_OPEN, /* a map of anything */
    KIND_LIST, /* of texts */
    KIND_TEXT,
    KIND_INT,
    KIND_BOOL,
    KIND_MODE,
    KIND_ANY,
};

static const struct field {
    const char *path;
    enum kind kind;
    const char *name;
    bool optional;
} fields[] = {
    {"hydra", KIND_MAP, "HydraConf", false},
    {"hydra.mode", KIND_MODE, NULL, true},
    {"hydra.searchpath", KIND_LIST, NULL, false},
    {"hydra.run", KIND_MAP, "RunDir", false},
    {"hydra.run.dir", KIND_TEXT, NULL, false},
    {"hydra.sweep", KIND_MAP, "SweepDir", false},
    {"hydra.sweep.dir", KIND_TEXT, NULL, false},
    {"hydra.sweep.subdir", KIND_TEXT, NULL, false},
    {"hydra.hydra_logging", KIND_OPEN, NULL, false},
    {"hydra.job_logging", KIND_OPEN, NULL, false},
    {"hydra.sweeper", KIND_ANY, NULL, true},
    {"hydra.launcher", KIND_ANY, NULL, true},
    {"hydra.callbacks", KIND_OPEN, NULL, false},
    {"hydra.help", KIND_MAP, "HelpConf", false},
    {"hydra.help.app_name", KIND_TEXT, NULL, false},
    {"hydra.help.header", KIND_TEXT, NULL, false},
    {"hydra.help.footer", KIND_TEXT, NULL, false},
    {"hydra.help.template", KIND_TEXT, NULL, false},
    {"hydra.hydra_help", KIND_MAP, "HydraHelpConf", false},
    {"hydra.hydra_help.hydra_help", KIND_TEXT, NULL, false},
    {"hydra.hydra_help.template", KIND_TEXT, NULL, false},
    {"hydra.output_subdir", KIND_TEXT, NULL, true},
    {"hydra.overrides", KIND_MAP, "OverridesConf", false},
    {"hydra.overrides.hydra", KIND_LIST, NULL, false},
    {"hydra.overrides.task", KIND_LIST, NULL, false},
    {"hydra.job", KIND_MAP, "JobConf", false},
    {"hydra.job.name", KIND_TEXT, NULL, false},
    {"hydra.job.chdir", KIND_BOOL, NULL, true},
    {"hydra.job.override_dirname", KIND_TEXT, NULL, false},
    {"hydra.job.id", KIND_TEXT, NULL, false},
    {"hydra.job.num", KIND_INT, NULL, false},
    {"hydra.job.config_name", KIND_TEXT, NULL, true},
    {"hydra.job.env_set", KIND_OPEN, NULL, false},
    {"hydra.job.env_copy", KIND_LIST, NULL, false},
    {"hydra.job.config", KIND_MAP, "JobConfig", false},
    {"hydra.job.config.override_dirname", KIND_MAP, "OverrideDirname", false},
    {"hydra.job.config.override_dirname.kv_sep", KIND_TEXT, NULL, false},
    {"hydra.job.config.override_dirname.item_sep", KIND_TEXT, NULL, false},
    {"hydra.job.config.override_dirname.exclude_keys", KIND_LIST, NULL, false},
    {"hydra.runtime", KIND_MAP, "RuntimeConf", false},
    {"hydra.runtime.version", KIND_TEXT, NULL, false},
    {"hydra.runtime.version_base", KIND_TEXT, NULL, false},
    {"hydra.runtime.cwd", KIND_TEXT, NULL, false},
    {"hydra.runtime.config_sources", KIND_ANY, NULL, false},
    {"hydra.runtime.output_dir", KIND_TEXT, NULL, false},
    {"hydra.runtime.choices", KIND_OPEN, NULL, false},
    {"hydra.verbose", KIND_ANY, NULL, true},
};

static const struct field *find(const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (strcmp(fields[i].path, path) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static bool is_text(const struct value *v)
{
    return value_is_scalar(v) && v->type != VALUE_NULL;
}

static bool are_texts(const struct value *list)
{
    bool ok = list->type == VALUE_LIST;
    for (size_t i = 0; ok && i < list->list.count; i++) {
        ok = is_text(list->list.items[i]);
    }
    return ok;
}

static bool is_bool(const struct value *v)
{
    static const char *const words[] = {"1",  "0", "y", "n",   "yes",  "no",
                                        "on", "t", "f", "off", "true", "false"};
    for (size_t i = 0; v->type == VALUE_STR && i < ARRAY_SIZE(words); i++) {
        if (v->s.n == strlen(words[i]) && strcasecmp(v->s.p, words[i]) == 0) {
            return true;
        }
    }
    return v->type == VALUE_BOOL || v->type == VALUE_INT;
}

static bool is_int(const struct value *v)
{
    int64_t i;
    return v->type == VALUE_INT || (v->type == VALUE_STR && num_parse_int(str_trim(v->s), &i));
}

static bool is_mode(const struct value *v)
{
    struct str s = value_as_str(v);
    s = str_starts(s, "RunMode.") ? str_sub(s, 8, s.n - 8) : s;
    return str_is(s, "RUN") || str_is(s, "MULTIRUN") ||
           (v->type == VALUE_INT && (v->i == 1 || v->i == 2));
}

static bool fits(const struct value *v, const struct field *f)
{
    if (v->type == VALUE_NULL) {
        return f->optional;
    }
    if (hydrainterp_is(v) || hydrainterp_is_missing(v)) {
        return true;
    }
    switch (f->kind) {
    case KIND_MAP:
    case KIND_OPEN:
        return v->type == VALUE_MAP;
    case KIND_LIST:
        return v->type == VALUE_LIST && are_texts(v);
    case KIND_TEXT:
        return is_text(v);
    case KIND_INT:
        return is_int(v);
    case KIND_BOOL:
        return is_bool(v);
    case KIND_MODE:
        return is_mode(v);
    default:
        return true;
    }
}

static int check(const struct value *v, const struct field *f, bool keys, struct err *e);

static int check_key(const struct value_pair *p, const struct field *f, bool keys, struct err *e)
{
    struct strbuf path;
    strbuf_init(&path);
    strbuf_addf(&path, "%s.", f->path);
    value_text(&path, p->key);
    const struct field *below = find(path.p);
    int rc = 0;
    if (below != NULL) {
        rc = check(p->val, below, keys, e);
    } else if (keys) {
        rc = err_set(e, ERR_FORMAT,
                     "ConfigKeyError raised while composing config:\nKey '%.200s' not in '%s'",
                     path.p + strlen(f->path) + 1, f->name);
    }
    strbuf_release(&path);
    return rc;
}

static int check(const struct value *v, const struct field *f, bool keys, struct err *e)
{
    if (!fits(v, f)) {
        return err_set(e, ERR_FORMAT,
                       "ValidationError raised while composing config:\n%s cannot be of type %s",
                       f->path, value_type_name(v->type));
    }
    for (size_t i = 0; f->kind == KIND_MAP && v->type == VALUE_MAP && i < v->map.count; i++) {
        if (check_key(&v->map.pairs[i], f, keys, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int hydrabuiltin_check(const struct value *hydra, bool keys, struct err *e)
{
    return check(hydra, &fields[0], keys, e);
}

const char *hydrabuiltin_owner(struct arena *a, const char *key)
{
    const char *dot = strrchr(key, '.');
    const struct field *f = dot != NULL ? find(arena_strndup(a, key, (size_t)(dot - key))) : NULL;
    return f != NULL ? f->name : NULL;
}
