/*
 * What a checkpoint of training holds, and taking it up again. Arrays: params, the optimiser's
 * slots by name, norm (running statistics), norm_batches (int64), steps and epochs (rows of the two
 * csv files as f64). The note is {"run": id}.
 */
#include "train_private.h"

#include "alloc.h"
#include "checkpoint.h"
#include "clock.h"
#include "digest.h"
#include "json.h"
#include "log.h"
#include "num.h"
#include "path.h"
#include "ranks_agree.h"
#include "value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ARRAYS_MAX 12
#define STEP_DOUBLES (sizeof(struct step_row) / sizeof(double))
#define EPOCH_DOUBLES (sizeof(struct epoch_row) / sizeof(double))

/* Everything that decides what the weights become: another value, another training. */
static void describe_settings(const struct trainer *t, struct strbuf *out)
{
    const struct settings *s = t->s;
    strbuf_addf(out, "batch %zu epochs %zu seed %llu augment %d freeze %d\n", s->batch, s->epochs,
                (unsigned long long)s->seed, s->augmentation, s->freeze);
    strbuf_addf(out, "rate %a optim %d %a %a %a %a dropout %a\n", s->learning_rate,
                (int)s->optim.kind, s->optim.momentum, s->optim.weight_decay, s->optim.clip_norm,
                s->optim.trust, s->dropout);
    strbuf_addf(out, "schedule %d %a %a %a %a %a %a\n", (int)s->schedule.rule, s->schedule.every,
                s->schedule.factor, s->schedule.final, s->schedule.power, s->schedule.warmup,
                s->schedule.scale_batch);
    strbuf_addf(out, "split %d %a %s\n", (int)s->split_kind, s->validation_split,
                s->split_pattern ? s->split_pattern : "");
    /* Not the shards: a training that is taken up keeps those that it began with. */
    strbuf_addf(out, "model %s\n", t->model_digest);
    for (size_t i = 0; i < t->set.data.count; i++) {
        char path[DATASET_PATH_MAX];
        struct stat st;
        bool there = stat(dataset_path(&t->set.data, i, path), &st) == 0;
        strbuf_addf(out, "%s %lld\n", t->set.data.samples[i].path,
                    there ? (long long)st.st_size : -1);
    }
}

static int make_digest(struct trainer *t, struct err *e)
{
    struct strbuf text;
    if (digest_file(DIGEST_SHA256, t->s->updated_model, t->model_digest, NULL, e) < 0) {
        return -1;
    }
    strbuf_init(&text);
    describe_settings(t, &text);
    digest_buffer(DIGEST_SHA256, text.p, text.n, t->digest);
    strbuf_release(&text);
    return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static size_t norm_counters(const struct model *m, int64_t *out)
{
    size_t count, n = 0;
    const struct model_buffer *buffers = model_buffers(m, &count);
    for (size_t i = 0; i < count; i++) {
        if (buffers[i].counter) {
            out[n++] = *buffers[i].counter;
        }
    }
    return n;
}

static void norm_values(struct trainer *t, float *v, bool from_model)
{
    size_t count;
    const struct model_buffer *buffers = model_buffers(t->model, &count);
    for (size_t i = 0; i < count; i++) {
        if (!buffers[i].value) {
            continue;
        }
        memcpy(from_model ? v : buffers[i].value, from_model ? buffers[i].value : v,
               buffers[i].count * sizeof(float));
        v += buffers[i].count;
    }
}

static size_t list_arrays(struct trainer *t, struct checkpoint_array *a, float *norm,
                          int64_t *counters)
{
    size_t n = 0, buffers, all = model_arena_count(t->model);
    model_buffers(t->model, &buffers);
    a[n++] = (struct checkpoint_array){"params", WEIGHTS_F32, model_values(t->model), all};
    for (size_t i = 0; i < optim_slots(t->optim); i++) {
        a[n++] = (struct checkpoint_array){optim_slot_name(t->optim, i), WEIGHTS_F32,
                                           optim_slot(t->optim, i), all};
    }
    if (buffers > 0) {
        norm_values(t, norm, true);
        a[n++] = (struct checkpoint_array){"norm", WEIGHTS_F32, norm, t->norm_count};
        a[n++] = (struct checkpoint_array){"norm_batches", WEIGHTS_I64, counters,
                                           norm_counters(t->model, counters)};
    }
    if (t->step_count > 0) {
        a[n++] =
            (struct checkpoint_array){"steps", WEIGHTS_F64, t->steps, t->step_count * STEP_DOUBLES};
    }
    if (t->epoch_count > 0) {
        a[n++] = (struct checkpoint_array){"epochs", WEIGHTS_F64, t->epochs,
                                           t->epoch_count * EPOCH_DOUBLES};
    }
    return n;
}

void train_state_save(struct trainer *t, size_t epoch, size_t position)
{
    struct checkpoint_array arrays[ARRAYS_MAX];
    struct err e = ERR_INIT;
    char note[128];
    size_t buffers;
    if (t->comm->rank > 0) {
        return;
    }
    model_buffers(t->model, &buffers);
    float *norm = xcalloc(t->norm_count + 1, sizeof(float));
    int64_t *counters = xcalloc(buffers + 1, sizeof(int64_t));
    size_t n = list_arrays(t, arrays, norm, counters);
    snprintf(note, sizeof(note), "{\"run\": \"%s\", \"updates\": %llu, \"shards\": %zu}", t->run.id,
             (unsigned long long)optim_steps(t->optim), model_shards(t->model));
    struct checkpoint_info info = {.step = t->step,
                                   .epoch = epoch,
                                   .position = position,
                                   .seed = t->s->seed,
                                   .world_size = (uint32_t)t->comm->size,
                                   .config_digest = t->digest,
                                   .model_digest = t->model_digest,
                                   .note = note};
    if (checkpoint_write(t->opt->checkpoint_dir, &info, arrays, n, NULL, &e) < 0) {
        log_warn("train", "no checkpoint after step %llu: %s; the training goes on",
                 (unsigned long long)t->step, e.text);
    }
    t->saved_us = clock_mono_us(&clock_system);
    free(norm);
    free(counters);
}

/* --- reading --------------------------------------------------------------------------------- */

static size_t array_count(const struct checkpoint *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->arrays[i].name, name) == 0) {
            return c->arrays[i].count;
        }
    }
    return 0;
}

