/* Option tables; see opt.h. */

#include "opt.h"

#include "alloc.h"
#include "err.h"
#include "num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_end(const struct opt *o)
{
    return o->type == OPT_GROUP && o->help == NULL && o->name == NULL;
}

static bool takes_value(const struct opt *o)
{
    return o->type == OPT_STR || o->type == OPT_INT || o->type == OPT_DOUBLE ||
           o->type == OPT_LIST || o->type == OPT_MULTI || o->type == OPT_MAYBE;
}

static void list_add(struct opt_list *l, const char *item)
{
    ARRAY_RESERVE(l->items, l->count, l->capacity, 1);
    l->items[l->count++] = item;
}

void opt_list_release(struct opt_list *l)
{
    free(l->items);
    *l = (struct opt_list){0};
}

/* The name of an option in messages: "--jobs" or "-j". */
static void label(const struct opt *o, char out[64])
{
    if (o->name != NULL) {
        snprintf(out, 64, "--%s", o->name);
    } else {
        snprintf(out, 64, "-%c", o->short_name);
    }
}

static int apply(const struct opt *o, const char *value, struct err *e)
{
    char name[64];
    int64_t number;
    label(o, name);
    switch (o->type) {
    case OPT_FLAG:
        *(bool *)o->target = true;
        return 0;
    case OPT_NEGATED:
        *(bool *)o->target = false;
        return 0;
    case OPT_COUNT:
        ++*(int *)o->target;
        return 0;
    case OPT_STR:
    case OPT_MAYBE:
        *(const char **)o->target = value;
        return 0;
    case OPT_INT:
        if (!num_parse_int(str_from(value), &number)) {
            return err_set(e, ERR_USAGE, "argument %s: expected a whole number, got '%s'", name,
                           value);
        }
        *(long *)o->target = (long)number;
        return 0;
    case OPT_DOUBLE:
        if (!num_parse_double(str_from(value), o->target)) {
            return err_set(e, ERR_USAGE, "argument %s: expected a number, got '%s'", name, value);
        }
        return 0;
    default:
        list_add(o->target, value);
        return 0;
    }
}

static int refuse(const struct opt *o, struct err *e)
{
    char name[64];
    label(o, name);
    return o->type == OPT_REFUSED ? err_set(e, ERR_USAGE, "argument %s: not supported", name) : 0;
}

static bool same_name(const char *option, const char *word, size_t n)
{
    return option != NULL && strncmp(option, word, n) == 0 && option[n] == '\0';
}

/* Exact long name, else the only one that begins so. NULL with *e set. */
static const struct opt *find_long(const struct opt_spec *spec, const char *word, size_t n,
                                   struct err *e)
{
    const struct opt *found = NULL;
    for (const struct opt *o = spec->options; o != NULL && !is_end(o); o++) {
        if (o->type == OPT_GROUP) {
            continue;
        }
        if (same_name(o->name, word, n) || same_name(o->alias, word, n)) {
            return o;
        }
        bool begins = (o->name != NULL && strncmp(o->name, word, n) == 0) ||
                      (o->alias != NULL && strncmp(o->alias, word, n) == 0);
        if (begins && found != NULL) {
            err_set(e, ERR_USAGE, "ambiguous option: --%.*s could match --%s, --%s", (int)n, word,
                    found->name, o->name);
            return NULL;
        }
        if (begins) {
            found = o;
        }
    }
    if (found == NULL) {
        err_set(e, ERR_USAGE, "unrecognized arguments: --%.*s", (int)n, word);
    }
    return found;
}

static const struct opt *find_short(const struct opt_spec *spec, char c)
{
    for (const struct opt *o = spec->options; o != NULL && !is_end(o); o++) {
        if (o->type != OPT_GROUP && o->short_name == c && c != '\0') {
            return o;
        }
    }
    return NULL;
}

struct parse {
    const struct opt_spec *spec;
    int argc;
    char **argv;
    int at; /* next word */
    struct opt_list *args;
    struct err *e;
};

