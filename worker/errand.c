/* See errand.h. */
#include "errand.h"

#include "alloc.h"
#include "arena.h"
#include "carry.h"
#include "err.h"
#include "ferry.h"
#include "job.h"
#include "pool.h"
#include "post.h"
#include "repo.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

struct errand {
    struct post *post;
    struct repo repo;
    struct store *store; /* NULL: nothing is open yet */
    enum errand_state state;
    struct arena arena; /* of the job under way, as everything below */
    struct job job;
    struct carry carry;
    struct ferry *ferry;
    struct strbuf result;
};

struct errand *errand_new(struct post *post)
{
    struct errand *x = xcalloc(1, sizeof *x);
    x->post = post;
    return x;
}

void errand_free(struct errand *x)
{
    errand_drop(x);
    if (x->store != NULL) {
        store_close(x->store);
        repo_close(&x->repo);
    }
    free(x);
}

enum errand_state errand_state(const struct errand *x)
{
    return x->state;
}

static int open_store(struct errand *x, struct err *e)
{
    if (x->store != NULL) {
        return 0;
    }
    if (repo_open(&x->repo, NULL, e) < 0) {
        return err_wrap(e, "ranks without a common file system need a repository each");
    }
    x->store = store_open(&x->repo, NULL, e);
    if (x->store == NULL) {
        repo_close(&x->repo);
        return -1;
    }
    return 0;
}

/* Paths of the coordinator's repository become ours. */
static int settle(struct errand *x, struct err *e)
{
    struct job *j = &x->job;
    size_t n = strlen(x->carry.root);
    if (strncmp(j->cwd, x->carry.root, n) != 0 || (j->cwd[n] != '\0' && j->cwd[n] != '/')) {
        return err_set(e, ERR_FORMAT,
                       "stage '%s' runs in %s, outside of the repository %s, which "
                       "needs a common file system",
                       j->stage, j->cwd, x->carry.root);
    }
    j->cwd = arena_printf(&x->arena, "%s%s", x->repo.root, j->cwd + n);
    j->log_path = NULL; /* rank 0 writes it */
    const char **env = ARENA_ARRAY(&x->arena, j->env_count + 1, const char *);
    for (size_t i = 0; i < j->env_count; i++) {
        bool root = strncmp(j->env[i], "DVC_ROOT=", 9) == 0;
        env[i] = root ? arena_printf(&x->arena, "DVC_ROOT=%s", x->repo.root) : j->env[i];
    }
    j->env = env;
    return 0;
}

static int copy_job(struct errand *x, const struct job *j, struct err *e)
{
    struct strbuf packed;
    strbuf_init(&packed);
    job_pack(j, &packed);
    int rc = job_unpack(strbuf_str(&packed), &x->arena, &x->job, e);
    strbuf_release(&packed);
    return rc;
}

/* The trip goes on; at its end the job may start. */
static int go(struct errand *x, struct err *e)
{
    if (ferry_go(x->ferry)) {
        return 0;
    }
    int rc = ferry_result(x->ferry, e);
    ferry_free(x->ferry);
    x->ferry = NULL;
    x->state = ERRAND_READY;
    return rc;
}

int errand_begin(struct errand *x, const struct job *j, struct err *e)
{
    arena_init(&x->arena);
    strbuf_init(&x->result);
    x->state = ERRAND_BRINGING;
    if (open_store(x, e) < 0 || copy_job(x, j, e) < 0 ||
        carry_parse(&x->arena, x->job.carry, &x->carry, e) < 0 || settle(x, e) < 0) {
        return -1;
    }
    x->ferry = ferry_bring(x->post, 0, x->store, &x->carry, e);
    return x->ferry != NULL ? go(x, e) : -1;
}

const struct job *errand_job(struct errand *x)
{
    x->state = ERRAND_RUNNING;
    return &x->job;
}

int errand_made(struct errand *x, const struct job_result *r, struct err *e)
{
    struct strbuf b;
    if (carry_store_outs(x->store, &x->arena, &x->carry, e) < 0) {
        return -1;
    }
    result_pack(r, &x->result);
    strbuf_init(&b);
    strbuf_add(&b, &x->job.id, sizeof x->job.id);
    strbuf_addf(&b, "R%s", x->repo.root);
    strbuf_addch(&b, '\0');
    for (size_t i = 0; i < x->carry.out_count; i++) {
        const struct carry_file *o = &x->carry.outs[i];
        if (o->md5 != NULL) {
            strbuf_addf(&b, "%c%s %s", o->isexec ? 'X' : 'D', o->md5, o->path);
            strbuf_addch(&b, '\0');
        }
    }
    int rc = post_send(x->post, 0, POOL_OUTS, strbuf_str(&b), e);
    strbuf_release(&b);
    x->state = ERRAND_RETURNING;
    return rc;
}

static int take_kept(struct errand *x, struct str bytes, const struct strbuf **result,
                     struct err *e)
{
    uint64_t id = 0;
    if (x->state != ERRAND_RETURNING || bytes.n < sizeof id) {
        return err_set(e, ERR_FORMAT, "an answer about outputs that nobody returned");
    }
    memcpy(&id, bytes.p, sizeof id);
    struct str why = str_sub(bytes, sizeof id, bytes.n - sizeof id);
    if (why.n > 0) {
        return err_set(e, ERR_IO, "%.*s", STR_ARG(why));
    }
    *result = &x->result;
    return 0;
}

int errand_letter(struct errand *x, int tag, struct str bytes, const struct strbuf **result,
                  struct err *e)
{
    *result = NULL;
    switch (tag) {
    case POOL_NEED:
        return x->store != NULL
                   ? ferry_serve(x->post, 0, x->store, bytes, e)
                   : err_set(e, ERR_FORMAT, "objects are asked for of a rank without any");
    case POOL_BYTES:
        if (x->ferry == NULL) {
            return 0; /* the trip was given up */
        }
        ferry_bytes(x->ferry, bytes);
        return go(x, e);
    default:
        return take_kept(x, bytes, result, e);
    }
}

void errand_drop(struct errand *x)
{
    if (x->state == ERRAND_NONE) {
        return;
    }
    if (x->ferry != NULL) {
        ferry_cancel(x->ferry);
        while (ferry_go(x->ferry)) {
        }
        ferry_free(x->ferry);
        x->ferry = NULL;
    }
    strbuf_release(&x->result);
    arena_release(&x->arena);
    x->state = ERRAND_NONE;
}
