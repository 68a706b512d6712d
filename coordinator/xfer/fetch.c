/*
 * Which way a source is fetched. See fetch.h.
 */
#include "fetch.h"

#include "arena.h"
#include "err.h"
#include "gdrive.h"

#include <ctype.h>
#include <string.h>

bool fetch_is_sha256(const char *text)
{
    size_t n = 0;
    while (isxdigit((unsigned char)text[n])) {
        n++;
    }
    return n == 64 && text[n] == '\0';
}

static int on_page(struct arena *a, const char *html, size_t n, const char *page_url,
                   const char *cookie_token, char **next, struct err *e)
{
    return gdrive_confirm(a, (struct str){html, n}, page_url, cookie_token, next, e);
}

int fetch_source(struct arena *a, const struct source *src, const struct fetch_options *opt,
                 struct download_result *out, struct err *e)
{
    struct download d = {
        .url = src->text,
        .path = opt->path,
        .shown = src->shown,
        .sha256 = opt->sha256,
        .force = opt->force,
        .quiet = opt->quiet,
        .max_bytes = opt->max_bytes,
        .retry_ms = opt->retry_ms,
        .no_page = opt->no_page,
        .stop = opt->stop,
    };
    switch (src->kind) {
    case SOURCE_HTTP:
        return download_file(&d, out, e);
    case SOURCE_GDRIVE:
        d.url = gdrive_url(a, opt->gdrive_url, src->id, src->resource_key);
        d.html = on_page;
        d.no_page = opt->no_page ? opt->no_page : "the file";
        return download_file(&d, out, e);
    case SOURCE_FILE:
        return download_copy(&d, src->path, out, e);
    default:
        return err_set(e, ERR_USAGE, "the source %s is no file; expected a URL or a path of a file",
                       src->shown);
    }
}
