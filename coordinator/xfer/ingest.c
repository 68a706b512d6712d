/*
 * Data into place. See ingest.h: get an archive or a folder, make the new data folder beside the
 * old one, exchange them.
 */
#include "ingest.h"

#include "arena.h"
#include "classdir.h"
#include "clock.h"
#include "err.h"
#include "fetch.h"
#include "fs.h"
#include "log.h"
#include "path.h"
#include "phantom.h"
#include "phantom_zip.h"
#include "progress.h"
#include "replace.h"
#include "value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct ingest {
    struct arena *a;
    const struct ingest_options *opt;
    struct ingest_config cfg;
    const char *target;   /* INTO/NAME */
    const char *archive;  /* what is unpacked; NULL: a folder source */
    bool archive_is_ours; /* at local_data_file, not the user's own */
    struct download_result fetched;
    struct classdir found; /* relative to the finished target */
    uint64_t left_out;     /* files of the source that were not taken */
};

static int check_stop(const struct ingest *in, struct err *e)
{
    bool stop = in->opt->stop && *in->opt->stop;
    return stop ? err_set(e, ERR_INTERRUPTED, "interrupted") : 0;
}

/* ---- the archive ---- */

static int render(struct ingest *in, struct err *e)
{
    struct phantom_options opt;
    const struct ingest_config *cfg = &in->cfg;
    struct download_result *r = &in->fetched;
    if (phantom_parse(cfg->source.text, &opt, e) < 0) {
        return err_wrap(e, "the source %s", cfg->source.shown);
    }
    /* Always drawn anew: it takes seconds, and an old archive could be of another generator. */
    if (phantom_zip_write(&opt, cfg->archive, in->opt->quiet, in->opt->stop, e) < 0 ||
        digest_file(DIGEST_SHA256, cfg->archive, r->sha256, &r->bytes, e) < 0) {
        return err_wrap(e, "cannot make phantom data in %s", cfg->archive);
    }
    r->fetched = true;
    if (cfg->sha256 && strcasecmp(cfg->sha256, r->sha256) != 0) {
        return err_set(e, ERR_FORMAT, "%s: the SHA-256 is %s, expected %s", cfg->archive, r->sha256,
                       cfg->sha256);
    }
    return download_record(cfg->archive, cfg->source.shown, NULL, NULL, r->bytes, r->sha256, e);
}

static int fetch(struct ingest *in, struct err *e)
{
    const struct fetch_options opt = {
        .path = in->cfg.archive,
        .sha256 = in->cfg.sha256,
        .gdrive_url = in->cfg.gdrive_url,
        .no_page = "an archive",
        .force = in->opt->force,
        .quiet = in->opt->quiet,
        .max_bytes = in->cfg.download_bytes,
        .retry_ms = in->opt->retry_ms,
        .stop = in->opt->stop,
    };
    return fetch_source(in->a, &in->cfg.source, &opt, &in->fetched, e);
}

/* A local archive stays where it is; only its checksum is looked at, when there is one to compare.
 */
static int check_local(struct ingest *in, struct err *e)
{
    struct stat st;
    struct download_result *r = &in->fetched;
    if (stat(in->archive, &st) == 0) {
        r->bytes = (uint64_t)st.st_size;
    }
    if (!in->cfg.sha256) {
        return 0;
    }
    if (digest_file(DIGEST_SHA256, in->archive, r->sha256, &r->bytes, e) < 0) {
        return -1;
    }
    if (strcasecmp(in->cfg.sha256, r->sha256) != 0) {
        return err_set(e, ERR_FORMAT, "%s: the SHA-256 is %s, expected %s", in->archive, r->sha256,
                       in->cfg.sha256);
    }
    return 0;
}

static int get_archive(struct ingest *in, struct err *e)
{
    switch (in->cfg.source.kind) {
    case SOURCE_FOLDER:
        return 0;
    case SOURCE_FILE:
        in->archive = in->cfg.source.path;
        return check_local(in, e);
    default:
        in->archive = in->cfg.archive;
        in->archive_is_ours = true;
        if (fs_mkdirs_for(in->archive, e) < 0) {
            return -1;
        }
        return in->cfg.source.kind == SOURCE_PHANTOM ? render(in, e) : fetch(in, e);
    }
}

