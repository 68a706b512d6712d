/* See gitignore.h. A folder's file is read once and again only when someone else changed it (size
 * or mtime differ). */
#include "gitignore.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "ignore.h"
#include "path.h"
#include "repo.h"

#include <uthash.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GITIGNORE_MAX_BYTES ((size_t)64 << 20)

struct line {
    UT_hash_handle hh;
    size_t n;
    char text[];
};

struct folder {
    UT_hash_handle hh;
    char *file; /* absolute path of its .gitignore */
    struct line *lines;
    off_t size; /* -1: no file */
    struct timespec mtime;
    bool ends_with_newline;
    bool unsynced; /* lines of ours are not on the disk yet */
};

struct gitignore {
    pthread_mutex_t lock;
    struct ignore *rules; /* of the work tree; made on first use */
    struct folder *folders;
};

void gitignore_init(struct repo *r)
{
    r->gitignore = xcalloc(1, sizeof *r->gitignore);
    pthread_mutex_init(&r->gitignore->lock, NULL);
}

static void folder_clear(struct folder *f)
{
    struct line *l, *tmp;
    HASH_ITER(hh, f->lines, l, tmp)
    {
        HASH_DEL(f->lines, l);
        free(l);
    }
    f->size = -1;
    f->ends_with_newline = true;
}

void gitignore_release(struct repo *r)
{
    struct gitignore *g = r->gitignore;
    if (g == NULL) {
        return;
    }
    struct folder *f, *tmp;
    HASH_ITER(hh, g->folders, f, tmp)
    {
        HASH_DEL(g->folders, f);
        folder_clear(f);
        free(f->file);
        free(f);
    }
    ignore_free(g->rules);
    pthread_mutex_destroy(&g->lock);
    free(g);
    r->gitignore = NULL;
}

static void folder_add_line(struct folder *f, struct str text)
{
    struct line *l;
    HASH_FIND(hh, f->lines, text.p, text.n, l);
    if (l == NULL) {
        l = xmalloc(sizeof *l + text.n + 1);
        memcpy(l->text, text.p, text.n);
        l->text[text.n] = 0;
        l->n = text.n;
        HASH_ADD_KEYPTR(hh, f->lines, l->text, l->n, l);
    }
}

static void folder_remember(struct folder *f)
{
    struct stat st;
    if (stat(f->file, &st) == 0) {
        f->size = st.st_size;
        f->mtime = st.st_mtim;
    }
}

static bool folder_changed(const struct folder *f)
{
    struct stat st;
    if (stat(f->file, &st) != 0) {
        return f->size != -1;
    }
    return f->size != st.st_size || f->mtime.tv_sec != st.st_mtim.tv_sec ||
           f->mtime.tv_nsec != st.st_mtim.tv_nsec;
}

static int folder_read(struct folder *f, struct err *e)
{
    folder_clear(f);
    struct strbuf text;
    strbuf_init(&text);
    struct err read_err = ERR_INIT;
    int rc = 0;
    folder_remember(f);
    if (fs_read(f->file, GITIGNORE_MAX_BYTES, &text, &read_err) < 0) {
        if (read_err.code != ERR_MISSING) {
            rc = err_set(e, read_err.code, "%s", read_err.text);
        }
        f->size = -1;
    } else {
        struct str rest = strbuf_str(&text), line;
        f->ends_with_newline = text.n == 0 || text.p[text.n - 1] == '\n';
        while (rest.n > 0 && str_split(&rest, '\n', &line)) {
            folder_add_line(f, line);
        }
    }
    strbuf_release(&text);
    return rc;
}

/* The folder's state, read again when the file was changed by others. NULL with *e set. */
static struct folder *folder_get(struct gitignore *g, const char *file, const char *rel_dir,
                                 struct err *e)
{
    struct folder *f;
    HASH_FIND_STR(g->folders, file, f);
    bool fresh = f == NULL;
    if (fresh) {
        f = xcalloc(1, sizeof *f);
        f->file = xstrdup(file);
        f->size = -1;
        f->ends_with_newline = true;
        HASH_ADD_KEYPTR(hh, g->folders, f->file, strlen(f->file), f);
    }
    if (fresh || folder_changed(f)) {
        if (!fresh) {
            ignore_forget(g->rules, rel_dir);
        }
        if (folder_read(f, e) < 0) {
            f->size = -2; /* read again next time */
            return NULL;
        }
    }
    return f;
}

/* git needs a backslash before what it would take as a pattern. */
static void add_entry(struct strbuf *b, const char *name)
{
    strbuf_addch(b, '/');
    for (; *name != 0; name++) {
        if (strchr("\\[]!*#?", *name) != NULL) {
            strbuf_addch(b, '\\');
        }
        strbuf_addch(b, *name);
    }
}

/* The rules in memory are not read again for a line we added ourselves: the set of lines knows it.
 */
static bool has_entry(const struct folder *f, const char *name)
{
    struct strbuf entry;
    struct line *have;
    strbuf_init(&entry);
    add_entry(&entry, name);
    HASH_FIND(hh, f->lines, entry.p, entry.n, have);
    strbuf_release(&entry);
    return have != NULL;
}

static int append_entry(struct folder *f, const char *name, struct err *e)
{
    struct strbuf b;
    strbuf_init(&b);
    add_entry(&b, name);
    folder_add_line(f, strbuf_str(&b));
    strbuf_reset(&b);
    strbuf_adds(&b, f->ends_with_newline ? "" : "\n");
    add_entry(&b, name);
    strbuf_addch(&b, '\n');
    int rc = 0;
    int fd = open(f->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) {
        rc = err_sys(e, "cannot open %s", f->file);
    } else {
        rc = fs_write_all(fd, b.p, b.n, f->file, e);
        if (close(fd) != 0 && rc == 0) {
            rc = err_sys(e, "cannot write %s", f->file);
        }
    }
    strbuf_release(&b);
    if (rc == 0) {
        f->ends_with_newline = true;
        f->unsynced = true;
        folder_remember(f);
    }
    return rc;
}

