/*
 * Finding the class folders of a tree. See classdir.h. One walk collects the folders that hold
 * images and their numbers; what they have in common is then text work.
 */
#include "classdir.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "fs.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct folder {
    const char *path;
    uint64_t images, bytes;
    bool above; /* holds folders with images (the scanned one always counts so) */
};

struct scan {
    struct arena *arena;
    struct folder *folders;
    size_t count, capacity;
    uint64_t files;
};

bool classdir_is_image(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png"};
    const char *base = path_basename(name);
    const char *dot = path_extension(name);
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        if (base[0] != '.' && strcasecmp(dot, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The walk is depth first, so a folder's files may be parted by its sub-folders: look it up from
 * the end. */
static struct folder *folder_of(struct scan *s, const char *dir)
{
    for (size_t i = s->count; i > 0; i--) {
        if (strcmp(s->folders[i - 1].path, dir) == 0) {
            return &s->folders[i - 1];
        }
    }
    ARRAY_RESERVE(s->folders, s->count, s->capacity, 1);
    s->folders[s->count] = (struct folder){.path = dir};
    return &s->folders[s->count++];
}

static int on_path(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct scan *s = ctx;
    if (entry->is_dangling || !S_ISREG(entry->st.st_mode)) {
        return 0;
    }
    s->files++;
    if (classdir_is_image(entry->path)) {
        struct folder *f = folder_of(s, path_dirname(s->arena, entry->path));
        f->images++;
        f->bytes += (uint64_t)entry->st.st_size;
    }
    return 0;
}

static int by_path(const void *a, const void *b)
{
    const struct folder *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* The longest folder that both lie in ("." is above all). */
static const char *common(struct arena *a, const char *x, const char *y)
{
    const char *c = x;
    while (strcmp(c, ".") != 0 && !path_inside(c, y)) {
        c = path_dirname(a, c);
    }
    return c;
}

static bool is_class(const struct folder *f)
{
    return !f->above;
}

/* Sorted by bytes, what lies below a folder follows it among the paths that begin with its text. */
static void mark_above(struct scan *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct folder *f = &s->folders[i];
        f->above = strcmp(f->path, ".") == 0;
        for (size_t k = i + 1; k < s->count && !f->above; k++) {
            const char *next = s->folders[k].path;
            if (strncmp(next, f->path, strlen(f->path)) != 0) {
                break;
            }
            f->above = path_inside(f->path, next);
        }
    }
}

static int nothing(const struct scan *s, const char *dir, struct err *e)
{
    const char *found = s->files == 0   ? "no file at all"
                        : s->count == 0 ? "other files only"
                                        : "images that are in no folder";
    return err_set(e, ERR_FORMAT,
                   "%s: expected folders named by class with images (jpg, jpeg, png) in them, as "
                   "Normal/a.jpg and Tumor/b.jpg; found %s",
                   dir, found);
}

static void fill(struct arena *a, const struct scan *s, struct classdir *out)
{
    const char *parent = NULL;
    *out = (struct classdir){0};
    for (size_t i = 0; i < s->count; i++) {
        if (is_class(&s->folders[i])) {
            const char *above = path_dirname(a, s->folders[i].path);
            out->nested |= parent && strcmp(parent, above) != 0;
            parent = parent ? common(a, parent, above) : above;
            out->class_count++;
        }
    }
    out->root = parent;
    out->classes = ARENA_ARRAY(a, out->class_count, struct classdir_class);
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct folder *f = &s->folders[i];
        if (is_class(f)) {
            out->classes[n++] =
                (struct classdir_class){path_relative(a, out->root, f->path), f->images};
            out->images += f->images;
            out->image_bytes += f->bytes;
        }
    }
    out->others = s->files - out->images;
}

int classdir_scan(struct arena *a, const char *dir, struct classdir *out, struct err *e)
{
    struct scan s = {.arena = a};
    size_t classes = 0;
    int rc = fs_walk(dir, on_path, &s, e);
    if (rc == 0) {
        if (s.count > 0) {
            qsort(s.folders, s.count, sizeof(*s.folders), by_path);
        }
        mark_above(&s);
        for (size_t i = 0; i < s.count; i++) {
            classes += is_class(&s.folders[i]);
        }
        if (classes == 0) {
            rc = nothing(&s, dir, e);
        } else {
            fill(a, &s, out);
        }
    }
    free(s.folders);
    return rc;
}