/* ---- the new folder ---- */

static int unpack(struct ingest *in, const char *temp, struct err *e)
{
    struct unpack_stats stats;
    const char *label = arena_printf(in->a, "Unpacking %s", path_basename(in->archive));
    struct progress *progress =
        progress_new(label, in->fetched.bytes, PROGRESS_BYTES, NULL, in->opt->quiet);
    struct unpack_options opt = {
        .name = in->archive, .limits = in->cfg.limits, .progress = progress, .stop = in->opt->stop};
    int rc = unpack_to_dir(in->archive, temp, &opt, &stats, e);
    progress_free(progress);
    if (rc < 0) {
        return -1;
    }
    in->left_out = stats.skipped;
    if (stats.collisions > 0) {
        log_warn("ingest",
                 "%s: %" PRIu64 " names differ only in case or Unicode form, the first is "
                 "'%s'; on a Mac or on Windows they would be one file",
                 in->archive, stats.collisions, stats.collision);
    }
    return 0;
}

struct copy {
    struct ingest *in;
    const char *from, *temp;
    struct progress *progress;
    const char *made; /* the class folder that was made last */
    size_t
        next_class; /* classes and the walk are both in an order of their own: looked up by name */
    uint64_t copied;
};

static bool is_class(const struct classdir *found, const char *dir)
{
    for (size_t i = 0; i < found->class_count; i++) {
        if (strcmp(found->classes[i].name, dir) == 0) {
            return true;
        }
    }
    return false;
}

static int copy_file(const char *src, const char *dst, struct err *e)
{
    if (fs_link(FS_REFLINK, src, dst, 0644, NULL) == 0) {
        return 0;
    }
    if (fs_remove(dst, e) < 0) {
        return -1;
    }
    return fs_link(FS_COPY, src, dst, 0644, e);
}

static int on_source_file(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct copy *c = ctx;
    struct arena *a = c->in->a;
    if (check_stop(c->in, e) < 0) {
        return -1;
    }
    if (entry->is_dangling || !S_ISREG(entry->st.st_mode) || !classdir_is_image(entry->path)) {
        return 0;
    }
    const char *dir = path_dirname(a, entry->path);
    if (!c->made || strcmp(c->made, dir) != 0) {
        if (!is_class(&c->in->found, dir)) {
            return 0;
        }
        if (fs_mkdirs(path_join(a, c->temp, dir), e) < 0) {
            return -1;
        }
        c->made = dir;
    }
    progress_set(c->progress, ++c->copied);
    return copy_file(path_join(a, c->from, entry->path), path_join(a, c->temp, entry->path), e);
}

/* A folder that holds the target, or lies in it, would eat itself. */
static int check_apart(struct ingest *in, struct err *e)
{
    char *from = realpath(in->cfg.source.path, NULL);
    char *into = realpath(path_dirname(in->a, in->target), NULL);
    int rc = 0;
    if (from && into) {
        const char *target = path_join(in->a, into, path_basename(in->target));
        if (path_inside(from, target) || path_inside(target, from)) {
            rc = err_set(
                e, ERR_USAGE,
                "the source %s and the place of the data %s lie in each other; give another "
                "source or another --into",
                in->cfg.source.shown, in->target);
        }
    }
    free(from);
    free(into);
    return rc;
}

static int copy_folder(struct ingest *in, const char *temp, struct err *e)
{
    struct copy c = {.in = in, .temp = temp};
    if (classdir_scan(in->a, in->cfg.source.path, &in->found, e) < 0) {
        return err_wrap(e, "the source");
    }
    in->left_out = in->found.others;
    c.from = path_join(in->a, in->cfg.source.path, in->found.root);
    const char *label = arena_printf(in->a, "Copying %s", path_basename(in->cfg.source.path));
    c.progress = progress_new(label, in->found.images, PROGRESS_ITEMS, NULL, in->opt->quiet);
    int rc = fs_walk(c.from, on_source_file, &c, e);
    progress_free(c.progress);
    return rc < 0 ? err_wrap(e, "cannot copy %s", in->cfg.source.shown) : 0;
}

