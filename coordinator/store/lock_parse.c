/*
 * lock_parse: reading dvc.lock.
 *
 * Ten thousand stages are some four megabytes; a YAML reader needs a good part of a second for
 * that, so the form that DVC and we write is read directly: lines at fixed indents. The direct
 * parser believes nothing that it does not know for certain: a scalar counts when the emitter would
 * write exactly the text that stands there. Whatever else a stage's entry holds (nested parameters,
 * double quotes, comments), this one entry goes through the YAML reader; a file that is not cut
 * into entries like DVC's goes through it as a whole. tests/unit/store/lock_test.c holds both ways
 * against each other.
 */
#include "lock_private.h"

#include "alloc.h"
#include "emit.h"
#include "err.h"
#include "report.h"
#include "yaml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_LOCK_BYTES ((size_t)256 << 20)
#define MAX_LOCK_NODES 50000000

/* ---- from values ---- */

static int schema_error(struct err *e, const char *what, const char *where, const struct value *at)
{
    if (at && at->line) {
        return err_set(e, ERR_FORMAT, "%s, in %s, line %u, column %u", what, where, at->line,
                       at->column);
    }
    return err_set(e, ERR_FORMAT, "%s, in %s", what, where);
}

/* A hash in the file: text, or digits that a reader took for a number. ETags keep their capitals. */
static const char *hash_text(struct arena *a, const struct value *v, bool lower)
{
    struct strbuf b;
    strbuf_init(&b);
    value_text(&b, v);
    for (size_t i = 0; lower && i < b.n; i++) {
        if (b.p[i] >= 'A' && b.p[i] <= 'F') {
            b.p[i] = (char)(b.p[i] - 'A' + 'a');
        }
    }
    char *text = b.n ? arena_strndup(a, b.p, b.n) : NULL;
    strbuf_release(&b);
    return text;
}

struct item_field {
    const char *name;
    enum value_type type; /* VALUE_NULL: any */
    const char *expected;
};

static const struct item_field item_fields[] = {
    {"path", VALUE_STR, "expected str"},
    {"hash", VALUE_STR, "expected str"},
    {"md5", VALUE_NULL, NULL},
    {"size", VALUE_INT, "expected int"},
    {"nfiles", VALUE_INT, "expected int"},
    {"isexec", VALUE_BOOL, "expected bool"},
    {"etag", VALUE_NULL, NULL},
    {"checksum", VALUE_NULL, NULL},
    {"version_id", VALUE_STR, "expected str"},
    {"cloud", VALUE_MAP, "expected a dictionary"},
    {"files", VALUE_LIST, "expected a list"},
    {"dataset", VALUE_NULL, NULL},
};

static const struct item_field *find_field(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(item_fields); i++) {
        if (str_is(name, item_fields[i].name)) {
            return &item_fields[i];
        }
    }
    return NULL;
}

static void set_field(struct arena *a, struct lock_item *item, const struct value_pair *p)
{
    struct str name = value_as_str(p->key);
    const struct value *v = p->val;
    if (str_is(name, "path")) {
        item->path = v->s.p;
    } else if (str_is(name, "hash")) {
        item->hash.legacy = false;
    } else if (str_is(name, "md5")) {
        item->hash.md5 = v->type == VALUE_NULL ? NULL : hash_text(a, v, true);
    } else if (str_is(name, "size")) {
        item->hash.size = v->i;
    } else if (str_is(name, "nfiles")) {
        item->hash.nfiles = v->i;
    } else if (str_is(name, "isexec")) {
        item->hash.isexec = v->b;
    } else if (!item->hash.etag && (str_is(name, "etag") || str_is(name, "checksum"))) {
        item->hash.is_checksum = str_is(name, "checksum");
        item->hash.etag = v->type == VALUE_NULL ? NULL : hash_text(a, v, false);
    } else {
        if (!item->extra) {
            item->extra = value_map(a);
        }
        value_append(a, (struct value *)item->extra, p->key, p->val);
    }
}

