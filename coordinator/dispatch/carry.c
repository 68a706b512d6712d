/* See carry.h. */
#include "carry.h"

#include "cas.h"
#include "content.h"
#include "err.h"
#include "pipeline.h"
#include "repo.h"
#include "store.h"

#include <string.h>

#define ITEMS_MAX 1000000

/* A relative path that stays below where it begins. */
static bool is_inside(const char *path)
{
    struct str rest = str_from(path), part;
    if (path[0] == '/' || path[0] == '\0') {
        return false;
    }
    while (str_split(&rest, '/', &part)) {
        if (part.n == 0 || str_is(part, ".") || str_is(part, "..") || str_is(part, ".dvc") ||
            str_is(part, ".git")) {
            return false;
        }
    }
    return true;
}

/* ---- the coordinator's side ---- */

/* Into the cache, under the hash it was found to have. */
static int put_content(struct store *s, struct arena *a, const struct content *c, struct err *e)
{
    const char *abs = repo_abs(s->repo, a, c->path);
    if (c->kind == CONTENT_FILE) {
        char md5[33];
        memcpy(md5, c->hash.md5, sizeof md5);
        return cas_put_file(s->cas, abs, md5, NULL, e);
    }
    struct cas_put *puts = ARENA_ARRAY(a, c->tree->count + 1, struct cas_put);
    for (size_t i = 0; i < c->tree->count; i++) {
        const struct dirobj_item *m = &c->tree->items[i];
        puts[i] = (struct cas_put){.path = arena_printf(a, "%s/%s", abs, m->relpath)};
        memcpy(puts[i].md5, m->md5, sizeof puts[i].md5);
    }
    if (cas_put_files(s->cas, NULL, puts, c->tree->count, e) < 0) {
        return -1;
    }
    return cas_put_dir(s->cas, c->tree, e);
}

static int add_dep(struct store *s, struct arena *a, const char *path, struct strbuf *out,
                   struct err *e)
{
    struct content c = {.path = path};
    if (!is_inside(path)) {
        return 0;
    }
    if (content_read(s, a, &c, 1, e) < 0) {
        return -1;
    }
    if (c.kind != CONTENT_FILE && c.kind != CONTENT_DIR) {
        return 0; /* a missing dep is the stage's to complain about */
    }
    if (put_content(s, a, &c, e) < 0) {
        return err_wrap(e, "cannot have '%s' ready for other ranks", path);
    }
    strbuf_addf(out, "%c%s %s", c.hash.isexec ? 'X' : 'D', c.hash.md5, path);
    strbuf_addch(out, '\0');
    return 0;
}

int carry_make(struct store *s, struct arena *a, const struct stage *st, struct str *bytes,
               struct err *e)
{
    struct strbuf b;
    int rc = 0;
    strbuf_init(&b);
    strbuf_addf(&b, "R%s", s->repo->root);
    strbuf_addch(&b, '\0');
    for (size_t i = 0; i < st->dep_count && rc == 0; i++) {
        rc = st->deps[i].is_url ? 0 : add_dep(s, a, st->deps[i].path, &b, e);
    }
    for (size_t i = 0; i < st->param_count && rc == 0; i++) {
        rc = add_dep(s, a, st->params[i].path, &b, e);
    }
    for (size_t i = 0; i < st->out_count && rc == 0; i++) {
        const struct out *o = &st->outs[i];
        rc = o->persist && !o->is_url ? add_dep(s, a, o->path, &b, e) : 0;
        if (is_inside(o->path) && !o->is_url) {
            strbuf_addf(&b, "%c%s", o->persist ? 'K' : 'O', o->path);
            strbuf_addch(&b, '\0');
        }
    }
    *bytes = (struct str){arena_strndup(a, b.p, b.n), b.n};
    strbuf_release(&b);
    return rc;
}

/* ---- reading ---- */

static int malformed(struct err *e, const char *what)
{
    return err_set(e, ERR_FORMAT, "malformed list of files of a job: %s", what);
}

/* "<md5> <path>" or "<path>" */
static int parse_file(struct carry_file *f, const char *text, bool with_md5, struct arena *a,
                      struct err *e)
{
    const char *blank = strchr(text, ' ');
    if (with_md5) {
        if (blank == NULL) {
            return malformed(e, "an entry without a path");
        }
        f->md5 = arena_strndup(a, text, (size_t)(blank - text));
        text = blank + 1;
        if (!cas_md5_valid(f->md5)) {
            return malformed(e, "an md5 is none");
        }
    }
    f->path = arena_strdup(a, text);
    return is_inside(f->path) ? 0 : malformed(e, "a path leads out of the repository");
}

static int parse_field(struct carry *c, const char *field, struct arena *a, struct err *e)
{
    struct carry_file *f;
    switch (field[0]) {
    case 'R':
        c->root = arena_strdup(a, field + 1);
        return 0;
    case 'D':
    case 'X':
        f = &c->deps[c->dep_count++];
        f->isexec = field[0] == 'X';
        return parse_file(f, field + 1, true, a, e);
    case 'O':
    case 'K':
        f = &c->outs[c->out_count++];
        f->keep = field[0] == 'K';
        return parse_file(f, field + 1, false, a, e);
    default:
        return malformed(e, "an entry of an unknown kind");
    }
}

int carry_parse(struct arena *a, struct str bytes, struct carry *c, struct err *e)
{
    size_t count = 0;
    *c = (struct carry){0};
    for (size_t i = 0; i < bytes.n; i++) {
        count += bytes.p[i] == '\0';
    }
    if (bytes.n == 0 || bytes.p[bytes.n - 1] != '\0' || count > ITEMS_MAX) {
        return malformed(e, "not ended, or too long");
    }
    c->deps = ARENA_ARRAY(a, count, struct carry_file);
    c->outs = ARENA_ARRAY(a, count, struct carry_file);
    memset(c->deps, 0, count * sizeof *c->deps);
    memset(c->outs, 0, count * sizeof *c->outs);
    for (const char *p = bytes.p; p < bytes.p + bytes.n; p += strlen(p) + 1) {
        if (parse_field(c, p, a, e) < 0) {
            return -1;
        }
    }
    return c->root != NULL && c->root[0] == '/' ? 0 : malformed(e, "no root");
}

/* ---- the rank's side ---- */

int carry_store_outs(struct store *s, struct arena *a, struct carry *c, struct err *e)
{
    for (size_t i = 0; i < c->out_count; i++) {
        struct content found = {.path = c->outs[i].path};
        if (content_read(s, a, &found, 1, e) < 0) {
            return -1;
        }
        c->outs[i].md5 = NULL;
        if (found.kind != CONTENT_FILE && found.kind != CONTENT_DIR) {
            continue;
        }
        if (put_content(s, a, &found, e) < 0) {
            return err_wrap(e, "cannot store '%s'", c->outs[i].path);
        }
        c->outs[i].md5 = found.hash.md5;
        c->outs[i].isexec = found.hash.isexec;
    }
    return 0;
}
