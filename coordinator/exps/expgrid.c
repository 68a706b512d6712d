/* See expgrid.h. The table of lines is drawn as rich 13 does with box.HORIZONTALS. */
#include "expgrid.h"

#include "alloc.h"
#include "err.h"
#include "exptable.h"
#include "table.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

void expgrid_init(struct expgrid *g, struct arena *a)
{
    *g = (struct expgrid){.arena = a, .places = value_map(a)};
}

void expgrid_release(struct expgrid *g)
{
    for (size_t i = 0; i < g->column_count; i++) {
        free(g->columns[i].cells);
    }
    free(g->columns);
    *g = (struct expgrid){0};
}

void expgrid_column(struct expgrid *g, const char *name, enum expgrid_kind kind)
{
    if (value_get(g->places, name) == NULL) {
        value_set(g->arena, g->places, name, value_int(g->arena, (int64_t)g->column_count));
        ARRAY_RESERVE(g->columns, g->column_count, g->column_capacity, 1);
        g->columns[g->column_count++] = (struct expgrid_column){.name = name, .kind = kind};
    }
}

void expgrid_row(struct expgrid *g, const char *fill)
{
    for (size_t i = 0; i < g->column_count; i++) {
        struct expgrid_column *c = &g->columns[i];
        ARRAY_RESERVE(c->cells, g->row_count, c->capacity, 1);
        c->cells[g->row_count] = fill;
    }
    g->row_count++;
}

static struct expgrid_column *find(const struct expgrid *g, const char *name)
{
    const struct value *place = value_get(g->places, name);
    return place != NULL ? &g->columns[place->i] : NULL;
}

void expgrid_set(struct expgrid *g, const char *column, const char *text)
{
    struct expgrid_column *c = find(g, column);
    if (c != NULL) {
        c->cells[g->row_count - 1] = text != NULL ? text : "";
    }
}

/* ---- taking columns out ---- */

static void drop(struct expgrid_column *c)
{
    c->dropped = c->dropped || !c->kept;
}

