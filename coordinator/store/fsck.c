/* fsck: see fsck.h. */
#include "fsck.h"

#include "alloc.h"
#include "cas.h"
#include "checkout.h"
#include "content.h"
#include "digest.h"
#include "dirobj.h"
#include "err.h"
#include "fs.h"
#include "path.h"
#include "pipeline.h"
#include "remote.h"
#include "store.h"
#include "str.h"
#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char *kind_name(enum fsck_kind k)
{
    static const char *const names[] = {
#define X(name, text) text,
        FSCK_PROBLEMS(X)
#undef X
    };
    return names[k];
}

static struct fsck_problem *add_problem(struct arena *a, struct fsck_result *r, enum fsck_kind kind,
                                        struct cas_id id, const char *path)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 16;
        struct fsck_problem *items = ARENA_ARRAY(a, capacity, struct fsck_problem);
        if (r->count) {
            memcpy(items, r->problems, r->count * sizeof(*items));
        }
        r->problems = items;
        r->capacity = capacity;
    }
    struct fsck_problem *p = &r->problems[r->count++];
    *p = (struct fsck_problem){.kind = kind,
                               .md5 = arena_strdup(a, id.md5),
                               .path = arena_strdup(a, path),
                               .detail = "",
                               .legacy = id.legacy};
    return p;
}

/* ---- the objects ---- */

struct object {
    struct cas_id id;
    const char *path;
    int64_t size;
    bool bad, malformed, writable;
    char found[33];
    char why[160];
};

struct scan {
    struct store *s;
    struct arena *a;
    struct object *objects;
    size_t count, capacity;
};

static int list_object(void *ctx, struct cas_id id, const char *path, int64_t size, struct err *e)
{
    struct scan *x = ctx;
    (void)e;
    ARRAY_RESERVE(x->objects, x->count, x->capacity, 1);
    x->objects[x->count++] = (struct object){.id = {arena_strdup(x->a, id.md5), id.legacy},
                                             .path = arena_strdup(x->a, path),
                                             .size = size};
    return 0;
}

/* The bytes may be right and the list still be one that must not be followed. */
static void check_list(struct object *o)
{
    struct arena a;
    struct strbuf text;
    struct dirobj tree;
    struct err e = ERR_INIT;
    arena_init(&a);
    strbuf_init(&text);
    if (fs_read(o->path, 0, &text, &e) < 0 ||
        dirobj_parse(&a, &tree, strbuf_str(&text), o->id.md5, &e) < 0) {
        o->malformed = true;
        snprintf(o->why, sizeof(o->why), "%.150s", e.text);
    }
    strbuf_release(&text);
    arena_release(&a);
}

static void check_object(void *ctx, size_t i, int thread)
{
    struct scan *x = ctx;
    struct object *o = &x->objects[i];
    char hex[DIGEST_HEX_SIZE] = "";
    struct err e = ERR_INIT;
    struct stat st;
    (void)thread;
    bool is_list = o->id.md5[32] != '\0';
    int rc = digest_file(DIGEST_MD5, o->path, hex, NULL, &e);
    /* DVC 2 hashed text files without their carriage returns */
    if (rc == 0 && o->id.legacy && !is_list && strncmp(hex, o->id.md5, 32) != 0) {
        rc = content_md5_legacy(o->path, hex, &e);
    }
    o->bad = rc < 0 || strncmp(hex, o->id.md5, 32) != 0;
    memcpy(o->found, hex, 32);
    o->found[32] = '\0';
    o->writable = stat(o->path, &st) == 0 && (st.st_mode & 0222) != 0 && !o->id.legacy;
    if (rc < 0) {
        snprintf(o->why, sizeof(o->why), "%.150s", e.text);
    } else if (is_list && !o->bad) {
        check_list(o);
    }
}

static int scan_objects(struct scan *x, struct fsck_result *r, struct err *e)
{
    if (cas_each(x->s->cas, false, list_object, x, e) < 0 ||
        cas_each(x->s->cas, true, list_object, x, e) < 0) {
        return -1;
    }
    store_par_for(x->s, x->count, check_object, x);
    for (size_t i = 0; i < x->count; i++) {
        const struct object *o = &x->objects[i];
        r->objects++;
        r->bytes += o->size;
        if (o->bad) {
            add_problem(x->a, r, FSCK_CORRUPT, o->id, o->path)->detail =
                o->why[0] ? arena_strdup(x->a, o->why)
                          : arena_printf(x->a, "its content has the md5 %s", o->found);
        } else if (o->malformed) {
            add_problem(x->a, r, FSCK_MALFORMED, o->id, o->path)->detail =
                arena_strdup(x->a, o->why);
        } else if (o->writable) {
            add_problem(x->a, r, FSCK_WRITABLE, o->id, o->path)->detail = "its mode is not 444";
        }
    }
    return 0;
}

