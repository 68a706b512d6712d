/* remote_open: from a name in the settings to a remote, see remote.h. */
#include "remote.h"

#include "alloc.h"
#include "config.h"
#include "err.h"
#include "path.h"
#include "remote_helper.h"
#include "repo.h"
#include "store.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int remote_none(const struct repo *r, struct err *e)
{
    const struct value *remotes = value_get(config_merged(r->config), "remote");
    if (remotes && remotes->type == VALUE_MAP && remotes->map.count) {
        return err_set(e, ERR_CONFIG,
                       "config file error: no remote specified in %s. Setup default remote with\n"
                       "    dvc remote default <remote name>\n"
                       "or use:\n    dvc <command> -r <remote name>",
                       r->root);
    }
    return err_set(e, ERR_CONFIG,
                   "config file error: no remote specified in %s. Create a default remote with\n"
                   "    dvc remote add -d <remote name> <remote url>",
                   r->root);
}

#define REFERENCES_MAX 16

/* "remote://base/sub": below the URL of the remote `base`, with its settings where ours are silent.
 */
static int follow_reference(struct arena *a, const struct config *c, const char **url,
                            struct value *options, struct err *e)
{
    const char *base = *url + strlen("remote://"), *slash = strchr(base, '/');
    base = slash ? arena_strndup(a, base, (size_t)(slash - base)) : base;
    const char *base_url = config_remote_get(c, base, "url");
    if (!base_url) {
        return err_set(e, ERR_CONFIG, "config file error: remote '%s' doesn't exist", base);
    }
    const struct value *more = value_get(value_get(config_merged(c), "remote"), base);
    for (size_t i = 0; more && more->type == VALUE_MAP && i < more->map.count; i++) {
        const char *key = value_as_str(more->map.pairs[i].key).p;
        if (!value_get(options, key)) {
            value_set(a, options, key, more->map.pairs[i].val);
        }
    }
    *url = slash && slash[1] ? arena_printf(a, "%s%s", base_url, slash) : base_url;
    return 0;
}

int remote_resolve(struct arena *a, const struct config *c, const char *name, const char **url,
                   const struct value **options, struct err *e)
{
    const struct value *own = name ? value_get(value_get(config_merged(c), "remote"), name) : NULL;
    struct value *all = own ? value_copy(a, own) : value_map(a);
    *options = all;
    for (int i = 0; strncmp(*url, "remote://", 9) == 0; i++) {
        if (i == REFERENCES_MAX) {
            return err_set(e, ERR_CONFIG, "config file error: the remotes of '%s' name one another",
                           *url);
        }
        if (follow_reference(a, c, url, all, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Those keep the files by their names, in versions: objects have no place there. */
static int refuse_worktree(const struct value *options, const char *url, struct err *e)
{
    static const char *const names[] = {"worktree", "version_aware"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *text = value_as_str(value_get(options, names[i])).p;
        if (text && strcasecmp(text, "true") == 0) {
            return err_set(e, ERR_REMOTE, "%s: remotes with `%s` are not built in", url, names[i]);
        }
    }
    return 0;
}

static int open_url(struct remote *r, const struct store *s, struct arena *a, const char *url,
                    const struct value *options, struct err *e)
{
    const char *scheme = strstr(url, "://");
    if (!scheme || !strncmp(url, "file://", 7)) {
        remote_open_dir(r, a, path_absolute(a, s->repo->dvc_dir, scheme ? url + 7 : url));
    } else if (remote_helper_knows((struct str){url, (size_t)(scheme - url)})) {
        return refuse_worktree(options, url, e) < 0 ? -1
                                                    : remote_helper_open(r, a, url, options, e);
    } else {
        return err_set(e, ERR_REMOTE, "%s: remotes of kind '%.*s' are not built in", url,
                       (int)(scheme - url), url);
    }
    r->url = arena_strdup(a, url);
    return 0;
}

int remote_open(struct remote *r, struct store *s, struct arena *a, const char *name, struct err *e)
{
    const struct config *config = s->repo->config;
    name = name ? name : config_default_remote(config);
    if (!name) {
        return remote_none(s->repo, e);
    }
    const char *url = config_remote_get(config, name, "url");
    if (!url) {
        return err_set(e, ERR_CONFIG, "config file error: remote '%s' doesn't exist", name);
    }
    const struct value *options;
    if (remote_resolve(a, config, name, &url, &options, e) < 0 ||
        open_url(r, s, a, url, options, e) < 0) {
        return e && e->code == ERR_CONFIG ? -1 : err_wrap(e, "remote '%s'", name);
    }
    r->name = arena_strdup(a, name);
    const char *jobs = value_as_str(value_get(options, "jobs")).p;
    r->jobs = jobs ? (int)strtol(jobs, NULL, 10) : r->jobs;
    return 0;
}

void remote_close(struct remote *r)
{
    if (r->ops) {
        r->ops->close(r->ctx);
    }
    memset(r, 0, sizeof(*r));
}

int remote_set_jobs(struct remote *r, long jobs, struct err *e)
{
    r->jobs = jobs < 1 ? 1 : jobs < REMOTE_MAX_JOBS ? (int)jobs : REMOTE_MAX_JOBS;
    return r->ops->set_jobs ? r->ops->set_jobs(r->ctx, r->jobs, e) : 0;
}
