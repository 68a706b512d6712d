/* Training: set-up and the loop over epochs; see train.h. */
#include "train_private.h"

#include "alloc.h"
#include "augment.h"
#include "checkpoint.h"
#include "clock.h"
#include "featurecache.h"
#include "fs.h"
#include "image.h"
#include "loader.h"
#include "log.h"
#include "modelio.h"
#include "modelshare.h"
#include "num.h"
#include "par.h"
#include "pixels.h"
#include "ranks_agree.h"
#include "shard.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- set-up ---------------------------------------------------------------------------------- */

/* Each rank has at least one shard, and powers of two of ranks cut the tree at its nodes. A training that is taken up keeps
 * its shards, so that its bits are those of the training that was not interrupted. */
static size_t choose_shards(int world, uint64_t begun_with)
{
    size_t shards = SHARD_DEFAULT;
    while (shards < begun_with && shards < SHARD_MAX) {
        shards *= 2;
    }
    while (shards < (size_t)world && shards < SHARD_MAX) {
        shards *= 2;
    }
    return shards;
}

static int check_start(const struct trainer *t, struct err *e)
{
    const struct modelfile_info *f = &t->info;
    const struct settings *s = t->s;
    if (f->class_count != s->classes || (int)f->image_height != s->height ||
        (int)f->image_width != s->width || strcmp(f->arch, s->model) != 0) {
        return err_set(e, ERR_CONFIG,
                       "%s holds %s for %ux%u pixels and %zu classes, params.yaml asks for %s, "
                       "%dx%d and %zu; run 'nephron prepare'",
                       s->updated_model, f->arch, f->image_height, f->image_width, f->class_count,
                       s->model, s->height, s->width, s->classes);
    }
    return 0;
}

static int open_start(struct trainer *t, struct err *e)
{
    const struct settings *s = t->s;
    if ((size_t)t->comm->size > SHARD_MAX) {
        return err_set(e, ERR_USAGE, "training runs on at most %d ranks, these are %d", SHARD_MAX,
                       t->comm->size);
    }
    if (modelshare_info(t->comm, s->updated_model, &t->arena, &t->info, e) < 0) {
        return err_wrap(e, "cannot start from %s (made by 'nephron prepare')", s->updated_model);
    }
    return check_start(t, e);
}

static int open_model(struct trainer *t, struct err *e)
{
    const struct settings *s = t->s;
    size_t shards = choose_shards(t->comm->size, t->found.shards);
    enum model_head head;
    if (model_parse_head(t->info.head, &head, e) < 0) {
        return -1;
    }
    t->model = model_new(&(struct model_config){.name = t->info.arch,
                                                .classes = t->info.class_count,
                                                .height = t->info.image_height,
                                                .width = t->info.image_width,
                                                .head = head,
                                                .freeze = s->freeze,
                                                .seed = s->seed,
                                                .shards = shards,
                                                .keep = 1 - s->dropout,
                                                .empty = true,
                                                .par = t->opt->par},
                         e);
    struct model_plan plan = {.batch = s->batch};
    shard_of_rank(shards, (size_t)t->comm->size, (size_t)t->comm->rank, &plan.shard_first,
                  &plan.shard_count);
    int rc = t->model ? model_plan(t->model, &plan, e) : -1;
    if (rc == 0 && t->comm->rank == 0) {
        rc = model_load_file(t->model, s->updated_model, NULL, NULL, e);
    }
    if (ranks_agree(t->comm, rc, e) < 0 || modelshare_values(t->comm, t->model, e) < 0) {
        return -1;
    }
    t->optim = optim_new(&s->optim, t->model, e);
    return t->optim ? 0 : -1;
}

static void split_rows(void *ctx, size_t global_rows, size_t *first, size_t *last)
{
    const struct trainer *t = ctx;
    size_t count;
    model_split(t->model, global_rows, first, &count);
    *last = *first + count;
}

/* What never changes is computed once; with augmentation every picture is another each time. */
static int open_features(struct trainer *t, struct err *e)
{
    const struct settings *s = t->s;
    if (s->augmentation || !t->opt->features_dir || s->features_bytes == 0) {
        return 0;
    }
    struct featurecache_options want = {.comm = t->comm,
                                        .par = t->opt->par,
                                        .model = t->model,
                                        .set = &t->set,
                                        .dir = t->opt->features_dir,
                                        .max_bytes = s->features_bytes,
                                        .quiet = t->opt->quiet};
    int rc = featurecache_open(&want, &t->features, e);
    t->set.features = t->features;
    return rc;
}

