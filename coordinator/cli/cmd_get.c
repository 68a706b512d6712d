/* `get`, `get-url`, `list`, `list-url` and `artifacts get`: other repositories and places; no
 * repository is needed here. */

#include "cmd.h"

#include "config.h"
#include "err.h"
#include "foreign.h"
#include "fs.h"
#include "gitsource.h"
#include "json.h"
#include "path.h"
#include "remote_helper.h"
#include "repo.h"
#include "session.h"
#include "sync.h"
#include "urlsource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_text(struct strbuf *text)
{
    fwrite(text->p, 1, text->n, stdout);
    strbuf_release(text);
}

static const char *target_path(struct arena *a, const char *to)
{
    return path_absolute(a, path_cwd(a), to);
}

/* ---- get-url, list-url ---- */

#define FS_CONFIG(list)                                                                            \
    {                                                                                              \
        OPT_MULTI, 0, "fs-config", "NAME=VALUE...", "settings for a source in an object store",    \
            &(list), NULL                                                                          \
    }

/* With the settings of the repository around us, or those of the machine. */
static int parse_url(struct arena *a, const char *url, const struct opt_list *fs_config,
                     struct urlsource *src, struct err *e)
{
    struct repo repo;
    struct config *own = NULL;
    bool inside = repo_open(&repo, NULL, NULL) == 0;
    if (!inside && !(own = config_open(NULL, e))) {
        return -1;
    }
    int rc = urlsource_parse(a, inside ? repo.config : own, url, src, e);
    if (rc == 0) {
        rc = urlsource_set(a, src, fs_config->items, fs_config->count, e);
    }
    if (inside) {
        repo_close(&repo);
    }
    config_free(own);
    return rc;
}

static int copy_url(struct arena *a, const struct urlsource *src, const char *out, bool force,
                    struct err *e)
{
    const char *to = urlsource_target(a, src, out, force, e);
    return to == NULL ? -1 : urlsource_copy(a, src, target_path(a, to), NULL, e);
}

int cmd_get_url(int argc, char **argv)
{
    bool force = false, quiet = false;
    long jobs = 0;
    struct opt_list args = {0}, fs_config = {0};
    const struct opt options[] = {
        {OPT_INT, 'j', "jobs", "N", "transfers at a time", &jobs, NULL},
        {OPT_FLAG, 'f', "force", NULL, "replace an existing file or folder", &force, NULL},
        FS_CONFIG(fs_config),
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron get-url [OPTION]... URL [OUT]",
        .about = "Copies a file or folder from a path, file://, http(s)://, s3://, gs://, "
                 "azure://, ssh:// "
                 "or remote://NAME/PATH, without tracking it.",
        .examples =
            "  nephron get-url https://example.org/vgg16.pth\n  nephron get-url /mnt/pacs/2026 raw",
        .options = options,
        .min_args = 1,
        .max_args = 2};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        opt_list_release(&fs_config);
        return code;
    }
    struct err e = ERR_INIT;
    struct arena a;
    struct urlsource src;
    arena_init(&a);
    int rc = parse_url(&a, args.items[0], &fs_config, &src, &e);
    if (rc == 0) {
        src.jobs = jobs;
        rc = copy_url(&a, &src, args.count > 1 ? args.items[1] : NULL, force, &e);
    }
    opt_list_release(&fs_config);
    code = rc == 0 ? 0 : sync_fail(&e, arena_printf(&a, "failed to get '%s'", args.items[0]));
    arena_release(&a);
    opt_list_release(&args);
    return code;
}

struct url_listing {
    struct gitsource_list list;
    struct arena *arena;
};

static int list_entry(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct url_listing *l = ctx;
    (void)e;
    bool dir = S_ISDIR(entry->st.st_mode);
    gitsource_list_add(l->arena, &l->list,
                       &(struct gitsource_entry){
                           .path = entry->path, .is_dir = dir, .size = (int64_t)entry->st.st_size});
    return 0;
}

