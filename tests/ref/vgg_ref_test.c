/*
 * vgg_ref_test [--flips] [FILE...]: compares models with what PyTorch made of them. The files, and
 * the table of their format, are by dump_vgg.py; without arguments the ones kept in tests/ref/data.
 *
 * Prints differences by name and fails beyond bounds: "largest" is max |a - b| / max |b| of a
 * tensor, "rms" the same of root mean squares; the bound is on the second. Measured (Zen 3,
 * PyTorch 2.15): 1e-5 at most. In a large net with batch norm, some of a million activations lie so
 * near to 0 that rounding decides whether ReLU passes them; each such flip changes gradients by a
 * few per cent, and ten steps multiply that. --flips allows for it.
 */

#include "err.h"
#include "model.h"
#include "optim.h"
#include "par.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT "made by tests/ref/dump_vgg.py"
#define RECORDS_MAX 512
#define FILE_MAX ((size_t)64 << 20)

enum { REF_FLOAT, REF_INT, REF_TEXT };

struct record {
    char name[64];
    unsigned type;
    size_t count;
    const unsigned char *data;
};

struct ref {
    const char *path;
    unsigned char *bytes;
    size_t size, at;
    struct record records[RECORDS_MAX];
    size_t count;
};

/* --- reading --------------------------------------------------------------------------------- */

static int bad(const struct ref *r, const char *what)
{
    fprintf(stderr, "%s: %s at byte %zu; such files are " SCRIPT "\n", r->path, what, r->at);
    return -1;
}

static int take(struct ref *r, size_t n, const unsigned char **out)
{
    if (n > r->size - r->at) {
        return bad(r, "cut off");
    }
    *out = r->bytes + r->at;
    r->at += n;
    return 0;
}

static int take_number(struct ref *r, size_t bytes, size_t *out)
{
    const unsigned char *p;
    if (take(r, bytes, &p) < 0) {
        return -1;
    }
    *out = 0;
    for (size_t i = bytes; i-- > 0;) {
        *out = *out << 8 | p[i];
    }
    return 0;
}

static int read_record(struct ref *r, struct record *rec)
{
    size_t length, type, ndim, side;
    const unsigned char *name;
    if (take_number(r, 2, &length) < 0 || length >= sizeof(rec->name)) {
        return bad(r, "long name");
    }
    if (take(r, length, &name) < 0 || take_number(r, 1, &type) < 0 ||
        take_number(r, 1, &ndim) < 0 || type > REF_TEXT || ndim > 4) {
        return bad(r, "unknown type or shape");
    }
    memcpy(rec->name, name, length);
    rec->name[length] = '\0';
    rec->type = (unsigned)type;
    rec->count = 1;
    for (size_t i = 0; i < ndim; i++) {
        if (take_number(r, 4, &side) < 0 || (side > 0 && rec->count > FILE_MAX / side)) {
            return bad(r, "huge shape");
        }
        rec->count *= side;
    }
    return take(r, rec->count * (type == REF_TEXT ? 1 : 4), &rec->data);
}

static int ref_open(struct ref *r, const char *path)
{
    *r = (struct ref){.path = path};
    FILE *f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "cannot open %s, " SCRIPT "\n", path);
        return -1;
    }
    r->bytes = malloc(FILE_MAX);
    r->size = r->bytes ? fread(r->bytes, 1, FILE_MAX, f) : 0;
    fclose(f);
    const unsigned char *magic;
    size_t version, count;
    if (take(r, 8, &magic) < 0 || memcmp(magic, "NEPHREF\n", 8) != 0) {
        return bad(r, "not a reference file");
    }
    if (take_number(r, 4, &version) < 0 || version != 1) {
        return bad(r, "version is not 1");
    }
    if (take_number(r, 4, &count) < 0 || count > RECORDS_MAX) {
        return bad(r, "too many records");
    }
    for (r->count = 0; r->count < count; r->count++) {
        if (read_record(r, &r->records[r->count]) < 0) {
            return -1;
        }
    }
    return 0;
}

static const struct record *find(const struct ref *r, const char *prefix, const char *name)
{
    char full[160];
    snprintf(full, sizeof(full), "%s%s", prefix, name);
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->records[i].name, full) == 0) {
            return &r->records[i];
        }
    }
    fprintf(stderr, "%s: no record '%s'; such files are " SCRIPT "\n", r->path, full);
    exit(1);
}