static int open_images(struct trainer *t, struct err *e)
{
    const struct settings *s = t->s;
    struct imageset_options want = {.settings = s,
                                    .comm = t->comm,
                                    .height = (size_t)s->height,
                                    .width = (size_t)s->width,
                                    .classes = s->classes};
    int rc = imageset_open(&t->set, &want, e);
    t->set.stop = t->opt->stop;
    return rc;
}

static int open_loader(struct trainer *t, struct err *e)
{
    const struct settings *s = t->s;
    if (open_features(t, e) < 0) {
        return -1;
    }
    struct augment_options augment = AUGMENT_DEFAULT;
    struct loader_options load = {.pixels = t->set.pixels,
                                  .samples = t->set.split.train,
                                  .count = t->set.split.train_count,
                                  .batch = s->batch,
                                  .seed = s->seed,
                                  .shuffle = true,
                                  .drop_last = t->set.split.train_count >= s->batch,
                                  .augment = s->augmentation ? &augment : NULL,
                                  .rows = split_rows,
                                  .rows_ctx = t};
    if (t->features) {
        load.fill = featurecache_fill;
        load.fill_ctx = t->features;
        load.fill_floats = featurecache_floats(t->features);
    }
    t->loader = loader_new(&load, e);
    score_init(&t->score, s->classes);
    return t->loader ? 0 : -1;
}

static int set_up(struct trainer *t, char run[33], struct err *e)
{
    if (ranks_agree(t->comm, open_start(t, e), e) < 0 ||
        ranks_agree(t->comm, open_images(t, e), e) < 0 || train_state_find(t, e) < 0 ||
        ranks_agree(t->comm, open_model(t, e), e) < 0) {
        return -1;
    }
    int rc = open_loader(t, e);
    rc = rc == 0 ? train_step_init(t, e) : rc;
    if (ranks_agree(t->comm, rc, e) < 0 ||
        imageset_warn_copies(&t->set, t->comm, t->opt->par, e) < 0) {
        return -1;
    }
    return train_state_resume(t, run, e);
}

/* --- the loop -------------------------------------------------------------------------------- */

static double rate_at(const struct trainer *t, size_t epoch, size_t batch)
{
    double per_epoch = (double)loader_batches(t->loader);
    return schedule_rate(&t->s->schedule, t->s->learning_rate,
                         &(struct schedule_position){
                             .epoch = (double)epoch + (double)batch / per_epoch,
                             .epochs = (double)t->s->epochs,
                             .steps_per_epoch = per_epoch,
                             .batch = t->s->batch,
                         });
}

static void add_step(struct trainer *t, const struct step_row *row)
{
    ARRAY_RESERVE(t->steps, t->step_count, t->step_capacity, 1);
    t->steps[t->step_count++] = *row;
}

/* Means over the epoch's steps, from the rows, so that a resumed epoch has all of them. */
static void epoch_means(const struct trainer *t, size_t epoch, struct epoch_row *row)
{
    double loss = 0, accuracy = 0, n = 0;
    for (size_t i = 0; i < t->step_count; i++) {
        if ((size_t)t->steps[i].epoch == epoch && isfinite(t->steps[i].loss)) {
            loss += t->steps[i].loss;
            accuracy += t->steps[i].accuracy;
            n++;
        }
    }
    row->train_loss = n > 0 ? loss / n : (double)NAN;
    row->train_accuracy = n > 0 ? accuracy / n : (double)NAN;
}

static int stop_by_signal(struct trainer *t, size_t epoch, size_t batch, int sig, struct err *e)
{
    train_state_save(t, epoch, batch * t->s->batch);
    t->out->exit_code = sig == SIGUSR1 ? TRAIN_EXIT_REQUEUE : 128 + sig;
    return err_set(e, ERR_INTERRUPTED,
                   "stopped by signal %d after step %" PRIu64
                   "; the same command goes on from there",
                   sig, t->step);
}