static int read_item(struct arena *a, const struct value *v, const char *where,
                     struct lock_item *item, struct err *e)
{
    if (v->type != VALUE_MAP) {
        return schema_error(e, "expected a dictionary", where, v);
    }
    item->hash = (struct hash){.size = -1, .nfiles = -1, .legacy = true};
    for (size_t i = 0; i < v->map.count; i++) {
        const struct value_pair *p = &v->map.pairs[i];
        const struct item_field *f = find_field(value_as_str(p->key));
        struct strbuf at;
        strbuf_init(&at);
        strbuf_addf(&at, "%s -> ", where);
        value_text(&at, p->key);
        int rc = 0;
        if (!f) {
            rc = schema_error(e, "extra keys not allowed", at.p, p->key);
        } else if (f->type != VALUE_NULL && p->val->type != f->type) {
            rc = schema_error(e, f->expected, at.p, p->val);
        }
        strbuf_release(&at);
        if (rc < 0) {
            return -1;
        }
        set_field(a, item, p);
    }
    if (!item->path) {
        char *at = arena_printf(a, "%s -> path", where);
        return schema_error(e, "required key not provided", at, v);
    }
    return 0;
}

static int read_items(struct arena *a, const struct value *list, const char *where,
                      struct lock_item **items, size_t *count, struct err *e)
{
    if (list->type != VALUE_LIST) {
        return schema_error(e, "expected a list", where, list);
    }
    *items = ARENA_ARRAY(a, list->list.count, struct lock_item);
    *count = list->list.count;
    for (size_t i = 0; i < list->list.count; i++) {
        char *at = arena_printf(a, "%s -> %zu", where, i);
        if (read_item(a, list->list.items[i], at, &(*items)[i], e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_params(struct arena *a, const struct value *v, const char *where, struct err *e)
{
    if (v->type != VALUE_MAP) {
        return schema_error(e, "expected a dictionary", where, v);
    }
    for (size_t i = 0; i < v->map.count; i++) {
        if (v->map.pairs[i].val->type != VALUE_MAP) {
            struct strbuf name;
            strbuf_init(&name);
            value_text(&name, v->map.pairs[i].key);
            char *at = arena_printf(a, "%s -> %s", where, name.p);
            strbuf_release(&name);
            return schema_error(e, "expected a dictionary", at, v->map.pairs[i].val);
        }
    }
    return 0;
}

static int read_field(struct arena *a, struct lock_entry *en, const struct value_pair *p,
                      const char *where, struct err *e)
{
    struct str key = value_as_str(p->key);
    char *at = arena_printf(a, "%s -> %.*s", where, STR_ARG(key));
    if (str_is(key, "cmd")) {
        en->cmd = p->val;
        if (p->val->type != VALUE_STR && p->val->type != VALUE_LIST) {
            return schema_error(e, "expected str", at, p->val);
        }
        return 0;
    }
    if (str_is(key, "deps")) {
        return read_items(a, p->val, at, &en->deps, &en->dep_count, e);
    }
    if (str_is(key, "outs")) {
        return read_items(a, p->val, at, &en->outs, &en->out_count, e);
    }
    if (str_is(key, "params")) {
        en->params = p->val;
        return read_params(a, p->val, at, e);
    }
    return schema_error(e, "extra keys not allowed", at, p->key);
}

static int read_entry(struct arena *a, const struct value *v, const char *where,
                      struct lock_entry *en, struct err *e)
{
    if (v->type != VALUE_MAP) {
        return schema_error(e, "expected a dictionary", where, v);
    }
    for (size_t i = 0; i < v->map.count; i++) {
        if (read_field(a, en, &v->map.pairs[i], where, e) < 0) {
            return -1;
        }
    }
    if (!en->cmd) {
        char *at = arena_printf(a, "%s -> cmd", where);
        return schema_error(e, "required key not provided", at, v);
    }
    return 0;
}

struct lock_entry *lock_entry_from_value(struct arena *a, const char *name, const struct value *v,
                                         const char *where, struct err *e)
{
    struct lock_entry *en = ARENA_NEW(a, struct lock_entry);
    en->name = arena_strdup(a, name);
    return read_entry(a, v, where, en, e) < 0 ? NULL : en;
}

/* ---- through the YAML reader ---- */

/* Anchors of shared nodes stand at the start of a value; a false alarm costs a rendering. */
static bool text_has_anchor(struct str text)
{
    return memmem(text.p, text.n, "&id", 3) != NULL;
}

static int add_from_value(struct lock *l, const struct value *key, struct value *v, struct err *e)
{
    struct strbuf name;
    strbuf_init(&name);
    value_text(&name, key);
    struct lock_slot *slot = lock_slot_add(l, name.p);
    strbuf_release(&name);
    if (!slot) {
        return schema_error(e, "found duplicate key", "stages", key);
    }
    char *where = arena_printf(&l->arena, "stages -> %s", slot->entry->name);
    if (read_entry(&l->arena, v, where, slot->entry, e) < 0) {
        return -1;
    }
    struct value *doc = value_map(&l->arena);
    value_append(&l->arena, doc, value_cstr(&l->arena, slot->entry->name), v);
    struct strbuf text;
    strbuf_init(&text);
    emit_yaml(&text, doc, &(struct emit_options){.indent = 2});
    slot->text = arena_str(&l->arena, strbuf_str(&text));
    strbuf_release(&text);
    slot->has_anchor = text_has_anchor(slot->text);
    slot->doc = doc;
    return 0;
}

static int read_stages(struct lock *l, const struct value *stages, struct err *e)
{
    if (stages->type != VALUE_MAP) {
        return schema_error(e, "expected a dictionary", "stages", stages);
    }
    for (size_t i = 0; i < stages->map.count; i++) {
        if (add_from_value(l, stages->map.pairs[i].key, stages->map.pairs[i].val, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_top(struct lock *l, struct value *doc, struct err *e)
{
    if (doc->type != VALUE_MAP) {
        return err_set(e, ERR_FORMAT, "expected a dictionary");
    }
    struct value *schema = value_get(doc, "schema");
    if (!schema) {
        return schema_error(e, "required key not provided", "schema", NULL);
    }
    if (!str_is(value_as_str(schema), "2.0")) {
        return schema_error(e, "invalid schema version", "schema", schema);
    }
    l->top = value_map(&l->arena);
    for (size_t i = 0; i < doc->map.count; i++) {
        struct value_pair *p = &doc->map.pairs[i];
        struct str key = value_as_str(p->key);
        if (str_is(key, "stages")) {
            if (read_stages(l, p->val, e) < 0) {
                return -1;
            }
            value_append(&l->arena, l->top, p->key, value_null(&l->arena));
        } else if (str_is(key, "schema") || str_is(key, "datasets")) {
            value_append(&l->arena, l->top, p->key, p->val);
        } else {
            return schema_error(e, "extra keys not allowed", key.p ? key.p : "lock", p->key);
        }
    }
    return 0;
}

/* "'./dvc.lock' is invalid." and why. */
static int refuse_form(const struct lock *l, const char *what, const struct err *why, struct err *e)
{
    const char *dot = l->shown[0] == '/' || !strncmp(l->shown, "..", 2) ? "" : "./";
    err_set(e, why->code, "'%s%s' %s.\n\n%s", dot, l->shown, what, why->text);
    if (e) {
        e->detail = REPORT_PLAIN;
    }
    return -1;
}

int lock_parse_yaml(struct lock *l, struct str text, struct err *e)
{
    struct yaml_options opt = {
        .name = l->shown, .max_bytes = MAX_LOCK_BYTES, .max_nodes = MAX_LOCK_NODES};
    struct err inner = ERR_INIT;
    struct value *doc = yaml_parse(&l->arena, text, &opt, &inner);
    if (!doc) {
        return refuse_form(l, "is invalid", &inner, e);
    }
    if (doc->type == VALUE_NULL) {
        return 0; /* nothing but comments */
    }
    if (read_top(l, doc, &inner) < 0) {
        return refuse_form(l, "validation failed", &inner, e);
    }
    l->exists = true;
    return 0;
}

/* ---- the direct parser ---- */

struct cursor {
    const char *p, *end;
    struct arena *a;
    struct strbuf scratch;
};

static struct str line_at(const struct cursor *c)
{
    size_t rest = c->p < c->end ? (size_t)(c->end - c->p) : 0;
    const char *nl = rest ? memchr(c->p, '\n', rest) : NULL;
    return (struct str){c->p, nl ? (size_t)(nl - c->p) : rest};
}

static void next_line(struct cursor *c, struct str line)
{
    c->p = line.p + line.n;
    if (c->p < c->end) {
        c->p++;
    }
}

static size_t indent_of(struct str line)
{
    size_t i = 0;
    while (i < line.n && line.p[i] == ' ') {
        i++;
    }
    return i;
}

/* Words that are plain whatever surrounds them: no indicator, nothing that reads as another type.
 */
static bool is_tame(struct str s)
{
    if (!s.n || s.n > 60) {
        return false;
    }
    unsigned char c = (unsigned char)s.p[0] | 0x20;
    if (c < 'a' || c > 'z') {
        return false;
    }
    if ((s.n == 4 && (!strncasecmp(s.p, "null", 4) || !strncasecmp(s.p, "true", 4))) ||
        (s.n == 5 && !strncasecmp(s.p, "false", 5))) {
        return false;
    }
    for (size_t i = 1; i < s.n; i++) {
        c = (unsigned char)s.p[i];
        bool word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!word && c != '_' && c != '.' && c != '/' && c != '-' && c != '@') {
            return false;
        }
    }
    return true;
}

/* 'it''s' -> it's. */
static bool unquote(struct str s, struct strbuf *out)
{
    if (s.n < 2 || s.p[0] != '\'' || s.p[s.n - 1] != '\'') {
        return false;
    }
    for (size_t i = 1; i + 1 < s.n; i++) {
        if (s.p[i] == '\'') {
            if (i + 2 >= s.n || s.p[i + 1] != '\'') {
                return false;
            }
            i++;
        }
        strbuf_addch(out, s.p[i]);
    }
    return true;
}

/*
 * The text of a string that starts at `column` of the current line (`head`: what stands there) and
 * may go on in lines at exactly `indent`. Moves the cursor behind it. NULL when the emitter would
 * not write it so.
 */
static struct value *read_string(struct cursor *c, struct str line, size_t column, size_t indent)
{
    struct str head = str_sub(line, column, line.n - column);
    next_line(c, line);
    struct str more = line_at(c);
    bool folded = c->p < c->end && indent_of(more) >= indent;
    if (!folded && is_tame(head)) {
        return value_str(c->a, head);
    }
    if (!head.n || head.p[0] == '"') {
        return NULL;
    }
    const char *from = head.p;
    strbuf_reset(&c->scratch);
    struct strbuf joined;
    strbuf_init(&joined);
    strbuf_addstr(&joined, head);
    while (c->p < c->end && indent_of(more) >= indent) {
        struct str rest = str_sub(more, indent, more.n - indent);
        if (joined.p[joined.n - 1] != ' ') {
            strbuf_addch(&joined, ' ');
        }
        strbuf_addstr(&joined, rest);
        head = more;
        next_line(c, more);
        more = line_at(c);
    }
    struct str written = {from, (size_t)(head.p + head.n - from)};
    struct value *v = NULL;
    if (joined.p[0] != '\'') {
        v = value_str(c->a, strbuf_str(&joined));
    } else if (unquote(strbuf_str(&joined), &c->scratch)) {
        v = value_str(c->a, strbuf_str(&c->scratch));
    }
    strbuf_release(&joined);
    if (v) {
        strbuf_reset(&c->scratch);
        emit_scalar(&c->scratch, v, (unsigned)column, (unsigned)indent);
    }
    return v && str_eq(strbuf_str(&c->scratch), written) ? v : NULL;
}

static bool read_cmd(struct cursor *c, struct lock_entry *en)
{
    struct str line = line_at(c);
    if (str_starts(line, "    cmd: ")) {
        en->cmd = read_string(c, line, 9, 6);
        return en->cmd != NULL;
    }
    if (!str_is(line, "    cmd:")) {
        return false;
    }
    next_line(c, line);
    struct value *list = value_list(c->a);
    for (line = line_at(c); c->p < c->end && str_starts(line, "    - "); line = line_at(c)) {
        struct value *item = read_string(c, line, 6, 6);
        if (!item) {
            return false;
        }
        value_push(c->a, list, item);
    }
    en->cmd = list;
    return list->list.count > 0;
}

static bool read_count(struct str line, const char *key, int64_t *out)
{
    size_t k = strlen(key);
    if (!str_starts(line, key) || line.n == k || line.n > k + 18) {
        return false;
    }
    int64_t n = 0;
    for (size_t i = k; i < line.n; i++) {
        if (line.p[i] < '0' || line.p[i] > '9') {
            return false;
        }
        n = n * 10 + (line.p[i] - '0');
    }
    *out = n;
    return line.n == k + 1 || line.p[k] != '0';
}

/* 32 hex digits that no reader takes for a number, "….dir" allowed. */
static bool read_md5(struct cursor *c, struct str line, const char **md5)
{
    struct str v = str_sub(line, 11, line.n - 11);
    bool letter = v.n == 36;
    if (v.n != 32 && !(letter && str_ends(v, ".dir"))) {
        return false;
    }
    for (size_t i = 0; i < 32; i++) {
        char d = v.p[i];
        if (!((d >= '0' && d <= '9') || (d >= 'a' && d <= 'f'))) {
            return false;
        }
        letter = letter || (d >= 'a' && d != 'e');
    }
    *md5 = letter ? arena_strndup(c->a, v.p, v.n) : NULL;
    return letter;
}

/* The fields below "- path:", each at most once, in DVC's order. */
static bool read_item_fields(struct cursor *c, struct lock_item *item)
{
    item->hash = (struct hash){.size = -1, .nfiles = -1, .legacy = true};
    int step = 0;
    for (struct str line = line_at(c); c->p < c->end && str_starts(line, "      ");
         line = line_at(c)) {
        int at;
        if (str_is(line, "      hash: md5")) {
            at = 1;
            item->hash.legacy = false;
        } else if (str_starts(line, "      md5: ")) {
            at = 2;
            if (!read_md5(c, line, &item->hash.md5)) {
                return false;
            }
        } else if (read_count(line, "      size: ", &item->hash.size)) {
            at = 3;
        } else if (read_count(line, "      nfiles: ", &item->hash.nfiles)) {
            at = 4;
        } else if (str_is(line, "      isexec: true")) {
            at = 5;
            item->hash.isexec = true;
        } else {
            return false;
        }
        if (at <= step) {
            return false;
        }
        step = at;
        next_line(c, line);
    }
    return true;
}

static bool read_item_list(struct cursor *c, struct lock_item **items, size_t *count)
{
    size_t n = 0;
    for (const char *p = c->p; p < c->end && !strncmp(p, "    ", 4);) {
        n += !strncmp(p, "    - ", 6);
        p = memchr(p, '\n', (size_t)(c->end - p));
        if (!p) {
            break;
        }
        p++;
    }
    *items = ARENA_ARRAY(c->a, n, struct lock_item);
    *count = 0;
    for (struct str line = line_at(c); c->p < c->end && str_starts(line, "    - ");
         line = line_at(c)) {
        if (!str_starts(line, "    - path: ") || *count == n) {
            return false;
        }
        struct lock_item *item = &(*items)[(*count)++];
        /* a folded path goes on at 8; the fields stand at 6 */
        const struct value *path = read_string(c, line, 12, 8);
        if (!path || !read_item_fields(c, item)) {
            return false;
        }
        item->path = path->s.p;
    }
    return *count > 0;
}

/* A scalar on one line that is what the emitter would write. NULL otherwise. */
static struct value *read_plain(struct cursor *c, struct str text)
{
    if (is_tame(text)) {
        return value_str(c->a, text);
    }
    if (!text.n || text.n > 60 || memchr("'\"[{&*!|>%@`#,]}?", text.p[0], 17)) {
        return NULL;
    }
    struct value *v = yaml_scalar(c->a, text);
    strbuf_reset(&c->scratch);
    emit_scalar(&c->scratch, v, 0, 10);
    return str_eq(strbuf_str(&c->scratch), text) ? v : NULL;
}

/* "- item" lines below a key, all plain. */
static struct value *read_plain_list(struct cursor *c)
{
    struct value *list = value_list(c->a);
    for (struct str line = line_at(c); c->p < c->end && str_starts(line, "        - ");
         line = line_at(c)) {
        struct value *item = read_plain(c, str_sub(line, 10, line.n - 10));
        if (!item) {
            return NULL;
        }
        value_push(c->a, list, item);
        next_line(c, line);
    }
    return list->list.count ? list : NULL;
}

/* Plain scalars and lists of them, one below another: what most params are. */
static bool read_param_file(struct cursor *c, struct value *map)
{
    for (struct str line = line_at(c); c->p < c->end && str_starts(line, "        ");
         line = line_at(c)) {
        const char *colon = memchr(line.p, ':', line.n);
        if (!colon) {
            return false;
        }
        size_t at = (size_t)(colon - line.p);
        struct str key = str_sub(line, 8, at - 8);
        if (at < 9 || !is_tame(key) || value_get_str(map, key)) {
            return false;
        }
        next_line(c, line);
        struct value *v;
        if (at + 1 == line.n) {
            v = read_plain_list(c);
        } else {
            v = line.p[at + 1] == ' ' ? read_plain(c, str_sub(line, at + 2, line.n - at - 2))
                                      : NULL;
        }
        if (!v || (c->p < c->end && indent_of(line_at(c)) > 8)) {
            return false;
        }
        value_append(c->a, map, value_str(c->a, key), v);
    }
    return map->map.count > 0;
}

static bool read_param_files(struct cursor *c, struct lock_entry *en)
{
    struct value *files = value_map(c->a);
    for (struct str line = line_at(c); c->p < c->end && indent_of(line) == 6; line = line_at(c)) {
        struct str key = str_sub(line, 6, line.n - 6);
        if (key.n < 2 || key.p[key.n - 1] != ':') {
            return false;
        }
        key.n--;
        struct value *map = value_map(c->a);
        next_line(c, line);
        if (!is_tame(key) || value_get_str(files, key) || !read_param_file(c, map)) {
            return false;
        }
        value_append(c->a, files, value_str(c->a, key), map);
    }
    en->params = files;
    return files->map.count > 0;
}

static bool read_entry_direct(struct cursor *c, struct lock_entry *en)
{
    if (!read_cmd(c, en)) {
        return false;
    }
    struct str line = line_at(c);
    if (c->p < c->end && str_is(line, "    deps:")) {
        next_line(c, line);
        if (!read_item_list(c, &en->deps, &en->dep_count)) {
            return false;
        }
        line = line_at(c);
    }
    if (c->p < c->end && str_is(line, "    params:")) {
        next_line(c, line);
        if (!read_param_files(c, en)) {
            return false;
        }
        line = line_at(c);
    }
    if (c->p < c->end && str_is(line, "    outs:")) {
        next_line(c, line);
        if (!read_item_list(c, &en->outs, &en->out_count)) {
            return false;
        }
    }
    return c->p == c->end;
}

/* One entry's lines. Not in the direct form: the YAML reader looks at these lines alone. */
static bool read_slice(struct lock *l, struct cursor *c, struct str slice)
{
    struct cursor own = *c;
    own.p = slice.p;
    own.end = slice.p + slice.n;
    struct str line = line_at(&own);
    struct str name = str_sub(line, 2, line.n - 3);
    if (line.n > 3 && line.p[line.n - 1] == ':' && is_tame(name)) {
        struct lock_entry en = {0};
        next_line(&own, line);
        bool ok = read_entry_direct(&own, &en);
        c->scratch = own.scratch;
        if (ok) {
            struct lock_slot *slot = lock_slot_add(l, arena_strndup(&l->arena, name.p, name.n));
            if (!slot) {
                return false;
            }
            en.name = slot->entry->name;
            *slot->entry = en;
            slot->text = slice;
            return true;
        }
    }
    struct yaml_options opt = {.name = l->shown, .max_bytes = MAX_LOCK_BYTES};
    struct value *doc = yaml_parse(&l->arena, slice, &opt, NULL);
    return doc && doc->type == VALUE_MAP && doc->map.count == 1 &&
           add_from_value(l, doc->map.pairs[0].key, doc->map.pairs[0].val, NULL) == 0;
}

static bool is_entry_start(struct str line)
{
    return line.n > 3 && line.p[0] == ' ' && line.p[1] == ' ' && line.p[2] != ' ' &&
           line.p[2] != '-' && line.p[2] != '#' && line.p[2] != '?' && line.p[2] != '\t';
}

bool lock_parse_direct(struct lock *l, struct str text)
{
    static const char head[] = "schema: '2.0'\nstages:\n";
    if (!str_starts(text, head) || text.p[text.n - 1] != '\n' || memchr(text.p, '\r', text.n) ||
        memchr(text.p, '\t', text.n) || str_utf8_valid(text) != text.n) {
        return false;
    }
    struct cursor c = {text.p + sizeof(head) - 1, text.p + text.n, &l->arena, {0}};
    strbuf_init(&c.scratch);
    bool ok = c.p < c.end;
    while (ok && c.p < c.end) {
        struct str line = line_at(&c);
        const char *start = line.p;
        ok = is_entry_start(line);
        next_line(&c, line);
        while (ok && c.p < c.end && !is_entry_start(line = line_at(&c))) {
            ok = str_starts(line, "    ");
            next_line(&c, line);
        }
        ok = ok && read_slice(l, &c, (struct str){start, (size_t)(c.p - start)});
    }
    strbuf_release(&c.scratch);
    if (ok) {
        l->top = value_map(&l->arena);
        value_set(&l->arena, l->top, "schema", value_cstr(&l->arena, "2.0"));
        value_set(&l->arena, l->top, "stages", value_null(&l->arena));
        l->exists = true;
    }
    return ok;
}
