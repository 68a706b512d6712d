#ifndef NEPHRON_HYDRAINTERP_H
#define NEPHRON_HYDRAINTERP_H

#include "arena.h"
#include "str.h"
#include "value.h"

#include <stdbool.h>

struct err;

/*
 * ${…} in texts of a configuration (https://omegaconf.readthedocs.io, chapters "Variable interpolation" and "The OmegaConf grammar", 2.3):
 *
 *   ${a.b}  ${a[0]}  ${.b}  ${..b}    another node: from the root, beside this one, one container up
 *   ${a.${b}}                         a part of the key from a node
 *   ${oc.env:NAME,default}            a resolver (hydraresolver.h) with arguments: words, numbers, 'texts', [lists], {maps: 1}
 *   \${a}                             the text itself
 *
 * A text that is one interpolation has the value it stands for, also a list or a map; in a longer text their words stand. "???" is a
 * value that is missing.
 */

/* A node and the container it lies in, up to the root, which has none. */
struct hydraplace {
    struct value *node;
    const struct hydraplace *up;
    bool
        bare; /* a list or map that was written as an argument: it can be in texts and arguments, and is no part of a tree */
};

struct hydrainterp {
    struct arena *a;
    struct value *root; /* NULL: the grammar alone is looked at */
    struct err *e;
    size_t depth, work; /* private to hydrainterp.c */
    bool missing;       /* out: the failure is a value that is "???" */
    bool no_index;      /* out: the failure is a key into a list that is no number */
    bool no_node;       /* out: the failure is a key through something that is no map or list */
};

#define HYDRAINTERP_MAX_WORK ((size_t)1 << 20) /* nodes made, and texts by 16 bytes */

bool hydrainterp_is(const struct value *v);         /* a text with "${" */
bool hydrainterp_is_missing(const struct value *v); /* "???" */
/* Is every interpolation of the text well formed? ERR_FORMAT. */
int hydrainterp_check(struct arena *a, struct str text, struct err *e);
/* The value that the text stands for as a member of up->node. Results lie in the tree or in in->a. */
int hydrainterp_text(struct hydrainterp *in, const struct hydraplace *up, struct str text,
                     struct hydraplace *out);
/* The same for a text that is an argument of a resolver. */
int hydrainterp_element(struct hydrainterp *in, const struct hydraplace *up, struct str text,
                        struct hydraplace *out);
/* Follows an interpolation to its value; what is none stays. */
int hydrainterp_follow(struct hydrainterp *in, struct hydraplace *p);
/* The node of a key ("a.b[0]", ".b") as seen from a member of up->node, followed. out->node: NULL when there is none. `strict`: one
 * that is "???" is an error. */
int hydrainterp_select(struct hydrainterp *in, const struct hydraplace *up, struct str key,
                       bool strict, struct hydraplace *out);
/* Replaces every interpolation below `at` by what it stands for; one of a missing value becomes "???". */
int hydrainterp_resolve(struct hydrainterp *in, const struct hydraplace *at);
const char *hydrainterp_type(const struct hydraplace *p); /* OmegaConf's or Python's word */
/* A member by one part of a key; NULL when there is none. Numbers are no keys of maps. *bad_index: a list, and no number. */
struct value *hydrainterp_member(const struct value *in, struct str part, bool *bad_index);
/* Cuts the next part off a key: "a.b[c]" is a, b, c. */
bool hydrainterp_next_part(struct str *rest, struct str *part);
/* A deep copy; NULL beyond the limits. */
struct value *hydrainterp_copy(struct hydrainterp *in, const struct value *v);
/* Counts against the limits. */
int hydrainterp_count(struct hydrainterp *in, size_t n);

#endif
