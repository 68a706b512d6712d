/*
 * checkout: the workspace made to agree with dvc.lock and .dvc files. In three steps, so that
 * nothing is touched before everything is known: plan    what each out holds and should hold, file
 * by file (contents from the memo or hashed in parallel) check   files that would go and whose
 * content the cache lacks: refused without force apply   removals, then links in parallel An out
 * whose objects are not all there is left as it is and reported (DVC removes it; a person's file is
 * worth more).
 */
#include "checkout.h"

#include "alloc.h"
#include "cas.h"
#include "content.h"
#include "err.h"
#include "fs.h"
#include "links.h"
#include "path.h"
#include "repo.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_THREADS 256

/* One file to be removed and/or created. */
struct action {
    const char *abs;
    const char *was; /* md5 of what is there; NULL: nothing */
    const char *now; /* md5 of what comes; NULL: nothing */
    bool legacy_was, legacy_now, isexec;
    bool chmod_only;
    bool is_relink; /* content stays */
    bool skip;      /* its out cannot be restored: left alone */
    bool absent;    /* applied, and the object was gone */
};

struct out_plan {
    const char *path, *abs, *shown;
    const char *filter; /* below path; NULL: all of it */
    struct hash want;
    struct dirobj want_tree;
    size_t first, count; /* its actions */
    bool failed, existed, make_dir, is_dir;
    const char *error;
};

struct plan {
    struct store *s;
    struct arena *a;
    const struct checkout_options *opt;
    struct out_plan *outs;
    struct content *contents; /* by out */
    size_t count, capacity, content_capacity;
    struct action *actions;
    size_t action_count, action_capacity;
    struct err *errs;   /* by thread */
    const char **swept; /* shown: outs that no stage names any more */
    size_t swept_count;
};

static struct action *add_action(struct plan *p, const char *abs)
{
    ARRAY_RESERVE(p->actions, p->action_count, p->action_capacity, 1);
    struct action *x = &p->actions[p->action_count++];
    *x = (struct action){.abs = abs};
    return x;
}

/* ---- plan ---- */

static int add_out(struct plan *p, const struct stage *st, size_t i, const char *filter,
                   struct err *e)
{
    const struct out *o = &st->outs[i];
    struct hash want;
    if (store_recorded(p->s, st, i, &want, e) < 0) {
        return -1;
    }
    ARRAY_RESERVE(p->outs, p->count, p->capacity, 1);
    ARRAY_RESERVE(p->contents, p->count, p->content_capacity, 1);
    bool inside = filter && strcmp(filter, o->path) != 0 && path_inside(o->path, filter);
    p->outs[p->count] = (struct out_plan){.path = o->path,
                                          .abs = repo_abs(p->s->repo, p->a, o->path),
                                          .shown = store_show(p->s, p->a, o->path),
                                          .filter = inside ? filter + strlen(o->path) + 1 : NULL,
                                          .want = want};
    p->contents[p->count++] =
        (struct content){.path = o->path, .legacy = want.md5 && want.legacy, .honour_ignore = true};
    return 0;
}