static int list_local(struct arena *a, const struct urlsource *src, struct url_listing *l,
                      struct strbuf *out, struct err *e)
{
    if (!fs_exists(src->path)) {
        return err_set(e, ERR_MISSING,
                       "The path '%s' does not exist: [Errno 2] No such file or directory: '%s'",
                       src->url, src->path);
    }
    if (!fs_is_dir(src->path)) {
        strbuf_addf(out, "%s\n", src->path);
        return 0;
    }
    return fs_walk(src->path, list_entry, l, e) < 0 ? -1 : 1;
}

/* The folders that an object store only implies stand before what is in them. */
static void add_folders(struct url_listing *l, const char *path, const char *before)
{
    for (const char *p = strchr(path, '/'); p != NULL; p = strchr(p + 1, '/')) {
        size_t n = (size_t)(p - path);
        if (strncmp(path, before, n + 1) != 0) {
            gitsource_list_add(l->arena, &l->list,
                               &(struct gitsource_entry){.path = arena_strndup(l->arena, path, n),
                                                         .is_dir = true});
        }
    }
}

static int list_store(struct arena *a, const struct urlsource *src, struct url_listing *l,
                      struct strbuf *out, struct err *e)
{
    struct urlsource_files files;
    const char *before = "";
    if (urlsource_files(a, src, &files, e) < 0) {
        return -1;
    }
    bool file = files.count == 1 && files.items[0].path[0] == '\0';
    if (file) {
        strbuf_addf(out, "%s\n", strstr(src->far, "://") + 3);
    }
    for (size_t i = 0; i < files.count && !file; i++) {
        const struct remote_helper_file *f = &files.items[i];
        add_folders(l, f->path, before);
        gitsource_list_add(a, &l->list,
                           &(struct gitsource_entry){.path = f->path, .size = (int64_t)f->size});
        before = f->path;
    }
    urlsource_files_release(&files);
    return file ? 0 : 1;
}

/* A folder elsewhere through the eyes of `list`. */
static int list_path(struct arena *a, const char *url, const struct opt_list *fs_config,
                     const struct gitsource_show *show, struct strbuf *out, struct err *e)
{
    struct urlsource src;
    struct url_listing l = {.arena = a};
    if (parse_url(a, url, fs_config, &src, e) < 0) {
        return -1;
    }
    if (src.kind == URLSOURCE_HTTP) {
        return err_set(e, ERR_REMOTE, "%s: http(s) servers do not list what they hold", url);
    }
    int rc = src.kind == URLSOURCE_LOCAL ? list_local(a, &src, &l, out, e)
                                         : list_store(a, &src, &l, out, e);
    if (rc <= 0) {
        return rc;
    }
    struct gitsource g = {.arena = a, .repo = {.root = src.path ? src.path : src.far}};
    return gitsource_text(&g, &l.list, show, out, e);
}

int cmd_list_url(int argc, char **argv)
{
    struct gitsource_show show = {0};
    bool quiet = false;
    struct opt_list args = {0}, fs_config = {0};
    const struct opt options[] = {
        {OPT_FLAG, 'R', "recursive", NULL, "the files in folders, too", &show.recursive, NULL},
        {OPT_FLAG, 'T', "tree", NULL, "as a tree", &show.tree, NULL},
        {OPT_INT, 'L', "level", "N", "so many levels of folders", &show.level, NULL},
        {OPT_FLAG, 0, "size", NULL, "show sizes", &show.size, NULL},
        FS_CONFIG(fs_config),
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron list-url [OPTION]... URL",
                                  .about =
                                      "Lists a folder of this machine (a path or file://) or of "
                                      "an object store (s3://, gs://, azure://, ssh://, "
                                      "remote://NAME/PATH).",
                                  .examples = "  nephron list-url -R /mnt/pacs/2026 --size",
                                  .options = options,
                                  .min_args = 1,
                                  .max_args = 1};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        opt_list_release(&fs_config);
        return code;
    }
    struct err e = ERR_INIT;
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text);
    show.heading = args.items[0];
    int rc = list_path(&a, args.items[0], &fs_config, &show, &text, &e);
    opt_list_release(&fs_config);
    print_text(&text);
    code = rc == 0 ? 0 : session_fail(&e, 255);
    arena_release(&a);
    opt_list_release(&args);
    return code;
}