/* ---- what is recorded ---- */

static bool is_broken(const struct fsck_result *r, size_t n, struct cas_id id)
{
    for (size_t i = 0; i < n; i++) {
        const struct fsck_problem *p = &r->problems[i];
        if ((p->kind == FSCK_CORRUPT || p->kind == FSCK_MALFORMED) && p->legacy == id.legacy &&
            strcmp(p->md5, id.md5) == 0) {
            return true;
        }
    }
    return false;
}

static int collect(struct store *s, struct arena *a, const struct pipeline *p, struct remote *from,
                   struct remote_set *used, struct err *e)
{
    const struct remote_collect_options opt = {.fetch_dirs = from};
    struct checkout_target *all = ARENA_ARRAY(a, p->stage_count + 1, struct checkout_target);
    for (size_t i = 0; i < p->stage_count; i++) {
        all[i].stage = &p->stages[i];
    }
    return remote_collect(s, a, all, p->stage_count, &opt, used, e);
}

/* Lists that must not be followed are moved aside by nobody: their outputs are not looked into. */
static void check_used(struct store *s, struct arena *a, const struct remote_set *used,
                       struct fsck_result *r)
{
    size_t scanned = r->count;
    for (size_t i = 0; i < used->count; i++) {
        const struct remote_object *o = &used->objects[i];
        const char *path = cas_object_path(s->cas, a, o->id);
        if (!fs_exists(path) && !is_broken(r, scanned, o->id)) {
            struct fsck_problem *p = add_problem(a, r, FSCK_MISSING, o->id, path);
            p->used = o->shown;
            p->detail = "recorded, and not in the cache";
        }
    }
    for (size_t i = 0; i < scanned; i++) {
        struct fsck_problem *p = &r->problems[i];
        size_t at;
        if (remote_set_find(used, (struct cas_id){p->md5, p->legacy}, &at)) {
            p->used = used->objects[at].shown;
        }
    }
}

/* ---- leftovers ---- */

/* Ours, of a dead process; ".<22 letters>.tmp" of DVC: older than a day. */
static bool is_leftover(const char *dir, const char *name, struct arena *a)
{
    struct stat st;
    size_t n = strlen(name);
    if (n < 5 || name[0] != '.' || strcmp(name + n - 4, ".tmp") != 0) {
        return false;
    }
    if (strncmp(name, ".nephron-", 9) == 0) {
        return fs_is_left_temp(dir, name);
    }
    return stat(path_join(a, dir, name), &st) == 0 && st.st_mtime < time(NULL) - 86400;
}

static void find_leftovers(struct arena *a, const char *dir, struct fsck_result *r)
{
    char **names;
    size_t count;
    if (fs_list(a, dir, &names, &count, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_leftover(dir, names[i], a)) {
            add_problem(a, r, FSCK_LEFTOVER, (struct cas_id){"", false},
                        path_join(a, dir, names[i]))
                ->detail = "temp file of a program that is gone";
        }
    }
}

/* ---- repair ---- */

/* What can be done without a remote. A wrong object is moved to corrupt/ in the cache: the only
 * copy of something may be worth a look. */
static int repair_here(struct store *s, struct fsck_result *r, struct err *e)
{
    for (size_t i = 0; i < r->count; i++) {
        struct fsck_problem *p = &r->problems[i];
        const struct cas_id id = {p->md5, p->legacy};
        switch (p->kind) {
        case FSCK_CORRUPT:
            p->repaired = !cas_has(s->cas, id, true) && !p->used;
            break;
        case FSCK_MALFORMED:
            if (cas_remove(s->cas, id, e) < 0) {
                return -1;
            }
            p->repaired = !p->used;
            break;
        case FSCK_WRITABLE:
            p->repaired = chmod(p->path, 0444) == 0;
            break;
        case FSCK_LEFTOVER:
            p->repaired = fs_remove(p->path, NULL) == 0;
            break;
        case FSCK_MISSING:
            break;
        }
    }
    return 0;
}

/* Fetches what the workspace uses; files of lists that only now came are looked at as well. */
static int repair_from_remote(struct store *s, struct arena *a, const struct pipeline *p,
                              const char *name, struct err *e)
{
    struct remote remote;
    struct remote_set used = {0};
    struct remote_result res = {0};
    struct err why = ERR_INIT;
    if (remote_open(&remote, s, a, name, &why) < 0) {
        return name ? err_set(e, why.code, "%s", why.text)
                    : 0; /* no remote: nothing to fetch from */
    }
    int rc = collect(s, a, p, &remote, &used, e);
    if (rc == 0) {
        rc = remote_fetch(s, a, &remote, &used, &res, e);
    }
    remote_set_release(&used);
    remote_close(&remote);
    return rc;
}

