#ifndef NEPHRON_STALE_SHOW_H
#define NEPHRON_STALE_SHOW_H

#include "arena.h"
#include "stale.h"
#include "str.h"
#include "value.h"

struct store;

/* How stale reports are shown. Bytes as DVC (dvc.md §8). */

/* The text of `status`: nothing when all is clean (the caller says so). */
void stale_text(struct strbuf *out, const struct stale_report *reports, size_t count);
/* {"prep": [{"changed deps": {…}}, {"changed outs": {…}}, "changed command"]}; {} when clean. */
struct value *stale_json(struct arena *a, const struct stale_report *reports, size_t count);
/*
 * `explain`: one sentence a reason, down to file and parameter:
 *   train will run:
 *     its dependency prep.txt changed (was 0084467710d2…, 6 bytes; now 5d41402abc4b…, 11 bytes)
 *     its parameter lr in params.yaml changed from 0.1 to 0.25
 */
void explain_render(struct store *s, struct strbuf *out, const struct stale_report *r,
                    const struct stale_decision *d);
/* The same for --json: {"stage", "stale", "reason", "changes":
 * [{"kind","path","key","word","was","now"}]}. */
struct value *explain_json(struct store *s, struct arena *a, const struct stale_report *r,
                           const struct stale_decision *d);

#endif