/* A word that cannot be the value of the option before it. */
static bool looks_like_option(const char *word)
{
    double number;
    return word[0] == '-' && word[1] != '\0' && !num_parse_double(str_from(word), &number);
}

/* The option's value(s) from the words that follow. */
static int apply_following(struct parse *p, const struct opt *o)
{
    char name[64];
    label(o, name);
    if (o->type == OPT_MULTI) {
        int first = p->at;
        while (p->at < p->argc && !looks_like_option(p->argv[p->at])) {
            list_add(o->target, p->argv[p->at++]);
        }
        return p->at > first
                   ? 0
                   : err_set(p->e, ERR_USAGE, "argument %s: expected at least one argument", name);
    }
    if (o->type == OPT_MAYBE && (p->at >= p->argc || looks_like_option(p->argv[p->at]))) {
        return apply(o, "", p->e);
    }
    if (p->at >= p->argc || (looks_like_option(p->argv[p->at]) && o->type != OPT_STR) ||
        strcmp(p->argv[p->at], "--") == 0) {
        return err_set(p->e, ERR_USAGE, "argument %s: expected one argument", name);
    }
    return apply(o, p->argv[p->at++], p->e);
}

static enum opt_result parse_long(struct parse *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t n = equals != NULL ? (size_t)(equals - word) : strlen(word);
    if (same_name("help", word, n)) {
        opt_print_help(p->spec);
        return OPT_HELP;
    }
    if (same_name("help-table", word, n)) {
        opt_print_table(p->spec);
        return OPT_HELP;
    }
    const struct opt *o = find_long(p->spec, word, n, p->e);
    if (o == NULL || refuse(o, p->e) < 0) {
        return OPT_BAD;
    }
    if (equals != NULL && !takes_value(o)) {
        err_set(p->e, ERR_USAGE, "argument --%s: ignored explicit argument '%s'", o->name,
                equals + 1);
        return OPT_BAD;
    }
    int rc = equals != NULL   ? apply(o, equals + 1, p->e)
             : takes_value(o) ? apply_following(p, o)
                              : apply(o, NULL, p->e);
    return rc == 0 ? OPT_OK : OPT_BAD;
}

/* "-vfj4": flags until one takes the rest, or the next word, as its value. */
static enum opt_result parse_short(struct parse *p, const char *word)
{
    for (const char *c = word; *c != '\0'; c++) {
        const struct opt *o = find_short(p->spec, *c);
        if (o == NULL && *c == 'h') {
            opt_print_help(p->spec);
            return OPT_HELP;
        }
        if (o == NULL) {
            err_set(p->e, ERR_USAGE, "unrecognized arguments: -%s", c);
            return OPT_BAD;
        }
        if (refuse(o, p->e) < 0) {
            return OPT_BAD;
        }
        if (!takes_value(o)) {
            apply(o, NULL, p->e);
            continue;
        }
        const char *rest = c[1] == '=' ? c + 2 : c + 1;
        int rc = *rest != '\0' ? apply(o, rest, p->e) : apply_following(p, o);
        return rc == 0 ? OPT_OK : OPT_BAD;
    }
    return OPT_OK;
}

static enum opt_result check_count(const struct parse *p)
{
    const struct opt_spec *spec = p->spec;
    if (p->args->count < spec->min_args) {
        err_set(p->e, ERR_USAGE, "expected at least %zu argument%s, got %zu", spec->min_args,
                spec->min_args == 1 ? "" : "s", p->args->count);
        return OPT_BAD;
    }
    if (spec->max_args != OPT_ANY && p->args->count > spec->max_args) {
        err_set(p->e, ERR_USAGE, "unrecognized arguments: %s", p->args->items[spec->max_args]);
        return OPT_BAD;
    }
    return OPT_OK;
}