static int one_batch(struct trainer *t, const struct batch *b, size_t epoch, struct err *e)
{
    struct step_result r;
    double rate = rate_at(t, epoch, b->index);
    double begin = clock_seconds(&clock_system);
    if (train_step(t, b, rate, &r, e) < 0) {
        return -1;
    }
    double seconds = clock_seconds(&clock_system) - begin;
    struct step_row row = {(double)epoch, (double)t->step, r.loss, r.accuracy, rate};
    t->step++;
    t->busy_s += seconds;
    t->samples_done += (double)b->global_rows;
    add_step(t, &row);
    train_report_step(t, &row, seconds > 0 ? (double)b->global_rows / seconds : 0);
    train_pace_step(t, &row);
    t->bad_in_a_row = r.skipped ? t->bad_in_a_row + 1 : 0;
    t->out->skipped += r.skipped;
    if (r.skipped) {
        log_warn("train", "step %.0f: loss %g or its gradient is not finite, left out", row.step,
                 r.loss);
    }
    if (t->bad_in_a_row >= TRAIN_BAD_STEPS) {
        t->out->exit_code = TRAIN_EXIT_NOT_FINITE;
        return err_set(e, ERR_LIMIT,
                       "loss or gradient not finite in %d steps in a row, the last one step %.0f; "
                       "lower LEARNING_RATE (%g) or set CLIP_NORM",
                       TRAIN_BAD_STEPS, row.step, t->s->learning_rate);
    }
    return 0;
}

static bool checkpoint_due(const struct trainer *t)
{
    int64_t now = clock_mono_us(&clock_system);
    return t->comm->rank == 0 && t->s->checkpoint_minutes > 0 &&
           (double)(now - t->saved_us) > t->s->checkpoint_minutes * 60e6;
}

static int run_batches(struct trainer *t, size_t epoch, struct err *e)
{
    struct batch b = {0};
    size_t first = t->first_batch, done = first;
    loader_start(t->loader, epoch, first);
    t->first_batch = 0;
    train_pace_restart(t);
    while (done < loader_batches(t->loader)) {
        int sig = 0;
        int got = loader_next(t->loader, &b, e);
        enum train_vote vote = train_vote(t, got, done == first, &sig, e);
        if (vote == TRAIN_FAILED) {
            return -1;
        }
        if (vote == TRAIN_STOPPED) {
            return stop_by_signal(t, epoch, done, sig, e);
        }
        if (one_batch(t, &b, epoch, e) < 0) {
            return -1;
        }
        done++;
        if (checkpoint_due(t) && t->bad_in_a_row == 0) {
            train_state_save(t, epoch, done * t->s->batch);
        }
    }
    return 0;
}

static int end_epoch(struct trainer *t, size_t epoch, struct err *e)
{
    struct epoch_row row = {.epoch = (double)(epoch + 1),
                            .step = (double)t->step,
                            .valid_loss = (double)NAN,
                            .valid_accuracy = (double)NAN,
                            .rate = t->step_count ? t->steps[t->step_count - 1].rate : 0};
    epoch_means(t, epoch, &row);
    if (t->set.split.valid_count > 0) {
        int rc = imageset_validate(&t->set, t->comm, t->model, t->s->batch, &t->score, e);
        if (rc != 0) { /* told to stop: the epoch's updates are done, its validation is not */
            return rc < 0 ? -1 : stop_by_signal(t, epoch, loader_batches(t->loader), rc, e);
        }
        score_loss_accuracy(&t->score, &row.valid_loss, &row.valid_accuracy);
    }
    ARRAY_RESERVE(t->epochs, t->epoch_count, t->epoch_capacity, 1);
    t->epochs[t->epoch_count++] = row;
    train_report_epoch(t, &row);
    train_pace_epoch(t, &row);
    if (t->bad_in_a_row == 0) {
        train_state_save(t, epoch + 1, 0);
    }
    return 0;
}

static int run_epochs(struct trainer *t, struct err *e)
{
    int rc = train_pace_begin(t, e);
    t->saved_us = clock_mono_us(&clock_system);
    for (size_t epoch = t->epoch; epoch < t->s->epochs && rc == 0; epoch++) {
        rc = run_batches(t, epoch, e);
        rc = rc == 0 ? end_epoch(t, epoch, e) : rc;
    }
    train_pace_end(t);
    return rc;
}

/* --- the result ------------------------------------------------------------------------------ */

