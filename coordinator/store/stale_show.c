/* stale_show: how stale reports are shown. See stale_show.h. */
#include "stale_show.h"

#include "cas.h"
#include "dirobj.h"
#include "store.h"

#include <inttypes.h>
#include <string.h>

#define WORD_WIDTH 20

/* ---- as a document: the text is made from it too, so that the two cannot differ ---- */

static struct value *section(struct arena *a, const struct stale_report *r, bool outs)
{
    struct value *map = value_map(a);
    for (size_t i = 0; i < r->change_count; i++) {
        const struct stale_change *c = &r->changes[i];
        if ((c->where == STALE_OUT) != outs) {
            continue;
        }
        struct value *word = value_cstr(a, stale_word_name(c->word));
        if (c->where != STALE_PARAM) {
            value_set(a, map, c->shown, word);
            continue;
        }
        struct value *keys = value_get(map, c->shown);
        if (!keys || keys->type != VALUE_MAP) {
            keys = value_map(a);
            value_set(a, map, c->shown, keys);
        }
        value_set(a, keys, c->key, word);
    }
    return map;
}

static void push_section(struct arena *a, struct value *list, const char *title, struct value *map)
{
    if (map->map.count) {
        struct value *one = value_map(a);
        value_set(a, one, title, map);
        value_push(a, list, one);
    }
}

struct value *stale_json(struct arena *a, const struct stale_report *reports, size_t count)
{
    struct value *all = value_map(a);
    for (size_t i = 0; i < count; i++) {
        const struct stale_report *r = &reports[i];
        struct value *list = value_list(a);
        push_section(a, list, "changed deps", section(a, r, false));
        push_section(a, list, "changed outs", section(a, r, true));
        if (r->always_changed) {
            value_push(a, list, value_cstr(a, "always changed"));
        }
        if (r->changed_command) {
            value_push(a, list, value_cstr(a, "changed command"));
        }
        if (r->changed_checksum) {
            value_push(a, list, value_cstr(a, "changed checksum"));
        }
        if (list->list.count) {
            value_set(a, all, r->stage->addr, list);
        }
    }
    return all;
}

static void show(struct strbuf *out, const struct value *v, size_t indent)
{
    if (v->type == VALUE_LIST) {
        for (size_t i = 0; i < v->list.count; i++) {
            show(out, v->list.items[i], indent);
        }
    } else if (v->type == VALUE_STR) {
        strbuf_pad(out, '\t', indent);
        strbuf_addstr(out, v->s);
        strbuf_addch(out, '\n');
    } else if (v->type == VALUE_MAP) {
        for (size_t i = 0; i < v->map.count; i++) {
            struct str key = value_as_str(v->map.pairs[i].key);
            const struct value *val = v->map.pairs[i].val;
            strbuf_pad(out, '\t', indent);
            if (val->type == VALUE_STR) {
                strbuf_addf(out, "%.*s:", STR_ARG(val->s));
                strbuf_pad(out, ' ', val->s.n + 1 < WORD_WIDTH ? WORD_WIDTH - val->s.n - 1 : 1);
                strbuf_addf(out, "%.*s\n", STR_ARG(key));
            } else {
                strbuf_addf(out, "%.*s:\n", STR_ARG(key));
                show(out, val, indent + 1);
            }
        }
    }
}

void stale_text(struct strbuf *out, const struct stale_report *reports, size_t count)
{
    struct arena a;
    arena_init(&a);
    show(out, stale_json(&a, reports, count), 0);
    arena_release(&a);
}

/* ---- explain ---- */

static void put_hash(struct strbuf *out, const struct hash *h)
{
    const char *name = h->etag ? h->etag : h->md5;
    if (!name) {
        strbuf_adds(out, "unknown");
        return;
    }
    strbuf_addf(out, "%.12s…", name + (name[0] == '"'));
    if (h->nfiles >= 0) {
        strbuf_addf(out, ", %" PRId64 " file%s", h->nfiles, h->nfiles == 1 ? "" : "s");
    }
    if (h->size >= 0) {
        strbuf_addf(out, ", %" PRId64 " byte%s", h->size, h->size == 1 ? "" : "s");
    }
}

