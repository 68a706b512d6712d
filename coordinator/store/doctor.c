/* doctor: see doctor.h. Source of the facts and their order: DVC 3.67, dvc/info.py. */
#include "doctor.h"

#include "alloc.h"
#include "config.h"
#include "digest.h"
#include "fs.h"
#include "libyaml.h"
#include "path.h"
#include "proc.h"
#include "repo.h"
#include "value.h"

#include <gnu/libc-version.h>
#include <jansson.h>
#include <mntent.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void set_text(struct arena *a, struct value *map, const char *key, const char *text)
{
    value_set(a, map, key, text ? value_cstr(a, text) : value_null(a));
}

/* ---- the machine ---- */

static void add_machine(struct arena *a, struct value *report)
{
    struct utsname host;
    struct value *libraries = value_map(a);
    if (uname(&host) == 0) {
        set_text(a, report, "platform",
                 arena_printf(a, "%s-%s-%s-with-glibc%s", host.sysname, host.release, host.machine,
                              gnu_get_libc_version()));
    }
    set_text(a, libraries, "libyaml", yaml_get_version_string());
    set_text(a, libraries, "jansson", jansson_version_str());
    set_text(a, libraries, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    value_set(a, report, "libraries", libraries);
}

static void add_config(struct arena *a, struct value *report, const struct config *c)
{
    struct value *dirs = value_map(a);
    set_text(a, dirs, "global", path_dirname(a, config_file(c, CONFIG_GLOBAL)));
    set_text(a, dirs, "system", path_dirname(a, config_file(c, CONFIG_SYSTEM)));
    value_set(a, report, "config", dirs);
}

/* "ext4 on /dev/sda1" of the mount that holds a path. */
static const char *fs_type(struct arena *a, const char *path)
{
    const char *found = "unknown on none";
    size_t best = 0;
    char *real = realpath(path, NULL);
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    for (struct mntent *m; mounts && real && (m = getmntent(mounts)) != NULL;) {
        size_t n = strlen(m->mnt_dir);
        if (n >= best && path_inside(m->mnt_dir, real)) {
            best = n;
            found = arena_printf(a, "%s on %s", m->mnt_type,
                                 strcmp(m->mnt_fsname, "none") == 0 ? "" : m->mnt_fsname);
        }
    }
    if (mounts) {
        endmntent(mounts);
    }
    free(real);
    return found;
}

/* ---- the repository ---- */

/* Tries a link from a file of the cache to one beside the workspace's root files. */
static bool link_works(enum fs_link how, const char *from, const char *target)
{
    char to[4096];
    struct stat st;
    if (fs_temp_name(to, sizeof(to), target, NULL) < 0 || fs_link(how, from, to, 0644, NULL) < 0) {
        return false;
    }
    bool is_link = lstat(to, &st) == 0 && (how == FS_HARDLINK  ? st.st_nlink > 1
                                           : how == FS_SYMLINK ? S_ISLNK(st.st_mode)
                                                               : S_ISREG(st.st_mode));
    unlink(to);
    return is_link;
}

static struct value *cache_types(struct arena *a, const struct repo *r, const char *objects)
{
    static const struct {
        enum fs_link how;
        const char *name;
    } kinds[] = {{FS_REFLINK, "reflink"}, {FS_HARDLINK, "hardlink"}, {FS_SYMLINK, "symlink"}};
    struct value *list = value_list(a);
    struct fs_temp t;
    if (!fs_is_dir(objects) || fs_temp_open(&t, path_join(a, objects, "link"), 0, NULL) < 0) {
        return value_null(a);
    }
    bool written = fs_write_all(t.fd, "test", 4, t.path, NULL) == 0;
    for (size_t i = 0; written && i < ARRAY_SIZE(kinds); i++) {
        if (link_works(kinds[i].how, t.path, path_join(a, r->root, "link"))) {
            value_push(a, list, value_cstr(a, kinds[i].name));
        }
    }
    fs_temp_abort(&t);
    return list;
}

static struct value *remote_kinds(struct arena *a, const struct config *c)
{
    struct value *list = value_list(a);
    const struct value *remotes = value_get(config_merged(c), "remote");
    for (size_t i = 0; remotes && i < remotes->map.count; i++) {
        const char *url = value_as_str(value_get(remotes->map.pairs[i].val, "url")).p;
        const char *colon = url ? strstr(url, "://") : NULL;
        value_push(a, list,
                   value_cstr(a, colon ? arena_strndup(a, url, (size_t)(colon - url)) : "local"));
    }
    return list;
}

/* DVC names the folder after a hash of the root, the time of .dvc/tmp/btime and the user, as Python
 * prints them. NULL: no DVC was here yet. */
static const char *site_cache_dir(struct arena *a, const struct repo *r)
{
    const char *set = config_get(r->config, "core", "site_cache_dir");
    const char *env = getenv("DVC_SITE_CACHE_DIR");
    const char *base = env && *env ? env : set ? set : "/var/tmp/dvc";
    struct stat st;
    if (stat(path_join(a, r->tmp_dir, "btime"), &st) < 0) {
        return NULL;
    }
    struct value *parts = value_list(a);
    value_push(a, parts, value_cstr(a, r->root));
    value_push(a, parts, value_null(a));
    value_push(a, parts,
               value_float(a, (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec));
    value_push(a, parts, value_cstr(a, proc_user_name()));
    value_push(a, parts, value_int(a, 3)); /* DVC's major version */
    value_push(a, parts, value_int(a, 0));
    struct strbuf text;
    char md5[DIGEST_HEX_SIZE];
    strbuf_init(&text);
    value_repr(&text, parts);
    text.p[0] = '(';
    text.p[text.n - 1] = ')';
    digest_buffer(DIGEST_MD5, text.p, text.n, md5);
    strbuf_release(&text);
    return arena_printf(a, "%s/repo/%s", base, md5);
}

static void add_repo(struct arena *a, struct value *report, const struct repo *r)
{
    const char *cache = repo_cache_dir(r, a), *objects = path_join(a, cache, "files/md5");
    struct value *types = cache_types(a, r, objects), *caches = value_list(a);
    value_set(a, report, "cache_types", types);
    if (types->type != VALUE_NULL) {
        set_text(a, report, "cache_directory", fs_type(a, objects));
    }
    value_push(a, caches, value_cstr(a, "local"));
    value_set(a, report, "caches", caches);
    value_set(a, report, "remotes", remote_kinds(a, r->config));
    set_text(a, report, "workspace_directory", fs_type(a, r->root));
    set_text(a, report, "repo",
             r->no_scm || !r->scm_root           ? "dvc (no_scm)"
             : strcmp(r->root, r->scm_root) != 0 ? "dvc (subdir), git"
                                                 : "dvc, git");
    const char *site = site_cache_dir(a, r);
    if (site) {
        set_text(a, report, "site_cache_dir", site);
    }
    set_text(a, report, "state", path_join(a, r->tmp_dir, "nephron"));
}

struct value *doctor_report(struct arena *a, const struct repo *r)
{
    struct value *report = value_map(a);
    struct config *own = r ? NULL : config_open(NULL, NULL);
    add_machine(a, report);
    if (r || own) {
        add_config(a, report, r ? r->config : own);
    }
    config_free(own);
    if (r) {
        add_repo(a, report, r);
    }
    return report;
}
