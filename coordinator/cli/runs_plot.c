/* Curves of several runs; see runs_plot.h. */
#include "runs_plot.h"

#include "err.h"
#include "fs.h"
#include "json.h"
#include "opt.h"
#include "proc.h"
#include "runs_view.h"
#include "svgchart.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POINTS_MAX 1000 /* of a curve; longer ones are averaged */
#define PANELS_MAX 8
#define LABEL_MAX 60

struct curve {
    const char *name;
    double *x, *y;
    size_t count;
};
struct panel {
    const char *title, *x_label;
    struct curve *curves;
    size_t count;
};

/* --- what to draw ---------------------------------------------------------------------------- */

/* What tells the run from the others: the params that differ, else its name and id. */
static const char *label_of(struct arena *a, const struct runs_plot *p, size_t i)
{
    struct strbuf text;
    const struct run_record *run = &p->runs[i];
    strbuf_init(&text);
    for (size_t k = 0; k < p->params->map.count && text.n < LABEL_MAX; k++) {
        const struct value_pair *row = &p->params->map.pairs[k];
        const struct value *v = value_get(row->val, run->id);
        strbuf_addf(&text, "%s%s %.*s", text.n ? ", " : "", row->key->s.p,
                    v ? (int)value_as_str(v).n : 1, v ? value_as_str(v).p : "-");
    }
    if (text.n == 0) {
        strbuf_addf(&text, "%s %.12s", runs_field(run, "name"), run->id);
    }
    const char *label = arena_strdup(a, text.p);
    strbuf_release(&text);
    return label;
}

/* Means of as many neighbours as needed: a curve of a million steps stays a curve. */
static void fill(struct arena *a, struct curve *c, const struct metric_point *points, size_t n)
{
    size_t each = (n + POINTS_MAX - 1) / POINTS_MAX;
    c->x = ARENA_ARRAY(a, n + 1, double);
    c->y = ARENA_ARRAY(a, n + 1, double);
    for (size_t at = 0; at < n; at += each) {
        double x = 0, y = 0, count = 0;
        for (size_t i = at; i < n && i < at + each; i++) {
            if (isfinite(points[i].v)) {
                x += (double)points[i].step;
                y += points[i].v;
                count++;
            }
        }
        if (count > 0) {
            c->x[c->count] = x / count;
            c->y[c->count++] = y / count;
        }
    }
}

static bool of_epochs(const char *metric)
{
    return strncmp(metric, "train_", 6) == 0 || strncmp(metric, "val_", 4) == 0;
}

static int read_panel(struct runs_session *s, const struct runs_plot *p, const char *metric,
                      struct panel *out, struct err *e)
{
    size_t points = 0;
    *out = (struct panel){.title = metric, .x_label = of_epochs(metric) ? "epoch" : "step"};
    out->curves = ARENA_ARRAY(&s->arena, p->count, struct curve);
    for (size_t i = 0; i < p->count; i++) {
        struct runread_place place = {0};
        struct metric_point *list;
        size_t n;
        if (runread_metric(s->reader, &s->arena, p->runs[i].id, metric, &place, &list, &n, e) < 0) {
            return -1;
        }
        struct curve *c = &out->curves[out->count++];
        *c = (struct curve){.name = label_of(&s->arena, p, i)};
        fill(&s->arena, c, list, n);
        points += c->count;
    }
    return points > 0 ? 0 : err_set(e, ERR_MISSING, "none of these runs has a metric '%s'", metric);
}

/* Those asked for, or the losses and accuracies that some run has. */
static size_t choose_metrics(const struct runs_plot *p, const char *out[PANELS_MAX])
{
    static const char *const usual[] = {"val_loss",       "val_accuracy", "train_loss",
                                        "train_accuracy", "loss",         "accuracy"};
    size_t n = 0;
    for (size_t i = 0; i < p->metrics->count && n < PANELS_MAX; i++) {
        out[n++] = p->metrics->items[i];
    }
    for (size_t k = 0; p->metrics->count == 0 && k < 6 && n < 2; k += 2) {
        for (size_t i = 0; i < p->count; i++) {
            if (value_get(p->runs[i].latest, usual[k])) {
                out[n++] = usual[k];
                out[n++] = usual[k + 1];
                break;
            }
        }
    }
    return n;
}

/* --- svg ------------------------------------------------------------------------------------- */