/* Fills temp; *from is the folder in it that becomes the data folder. */
static int fill(struct ingest *in, const char *temp, const char **from, struct err *e)
{
    *from = temp;
    if (in->cfg.source.kind == SOURCE_FOLDER) {
        return copy_folder(in, temp, e);
    }
    if (unpack(in, temp, e) < 0) {
        return -1;
    }
    if (classdir_scan(in->a, temp, &in->found, e) < 0) {
        return err_wrap(e, "%s", in->archive);
    }
    struct classdir inner;
    *from = path_join(in->a, temp, in->found.root);
    if (classdir_scan(in->a, *from, &inner, e) < 0) {
        return -1;
    }
    in->left_out += in->found.others - inner.others; /* what lay outside the data folder */
    return 0;
}

static int put_in_place(struct ingest *in, struct err *e)
{
    struct replace r = {0};
    const char *from;
    if (replace_begin(in->a, &r, in->target, e) < 0) {
        return -1;
    }
    if ((in->cfg.source.kind == SOURCE_FOLDER && check_apart(in, e) < 0) ||
        fill(in, r.temp, &from, e) < 0 || check_stop(in, e) < 0 ||
        replace_commit(in->a, &r, from, e) < 0) {
        replace_abort(&r);
        return -1;
    }
    return 0;
}

/* ---- result ---- */

static struct value *describe(struct ingest *in, double seconds)
{
    struct arena *a = in->a;
    const struct download_result *f = &in->fetched;
    struct value *v = value_map(a), *classes = value_map(a);
    value_set(a, v, "schema", value_int(a, 1));
    value_set(a, v, "source", value_cstr(a, in->cfg.source.shown));
    value_set(a, v, "kind", value_cstr(a, source_kind_name(in->cfg.source.kind)));
    value_set(a, v, "data_dir", value_cstr(a, in->target));
    for (size_t i = 0; i < in->found.class_count; i++) {
        value_set(a, classes, in->found.classes[i].name,
                  value_int(a, (int64_t)in->found.classes[i].images));
    }
    value_set(a, v, "classes", classes);
    value_set(a, v, "images", value_int(a, (int64_t)in->found.images));
    value_set(a, v, "image_bytes", value_int(a, (int64_t)in->found.image_bytes));
    value_set(a, v, "left_out", value_int(a, (int64_t)in->left_out));
    value_set(a, v, "archive",
              in->archive && (!in->archive_is_ours || in->cfg.keep_archive)
                  ? value_cstr(a, in->archive)
                  : value_null(a));
    value_set(a, v, "archive_bytes", in->archive ? value_int(a, (int64_t)f->bytes) : value_null(a));
    value_set(a, v, "sha256", f->sha256[0] ? value_cstr(a, f->sha256) : value_null(a));
    value_set(a, v, "fetched", value_bool(a, f->fetched));
    value_set(a, v, "received_bytes", value_int(a, (int64_t)f->received));
    value_set(a, v, "seconds", value_float(a, seconds));
    return v;
}

static int drop_archive(struct ingest *in, struct err *e)
{
    if (!in->archive_is_ours || in->cfg.keep_archive) {
        return 0;
    }
    if (fs_remove(arena_printf(in->a, "%s.json", in->archive), e) < 0) {
        return -1;
    }
    return fs_remove(in->archive, e);
}

int ingest_run(struct arena *a, const struct ingest_options *opt, struct value **result,
               struct err *e)
{
    struct ingest in = {.a = a, .opt = opt};
    double start = clock_seconds(&clock_system);
    if (ingest_config_load(a, opt, &in.cfg, e) < 0) {
        return -1;
    }
    in.target = path_join(a, in.cfg.into, in.cfg.data_dir);
    if (fs_mkdirs(in.cfg.root_dir, e) < 0 || get_archive(&in, e) < 0 || put_in_place(&in, e) < 0 ||
        drop_archive(&in, e) < 0) {
        return -1;
    }
    if (in.found.nested) {
        log_warn("ingest",
                 "%s: the class folders have different parents and were left so; training "
                 "takes the folders directly below it as classes",
                 in.target);
    }
    if (result) {
        *result = describe(&in, clock_seconds(&clock_system) - start);
    }
    return 0;
}