static int read_note(const struct checkpoint *c, struct train_found *h, struct err *e)
{
    struct arena a;
    int rc = -1;
    arena_init(&a);
    const char *text = c->info.note ? c->info.note : "";
    struct value *note = json_parse(&a, str_from(text), c->path, e);
    const struct value *run = value_get(note, "run"), *updates = value_get(note, "updates");
    const struct value *shards = value_get(note, "shards"); /* absent in those of older versions */
    if (note && value_as_str(run).n == 32 && updates && updates->type == VALUE_INT) {
        memcpy(h->run, run->s.p, 32);
        h->updates = (uint64_t)updates->i;
        h->shards = shards && shards->type == VALUE_INT && shards->i > 0 ? (uint64_t)shards->i : 0;
        rc = 0;
    } else if (note) {
        err_set(e, ERR_FORMAT, "%s: the note names no run", c->path);
    }
    arena_release(&a);
    return rc;
}

/* Rank 0: the newest checkpoint of this very training, or NULL. */
static struct checkpoint *find_checkpoint(struct trainer *t, struct train_found *h)
{
    struct strbuf bad;
    struct err e = ERR_INIT;
    strbuf_init(&bad);
    struct checkpoint *c =
        t->opt->fresh ? NULL : checkpoint_latest(t->opt->checkpoint_dir, &bad, &e);
    struct str lines = strbuf_str(&bad), line;
    while (str_split(&lines, '\n', &line)) {
        if (line.n > 0) {
            log_warn("train", "%.*s", (int)line.n, line.p);
        }
    }
    strbuf_release(&bad);
    if (c && (!c->info.config_digest || strcmp(c->info.config_digest, t->digest) != 0)) {
        log_info("train", "%s belongs to other settings or data: starting anew", c->path);
        checkpoint_close(c);
        c = NULL;
    }
    if (c && read_note(c, h, &e) < 0) {
        log_warn("train", "%s: starting anew", e.text);
        checkpoint_close(c);
        c = NULL;
    }
    if (!c) {
        return NULL;
    }
    h->found = 1;
    h->step = c->info.step;
    h->epoch = c->info.epoch;
    h->position = c->info.position;
    h->steps = array_count(c, "steps") / STEP_DOUBLES;
    h->epochs = array_count(c, "epochs") / EPOCH_DOUBLES;
    return c;
}

int train_state_find(struct trainer *t, struct err *e)
{
    int rc = 0;
    if (t->comm->rank == 0) { /* which alone reads and writes checkpoints */
        rc = make_digest(t, e);
        t->checkpoint = rc == 0 ? find_checkpoint(t, &t->found) : NULL;
    }
    rc = ranks_agree(t->comm, rc, e);
    return rc == 0 ? comm_bcast(t->comm, &t->found, sizeof(t->found), 0, e) : rc;
}

