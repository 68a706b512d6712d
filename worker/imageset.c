/* Data of a run; see imageset.h. */
#include "imageset.h"

#include "comm.h"
#include "featurecache.h"
#include "ranks_agree.h"
#include "settings.h"

#include "duplicates.h"
#include "err.h"
#include "loader.h"
#include "log.h"
#include "model.h"
#include "pixels.h"
#include "score.h"
#include "str.h"

#include <stdlib.h>
#include <string.h>

#define COPIES_MAX_SAMPLES 20000 /* the search compares every pair across the split */

static int read_folders(struct imageset *s, const struct imageset_options *opt, struct err *e)
{
    struct dataset_options want = {.classes = opt->classes, .class_names = opt->class_names};
    int rc = dataset_open(&s->data, opt->settings->data_dir, &want, e);
    if (rc < 0 && e && e->code == ERR_MISSING) {
        err_append(e, "; run 'nephron ingest', or set data_ingestion in config/config.yaml");
    }
    return rc;
}

/* What rank 0 read, on all ranks. */
static int share_folders(struct imageset *s, struct comm *comm, struct err *e)
{
    struct strbuf bytes;
    strbuf_init(&bytes);
    if (comm->rank == 0) {
        dataset_pack(&s->data, &bytes);
    }
    size_t n = bytes.n;
    int rc = comm_bcast(comm, &n, sizeof(n), 0, e);
    if (rc == 0 && comm->rank > 0) {
        strbuf_pad(&bytes, '\0', n);
    }
    rc = rc == 0 ? comm_bcast(comm, bytes.p, n, 0, e) : rc;
    if (rc == 0 && comm->rank > 0) {
        rc = dataset_unpack(&s->data, strbuf_str(&bytes), e);
    }
    strbuf_release(&bytes);
    return rc;
}

int imageset_open(struct imageset *s, const struct imageset_options *opt, struct err *e)
{
    const struct settings *set = opt->settings;
    struct split_options split = {.kind = set->split_kind,
                                  .fraction = set->validation_split,
                                  .seed = set->seed,
                                  .pattern = set->split_pattern};
    struct pixels_options pixels = {.width = (int)opt->width, .height = (int)opt->height};
    memset(s, 0, sizeof(*s));
    int rc = ranks_agree(opt->comm, opt->comm->rank == 0 ? read_folders(s, opt, e) : 0, e);
    if (rc == 0 && opt->comm->size > 1) {
        rc = share_folders(s, opt->comm, e);
    }
    rc = rc == 0 ? split_make(&s->split, &s->data, &split, e) : rc;
    if (rc == 0) {
        s->pixels = pixels_new(&s->data, &pixels, e);
        rc = s->pixels ? 0 : -1;
    }
    if (ranks_agree(opt->comm, rc, e) < 0) {
        imageset_release(s);
        return -1;
    }
    return 0;
}

void imageset_release(struct imageset *s)
{
    if (s->data.samples) {
        pixels_free(s->pixels);
        split_release(&s->split);
        dataset_release(&s->data);
    }
    memset(s, 0, sizeof(*s));
}

/* This rank's part of n items: contiguous, as even as possible. */
static void share_of(const struct comm *c, size_t n, size_t *first, size_t *last)
{
    *first = n * (size_t)c->rank / (size_t)c->size;
    *last = n * (size_t)(c->rank + 1) / (size_t)c->size;
}

/* The thumbnails of all samples on every rank, each made by one. */
static int make_thumbs(struct imageset *s, struct comm *comm, struct par *par, struct thumbs *out,
                       struct err *e)
{
    size_t first, last, total = 0;
    share_of(comm, s->data.count, &first, &last);
    if (ranks_agree(comm, thumbs_make(out, s->pixels, first, last, par, e), e) < 0) {
        return -1;
    }
    if (comm->size == 1) {
        return 0;
    }
    uint8_t *all = comm_collect(comm, out->grey + first * DUPLICATES_BYTES,
                                (last - first) * DUPLICATES_BYTES, &total, e);
    if (!all) {
        return -1;
    }
    memcpy(out->grey, all, total);
    free(all);
    return 0;
}

