/*
 * remote: objects between cache and remote, see remote.h. Every transfer has the same shape:
 *   1. who has what (parallel look-ups);
 *   2. files, in parallel;
 *   3. the .dir objects whose members have all arrived.
 */
#include "remote.h"

#include "alloc.h"
#include "checkout.h"
#include "err.h"
#include "fs.h"
#include "lock.h"
#include "path.h"
#include "repo.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- sets ---- */

struct remote_index {
    uint32_t *slots;
    size_t size;
};

static size_t find_slot(const struct remote_set *set, struct cas_id id)
{
    /* md5 is a hash already: its first digits will do */
    uint64_t h = id.legacy;
    for (int i = 0; i < 15; i++) {
        h = h << 4 | (uint64_t)(id.md5[i] <= '9' ? id.md5[i] - '0' : id.md5[i] - 'a' + 10);
    }
    size_t mask = set->index->size - 1, i = h & mask;
    for (; set->index->slots[i] != UINT32_MAX; i = (i + 1) & mask) {
        const struct cas_id *other = &set->objects[set->index->slots[i]].id;
        if (other->legacy == id.legacy && !strcmp(other->md5, id.md5)) {
            break;
        }
    }
    return i;
}

static void grow_index(struct remote_set *set)
{
    if (!set->index) {
        set->index = xcalloc(1, sizeof(*set->index));
    }
    free(set->index->slots);
    set->index->size = set->index->size ? set->index->size * 2 : 256;
    set->index->slots = xmalloc(set->index->size * sizeof(*set->index->slots));
    memset(set->index->slots, 0xFF, set->index->size * sizeof(*set->index->slots));
    for (size_t i = 0; i < set->count; i++) {
        set->index->slots[find_slot(set, set->objects[i].id)] = (uint32_t)i;
    }
}

/* Takes an object up, once. Returns its index; *is_new: `shown` is still to be set. What it names
 * is copied: the stages of a revision are gone when the set is used. */
static size_t add_object(struct remote_set *set, struct arena *a, struct cas_id id,
                         const char *remote, size_t parent, bool *is_new)
{
    if (!set->index || (set->count + 1) * 2 > set->index->size) {
        grow_index(set);
    }
    size_t slot = find_slot(set, id);
    *is_new = set->index->slots[slot] == UINT32_MAX;
    if (!*is_new) {
        return set->index->slots[slot];
    }
    id.md5 = arena_strdup(a, id.md5);
    remote = remote ? arena_strdup(a, remote) : NULL;
    ARRAY_RESERVE(set->objects, set->count, set->capacity, 1);
    set->objects[set->count] = (struct remote_object){.id = id, .remote = remote, .parent = parent};
    set->index->slots[slot] = (uint32_t)set->count;
    return set->count++;
}

bool remote_set_find(const struct remote_set *set, struct cas_id id, size_t *at)
{
    uint32_t slot = set->index ? set->index->slots[find_slot(set, id)] : UINT32_MAX;
    *at = slot;
    return slot != UINT32_MAX;
}

void remote_set_release(struct remote_set *set)
{
    free(set->objects);
    if (set->index) {
        free(set->index->slots);
        free(set->index);
    }
    memset(set, 0, sizeof(*set));
}

void remote_object_path(char out[64], struct cas_id id)
{
    snprintf(out, 64, "%s%.2s/%s", id.legacy ? "" : "files/md5/", id.md5, id.md5 + 2);
}

struct getter {
    struct remote *r;
    const char *path;
};

static int get_object(void *ctx, const char *tmp_path, struct err *e)
{
    struct getter *g = ctx;
    return g->r->ops->get(g->r->ctx, g->path, tmp_path, e);
}

static int fetch_object(struct store *s, struct remote *r, struct cas_id id, struct err *e)
{
    char path[64];
    remote_object_path(path, id);
    struct getter g = {r, path};
    return cas_receive(s->cas, id, get_object, &g, e);
}

static void note_failure(struct store *s, struct cas_id id, const struct err *why)
{
    store_note(s, STORE_NOTE_ERROR, "failed to transfer '%s' - %s", id.md5, why->text);
}

static void note_missing_list(struct store *s, struct cas_id id)
{
    store_note(s, STORE_NOTE_WARN, REMOTE_MISSING_FILES "\nname: None, %s: %s",
               id.legacy ? "md5-dos2unix" : "md5", id.md5);
}

