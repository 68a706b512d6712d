/* See hydrarepo.h. */
#include "hydrarepo.h"
#include "hydrabuiltin.h"
#include "hydrascalar.h"
#include "hydratree.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)16 << 20)
#define HEADER_LETTERS 512

void hydrarepo_init(struct hydrarepo *r, struct arena *a, const struct hydrasource *sources,
                    size_t count)
{
    *r = (struct hydrarepo){
        .a = a, .sources = sources, .source_count = count, .index = value_map(a)};
}

void hydrarepo_release(struct hydrarepo *r)
{
    free(r->files);
    r->files = NULL;
    r->count = r->capacity = 0;
}

/* ---- where a name is ---- */

static const char *file_name(struct arena *a, const char *path)
{
    return str_ends(str_from(path), ".yaml") ? path : arena_printf(a, "%s.yaml", path);
}

/* As os.path.join: an absolute path stands alone. */
static const char *join(struct arena *a, const char *dir, const char *path)
{
    return path[0] == '/' ? path : arena_printf(a, "%s/%s", dir, path);
}

static bool texts_have_group(const struct value *texts, const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < texts->map.count; i++) {
        struct str key = texts->map.pairs[i].key->s;
        if (key.n > n && key.p[n] == '/' && memcmp(key.p, path, n) == 0) {
            return true;
        }
    }
    return n == 0;
}

bool hydrarepo_is_group(const struct hydrarepo *r, const char *path)
{
    bool found = hydrabuiltin_is_group(path);
    for (size_t i = 0; !found && i < r->source_count; i++) {
        const struct hydrasource *s = &r->sources[i];
        found = s->texts != NULL ? texts_have_group(s->texts, path)
                                 : fs_is_dir(join(r->a, s->dir, path));
    }
    return found;
}

/* The text of a file; *from: what names it in messages, NULL when it is nowhere. */
static int read_text(struct hydrarepo *r, const char *path, struct strbuf *out, const char **from,
                     struct err *e)
{
    const char *builtin = hydrabuiltin_file(path), *name = file_name(r->a, path);
    *from = NULL;
    if (builtin != NULL) {
        *from = path;
        strbuf_adds(out, builtin);
        return 0;
    }
    for (size_t i = 0; i < r->source_count; i++) {
        const struct hydrasource *s = &r->sources[i];
        const struct value *text = s->texts != NULL ? value_get(s->texts, name) : NULL;
        const char *file = s->texts == NULL ? join(r->a, s->dir, name) : NULL;
        if (text != NULL) {
            *from = name;
            strbuf_addstr(out, text->s);
            return 0;
        }
        if (file != NULL && fs_is_file(file)) {
            *from = file;
            return fs_read(file, FILE_MAX, out, e);
        }
    }
    return 0;
}

/* ---- the first lines ---- */

static bool next_line(struct str *rest, struct str *line)
{
    if (rest->n == 0) {
        return false;
    }
    size_t n = 0;
    while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r') {
        n++;
    }
    *line = str_trim(str_sub(*rest, 0, n));
    n += n < rest->n;
    *rest = str_sub(*rest, n, rest->n - n);
    return true;
}

static struct str first_letters(struct str text)
{
    size_t n = 0;
    for (size_t letters = 0; n < text.n; n++) {
        letters += ((unsigned char)text.p[n] & 0xC0) != 0x80;
        if (letters > HEADER_LETTERS) {
            break;
        }
    }
    return str_sub(text, 0, n);
}

/* "# @key value" */
static int read_header_line(struct hydrarepo *r, struct str line, const char **package,
                            struct err *e)
{
    struct str words[2] = {{0}}, rest = line, word;
    size_t count = 0;
    while (rest.n > 0 && (rest.p[0] == '#' || rest.p[0] == ' ' || rest.p[0] == '\t')) {
        rest = str_sub(rest, 1, rest.n - 1);
    }
    const struct str shown = rest;
    while (str_split(&rest, ' ', &word)) {
        if (word.n > 0 && count < 2) {
            words[count] = str_trim(word);
        }
        count += word.n > 0;
    }
    if (count != 2) {
        return err_set(e, ERR_FORMAT,
                       count < 2 ? "Expected header format: KEY VALUE, got '%.*s'"
                                 : "Too many components in '%.*s'",
                       STR_ARG(shown));
    }
    if (str_is(words[0], "@package")) {
        *package = arena_str(r->a, words[1]).p;
    }
    return 0;
}

