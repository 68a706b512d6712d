/* See plotfile.h. Source: DVC 3.67, dvc/repo/plots/__init__.py (parse, _load_sv). */
#include "plotfile.h"

#include "err.h"
#include "params.h"
#include "path.h"

#include <string.h>

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word) != 0) {
        words++;
    }
    return *words != NULL;
}

bool plotfile_is_image(const char *path)
{
    static const char *const images[] = {".jpg", ".jpeg", ".gif", ".png", ".svg", NULL};
    return is_one_of(path_extension(path), images);
}

struct reader {
    struct arena *a;
    const char *p, *end;
    char separator;
    struct strbuf field;
};

/* The field at r->p; stops at the separator or the end of the row. */
static struct value *read_field(struct reader *r)
{
    bool quoted = r->p < r->end && *r->p == '"';
    strbuf_reset(&r->field);
    r->p += quoted;
    while (r->p < r->end) {
        char c = *r->p;
        if (quoted && c == '"') {
            quoted = r->p + 1 < r->end && r->p[1] == '"';
            if (quoted) {
                strbuf_addch(&r->field, '"');
                r->p++;
            }
            r->p++;
            continue;
        }
        if (!quoted && (c == r->separator || c == '\n' || c == '\r')) {
            break;
        }
        strbuf_addch(&r->field, c);
        r->p++;
    }
    return value_str(r->a, strbuf_str(&r->field));
}

/* The next row that is not empty, as a list; NULL at the end. */
static struct value *read_row(struct reader *r)
{
    while (r->p < r->end && (*r->p == '\n' || *r->p == '\r')) {
        r->p++;
    }
    if (r->p == r->end) {
        return NULL;
    }
    struct value *row = value_list(r->a);
    for (;;) {
        value_push(r->a, row, read_field(r));
        if (r->p == r->end || *r->p != r->separator) {
            return row;
        }
        r->p++;
    }
}

static struct value *row_map(struct arena *a, const struct value *names, const struct value *row)
{
    struct value *map = value_map(a), *rest = NULL;
    for (size_t i = 0; i < names->list.count; i++) {
        value_set_key(a, map, names->list.items[i],
                      i < row->list.count ? row->list.items[i] : value_null(a));
    }
    for (size_t i = names->list.count; i < row->list.count; i++) {
        if (!rest) {
            value_set(a, map, "null", rest = value_list(a));
        }
        value_push(a, rest, row->list.items[i]);
    }
    return map;
}

struct value *plotfile_csv(struct arena *a, struct str text, char separator, bool header)
{
    struct reader r = {.a = a, .p = text.p, .end = text.p + text.n, .separator = separator};
    struct value *rows = value_list(a), *names, *row;
    strbuf_init(&r.field);
    names = row = read_row(&r);
    if (header && row) {
        row = read_row(&r);
    } else if (row) {
        names = value_list(a);
        for (size_t i = 0; i < row->list.count; i++) {
            value_push(a, names, value_cstr(a, arena_printf(a, "%zu", i)));
        }
    }
    for (; row; row = read_row(&r)) {
        value_push(a, rows, row_map(a, names, row));
    }
    strbuf_release(&r.field);
    return rows;
}

struct value *plotfile_parse(struct arena *a, struct str text, const char *shown, bool header,
                             struct err *e)
{
    static const char *const documents[] = {".json", ".yaml", ".yml", ".toml", ".py", NULL};
    const char *ext = path_extension(shown);
    bool comma = strcmp(ext, ".csv") == 0;
    if (plotfile_is_image(shown)) {
        return value_str(a, text);
    }
    if (is_one_of(ext, documents)) {
        return params_parse(a, text, shown, e);
    }
    if (!comma && strcmp(ext, ".tsv") != 0) {
        err_set(e, ERR_FORMAT,
                "'%s' - file type error\nOnly JSON, YAML, CSV and TSV formats are supported.",
                shown);
        return NULL;
    }
    if (str_utf8_valid(text) < text.n) {
        err_set(e, ERR_FORMAT, "unable to read: '%s', is not valid utf-8", shown);
        return NULL;
    }
    return plotfile_csv(a, text, comma ? ',' : '\t', header);
}