static int repair(struct store *s, struct arena *a, const struct pipeline *p,
                  const struct fsck_options *opt, struct fsck_result *r, struct err *e)
{
    if (repair_here(s, r, e) < 0 || repair_from_remote(s, a, p, opt->remote, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < r->count; i++) {
        struct fsck_problem *x = &r->problems[i];
        if (x->used && x->kind != FSCK_WRITABLE) {
            x->repaired = cas_has(s->cas, (struct cas_id){x->md5, x->legacy}, false);
        }
    }
    /* lists that were absent name further files */
    struct remote_set used = {0};
    int rc = collect(s, a, p, NULL, &used, e);
    for (size_t i = 0; rc == 0 && i < used.count; i++) {
        const struct remote_object *o = &used.objects[i];
        const char *path = cas_object_path(s->cas, a, o->id);
        bool known = false;
        for (size_t k = 0; k < r->count && !known; k++) {
            known = strcmp(r->problems[k].md5, o->id.md5) == 0;
        }
        if (!known && !fs_exists(path)) {
            struct fsck_problem *x = add_problem(a, r, FSCK_MISSING, o->id, path);
            x->used = o->shown;
            x->detail = "recorded, and not in the cache";
        }
    }
    remote_set_release(&used);
    return rc;
}

int fsck_run(struct store *s, struct arena *a, const struct pipeline *p,
             const struct fsck_options *opt, struct fsck_result *r, struct err *e)
{
    struct scan x = {.s = s, .a = a};
    struct remote_set used = {0};
    *r = (struct fsck_result){0};
    int rc = scan_objects(&x, r, e);
    struct err why = ERR_INIT;
    if (rc == 0 && collect(s, a, p, NULL, &used, &why) < 0 && why.code != ERR_FORMAT) {
        rc = err_set(e, why.code, "%s", why.text); /* a malformed list is in the report already */
    }
    if (rc == 0) {
        check_used(s, a, &used, r);
        find_leftovers(a, path_join(a, cas_dir(s->cas), "files/md5"), r);
        find_leftovers(a, cas_dir(s->cas), r);
    }
    remote_set_release(&used);
    free(x.objects);
    return rc == 0 && opt->repair ? repair(s, a, p, opt, r, e) : rc;
}

/* ---- saying ---- */

bool fsck_ok(const struct fsck_result *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!r->problems[i].repaired) {
            return false;
        }
    }
    return true;
}

void fsck_text(struct strbuf *out, const struct fsck_result *r)
{
    size_t repaired = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct fsck_problem *p = &r->problems[i];
        strbuf_addf(out, "%s", kind_name(p->kind));
        strbuf_pad(out, ' ', 11 - strlen(kind_name(p->kind)));
        strbuf_addf(out, "%s", p->used ? p->used : p->path);
        if (p->used) {
            strbuf_addf(out, "  %s", p->md5);
        }
        strbuf_addf(out, ": %s%s\n", p->detail, p->repaired ? " (repaired)" : "");
        repaired += p->repaired;
    }
    strbuf_addf(out, "%zu objects, %" PRId64 " bytes: ", r->objects, r->bytes);
    if (r->count == 0) {
        strbuf_adds(out, "nothing is wrong.\n");
    } else {
        strbuf_addf(out, "%zu problem%s, %zu repaired.\n", r->count, r->count == 1 ? "" : "s",
                    repaired);
    }
}

struct value *fsck_json(struct arena *a, const struct fsck_result *r)
{
    struct value *v = value_map(a), *list = value_list(a);
    value_set(a, v, "schema", value_int(a, 1));
    value_set(a, v, "ok", value_bool(a, fsck_ok(r)));
    value_set(a, v, "objects", value_int(a, (int64_t)r->objects));
    value_set(a, v, "bytes", value_int(a, r->bytes));
    value_set(a, v, "problems", list);
    for (size_t i = 0; i < r->count; i++) {
        const struct fsck_problem *p = &r->problems[i];
        struct value *item = value_map(a);
        value_set(a, item, "kind", value_cstr(a, kind_name(p->kind)));
        value_set(a, item, "object", p->md5[0] ? value_cstr(a, p->md5) : value_null(a));
        value_set(a, item, "path", value_cstr(a, p->path));
        value_set(a, item, "used_by", p->used ? value_cstr(a, p->used) : value_null(a));
        value_set(a, item, "detail", value_cstr(a, p->detail));
        value_set(a, item, "repaired", value_bool(a, p->repaired));
        value_push(a, list, item);
    }
    return v;
}
