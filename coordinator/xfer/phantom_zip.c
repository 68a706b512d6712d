/*
 * Phantom slices as an archive. See phantom_zip.h. Rendering is spread over the cores in batches of
 * BATCH pictures, each into its own buffer; the buffers are then written in order, so that neither
 * the number of threads nor their speed shows in the file. Memory: BATCH JPEGs, some MB.
 */
#include "phantom_zip.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "par.h"
#include "path.h"
#include "phantom.h"
#include "progress.h"
#include "str.h"
#include "zipout.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH 64

struct batch {
    const struct phantom_options *opt;
    size_t first;
    struct strbuf jpeg[BATCH];
    struct err failed[BATCH];
    struct progress *progress;
    const volatile sig_atomic_t *stop;
};

static void render(void *ctx, size_t item, int thread)
{
    struct batch *b = ctx;
    if (b->stop && *b->stop) {
        return;
    }
    struct phantom_id id = phantom_id_at(b->opt, b->first + item);
    strbuf_reset(&b->jpeg[item]);
    phantom_jpeg(b->opt, id, &b->jpeg[item], &b->failed[item]);
    progress_add(b->progress, 1);
}

static int write_batch(struct batch *b, struct zipout *zip, size_t count, struct err *e)
{
    char name[PHANTOM_NAME_SIZE], path[PHANTOM_NAME_SIZE + sizeof(PHANTOM_TOP_FOLDER) + 1];
    for (size_t i = 0; i < count; i++) {
        phantom_name(b->opt, phantom_id_at(b->opt, b->first + i), name);
        snprintf(path, sizeof(path), "%s/%s", PHANTOM_TOP_FOLDER, name);
        if (b->failed[i].code != ERR_NONE) {
            return err_set(e, b->failed[i].code, "%s: %s", name, b->failed[i].text);
        }
        if (zipout_add(zip, path, b->jpeg[i].p, b->jpeg[i].n, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int write_all(struct batch *b, struct zipout *zip, struct err *e)
{
    size_t total = phantom_count(b->opt);
    struct par *par = par_new(0);
    int rc = 0;
    for (b->first = 0; b->first < total && rc == 0; b->first += BATCH) {
        size_t count = total - b->first < BATCH ? total - b->first : BATCH;
        par_for(par, count, render, b);
        rc = b->stop && *b->stop ? err_set(e, ERR_INTERRUPTED, "interrupted")
                                 : write_batch(b, zip, count, e);
    }
    par_free(par);
    return rc;
}

int phantom_zip_write(const struct phantom_options *opt, const char *path, bool quiet,
                      const volatile sig_atomic_t *stop, struct err *e)
{
    if (fs_mkdirs_for(path, e) < 0) {
        return -1;
    }
    struct zipout *zip = zipout_open(path, e);
    if (!zip) {
        return -1;
    }
    struct batch *b = xcalloc(1, sizeof(*b));
    b->opt = opt;
    b->stop = stop;
    b->progress =
        progress_new("Rendering phantom slices", phantom_count(opt), PROGRESS_ITEMS, NULL, quiet);
    for (size_t i = 0; i < BATCH; i++) {
        strbuf_init(&b->jpeg[i]);
    }
    int rc = write_all(b, zip, e);
    if (rc < 0) {
        zipout_abort(zip);
    } else {
        rc = zipout_commit(zip, e);
    }
    for (size_t i = 0; i < BATCH; i++) {
        strbuf_release(&b->jpeg[i]);
    }
    progress_free(b->progress);
    free(b);
    return rc;
}