/* Panels two abreast, one legend for all of them below. */
static void draw_svg(struct arena *a, struct strbuf *out, const struct panel *panels, size_t count)
{
    size_t columns = count > 1 ? 2 : 1, rows = (count + 1) / 2, curves = panels[0].count;
    struct svgchart_series *series = ARENA_ARRAY(a, curves, struct svgchart_series);
    double below = (double)(rows * SVGCHART_HEIGHT + 8);
    size_t width = columns * SVGCHART_WIDTH;
    size_t height = rows * SVGCHART_HEIGHT + 8 + curves * SVGCHART_LEGEND_STEP + 14;
    strbuf_addf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
                "viewBox=\"0 0 %zu %zu\">\n<style>",
                width, height, width, height);
    svgchart_style(out);
    strbuf_adds(out, "</style>\n<rect class=\"b\" width=\"100%\" height=\"100%\"/>\n");
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < curves; k++) {
            const struct curve *c = &panels[i].curves[k];
            series[k] = (struct svgchart_series){c->name, c->x, c->y, c->count, .colour = k};
        }
        strbuf_addf(out, "<g transform=\"translate(%zu %zu)\">\n", i % 2 * SVGCHART_WIDTH,
                    i / 2 * SVGCHART_HEIGHT);
        svgchart_add_xy(out,
                        &(struct svgchart){.title = panels[i].title,
                                           .x_label = panels[i].x_label,
                                           .series = series,
                                           .count = curves,
                                           .whole_x = strcmp(panels[i].x_label, "epoch") == 0});
        strbuf_adds(out, "</g>\n");
    }
    svgchart_add_legend(out, series, curves, false, below);
    strbuf_adds(out, "</svg>\n");
}

/* --- png ------------------------------------------------------------------------------------- */

static struct value *numbers(struct arena *a, const double *v, size_t n)
{
    struct value *list = value_list(a);
    for (size_t i = 0; i < n; i++) {
        value_push(a, list, value_float(a, v[i]));
    }
    return list;
}

static void describe(struct arena *a, struct strbuf *out, const struct panel *panels, size_t count)
{
    struct value *doc = value_map(a), *list = value_list(a);
    for (size_t i = 0; i < count; i++) {
        struct value *panel = value_map(a), *series = value_list(a);
        for (size_t k = 0; k < panels[i].count; k++) {
            const struct curve *c = &panels[i].curves[k];
            struct value *one = value_map(a);
            value_set(a, one, "name", value_cstr(a, c->name));
            value_set(a, one, "x", numbers(a, c->x, c->count));
            value_set(a, one, "y", numbers(a, c->y, c->count));
            value_push(a, series, one);
        }
        value_set(a, panel, "title", value_cstr(a, panels[i].title));
        value_set(a, panel, "x_label", value_cstr(a, panels[i].x_label));
        value_set(a, panel, "series", series);
        value_push(a, list, panel);
    }
    value_set(a, doc, "panels", list);
    json_write(out, doc, &(struct json_style){.utf8 = true});
}

static int draw_png(struct arena *a, const struct panel *panels, size_t count, const char *file,
                    struct err *e)
{
    struct strbuf program, text;
    struct proc p;
    struct proc_status st;
    int rc = -1;
    strbuf_init(&program);
    strbuf_init(&text);
    describe(a, &text, panels, count);
    if (proc_self_dir(&program, e) < 0) {
        goto out;
    }
    strbuf_adds(&program, "/nephron-mpi");
    const char *argv[] = {program.p, "chart", file, NULL};
    if (proc_start(&p, &(struct proc_options){.argv = argv, .stdin_fd = PROC_PIPE}, e) < 0) {
        err_append(e, "; a plot ending in .svg needs no other program");
        goto out;
    }
    void (*old)(int) = signal(SIGPIPE, SIG_IGN); /* it says itself why it ended early */
    int written = fs_write_all(p.stdin_fd, text.p, text.n, "the pipe to nephron-mpi", e);
    signal(SIGPIPE, old);
    close(p.stdin_fd);
    p.stdin_fd = -1;
    if (proc_wait(&p, &st, e) < 0) {
        goto out;
    }
    int code = proc_exit_code(&st);
    rc = written == 0 && code == 0 ? 0 : err_set(e, ERR_CHILD, "%s was not drawn", file);
out:
    strbuf_release(&program);
    strbuf_release(&text);
    return rc;
}

/* --- together -------------------------------------------------------------------------------- */

static bool ends(const char *file, const char *suffix)
{
    return str_ends(str_from(file), suffix);
}

int runs_plot(struct runs_session *s, const struct runs_plot *plot, struct err *e)
{
    const char *metrics[PANELS_MAX];
    struct panel panels[PANELS_MAX];
    size_t n = choose_metrics(plot, metrics);
    if (!ends(plot->file, ".svg") && !ends(plot->file, ".png")) {
        return err_set(e, ERR_USAGE, "--plot %s: expected a name ending in .svg or .png",
                       plot->file);
    }
    if (plot->count > RUNS_PLOT_MAX || plot->metrics->count > PANELS_MAX) {
        return err_set(e, ERR_USAGE, "a plot shows at most %d runs and %d metrics", RUNS_PLOT_MAX,
                       PANELS_MAX);
    }
    if (n == 0) {
        return err_set(e, ERR_MISSING,
                       "these runs have no loss or accuracy to plot; name metrics with --metric");
    }
    for (size_t i = 0; i < n; i++) {
        if (read_panel(s, plot, metrics[i], &panels[i], e) < 0) {
            return -1;
        }
    }
    if (ends(plot->file, ".png")) {
        return draw_png(&s->arena, panels, n, plot->file, e);
    }
    struct strbuf svg;
    strbuf_init(&svg);
    draw_svg(&s->arena, &svg, panels, n);
    int rc = fs_write_atomic(plot->file, svg.p, svg.n, 0, e);
    strbuf_release(&svg);
    return rc;
}
