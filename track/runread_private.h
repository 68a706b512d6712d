#ifndef NEPHRON_RUNREAD_PRIVATE_H
#define NEPHRON_RUNREAD_PRIVATE_H

#include "runread.h"
#include "tracking.h"

#include <stdbool.h>
#include <stdint.h>

/* The two sources behind runread.h: runread_redis.c and runread_spool.c. */

struct event;
struct spool_model; /* what the spool files say, in memory */

struct runread {
    struct redis *redis; /* or */
    struct spool_model *model;
    char prefix[TRACKING_PREFIX_MAX + 1];
    uint64_t behind;
};

int runread_redis_ids(struct runread *r, struct arena *a, size_t limit, const char ***ids,
                      size_t *count, struct err *e);
int runread_redis_heads(struct runread *r, struct arena *a, const char *const *ids, size_t count,
                        struct run_record *runs, struct err *e);
int runread_redis_run(struct runread *r, struct arena *a, const char *id, struct run_record *run,
                      struct err *e);
int runread_redis_metric(struct runread *r, struct arena *a, const char *id, const char *name,
                         struct runread_place *place, struct metric_point **points, size_t *count,
                         struct err *e);
int runread_redis_log(struct runread *r, struct arena *a, const char *id,
                      struct runread_place *place, struct log_line **lines, size_t *count,
                      struct err *e);

/* Reads the folder <project>/.nephron/spool; absent is empty. Returns new. */
struct spool_model *spool_model_new(const struct tracking *t);
/* An empty one, and one record of `run` into it: what the folder's reading does, without the
 * folder. */
struct spool_model *spool_model_empty(void);
void spool_model_apply(struct spool_model *m, const char *run, const struct event *ev);
void spool_model_free(struct spool_model *m);
int spool_model_refresh(struct spool_model *m, struct err *e);
void spool_model_ids(struct spool_model *m, struct arena *a, size_t limit, const char ***ids,
                     size_t *count);
/* false: no such run. `whole`: params, tags, stages and ranks too. */
bool spool_model_run(struct spool_model *m, struct arena *a, const char *id, bool whole,
                     struct run_record *run);
void spool_model_metric(struct spool_model *m, struct arena *a, const char *id, const char *name,
                        struct runread_place *place, struct metric_point **points, size_t *count);
void spool_model_log(struct spool_model *m, struct arena *a, const char *id,
                     struct runread_place *place, struct log_line **lines, size_t *count);

/* status running with an old heartbeat -> lost. */
void runread_mark_lost(struct arena *a, struct value *fields, int64_t now_ms);
/* Name -> JSON text as maps; what is no JSON map is left out. */
void runread_add_json(struct arena *a, struct value *map, const char *name, struct str json);

#endif
