/*
 * What may stand in a DVC config: one row an option. Order and texts follow dvc/config_schema.py of
 * DVC 3.67 and the way voluptuous words its first error: "TEXT for dictionary value @
 * data['section']['option']".
 */
#include "config_private.h"

#include "err.h"
#include "num.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum kind {
    K_STR,
    K_BOOL,
    K_INT,      /* Coerce(int) */
    K_POSITIVE, /* Coerce(int), at least 1 */
    K_PERCENT,  /* Coerce(int), 0..100 */
    K_FLOAT,    /* Coerce(float) */
    K_SECONDS,  /* Coerce(float), at least 0 */
    K_LINKS,    /* reflink, hardlink, symlink, copy */
    K_SHARED,   /* "group" */
    K_AUTH,
    K_PARSE_BOOL,
    K_PARSE_LIST,
    K_PYBOOL, /* schema says bool: no text of a file can satisfy it */
    K_PYINT,
    K_TEXT_OR_BOOL,
};

struct rule {
    const char *group; /* section, or "remote:SCHEME"; several schemes separated by '|' */
    const char *option;
    enum kind kind;
};

#define ALL_REMOTES "remote:|s3|gs|ssh|hdfs|webhdfs|azure|oss|gdrive|http|https|webdav|webdavs|"
#define VERIFY_REMOTES "remote:|s3|gs|ssh|webhdfs|azure|oss|gdrive|http|https|webdav|webdavs|"
#define HTTP "remote:http|https|"
#define WEBDAV "remote:webdav|webdavs|"

