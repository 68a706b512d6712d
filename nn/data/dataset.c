/* Reading a tree of class folders: see dataset.h. */
#include "dataset.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "image.h"
#include "path.h"
#include "str.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Pictures of one class while its folder is walked. */
struct collector {
    struct dataset *d;
    const char *class_name;
    struct sample *items;
    size_t count, capacity;
};

static bool is_hidden(const char *name)
{
    return name[0] == '.' || strcmp(name, "__MACOSX") == 0; /* what archivers of one system add */
}

static int check_path_length(const struct dataset *d, const char *path, struct err *e)
{
    if (strlen(d->root) + strlen(path) + 2 > DATASET_PATH_MAX) {
        return err_set(e, ERR_LIMIT, "a path of more than %d bytes below %s", DATASET_PATH_MAX - 1,
                       d->root);
    }
    return 0;
}

static int collect(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct collector *c = ctx;
    const char *name = path_basename(entry->path);

    if (is_hidden(name)) {
        return S_ISDIR(entry->st.st_mode) ? 1 : 0;
    }
    if (S_ISDIR(entry->st.st_mode)) {
        return 0;
    }
    if (!image_name_is_picture(name)) {
        c->d->ignored_count++;
        return 0;
    }
    if (entry->is_dangling) {
        return err_set(e, ERR_MISSING, "%s/%s/%s is a link to nothing (run 'nephron checkout'?)",
                       c->d->root, c->class_name, entry->path);
    }
    if (!S_ISREG(entry->st.st_mode)) {
        return err_set(e, ERR_FORMAT, "%s/%s/%s is no regular file", c->d->root, c->class_name,
                       entry->path);
    }
    char *path = arena_printf(&c->d->arena, "%s/%s", c->class_name, entry->path);
    if (check_path_length(c->d, path, e) < 0) {
        return -1;
    }
    ARRAY_RESERVE(c->items, c->count, c->capacity, 1);
    c->items[c->count++] = (struct sample){.path = path, .name = path_basename(path)};
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct sample *)a)->path, ((const struct sample *)b)->path);
}

static int add_class(struct dataset *d, struct collector *all, size_t label, struct err *e)
{
    struct collector c = {.d = d, .class_name = d->classes[label]};
    char *dir = path_join(&d->arena, d->root, c.class_name);
    int rc = fs_walk(dir, collect, &c, e);

    if (rc < 0) {
        err_wrap(e, "cannot read class folder %s", dir);
    } else if (c.count == 0) {
        rc = err_set(e, ERR_FORMAT, "class '%s' has no pictures: no .jpg, .jpeg or .png in %s",
                     c.class_name, dir);
    }
    if (rc == 0) {
        qsort(c.items, c.count, sizeof(*c.items), by_path);
        ARRAY_RESERVE(all->items, all->count, all->capacity, c.count);
        d->class_first[label] = all->count;
        d->class_sizes[label] = c.count;
        for (size_t i = 0; i < c.count; i++) {
            c.items[i].label = (int)label;
            all->items[all->count++] = c.items[i];
        }
    }
    free(c.items);
    return rc;
}

static int list_classes(struct dataset *d, struct err *e)
{
    char **names;
    size_t count, n = 0;

    if (!fs_is_dir(d->root)) {
        return err_set(e, ERR_MISSING, "no data folder %s (run 'nephron ingest'?)", d->root);
    }
    if (fs_list(&d->arena, d->root, &names, &count, e) < 0) {
        return err_wrap(e, "cannot read the data folder %s", d->root);
    }
    d->classes = ARENA_ARRAY(&d->arena, count + 1, const char *);
    for (size_t i = 0; i < count; i++) {
        if (is_hidden(names[i])) {
            continue;
        }
        if (fs_is_dir(path_join(&d->arena, d->root, names[i]))) {
            d->classes[n++] = names[i];
        } else {
            d->ignored_count++;
        }
    }
    d->class_count = n;
    d->class_sizes = ARENA_ARRAY(&d->arena, n + 1, size_t);
    d->class_first = ARENA_ARRAY(&d->arena, n + 1, size_t);
    return 0;
}

static void append_names(const struct dataset *d, struct strbuf *out)
{
    for (size_t i = 0; i < d->class_count && i < 12; i++) {
        strbuf_addf(out, "%s%s", i ? ", " : "", d->classes[i]);
    }
    if (d->class_count > 12) {
        strbuf_addf(out, " and %zu more", d->class_count - 12);
    }
}

