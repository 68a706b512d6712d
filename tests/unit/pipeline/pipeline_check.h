#ifndef NEPHRON_PIPELINE_CHECK_H
#define NEPHRON_PIPELINE_CHECK_H

/*
 * A repository in a temporary folder for the pipeline tests: files are written, loaded, and
 * described in a short text that a test can show whole. The struct repo is made by hand, so that
 * only the paths of the repo library are used.
 */

#include "err.h"
#include "fs.h"
#include "graph.h"
#include "ignore.h"
#include "pipeline.h"
#include "repo.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char root[64];
    struct repo repo;
    struct pipeline p;
    struct graph g;
    struct arena a;
    struct strbuf text;
    struct err e;
};

static inline int place_setup(void **state)
{
    struct place *t = test_calloc(1, sizeof(*t));
    snprintf(t->root, sizeof(t->root), "/tmp/nephron-pipeline-XXXXXX");
    if (!mkdtemp(t->root)) {
        return -1;
    }
    t->repo.root = t->root;
    t->repo.prefix = ".";
    t->repo.no_scm = true;
    arena_init(&t->repo.arena);
    arena_init(&t->a);
    strbuf_init(&t->text);
    *state = t;
    return 0;
}

static inline void place_unload(struct place *t)
{
    graph_release(&t->g);
    pipeline_release(&t->p);
    t->e = (struct err)ERR_INIT;
    strbuf_reset(&t->text);
}

static inline int place_teardown(void **state)
{
    struct place *t = *state;
    struct err e = ERR_INIT;
    place_unload(t);
    fs_remove_tree(t->root, &e);
    ignore_free(t->repo.ignore);
    arena_release(&t->repo.arena);
    arena_release(&t->a);
    strbuf_release(&t->text);
    test_free(t);
    return 0;
}

static inline void place_write(struct place *t, const char *path, const char *text)
{
    struct err e = ERR_INIT;
    const char *abs = arena_printf(&t->a, "%s/%s", t->root, path);
    assert_int_equal(fs_mkdirs_for(abs, &e), 0);
    FILE *f = fopen(abs, "wb");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* One line a stage: "addr [wdir] cmd1|cmd2 <dep <file=k,k >out +m:out", flags after outs. */
static inline const char *place_describe(struct place *t)
{
    static const char *const kinds[] = {">", ">m:", ">p:"};
    struct strbuf *b = &t->text;
    strbuf_reset(b);
    for (size_t i = 0; i < t->p.stage_count; i++) {
        const struct stage *s = &t->p.stages[i];
        strbuf_adds(b, s->addr);
        if (strcmp(s->wdir, ".") != 0) {
            strbuf_addf(b, " [%s]", s->wdir);
        }
        for (size_t k = 0; k < s->cmd_count; k++) {
            strbuf_addf(b, "%s%s", k ? "|" : " ", s->cmds[k]);
        }
        for (size_t k = 0; k < s->dep_count; k++) {
            strbuf_addf(b, " <%s", s->deps[k].path);
        }
        for (size_t k = 0; k < s->param_count; k++) {
            strbuf_addf(b, " <%s=", s->params[k].path);
            for (size_t n = 0; n < s->params[k].key_count; n++) {
                strbuf_addf(b, "%s%s", n ? "," : "", s->params[k].keys[n]);
            }
        }
        for (size_t k = 0; k < s->out_count; k++) {
            const struct out *o = &s->outs[k];
            strbuf_addf(b, " %s%s%s%s%s", kinds[o->kind], o->path, o->cache ? "" : "!cache",
                        o->persist ? "!persist" : "", o->push ? "" : "!push");
        }
        strbuf_addf(b, "%s%s\n", s->frozen ? " frozen" : "", s->always_changed ? " always" : "");
    }
    return b->p;
}

/* Loads what is in the folder; the error's text or the description. */
static inline const char *place_load(struct place *t)
{
    place_unload(t);
    return pipeline_load(&t->p, &t->repo, &t->e) < 0 ? t->e.text : place_describe(t);
}

/* The same with the graph; "" when all is well. */
static inline const char *place_graph(struct place *t)
{
    place_unload(t);
    if (pipeline_load(&t->p, &t->repo, &t->e) < 0 ||
        graph_build(&t->g, &t->p, &t->repo, &t->e) < 0) {
        return t->e.text;
    }
    return "";
}

static inline const char *place_load_yaml(struct place *t, const char *text)
{
    place_write(t, "dvc.yaml", text);
    return place_load(t);
}

#endif
