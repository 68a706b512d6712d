/* Features of frozen layers; see featurecache.h. */
#include "featurecache.h"

#include "comm.h"
#include "imageset.h"
#include "ranks_agree.h"

#include "alloc.h"
#include "arena.h"
#include "digest.h"
#include "err.h"
#include "featurefile.h"
#include "fs.h"
#include "image.h"
#include "log.h"
#include "model.h"
#include "num.h"
#include "par.h"
#include "path.h"
#include "pixels.h"
#include "progress.h"
#include "str.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define BLOCK_BYTES ((size_t)64 << 20) /* of rows, between two exchanges */
#define UNUSED_DAYS 30                 /* then a file goes */

struct featurecache {
    struct arena arena;
    struct featurecache_options opt;
    char key[FEATUREFILE_KEY_SIZE];
    const char *path;
    struct featurefile file;
    size_t count, row; /* samples, floats of each */
};

size_t featurecache_floats(const struct featurecache *f)
{
    return f->row;
}

int featurecache_fill(void *ctx, size_t sample, float *x, struct err *e)
{
    const struct featurecache *f = ctx;
    memcpy(x, featurefile_row(&f->file, sample), f->row * sizeof(float));
    return 0;
}

void featurecache_free(struct featurecache *f)
{
    if (f) {
        featurefile_close(&f->file);
        arena_release(&f->arena);
        free(f);
    }
}

/* This rank's part of samples [first, last). */
static void part_of(const struct comm *c, size_t first, size_t last, size_t *begin, size_t *end)
{
    size_t n = last - first, rank = (size_t)c->rank, world = (size_t)c->size;
    *begin = first + n * rank / world;
    *end = first + n * (rank + 1) / world;
}

/* --- the key --------------------------------------------------------------------------------- */

struct hash_job {
    const struct dataset *data;
    size_t first;
    char (*hex)[DIGEST_HEX_SIZE];
};

/* A picture that cannot be read keeps an empty digest; decoding it will say why. */
static void hash_item(void *ctx, size_t item, int thread)
{
    struct hash_job *j = ctx;
    char path[DATASET_PATH_MAX];
    digest_file(DIGEST_MD5, dataset_path(j->data, j->first + item, path), j->hex[item], NULL, NULL);
}

/* The digests of all pictures, each read by one rank. Returns new (free). */
static char *hash_pictures(struct featurecache *f, size_t *bytes, struct err *e)
{
    size_t begin, end;
    part_of(f->opt.comm, 0, f->count, &begin, &end);
    struct hash_job j = {.data = &f->opt.set->data, .first = begin};
    j.hex = xcalloc(end - begin + 1, sizeof(*j.hex));
    par_for(f->opt.par, end - begin, hash_item, &j);
    char *all = comm_collect(f->opt.comm, j.hex, (end - begin) * sizeof(*j.hex), bytes, e);
    free(j.hex);
    return all;
}

static void hash_text(struct digest *d, const char *text)
{
    digest_update(d, text, strlen(text) + 1);
}

static void hash_machine(struct digest *d)
{
    static const char *const kinds[] = {"model name", "flags", "CPU implementer", "CPU part",
                                        "Features"};
    char hex[DIGEST_HEX_SIZE] = "";
    struct strbuf cpu;
    struct str rest, line;
    digest_file(DIGEST_SHA256, "/proc/self/exe", hex, NULL, NULL);
    hash_text(d, hex);
    strbuf_init(&cpu);
    fs_read("/proc/cpuinfo", (size_t)16 << 20, &cpu, NULL);
    rest = strbuf_str(&cpu);
    while (str_split(&rest, '\n', &line)) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            if (str_starts(line, kinds[i])) {
                digest_update(d, line.p, line.n);
            }
        }
        if (line.n == 0) { /* the first processor is enough */
            break;
        }
    }
    strbuf_release(&cpu);
}

static void hash_model(struct digest *d, const struct model *m)
{
    size_t params, buffers;
    const struct model_config *c = model_config(m);
    const struct param *p = model_params(m, &params);
    const struct model_buffer *b = model_buffers(m, &buffers);
    const size_t shape[] = {c->channels, c->height, c->width, (size_t)c->head,
                            model_feature_size(m)};
    hash_text(d, c->name);
    digest_update(d, shape, sizeof(shape));
    for (size_t i = 0; i < params; i++) {
        if (!p[i].trainable) {
            hash_text(d, p[i].name);
            digest_update(d, p[i].value, p[i].count * sizeof(float));
        }
    }
    for (size_t i = 0; i < buffers; i++) {
        if (b[i].value) {
            digest_update(d, b[i].value, b[i].count * sizeof(float));
        }
    }
}