void remote_fetch_list(struct store *s, struct arena *a, struct cas_id id)
{
    struct remote r;
    struct err e = ERR_INIT;
    if (remote_open(&r, s, a, NULL, &e) < 0) {
        return;
    }
    if (fetch_object(s, &r, id, &e) < 0 && e.code == ERR_MISSING) {
        note_missing_list(s, id);
    } else if (e.code != ERR_NONE) {
        note_failure(s, id, &e);
    }
    remote_close(&r);
}

static void add_members(struct arena *a, const struct dirobj *tree, const char *below, size_t dir,
                        struct remote_set *set)
{
    const struct remote_object list = set->objects[dir];
    for (size_t i = 0; i < tree->count; i++) {
        const char *member = tree->items[i].relpath;
        if (below && !path_inside(below, member)) {
            continue;
        }
        bool is_new;
        const struct cas_id id = {tree->items[i].md5, list.id.legacy};
        size_t at = add_object(set, a, id, list.remote, dir, &is_new);
        if (is_new) {
            set->objects[at].shown = arena_printf(a, "%s/%s", list.shown, member);
        }
    }
}

static int collect_dir(struct store *s, struct arena *a, const struct out *o, const char *filter,
                       struct cas_id id, const struct remote_collect_options *opt,
                       struct remote_set *set, struct err *e)
{
    bool here = cas_has(s->cas, id, false), is_new;
    if (!here && opt->fetch_dirs) {
        struct err why = ERR_INIT;
        here = fetch_object(s, opt->fetch_dirs, id, &why) == 0;
        if (!here && why.code != ERR_MISSING) {
            note_failure(s, id, &why);
            set->failed++;
            return 0; /* what it lists stays unknown */
        }
        if (!here && opt->note_gaps) {
            note_missing_list(s, id);
        }
        set->fetched += here;
    }
    size_t dir = add_object(set, a, id, o->remote, SIZE_MAX, &is_new);
    if (is_new) {
        set->objects[dir].shown = arena_strdup(a, store_show(s, a, o->path));
    }
    if (!here || set->objects[dir].whole) {
        return 0; /* in neither place: its members are not known either; or many revisions, one list */
    }
    const char *below = filter && strcmp(filter, o->path) != 0 && path_inside(o->path, filter)
                            ? filter + strlen(o->path) + 1
                            : NULL;
    struct arena scratch;
    struct dirobj tree;
    arena_init(&scratch);
    int rc = cas_read_dir(s->cas, &scratch, id, &tree, e);
    if (rc == 0) {
        add_members(a, &tree, below, dir, set);
        set->objects[dir].whole = !below;
    }
    arena_release(&scratch);
    return rc;
}

/* Is it in the work tree, or in the revision that is looked at? */
static bool out_exists(const struct store *s, struct arena *a, const struct out *o)
{
    const struct repo *r = s->repo;
    if (!r->files) {
        return fs_exists(repo_abs(r, a, o->path));
    }
    struct strbuf text;
    struct err e = ERR_INIT;
    strbuf_init(&text);
    bool there = r->files->is_dir(r->files->ctx, o->path) ||
                 r->files->read(r->files->ctx, o->path, &text, &e) == 0;
    strbuf_release(&text);
    return there;
}

static void note_unrecorded(struct store *s, struct arena *a, const struct stage *st,
                            const struct out *o)
{
    const char *shown = store_show(s, a, o->path);
    const char *more =
        out_exists(s, a, o)
            ? arena_printf(a,
                           "\nYou can also use `nephron commit %s` to associate existing '%s' with "
                           "stage: '%s'.",
                           st->addr, shown, st->addr)
            : "";
    store_note(s, STORE_NOTE_WARN,
               "Output '%s'(stage: '%s') is missing version info. Cache for it will not be "
               "collected. Use `nephron repro` to get your pipeline up to date.%s",
               shown, st->addr, more);
}

