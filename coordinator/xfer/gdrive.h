#ifndef NEPHRON_GDRIVE_H
#define NEPHRON_GDRIVE_H

#include "str.h"

#include <stdbool.h>

struct arena;
struct err;

/*
 * Google Drive share links, without an account: which file a link names, where it is fetched, and
 * what the page says that Drive answers instead of a large file. No I/O here: download.h does that.
 *
 * Spellings (hosts drive.google.com, docs.google.com, drive.usercontent.google.com):
 *   /file/d/ID/view?usp=sharing   /file/u/0/d/ID/edit   /a/example.org/file/d/ID
 *   /open?id=ID    /uc?id=ID&export=download    /uc?/export=download&id=ID
 * /download?id=ID&confirm=t
 *
 * A file that Drive will not scan for viruses (above about 25 MB) is answered by an HTML page. Its
 * form (id "download-form", hidden inputs id, export, confirm, uuid, at) is the way on; older pages
 * have a link /uc?export=download&confirm=TOKEN&id=ID instead, or a cookie
 * download_warning_…=TOKEN.
 */

#define GDRIVE_BASE "https://drive.google.com"

/* false when the URL is no Drive link at all. On true either *id is set (and *resource_key, or
 * NULL), or it is a link that holds no file and *id is NULL. */
bool gdrive_parse(struct arena *a, const char *url, char **id, char **resource_key);
/* `base` NULL: GDRIVE_BASE. */
char *gdrive_url(struct arena *a, const char *base, const char *id, const char *resource_key);

/*
 * Reads the HTML page that came from `page_url` instead of the file. On success *next is the URL to
 * go on with. ERR_REMOTE with the page's own reason otherwise: quota exceeded, not shared, sign-in,
 * unknown. `cookie_token` is the value of a download_warning cookie, or NULL. The next URL must be
 * on the page's host or on Google's own (google.com, googleusercontent.com), by https or the page's
 * scheme.
 */
int gdrive_confirm(struct arena *a, struct str html, const char *page_url, const char *cookie_token,
                   char **next, struct err *e);

#endif
