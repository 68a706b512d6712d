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
 *     its dependency data changed (was 0084467710d2…, 2 files, 6 bytes; now 5d41402abc4b…, 3 files, 11 bytes)
 *         added     b/3
 *     its parameter lr in params.yaml changed from 0.1 to 0.25
 * Of a folder the first 20 members that changed, then how many; none where the cache lacks the recorded list.
 */
void stale_explain(struct store *s, struct strbuf *out, const struct stale_report *r);
/*
 * The same for --json: {"stage", "stale", "reason", "frozen", "reasons": [{"kind", …}]}. Kinds: "dep", "out",
 * "params file" {"path", "change", "recorded", "found": {"md5", "size", "nfiles"} or null, "members"?: {"added",
 * "deleted", "modified": counts, "first": [{"path", "change"}]}}; "param" {"path", "param", "change", "recorded",
 * "found": values}; "command" {"recorded", "found"}; "never ran", "always changed", "checksum" alone.
 */
struct value *stale_explain_json(struct store *s, struct arena *a, const struct stale_report *r);

#endif