static int collect_out(struct store *s, struct arena *a, const struct stage *st, size_t i,
                       const char *filter, const struct remote_collect_options *opt,
                       struct remote_set *set, struct err *e)
{
    const struct out *o = &st->outs[i];
    struct hash h;
    if (!o->cache || o->path[0] == '/' || (opt->push && !o->push) ||
        (opt->only_remote && o->remote && strcmp(opt->only_remote, o->remote) != 0)) {
        return 0;
    }
    if (store_recorded(s, st, i, &h, e) < 0) {
        return -1;
    }
    if (!h.md5 && opt->note_gaps && !st->is_import) {
        note_unrecorded(s, a, st, o);
    }
    if (!h.md5 || !cas_md5_valid(h.md5)) {
        return 0;
    }
    struct cas_id id = {h.md5, h.legacy};
    if (h.md5[32]) {
        return collect_dir(s, a, o, filter, id, opt, set, e);
    }
    bool is_new;
    size_t at = add_object(set, a, id, o->remote, SIZE_MAX, &is_new);
    if (is_new) {
        set->objects[at].shown = arena_strdup(a, store_show(s, a, o->path));
    }
    return 0;
}

int remote_collect(struct store *s, struct arena *a, const struct checkout_target *targets,
                   size_t count, const struct remote_collect_options *opt, struct remote_set *set,
                   struct err *e)
{
    static const struct remote_collect_options none = {0};
    opt = opt ? opt : &none;
    for (size_t t = 0; t < count; t++) {
        const struct stage *st = targets[t].stage;
        const char *filter = targets[t].filter;
        for (size_t i = 0; i < st->out_count; i++) {
            const char *path = st->outs[i].path;
            bool chosen = !filter || path_inside(path, filter) || path_inside(filter, path);
            if (chosen && collect_out(s, a, st, i, filter, opt, set, e) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* ---- transfers ---- */

enum { STATE_UNKNOWN, STATE_DONE, STATE_WANTED, STATE_ABSENT, STATE_FAILED };

struct transfer {
    struct store *s;
    struct remote *r;
    const struct remote_set *set;
    bool push, dirs;      /* which way; this round moves .dir objects */
    unsigned char *state; /* by object */
    bool *here, *there;
    uint64_t *sizes;  /* in the remote, where it says so */
    struct err *errs; /* by thread: the look-up's */
};

static void look_one(void *ctx, size_t i, int thread)
{
    struct transfer *t = ctx;
    char path[64];
    const struct remote_object *o = &t->set->objects[i];
    remote_object_path(path, o->id);
    t->here[i] = cas_has(t->s->cas, o->id, false);
    if (t->here[i] && !t->push) {
        return; /* nothing to fetch, wherever else it is */
    }
    int there = t->r->ops->has(t->r->ctx, path, &t->errs[thread]);
    t->there[i] = there > 0;
}

static void move_one(void *ctx, size_t i, int thread)
{
    struct transfer *t = ctx;
    const struct remote_object *o = &t->set->objects[i];
    bool is_dir = o->id.md5[32] != '\0';
    if (t->state[i] != STATE_WANTED || is_dir != t->dirs) {
        return;
    }
    struct err e = ERR_INIT;
    int rc;
    if (t->push) {
        struct arena a;
        char path[64];
        arena_init(&a);
        remote_object_path(path, o->id);
        rc = t->r->ops->put(t->r->ctx, path, cas_object_path(t->s->cas, &a, o->id), &e);
        arena_release(&a);
    } else {
        rc = fetch_object(t->s, t->r, o->id, &e);
    }
    t->state[i] = rc < 0 ? STATE_FAILED : STATE_DONE;
    if (rc < 0) {
        note_failure(t->s, o->id, &e);
    }
}

/* Loops on the remote's own number of threads, or the store's. */
static void run_loop(struct transfer *t, par_fn *fn)
{
    if (t->r->jobs <= 0) {
        store_par_for(t->s, t->set->count, fn, t);
        return;
    }
    struct par *par = par_new(t->r->jobs > REMOTE_MAX_JOBS ? REMOTE_MAX_JOBS : t->r->jobs);
    par_for(par, t->set->count, fn, t);
    par_free(par);
}

/* Objects of DVC 2 go one by one: their names are no plain md5 of their content. */
static bool goes_in_batch(const struct transfer *t, size_t i)
{
    const struct cas_id id = t->set->objects[i].id;
    return t->state[i] == STATE_WANTED && !id.legacy && (id.md5[32] != '\0') == t->dirs;
}

static int copy_wanted(struct transfer *t, struct cas *to, struct cas_put *puts, size_t count,
                       struct err *e)
{
    bool own = t->r->jobs > 0;
    struct par *par = count < 2 ? NULL
                      : own ? par_new(t->r->jobs > REMOTE_MAX_JOBS ? REMOTE_MAX_JOBS : t->r->jobs)
                            : store_par_take(t->s);
    int rc = cas_copy_objects(to, par, puts, count, e);
    if (own) {
        par_free(par);
    } else {
        store_par_give(t->s, par);
    }
    return rc;
}

static void note_copied(struct transfer *t, const struct cas_put *puts, const size_t *which,
                        size_t count, const struct err *all)
{
    for (size_t k = 0; k < count; k++) {
        const struct err *why = all ? all : puts[k].failed;
        t->state[which[k]] = why ? STATE_FAILED : STATE_DONE;
        if (why) {
            note_failure(t->s, t->set->objects[which[k]].id, why);
        }
        free(puts[k].failed);
    }
}

/* Between the cache and a folder, which has the same layout. */
static void copy_all(struct transfer *t)
{
    const char *folder = t->r->ops->folder(t->r->ctx);
    struct cas *there = cas_open(folder, NULL, NULL);
    struct cas *from = t->push ? t->s->cas : there, *to = t->push ? there : t->s->cas;
    struct arena a;
    struct err e = ERR_INIT;
    size_t count = 0;
    arena_init(&a);
    size_t *which = ARENA_ARRAY(&a, t->set->count + 1, size_t);
    struct cas_put *puts = xcalloc(t->set->count + 1, sizeof(*puts));
    for (size_t i = 0; i < t->set->count; i++) {
        const struct cas_id id = t->set->objects[i].id;
        if (goes_in_batch(t, i)) {
            puts[count].path = cas_object_path(from, &a, id);
            snprintf(puts[count].md5, sizeof(puts[count].md5), "%s", id.md5);
            which[count++] = i;
        }
    }
    int rc = copy_wanted(t, to, puts, count, &e);
    note_copied(t, puts, which, count, rc < 0 ? &e : NULL);
    free(puts);
    arena_release(&a);
    cas_close(there);
}

static void move_all(struct transfer *t)
{
    if (t->r->ops->folder) {
        copy_all(t);
    }
    run_loop(t, move_one);
}

static void transfer_begin(struct transfer *t, struct store *s, struct remote *r,
                           const struct remote_set *set, bool push)
{
    *t = (struct transfer){.s = s, .r = r, .set = set, .push = push};
    t->state = xcalloc(set->count + 1, 1);
    t->here = xcalloc(set->count + 1, sizeof(bool));
    t->there = xcalloc(set->count + 1, sizeof(bool));
    t->sizes = xcalloc(set->count + 1, sizeof(*t->sizes));
    t->errs = xcalloc(REMOTE_MAX_JOBS, sizeof(*t->errs));
}

static void transfer_end(struct transfer *t)
{
    free(t->state);
    free(t->here);
    free(t->there);
    free(t->sizes);
    free(t->errs);
}

/* Objects in one request for all. */
static int look_many(struct transfer *t, struct err *e)
{
    struct arena a;
    arena_init(&a);
    size_t count = 0, *which = ARENA_ARRAY(&a, t->set->count + 1, size_t);
    const char **paths = ARENA_ARRAY(&a, t->set->count + 1, const char *);
    bool *there = ARENA_ARRAY(&a, t->set->count + 1, bool);
    uint64_t *sizes = ARENA_ARRAY(&a, t->set->count + 1, uint64_t);
    for (size_t i = 0; i < t->set->count; i++) {
        char path[64];
        t->here[i] = cas_has(t->s->cas, t->set->objects[i].id, false);
        if (t->push || !t->here[i]) {
            remote_object_path(path, t->set->objects[i].id);
            paths[count] = arena_strdup(&a, path);
            which[count++] = i;
        }
    }
    int rc = t->r->ops->has_many(t->r->ctx, paths, count, there, sizes, e);
    for (size_t k = 0; k < count && rc == 0; k++) {
        t->there[which[k]] = there[k];
        t->sizes[which[k]] = sizes[k];
    }
    arena_release(&a);
    return rc;
}

static int look_all(struct transfer *t, struct err *e)
{
    if (t->r->ops->has_many) {
        return look_many(t, e);
    }
    run_loop(t, look_one);
    for (size_t i = 0; i < REMOTE_MAX_JOBS; i++) {
        if (t->errs[i].code != ERR_NONE) {
            return err_set(e, t->errs[i].code, "%s", t->errs[i].text);
        }
    }
    return 0;
}

static int look(struct transfer *t, struct err *e)
{
    if (look_all(t, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < t->set->count; i++) {
        bool from = t->push ? t->here[i] : t->there[i];
        bool to = t->push ? t->there[i] : t->here[i];
        t->state[i] = to ? STATE_DONE : from ? STATE_WANTED : STATE_ABSENT;
    }
    return 0;
}

static void hold_back(struct transfer *t, size_t dir, struct arena *a)
{
    const struct remote_object *o = &t->set->objects[dir];
    struct dirobj tree;
    if (cas_read_dir(t->s->cas, a, o->id, &tree, NULL) < 0) {
        return; /* not here: it is what we want to fetch */
    }
    for (size_t i = 0; i < tree.count; i++) {
        struct cas_id id = {tree.items[i].md5, o->id.legacy};
        uint32_t at = t->set->index->slots[find_slot(t->set, id)];
        if (at != UINT32_MAX && t->state[at] == STATE_FAILED) {
            t->state[dir] = STATE_FAILED;
            return;
        }
        if (at != UINT32_MAX && t->state[at] == STATE_ABSENT) {
            t->state[dir] = STATE_UNKNOWN; /* not moved, not failed */
        }
    }
}

/* A .dir goes only after all its members (which several lists may share): a present .dir implies
 * them. */
static void hold_back_dirs(struct transfer *t)
{
    bool trouble = false;
    for (size_t i = 0; i < t->set->count; i++) {
        trouble = trouble || t->state[i] == STATE_FAILED || t->state[i] == STATE_ABSENT;
    }
    for (size_t i = 0; trouble && i < t->set->count; i++) {
        if (t->set->objects[i].id.md5[32] && t->state[i] == STATE_WANTED) {
            struct arena a;
            arena_init(&a);
            hold_back(t, i, &a);
            arena_release(&a);
        }
    }
}

/* The remote's progress bar: bytes that are going to move. */
static void announce(struct transfer *t)
{
    uint64_t bytes = 0;
    struct arena a;
    struct stat st;
    if (!t->r->ops->expect || t->r->quiet) {
        return;
    }
    arena_init(&a);
    for (size_t i = 0; i < t->set->count; i++) {
        if (t->state[i] == STATE_WANTED && !t->push) {
            bytes += t->sizes[i];
        } else if (t->state[i] == STATE_WANTED &&
                   stat(cas_object_path(t->s->cas, &a, t->set->objects[i].id), &st) == 0) {
            bytes += (uint64_t)st.st_size;
        }
    }
    arena_release(&a);
    t->r->ops->expect(t->r->ctx, t->push ? "Pushing" : "Fetching", bytes);
}

static int transfer(struct store *s, struct arena *a, struct remote *r,
                    const struct remote_set *set, bool push, struct remote_result *res,
                    struct err *e)
{
    struct transfer t;
    memset(res, 0, sizeof(*res));
    transfer_begin(&t, s, r, set, push);
    int rc = look(&t, e);
    if (rc == 0) {
        unsigned char *before = xmalloc(set->count + 1);
        memcpy(before, t.state, set->count);
        announce(&t);
        move_all(&t);
        hold_back_dirs(&t);
        t.dirs = true;
        move_all(&t);
        if (r->ops->expect) {
            r->ops->expect(r->ctx, "", 0);
        }
        res->missing = ARENA_ARRAY(a, set->count + 1, const char *);
        for (size_t i = 0; i < set->count; i++) {
            res->moved += before[i] == STATE_WANTED && t.state[i] == STATE_DONE;
            res->failed += t.state[i] == STATE_FAILED;
            if (t.state[i] == STATE_ABSENT) {
                res->missing[res->missing_count++] = set->objects[i].id.md5;
            }
        }
        free(before);
    }
    transfer_end(&t);
    return rc;
}

int remote_push(struct store *s, struct arena *a, struct remote *r, const struct remote_set *set,
                struct remote_result *res, struct err *e)
{
    return transfer(s, a, r, set, true, res, e);
}

int remote_fetch(struct store *s, struct arena *a, struct remote *r, const struct remote_set *set,
                 struct remote_result *res, struct err *e)
{
    int rc = transfer(s, a, r, set, false, res, e);
    res->moved += set->fetched;
    res->failed += set->failed;
    return rc;
}

/* ---- status -c ---- */

const char *remote_place_name(enum remote_place p)
{
    static const char *const names[] = {"ok", "new", "deleted", "missing"};
    return names[p];
}

int remote_compare(struct store *s, struct remote *r, const struct remote_set *set,
                   enum remote_place *places, struct err *e)
{
    if (set->failed > 0) {
        return err_set(e, ERR_REMOTE, "%zu lists of folders failed to download", set->failed);
    }
    struct transfer t;
    transfer_begin(&t, s, r, set, true);
    int rc = look(&t, e);
    for (size_t i = 0; i < set->count && rc == 0; i++) {
        places[i] = t.here[i] ? (t.there[i] ? REMOTE_OK : REMOTE_NEW)
                              : (t.there[i] ? REMOTE_DELETED : REMOTE_MISSING);
    }
    transfer_end(&t);
    return rc;
}

/* ---- run cache ---- */

struct runs {
    struct store *s;
    struct remote *r;
    struct arena a;
    size_t moved;
    struct err *e;
    bool failed;
};

/* runs/<2>/<64>/<64> and nothing else is believed. */
static bool is_run_path(const char *path)
{
    size_t n = strlen(path);
    if (n != 5 + 3 + 65 + 64 || strncmp(path, "runs/", 5) != 0) {
        return false;
    }
    for (size_t i = 5; i < n; i++) {
        bool slash = i == 7 || i == 72;
        if (slash ? path[i] != '/' : !strchr("0123456789abcdef", path[i])) {
            return false;
        }
    }
    return true;
}

static int push_run(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct runs *x = ctx;
    char path[160], local[4352];
    snprintf(path, sizeof(path), "runs/%.140s", entry->path);
    if (!S_ISREG(entry->st.st_mode) || !is_run_path(path)) {
        return 0;
    }
    int there = x->r->ops->has(x->r->ctx, path, e);
    if (there != 0) {
        return there < 0 ? -1 : 0;
    }
    snprintf(local, sizeof(local), "%s/%s", cas_dir(x->s->cas), path);
    if (x->r->ops->put(x->r->ctx, path, local, e) < 0) {
        return -1;
    }
    x->moved++;
    return 0;
}

int remote_push_runs(struct store *s, struct remote *r, size_t *moved, struct err *e)
{
    char dir[4352];
    struct runs x = {.s = s, .r = r};
    snprintf(dir, sizeof(dir), "%s/runs", cas_dir(s->cas));
    int rc = fs_is_dir(dir) ? fs_walk(dir, push_run, &x, e) : 0;
    *moved = x.moved;
    return rc;
}

static int fetch_run(void *ctx, const char *path)
{
    struct runs *x = ctx;
    char local[4352];
    struct fs_temp t;
    if (!is_run_path(path)) {
        return 0;
    }
    snprintf(local, sizeof(local), "%s/%s", cas_dir(x->s->cas), path);
    if (fs_is_file(local)) {
        return 0;
    }
    x->failed = true;
    if (fs_mkdirs_for(local, x->e) < 0 || fs_temp_open(&t, local, 0, x->e) < 0) {
        return 1;
    }
    if (x->r->ops->get(x->r->ctx, path, t.path, x->e) < 0) {
        fs_temp_abort(&t);
        return 1;
    }
    if (fs_temp_commit(&t, local, false, x->e) < 0) {
        return 1;
    }
    x->failed = false;
    x->moved++;
    return 0;
}

int remote_fetch_runs(struct store *s, struct remote *r, size_t *moved, struct err *e)
{
    struct runs x = {.s = s, .r = r, .e = e};
    if (!r->ops->list) {
        return err_set(e, ERR_REMOTE, "run-cache is not supported for '%s'", r->url);
    }
    int rc = r->ops->list(r->ctx, "runs", fetch_run, &x, e);
    *moved = x.moved;
    return rc < 0 || x.failed ? -1 : 0;
}