static const struct rule rules[] = {
    {"core", "remote", K_STR},
    {"core", "checksum_jobs", K_POSITIVE},
    {"core", "interactive", K_BOOL},
    {"core", "analytics", K_BOOL},
    {"core", "hardlink_lock", K_BOOL},
    {"core", "no_scm", K_BOOL},
    {"core", "autostage", K_BOOL},
    {"core", "experiments", K_BOOL},
    {"core", "check_update", K_BOOL},
    {"core", "site_cache_dir", K_STR},
    {"core", "machine", K_STR},
    {"cache", "local", K_STR},
    {"cache", "s3", K_STR},
    {"cache", "gs", K_STR},
    {"cache", "hdfs", K_STR},
    {"cache", "webhdfs", K_STR},
    {"cache", "ssh", K_STR},
    {"cache", "azure", K_STR},
    {"cache", "dir", K_STR},
    {"cache", "type", K_LINKS},
    {"cache", "protected", K_BOOL},
    {"cache", "shared", K_SHARED},
    {"cache", "slow_link_warning", K_BOOL},
    {"cache", "verify", K_BOOL},
    {"state", "dir", K_STR},
    {"state", "row_limit", K_POSITIVE},
    {"state", "row_cleanup_quota", K_PERCENT},
    {"index", "dir", K_STR},
    {"plots", "html_template", K_STR},
    {"plots", "auto_open", K_BOOL},
    {"plots", "out_dir", K_STR},
    {"exp", "code", K_STR},
    {"exp", "data", K_STR},
    {"exp", "models", K_STR},
    {"exp", "metrics", K_STR},
    {"exp", "params", K_STR},
    {"exp", "plots", K_STR},
    {"exp", "live", K_STR},
    {"exp", "auto_push", K_BOOL},
    {"exp", "git_remote", K_STR},
    {"parsing", "bool", K_PARSE_BOOL},
    {"parsing", "list", K_PARSE_LIST},
    {"hydra", "enabled", K_BOOL},
    {"hydra", "config_dir", K_STR},
    {"hydra", "config_module", K_STR},
    {"hydra", "config_name", K_STR},
    {"hydra", "plugins_path", K_STR},
    {"studio", "token", K_STR},
    {"studio", "url", K_STR},
    {"studio", "repo_url", K_STR},
    {"studio", "offline", K_BOOL},
    {"db", "url", K_STR},
    {"db", "username", K_STR},
    {"db", "password", K_STR},
    {ALL_REMOTES, "url", K_STR},
    {ALL_REMOTES, "checksum_jobs", K_POSITIVE},
    {ALL_REMOTES, "jobs", K_POSITIVE},
    {ALL_REMOTES, "worktree", K_BOOL},
    {ALL_REMOTES, "no_traverse", K_BOOL},
    {ALL_REMOTES, "version_aware", K_BOOL},
    {VERIFY_REMOTES, "verify", K_BOOL},
    {"remote:|ssh|", "type", K_LINKS},
    {"remote:|", "protected", K_BOOL},
    {"remote:|", "shared", K_SHARED},
    {"remote:|", "slow_link_warning", K_BOOL},
    {"remote:s3|", "region", K_STR},
    {"remote:s3|gdrive|", "profile", K_STR},
    {"remote:s3|gs|", "credentialpath", K_STR},
    {"remote:s3|", "configpath", K_STR},
    {"remote:s3|gs|", "endpointurl", K_STR},
    {"remote:s3|", "access_key_id", K_STR},
    {"remote:s3|", "secret_access_key", K_STR},
    {"remote:s3|", "session_token", K_STR},
    {"remote:s3|", "listobjects", K_BOOL},
    {"remote:s3|", "use_ssl", K_BOOL},
    {"remote:s3|gs|azure|", "allow_anonymous_login", K_BOOL},
    {"remote:s3|webhdfs|http|https|webdav|webdavs|", "ssl_verify", K_TEXT_OR_BOOL},
    {"remote:s3|", "sse", K_STR},
    {"remote:s3|", "sse_kms_key_id", K_STR},
    {"remote:s3|", "sse_customer_algorithm", K_STR},
    {"remote:s3|", "sse_customer_key", K_STR},
    {"remote:s3|", "acl", K_STR},
    {"remote:s3|", "grant_read", K_STR},
    {"remote:s3|", "grant_read_acp", K_STR},
    {"remote:s3|", "grant_write_acp", K_STR},
    {"remote:s3|", "grant_full_control", K_STR},
    {"remote:s3|", "cache_regions", K_PYBOOL},
    {"remote:s3|azure|", "read_timeout", K_INT},
    {"remote:s3|", "connect_timeout", K_INT},
    {"remote:gs|", "projectname", K_STR},
    {"remote:ssh|", "port", K_INT},
    {"remote:ssh|hdfs|webhdfs|http|https|webdav|webdavs|", "user", K_STR},
    {"remote:ssh|webhdfs|http|https|webdav|webdavs|", "password", K_STR},
    {"remote:ssh|http|https|webdav|webdavs|", "ask_password", K_BOOL},
    {"remote:ssh|", "passphrase", K_STR},
    {"remote:ssh|", "ask_passphrase", K_BOOL},
    {"remote:ssh|", "keyfile", K_STR},
    {"remote:ssh|azure|webdav|webdavs|", "timeout", K_INT},
    {"remote:ssh|", "gss_auth", K_BOOL},
    {"remote:ssh|", "allow_agent", K_BOOL},
    {"remote:ssh|", "max_sessions", K_INT},
    {"remote:hdfs|", "kerb_ticket", K_STR},
    {"remote:hdfs|", "replication", K_PYINT},
    {"remote:webhdfs|", "kerberos", K_BOOL},
    {"remote:webhdfs|", "kerberos_principal", K_STR},
    {"remote:webhdfs|", "proxy_to", K_STR},
    {"remote:webhdfs|webdav|webdavs|", "token", K_STR},
    {"remote:webhdfs|", "use_https", K_BOOL},
    {"remote:webhdfs|", "data_proxy_target", K_STR},
    {"remote:azure|", "connection_string", K_STR},
    {"remote:azure|", "sas_token", K_STR},
    {"remote:azure|", "account_name", K_STR},
    {"remote:azure|", "account_key", K_STR},
    {"remote:azure|", "tenant_id", K_STR},
    {"remote:azure|", "client_id", K_STR},
    {"remote:azure|", "client_secret", K_STR},
    {"remote:azure|", "exclude_environment_credential", K_BOOL},
    {"remote:azure|", "exclude_visual_studio_code_credential", K_BOOL},
    {"remote:azure|", "exclude_shared_token_cache_credential", K_BOOL},
    {"remote:azure|", "exclude_managed_identity_credential", K_BOOL},
    {"remote:azure|", "connection_timeout", K_INT},
    {"remote:oss|", "oss_key_id", K_STR},
    {"remote:oss|", "oss_key_secret", K_STR},
    {"remote:oss|", "oss_endpoint", K_STR},
    {"remote:gdrive|", "gdrive_use_service_account", K_BOOL},
    {"remote:gdrive|", "gdrive_client_id", K_STR},
    {"remote:gdrive|", "gdrive_client_secret", K_STR},
    {"remote:gdrive|", "gdrive_user_credentials_file", K_STR},
    {"remote:gdrive|", "gdrive_service_account_user_email", K_STR},
    {"remote:gdrive|", "gdrive_service_account_json_file_path", K_STR},
    {"remote:gdrive|", "gdrive_trash_only", K_BOOL},
    {"remote:gdrive|", "gdrive_acknowledge_abuse", K_BOOL},
    {HTTP, "auth", K_AUTH},
    {"remote:http|https|webdav|webdavs|", "custom_auth_header", K_STR},
    {HTTP, "method", K_STR},
    {HTTP, "connect_timeout", K_SECONDS},
    {HTTP, "read_timeout", K_SECONDS},
    {WEBDAV, "bearer_token_command", K_STR},
    {WEBDAV, "cert_path", K_STR},
    {WEBDAV, "key_path", K_STR},
};

