#ifndef NEPHRON_STAGEMETA_H
#define NEPHRON_STAGEMETA_H

#include "pipeline.h"

/*
 * `meta.nephron` of a stage: what Nephron may do beyond DVC, which ignores `meta`.
 *
 *   ranks    all | N | N%       a gang stage: on so many ranks (N >= 1, 1..100 %)
 *   slots    N                  how many slots a stage occupies (>= 1)
 *   limit    N                  at most so many members of the foreach/matrix group at once (>= 1)
 *   priority N                  higher first, may be negative
 *   env      {NAME: value}      a list of values is dealt out over the running members
 *   timeout  seconds | "10m"    s, m, h, d, ms may be joined: "1h30m"
 *   retries  N                  how often a failed command is tried again (0..1000)
 *
 * Anything else is refused by name: "'./dvc.yaml', line 4: stage 'x': meta.nephron.rank is not a
 * key of Nephron; known: ranks, …".
 */
struct stagemeta_place {
    const char *shown; /* "./dvc.yaml" */
    const char *stage;
    unsigned line;
};
/* `nephron`: the value below meta.nephron; NULL: nothing given. */
int stagemeta_parse(struct arena *a, const struct value *nephron, const struct stagemeta_place *at,
                    struct stage_meta *out, struct err *e);

/* "10m", "1h30m", "500ms", "90" as seconds. */
bool stagemeta_duration(struct str text, double *seconds);

#endif
