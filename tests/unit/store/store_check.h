#ifndef NEPHRON_STORE_CHECK_H
#define NEPHRON_STORE_CHECK_H

/*
 * A repository in a temporary folder for the store's tests: a real .dvc, no git, files written by
 * hand, stages from dvc.yaml text.
 */

#include "arena.h"
#include "err.h"
#include "fs.h"
#include "pipeline.h"
#include "repo.h"
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <cmocka.h>

struct place {
    char root[64];
    struct repo repo;
    struct pipeline p;
    struct store *store;
    struct arena a;
    struct err e;
    struct strbuf notes;
};

static inline void place_note(void *ctx, enum store_note_kind kind, const char *text)
{
    struct place *t = ctx;
    strbuf_addf(&t->notes, "%s\n", text);
}

static inline const char *place_path(struct place *t, const char *name)
{
    return arena_printf(&t->a, "%s/%s", t->root, name);
}

static inline void place_write(struct place *t, const char *name, const char *text)
{
    const char *path = place_path(t, name);
    assert_int_equal(fs_mkdirs_for(path, &t->e), 0);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), 0, &t->e), 0);
}

static inline const char *place_read(struct place *t, const char *name)
{
    struct strbuf b;
    strbuf_init(&b);
    if (fs_read(place_path(t, name), 0, &b, NULL) < 0) {
        strbuf_release(&b);
        return NULL;
    }
    char *text = arena_strndup(&t->a, b.p, b.n);
    strbuf_release(&b);
    return text;
}

static inline mode_t place_mode(struct place *t, const char *name)
{
    struct stat st;
    assert_int_equal(lstat(place_path(t, name), &st), 0);
    return st.st_mode & 07777;
}

/* Makes a file old enough for the memo to be trusted. */
static inline void place_age(struct place *t, const char *name)
{
    struct utimbuf times = {1000000000, 1000000000};
    assert_int_equal(utime(place_path(t, name), &times), 0);
}

static inline void place_close(struct place *t)
{
    store_close(t->store);
    t->store = NULL;
    if (t->repo.root) {
        pipeline_release(&t->p);
        repo_close(&t->repo);
        memset(&t->repo, 0, sizeof(t->repo));
    }
}

/* (Re)reads everything, as a new process would. */
static inline void place_open(struct place *t)
{
    place_close(t);
    if (repo_open(&t->repo, t->root, &t->e) < 0 || pipeline_load(&t->p, &t->repo, &t->e) < 0) {
        fail_msg("%s", t->e.text);
    }
    t->store = store_open(
        &t->repo, &(struct store_options){.jobs = 2, .note = place_note, .note_ctx = t}, &t->e);
    assert_non_null(t->store);
}

static inline struct stage *place_stage(struct place *t, const char *name)
{
    for (size_t i = 0; i < t->p.stage_count; i++) {
        const struct stage *st = &t->p.stages[i];
        if (!strcmp(st->name ? st->name : st->file, name)) {
            return &t->p.stages[i];
        }
    }
    fail_msg("no stage %s", name);
    return NULL;
}

static inline int place_setup(void **state)
{
    struct place *t = test_calloc(1, sizeof(*t));
    snprintf(t->root, sizeof(t->root), "%s", "/tmp/nephron-store-XXXXXX");
    arena_init(&t->a);
    strbuf_init(&t->notes);
    if (!mkdtemp(t->root)) {
        return -1;
    }
    place_write(t, ".dvc/config", "[core]\n    no_scm = True\n");
    *state = t;
    return 0;
}

static inline int place_teardown(void **state)
{
    struct place *t = *state;
    place_close(t);
    fs_remove_tree(t->root, NULL);
    arena_release(&t->a);
    strbuf_release(&t->notes);
    test_free(t);
    return 0;
}

#define PLACE_TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

#endif