static int collect(struct plan *p, const struct checkout_target *targets, size_t count,
                   struct err *e)
{
    for (size_t t = 0; t < count; t++) {
        const struct stage *st = targets[t].stage;
        const char *filter = targets[t].filter;
        for (size_t i = 0; i < st->out_count; i++) {
            const struct out *o = &st->outs[i];
            bool chosen = !filter || path_inside(o->path, filter) || path_inside(filter, o->path);
            bool partial = st->is_import && !o->hash.md5;
            if (o->cache && o->path[0] != '/' && chosen && !partial &&
                add_out(p, st, i, filter, e) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static bool in_filter(const struct out_plan *o, const char *rel)
{
    return !o->filter || path_inside(o->filter, rel);
}

/* Files that are there and are not wanted. */
static void plan_removals(struct plan *p, struct out_plan *o, const struct content *now)
{
    if (now->kind == CONTENT_FILE && o->is_dir) {
        struct action *x = add_action(p, o->abs);
        x->was = now->hash.md5;
        x->legacy_was = now->legacy;
    }
    for (size_t i = 0; now->kind == CONTENT_DIR && i < now->tree->count; i++) {
        const struct dirobj_item *item = &now->tree->items[i];
        if (in_filter(o, item->relpath) &&
            (!o->is_dir || !dirobj_find(&o->want_tree, item->relpath))) {
            struct action *x = add_action(p, arena_printf(p->a, "%s/%s", o->abs, item->relpath));
            x->was = item->md5;
            x->legacy_was = now->legacy;
        }
    }
}

static void plan_file(struct plan *p, struct out_plan *o, const char *abs, const char *want,
                      const char *was, bool legacy_was)
{
    bool same = was && !strcmp(was, want);
    if (same && !p->opt->relink) {
        return;
    }
    struct action *x = add_action(p, abs);
    x->was = was;
    x->now = want;
    x->legacy_was = legacy_was;
    x->legacy_now = o->want.legacy;
    x->is_relink = same;
}

static void plan_single(struct plan *p, struct out_plan *o, const struct content *now)
{
    const char *was = now->kind == CONTENT_FILE ? now->hash.md5 : NULL;
    plan_file(p, o, o->abs, o->want.md5, was, now->legacy);
    if (p->action_count > o->first) {
        p->actions[p->action_count - 1].isexec = o->want.isexec;
    }
}

static void plan_members(struct plan *p, struct out_plan *o, const struct content *now)
{
    for (size_t i = 0; i < o->want_tree.count; i++) {
        const struct dirobj_item *item = &o->want_tree.items[i];
        if (!in_filter(o, item->relpath)) {
            continue;
        }
        const struct dirobj_item *old =
            now->kind == CONTENT_DIR ? dirobj_find(now->tree, item->relpath) : NULL;
        plan_file(p, o, arena_printf(p->a, "%s/%s", o->abs, item->relpath), item->md5,
                  old ? old->md5 : NULL, now->legacy);
    }
}

/* What is missing marks the out as failed, for the report; -1 for what cannot be read. */
static int plan_out(struct plan *p, struct out_plan *o, const struct content *now, struct err *e)
{
    o->first = p->action_count;
    o->existed = now->kind != CONTENT_MISSING;
    if (!o->want.md5) {
        /* nothing is known: what is there must at least not be lost silently */
        plan_removals(p, o, now);
        if (now->kind == CONTENT_FILE) {
            struct action *x = add_action(p, o->abs);
            x->was = now->hash.md5;
        }
        o->failed = true;
        o->count = p->action_count - o->first;
        return 0;
    }
    if (now->hash.md5 && !strcmp(now->hash.md5, o->want.md5) && !p->opt->relink) {
        /* right already, also when the cache has lost it; only the exec bit may be missing */
        if (o->want.isexec && !now->hash.isexec) {
            struct action *x = add_action(p, o->abs);
            x->was = x->now = now->hash.md5;
            x->chmod_only = true;
            o->count = 1;
        }
        return 0;
    }
    struct cas_id id = {o->want.md5, o->want.legacy};
    o->is_dir = cas_md5_valid(o->want.md5) && o->want.md5[32];
    struct err unread = ERR_INIT;
    if (o->is_dir && cas_read_dir(p->s->cas, p->a, id, &o->want_tree, &unread) < 0) {
        o->failed = true;
        return unread.code == ERR_IO ? err_set(e, ERR_IO, "%s", unread.text) : 0;
    }
    plan_removals(p, o, now);
    if (o->is_dir) {
        o->make_dir = now->kind != CONTENT_DIR;
        plan_members(p, o, now);
    } else {
        plan_single(p, o, now);
    }
    for (size_t i = o->first; i < p->action_count && !o->failed; i++) {
        const struct action *x = &p->actions[i];
        o->failed = x->now && !x->chmod_only &&
                    !cas_has(p->s->cas, (struct cas_id){x->now, x->legacy_now}, false);
    }
    o->count = p->action_count - o->first;
    return 0;
}

/* ---- check ---- */

static int check_unsaved(struct plan *p, struct err *e)
{
    struct strbuf list;
    strbuf_init(&list);
    for (size_t i = 0; i < p->action_count; i++) {
        const struct action *x = &p->actions[i];
        if (x->was && !x->chmod_only &&
            !cas_has(p->s->cas, (struct cas_id){x->was, x->legacy_was}, false)) {
            strbuf_addf(&list, "\n%s", x->abs);
        }
    }
    int rc = 0;
    if (list.n) {
        rc = err_set(e, ERR_BUSY,
                     "Can't remove the following unsaved files without confirmation. "
                     "Use `--force` to force.%s",
                     list.p);
    }
    strbuf_release(&list);
    return rc;
}

/* ---- apply ---- */

static void apply_one(void *ctx, size_t i, int thread)
{
    struct plan *p = ctx;
    struct action *x = &p->actions[i];
    struct err *e = &p->errs[thread];
    struct stat st;
    if (e->code != ERR_NONE || x->skip) {
        return;
    }
    if (x->chmod_only) {
        if (stat(x->abs, &st) < 0 || chmod(x->abs, (st.st_mode & 07777) | S_IXUSR) < 0) {
            err_sys(e, "cannot set the mode of '%s'", x->abs);
        }
    } else if (x->now) {
        struct cas_id id = {x->now, x->legacy_now};
        struct cas_out_options opt = {.isexec = x->isexec};
        if (cas_link_out(p->s->cas, id, x->abs, &opt, e) < 0 && e->code == ERR_MISSING) {
            x->absent = true;
            err_clear(e);
        }
    }
}

static int remove_old(struct plan *p, struct err *e)
{
    for (size_t k = 0; k < p->count; k++) {
        struct out_plan *o = &p->outs[k];
        for (size_t i = o->first; o->failed && i < o->first + o->count; i++) {
            p->actions[i].skip = true;
        }
        if (o->failed) {
            continue;
        }
        for (size_t i = o->first; i < o->first + o->count; i++) {
            const struct action *x = &p->actions[i];
            if (x->was && !x->now &&
                (fs_remove(x->abs, e) < 0 ||
                 (strcmp(x->abs, o->abs) != 0 && fs_remove_empty_parents(x->abs, o->abs, e) < 0))) {
                return -1;
            }
        }
        if (o->make_dir && fs_mkdirs(o->abs, e) < 0) {
            return -1;
        }
        if (!o->is_dir && o->count && fs_is_dir(o->abs)) {
            rmdir(o->abs); /* not empty: cas_link_out says so */
        }
    }
    return 0;
}

static int apply(struct plan *p, struct err *e)
{
    for (size_t k = 0; k < p->count; k++) {
        if (!p->outs[k].want.md5) {
            store_note(p->s, STORE_NOTE_WARN,
                       "No file hash info found for '%s'. It won't be created.", p->outs[k].abs);
        }
    }
    if (remove_old(p, e) < 0) {
        return -1;
    }
    p->errs = xcalloc(MAX_THREADS, sizeof(*p->errs));
    store_par_for(p->s, p->action_count, apply_one, p);
    int rc = 0;
    for (size_t i = 0; i < MAX_THREADS && rc == 0; i++) {
        if (p->errs[i].code != ERR_NONE) {
            rc = err_set(e, p->errs[i].code, "%s", p->errs[i].text);
        }
    }
    for (size_t k = 0; k < p->count; k++) {
        struct out_plan *o = &p->outs[k];
        for (size_t i = o->first; i < o->first + o->count; i++) {
            o->failed = o->failed || p->actions[i].absent;
        }
    }
    free(p->errs);
    return rc;
}

/* ---- report ---- */

static int by_kind(const void *a, const void *b)
{
    static const char order[] = "MAD";
    const struct checkout_change *x = a, *y = b;
    if (x->letter != y->letter) {
        return strchr(order, x->letter) < strchr(order, y->letter) ? -1 : 1;
    }
    bool dx = x->shown[strlen(x->shown) - 1] == '/', dy = y->shown[strlen(y->shown) - 1] == '/';
    return dx != dy ? (dx ? -1 : 1) : strcmp(x->shown, y->shown);
}

static void count_out(const struct plan *p, const struct out_plan *o, struct checkout_result *r)
{
    bool changed = o->make_dir;
    for (size_t i = o->first; i < o->first + o->count; i++) {
        const struct action *x = &p->actions[i];
        if (x->is_relink) {
            continue;
        }
        changed = true;
        r->added += !x->was;
        r->deleted += !x->now;
        r->modified += x->was && x->now;
    }
    if (changed) {
        struct checkout_change *c = &r->changes[r->change_count++];
        c->letter = o->existed ? 'M' : 'A';
        c->shown = o->is_dir ? arena_printf(p->a, "%s/", o->shown) : o->shown;
        if (!o->filter) {
            links_note(p->s, p->a, o->path, &o->want, NULL);
        }
    }
}

static int report(const struct plan *p, struct checkout_result *r, struct err *e)
{
    r->changes = ARENA_ARRAY(p->a, p->count + p->swept_count, struct checkout_change);
    r->failed = ARENA_ARRAY(p->a, p->count, const char *);
    for (size_t i = 0; i < p->count; i++) {
        if (p->outs[i].failed) {
            r->failed[r->failed_count++] = p->outs[i].shown;
        } else {
            count_out(p, &p->outs[i], r);
        }
    }
    for (size_t i = 0; i < p->swept_count; i++) {
        r->changes[r->change_count++] = (struct checkout_change){'D', p->swept[i]};
    }
    r->deleted += p->swept_count;
    if (r->change_count) {
        qsort(r->changes, r->change_count, sizeof(*r->changes), by_kind);
    }
    if (!r->failed_count || p->opt->allow_missing) {
        return 0;
    }
    struct strbuf list;
    strbuf_init(&list);
    for (size_t i = 0; i < r->failed_count; i++) {
        strbuf_addf(&list, "%s\n", r->failed[i]);
    }
    err_set(e, ERR_MISSING,
            "Checkout failed for following targets:\n%sIs your cache up to date?\n"
            "<https://error.dvc.org/missing-files>",
            list.p);
    strbuf_release(&list);
    return -1;
}

int checkout_run(struct store *s, struct arena *a, const struct checkout_target *targets,
                 size_t count, const struct checkout_options *opt, struct checkout_result *r,
                 struct err *e)
{
    static const struct checkout_options none = {0};
    struct plan p = {.s = s, .a = a, .opt = opt ? opt : &none};
    memset(r, 0, sizeof(*r));
    int rc = p.opt->whole ? links_sweep(s, a, p.opt->whole, &p.swept, &p.swept_count, e) : 0;
    if (rc == 0) {
        rc = collect(&p, targets, count, e);
    }
    if (rc == 0) {
        rc = content_read(s, a, p.contents, p.count, e);
    }
    for (size_t i = 0; i < p.count && rc == 0; i++) {
        rc = plan_out(&p, &p.outs[i], &p.contents[i], e);
    }
    if (rc == 0 && !p.opt->force) {
        rc = check_unsaved(&p, e);
    }
    if (rc == 0) {
        rc = apply(&p, e);
    }
    if (rc == 0) {
        rc = report(&p, r, e);
    }
    free(p.outs);
    free(p.contents);
    free(p.actions);
    return rc;
}

static void add_count(struct strbuf *out, size_t n, const char *what, size_t *parts, size_t total)
{
    if (n) {
        strbuf_adds(out, !*parts ? "" : *parts + 1 == total ? " and " : ", ");
        strbuf_addf(out, "%zu file%s %s", n, n > 1 ? "s" : "", what);
        ++*parts;
    }
}

void checkout_summary_fetched(struct strbuf *out, size_t fetched, const struct checkout_result *r)
{
    static const struct checkout_result none = {0};
    r = r ? r : &none;
    size_t parts = 0;
    size_t total = (size_t) !!fetched + !!r->modified + !!r->added + !!r->deleted;
    add_count(out, fetched, "fetched", &parts, total);
    add_count(out, r->modified, "modified", &parts, total);
    add_count(out, r->added, "added", &parts, total);
    add_count(out, r->deleted, "deleted", &parts, total);
}

void checkout_summary(struct strbuf *out, const struct checkout_result *r)
{
    checkout_summary_fetched(out, 0, r);
}

/* ---- one path ---- */

struct hash_job {
    struct store *s;
    const struct dirobj *tree;
    const char *abs;
    bool legacy, copy_only;
    struct err *errs;
};

static void link_member(void *ctx, size_t i, int thread)
{
    struct hash_job *j = ctx;
    char path[8192];
    snprintf(path, sizeof(path), "%s/%s", j->abs, j->tree->items[i].relpath);
    if (j->errs[thread].code == ERR_NONE) {
        cas_link_out(j->s->cas, (struct cas_id){j->tree->items[i].md5, j->legacy}, path,
                     &(struct cas_out_options){.copy_only = j->copy_only}, &j->errs[thread]);
    }
}

int checkout_hash(struct store *s, struct arena *a, const char *path, const struct hash *hash,
                  bool copy_only, struct err *e)
{
    const char *abs = repo_abs(s->repo, a, path);
    struct cas_id id = {hash->md5, hash->legacy};
    struct dirobj tree;
    bool is_dir = cas_md5_valid(hash->md5) && hash->md5[32];
    if (!is_dir) {
        if (fs_is_dir(abs) && fs_remove_tree(abs, e) < 0) {
            return -1;
        }
        struct cas_out_options opt = {.isexec = hash->isexec, .copy_only = copy_only};
        int rc = cas_link_out(s->cas, id, abs, &opt, e);
        if (rc == 0 && !copy_only) {
            links_note(s, a, path, hash, NULL);
        }
        return rc;
    }
    if (cas_read_dir(s->cas, a, id, &tree, e) < 0 || fs_remove_tree(abs, e) < 0 ||
        fs_mkdirs(abs, e) < 0) {
        return -1;
    }
    struct hash_job j = {
        s, &tree, abs, hash->legacy, copy_only, xcalloc(MAX_THREADS, sizeof(struct err))};
    store_par_for(s, tree.count, link_member, &j);
    int rc = 0;
    for (size_t i = 0; i < MAX_THREADS && rc == 0; i++) {
        if (j.errs[i].code != ERR_NONE) {
            rc = err_set(e, j.errs[i].code, "%s", j.errs[i].text);
        }
    }
    free(j.errs);
    if (rc == 0 && !copy_only) {
        links_note(s, a, path, hash, NULL);
    }
    return rc;
}
