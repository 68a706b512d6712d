#ifndef NEPHRON_SOURCE_H
#define NEPHRON_SOURCE_H

#include "str.h"

struct arena;
struct err;

/*
 * What kind of place a source text names. Text alone decides the scheme; only for a path the file
 * system is asked whether it is a file or a folder.
 *
 *   https://host/data.zip        SOURCE_HTTP
 *   a Google Drive share link    SOURCE_GDRIVE    (gdrive.h has the spellings)
 *   file:///data/x.zip           SOURCE_FILE or SOURCE_FOLDER
 *   ../data/kidney-ct            SOURCE_FILE or SOURCE_FOLDER
 *   phantom:?patients=8          SOURCE_PHANTOM   (phantom.h has the options)
 *   s3://bucket/x.zip            SOURCE_S3        (named, so that it can be refused by name)
 */

enum source_kind {
    SOURCE_HTTP,
    SOURCE_GDRIVE,
    SOURCE_FILE,
    SOURCE_FOLDER,
    SOURCE_PHANTOM,
    SOURCE_S3,
};

struct source {
    enum source_kind kind;
    const char *text;         /* as given, without blanks at the ends */
    const char *shown;        /* for messages and records: no credentials, no signatures */
    const char *path;         /* FILE, FOLDER: the decoded path; else NULL */
    const char *id;           /* GDRIVE: file id; else NULL */
    const char *resource_key; /* GDRIVE: old links need it; else NULL */
};

/* All text lives in the arena. Errors: ERR_USAGE (unknown scheme, malformed, folder link of Drive),
 * ERR_MISSING (no such path). */
int source_parse(struct arena *a, const char *text, struct source *out, struct err *e);
const char *source_kind_name(enum source_kind kind); /* "http", "gdrive", "file", "folder", … */
/* The URL without user:password, fragment, and with the values of parameters that are secrets
 * (token, signature, key, …) as "***". Control characters are dropped. */
char *source_redact(struct arena *a, const char *url);
/* Value of a parameter of the URL's query, percent-decoded; NULL when absent. Tolerates "?/x=1" and
 * "&amp;". */
char *source_query(struct arena *a, const char *url, const char *name);

#endif