const char *const config_schema_sections[] = {"core",    "cache",   "remote", "state", "index",
                                              "machine", "feature", "plots",  "exp",   "parsing",
                                              "hydra",   "studio",  "db",     NULL};

static const char *const remote_schemes[] = {"s3",     "gs",      "ssh",    "hdfs", "webhdfs",
                                             "azure",  "oss",     "gdrive", "http", "https",
                                             "webdav", "webdavs", "remote"};

/* "s3|" in "remote:s3|gs|"; for local paths scheme is "" and the list begins with "remote:|". */
static bool group_has_scheme(const char *group, const char *scheme)
{
    if (strncmp(group, "remote:", 7) != 0) {
        return false;
    }
    size_t n = strlen(scheme);
    for (const char *p = group + 7; *p != 0;) {
        const char *bar = strchr(p, '|');
        if ((size_t)(bar - p) == n && memcmp(p, scheme, n) == 0) {
            return true;
        }
        p = bar + 1;
    }
    return false;
}

static const struct rule *find_rule(const char *section, const char *scheme, const char *option)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(rules[i].option, option) != 0) {
            continue;
        }
        if (scheme != NULL ? group_has_scheme(rules[i].group, scheme)
                           : strcmp(rules[i].group, section) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcasecmp(text, *words) == 0) {
            return true;
        }
    }
    return false;
}

/* Appends the link types that do not exist to `bad`. */
static void unknown_links(const struct value *v, struct strbuf *bad)
{
    static const char *const known[] = {"reflink", "hardlink", "symlink", "copy"};
    struct str rest = v->type == VALUE_LIST ? STR("") : value_as_str(v);
    size_t next = 0;
    struct str word;
    for (;;) {
        if (v->type == VALUE_LIST) {
            if (next == v->list.count) {
                return;
            }
            word = value_as_str(v->list.items[next++]);
        } else if (str_split(&rest, ',', &word)) {
            word = str_trim(word);
        } else {
            return;
        }
        bool found = false;
        for (size_t i = 0; i < 4; i++) {
            found = found || str_is(word, known[i]);
        }
        if (!found) {
            strbuf_addf(bad, "%s%.*s", bad->n > 0 ? ", " : "", STR_ARG(word));
        }
    }
}

