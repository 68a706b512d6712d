#ifndef NEPHRON_EVALUATE_PICTURES_H
#define NEPHRON_EVALUATE_PICTURES_H

struct arena;
struct err;
struct imageset;
struct model;
struct score;
struct score_report;
struct settings;

/* The pictures of an evaluation; file names as in evaluate.h. Strings live in `a`. */
struct evaluate_pictures {
    const struct settings *settings;
    struct imageset *set;
    struct score *score;
    const struct score_report *report;
    struct model *model; /* with MODEL_FREEZE_BUT_LAST, planned */
};
int evaluate_pictures_write(struct arena *a, const struct evaluate_pictures *p, struct err *e);

#endif
