/* urlsource_store: files and folders of object stores, for urlsource.h, by remote_helper.h. */
#include "urlsource.h"

#include "alloc.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "par.h"
#include "path.h"
#include "remote_helper.h"
#include "str.h"
#include "value.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int urlsource_set(struct arena *a, struct urlsource *src, const char *const *words, size_t count,
                  struct err *e)
{
    if (count > 0 && src->kind != URLSOURCE_STORE) {
        return err_set(e, ERR_USAGE, "--fs-config is for object stores, not for %s", src->url);
    }
    struct value *all = src->options ? value_copy(a, src->options) : value_map(a);
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(words[i], '=');
        if (!equals) {
            return err_set(e, ERR_USAGE, "--fs-config needs NAME=VALUE, found '%s'", words[i]);
        }
        const char *name = arena_strndup(a, words[i], (size_t)(equals - words[i]));
        value_set(a, all, name, value_cstr(a, equals + 1));
    }
    src->options = count > 0 ? all : src->options;
    return 0;
}

/* ---- what is there ---- */

struct collecting {
    struct arena *a;
    struct urlsource_files *files;
    const struct urlsource *src;
    size_t skip; /* of each name: what leads to the source */
    struct err *e;
};

static int add_file(struct urlsource_files *files, struct arena *a,
                    const struct remote_helper_file *f)
{
    ARRAY_RESERVE(files->items, files->count, files->capacity, 1);
    files->items[files->count++] = (struct remote_helper_file){
        .path = arena_strdup(a, f->path), .size = f->size, .etag = arena_strdup(a, f->etag)};
    return 0;
}

static int collect_one(void *ctx, const struct remote_helper_file *f)
{
    struct collecting *c = ctx;
    struct remote_helper_file own = *f;
    own.path += strlen(f->path) > c->skip ? c->skip : 0;
    if (!path_is_safe_member(str_from(own.path))) {
        err_set(c->e, ERR_REMOTE, "%s holds '%s', a name that leads out of a folder: refused",
                c->src->url, f->path);
        return 1;
    }
    return add_file(c->files, c->a, &own);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct remote_helper_file *)a)->path,
                  ((const struct remote_helper_file *)b)->path);
}

/* `at`: where in the remote the source is; "" for all of it. */
static int collect(struct remote *r, struct arena *a, const struct urlsource *src, const char *at,
                   struct urlsource_files *files, struct err *e)
{
    struct remote_helper_file one;
    struct collecting c = {a, files, src, at[0] ? strlen(at) + 1 : 0, e};
    int there = remote_helper_stat(r, a, at, &one, e);
    if (there != 0) {
        one.path = "";
        return there < 0 ? -1 : add_file(files, a, &one);
    }
    if (r->ops->list && remote_helper_each(r, at, collect_one, &c, e) < 0) {
        return -1;
    }
    if (files->count == 0) {
        return err_set(e, ERR_MISSING, "The path '%s' does not exist", src->url);
    }
    qsort(files->items, files->count, sizeof(*files->items), by_name);
    return 0;
}

int urlsource_files(struct arena *a, const struct urlsource *src, struct urlsource_files *files,
                    struct err *e)
{
    struct remote r;
    *files = (struct urlsource_files){0};
    if (remote_helper_open(&r, a, src->far, src->options, e) < 0) {
        return -1;
    }
    int rc = collect(&r, a, src, "", files, e);
    remote_close(&r);
    return rc;
}

void urlsource_files_release(struct urlsource_files *files)
{
    free(files->items);
    *files = (struct urlsource_files){0};
}

static bool is_file(const struct urlsource_files *files)
{
    return files->count == 1 && !files->items[0].path[0];
}

/* As DVC: the md5 of the list of a folder, with ETags where the cache has md5s. */
static const char *list_md5(struct arena *a, const struct urlsource_files *files, const char *key)
{
    struct value *list = value_list(a);
    struct strbuf text;
    char hex[DIGEST_HEX_SIZE];
    for (size_t i = 0; i < files->count; i++) {
        struct value *item = value_map(a);
        value_set(a, item, key, value_cstr(a, files->items[i].etag));
        value_set(a, item, "relpath", value_cstr(a, files->items[i].path));
        value_push(a, list, item);
    }
    strbuf_init(&text);
    json_write(&text, list, NULL);
    digest_buffer(DIGEST_MD5, text.p, text.n, hex);
    strbuf_release(&text);
    return arena_printf(a, "%s.dir", hex);
}

/* A server of files has no ETags: what the content is says whether it changed. */
static bool has_no_etags(const struct urlsource *src)
{
    return strncmp(src->far, "ssh://", 6) == 0;
}

static void tell(struct arena *a, const struct urlsource *src, const struct urlsource_files *files,
                 struct urlsource_facts *facts)
{
    bool md5 = has_no_etags(src);
    *facts = (struct urlsource_facts){.size = 0, .nfiles = -1};
    for (size_t i = 0; i < files->count; i++) {
        facts->size += (int64_t)files->items[i].size; /* -1: the server says none */
    }
    if (is_file(files) && md5) {
        facts->md5 = files->items[0].etag;
    } else if (is_file(files)) {
        facts->etag = files->items[0].etag[0] ? files->items[0].etag : NULL;
    } else {
        facts->md5 = list_md5(a, files, md5 ? "md5" : "etag");
        facts->nfiles = (int64_t)files->count;
    }
}

/* ---- all files at a time ---- */

struct each {
    struct remote *r;
    const struct urlsource_files *files;
    const char *at, *to;
    struct err *errs; /* by file */
    char (*md5)[DIGEST_HEX_SIZE];
};

