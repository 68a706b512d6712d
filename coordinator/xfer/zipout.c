/*
 * Zip writing by libarchive. See zipout.h. Determinism: no time is set, which libarchive writes as
 * the zip epoch (1980-01-01) whatever TZ is; owner and group stay 0; entries are stored.
 */
#include "zipout.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"

#include <archive.h>
#include <archive_entry.h>

#include <stdlib.h>

struct zipout {
    struct archive *archive;
    struct fs_temp temp;
    char *path;
};

static int fail(struct zipout *z, struct err *e)
{
    const char *text = archive_error_string(z->archive);
    return err_set(e, ERR_IO, "cannot write %s: %s", z->path, text ? text : "unknown error");
}

struct zipout *zipout_open(const char *path, struct err *e)
{
    struct fs_temp temp;
    if (fs_temp_open(&temp, path, 0, e) < 0) {
        return NULL;
    }
    struct zipout *z = xcalloc(1, sizeof(*z));
    z->temp = temp;
    z->path = xstrdup(path);
    z->archive = archive_write_new();
    if (!z->archive || archive_write_set_format_zip(z->archive) != ARCHIVE_OK ||
        archive_write_zip_set_compression_store(z->archive) != ARCHIVE_OK ||
        archive_write_open_fd(z->archive, z->temp.fd) != ARCHIVE_OK) {
        fail(z, e);
        zipout_abort(z);
        return NULL;
    }
    return z;
}

int zipout_add(struct zipout *z, const char *name, const void *data, size_t n, struct err *e)
{
    struct archive_entry *entry = archive_entry_new();
    if (!entry) {
        return err_set(e, ERR_BUG, "cannot write %s: libarchive has no memory", z->path);
    }
    archive_entry_set_pathname_utf8(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)n);
    int rc = archive_write_header(z->archive, entry);
    if (rc == ARCHIVE_OK && archive_write_data(z->archive, data, n) != (la_ssize_t)n) {
        rc = ARCHIVE_FATAL;
    }
    if (rc == ARCHIVE_OK) {
        rc = archive_write_finish_entry(z->archive);
    }
    archive_entry_free(entry);
    return rc == ARCHIVE_OK ? 0 : fail(z, e);
}

static void release(struct zipout *z)
{
    archive_write_free(z->archive); /* may still write: the descriptor must be open */
    free(z->path);
}

int zipout_commit(struct zipout *z, struct err *e)
{
    if (archive_write_close(z->archive) != ARCHIVE_OK) {
        fail(z, e);
        zipout_abort(z);
        return -1;
    }
    int rc = fs_temp_commit(&z->temp, z->path, false, e);
    release(z);
    free(z);
    return rc;
}

void zipout_abort(struct zipout *z)
{
    if (z) {
        release(z);
        fs_temp_abort(&z->temp);
        free(z);
    }
}
