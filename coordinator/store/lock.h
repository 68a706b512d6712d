#ifndef NEPHRON_LOCK_H
#define NEPHRON_LOCK_H

#include "arena.h"
#include "pipeline.h"
#include "str.h"
#include "value.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * dvc.lock: what each stage looked like when it last ran, written byte for byte as DVC 3 (format:
 * emit.h).
 *
 *   schema: '2.0'
 *   stages:
 *     train:
 *       cmd: python train.py
 *       deps:                      sorted by path; fields path, hash, md5, size, nfiles, isexec
 *       - path: data
 *         hash: md5
 *         md5: 22a1a2931c8370d3aeedd7183606fd7f.dir
 *         size: 14445097
 *         nfiles: 3
 *       params:                    params.yaml first, then by name; keys sorted, values as in the
 * file params.yaml: lr: 0.1 outs: …
 *
 * Stages keep the order in which they were first written; entries of stages that are gone stay.
 * Other top-level keys
 * (`datasets`) and unknown item fields (`cloud`, `version_id`, `files`) are carried. Of a dependency
 * on a URL, `etag` or `checksum` stands in the place of md5. Every entry keeps
 * its rendered text, so a rewrite is a concatenation. A file in the form above is read by a direct
 * parser; any other YAML by the YAML reader, with the same result. An empty file (DVC killed while
 * writing) is taken as absent, with a warning. Limit 256 MiB.
 */

struct lock_item {
    const char *path; /* relative to the stage's wdir, as in dvc.yaml */
    struct hash hash;
    const struct value *extra; /* a map of further fields in their order; NULL: none */
};

struct lock_entry {
    const char *name;
    const struct value *cmd; /* str, or a list of str */
    struct lock_item *deps;
    size_t dep_count;
    const struct value *params; /* map file -> map key -> value; NULL: none */
    struct lock_item *outs;
    size_t out_count;
};

struct lock;

/* An absent or empty file gives an empty lock. `path` is the file's path for reading and writing,
 * `shown` for messages
 * ("dvc.lock"). Returns new (lock_free), NULL on error: ERR_FORMAT with DVC's text
 * ("'./dvc.lock' is invalid." / "… validation failed." + where), ERR_LIMIT, ERR_IO. *was_empty (may
 * be NULL): the file is there but has no content, which the caller tells the person once. */
struct lock *lock_read(const char *path, const char *shown, bool *was_empty, struct err *e);
/* The same from memory: tests, fuzzing, revisions read from git. */
struct lock *lock_parse(struct str text, const char *shown, struct err *e);
void lock_free(struct lock *l);

/* Returns borrowed (until the entry is set again or lock_free); NULL when the stage was never
 * locked. */
const struct lock_entry *lock_find(const struct lock *l, const char *stage);
size_t lock_count(const struct lock *l);
const struct lock_entry *lock_at(const struct lock *l, size_t i); /* in file order */
bool lock_exists(const struct lock *l); /* a file was there, and not empty */
/* Copies the entry. Returns whether the lock changed (compared by value, as DVC does). Order of
 * items is made canonical. */
bool lock_set(struct lock *l, const struct lock_entry *en);
bool lock_remove(struct lock *l, const char *stage);
bool lock_dirty(const struct lock *l);

/* The whole file. */
void lock_render(const struct lock *l, struct strbuf *out);
/* Writes atomically when dirty; a lock without any stage removes the file. Clears dirty. */
int lock_write(struct lock *l, struct err *e);

const struct lock_item *lock_item_find(const struct lock_item *items, size_t count,
                                       const char *path);
/* Equal by value, order of items and keys irrelevant. */
bool lock_entry_eq(const struct lock_entry *a, const struct lock_entry *b);
/* Deep copy into `a`, items in canonical order. */
struct lock_entry *lock_entry_copy(struct arena *a, const struct lock_entry *en);
/* The entry as a document {cmd, deps, params, outs} in canonical order: journal, run cache, --json.
 */
struct value *lock_entry_value(struct arena *a, const struct lock_entry *en);
/* And back. ERR_FORMAT with DVC's schema text and `where` ("stages -> train"). */
struct lock_entry *lock_entry_from_value(struct arena *a, const char *name, const struct value *v,
                                         const char *where, struct err *e);
/* One entry as YAML, `indent` blanks in front of each line; without its name: the body of a
 * run-cache file. */
void lock_entry_render(const struct lock_entry *en, unsigned indent, struct strbuf *out);

#endif