static void explain_data(struct strbuf *out, const struct stale_change *c, const char *what)
{
    strbuf_addf(out, "its %s %s ", what, c->shown);
    switch (c->word) {
    case STALE_DELETED:
        strbuf_adds(out, "is missing");
        break;
    case STALE_NOT_IN_CACHE:
        strbuf_addf(out, "is locked as %.12s…, which the cache does not hold", c->was_hash.md5);
        break;
    default:
        if (c->never_locked) {
            strbuf_adds(out, "is not in the lock file yet");
            return;
        }
        strbuf_adds(out, "changed (was ");
        put_hash(out, &c->was_hash);
        strbuf_adds(out, "; now ");
        put_hash(out, &c->now_hash);
        strbuf_addch(out, ')');
    }
}

static void explain_param(struct strbuf *out, const struct stale_change *c)
{
    strbuf_addf(out, "its parameter %s in %s ", c->key, c->shown);
    if (!c->now) {
        strbuf_addf(out, "is missing");
    } else if (!c->was) {
        strbuf_adds(out, "is new, with the value ");
        value_repr(out, c->now);
    } else {
        strbuf_adds(out, "changed from ");
        value_repr(out, c->was);
        strbuf_adds(out, " to ");
        value_repr(out, c->now);
    }
}

/* ---- explain: the members of a folder ---- */

#define MEMBERS_SHOWN 20

struct member_diff {
    bool known; /* false: no folder, or the cache does not hold the list that was recorded */
    size_t added, deleted, modified;
    struct member {
        const char *path;
        const char *word;
    } first[MEMBERS_SHOWN];
    size_t first_count;
};

static void note_member(struct member_diff *d, size_t *count, const char *path, const char *word)
{
    (*count)++;
    if (d->first_count < MEMBERS_SHOWN) {
        d->first[d->first_count++] = (struct member){path, word};
    }
}

/* Both lists are sorted by the same rule, so one walk along both finds what only one has. */
static void compare_members(struct member_diff *d, const struct dirobj *was,
                            const struct dirobj *now)
{
    size_t i = 0, k = 0;
    while (i < was->count || k < now->count) {
        int order = i == was->count   ? 1
                    : k == now->count ? -1
                                      : strcmp(was->items[i].relpath, now->items[k].relpath);
        if (order < 0) {
            note_member(d, &d->deleted, was->items[i++].relpath, "deleted");
        } else if (order > 0) {
            note_member(d, &d->added, now->items[k++].relpath, "added");
        } else if (strcmp(was->items[i++].md5, now->items[k++].md5) != 0) {
            note_member(d, &d->modified, now->items[k - 1].relpath, "modified");
        }
    }
}

static struct member_diff diff_members(struct store *s, struct arena *a,
                                       const struct stale_report *r, const struct stale_change *c)
{
    struct member_diff d = {0};
    const struct content *now = c->where == STALE_DEP   ? &r->deps[c->index]
                                : c->where == STALE_OUT ? &r->outs[c->index]
                                                        : NULL;
    if (!now || !now->tree || !c->was_hash.md5 || c->word != STALE_MODIFIED) {
        return d;
    }
    struct dirobj was;
    struct cas_id id = {c->was_hash.md5, c->was_hash.legacy};
    bool was_folder = cas_md5_valid(id.md5) && id.md5[32] != '\0';
    if (was_folder && cas_read_dir(s->cas, a, id, &was, NULL) == 0) {
        compare_members(&d, &was, now->tree);
        d.known = true;
    }
    return d;
}

