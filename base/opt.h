#ifndef NEPHRON_OPT_H
#define NEPHRON_OPT_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Command-line options from a table, and the help text from the same table. Long options may be
 * abbreviated when unambiguous, written --name value or --name=value; short ones may be bundled; options and
 * positional words may be mixed; "--" ends options. This is what DVC's argparse accepts.
 *
 * --help-table, which the help does not show, prints the table for programs (shell completion), one line an
 * option, fields separated by tabs: "option", "-j" or "", "--jobs" or "", the argument's name or "", help.
 */

enum opt_type {
    OPT_FLAG,    /* bool *                     set to true */
    OPT_NEGATED, /* bool *                     set to false (--no-x) */
    OPT_COUNT,   /* int *                      +1 each time (-v -v) */
    OPT_STR,     /* const char **              last one wins */
    OPT_INT,     /* long *                     decimal */
    OPT_DOUBLE,  /* double * */
    OPT_LIST,    /* struct opt_list *          one value each time it is given (-d a -d b) */
    OPT_MAYBE, /* const char **              value may be left out (--flag, --flag=value): then "" */
    OPT_MULTI,   /* struct opt_list *          all words up to the next option (--targets a b c) */
    OPT_REFUSED, /* known and not supported: the command line is wrong that has it */
    OPT_GROUP,   /* heading in the help, no option */
};

struct opt_list {
    const char **items; /* borrowed from argv; the array is the list's: opt_list_release */
    size_t count, capacity;
};

struct opt {
    enum opt_type type;
    char short_name;  /* 0: none */
    const char *name; /* "jobs"; NULL: none */
    const char *arg;  /* "N" in the help; NULL for flags */
    const char *help;
    void *target;
    const char *alias; /* second long name, not shown; NULL: none */
};

#define OPT_END                                                                                    \
    {                                                                                              \
        .type = OPT_GROUP, .name = NULL, .help = NULL                                              \
    }

struct opt_spec {
    const char *usage;         /* "nephron repro [OPTION]… [TARGET]…" */
    const char *about;         /* one paragraph */
    const char *examples;      /* lines, shown under "Examples:" */
    const struct opt *options; /* ended by OPT_END; -h/--help is added */
    size_t min_args, max_args; /* positional words; max 0 with min 0: none. OPT_ANY: no limit */
    bool stop_at_first_word;   /* everything from the first positional word on is positional */
};
#define OPT_ANY ((size_t)-1)

enum opt_result { OPT_OK, OPT_HELP, OPT_BAD };

/* argv[0] is the command's name and is skipped. Positional words go to `args` (borrowed from argv).
 * OPT_HELP: help was asked for and printed on stdout. OPT_BAD: *e says what is wrong (ERR_USAGE). */
enum opt_result opt_parse(const struct opt_spec *spec, int argc, char **argv, struct opt_list *args,
                          struct err *e);
void opt_print_help(const struct opt_spec *spec);
void opt_print_table(const struct opt_spec *spec);
void opt_print_usage(const struct opt_spec *spec); /* one line on stderr */
void opt_list_release(struct opt_list *l);
/* The name in `names` nearest to `word` by edit distance, or NULL when none is near. */
const char *opt_nearest(const char *word, const char *const *names, size_t count);

#endif