/* Value of a key of the record `config`. */
static const char *setting(const struct ref *r, const char *key, char *out, size_t size)
{
    const struct record *c = find(r, "", "config");
    const char *p = (const char *)c->data, *end = p + c->count;
    size_t n = strlen(key);
    while (p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        eol = eol ? eol : end;
        if ((size_t)(eol - p) > n && memcmp(p, key, n) == 0 && p[n] == '=') {
            snprintf(out, size, "%.*s", (int)(eol - p - (ptrdiff_t)n - 1), p + n + 1);
            return out;
        }
        p = eol + 1;
    }
    fprintf(stderr, "%s: no setting '%s'; such files are " SCRIPT "\n", r->path, key);
    exit(1);
}

static double number(const struct ref *r, const char *key)
{
    char text[64];
    return strtod(setting(r, key, text, sizeof(text)), NULL);
}

/* --- comparing ------------------------------------------------------------------------------- */

struct bounds {
    double forward, grad, loss, after; /* after: ten steps */
};

static int compare(const struct ref *r, const char *prefix, const char *name, const float *a,
                   size_t count, double bound)
{
    const struct record *rec = find(r, prefix, name);
    double worst = 0, scale = 0, error = 0, power = 0;
    if (rec->count != count || rec->type != REF_FLOAT) {
        fprintf(stderr, "%s%s: %zu numbers, PyTorch has %zu\n", prefix, name, count, rec->count);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        float b;
        memcpy(&b, rec->data + 4 * i, sizeof(b));
        double d = fabs((double)a[i] - b);
        worst = d > worst || isnan(d) ? d : worst;
        scale = fmax(scale, fabs((double)b));
        error += d * d;
        power += (double)b * b;
    }
    double rms = power > 0 ? sqrt(error / power) : sqrt(error);
    bool ok = rms <= bound;
    printf("  %-36s %9zu  max |b| %.3e  largest %.2e  rms %.2e%s\n", rec->name, count, scale,
           scale > 0 ? worst / scale : worst, rms, ok ? "" : "  TOO LARGE");
    return ok ? 0 : 1;
}

static void load(const struct ref *r, const char *prefix, const char *name, float *to, size_t count)
{
    const struct record *rec = find(r, prefix, name);
    if (rec->count != count || rec->type != REF_FLOAT) {
        fprintf(stderr, "%s: %s has %zu numbers, expected %zu\n", r->path, rec->name, rec->count,
                count);
        exit(1);
    }
    memcpy(to, rec->data, 4 * count);
}

static struct model *make_model(const struct ref *r, struct par *par)
{
    char name[64], head[64];
    struct err e = ERR_INIT;
    struct model_config c = {
        .name = setting(r, "model", name, sizeof(name)),
        .classes = (size_t)number(r, "classes"),
        .height = (size_t)number(r, "height"),
        .width = (size_t)number(r, "width"),
        .width_divisor = (size_t)number(r, "divisor"),
        .hidden = (size_t)number(r, "hidden"),
        .keep = 1,
        .empty = true,
        .par = par,
    };
    struct model *m = NULL;
    if (model_parse_head(setting(r, "head", head, sizeof(head)), &c.head, &e) == 0) {
        m = model_new(&c, &e);
    }
    if (!m || model_plan(m, &(struct model_plan){.batch = (size_t)number(r, "batch")}, &e) < 0) {
        fprintf(stderr, "%s: %s\n", r->path, e.text);
        exit(1);
    }
    size_t n;
    const struct param *p = model_params(m, &n);
    for (size_t i = 0; i < n; i++) {
        load(r, "param:", p[i].name, p[i].value, p[i].count);
    }
    const struct model_buffer *b = model_buffers(m, &n);
    for (size_t i = 0; i < n; i++) {
        if (b[i].value) {
            load(r, "buffer:", b[i].name, b[i].value, b[i].count);
        }
    }
    return m;
}

static int compare_params(const struct ref *r, const struct model *m, const struct bounds *bound)
{
    size_t n;
    int wrong = 0;
    const struct param *p = model_params(m, &n);
    bool norm = strstr(model_config(m)->name, "_bn") != NULL;
    for (size_t i = 0; i < n; i++) {
        /* The bias of a convolution before batch norm has no effect: its gradient is rounding. */
        bool no_effect =
            norm && strncmp(p[i].name, "features", 8) == 0 && p[i].ndim == 1 && p[i - 1].ndim == 4;
        wrong += compare(r, "grad:", p[i].name, p[i].grad, p[i].count,
                         no_effect ? INFINITY : bound->grad);
    }
    return wrong;
}

