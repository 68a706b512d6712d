/* sftplist: see sftplist.h. */
#include "sftplist.h"

#include "alloc.h"
#include "sftpfile.h"

#include <stdlib.h>
#include <string.h>

/* A page ends after so many files or folders: a folder costs four answers of the server. */
#define PAGE_FILES 2000
#define PAGE_FOLDERS 8
#define ENTRIES_MAX ((size_t)8 << 20) /* in one folder */
#define FOLDERS_DEEP 64

struct entry {
    const char *path; /* relative to the base; of a folder with '/' at the end */
    uint64_t size;
    bool is_dir;
};

struct folder {
    struct entry *items;
    size_t count, capacity;
};

struct walk {
    struct sshlink *link;
    struct arena *arena;
    const struct sftplist *list;
    const char *next; /* where the page ended; NULL: it did not */
    size_t files, folders;
};

const char *sftplist_join(struct arena *a, const char *dir, const char *name)
{
    bool both = dir[0] && name[0] && dir[strlen(dir) - 1] != '/';
    return arena_printf(a, "%s%s%s", dir, both ? "/" : "", name);
}

/* ---- one folder ---- */

static bool is_name(const char *name)
{
    for (const char *p = name; p && *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '/') {
            return false;
        }
    }
    return name && name[0];
}

static int refuse_name(const struct walk *w, const char *name, struct err *e)
{
    char shown[128];
    snprintf(shown, sizeof(shown), "%s", name);
    for (char *p = shown; *p; p++) {
        *p = (unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f ? '?' : *p;
    }
    return err_set(e, ERR_REMOTE,
                   "%s: the server lists the name '%s', which is not one below the URL",
                   w->link->settings->shown, shown);
}

/* What a link points to: 1 a file, 0 a folder, or nothing that we may see. */
static int follow(struct walk *w, const char *path, uint64_t *size, struct err *e)
{
    struct sftpfile_facts f = {0};
    struct err why = ERR_INIT;
    const char *far = sftplist_join(w->arena, w->list->base, path);
    if (sftpfile_stat(w->link, far, &f, &why) < 0 && w->link->broken) {
        return err_set(e, why.code, "%s", why.text);
    }
    *size = f.size;
    return f.is_file;
}

static void push_entry(struct folder *f, const char *path, uint64_t size, bool is_dir)
{
    ARRAY_RESERVE(f->items, f->count, f->capacity, 1);
    f->items[f->count++] = (struct entry){path, size, is_dir};
}

static int add_entry(struct walk *w, struct folder *f, const char *dir,
                     const struct sftp_attributes_struct *a, struct err *e)
{
    if (!is_name(a->name)) {
        return refuse_name(w, a->name ? a->name : "", e);
    }
    if (strcmp(a->name, ".") == 0 || strcmp(a->name, "..") == 0) {
        return 0;
    }
    if (f->count == ENTRIES_MAX) {
        return err_set(e, ERR_LIMIT, "%s: '%s' has more than %zu names", w->link->settings->shown,
                       dir, ENTRIES_MAX);
    }
    const char *path = sftplist_join(w->arena, dir, a->name);
    uint64_t size = a->size;
    int file = a->type == SSH_FILEXFER_TYPE_REGULAR;
    if (a->type == SSH_FILEXFER_TYPE_DIRECTORY) {
        push_entry(f, arena_printf(w->arena, "%s/", path), 0, true);
    } else if (a->type == SSH_FILEXFER_TYPE_SYMLINK) {
        file = follow(w, path, &size, e);
    }
    if (file > 0) {
        push_entry(f, path, size, false);
    }
    return file < 0 ? -1 : 0;
}

static int read_entries(struct walk *w, struct folder *f, const char *dir, sftp_dir handle,
                        struct err *e)
{
    int rc = 0;
    sftp_attributes a;
    while (rc == 0 && (a = sftp_readdir(w->link->sftp, handle))) {
        sshlink_stir(w->link);
        rc = add_entry(w, f, dir, a, e);
        sftp_attributes_free(a);
    }
    return rc < 0 || sftp_dir_eof(handle) ? rc : sshlink_failed(w->link, e, "list", dir);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static int read_folder(struct walk *w, struct folder *f, const char *dir, struct err *e)
{
    const char *far = sftplist_join(w->arena, w->list->base, dir);
    sshlink_stir(w->link);
    sftp_dir handle = sftp_opendir(w->link->sftp, far);
    if (!handle) {
        return sshlink_is_missing(w->link) ? 0 : sshlink_failed(w->link, e, "list", far);
    }
    int rc = read_entries(w, f, dir, handle, e);
    sftp_closedir(handle);
    if (f->count > 0) {
        qsort(f->items, f->count, sizeof(*f->items), by_path);
    }
    return rc;
}

/* ---- all below ---- */

static int walk_folder(struct walk *w, const char *dir, int deep, struct err *e);

static bool is_done(const struct walk *w, const struct entry *item)
{
    bool leads_there = item->is_dir && strncmp(item->path, w->list->token, strlen(item->path)) == 0;
    return strcmp(item->path, w->list->token) < 0 && !leads_there;
}

static int walk_entry(struct walk *w, const struct entry *item, int deep, struct err *e)
{
    if (w->files >= PAGE_FILES || w->folders >= PAGE_FOLDERS) {
        w->next = item->path;
        return 0;
    }
    if (!item->is_dir) {
        w->files++;
        w->list->fn(w->list->ctx, item->path, item->size);
        return 0;
    }
    if (deep == 0) {
        return err_set(e, ERR_LIMIT, "%s: '%s' lies deeper than %d folders",
                       w->link->settings->shown, item->path, FOLDERS_DEEP);
    }
    return walk_folder(w, arena_strndup(w->arena, item->path, strlen(item->path) - 1), deep - 1, e);
}

static int walk_folder(struct walk *w, const char *dir, int deep, struct err *e)
{
    struct folder f = {0};
    int rc = read_folder(w, &f, dir, e);
    for (size_t i = 0; rc == 0 && !w->next && i < f.count; i++) {
        if (!is_done(w, &f.items[i])) {
            rc = walk_entry(w, &f.items[i], deep, e);
        }
    }
    w->folders++; /* behind: what led here does not count before something was done */
    free(f.items);
    return rc;
}

int sftplist_page(struct sshlink *l, struct arena *a, const struct sftplist *list,
                  const char **next, struct err *e)
{
    struct walk w = {.link = l, .arena = a, .list = list};
    int rc = walk_folder(&w, list->prefix, FOLDERS_DEEP, e);
    *next = w.next ? w.next : "";
    return rc;
}
