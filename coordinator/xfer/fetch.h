#ifndef NEPHRON_FETCH_H
#define NEPHRON_FETCH_H

#include "download.h"
#include "source.h"

/*
 * One file from any source that is a file (http, gdrive, file) to a path, verified. What
 * `nephron-xfer fetch` does, and the first half of ingest.
 */

struct fetch_options {
    const char *path;       /* where it goes */
    const char *sha256;     /* or NULL */
    const char *gdrive_url; /* or NULL */
    const char *no_page;    /* as in struct download */
    bool force, quiet;
    uint64_t max_bytes;
    int64_t retry_ms;
    const volatile sig_atomic_t *stop;
};

/* ERR_USAGE for a source that is no file; else as download_file. */
int fetch_source(struct arena *a, const struct source *src, const struct fetch_options *opt,
                 struct download_result *out, struct err *e);
/* 64 hex digits. */
bool fetch_is_sha256(const char *text);

#endif