enum opt_result opt_parse(const struct opt_spec *spec, int argc, char **argv, struct opt_list *args,
                          struct err *e)
{
    struct parse p = {spec, argc, argv, 1, args, e};
    bool words_only = false;
    while (p.at < argc) {
        const char *word = argv[p.at++];
        enum opt_result rc = OPT_OK;
        if (!words_only && strcmp(word, "--") == 0) {
            words_only = true;
        } else if (words_only || word[0] != '-' || word[1] == '\0') {
            list_add(args, word);
            words_only = words_only || spec->stop_at_first_word;
        } else if (word[1] == '-') {
            rc = parse_long(&p, word + 2);
        } else {
            rc = parse_short(&p, word + 1);
        }
        if (rc != OPT_OK) {
            return rc;
        }
    }
    return check_count(&p);
}

void opt_print_usage(const struct opt_spec *spec)
{
    fprintf(stderr, "usage: %s\n", spec->usage);
}

/* Words of `text` from column `indent` on, broken before column 100. */
static void print_wrapped(const char *text, size_t column, size_t indent)
{
    const char *p = text;
    while (*p != '\0') {
        size_t n = strcspn(p, " \n");
        if (column + n > 98 && column > indent) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        }
        printf("%.*s", (int)n, p);
        column += n;
        p += n;
        if (*p == '\n') {
            printf("\n%*s", (int)indent, "");
            column = indent;
            p++;
        } else if (*p == ' ') {
            putchar(' ');
            column++;
            p++;
        }
    }
    putchar('\n');
}

static void print_option(const struct opt *o)
{
    if (o->type == OPT_GROUP) {
        printf("\n%s\n", o->help);
        return;
    }
    if (o->help == NULL) {
        return; /* hidden */
    }
    char left[96];
    char short_text[8] = "    ";
    if (o->short_name != '\0') {
        snprintf(short_text, sizeof(short_text), "-%c%s", o->short_name,
                 o->name != NULL ? ", " : "");
    }
    snprintf(left, sizeof(left), "  %s%s%s%s%s", short_text, o->name != NULL ? "--" : "",
             o->name != NULL ? o->name : "", o->arg != NULL ? " " : "",
             o->arg != NULL ? o->arg : "");
    size_t n = strlen(left);
    printf("%-28s", left);
    if (n >= 28) {
        printf("\n%28s", "");
    }
    print_wrapped(o->help, 28, 28);
}

void opt_print_help(const struct opt_spec *spec)
{
    printf("usage: %s\n\n", spec->usage);
    if (spec->about != NULL) {
        print_wrapped(spec->about, 0, 0);
    }
    printf("\nOptions:\n");
    for (const struct opt *o = spec->options; o != NULL && !is_end(o); o++) {
        print_option(o);
    }
    printf("  -h, --help                show this text\n");
    if (spec->examples != NULL) {
        printf("\nExamples:\n%s\n", spec->examples);
    }
}

void opt_print_table(const struct opt_spec *spec)
{
    for (const struct opt *o = spec->options; o != NULL && !is_end(o); o++) {
        if (o->type == OPT_GROUP || o->help == NULL) {
            continue;
        }
        printf("option\t");
        if (o->short_name != '\0') {
            printf("-%c", o->short_name);
        }
        printf("\t%s%s\t%s\t%s\n", o->name != NULL ? "--" : "", o->name != NULL ? o->name : "",
               o->arg != NULL ? o->arg : "", o->help);
    }
    printf("option\t-h\t--help\t\tshow the help\n");
}

static size_t edit_distance(const char *a, const char *b)
{
    enum { LIMIT = 64 };
    size_t row[LIMIT + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > LIMIT || m > LIMIT) {
        return LIMIT;
    }
    for (size_t j = 0; j <= m; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t shortest = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = substitute < shortest ? substitute : shortest;
        }
    }
    return row[m];
}

const char *opt_nearest(const char *word, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 2 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t d = edit_distance(word, names[i]);
        if (d < best_distance) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}