/* NULL: fine; else what the schema says. */
static const char *check_int(const char *text, int64_t min, int64_t max)
{
    int64_t i;
    if (!num_parse_int(str_trim(str_from(text)), &i)) {
        return "expected int";
    }
    if (i < min) {
        return min == 1 ? "value must be at least 1" : "value must be at least 0";
    }
    return i > max ? "value must be at most 100" : NULL;
}

static const char *check_scalar(enum kind kind, const char *text)
{
    static const char *const bools[] = {"true", "false", NULL};
    static const char *const group[] = {"group", NULL};
    static const char *const auth[] = {"basic", "digest", "custom", NULL};
    static const char *const parse_bool[] = {"store_true", "boolean_optional", NULL};
    static const char *const parse_list[] = {"nargs", "append", NULL};
    double d;
    switch (kind) {
    case K_BOOL:
        return is_one_of(text, bools) ? NULL : "expected true or false";
    case K_INT:
        return check_int(text, INT64_MIN, INT64_MAX);
    case K_POSITIVE:
        return check_int(text, 1, INT64_MAX);
    case K_PERCENT:
        return check_int(text, 0, 100);
    case K_FLOAT:
    case K_SECONDS:
        if (!num_parse_double(str_trim(str_from(text)), &d)) {
            return "expected float";
        }
        return kind == K_SECONDS && !(d >= 0) ? "value must be at least 0" : NULL;
    case K_SHARED:
        return is_one_of(text, group) ? NULL : "expected one of group";
    case K_AUTH:
        return is_one_of(text, auth) ? NULL : "expected one of basic, digest, custom";
    case K_PARSE_BOOL:
        return is_one_of(text, parse_bool) ? NULL : "expected one of store_true, boolean_optional";
    case K_PARSE_LIST:
        return is_one_of(text, parse_list) ? NULL : "expected one of nargs, append";
    case K_PYBOOL:
        return "expected bool";
    case K_PYINT:
        return "expected int";
    case K_STR:
    case K_LINKS:
    case K_TEXT_OR_BOOL:
        return NULL;
    }
    return NULL;
}

static int check_option(const char *where, const struct rule *rule, const struct value *v,
                        struct err *e)
{
    if (rule->kind == K_LINKS) {
        struct strbuf bad;
        strbuf_init(&bad);
        unknown_links(v, &bad);
        int rc = 0;
        if (bad.n > 0) {
            rc = err_set(e, ERR_CONFIG,
                         "Unsupported cache type(s): %s for dictionary value @ %s['%s']", bad.p,
                         where, rule->option);
        }
        strbuf_release(&bad);
        return rc;
    }
    struct strbuf text;
    strbuf_init(&text);
    if (v->type != VALUE_LIST && v->type != VALUE_MAP) {
        value_text(&text, v);
    }
    const char *wrong = v->type == VALUE_LIST || v->type == VALUE_MAP
                            ? "expected str"
                            : check_scalar(rule->kind, text.p);
    strbuf_release(&text);
    if (wrong != NULL) {
        return err_set(e, ERR_CONFIG, "%s for dictionary value @ %s['%s']", wrong, where,
                       rule->option);
    }
    return 0;
}

