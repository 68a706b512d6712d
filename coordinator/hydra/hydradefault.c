/* See hydradefault.h. Source of the rules: Hydra 1.3, default_element.py and ConfigRepository._create_defaults_list. */
#include "hydradefault.h"

#include "err.h"

#include <string.h>

#define GLOBAL "_global_"
#define NAME_MAX_BYTES 512 /* of a name as written */

/* ---- reading ---- */

struct hydradefault *hydradefault_new_file(struct arena *a, const char *path)
{
    struct hydradefault *d = ARENA_NEW(a, struct hydradefault);
    d->name = path;
    return d;
}

struct hydradefault *hydradefault_copy(struct arena *a, const struct hydradefault *d)
{
    struct hydradefault *copy = ARENA_NEW(a, struct hydradefault);
    *copy = *d;
    return copy;
}

/* "name@package:other" */
static void set_name(struct arena *a, struct hydradefault *d, struct str text)
{
    const char *at = memchr(text.p, '@', text.n);
    struct str name = {text.p, at != NULL ? (size_t)(at - text.p) : text.n};
    d->name = arena_str(a, name).p;
    if (at == NULL) {
        return;
    }
    struct str package = str_sub(text, name.n + 1, text.n - name.n - 1);
    const char *colon = memchr(package.p, ':', package.n);
    package.n = colon != NULL ? (size_t)(colon - package.p) : package.n;
    d->package = str_is(package, "_here_") ? "" : arena_str(a, package).p;
}

/* "optional override group" */
static void take_words(struct hydradefault *d)
{
    const char *last = strrchr(d->name, ' ');
    struct str rest = {d->name, last != NULL ? (size_t)(last - d->name) : 0}, word;
    while (last != NULL && str_split(&rest, ' ', &word)) {
        if (str_is(word, "optional")) {
            d->optional = true;
        } else if (str_is(word, "override")) {
            d->override = true;
        } else {
            break;
        }
    }
    d->name = last != NULL ? last + 1 : d->name;
}

static int set_option(struct arena *a, const char *path, struct hydradefault *d,
                      const struct value *v, struct err *e)
{
    if (v->type == VALUE_STR) {
        d->option = arena_str(a, v->s).p;
        return 0;
    }
    if (v->type != VALUE_LIST && v->type != VALUE_NULL) {
        return err_set(
            e, ERR_FORMAT,
            "Unsupported item value in defaults : %s. Supported: string or list (in '%s')",
            v->type == VALUE_MAP ? "DictConfig" : value_type_name(v->type), path);
    }
    for (size_t i = 0; v->type == VALUE_LIST && i < v->list.count; i++) {
        if (v->list.items[i]->type != VALUE_STR) {
            return err_set(e, ERR_FORMAT,
                           "Unsupported item value in defaults : %s, nested list items must be "
                           "strings (in '%s')",
                           value_type_name(v->list.items[i]->type), path);
        }
    }
    d->options = v->type == VALUE_LIST ? v : NULL;
    return 0;
}

static int read_group(struct arena *a, const char *path, const struct value *item,
                      struct hydradefault *d, struct err *e)
{
    if (item->map.count != 1) {
        struct strbuf text;
        strbuf_init_max(&text, 1000);
        value_repr(&text, item);
        err_set(e, ERR_FORMAT, "In %s: %s in %s%s", path,
                item->map.count == 0 ? "Missing group name" : "Too many keys",
                item->map.count == 0 ? "" : "default item ", text.p);
        strbuf_release(&text);
        return -1;
    }
    const struct value_pair *p = &item->map.pairs[0];
    d->is_group = true;
    if (p->key->type != VALUE_STR) {
        return err_set(e, ERR_FORMAT, "In %s: the name of a group must be a text", path);
    }
    set_name(a, d, p->key->s);
    take_words(d);
    if (d->name[strspn(d->name, "/")] == '\0') {
        return err_set(e, ERR_FORMAT, "In %s: Missing group name", path);
    }
    return set_option(a, path, d, p->val, e);
}

static int check_names(const struct hydradefault *d, struct err *e)
{
    const char *const names[] = {d->name, d->option, d->package};
    size_t longest = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t n = names[i] != NULL ? strlen(names[i]) : 0;
        longest = n > longest ? n : longest;
    }
    for (size_t i = 0; d->options != NULL && i < d->options->list.count; i++) {
        size_t n = d->options->list.items[i]->s.n;
        longest = n > longest ? n : longest;
    }
    return longest <= NAME_MAX_BYTES
               ? 0
               : err_set(e, ERR_LIMIT, "a name of more than %d bytes in a defaults list",
                         NAME_MAX_BYTES);
}

