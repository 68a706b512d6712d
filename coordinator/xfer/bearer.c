/* bearer: see bearer.h. */
#include "bearer.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "json.h"
#include "num.h"
#include "value.h"
#include "webcall.h"

#include <stdlib.h>
#include <string.h>

#define REFRESH_MS (5 * 60 * 1000)
#define METADATA_CONNECT_MS 1000

static int64_t seconds_of(const struct value *v)
{
    int64_t n = 0;
    if (v && v->type == VALUE_INT) {
        return v->i;
    }
    return num_parse_int(value_as_str(v), &n) ? n : 0; /* Azure's metadata says it as text */
}

static int take_answer(struct bearer *b, const struct webcall *c, struct err *e)
{
    struct arena a;
    arena_init(&a);
    const struct value *v = json_parse(&a, strbuf_str(&c->text), "token", NULL);
    struct str token = value_as_str(value_get(v, "access_token"));
    int64_t seconds = seconds_of(value_get(v, "expires_in"));
    int rc = 0;
    if (token.n == 0 || memchr(token.p, '\n', token.n)) {
        rc = err_set(e, ERR_REMOTE, "the answer has no access_token");
    } else {
        free(b->token);
        b->token = xstrndup(token.p, token.n);
        b->expires_ms = clock_wall_ms(&clock_system) + (seconds > 0 ? seconds : 3600) * 1000;
    }
    arena_release(&a);
    return rc;
}

static int prepare(struct webcall *c, struct err *e)
{
    if (c->body.p) {
        webcall_header(c, "Content-Type: application/x-www-form-urlencoded");
    }
    return 0;
}

/* What an OAuth server says is wrong: {"error": …, "error_description": …}. */
static int refused(const struct webcall *c, struct err *e)
{
    struct arena a;
    arena_init(&a);
    const struct value *v = json_parse(&a, strbuf_str(&c->text), "token", NULL);
    struct str what = value_as_str(value_get(v, "error_description"));
    what = what.n > 0 ? what : value_as_str(value_get(v, "error"));
    err_set(e, ERR_REMOTE, "HTTP status %ld", c->reply.status);
    if (what.n > 0) {
        err_append(e, " (%.*s)", (int)(what.n < 300 ? what.n : 300), what.p);
    }
    arena_release(&a);
    return -1;
}

int bearer_fetch(struct bearer *b, struct webcall_engine *g, const struct bearer_request *q,
                 struct err *e)
{
    struct webcall *c = webcall_new();
    const char *query = strchr(q->url, '?');
    c->method = q->form ? "POST" : "GET";
    c->body = q->form ? str_from(q->form) : (struct str){0};
    c->shown = q->shown;
    c->query = query ? query + 1 : "";
    c->extra_header = q->header;
    c->prepare = prepare;
    c->connect_ms = q->form ? 0 : METADATA_CONNECT_MS;
    c->tries = q->form ? 0 : 2;
    b->refreshing = true;
    int rc = webcall_split(&c->arena, q->url, &c->origin, &c->path)
                 ? webcall_run(g, c, e)
                 : err_set(e, ERR_CONFIG, "it is no URL of http or https");
    b->refreshing = false;
    if (rc == 0) {
        rc = webcall_ok(c) ? take_answer(b, c, e) : refused(c, e);
    }
    webcall_free(c);
    return rc < 0 ? err_wrap(e, "no token from %s", q->shown) : 0;
}

bool bearer_good(const struct bearer *b)
{
    return b->refreshing || (b->token && b->expires_ms - clock_wall_ms(&clock_system) > REFRESH_MS);
}

void bearer_add(const struct bearer *b, struct webcall *c)
{
    if (b->token) {
        webcall_header(c, "Authorization: Bearer %s", b->token);
    }
}

void bearer_release(struct bearer *b)
{
    free(b->token);
    b->token = NULL;
}