static void put_members(struct strbuf *out, const struct member_diff *d)
{
    for (size_t i = 0; i < d->first_count; i++) {
        strbuf_addf(out, "        %-9s %s\n", d->first[i].word, d->first[i].path);
    }
    size_t all = d->added + d->deleted + d->modified;
    if (all > d->first_count) {
        strbuf_addf(out, "        … and %zu more: %zu added, %zu deleted, %zu modified in all\n",
                    all - d->first_count, d->added, d->deleted, d->modified);
    }
}

static struct value *members_json(struct arena *a, const struct member_diff *d)
{
    struct value *map = value_map(a), *first = value_list(a);
    for (size_t i = 0; i < d->first_count; i++) {
        struct value *one = value_map(a);
        value_set(a, one, "path", value_cstr(a, d->first[i].path));
        value_set(a, one, "change", value_cstr(a, d->first[i].word));
        value_push(a, first, one);
    }
    value_set(a, map, "added", value_int(a, (int64_t)d->added));
    value_set(a, map, "deleted", value_int(a, (int64_t)d->deleted));
    value_set(a, map, "modified", value_int(a, (int64_t)d->modified));
    value_set(a, map, "first", first);
    return map;
}

/* ---- explain: the text ---- */

static void explain_change(struct strbuf *out, const struct stale_change *c, bool is_source)
{
    switch (c->where) {
    case STALE_DEP:
        explain_data(out, c, "dependency");
        break;
    case STALE_OUT:
        explain_data(out, c, is_source ? "data" : "output");
        break;
    case STALE_PARAM:
        explain_param(out, c);
        break;
    case STALE_PARAMS_FILE:
        strbuf_addf(out, "its parameters file %s %s", c->shown,
                    c->word == STALE_DELETED ? "is missing" : "is not in the lock file yet");
        break;
    }
}

static void put_commands(struct strbuf *out, const struct stage *st)
{
    for (size_t i = 0; i < st->cmd_count; i++) {
        strbuf_addf(out, "%s%s", i ? "; " : "", st->cmds[i]);
    }
}

static void explain_command(struct strbuf *out, const struct stale_report *r)
{
    strbuf_adds(out, "    its command changed from '");
    const struct value *was = r->entry->cmd;
    if (was->type == VALUE_STR) {
        strbuf_addstr(out, was->s);
    }
    for (size_t i = 0; was->type == VALUE_LIST && i < was->list.count; i++) {
        strbuf_addf(out, "%s%.*s", i ? "; " : "", STR_ARG(value_as_str(was->list.items[i])));
    }
    strbuf_adds(out, "' to '");
    put_commands(out, r->stage);
    strbuf_adds(out, "'\n");
}

static void explain_changes(struct store *s, struct strbuf *out, const struct stale_report *r)
{
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < r->change_count; i++) {
        strbuf_adds(out, "    ");
        explain_change(out, &r->changes[i], !r->stage->name);
        strbuf_addch(out, '\n');
        struct member_diff d = diff_members(s, &a, r, &r->changes[i]);
        put_members(out, &d);
    }
    arena_release(&a);
}

void stale_explain(struct store *s, struct strbuf *out, const struct stale_report *r)
{
    enum stale_reason reason = stale_decide(s, r, NULL);
    const char *verb = r->stage->name && !r->frozen ? "run" : "be committed anew";
    if (reason == STALE_BY_FRESH && !r->change_count) {
        strbuf_addf(out, "%s is up to date%s\n", r->stage->addr,
                    r->frozen ? " (frozen: its dependencies are not looked at)" : "");
        return;
    }
    strbuf_addf(out, "%s will %s%s:\n", r->stage->addr, reason == STALE_BY_FRESH ? "not " : "",
                verb);
    if (r->stage->name && !r->entry) {
        strbuf_adds(out, "    it never ran: the lock file has no entry for it\n");
    }
    if (r->changed_command) {
        explain_command(out, r);
    }
    if (r->changed_checksum) {
        strbuf_adds(out, "    its description changed (md5 of the file's own fields)\n");
    }
    if (r->always_changed) {
        strbuf_adds(out, r->stage->always_changed
                             ? "    it is marked always_changed\n"
                             : "    it has neither dependencies nor outputs: it always runs\n");
    }
    explain_changes(s, out, r);
}