int imageset_warn_copies(struct imageset *s, struct comm *comm, struct par *par, struct err *e)
{
    struct thumbs thumbs = {0};
    struct duplicates found;
    if (s->split.valid_count == 0 || s->data.count > COPIES_MAX_SAMPLES) {
        return 0;
    }
    int rc = make_thumbs(s, comm, par, &thumbs, e);
    if (rc == 0 && comm->rank == 0) {
        duplicates_find(&thumbs, &s->split, 0, par, &found);
        if (found.near_count > 0) {
            struct strbuf text;
            strbuf_init(&text);
            duplicates_describe(&found, &s->data, &text);
            log_warn("data",
                     "%s; validation says little of unseen patients, consider SPLIT_BY: group",
                     text.p);
            strbuf_release(&text);
        }
    }
    thumbs_release(&thumbs);
    return rc;
}

static void even_rows(void *ctx, size_t global_rows, size_t *first, size_t *last)
{
    share_of(ctx, global_rows, first, last);
}

static bool is_stopped(const struct imageset *s)
{
    return s->stop != NULL && *s->stop != 0;
}

/* Ends early when this rank is told to stop; the others learn of it afterwards. */
static int score_rows(const struct imageset *s, struct comm *comm, struct loader *l,
                      struct model *m, struct score *score, struct err *e)
{
    const struct model_config *c = model_config(m);
    bool features = s->features != NULL;
    size_t row = features ? model_feature_size(m) : c->channels * c->height * c->width;
    size_t limit = model_rows(m);
    struct batch b;
    int more;
    loader_start(l, 0, 0);
    while ((more = loader_next(l, &b, e)) > 0 && !is_stopped(s)) {
        for (size_t at = 0; at < b.rows; at += limit) {
            size_t n = b.rows - at < limit ? b.rows - at : limit;
            model_forward(
                m, &(struct model_batch){
                       .x = b.x + at * row, .count = n, .mode = MODEL_EVAL, .features = features});
            score_add_logits(score, model_logits(m), b.labels + at, b.samples + at, n);
            comm_idle(comm);
        }
    }
    return more < 0 ? -1 : 0;
}

/* Takes the rows of all ranks in place of this rank's. */
static int gather_rows(struct comm *comm, struct score *score, struct err *e)
{
    size_t row = score_stride(score->classes) * sizeof(double), total = 0;
    double *all = comm_collect(comm, score->rows, score->count * row, &total, e);
    if (!all) {
        return -1;
    }
    score_reset(score);
    int rc = score_append(score, all, total / row, e);
    free(all);
    return rc;
}

int imageset_validate(struct imageset *s, struct comm *comm, struct model *m, size_t batch,
                      struct score *score, struct err *e)
{
    struct loader_options opt = {
        .pixels = s->pixels,
        .samples = s->split.valid,
        .count = s->split.valid_count,
        .batch = batch,
        .rows = even_rows,
        .rows_ctx = comm,
        .threads = 1,
        .prefetch = 2,
    };
    if (s->features) {
        opt.fill = featurecache_fill;
        opt.fill_ctx = s->features;
        opt.fill_floats = featurecache_floats(s->features);
    }
    score_reset(score);
    struct loader *l = loader_new(&opt, e);
    int rc = l ? score_rows(s, comm, l, m, score, e) : -1;
    int64_t sig = is_stopped(s) ? *s->stop : 0;
    loader_free(l);
    if (ranks_agree(comm, rc, e) < 0 || comm_max(comm, &sig, 1, e) < 0) {
        return -1;
    }
    if (sig > 0) {
        score_reset(score);
        return (int)sig;
    }
    return comm->size > 1 ? gather_rows(comm, score, e) : 0;
}