static int make_key(struct featurecache *f, struct err *e)
{
    const struct image_norm norm = IMAGE_NORM_IMAGENET;
    struct digest d;
    size_t bytes = 0;
    char *pictures = hash_pictures(f, &bytes, e);
    if (!pictures) {
        return -1;
    }
    if (f->opt.comm->rank == 0) {
        digest_init(&d, DIGEST_SHA256);
        hash_machine(&d);
        hash_model(&d, f->opt.model);
        digest_update(&d, &norm, sizeof(norm));
        digest_update(&d, pictures, bytes);
        digest_final(&d, f->key);
    }
    free(pictures);
    return comm_bcast(f->opt.comm, f->key, sizeof(f->key), 0, e);
}

/* --- a file that is there -------------------------------------------------------------------- */

/* Do all ranks see a good file? Each checks its share of the rows. A bad one is said and removed.
 */
static int try_open(struct featurecache *f, bool *good, struct err *e)
{
    struct err why = ERR_INIT;
    size_t begin, end;
    part_of(f->opt.comm, 0, f->count, &begin, &end);
    int rc = featurefile_open(&f->file, f->path, f->key, f->count, f->row, &why);
    if (rc == 0) {
        rc = featurefile_check(&f->file, begin, end, f->opt.par, &why);
    }
    if (rc < 0 && why.code != ERR_MISSING) {
        log_warn("features", "%s; it is made again", why.text);
        fs_remove(f->path, NULL);
    }
    int64_t bad = rc < 0;
    if (comm_max(f->opt.comm, &bad, 1, e) < 0) {
        return -1;
    }
    *good = !bad;
    if (bad) {
        featurefile_close(&f->file);
    } else if (f->opt.comm->rank == 0) {
        featurefile_touch(f->path);
    }
    return 0;
}

/* --- making one ------------------------------------------------------------------------------ */

struct convert_job {
    struct pixels *pixels;
    size_t first;     /* sample of item 0 */
    uint8_t *scratch; /* one picture a thread */
    size_t picture;   /* values of one */
    float *x;
    atomic_size_t bad; /* lowest sample that cannot be read; SIZE_MAX: none */
};

static void convert_item(void *ctx, size_t item, int thread)
{
    struct convert_job *j = ctx;
    const struct image_norm norm = IMAGE_NORM_IMAGENET;
    size_t sample = j->first + item, lowest = atomic_load(&j->bad);
    const uint8_t *px =
        pixels_get(j->pixels, sample, j->scratch + (size_t)thread * j->picture, NULL);
    if (px) {
        image_to_chw(px, pixels_width(j->pixels), pixels_height(j->pixels), &norm,
                     j->x + item * j->picture);
    }
    while (!px && sample < lowest && !atomic_compare_exchange_weak(&j->bad, &lowest, sample)) {
    }
}

/* Rows [begin, end) into `out`, as many pictures at a time as the plan has rows. */
static int compute(struct featurecache *f, size_t begin, size_t end, float *out, struct err *e)
{
    struct pixels *pixels = f->opt.set->pixels;
    size_t limit = model_rows(f->opt.model), threads = (size_t)par_threads(f->opt.par);
    size_t picture = 3 * (size_t)pixels_width(pixels) * (size_t)pixels_height(pixels);
    struct convert_job j = {.pixels = pixels, .picture = picture};
    int rc = 0;
    j.scratch = xmalloc(threads * picture);
    j.x = xmalloc(limit * picture * sizeof(float));
    atomic_init(&j.bad, SIZE_MAX);
    for (size_t at = begin; at < end && rc == 0; at += limit) {
        size_t n = end - at < limit ? end - at : limit;
        j.first = at;
        par_for(f->opt.par, n, convert_item, &j);
        if (atomic_load(&j.bad) != SIZE_MAX) { /* once more, for the words */
            pixels_get(pixels, atomic_load(&j.bad), j.scratch, e);
            rc = -1;
            break;
        }
        memcpy(out + (at - begin) * f->row, model_features(f->opt.model, j.x, n),
               n * f->row * sizeof(float));
        comm_idle(f->opt.comm);
    }
    free(j.scratch);
    free(j.x);
    return rc;
}

/* One block: computed in parts, gathered, written by rank 0 as long as *writing. */
static int make_block(struct featurecache *f, struct featurefile_writer *w, size_t first,
                      size_t last, bool *writing, struct err *e)
{
    struct err why = ERR_INIT;
    size_t begin, end, total = 0;
    part_of(f->opt.comm, first, last, &begin, &end);
    float *mine = xmalloc(((end - begin) * f->row + 1) * sizeof(float));
    int rc = ranks_agree(f->opt.comm, compute(f, begin, end, mine, e), e);
    float *all = NULL;
    if (rc == 0) {
        all = comm_collect(f->opt.comm, mine, (end - begin) * f->row * sizeof(float), &total, e);
        rc = all ? 0 : -1;
    }
    if (rc == 0 && *writing && featurefile_add(w, all, last - first, &why) < 0) {
        log_warn("features", "not kept: %s", why.text);
        featurefile_abort(w);
        *writing = false;
    }
    free(mine);
    free(all);
    return rc;
}