/* ---- explain: the document ---- */

static struct value *hash_json(struct arena *a, const struct hash *h)
{
    if (!h->md5 && !h->etag) {
        return value_null(a);
    }
    struct value *map = value_map(a);
    value_set(a, map, h->etag ? "etag" : "md5", value_cstr(a, h->etag ? h->etag : h->md5));
    if (h->size >= 0) {
        value_set(a, map, "size", value_int(a, h->size));
    }
    if (h->nfiles >= 0) {
        value_set(a, map, "nfiles", value_int(a, h->nfiles));
    }
    return map;
}

static struct value *new_reason(struct arena *a, struct value *list, const char *kind)
{
    struct value *map = value_map(a);
    value_set(a, map, "kind", value_cstr(a, kind));
    value_push(a, list, map);
    return map;
}

static void push_change(struct store *s, struct arena *a, struct value *list,
                        const struct stale_report *r, const struct stale_change *c)
{
    static const char *const kinds[] = {"dep", "param", "params file", "out"};
    struct value *map = new_reason(a, list, kinds[c->where]);
    value_set(a, map, "path", value_cstr(a, c->shown));
    if (c->key) {
        value_set(a, map, "param", value_cstr(a, c->key));
    }
    value_set(a, map, "change", value_cstr(a, stale_word_name(c->word)));
    if (c->where == STALE_PARAM) {
        value_set(a, map, "recorded", c->was ? (struct value *)c->was : value_null(a));
        value_set(a, map, "found", c->now ? (struct value *)c->now : value_null(a));
        return;
    }
    value_set(a, map, "recorded", hash_json(a, &c->was_hash));
    value_set(a, map, "found", hash_json(a, &c->now_hash));
    struct member_diff d = diff_members(s, a, r, c);
    if (d.known) {
        value_set(a, map, "members", members_json(a, &d));
    }
}

static void push_command(struct arena *a, struct value *list, const struct stale_report *r)
{
    struct value *map = new_reason(a, list, "command"), *cmds = value_list(a);
    for (size_t i = 0; i < r->stage->cmd_count; i++) {
        value_push(a, cmds, value_cstr(a, r->stage->cmds[i]));
    }
    value_set(a, map, "recorded", (struct value *)r->entry->cmd);
    bool single = r->stage->cmd_count == 1 && r->entry->cmd->type == VALUE_STR;
    value_set(a, map, "found", single ? cmds->list.items[0] : cmds);
}

struct value *stale_explain_json(struct store *s, struct arena *a, const struct stale_report *r)
{
    enum stale_reason reason = stale_decide(s, r, NULL);
    struct value *map = value_map(a), *reasons = value_list(a);
    if (r->stage->name && !r->entry) {
        new_reason(a, reasons, "never ran");
    }
    if (r->changed_command) {
        push_command(a, reasons, r);
    }
    if (r->changed_checksum) {
        new_reason(a, reasons, "checksum");
    }
    if (r->always_changed) {
        new_reason(a, reasons, "always changed");
    }
    for (size_t i = 0; i < r->change_count; i++) {
        push_change(s, a, reasons, r, &r->changes[i]);
    }
    value_set(a, map, "stage", value_cstr(a, r->stage->addr));
    value_set(a, map, "stale", value_bool(a, reason != STALE_BY_FRESH));
    value_set(a, map, "reason", value_cstr(a, stale_reason_name(reason)));
    value_set(a, map, "frozen", value_bool(a, r->frozen));
    value_set(a, map, "reasons", reasons);
    return map;
}
