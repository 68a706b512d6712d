#ifndef NEPHRON_MODELSHARE_H
#define NEPHRON_MODELSHARE_H

struct arena;
struct comm;
struct err;
struct model;
struct modelfile_info;
struct par;

/*
 * One read of a model file for all ranks: rank 0 opens it, the others get what it says over the
 * comm. A thousand ranks that start at once would otherwise read half a gigabyte a thousand times
 * from one file system. All calls are collective and fail on every rank together.
 *
 * The description travels as its metadata, "key NUL value NUL" one after the other; the values as
 * the parameter arena and the running statistics, as they lie in memory.
 */

/* The description of `path`; its strings live in `a`. */
int modelshare_info(struct comm *c, const char *path, struct arena *a, struct modelfile_info *info,
                    struct err *e);
/* Rank 0's parameters and running statistics to all: models of the same shape. */
int modelshare_values(struct comm *c, struct model *m, struct err *e);
/* model_open_frozen (modelio.h) for all ranks. Returns new (model_free). */
struct model *modelshare_open(struct comm *c, const char *path, int freeze, struct par *par,
                              struct arena *a, struct modelfile_info *info, struct err *e);

#endif