static int write_model(struct trainer *t, struct err *e)
{
    const struct image_norm norm = IMAGE_NORM_IMAGENET;
    struct modelfile_info info = {
        .classes = t->set.data.classes,
        .class_count = t->set.data.class_count,
        .resize = "bilinear",
        .split = split_kind_name(t->s->split_kind),
    };
    memcpy(info.mean, norm.mean, sizeof(info.mean));
    memcpy(info.std, norm.std, sizeof(info.std));
    if (fs_mkdirs_for(t->s->trained_model, e) < 0) {
        return -1;
    }
    return model_save(t->model, t->s->trained_model, &info, e);
}

static int finish(struct trainer *t, struct err *e)
{
    int rc = 0;
    if (t->comm->rank == 0) {
        rc = write_model(t, e);
        rc = rc == 0 ? train_report_files(t, e) : rc;
        rc = rc == 0 ? checkpoint_remove_all(t->opt->checkpoint_dir, e) : rc;
    }
    return ranks_agree(t->comm, rc, e);
}

static void fill_result(struct trainer *t, double begin)
{
    struct train_result *out = t->out;
    out->epochs = t->epoch_count;
    out->steps = t->step;
    out->seconds = clock_seconds(&clock_system) - begin;
    out->img_per_s = t->busy_s > 0 ? t->samples_done / t->busy_s : 0;
    if (t->epoch_count > 0) {
        const struct epoch_row *last = &t->epochs[t->epoch_count - 1];
        out->train_loss = last->train_loss;
        out->train_accuracy = last->train_accuracy;
        out->valid_loss = last->valid_loss;
        out->valid_accuracy = last->valid_accuracy;
    }
}

static void close_run(struct trainer *t, int rc, const struct err *e)
{
    if (t->comm->rank > 0 || !t->run.id[0]) {
        return;
    }
    bool killed = rc < 0 && e && e->code == ERR_INTERRUPTED;
    run_finish(&t->run,
               rc == 0  ? RUN_FINISHED
               : killed ? RUN_KILLED
                        : RUN_FAILED,
               rc == 0 ? 0 : t->out->exit_code, rc < 0 && e ? e->text : NULL);
}

static void announce(const struct trainer *t)
{
    struct strbuf text;
    if (t->comm->rank > 0 || t->opt->quiet) {
        return;
    }
    strbuf_init(&text);
    split_describe(&t->set.split, &t->set.data, &text);
    fprintf(stderr, "%s, %zu steps an epoch, %d rank%s of %d thread%s\n%s\n", t->info.arch,
            loader_batches(t->loader), t->comm->size, t->comm->size > 1 ? "s" : "",
            par_threads(t->opt->par), par_threads(t->opt->par) > 1 ? "s" : "", text.p);
    strbuf_release(&text);
}

static void release(struct trainer *t)
{
    checkpoint_close(t->checkpoint);
    loader_free(t->loader);
    train_step_release(t);
    optim_free(t->optim);
    model_free(t->model);
    featurecache_free(t->features);
    imageset_release(&t->set);
    score_release(&t->score);
    free(t->steps);
    free(t->epochs);
    arena_release(&t->arena);
}

int train_run(const struct train_options *opt, struct train_result *out, struct err *e)
{
    struct trainer t = {.opt = opt, .s = opt->settings, .comm = opt->comm, .out = out};
    struct err local = ERR_INIT;
    char run[33] = "";
    double begin = clock_seconds(&clock_system);
    *out = (struct train_result){.exit_code = 1};
    arena_init(&t.arena);
    e = e ? e : &local;
    int rc = set_up(&t, run, e);
    if (rc == 0) {
        announce(&t);
        train_report_begin(&t, run);
        bool order = opt->order_file && t.comm->rank == 0;
        rc = ranks_agree(t.comm, order ? train_report_order(&t, e) : 0, e);
        rc = rc == 0 ? run_epochs(&t, e) : rc;
        rc = rc == 0 ? finish(&t, e) : rc;
    }
    fill_result(&t, begin);
    if (rc < 0 && out->exit_code == 1 && (e->code == ERR_CONFIG || e->code == ERR_USAGE)) {
        out->exit_code = 2;
    }
    close_run(&t, rc, e);
    out->exit_code = rc == 0 ? 0 : out->exit_code;
    release(&t);
    return rc;
}