static bool begin_file(struct featurecache *f, struct featurefile_writer *w)
{
    struct err why = ERR_INIT;
    size_t bytes = featurefile_bytes(f->count, f->row);
    if (featurefile_sweep(f->opt.dir, f->path, f->opt.max_bytes - bytes, UNUSED_DAYS, &why) < 0) {
        log_warn("features", "%s", why.text);
    }
    if (featurefile_begin(w, f->path, f->key, f->count, f->row, &why) < 0) {
        log_warn("features", "not kept: %s", why.text);
        return false;
    }
    return true;
}

/* All rows; *kept when the file is there. */
static int make_file(struct featurecache *f, bool *kept, struct err *e)
{
    struct featurefile_writer w;
    struct comm *c = f->opt.comm;
    size_t step = BLOCK_BYTES / (f->row * sizeof(float));
    bool writing = c->rank == 0 && begin_file(f, &w);
    struct progress *bar =
        progress_new("Features", f->count, PROGRESS_ITEMS, NULL, f->opt.quiet || c->rank > 0);
    int rc = 0;
    step = step < (size_t)c->size ? (size_t)c->size : step;
    for (size_t first = 0; first < f->count && rc == 0; first += step) {
        size_t last = f->count - first < step ? f->count : first + step;
        int64_t in_vain = c->rank == 0 && !writing;
        rc = comm_max(c, &in_vain, 1, e);
        if (rc == 0 && in_vain) {
            break;
        }
        rc = rc == 0 ? make_block(f, &w, first, last, &writing, e) : rc;
        progress_set(bar, last);
    }
    progress_free(bar);
    struct err why = ERR_INIT;
    if (writing && rc < 0) {
        featurefile_abort(&w);
    } else if (writing && featurefile_commit(&w, &why) < 0) {
        log_warn("features", "not kept: %s", why.text);
        writing = false;
    }
    int64_t there = c->rank == 0 && writing;
    rc = rc == 0 ? comm_max(c, &there, 1, e) : rc;
    *kept = there;
    return rc;
}

/* --- together -------------------------------------------------------------------------------- */

/* Rank 0 decides for all: a file that is allowed, on a disk that has twice the room. */
static int worth_keeping(struct featurecache *f, bool *yes, struct err *e)
{
    struct statvfs disk;
    struct err why = ERR_INIT;
    size_t bytes = featurefile_bytes(f->count, f->row);
    int64_t good = 0;
    if (f->opt.comm->rank == 0) {
        char need[NUM_TEXT_SIZE], have[NUM_TEXT_SIZE];
        num_bytes(need, (double)bytes);
        double room = 0;
        good = bytes <= f->opt.max_bytes && fs_mkdirs(f->opt.dir, &why) == 0 &&
               statvfs(f->opt.dir, &disk) == 0;
        if (good) {
            room = (double)disk.f_bavail * (double)disk.f_frsize;
            good = room >= 2 * (double)bytes || fs_exists(f->path);
        }
        if (!good) {
            num_bytes(have, room > 0 ? room : (double)f->opt.max_bytes);
            log_info("features", "%s of features are not kept (%s %s): each step computes its own",
                     need, room > 0 ? "free on the disk:" : "training.features_gib allows", have);
        }
    }
    int rc = comm_max(f->opt.comm, &good, 1, e);
    *yes = good;
    return rc;
}

static int open_or_make(struct featurecache *f, bool *good, struct err *e)
{
    bool worth = false, kept = false;
    *good = false;
    if (make_key(f, e) < 0) {
        return -1;
    }
    f->path =
        path_join(&f->arena, f->opt.dir, arena_printf(&f->arena, "%s" FEATUREFILE_SUFFIX, f->key));
    if (worth_keeping(f, &worth, e) < 0) {
        return -1;
    }
    if (!worth) {
        return 0;
    }
    if (try_open(f, good, e) < 0 || *good) {
        return *good ? 0 : -1;
    }
    if (make_file(f, &kept, e) < 0) {
        return -1;
    }
    if (!kept) {
        return 0;
    }
    if (try_open(f, good, e) < 0) {
        return -1;
    }
    if (!*good && f->opt.comm->rank == 0) {
        log_warn("features", "%s is not seen by every rank: each step computes its own features",
                 f->path);
    }
    return 0;
}

int featurecache_open(const struct featurecache_options *opt, struct featurecache **out,
                      struct err *e)
{
    bool good = false;
    *out = NULL;
    if (model_feature_size(opt->model) == 0) {
        return 0;
    }
    struct featurecache *f = xcalloc(1, sizeof(*f));
    arena_init(&f->arena);
    f->opt = *opt;
    f->count = opt->set->data.count;
    f->row = model_feature_size(opt->model);
    int rc = open_or_make(f, &good, e);
    if (rc < 0 || !good) {
        featurecache_free(f);
        f = NULL;
    }
    *out = f;
    return rc;
}