static int read_header(struct hydrarepo *r, struct str text, const char **package, struct err *e)
{
    struct str rest = first_letters(text), line;
    while (next_line(&rest, &line)) {
        size_t i = 1;
        while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t')) {
            i++;
        }
        if (line.n > 0 && (line.p[0] != '#' || i >= line.n || line.p[i] != '@')) {
            return 0;
        }
        if (line.n > 0 && read_header_line(r, line, package, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- one file ---- */

/* The document as settings: nothing is an empty map, a text a key without a value. */
static struct value *as_settings(struct arena *a, struct value *doc, const char *from,
                                 struct err *e)
{
    struct value *map = value_map(a);
    if (doc->type == VALUE_STR) {
        value_set(a, map, arena_str(a, doc->s).p, value_null(a));
    } else if (doc->type != VALUE_NULL && value_is_scalar(doc)) {
        err_set(e, ERR_FORMAT, "Invalid loaded object type: %s (%s)", value_type_name(doc->type),
                from);
        return NULL;
    }
    return value_is_scalar(doc) ? map : value_copy(a, doc);
}

static int take_defaults(struct hydrarepo *r, struct hydrafile *f, struct err *e)
{
    const struct value *list = value_get(f->doc, "defaults");
    if (list == NULL) {
        return 0;
    }
    value_remove(f->doc, "defaults");
    if (hydrainterp_is_missing(list)) {
        return 0;
    }
    if (list->type != VALUE_LIST) {
        return err_set(e, ERR_FORMAT,
                       "Invalid defaults list in '%s', defaults must be a list (got %s)", f->path,
                       list->type == VALUE_MAP    ? "mapping"
                       : list->type == VALUE_NULL ? "NoneType"
                                                  : value_type_name(list->type));
    }
    return hydradefault_read(r->a, f->path, list, &f->defaults, &f->count, e);
}

static int parse(struct hydrarepo *r, struct hydrafile *f, struct str text, const char *from,
                 struct err *e)
{
    const struct yaml_options how = {.name = from, .plain = hydrascalar_read};
    if (read_header(r, text, &f->package, e) < 0) {
        return -1;
    }
    struct value *doc = yaml_parse(r->a, text, &how, e);
    if (doc == NULL || (f->doc = as_settings(r->a, doc, from, e)) == NULL) {
        return -1;
    }
    return hydratree_check(r->a, f->doc, e) < 0 ? -1 : take_defaults(r, f, e);
}

static int add_file(struct hydrarepo *r, const char *path, struct err *e)
{
    struct hydrafile *f = ARENA_NEW(r->a, struct hydrafile);
    struct strbuf text;
    const char *from;
    if (r->count == HYDRAREPO_MAX_FILES) {
        return err_set(e, ERR_LIMIT, "more than %d files of settings", HYDRAREPO_MAX_FILES);
    }
    f->path = arena_strdup(r->a, path);
    strbuf_init(&text);
    int rc = read_text(r, path, &text, &from, e);
    if (rc == 0 && from != NULL) {
        rc = parse(r, f, strbuf_str(&text), from, e);
    }
    f->absent = from == NULL;
    strbuf_release(&text);
    if (rc == 0) {
        ARRAY_RESERVE(r->files, r->count, r->capacity, 1);
        value_set(r->a, r->index, f->path, value_int(r->a, (int64_t)r->count));
        r->files[r->count++] = f;
    }
    return rc;
}

int hydrarepo_load(struct hydrarepo *r, const char *path, const struct hydrafile **file,
                   struct err *e)
{
    const struct value *at = value_get(r->index, path);
    if (at == NULL && add_file(r, path, e) < 0) {
        return -1;
    }
    const struct hydrafile *f = r->files[at != NULL ? (size_t)at->i : r->count - 1];
    *file = f->absent ? NULL : f;
    return 0;
}

/* ---- what a group offers ---- */

static void add_option(struct value *names, struct arena *a, struct str name)
{
    if (str_ends(name, ".yaml")) {
        value_set(a, names, arena_strndup(a, name.p, name.n - 5), value_null(a));
    }
}

static void list_source(const struct hydrarepo *r, const struct hydrasource *s, const char *group,
                        struct value *names)
{
    char **found;
    size_t count = 0, n = strlen(group);
    struct err none = ERR_INIT;
    const char *dir = s->texts == NULL ? join(r->a, s->dir, group) : NULL;
    if (dir != NULL && fs_list(r->a, dir, &found, &count, &none) < 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        add_option(names, r->a, str_from(found[i]));
    }
    for (size_t i = 0; s->texts != NULL && i < s->texts->map.count; i++) {
        struct str key = s->texts->map.pairs[i].key->s;
        if (key.n > n && key.p[n] == '/' && memcmp(key.p, group, n) == 0 &&
            memchr(key.p + n + 1, '/', key.n - n - 1) == NULL) {
            add_option(names, r->a, str_sub(key, n + 1, key.n - n - 1));
        }
    }
}

static int compare(const void *x, const void *y)
{
    const struct value_pair *p = x, *q = y;
    return str_cmp(p->key->s, q->key->s);
}

void hydrarepo_add_options(const struct hydrarepo *r, const char *group, struct strbuf *out)
{
    struct value *names = value_map(r->a);
    for (size_t i = 0; hydrabuiltin_option(group, i) != NULL; i++) {
        value_set(r->a, names, hydrabuiltin_option(group, i), value_null(r->a));
    }
    for (size_t i = 0; i < r->source_count; i++) {
        list_source(r, &r->sources[i], group, names);
    }
    if (names->map.count > 0) {
        qsort(names->map.pairs, names->map.count, sizeof *names->map.pairs, compare);
    }
    for (size_t i = 0; i < names->map.count; i++) {
        strbuf_addf(out, "\n\t%s", names->map.pairs[i].key->s.p);
    }
}