struct target {
    const char *name;
    enum weights_dtype dtype;
    void *data;
    size_t count, size;
};

static size_t list_targets(struct trainer *t, struct target *to, float *norm, int64_t *counters,
                           size_t counter_count)
{
    size_t n = 0, all = model_arena_count(t->model);
    to[n++] = (struct target){"params", WEIGHTS_F32, model_values(t->model), all, sizeof(float)};
    for (size_t i = 0; i < optim_slots(t->optim); i++) {
        to[n++] = (struct target){optim_slot_name(t->optim, i), WEIGHTS_F32,
                                  optim_slot(t->optim, i), all, sizeof(float)};
    }
    if (counter_count > 0) {
        to[n++] = (struct target){"norm", WEIGHTS_F32, norm, t->norm_count, sizeof(float)};
        to[n++] =
            (struct target){"norm_batches", WEIGHTS_I64, counters, counter_count, sizeof(int64_t)};
    }
    if (t->step_count > 0) {
        to[n++] = (struct target){"steps", WEIGHTS_F64, t->steps, t->step_count * STEP_DOUBLES,
                                  sizeof(double)};
    }
    if (t->epoch_count > 0) {
        to[n++] = (struct target){"epochs", WEIGHTS_F64, t->epochs, t->epoch_count * EPOCH_DOUBLES,
                                  sizeof(double)};
    }
    return n;
}

static void put_counters(struct trainer *t, const int64_t *counters)
{
    size_t count;
    const struct model_buffer *buffers = model_buffers(t->model, &count);
    for (size_t i = 0; i < count; i++) {
        if (buffers[i].counter) {
            *buffers[i].counter = *counters++;
        }
    }
}

/* Rank 0 copies each array from the file, then all have it. */
static int take_arrays(struct trainer *t, const struct checkpoint *c, struct err *e)
{
    struct target to[ARRAYS_MAX];
    size_t buffers;
    int rc = 0;
    model_buffers(t->model, &buffers);
    float *norm = xcalloc(t->norm_count + 1, sizeof(float));
    int64_t *counters = xcalloc(buffers + 1, sizeof(int64_t));
    size_t n = list_targets(t, to, norm, counters, norm_counters(t->model, counters));
    for (size_t i = 0; i < n && c && rc == 0; i++) {
        rc = checkpoint_copy(c, to[i].name, to[i].dtype, to[i].data, to[i].count, e);
    }
    rc = ranks_agree(t->comm, rc, e);
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = comm_bcast(t->comm, to[i].data, to[i].count * to[i].size, 0, e);
    }
    if (rc == 0 && buffers > 0) {
        norm_values(t, norm, false);
        put_counters(t, counters);
    }
    free(norm);
    free(counters);
    return rc;
}

static int take_up(struct trainer *t, const struct checkpoint *c, const struct train_found *h,
                   struct err *e)
{
    t->step_count = h->steps;
    t->epoch_count = h->epochs;
    ARRAY_RESERVE(t->steps, 0, t->step_capacity, t->step_count + 1);
    ARRAY_RESERVE(t->epochs, 0, t->epoch_capacity, t->epoch_count + 1);
    if (take_arrays(t, c, e) < 0) {
        return -1;
    }
    t->step = h->step;
    t->epoch = h->epoch;
    t->first_batch = h->position / t->s->batch;
    optim_set_steps(t->optim, h->updates);
    t->out->resumed = true;
    if (t->comm->rank == 0 && !t->opt->quiet) {
        fprintf(stderr, "resuming after step %llu, in epoch %zu\n", (unsigned long long)t->step,
                t->epoch + 1);
        if (h->shards != 0 && h->shards != model_shards(t->model)) {
            fprintf(stderr,
                    "%d ranks need %zu shards, the training began with %llu: from here on its sums "
                    "are rounded otherwise\n",
                    t->comm->size, model_shards(t->model), (unsigned long long)h->shards);
        }
    }
    return 0;
}

int train_state_resume(struct trainer *t, char run[33], struct err *e)
{
    int rc = 0;
    if (t->found.found) {
        rc = take_up(t, t->checkpoint, &t->found, e);
        memcpy(run, t->found.run, sizeof(t->found.run));
    } else if (t->comm->rank == 0) {
        rc = checkpoint_remove_all(t->opt->checkpoint_dir, e);
    }
    checkpoint_close(t->checkpoint);
    t->checkpoint = NULL;
    return ranks_agree(t->comm, rc, e);
}