static bool is_empty(const struct expgrid *g, const struct expgrid_column *c, const char *fill)
{
    for (size_t i = 0; i < g->row_count; i++) {
        if (strcmp(c->cells[i], fill) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_constant(const struct expgrid *g, const struct expgrid_column *c)
{
    for (size_t i = 1; i < g->row_count; i++) {
        if (strcmp(c->cells[i], c->cells[0]) != 0) {
            return false;
        }
    }
    return g->row_count > 0;
}

/* Any of the patterns from the start of a name on, as Python's re.match; \d is all that regcomp lacks of the usual. */
static int compile(const char *const *patterns, size_t count, regex_t *re, struct err *e)
{
    struct strbuf b;
    strbuf_init(&b);
    strbuf_adds(&b, "^(");
    for (size_t i = 0; i < count; i++) {
        strbuf_adds(&b, i > 0 ? "|" : "");
        for (const char *p = patterns[i]; *p != 0; p++) {
            if (p[0] == '\\' && p[1] == 'd') {
                strbuf_adds(&b, "[0-9]");
                p++;
            } else {
                strbuf_addch(&b, *p);
            }
        }
    }
    strbuf_addch(&b, ')');
    int rc = regcomp(re, b.p, REG_EXTENDED | REG_NOSUB);
    if (rc != 0) {
        char why[100];
        regerror(rc, re, why, sizeof why);
        rc = err_set(e, ERR_USAGE, "'%s' is no regular expression for columns: %s", patterns[0],
                     why);
    }
    strbuf_release(&b);
    return rc;
}

/* Marks the columns that match: as kept, or out. */
static int mark(struct expgrid *g, const char *const *patterns, size_t count, bool keep,
                struct err *e)
{
    regex_t re;
    if (count == 0) {
        return 0;
    }
    if (compile(patterns, count, &re, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < g->column_count; i++) {
        struct expgrid_column *c = &g->columns[i];
        if (!c->dropped && regexec(&re, c->name, 0, NULL, 0) == 0) {
            c->kept |= keep;
            if (!keep) {
                drop(c);
            }
        }
    }
    regfree(&re);
    return 0;
}

/* "├── 1234567 [name]" instead of three columns. */
static void merge_names(struct expgrid *g)
{
    struct expgrid_column *name = find(g, "Experiment"), *rev = find(g, "rev"),
                          *typ = find(g, "typ");
    for (size_t i = 0; i < g->row_count; i++) {
        bool base = strcmp(typ->cells[i], "baseline") == 0;
        const char *tree = base                                        ? ""
                           : strcmp(typ->cells[i], "branch_base") == 0 ? "\u2514\u2500\u2500 "
                                                                       : "\u251c\u2500\u2500 ";
        name->cells[i] =
            name->cells[i][0] == 0
                ? arena_printf(g->arena, "%s%s", tree, rev->cells[i])
                : arena_printf(g->arena, "%s%s [%s]", tree, rev->cells[i], name->cells[i]);
    }
    drop(rev);
    drop(typ);
    drop(find(g, "parent"));
}

/* ---- drawing ---- */

static void render_csv(const struct expgrid *g, struct strbuf *out)
{
    for (size_t row = 0; row <= g->row_count; row++) {
        const char *comma = "";
        for (size_t i = 0; i < g->column_count; i++) {
            const struct expgrid_column *c = &g->columns[i];
            if (!c->dropped) {
                strbuf_adds(out, comma);
                strbuf_add_csv(out, row == 0 ? c->name : c->cells[row - 1]);
                comma = ",";
            }
        }
        strbuf_adds(out, "\r\n");
    }
}

static void render_markdown(const struct expgrid *g, struct strbuf *out)
{
    struct table t;
    table_init(&t);
    for (size_t i = 0; i < g->column_count; i++) {
        if (!g->columns[i].dropped) {
            table_column(&t, g->columns[i].name);
        }
    }
    for (size_t row = 0; row < g->row_count; row++) {
        size_t at = table_row(&t), k = 0;
        for (size_t i = 0; i < g->column_count; i++) {
            if (!g->columns[i].dropped) {
                table_set(&t, at, k++, g->columns[i].cells[row]);
            }
        }
    }
    table_render(&t, true, true, out);
    table_release(&t);
}

static size_t width(const struct expgrid *g, const struct expgrid_column *c)
{
    size_t most = str_utf8_length(str_from(c->name));
    for (size_t i = 0; i < g->row_count; i++) {
        size_t n = str_utf8_length(str_from(c->cells[i]));
        most = n > most ? n : most;
    }
    return most;
}

static void rule(struct strbuf *out, size_t n)
{
    strbuf_addch(out, ' ');
    for (size_t i = 0; i < n; i++) {
        strbuf_adds(out, "\u2500");
    }
    strbuf_adds(out, " \n");
}

/* Each cell between two blanks, columns apart by one more. row 0: the names. */
static void line(const struct expgrid *g, const size_t *widths, size_t row, struct strbuf *out)
{
    for (size_t i = 0; i < g->column_count; i++) {
        const struct expgrid_column *c = &g->columns[i];
        if (c->dropped) {
            continue;
        }
        const char *text = row == 0 ? c->name : c->cells[row - 1];
        size_t pad = widths[i] - str_utf8_length(str_from(text));
        strbuf_adds(out, "  ");
        strbuf_pad(out, ' ', c->kind == EXPGRID_METRIC ? pad : 0);
        strbuf_adds(out, text);
        strbuf_pad(out, ' ', c->kind == EXPGRID_METRIC ? 1 : pad + 1);
    }
    strbuf_adds(out, " \n");
}

/* From the right, all but the first column of each kind, until the table fits. */
static size_t narrow(struct expgrid *g, const size_t *widths, size_t total, size_t max)
{
    for (size_t i = g->column_count; max > 0 && total + 2 > max && i-- > 0;) {
        struct expgrid_column *c = &g->columns[i];
        bool first = i == 0 || g->columns[i - 1].kind != c->kind;
        if (!c->dropped && !first && c->kind != EXPGRID_HEADING) {
            c->dropped = true;
            total -= widths[i] + 3;
        }
    }
    return total;
}

static void render_lines(struct expgrid *g, size_t max, struct strbuf *out)
{
    size_t *widths = xcalloc(g->column_count + 1, sizeof(*widths)), total = 0;
    for (size_t i = 0; i < g->column_count; i++) {
        widths[i] = width(g, &g->columns[i]);
        total += g->columns[i].dropped ? 0 : widths[i] + 3;
    }
    total = narrow(g, widths, total, max);
    if (total > 0) {
        rule(out, total - 1);
        line(g, widths, 0, out);
        rule(out, total - 1);
        for (size_t row = 1; row <= g->row_count; row++) {
            line(g, widths, row, out);
        }
        rule(out, total - 1);
    }
    free(widths);
}

int expgrid_render(struct expgrid *g, const struct exptable_options *opt, const char *fill,
                   struct strbuf *out, struct err *e)
{
    static const char *const optional[] = {"State", "Executor"};
    if (mark(g, opt->keep, opt->keep_count, true, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
        if (is_empty(g, find(g, optional[i]), fill)) {
            drop(find(g, optional[i]));
        }
    }
    if (opt->form != EXPTABLE_CSV) {
        merge_names(g);
    }
    for (size_t i = 0; opt->only_changed && i < g->column_count; i++) {
        if (is_constant(g, &g->columns[i])) {
            drop(&g->columns[i]);
        }
    }
    if (mark(g, opt->drop, opt->drop_count, false, e) < 0) {
        return -1;
    }
    if (opt->form == EXPTABLE_CSV) {
        render_csv(g, out);
    } else if (opt->form == EXPTABLE_MARKDOWN) {
        render_markdown(g, out);
    } else {
        render_lines(g, opt->max_width, out);
    }
    return 0;
}
