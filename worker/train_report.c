/* What a training tells: the run's record, and the two csv files. */
#include "train_private.h"

#include "alloc.h"
#include "fs.h"
#include "loader.h"
#include "num.h"
#include "path.h"
#include "str.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

void train_report_begin(struct trainer *t, const char *run_id)
{
    char id[33] = "";
    if (t->comm->rank == 0) {
        run_begin(&t->run, t->opt->sink,
                  &(struct run_options){.id = run_id[0] ? run_id : NULL,
                                        .kind = "train",
                                        .name = "training",
                                        .experiment = t->s->experiment,
                                        .argc = t->opt->argc,
                                        .argv = t->opt->argv,
                                        .world_size = t->comm->size});
        run_params(&t->run, t->s->params);
        snprintf(id, sizeof(id), "%s", t->run.id);
    }
    struct err e = ERR_INIT;
    if (comm_bcast(t->comm, id, sizeof(id), 0, &e) == 0 && t->comm->rank > 0) {
        run_join(&t->run, t->opt->sink, id);
    }
    if (t->opt->joined) {
        t->opt->joined(t->opt->joined_ctx, t->run.id);
    }
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    run_rank(&t->run, &(struct run_rank){.rank = t->comm->rank,
                                         .host = host,
                                         .state = "running",
                                         .stage = "training",
                                         .pid = getpid(),
                                         .img_per_s = -1});
}

void train_report_step(struct trainer *t, const struct step_row *row, double img_per_s)
{
    int64_t step = (int64_t)row->step;
    if (t->comm->rank > 0) {
        return;
    }
    run_metric(&t->run, "loss", step, row->loss);
    run_metric(&t->run, "accuracy", step, row->accuracy);
    run_metric(&t->run, "lr", step, row->rate);
    run_metric(&t->run, "img_per_s", step, img_per_s);
}

void train_report_epoch(struct trainer *t, const struct epoch_row *row)
{
    int64_t epoch = (int64_t)row->epoch;
    double speed = t->busy_s > 0 ? t->samples_done / t->busy_s : 0;
    run_rank(&t->run,
             &(struct run_rank){.rank = t->comm->rank, .img_per_s = speed / t->comm->size});
    if (t->comm->rank > 0) {
        return;
    }
    run_metric(&t->run, "train_loss", epoch, row->train_loss);
    run_metric(&t->run, "train_accuracy", epoch, row->train_accuracy);
    if (!isnan(row->valid_loss)) {
        run_metric(&t->run, "val_loss", epoch, row->valid_loss);
        run_metric(&t->run, "val_accuracy", epoch, row->valid_accuracy);
    }
}

/* Empty for "not measured". */
static void add_number(struct strbuf *out, double v, char end)
{
    char text[NUM_TEXT_SIZE] = "";
    if (!isnan(v)) {
        num_repr(text, v);
    }
    strbuf_addf(out, "%s%c", text, end);
}

int train_report_order(struct trainer *t, struct err *e)
{
    size_t *order = xcalloc(t->set.split.train_count + 1, sizeof(*order)), step = 0;
    struct strbuf out;
    strbuf_init(&out);
    strbuf_adds(&out, "step,position,label,path\n");
    for (size_t epoch = 0; epoch < t->s->epochs; epoch++) {
        size_t at = 0;
        loader_order(t->loader, epoch, order);
        for (size_t b = 0; b < loader_batches(t->loader); b++, step++) {
            for (size_t i = 0; i < loader_batch_rows(t->loader, b); i++) {
                const struct sample *s = &t->set.data.samples[order[at++]];
                strbuf_addf(&out, "%zu,%zu,%d,", step, i, s->label);
                strbuf_add_csv(&out, s->path);
                strbuf_addch(&out, '\n');
            }
        }
    }
    free(order);
    int rc = fs_mkdirs_for(t->opt->order_file, e);
    rc = rc == 0 ? fs_write_atomic(t->opt->order_file, out.p, out.n, 0, e) : rc;
    strbuf_release(&out);
    return rc;
}

static int write_below(struct trainer *t, const char *name, const struct strbuf *text,
                       struct err *e)
{
    const char *path = path_join(&t->arena, t->s->training_dir, name);
    if (fs_mkdirs_for(path, e) < 0) {
        return -1;
    }
    return fs_write_atomic(path, text->p, text->n, 0, e);
}

int train_report_files(struct trainer *t, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    strbuf_adds(&out, "epoch,step,train_loss,train_accuracy,val_loss,val_accuracy,lr\n");
    for (size_t i = 0; i < t->epoch_count; i++) {
        const struct epoch_row *r = &t->epochs[i];
        strbuf_addf(&out, "%.0f,%.0f,", r->epoch, r->step);
        add_number(&out, r->train_loss, ',');
        add_number(&out, r->train_accuracy, ',');
        add_number(&out, r->valid_loss, ',');
        add_number(&out, r->valid_accuracy, ',');
        add_number(&out, r->rate, '\n');
    }
    int rc = write_below(t, "history.csv", &out, e);
    strbuf_reset(&out);
    strbuf_adds(&out, "step,epoch,loss,accuracy,lr\n");
    for (size_t i = 0; i < t->step_count; i++) {
        const struct step_row *r = &t->steps[i];
        strbuf_addf(&out, "%.0f,%.0f,", r->step, r->epoch + 1);
        add_number(&out, r->loss, ',');
        add_number(&out, r->accuracy, ',');
        add_number(&out, r->rate, '\n');
    }
    if (rc == 0) {
        rc = write_below(t, "steps.csv", &out, e);
    }
    strbuf_release(&out);
    return rc;
}