/* ---- list ---- */

/* Opens what the command line names. ERR_USAGE, ERR_MISSING for the settings; else as gitsource_open. */
static int open_named(struct arena *a, const struct foreign *how, const char *url, const char *rev,
                      const char *path, struct gitsource *g, struct err *e)
{
    struct gitsource_place place = {.url = url, .rev = rev, .from_git = rev != NULL, .path = path};
    return foreign_settings(a, how, &place.settings, e) < 0 ? -1 : gitsource_open(a, &place, g, e);
}

struct list_words {
    const char *url, *path, *rev;
    struct foreign how;
    struct gitsource_show show;
    bool json;
};

static int list_repo(struct arena *a, struct list_words *w, struct strbuf *out, struct err *e)
{
    struct gitsource g;
    struct gitsource_list files;
    if (open_named(a, &w->how, w->url, w->rev, w->path, &g, e) < 0) {
        return -1;
    }
    struct value *v;
    w->show.path = g.path;
    w->show.heading = w->path && *w->path ? w->path : NULL;
    int rc = gitsource_files(&g, &files, e);
    if (rc == 0) {
        rc = gitsource_expand(&g, &files, w->show.recursive || w->show.tree, e);
    }
    if (rc == 0 && w->json) {
        rc = gitsource_json(&g, &files, &w->show, &v, e);
    } else if (rc == 0) {
        rc = gitsource_text(&g, &files, &w->show, out, e);
    }
    if (rc == 0 && w->json) {
        json_write(out, v, NULL);
        strbuf_addch(out, '\n');
    }
    gitsource_close(&g);
    return rc;
}

static int run_list(struct list_words *w)
{
    struct err e = ERR_INIT;
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text);
    int rc = list_repo(&a, w, &text, &e);
    print_text(&text);
    bool missing = strncmp(e.text, "[Errno", 6) == 0;
    int code =
        rc == 0 ? 0
                : sync_fail(&e, missing ? NULL : arena_printf(&a, "failed to list '%s'", w->url));
    arena_release(&a);
    return code;
}

int cmd_list(int argc, char **argv)
{
    struct list_words w = {0};
    bool quiet = false;
    struct opt_list args = {0};
    const struct opt options[] = {
        {OPT_FLAG, 'R', "recursive", NULL, "the files in folders, too", &w.show.recursive, NULL},
        {OPT_FLAG, 'T', "tree", NULL, "as a tree", &w.show.tree, NULL},
        {OPT_INT, 'L', "level", "N", "so many levels of folders", &w.show.level, NULL},
        {OPT_FLAG, 0, "dvc-only", NULL, "only what DVC tracks", &w.show.dvc_only, NULL},
        {OPT_FLAG, 0, "json", NULL, "one JSON list", &w.json, NULL},
        {OPT_STR, 0, "rev", "REV", "this revision, not the work tree", &w.rev, NULL},
        FOREIGN_OPTIONS(w.how),
        {OPT_FLAG, 0, "size", NULL, "show sizes", &w.show.size, NULL},
        {OPT_FLAG, 0, "show-hash", NULL, "show hashes", &w.show.hash, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron list [OPTION]... REPOSITORY [PATH]",
                                  .about = "Lists the files that git and DVC track in a "
                                           "repository: a folder, or anything that git can clone.",
                                  .examples = "  nephron list .\n  nephron list -R --dvc-only "
                                              "https://example.org/team/registry.git data\n"
                                              "  nephron list . --rev v1 --json",
                                  .options = options,
                                  .min_args = 1,
                                  .max_args = 2};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        w.url = args.items[0];
        w.path = args.count > 1 ? args.items[1] : NULL;
        code = run_list(&w);
    }
    foreign_release(&w.how);
    opt_list_release(&args);
    return code;
}

