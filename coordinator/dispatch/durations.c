/* See durations.h. */
#include "durations.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "num.h"
#include "str.h"

#include <uthash.h>

#include <stdlib.h>
#include <string.h>

#define DURATIONS_MAX 100000

struct item {
    UT_hash_handle hh;
    char *name;
    double seconds;
};

struct durations {
    struct item *items;
};

struct durations *durations_load(const char *path)
{
    struct durations *d = xcalloc(1, sizeof *d);
    struct strbuf text;
    strbuf_init(&text);
    if (fs_read(path, (size_t)64 << 20, &text, NULL) == 0) {
        struct str rest = strbuf_str(&text), line;
        while (rest.n > 0 && str_split(&rest, '\n', &line)) {
            const char *space = memchr(line.p, ' ', line.n);
            double s;
            if (space == NULL ||
                !num_parse_double((struct str){line.p, (size_t)(space - line.p)}, &s) ||
                !(s >= 0 && s < 1e9)) {
                continue;
            }
            char *name = xstrndup(space + 1, line.n - (size_t)(space + 1 - line.p));
            durations_set(d, name, s);
            free(name);
        }
    }
    strbuf_release(&text);
    return d;
}

void durations_free(struct durations *d)
{
    if (d == NULL) {
        return;
    }
    struct item *it, *tmp;
    HASH_ITER(hh, d->items, it, tmp)
    {
        HASH_DEL(d->items, it);
        free(it->name);
        free(it);
    }
    free(d);
}

double durations_get(const struct durations *d, const char *name)
{
    struct item *it;
    HASH_FIND_STR(d->items, name, it);
    return it != NULL ? it->seconds : 0;
}

void durations_set(struct durations *d, const char *name, double seconds)
{
    struct item *it;
    HASH_FIND_STR(d->items, name, it);
    if (it != NULL) {
        it->seconds = (it->seconds + seconds) / 2;
    } else if (HASH_COUNT(d->items) < DURATIONS_MAX && strchr(name, '\n') == NULL) {
        it = xcalloc(1, sizeof *it);
        it->name = xstrdup(name);
        it->seconds = seconds;
        HASH_ADD_KEYPTR(hh, d->items, it->name, strlen(it->name), it);
    }
}

int durations_save(const struct durations *d, const char *path, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    struct item *it, *tmp;
    HASH_ITER(hh, d->items, it, tmp)
    {
        char number[NUM_TEXT_SIZE];
        num_repr(number, it->seconds);
        strbuf_addf(&text, "%s %s\n", number, it->name);
    }
    struct fs_temp t;
    int rc = fs_temp_open(&t, path, 0, e);
    if (rc == 0) {
        rc = fs_write_all(t.fd, text.p, text.n, t.path, e);
        if (rc == 0) {
            rc = fs_temp_commit(&t, path, true, e); /* a hint: not worth a sync */
        } else {
            fs_temp_abort(&t);
        }
    }
    strbuf_release(&text);
    return rc;
}
