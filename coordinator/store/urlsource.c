/* urlsource: what a URL names, see urlsource.h. */
#include "urlsource.h"

#include "alloc.h"
#include "config.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "path.h"
#include "proc.h"
#include "remote.h"
#include "remote_helper.h"
#include "str.h"
#include "value.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define XFER_PROGRAM "nephron-xfer"

static int refuse_scheme(const char *url, size_t n, struct err *e)
{
    static const char *const known[] = {"sftp",    "hdfs", "webhdfs", "webdav",
                                        "webdavs", "oss",  "gdrive"};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strlen(known[i]) == n && strncmp(url, known[i], n) == 0) {
            return err_set(
                e, ERR_REMOTE,
                "%s: data at %s:// cannot be reached by this command; download it by hand and "
                "add it with `nephron add`",
                url, known[i]);
        }
    }
    return err_set(e, ERR_CONFIG, "config file error: Unsupported URL type %.*s://", (int)n, url);
}

/* remote://NAME/PATH: below the URL of a remote, with its settings. */
static int parse_remote(struct arena *a, const struct config *c, const char *url,
                        struct urlsource *src, struct err *e)
{
    const char *far = url;
    const struct value *options = NULL;
    if (!c) {
        return err_set(e, ERR_CONFIG, "config file error: %s needs a repository with that remote",
                       url);
    }
    if (remote_resolve(a, c, NULL, &far, &options, e) < 0) {
        return -1;
    }
    far = arena_strdup(a, far); /* it and the settings outlive `c` */
    if (urlsource_parse(a, NULL, far, src, e) < 0) {
        return -1;
    }
    src->url = url;
    if (src->kind != URLSOURCE_LOCAL) {
        src->kind = URLSOURCE_STORE;
        src->far = far;
        src->options = options ? value_copy(a, options) : NULL;
    }
    return 0;
}

int urlsource_parse(struct arena *a, const struct config *c, const char *url, struct urlsource *src,
                    struct err *e)
{
    const char *scheme = strstr(url, "://");
    *src = (struct urlsource){.url = url};
    if (!scheme || strncmp(url, "file://", 7) == 0) {
        src->path = path_absolute(a, path_cwd(a), scheme ? url + 7 : url);
        src->name = path_basename(src->path);
        return 0;
    }
    if (strncmp(url, "remote://", 9) == 0) {
        return parse_remote(a, c, url, src, e);
    }
    struct str word = {url, (size_t)(scheme - url)};
    if (!remote_helper_knows(word)) {
        return refuse_scheme(url, word.n, e);
    }
    bool http = str_is(word, "http") || str_is(word, "https");
    src->kind = http ? URLSOURCE_HTTP : URLSOURCE_STORE;
    src->far = url;
    size_t n = strcspn(scheme + 3, "?#");
    src->name = path_basename(path_normal(a, arena_strndup(a, scheme + 3, n)));
    return 0;
}

bool urlsource_has_checksums(const struct urlsource *src)
{
    return src->kind != URLSOURCE_LOCAL && strncmp(src->far, "http", 4) == 0;
}

const char *urlsource_target(struct arena *a, const struct urlsource *src, const char *out,
                             bool force, struct err *e)
{
    const char *to = !out || !*out    ? src->name
                     : fs_is_dir(out) ? path_join(a, out, src->name)
                                      : path_normal(a, out);
    if (!force && fs_exists(to)) {
        err_set(e, ERR_USAGE,
                "The file '%s' already exists locally. \nTo override it, re-run with '--force'.",
                to);
        return NULL;
    }
    return to;
}

/* NULL with *e set when the path is too long. */
static const char *temp_beside(struct arena *a, const char *to, struct err *e)
{
    char tmp[4096];
    return fs_temp_name(tmp, sizeof(tmp), to, e) < 0 ? NULL : arena_strdup(a, tmp);
}

static int put_in_place(const char *tmp, const char *to, struct err *e)
{
    if ((fs_is_dir(to) || fs_is_dir(tmp)) && fs_remove_tree(to, e) < 0) {
        return -1;
    }
    return rename(tmp, to) == 0 ? 0 : err_sys(e, "cannot write '%s'", to);
}

static const char *read_etag(struct arena *a, const char *record)
{
    struct strbuf text;
    strbuf_init(&text);
    const char *etag = NULL;
    if (fs_read(record, (size_t)1 << 20, &text, NULL) == 0) {
        const struct value *v = json_parse(a, strbuf_str(&text), record, NULL);
        struct str s = value_as_str(value_get(v, "etag"));
        etag = s.n > 0 ? arena_str(a, s).p : NULL;
    }
    strbuf_release(&text);
    return etag;
}

static int download(struct arena *a, const struct urlsource *src, const char *tmp,
                    struct urlsource_facts *facts, struct err *e)
{
    struct strbuf program, words;
    struct proc_status st;
    strbuf_init(&program);
    strbuf_init(&words);
    int rc = proc_self_dir(&program, e);
    strbuf_adds(&program, "/" XFER_PROGRAM);
    const char *argv[] = {program.p, "fetch", "-q", "--", src->url, tmp, NULL};
    const struct proc_options opt = {.argv = argv, .stdin_fd = PROC_NULL};
    if (rc == 0) {
        rc = proc_capture(&opt, NULL, &words, &st, e);
    }
    if (rc == 0 && proc_exit_code(&st) != 0) {
        struct str w = str_trim(strbuf_str(&words));
        rc = err_set(e, ERR_REMOTE, "%.*s", STR_ARG(w));
    }
    const char *record = arena_printf(a, "%s.json", tmp);
    if (rc == 0 && facts) {
        facts->etag = read_etag(a, record);
    }
    unlink(record);
    strbuf_release(&program);
    strbuf_release(&words);
    return rc;
}

static int bring(struct arena *a, const struct urlsource *src, const char *tmp,
                 struct urlsource_facts *facts, struct err *e)
{
    switch (src->kind) {
    case URLSOURCE_LOCAL:
        return fs_copy_tree(src->path, tmp, e);
    case URLSOURCE_HTTP:
        return download(a, src, tmp, facts, e);
    case URLSOURCE_STORE:
        break;
    }
    return urlsource_fetch(a, src, tmp, facts, e);
}

int urlsource_copy(struct arena *a, const struct urlsource *src, const char *to,
                   struct urlsource_facts *facts, struct err *e)
{
    if (facts) {
        *facts = (struct urlsource_facts){.size = -1, .nfiles = -1};
    }
    if (src->kind == URLSOURCE_LOCAL && !fs_exists(src->path)) {
        return err_set(e, ERR_MISSING, "The path '%s' does not exist", src->url);
    }
    if (src->kind == URLSOURCE_LOCAL && path_inside(src->path, to)) {
        return err_set(e, ERR_USAGE, "'%s' lies inside of '%s'", to, src->url);
    }
    const char *tmp = fs_mkdirs_for(to, e) < 0 ? NULL : temp_beside(a, to, e);
    if (!tmp) {
        return -1;
    }
    int rc = bring(a, src, tmp, facts, e);
    if (rc == 0) {
        rc = put_in_place(tmp, to, e);
    }
    if (rc < 0) {
        fs_remove_tree(tmp, NULL);
    }
    return rc;
}
