/*
 * The VGG networks (Simonyan & Zisserman 2014, arXiv:1409.1556), layer by layer as torchvision
 * numbers them, so that its state_dict fits name by name:
 *   features.N      conv, [batch norm,] ReLU ... max-pool after each group
 *   classifier.0 .3 .6   dense layers of the head, ReLU at .1 .4, dropout at .2 .5
 * The linear head, which torchvision does not have, is one dense layer on the flattened last
 * feature map, classifier.0: nn.Sequential(Linear) in place of the classifier, avgpool =
 * Identity().
 */

#include "layer.h"

#include "alloc.h"
#include "err.h"

#include <ctype.h>

#define POOL 0 /* in the tables: max-pool; other numbers: channels of a convolution */
#define END (-1)
#define HEAD_SIDE 7 /* what the avgpool in front of the classifier gives */

struct vgg {
    const char *name;
    int layers[24];
};

static const struct vgg table[] = {
    {"vgg11", {64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0, END}},
    {"vgg13", {64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0, END}},
    {"vgg16", {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0, END}},
    {"vgg19", {64,  64,  0,   128, 128, 0,   256, 256, 256, 256, 0,
               512, 512, 512, 512, 0,   512, 512, 512, 512, 0,   END}},
};

const char *model_names(void)
{
    return "vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn";
}

static const struct vgg *find(const char *name, bool *batchnorm)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        size_t n = strlen(table[i].name);
        if (strncmp(name, table[i].name, n) == 0) {
            *batchnorm = strcmp(name + n, "_bn") == 0;
            if (*batchnorm || name[n] == '\0') {
                return &table[i];
            }
        }
    }
    return NULL;
}

static size_t narrowed(const struct model *m, size_t width)
{
    size_t n = width / m->config.width_divisor;
    return n > 0 ? n : 1;
}

static void add_features(struct model *m, const struct vgg *v, bool batchnorm)
{
    int frozen = m->config.freeze; /* convolutions still to freeze; -1: all */
    unsigned number = 0;
    bool pooled = false; /* by the convolution before */
    char name[24];
    for (const int *l = v->layers; *l != END; l++) {
        snprintf(name, sizeof(name), "features.%u", number++);
        if (*l == POOL) {
            layer_add_maxpool(m, name, pooled);
            continue;
        }
        struct layer_conv_options o = {
            .k = narrowed(m, (size_t)*l), .relu = !batchnorm, .trainable = frozen == 0};
        frozen -= frozen > 0 ? 1 : 0;
        o.pool = pooled = !batchnorm && l[1] == POOL && layer_conv_pools(m, o.k);
        layer_add_conv(m, name, &o);
        if (batchnorm) {
            snprintf(name, sizeof(name), "features.%u", number++);
            layer_add_batchnorm(m, name, true, o.trainable);
        }
        snprintf(name, sizeof(name), "features.%u", number++);
        layer_add_relu(m, name, true);
    }
}

static void add_head(struct model *m)
{
    const struct model_config *c = &m->config;
    if (c->head == MODEL_HEAD_LINEAR) {
        const struct blob *last = &m->blobs[m->blob_count - 1];
        layer_add_avgpool(m, "flatten", last->h, last->w);
        layer_add_dense(m, "classifier.0", c->classes);
        return;
    }
    size_t hidden = narrowed(m, c->hidden);
    layer_add_avgpool(m, "avgpool", HEAD_SIDE, HEAD_SIDE);
    layer_add_dense(m, "classifier.0", hidden);
    layer_add_relu(m, "classifier.1", false);
    layer_add_dropout(m, "classifier.2", c->keep);
    layer_add_dense(m, "classifier.3", hidden);
    layer_add_relu(m, "classifier.4", false);
    layer_add_dropout(m, "classifier.5", c->keep);
    layer_add_dense(m, "classifier.6", c->classes);
}

static int count_convs(const struct vgg *v)
{
    int n = 0;
    for (const int *l = v->layers; *l != END; l++) {
        n += *l != POOL;
    }
    return n;
}

int vgg_build(struct model *m, struct err *e)
{
    bool batchnorm = false;
    const struct vgg *v = find(m->name, &batchnorm);
    if (!v) {
        return err_set(e, ERR_CONFIG, "no model '%s'; known are %s", m->name, model_names());
    }
    int convs = count_convs(v);
    if (m->config.freeze == MODEL_FREEZE_BUT_LAST) {
        m->config.freeze = convs - 1;
    }
    if (m->config.freeze > convs) {
        return err_set(e, ERR_CONFIG, "cannot freeze %d convolutions: %s has %d", m->config.freeze,
                       m->name, convs);
    }
    ARRAY_RESERVE(m->blobs, m->blob_count, m->blob_capacity, 1);
    m->blobs[m->blob_count++] =
        (struct blob){.c = m->config.channels, .h = m->config.height, .w = m->config.width};
    add_features(m, v, batchnorm);
    add_head(m);
    return layer_finish(m, e);
}

/* --- words of the configuration -------------------------------------------------------------- */

int model_parse_freeze(const char *text, int *freeze, struct err *e)
{
    if (strcmp(text, "features") == 0) {
        *freeze = MODEL_FREEZE_FEATURES;
        return 0;
    }
    if (strcmp(text, "none") == 0) {
        *freeze = MODEL_FREEZE_NONE;
        return 0;
    }
    int n = 0;
    const char *p = text;
    for (; isdigit((unsigned char)*p) && n < 1000; p++) {
        n = 10 * n + (*p - '0');
    }
    if (p == text || *p != '\0') {
        return err_set(e, ERR_CONFIG,
                       "'%.40s' is not what can be frozen: expected features, none, or the number "
                       "of convolutions counted from the input",
                       text);
    }
    *freeze = n;
    return 0;
}

int model_parse_head(const char *text, enum model_head *head, struct err *e)
{
    if (strcmp(text, "classifier") == 0) {
        *head = MODEL_HEAD_CLASSIFIER;
    } else if (strcmp(text, "linear") == 0) {
        *head = MODEL_HEAD_LINEAR;
    } else {
        return err_set(e, ERR_CONFIG, "no head '%.40s': expected classifier or linear", text);
    }
    return 0;
}

const char *model_head_name(enum model_head head)
{
    return head == MODEL_HEAD_LINEAR ? "linear" : "classifier";
}