int hydradefault_read(struct arena *a, const char *path, const struct value *list,
                      struct hydradefault ***items, size_t *count, struct err *e)
{
    *items = ARENA_ARRAY(a, list->list.count + 1, struct hydradefault *);
    *count = list->list.count;
    for (size_t i = 0; i < *count; i++) {
        const struct value *item = list->list.items[i];
        struct hydradefault *d = (*items)[i] = ARENA_NEW(a, struct hydradefault);
        if (item->type == VALUE_STR) {
            set_name(a, d, item->s);
            if (hydradefault_is_self(d) && d->package != NULL) {
                return err_set(e, ERR_FORMAT, "_self_@PACKAGE is not supported");
            }
        } else if (item->type != VALUE_MAP) {
            return err_set(e, ERR_FORMAT, "Unsupported type in defaults : %s",
                           item->type == VALUE_LIST   ? "ListConfig"
                           : item->type == VALUE_NULL ? "NoneType"
                                                      : value_type_name(item->type));
        } else if (read_group(a, path, item, d, e) < 0) {
            return -1;
        }
        if (check_names(d, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- names ---- */

bool hydradefault_is_self(const struct hydradefault *d)
{
    const char *name = d->is_group ? d->option : d->name;
    return name != NULL && strcmp(name, "_self_") == 0;
}

const char *hydradefault_option(const struct hydradefault *d)
{
    const char *slash = strrchr(d->name, '/');
    return d->is_group ? d->option : slash != NULL ? slash + 1 : d->name;
}

bool hydradefault_is_missing(const struct hydradefault *d)
{
    const char *option = hydradefault_option(d);
    return option != NULL && strcmp(option, "???") == 0;
}

bool hydradefault_is_interpolation(struct arena *a, const struct hydradefault *d)
{
    const char *text = d->is_group ? d->option : hydradefault_path(a, d);
    return text != NULL && strstr(text, "${") != NULL;
}

/* A path below `dir`, or from the top. */
static const char *below(struct arena *a, const char *dir, const char *path)
{
    if (path[0] == '/') {
        return path + 1;
    }
    return dir[0] == '\0' ? path : path[0] == '\0' ? dir : arena_printf(a, "%s/%s", dir, path);
}

/* "a/b/c" gives "a/b". */
static const char *folder_of(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? arena_strndup(a, path, (size_t)(slash - path)) : "";
}

const char *hydradefault_group(struct arena *a, const struct hydradefault *d)
{
    if (d->is_group) {
        return below(a, d->dir, d->name);
    }
    if (d->name[0] == '/') {
        return folder_of(a, d->name + 1);
    }
    return below(a, d->dir, folder_of(a, d->name));
}

const char *hydradefault_path(struct arena *a, const struct hydradefault *d)
{
    if (!d->is_group) {
        return below(a, d->dir, d->name);
    }
    return arena_printf(a, "%s/%s", hydradefault_group(a, d),
                        d->option != NULL ? d->option : "None");
}

/* Every `from` in `text` replaced. */
static const char *replaced(struct arena *a, const char *text, const char *from, const char *to)
{
    struct strbuf b;
    strbuf_init(&b);
    for (const char *hit; (hit = strstr(text, from)) != NULL; text = hit + strlen(from)) {
        strbuf_add(&b, text, (size_t)(hit - text));
        strbuf_adds(&b, to);
    }
    strbuf_adds(&b, text);
    const char *out = arena_str(a, strbuf_str(&b)).p;
    strbuf_release(&b);
    return out;
}

static const char *dotted(struct arena *a, const char *path)
{
    return replaced(a, path, "/", ".");
}

void hydradefault_place(struct arena *a, struct hydradefault *d, const char *dir,
                        const char *package)
{
    d->dir = dir;
    d->parent_package = package;
    if (d->package != NULL && strstr(d->package, "_group_") != NULL) {
        const char *own = dotted(a, hydradefault_group(a, d));
        d->package = arena_printf(a, GLOBAL ".%s", replaced(a, d->package, "_group_", own));
    }
}

void hydradefault_set_header(struct arena *a, struct hydradefault *d, const char *package)
{
    if (package == NULL) {
        return;
    }
    bool global = strcmp(package, GLOBAL) == 0 || strncmp(package, GLOBAL ".", 9) == 0;
    d->header = global               ? package
                : package[0] == '\0' ? GLOBAL
                                     : arena_printf(a, GLOBAL ".%s", package);
}

/* The group of the element itself, with dots. */
static const char *own_package(struct arena *a, const struct hydradefault *d)
{
    const char *name = d->name[0] == '/' ? d->name + 1 : d->name;
    return dotted(a, d->is_group ? name : folder_of(a, name));
}

const char *hydradefault_package(struct arena *a, const struct hydradefault *d, bool header)
{
    const char *own = d->package != NULL ? d->package : header ? d->header : NULL;
    own = own != NULL ? own : own_package(a, d);
    const char *parent = d->parent_package;
    const char *all = parent[0] == '\0' ? own
                      : own[0] == '\0'  ? parent
                                        : arena_printf(a, "%s.%s", parent, own);
    const char *last = NULL;
    for (const char *hit = all; (hit = strstr(hit, GLOBAL)) != NULL; hit++) {
        last = hit;
    }
    if (last == NULL) {
        return all;
    }
    last += strlen(GLOBAL);
    return last[0] != '\0' ? last + 1 : last;
}

const char *hydradefault_key(struct arena *a, const struct hydradefault *d)
{
    const char *group = hydradefault_group(a, d);
    const char *package = hydradefault_package(a, d, false);
    if (strcmp(dotted(a, group), package) == 0) {
        return group;
    }
    return arena_printf(a, "%s@%s", group, package[0] != '\0' ? package : GLOBAL);
}
