/* scmindex: what git tracks, see scmindex.h. */
#include "scmindex.h"

#include "alloc.h"
#include "proc.h"
#include "repo.h"
#include "store.h"
#include "str.h"

#include <stdlib.h>
#include <string.h>

struct scmindex {
    struct strbuf text; /* NUL-separated names, relative to the repository root, sorted by git */
    const char **names;
    size_t count, capacity;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct scmindex *load(const struct store *s)
{
    struct scmindex *x = xcalloc(1, sizeof(*x));
    struct proc_status st;
    const char *argv[] = {"git", "ls-files", "-z", "--", ".", NULL};
    struct proc_options opt = {.argv = argv, .cwd = s->repo->root, .stderr_fd = PROC_NULL};
    strbuf_init(&x->text);
    if (proc_capture(&opt, &x->text, NULL, &st, NULL) < 0 || !st.exited || st.code != 0) {
        strbuf_reset(&x->text);
    }
    for (size_t at = 0; at < x->text.n; at += strlen(x->text.p + at) + 1) {
        ARRAY_RESERVE(x->names, x->count, x->capacity, 1);
        x->names[x->count++] = x->text.p + at;
    }
    if (x->count) {
        qsort(x->names, x->count, sizeof(*x->names), by_name);
    }
    return x;
}

void scmindex_free(struct scmindex *x)
{
    if (x) {
        strbuf_release(&x->text);
        free(x->names);
        free(x);
    }
}

/* The first name not below `path` in order. */
static size_t lower_bound(const struct scmindex *x, const char *path)
{
    size_t low = 0, high = x->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(x->names[mid], path) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

bool scmindex_tracked(struct store *s, const char *path)
{
    if (!s->repo->scm_root || s->repo->no_scm) {
        return false;
    }
    struct scmindex **slot = store_scmindex(s);
    if (!*slot) {
        *slot = load(s);
    }
    const struct scmindex *x = *slot;
    size_t i = lower_bound(x, path);
    if (i < x->count && !strcmp(x->names[i], path)) {
        return true;
    }
    char *dir = xmalloc(strlen(path) + 2);
    memcpy(dir, path, strlen(path));
    memcpy(dir + strlen(path), "/", 2);
    i = lower_bound(x, dir);
    bool below = i < x->count && !strncmp(x->names[i], dir, strlen(dir));
    free(dir);
    return below;
}