static int compare_final(const struct ref *r, struct model *m, const struct bounds *bound)
{
    size_t n;
    int wrong = 0;
    const struct model_buffer *b = model_buffers(m, &n);
    for (size_t i = 0; i < n; i++) {
        if (b[i].value) {
            wrong += compare(r, "final:", b[i].name, b[i].value, b[i].count, bound->after);
        } else {
            int32_t steps;
            memcpy(&steps, find(r, "final:", b[i].name)->data, sizeof(steps));
            wrong += *b[i].counter != steps;
        }
    }
    const struct param *p = model_params(m, &n);
    for (size_t i = n - 2; i < n; i++) {
        wrong += compare(r, "final:", p[i].name, p[i].value, p[i].count, bound->after);
    }
    return wrong;
}

static int run_steps(const struct ref *r, struct model *m, const struct bounds *bound)
{
    size_t batch = (size_t)number(r, "batch"), classes = model_config(m)->classes;
    const struct record *x = find(r, "", "x"), *labels = find(r, "", "labels");
    float *images = malloc(4 * x->count), losses[10];
    int32_t *targets = malloc(4 * labels->count);
    struct optim *o = optim_new(&(struct optim_config){.momentum = number(r, "momentum"),
                                                       .weight_decay = number(r, "decay"),
                                                       .clip_norm = number(r, "clip")},
                                m, NULL);
    if (!images || !targets || !o || labels->count != batch) {
        return bad(r, "wrong size of labels, or no memory");
    }
    load(r, "", "x", images, x->count);
    memcpy(targets, labels->data, 4 * labels->count);
    struct model_batch b = {.x = images, .count = batch, .mode = MODEL_TRAIN};
    int wrong = 0;
    for (int step = 0; step < 10; step++) {
        struct model_loss loss;
        model_forward(m, &b);
        model_loss(m, targets, &loss);
        losses[step] = (float)loss.loss;
        if (step == 0) {
            wrong += compare(r, "", "logits", model_logits(m), batch * classes, bound->forward);
            wrong += compare(r, "", "loss", losses, 1, bound->forward);
        }
        model_backward(m, NULL);
        wrong += step == 0 ? compare_params(r, m, bound) : 0;
        optim_step(o, number(r, "rate"));
    }
    wrong += compare(r, "", "losses", losses, 10, bound->loss);
    b.mode = MODEL_EVAL;
    model_forward(m, &b);
    wrong += compare(r, "", "final_logits", model_logits(m), batch * classes, bound->after);
    wrong += compare_final(r, m, bound);
    optim_free(o);
    free(images);
    free(targets);
    return wrong;
}

static int compare_file(const char *path, bool flips)
{
    static const struct bounds strict = {2e-5, 5e-5, 1e-5, 1e-4};
    static const struct bounds loose = {1e-4, 0.1, 0.01, 0.3};
    struct ref r;
    char name[64];
    if (ref_open(&r, path) < 0) {
        free(r.bytes);
        return 1;
    }
    struct par *par = par_new(2);
    struct model *m = make_model(&r, par);
    printf("%s: %s\n", path, setting(&r, "model", name, sizeof(name)));
    int wrong = run_steps(&r, m, flips ? &loose : &strict);
    model_free(m);
    par_free(par);
    free(r.bytes);
    return wrong != 0;
}

int main(int argc, char **argv)
{
    static const char *const kept[] = {NEPHRON_SOURCE_DIR "/tests/ref/data/vgg11.ref",
                                       NEPHRON_SOURCE_DIR "/tests/ref/data/vgg11_bn.ref"};
    bool flips = argc > 1 && strcmp(argv[1], "--flips") == 0;
    int skip = flips ? 2 : 1, failed = 0, given = argc - skip, count = given > 0 ? given : 2;
    for (int i = 0; i < count; i++) {
        failed += compare_file(given > 0 ? argv[skip + i] : kept[i], flips);
    }
    printf("%d of %d files differ\n", failed, count);
    return failed > 0;
}
