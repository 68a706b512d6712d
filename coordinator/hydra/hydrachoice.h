#ifndef NEPHRON_HYDRACHOICE_H
#define NEPHRON_HYDRACHOICE_H

#include "hydradefault.h"
#include "override.h"

struct err;
struct hydrarepo;

/*
 * Which options of groups were asked for, on the command line and by `override` in defaults lists, and which ones the lists met so far
 * really have. Keys are those of hydradefault_key. The first to choose counts: the command line, then outer lists.
 */

struct hydrachoice {
    const char *key, *option;
    const struct value *options;
    const char *file; /* whose list overrides; NULL: the command line */
    bool used;
};

struct hydradeletion {
    const char *key, *option; /* option NULL: whatever it is */
    bool used;
};

struct hydraknown {
    const char *key, *group, *option; /* option NULL: null */
};

struct hydrachoices {
    struct arena *a;
    struct hydrachoice *items;
    struct hydradeletion *deletions;
    struct hydraknown *known;
    struct hydradefault **added;    /* "+group=option" */
    const struct override **values; /* overrides of values, in order */
    size_t count, capacity, deletion_count, known_count, known_capacity, added_count, value_count;
};

/* Sorts the command line's overrides, which are kept until release. ERR_USAGE with Hydra's text. */
int hydrachoice_open(struct hydrachoices *c, const struct hydrarepo *r,
                     const struct override *overrides, size_t count, struct err *e);
void hydrachoice_release(struct hydrachoices *c);

/* `override` of a list: kept unless somebody chose before. `file`: of the list. */
void hydrachoice_override(struct hydrachoices *c, const char *file, const struct hydradefault *d);
/* Gives an element the option that was chosen for it. */
void hydrachoice_apply(struct hydrachoices *c, struct hydradefault *d);
/* Was it deleted by "~group"? Then it is used. */
bool hydrachoice_delete(struct hydrachoices *c, const struct hydradefault *d);
/* Keeps what an element is. ERR_USAGE: another list has it with another option. */
int hydrachoice_know(struct hydrachoices *c, const struct hydradefault *d, struct err *e);
/* The known options as a map for ${group}. */
struct value *hydrachoice_map(const struct hydrachoices *c);
/* Was all that was asked for met? ERR_USAGE with Hydra's text. */
int hydrachoice_check_used(const struct hydrachoices *c, struct err *e);

#endif
