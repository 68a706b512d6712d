/* A score report as scores.json, as a table for people, and as rows for a confusion plot. */
#include "score.h"

#include "num.h"
#include "str.h"

#include <math.h>
#include <string.h>

static void add_metric(struct strbuf *out, const char *name, double v, bool is_last)
{
    char text[NUM_TEXT_SIZE];

    num_repr(text, v);
    /* JSON has no nan or inf. */
    strbuf_addf(out, "    \"%s\": %s%s\n", name, isfinite(v) ? text : "null", is_last ? "" : ",");
}

void score_report_json(const struct score_report *r, struct strbuf *out)
{
    strbuf_adds(out, "{\n");
    add_metric(out, "loss", r->loss, false);
    add_metric(out, "accuracy", r->accuracy, false);
    add_metric(out, "precision", r->precision, false);
    add_metric(out, "recall", r->recall, false);
    add_metric(out, "f1", r->f1, false);
    add_metric(out, "auc", r->auc, true);
    strbuf_adds(out, "}\n");
}

static void add_cell(struct strbuf *out, double v)
{
    if (isnan(v)) {
        strbuf_addf(out, "  %9s", "-");
    } else {
        strbuf_addf(out, "  %9.4f", v);
    }
}

static void add_line(struct strbuf *out, const char *name, int width, const double v[4],
                     size_t support)
{
    int used = (int)str_utf8_length(str_from(name));

    strbuf_adds(out, name);
    strbuf_pad(out, ' ', (size_t)(width > used ? width - used : 0));
    for (int i = 0; i < 4; i++) {
        add_cell(out, v[i]);
    }
    strbuf_addf(out, "  %7zu\n", support);
}

void score_report_table(const struct score_report *r, const char *const *class_names,
                        struct strbuf *out)
{
    int width = 8;

    for (size_t c = 0; c < r->classes; c++) {
        int n = (int)str_utf8_length(str_from(class_names[c]));
        width = n > width ? n : width;
    }
    strbuf_addf(out, "%-*s  %9s  %9s  %9s  %9s  %7s\n", width, "class", "precision", "recall", "f1",
                "auc", "support");
    for (size_t c = 0; c < r->classes; c++) {
        const struct score_class *pc = &r->per_class[c];
        const double v[4] = {pc->precision, pc->recall, pc->f1, pc->auc};
        add_line(out, class_names[c], width, v, pc->support);
    }
    strbuf_addf(out, "accuracy %.4f (%zu of %zu), loss %.4f\n", r->accuracy, r->correct, r->count,
                r->loss);
}

void score_confusion_csv(struct score *s, const char *const *class_names, struct strbuf *out)
{
    double loss, accuracy;

    score_loss_accuracy(s, &loss, &accuracy); /* sorts by sample */
    strbuf_adds(out, "actual,predicted\n");
    for (size_t i = 0; i < s->count; i++) {
        int label, guess;

        score_at(s, i, &label, &guess);
        strbuf_add_csv(out, class_names[label]);
        strbuf_addch(out, ',');
        strbuf_add_csv(out, class_names[guess]);
        strbuf_addch(out, '\n');
    }
}