/* ---- du ---- */

struct du_words {
    const char *url, *path, *rev;
    struct foreign how;
    bool total;
};

static int print_sizes(struct arena *a, const struct du_words *w, struct err *e)
{
    struct gitsource g;
    struct gitsource_list files;
    struct strbuf text;
    if (open_named(a, &w->how, w->url, w->rev, w->path, &g, e) < 0) {
        return -1;
    }
    strbuf_init(&text);
    int rc = gitsource_files(&g, &files, e);
    if (rc == 0) {
        rc = gitsource_expand(&g, &files, false, e);
    }
    if (rc == 0) {
        rc = gitsource_du(&g, &files, w->path, w->total, &text, e);
    }
    print_text(&text);
    gitsource_close(&g);
    return rc;
}

int cmd_du(int argc, char **argv)
{
    struct du_words w = {0};
    bool quiet = false;
    struct opt_list args = {0};
    const struct opt options[] = {
        {OPT_STR, 0, "rev", "REV", "this revision, not the work tree", &w.rev, NULL},
        {OPT_FLAG, 's', "summarize", NULL, "the sum alone", &w.total, NULL},
        FOREIGN_OPTIONS(w.how),
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron du [OPTION]... REPOSITORY [PATH]",
        .about = "Says how much room the files take that git and DVC track in a repository: a "
                 "folder, or anything that git can clone.",
        .examples = "  nephron du .\n  nephron du -s https://example.org/team/registry.git data",
        .options = options,
        .min_args = 1,
        .max_args = 2};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        struct err e = ERR_INIT;
        struct arena a;
        arena_init(&a);
        w.url = args.items[0];
        w.path = args.count > 1 ? args.items[1] : NULL;
        code = print_sizes(&a, &w, &e) == 0 ? 0 : session_fail(&e, 255);
        arena_release(&a);
    }
    foreign_release(&w.how);
    opt_list_release(&args);
    return code;
}

/* ---- get, artifacts get ---- */

struct get_words {
    const char *url, *path, *out, *rev;
    const char *version, *stage; /* of an artifact */
    struct foreign how;
    bool show_url, force, quiet;
};

/* What is left to do with an open repository. */
static int take(struct gitsource *g, const struct get_words *w, const char *to, struct err *e)
{
    struct gitsource_list files;
    const char *url;
    if (gitsource_files(g, &files, e) < 0) {
        return -1;
    }
    if (!w->show_url) {
        return gitsource_copy(g, &files, target_path(g->arena, to), e);
    }
    if (gitsource_url(g, &files, &url, e) < 0) {
        return -1;
    }
    printf("%s\n", url);
    return 0;
}

static int get_path(struct arena *a, struct get_words *w, struct err *e)
{
    struct gitsource g;
    const struct urlsource src = {.name = path_basename(path_normal(a, w->path))};
    const char *to = w->show_url ? "" : urlsource_target(a, &src, w->out, w->force, e);
    if (to == NULL || open_named(a, &w->how, w->url, w->rev, w->path, &g, e) < 0) {
        return -1;
    }
    int rc = take(&g, w, to, e);
    gitsource_close(&g);
    return rc;
}

/* A file of settings that is not there is no failure of the copy. */
static int get_failed(struct arena *a, const struct get_words *w, const char *what,
                      const struct err *e)
{
    bool settings = e->code == ERR_MISSING && w->how.config && !fs_exists(w->how.config);
    return settings || w->show_url
               ? session_fail(e, 255)
               : sync_fail(e, arena_printf(a, "failed to get '%s' from '%s'", what, w->url));
}

/* The options of both commands; expanded into each table. */
typedef int get_fn(struct arena *a, struct get_words *w, struct err *e);

