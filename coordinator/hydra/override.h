#ifndef NEPHRON_OVERRIDE_H
#define NEPHRON_OVERRIDE_H

#include "arena.h"
#include "value.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * `--set-param`: Hydra's override syntax (https://hydra.cc/docs/advanced/override_grammar/basic, Hydra 1.3).
 *
 *   k=v      changes what is there          k=1,2           several experiments, one a value
 *   +k=v     adds what is not there yet     k=choice(a,b)   the same
 *   ++k=v    adds or changes                k=range(1,4)    1, 2, 3; (1,4,0.5): steps
 *   ~k, ~k=v deletes (only when it is v)    k=sort(3,1,2), shuffle(…), glob(…), interval(…)
 *   v        null, true, 3, 1e-5, text, 'text', "text", [1,2], {a: 1}, int(…), float(…), str(…), bool(…), ${other.key}
 *
 * Keys are dotted paths; a number is an index into a list. Parsing does no I/O and knows nothing of the parameters.
 */

enum override_kind { OVERRIDE_CHANGE, OVERRIDE_ADD, OVERRIDE_FORCE_ADD, OVERRIDE_DELETE };

/* What stands behind "=". */
enum override_type {
    OVERRIDE_NOTHING, /* "~k" */
    OVERRIDE_ELEMENT,
    OVERRIDE_CHOICE,   /* `value` is the list of elements, in order */
    OVERRIDE_RANGE,    /* `value` is the list start, stop, step */
    OVERRIDE_INTERVAL, /* no sweep of DVC */
    OVERRIDE_GLOB,     /* no sweep of DVC */
};

struct override {
    enum override_kind kind;
    const char *key;
    const char *package; /* "k@package=v": NULL for all that DVC can use */
    enum override_type type;
    struct value *value; /* strings in quotes have the column of their quote in `text` */
    bool simple;         /* a choice written "1,2" */
    bool shuffled;
    const char *text; /* as typed */
};

#define OVERRIDE_MAX_BYTES ((size_t)1 << 20)
#define OVERRIDE_MAX_SWEEP 10000 /* experiments of one command */

/* All in `a`. ERR_USAGE "Invalid `--set-param` value: …" naming text and column. */
int override_parse(struct arena *a, struct str text, struct override *o, struct err *e);
/* A value in the syntax above, as Hydra writes it: what names an experiment of a sweep. `o`: where its strings stand. */
void override_add_value(struct strbuf *out, const struct override *o, const struct value *v);
/* "+k=1" as Hydra writes it. Not for sweeps. */
void override_add_text(struct strbuf *out, const struct override *o);
bool override_is_sweep(const struct override *o);
/* The elements that a choice or a range stands for, in order; a list in `a`. ERR_USAGE for the other sweeps, and for more than
 * OVERRIDE_MAX_SWEEP. */
int override_sweep(struct arena *a, const struct override *o, struct value **elements,
                   struct err *e);

/* The parameters after one override; the tree `doc` (a map) is changed. ERR_USAGE with Hydra's text. */
int override_apply(struct arena *a, struct value *doc, const struct override *o, struct err *e);

/*
 * Files and what is set in them: "other.yaml:k=v" or "k=v" (params.yaml). A list of typed texts becomes a map
 * file -> list of overrides, files in the order of their first mention, in `a`.
 */
struct value *override_files(struct arena *a, const char *const *typed, size_t count);
/* True in *sweep when one of them is a sweep. Everything is parsed. */
int override_check(struct arena *a, const struct value *files, bool *sweep, struct err *e);
/*
 * The experiments of a sweep: a list of maps like the one of override_files, each without sweeps, in Hydra's order (the last
 * override varies fastest). A key that is set twice in a file keeps its last value.
 */
struct value *override_product(struct arena *a, const struct value *files, struct err *e);

#endif
