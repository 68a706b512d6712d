/* The start of training; see prepare.h. */
#include "prepare.h"

#include "settings.h"

#include "alloc.h"
#include "arena.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "image.h"
#include "model.h"
#include "modelfile.h"
#include "modelio.h"
#include "path.h"
#include "proc.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* https://download.pytorch.org/models, as torchvision.models.vgg names them (IMAGENET1K_V1). */
static const struct {
    const char *model, *file;
} published[] = {
    {"vgg11", "vgg11-8a719046.pth"}, {"vgg11_bn", "vgg11_bn-6002323d.pth"},
    {"vgg13", "vgg13-19584684.pth"}, {"vgg13_bn", "vgg13_bn-abd245e5.pth"},
    {"vgg16", "vgg16-397923af.pth"}, {"vgg16_bn", "vgg16_bn-6c64b313.pth"},
    {"vgg19", "vgg19-dcbb9e9d.pth"}, {"vgg19_bn", "vgg19_bn-c79401a0.pth"},
};

const char *prepare_imagenet_file(const char *model)
{
    for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
        if (strcmp(published[i].model, model) == 0) {
            return published[i].file;
        }
    }
    return NULL;
}

int prepare_check_digest(const char *path, const char *name, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    const char *dash = strrchr(name, '-'), *dot = strrchr(name, '.');
    if (!dash || !dot || dot < dash) {
        return err_set(e, ERR_BUG, "no digest in the name %s", name);
    }
    size_t n = (size_t)(dot - dash - 1);
    if (digest_file(DIGEST_SHA256, path, hex, NULL, e) < 0) {
        return -1;
    }
    if (strncmp(hex, dash + 1, n) != 0) {
        return err_set(e, ERR_FORMAT,
                       "%s is not the published file: its SHA-256 begins with %.*s, expected %.*s; "
                       "delete it to fetch it again",
                       path, (int)n, hex, (int)n, dash + 1);
    }
    return 0;
}

static int fetch(const char *url, const char *path, bool quiet, struct err *e)
{
    struct strbuf program;
    struct proc p;
    struct proc_status st;
    int rc = -1;
    strbuf_init(&program);
    if (proc_self_dir(&program, e) < 0) {
        goto out;
    }
    strbuf_adds(&program, "/nephron-xfer");
    const char *argv[] = {program.p, "fetch", url, path, quiet ? "--quiet" : NULL, NULL};
    if (proc_start(&p, &(struct proc_options){.argv = argv, .die_with_parent = true}, e) < 0 ||
        proc_wait(&p, &st, e) < 0) {
        goto out;
    }
    rc = proc_exit_code(&st) == 0 ? 0
                                  : err_set(e, ERR_REMOTE,
                                            "WEIGHTS: imagenet needs %s, which could not be "
                                            "fetched; without a network put the file at %s, or set "
                                            "WEIGHTS to its path or to null",
                                            url, path);
out:
    strbuf_release(&program);
    return rc;
}

/* The path of the published file in the user's cache, fetched when it is not there. */
static int imagenet_path(const struct settings *s, struct arena *a, bool quiet, const char **path,
                         struct err *e)
{
    const char *file = prepare_imagenet_file(s->model);
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (!file) {
        return err_set(e, ERR_CONFIG, "there are no imagenet weights for MODEL %s", s->model);
    }
    if (!cache || cache[0] != '/') {
        cache = path_join(a, home && home[0] ? home : ".", ".cache");
    }
    *path = path_join(a, cache, arena_printf(a, "nephron/weights/%s", file));
    if (fs_exists(*path)) {
        return prepare_check_digest(*path, file, e);
    }
    const char *url = arena_printf(a, "%s/%s", s->weights_url, file);
    if (fs_mkdirs_for(*path, e) < 0 || fetch(url, *path, quiet, e) < 0) {
        return -1;
    }
    if (prepare_check_digest(*path, file, e) < 0) {
        fs_remove(*path, NULL); /* it would be refused again and again */
        return err_wrap(e, "%s sent something else", url);
    }
    return 0;
}

static int load_weights(const struct settings *s, struct model *m, bool quiet, struct strbuf *out,
                        struct err *e)
{
    struct arena a;
    const char *path = s->weights_path;
    int rc = 0;
    arena_init(&a);
    if (s->weights == SETTINGS_IMAGENET) {
        rc = imagenet_path(s, &a, quiet, &path, e);
    }
    if (rc == 0 && s->weights != SETTINGS_RANDOM) {
        struct modelio_options opt = {.head = s->include_top ? MODELIO_HEAD_IF_FITS
                                                             : MODELIO_HEAD_IGNORE};
        struct modelio_report report = {.text = out};
        rc = model_load_file(m, path, &opt, &report, e);
        rc = rc < 0 ? err_wrap(e, "cannot use WEIGHTS %s", path) : rc;
    }
    arena_release(&a);
    return rc;
}