/* par_for over the files; their md5s, where the function fills them, become their ETags. */
static int for_each(struct remote *r, struct arena *a, struct urlsource_files *files,
                    const char *at, const char *to, void (*one)(void *ctx, size_t i, int thread),
                    struct err *e)
{
    struct each f = {r,
                     files,
                     at,
                     to,
                     xcalloc(files->count + 1, sizeof(struct err)),
                     xcalloc(files->count + 1, DIGEST_HEX_SIZE)};
    struct par *par = par_new(r->jobs);
    int rc = 0;
    par_for(par, files->count, one, &f);
    par_free(par);
    for (size_t i = 0; i < files->count && rc == 0; i++) {
        if (f.errs[i].code != ERR_NONE) {
            rc = err_set(e, f.errs[i].code, "%s", f.errs[i].text);
        } else if (f.md5[i][0]) {
            files->items[i].etag = arena_strdup(a, f.md5[i]);
        }
    }
    free(f.errs);
    free(f.md5);
    return rc;
}

static void hash_one(void *ctx, size_t i, int thread)
{
    struct each *f = ctx;
    struct arena a;
    arena_init(&a);
    const char *name = f->files->items[i].path;
    const char *path = f->at[0] && name[0] ? arena_printf(&a, "%s/%s", f->at, name)
                       : name[0]           ? name
                                           : f->at;
    remote_helper_md5(f->r, path, f->md5[i], &f->errs[i]);
    arena_release(&a);
}

int urlsource_look_at(struct arena *a, const struct urlsource *src, struct remote *r,
                      const char *at, struct urlsource_facts *facts, struct err *e)
{
    struct urlsource_files files = {0};
    int rc = collect(r, a, src, at, &files, e);
    if (rc == 0 && has_no_etags(src)) {
        rc = for_each(r, a, &files, at, NULL, hash_one, e);
    }
    if (rc == 0) {
        tell(a, src, &files, facts);
    }
    urlsource_files_release(&files);
    return rc;
}

const char *urlsource_base(struct arena *a, const struct urlsource *src, const char **at)
{
    const char *host = strstr(src->far, "://") + 3;
    const char *path = host + strcspn(host, "/?#");
    bool http = strncmp(src->far, "http", 4) == 0;
    const char *from = path + strspn(path, "/");
    size_t n = strlen(from);
    while (!http && n > 0 && from[n - 1] == '/') {
        n--;
    }
    *at = arena_strndup(a, from, n);
    const char *base = arena_strndup(a, src->far, (size_t)(path - src->far));
    return strncmp(base, "ssh://", 6) == 0 ? arena_printf(a, "%s/", base) : base;
}

int urlsource_look(struct arena *a, const struct urlsource *src, struct urlsource_facts *facts,
                   struct err *e)
{
    struct remote r;
    const char *at;
    if (remote_helper_open(&r, a, urlsource_base(a, src, &at), src->options, e) < 0) {
        return -1;
    }
    int rc = urlsource_look_at(a, src, &r, at, facts, e);
    remote_close(&r);
    return rc;
}

/* ---- bringing it ---- */

static void fetch_one(void *ctx, size_t i, int thread)
{
    struct each *f = ctx;
    const char *path = f->files->items[i].path;
    struct arena a;
    arena_init(&a);
    const char *to = path[0] ? path_join(&a, f->to, path) : f->to;
    int fd = fs_mkdirs_for(to, &f->errs[i]) < 0
                 ? -1
                 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); /* as umask has it */
    if (fd < 0 && f->errs[i].code == ERR_NONE) {
        err_sys(&f->errs[i], "cannot write '%s'", to);
    } else if (fd >= 0 && close(fd) == 0) {
        f->r->ops->get(f->r->ctx, path, to, &f->errs[i]);
    }
    arena_release(&a);
}

static void fetch_and_hash_one(void *ctx, size_t i, int thread)
{
    struct each *f = ctx;
    struct arena a;
    fetch_one(ctx, i, thread);
    arena_init(&a);
    const char *path = f->files->items[i].path;
    const char *to = path[0] ? path_join(&a, f->to, path) : f->to;
    if (f->errs[i].code == ERR_NONE) {
        digest_file(DIGEST_MD5, to, f->md5[i], NULL, &f->errs[i]);
    }
    arena_release(&a);
}

static int fetch_all(struct remote *r, struct arena *a, const struct urlsource *src,
                     struct urlsource_files *files, const char *to, struct err *e)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < files->count; i++) {
        bytes += files->items[i].size;
    }
    r->ops->expect(r->ctx, "Downloading", bytes);
    int rc = for_each(r, a, files, "", to, has_no_etags(src) ? fetch_and_hash_one : fetch_one, e);
    r->ops->expect(r->ctx, "", 0);
    return rc;
}

int urlsource_fetch(struct arena *a, const struct urlsource *src, const char *to,
                    struct urlsource_facts *facts, struct err *e)
{
    struct remote r;
    struct urlsource_files files = {0};
    if (remote_helper_open(&r, a, src->far, src->options, e) < 0) {
        return -1;
    }
    int rc = src->jobs > 0 ? remote_set_jobs(&r, src->jobs, e) : 0;
    if (rc == 0) {
        rc = collect(&r, a, src, "", &files, e);
    }
    if (rc == 0) {
        rc = fetch_all(&r, a, src, &files, to, e);
    }
    if (rc == 0 && facts) {
        tell(a, src, &files, facts);
    }
    urlsource_files_release(&files);
    remote_close(&r);
    return rc;
}