static int check_options(const char *where, const char *section, const char *scheme,
                         const struct value *options, struct err *e)
{
    for (size_t i = 0; i < options->map.count; i++) {
        struct str option = value_as_str(options->map.pairs[i].key);
        const struct rule *rule = find_rule(section, scheme, option.p);
        if (rule == NULL) {
            return err_set(e, ERR_CONFIG, "extra keys not allowed @ %s['%s']", where, option.p);
        }
        if (check_option(where, rule, options->map.pairs[i].val, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_remote(const char *name, const struct value *options, struct err *e)
{
    char where[600];
    snprintf(where, sizeof where, "data['remote']['%s']", name);
    if (options->type != VALUE_MAP) {
        return err_set(e, ERR_CONFIG, "expected a dictionary for dictionary value @ %s", where);
    }
    const struct value *url = value_get(options, "url");
    if (url == NULL || url->type != VALUE_STR) {
        return err_set(e, ERR_CONFIG, "expected 'url' for dictionary value @ %s", where);
    }
    const char *sep = strstr(url->s.p, "://");
    size_t n = sep != NULL ? (size_t)(sep - url->s.p) : 0;
    bool has_host = sep != NULL && sep[3] != 0 && sep[3] != '/';
    for (size_t i = 0; has_host && i < n; i++) {
        has_host = isalnum((unsigned char)url->s.p[i]) || strchr("+-.", url->s.p[i]) != NULL;
    }
    if (!has_host) {
        return check_options(where, "remote", "", options, e);
    }
    for (size_t i = 0; i < sizeof remote_schemes / sizeof *remote_schemes; i++) {
        if (strlen(remote_schemes[i]) == n && strncasecmp(remote_schemes[i], url->s.p, n) == 0) {
            bool any =
                strcmp(remote_schemes[i], "remote") == 0; /* remote://NAME/path: all options */
            return any ? 0 : check_options(where, "remote", remote_schemes[i], options, e);
        }
    }
    return err_set(e, ERR_CONFIG, "Unsupported URL type %.*s:// for dictionary value @ %s", (int)n,
                   url->s.p, where);
}

static int check_named(const char *section, const struct value *names, struct err *e)
{
    for (size_t i = 0; i < names->map.count; i++) {
        const char *name = value_as_str(names->map.pairs[i].key).p;
        const struct value *options = names->map.pairs[i].val;
        if (strcmp(section, "remote") == 0) {
            if (check_remote(name, options, e) < 0) {
                return -1;
            }
        } else if (strcmp(section, "db") == 0) {
            char where[600];
            snprintf(where, sizeof where, "data['db']['%s']", name);
            if (options->type != VALUE_MAP) {
                return err_set(e, ERR_CONFIG, "expected a dictionary for dictionary value @ %s",
                               where);
            }
            if (check_options(where, "db", NULL, options, e) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static bool is_known_section(const char *name)
{
    for (const char *const *s = config_schema_sections; *s != NULL; s++) {
        if (strcmp(*s, name) == 0) {
            return true;
        }
    }
    return false;
}

int config_schema_check(const struct value *merged, struct err *e)
{
    for (size_t i = 0; i < merged->map.count; i++) {
        const char *section = value_as_str(merged->map.pairs[i].key).p;
        const struct value *options = merged->map.pairs[i].val;
        char where[300];
        snprintf(where, sizeof where, "data['%s']", section);
        if (!is_known_section(section)) {
            return err_set(e, ERR_CONFIG, "extra keys not allowed @ %s", where);
        }
        if (options->type != VALUE_MAP) {
            return err_set(e, ERR_CONFIG, "expected a dictionary for dictionary value @ %s", where);
        }
        bool named = strcmp(section, "remote") == 0 || strcmp(section, "db") == 0 ||
                     strcmp(section, "machine") == 0;
        bool free_form = strcmp(section, "feature") == 0;
        if (free_form) {
            continue;
        }
        int rc = named ? check_named(section, options, e)
                       : check_options(where, section, NULL, options, e);
        if (rc < 0) {
            return -1;
        }
        if (strcmp(section, "hydra") == 0 && value_get(options, "config_dir") != NULL &&
            value_get(options, "config_module") != NULL) {
            return err_set(e, ERR_CONFIG,
                           "two or more values in the same group of exclusion 'config_source' @ "
                           "data['hydra'][<config_source>]");
        }
    }
    return 0;
}