/* --- files ----------------------------------------------------------------------------------- */

static void describe(struct arena *a, const struct settings *s, struct modelfile_info *info)
{
    const struct image_norm norm = IMAGE_NORM_IMAGENET;
    const char **classes = ARENA_ARRAY(a, s->classes, const char *);
    for (size_t i = 0; i < s->classes; i++) {
        classes[i] = arena_printf(a, "class%zu", i);
    }
    *info = (struct modelfile_info){.arch = s->model,
                                    .head = model_head_name(s->head),
                                    .classes = classes,
                                    .class_count = s->classes,
                                    .image_height = (unsigned)s->height,
                                    .image_width = (unsigned)s->width,
                                    .resize = "bilinear"};
    memcpy(info->mean, norm.mean, sizeof(info->mean));
    memcpy(info->std, norm.std, sizeof(info->std));
}

static bool is_bare(const char *name)
{
    return strncmp(name, "features.", 9) == 0;
}

/* features.* alone, in the order of the arena, running statistics after the parameters. */
static int write_bare(const struct settings *s, const struct model *m,
                      const struct modelfile_info *info, struct err *e)
{
    size_t params, buffers, n = 0;
    const struct param *p = model_params(m, &params);
    const struct model_buffer *b = model_buffers(m, &buffers);
    struct modelfile_tensor *t = xcalloc(params + buffers, sizeof(*t));
    for (size_t i = 0; i < params; i++) {
        if (is_bare(p[i].name)) {
            t[n] = (struct modelfile_tensor){
                .name = p[i].name, .type = MODELFILE_F32, .ndim = p[i].ndim, .data = p[i].value};
            memcpy(t[n++].shape, p[i].shape, sizeof(p[i].shape));
        }
    }
    for (size_t i = 0; i < buffers; i++) {
        t[n++] = (struct modelfile_tensor){.name = b[i].name,
                                           .type = b[i].counter ? MODELFILE_I64 : MODELFILE_F32,
                                           .ndim = b[i].ndim,
                                           .shape = {b[i].count},
                                           .data = b[i].counter ? (const void *)b[i].counter
                                                                : (const void *)b[i].value};
    }
    int rc = modelfile_write(s->base_model, t, n, info, e);
    free(t);
    return rc;
}

static int check_stop(const volatile sig_atomic_t *stop, struct err *e)
{
    return stop && *stop ? err_set(e, ERR_INTERRUPTED,
                                   "stopped by signal %d before all was written", (int)*stop)
                         : 0;
}

static int write_files(const struct settings *s, const struct model *m,
                       const volatile sig_atomic_t *stop, struct err *e)
{
    struct arena a;
    struct modelfile_info info;
    int rc = -1;
    arena_init(&a);
    describe(&a, s, &info);
    if (fs_mkdirs_for(s->base_model, e) < 0 || fs_mkdirs_for(s->updated_model, e) < 0) {
        goto out;
    }
    rc = s->include_top ? model_save(m, s->base_model, &info, e) : write_bare(s, m, &info, e);
    rc = rc == 0 ? check_stop(stop, e) : rc;
    rc = rc == 0 ? model_save(m, s->updated_model, &info, e) : rc;
out:
    arena_release(&a);
    return rc;
}

int prepare_run(const struct settings *s, struct par *par, bool quiet,
                const volatile sig_atomic_t *stop, struct strbuf *out, struct err *e)
{
    struct model *m = model_new(&(struct model_config){.name = s->model,
                                                       .classes = s->classes,
                                                       .height = (size_t)s->height,
                                                       .width = (size_t)s->width,
                                                       .head = s->head,
                                                       .freeze = s->freeze,
                                                       .seed = s->seed,
                                                       .par = par},
                                e);
    if (!m) {
        return -1;
    }
    int rc = check_stop(stop, e);
    rc = rc == 0 ? load_weights(s, m, quiet, out, e) : rc;
    rc = rc == 0 ? check_stop(stop, e) : rc;
    rc = rc == 0 ? write_files(s, m, stop, e) : rc;
    if (rc == 0) {
        model_describe(m, out);
    }
    model_free(m);
    return rc;
}