/* Options and the two words, then `get`. */
static int run_get(const struct opt_spec *spec, int argc, char **argv, struct get_words *w,
                   get_fn *get)
{
    struct opt_list args = {0};
    int code;
    if (session_options(spec, argc, argv, &args, 254, &code)) {
        struct err e = ERR_INIT;
        struct arena a;
        arena_init(&a);
        w->url = args.items[0];
        w->path = args.items[1];
        code = get(&a, w, &e) == 0 ? 0 : get_failed(&a, w, args.items[1], &e);
        arena_release(&a);
    }
    foreign_release(&w->how);
    opt_list_release(&args);
    return code;
}

#define GET_OPTIONS(w, jobs)                                                                       \
    {OPT_STR, 'o', "out", "PATH", "name or folder of the copy", &(w).out, NULL},                   \
        FOREIGN_OPTIONS((w).how),                                                                  \
        {OPT_FLAG,      0,   "show-url", NULL, "print where it is in the remote, copy nothing",    \
         &(w).show_url, NULL},                                                                     \
        {OPT_INT, 'j', "jobs", "N", "transfers at a time", &(jobs), NULL},                         \
        {OPT_FLAG, 'f', "force", NULL, "replace an existing file or folder", &(w).force, NULL},    \
    {                                                                                              \
        OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &(w).quiet, NULL                 \
    }

int cmd_get(int argc, char **argv)
{
    struct get_words w = {0};
    long jobs = 0;
    const struct opt options[] = {
        GET_OPTIONS(w, jobs), {OPT_STR, 0, "rev", "REV", "this revision", &w.rev, NULL}, OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron get [OPTION]... REPOSITORY PATH",
        .about = "Copies a file or folder that DVC or git tracks in a repository, without tracking "
                 "it here.",
        .examples = "  nephron get https://example.org/team/registry.git models/vgg.pth\n"
                    "  nephron get ../registry data -o raw --rev v2",
        .options = options,
        .min_args = 2,
        .max_args = 2};
    return run_get(&spec, argc, argv, &w, get_path);
}

static int get_artifact(struct arena *a, struct get_words *w, struct err *e)
{
    const char *name = w->path;
    struct gitsource g;
    struct gitsource_place place = {.url = w->url};
    if (gitsource_open(a, &place, &g, e) < 0) {
        return -1;
    }
    int rc = gitsource_artifact_rev(&g, name, w->version, w->stage, &w->rev, e);
    gitsource_close(&g);
    place.rev = w->rev;
    place.from_git = true;
    if (rc < 0 || gitsource_open(a, &place, &g, e) < 0) {
        return -1;
    }
    rc = gitsource_artifact_path(&g, name, &w->path, e);
    gitsource_close(&g);
    return rc < 0 ? -1 : get_path(a, w, e);
}

static int artifacts_get(int argc, char **argv)
{
    struct get_words w = {0};
    long jobs = 0;
    const struct opt options[] = {
        {OPT_STR, 0, "rev", "VERSION", "this version: v1.2.0", &w.version, NULL},
        {OPT_STR, 0, "stage", "STAGE", "the version that has this stage: prod", &w.stage, NULL},
        GET_OPTIONS(w, jobs),
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron artifacts get [OPTION]... REPOSITORY NAME",
        .about = "Copies a model or data set that dvc.yaml names under `artifacts`, at its newest "
                 "version tag "
                 "(NAME@v1.2.0), or at a version or stage.",
        .examples = "  nephron artifacts get ../registry kidney\n"
                    "  nephron artifacts get ../registry kidney --stage prod -o model.pth",
        .options = options,
        .min_args = 2,
        .max_args = 2};
    return run_get(&spec, argc, argv, &w, get_artifact);
}

int cmd_artifacts(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"get", artifacts_get, "copy an artifact of a repository"},
    };
    return session_dispatch("artifacts", commands, sizeof(commands) / sizeof(commands[0]), argc,
                            argv);
}