static int too_few_classes(struct dataset *d, struct err *e)
{
    if (d->class_count == 0) {
        return err_set(
            e, ERR_FORMAT,
            "%s has no class folders, expected one sub-folder of pictures for each class", d->root);
    }
    return err_set(
        e, ERR_FORMAT,
        "%s has one class only ('%s'), expected at least two class folders (is %s/%s the "
        "data folder?)",
        d->root, d->classes[0], d->root, d->classes[0]);
}

static int check_classes(struct dataset *d, const struct dataset_options *opt, struct err *e)
{
    struct strbuf found;
    int rc = 0;

    if (d->class_count < 2) {
        return too_few_classes(d, e);
    }
    if (opt == NULL || opt->classes == 0) {
        return 0;
    }
    strbuf_init(&found);
    append_names(d, &found);
    if (opt->classes != d->class_count) {
        rc = err_set(e, ERR_CONFIG, "CLASSES is %zu but %s has %zu class folders: %s", opt->classes,
                     d->root, d->class_count, found.p);
    }
    for (size_t i = 0; rc == 0 && opt->class_names != NULL && i < d->class_count; i++) {
        if (strcmp(opt->class_names[i], d->classes[i]) != 0) {
            rc = err_set(e, ERR_CONFIG,
                         "class %zu of the model is '%s' but %s has '%s' there (found: %s)", i,
                         opt->class_names[i], d->root, d->classes[i], found.p);
        }
    }
    strbuf_release(&found);
    return rc;
}

int dataset_open(struct dataset *d, const char *root, const struct dataset_options *opt,
                 struct err *e)
{
    struct collector all = {0};
    int rc;

    *d = (struct dataset){0};
    arena_init(&d->arena);
    d->root = path_normal(&d->arena, root);
    rc = list_classes(d, e);
    if (rc == 0) {
        rc = check_classes(d, opt, e);
    }
    for (size_t c = 0; rc == 0 && c < d->class_count; c++) {
        rc = add_class(d, &all, c, e);
    }
    d->samples = all.items;
    d->count = all.count;
    if (rc < 0) {
        dataset_release(d);
    }
    return rc;
}

void dataset_release(struct dataset *d)
{
    free(d->samples);
    arena_release(&d->arena);
    *d = (struct dataset){0};
}

const char *dataset_path(const struct dataset *d, size_t sample, char out[DATASET_PATH_MAX])
{
    snprintf(out, DATASET_PATH_MAX, "%s/%s", d->root, d->samples[sample].path);
    return out;
}

/* ---- as bytes ---- */

void dataset_pack(const struct dataset *d, struct strbuf *out)
{
    strbuf_add(out, d->root, strlen(d->root) + 1);
    for (size_t c = 0; c < d->class_count; c++) {
        strbuf_add(out, d->classes[c], strlen(d->classes[c]) + 1);
        for (size_t i = 0; i < d->class_sizes[c]; i++) {
            const char *path = d->samples[d->class_first[c] + i].path;
            strbuf_add(out, path, strlen(path) + 1);
        }
        strbuf_addch(out, '\0');
    }
}

static void unpack_class(struct dataset *d, size_t label, struct str *rest, size_t *capacity)
{
    struct str path;
    d->class_first[label] = d->count;
    while (str_split(rest, '\0', &path) && path.n > 0) {
        ARRAY_RESERVE(d->samples, d->count, *capacity, 1);
        struct sample *s = &d->samples[d->count++];
        s->path = arena_strndup(&d->arena, path.p, path.n);
        s->name = path_basename(s->path);
        s->label = (int)label;
    }
    d->class_sizes[label] = d->count - d->class_first[label];
}

int dataset_unpack(struct dataset *d, struct str bytes, struct err *e)
{
    struct str rest = bytes, text;
    size_t texts = 0, capacity = 0;

    *d = (struct dataset){0};
    arena_init(&d->arena);
    for (size_t i = 0; i < bytes.n; i++) {
        texts += bytes.p[i] == '\0';
    }
    d->classes = ARENA_ARRAY(&d->arena, texts + 1, const char *);
    d->class_sizes = ARENA_ARRAY(&d->arena, texts + 1, size_t);
    d->class_first = ARENA_ARRAY(&d->arena, texts + 1, size_t);
    if (texts > 0 && bytes.p[bytes.n - 1] == '\0' && str_split(&rest, '\0', &text)) {
        d->root = arena_strndup(&d->arena, text.p, text.n);
        while (rest.n > 0 && str_split(&rest, '\0', &text)) {
            d->classes[d->class_count] = arena_strndup(&d->arena, text.p, text.n);
            unpack_class(d, d->class_count++, &rest, &capacity);
        }
    }
    if (d->class_count < 2) {
        dataset_release(d);
        return err_set(e, ERR_FORMAT, "a list of samples with fewer than two classes");
    }
    return 0;
}