int gitignore_sync(struct repo *r, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&r->gitignore->lock);
    for (struct folder *f = r->gitignore->folders; f != NULL && rc == 0; f = f->hh.next) {
        if (f->unsynced) {
            rc = fs_sync_file(f->file, e);
            f->unsynced = rc < 0;
        }
    }
    pthread_mutex_unlock(&r->gitignore->lock);
    return rc;
}

/* What an output's path means for git: false when git has nothing to do with it. */
struct place {
    const char *abs, *rel; /* rel: from the work tree's root */
    const char *rel_dir, *file, *name;
};

static bool place_of(const struct repo *r, struct arena *a, const char *path, struct place *out)
{
    if (r->no_scm || r->scm_root == NULL) {
        return false;
    }
    out->abs = repo_abs(r, a, path);
    if (!path_inside(r->scm_root, out->abs) || strcmp(r->scm_root, out->abs) == 0) {
        return false;
    }
    out->rel = path_relative(a, r->scm_root, out->abs);
    out->rel_dir = path_dirname(a, out->rel);
    out->file = path_join(a, path_dirname(a, out->abs), ".gitignore");
    out->name = path_basename(out->abs);
    return true;
}

static bool rules_match(struct repo *r, const struct place *p)
{
    struct gitignore *g = r->gitignore;
    if (g->rules == NULL) {
        g->rules = ignore_new_git(r->scm_root);
    }
    return ignore_match(g->rules, p->rel, false); /* DVC asks without a slash at the end */
}

int gitignore_add(struct repo *r, const char *path, bool *changed, struct err *e)
{
    if (changed != NULL) {
        *changed = false;
    }
    struct arena a;
    arena_init(&a);
    struct place p;
    int rc = 0;
    if (place_of(r, &a, path, &p)) {
        pthread_mutex_lock(&r->gitignore->lock);
        if (!rules_match(r, &p)) {
            struct folder *f = folder_get(r->gitignore, p.file, p.rel_dir, e);
            if (f == NULL) {
                rc = -1;
            } else if (!has_entry(f, p.name) && !rules_match(r, &p)) {
                rc = append_entry(f, p.name, e);
                if (rc == 0 && changed != NULL) {
                    *changed = true;
                }
            }
        }
        pthread_mutex_unlock(&r->gitignore->lock);
    }
    arena_release(&a);
    return rc;
}

/* The text without the lines that stand for `name`, escaped or as DVC 2 wrote them. */
static void without_entry(struct strbuf *out, struct str text, const char *name)
{
    struct strbuf escaped, plain;
    strbuf_init(&escaped);
    strbuf_init(&plain);
    add_entry(&escaped, name);
    strbuf_addf(&plain, "/%s", name);
    struct str wanted[2] = {str_trim(strbuf_str(&escaped)), str_trim(strbuf_str(&plain))};
    while (text.n > 0) {
        const char *nl = memchr(text.p, '\n', text.n);
        size_t n = nl != NULL ? (size_t)(nl - text.p) + 1 : text.n;
        struct str line = str_trim(str_sub(text, 0, n));
        if (!str_eq(line, wanted[0]) && !str_eq(line, wanted[1])) {
            strbuf_add(out, text.p, n);
        }
        text = str_sub(text, n, text.n - n);
    }
    strbuf_release(&escaped);
    strbuf_release(&plain);
}

static int remove_entry(const struct place *p, bool *changed, struct err *e)
{
    struct strbuf text, kept;
    strbuf_init(&text);
    strbuf_init(&kept);
    struct err read_err = ERR_INIT;
    int rc = 0;
    if (fs_read(p->file, GITIGNORE_MAX_BYTES, &text, &read_err) < 0) {
        rc = read_err.code == ERR_MISSING ? 0 : err_set(e, read_err.code, "%s", read_err.text);
    } else {
        without_entry(&kept, strbuf_str(&text), p->name);
        if (kept.n == 0) {
            rc = fs_remove(p->file, e);
            *changed = true;
        } else if (kept.n != text.n) {
            rc = fs_write_atomic(p->file, kept.p, kept.n, 0, e);
            *changed = true;
        }
    }
    strbuf_release(&text);
    strbuf_release(&kept);
    return rc;
}

int gitignore_remove(struct repo *r, const char *path, bool *changed, struct err *e)
{
    bool done = false;
    struct arena a;
    arena_init(&a);
    struct place p;
    int rc = 0;
    if (place_of(r, &a, path, &p)) {
        pthread_mutex_lock(&r->gitignore->lock);
        rc = remove_entry(&p, &done, e);
        if (r->gitignore->rules != NULL) {
            ignore_forget(r->gitignore->rules, p.rel_dir);
        }
        pthread_mutex_unlock(&r->gitignore->lock);
    }
    arena_release(&a);
    if (changed != NULL) {
        *changed = done;
    }
    return rc;
}

bool gitignore_ignored(struct repo *r, const char *path)
{
    struct arena a;
    arena_init(&a);
    struct place p;
    bool yes = false;
    if (place_of(r, &a, path, &p)) {
        pthread_mutex_lock(&r->gitignore->lock);
        const struct folder *f = folder_get(r->gitignore, p.file, p.rel_dir, NULL);
        yes = (f != NULL && has_entry(f, p.name)) || rules_match(r, &p);
        pthread_mutex_unlock(&r->gitignore->lock);
    }
    arena_release(&a);
    return yes;
}
