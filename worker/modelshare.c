/* Model files read once; see modelshare.h. */
#include "modelshare.h"

#include "comm.h"
#include "ranks_agree.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "model.h"
#include "modelfile.h"
#include "modelio.h"
#include "str.h"
#include "weights.h"

#include <stdlib.h>
#include <string.h>

/* --- the description ------------------------------------------------------------------------- */

static int pack(struct arena *a, const struct modelfile_info *info, struct strbuf *out,
                struct err *e)
{
    struct weights_meta *meta;
    size_t count;
    if (modelfile_info_meta(a, info, &meta, &count, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        strbuf_add(out, meta[i].key, strlen(meta[i].key) + 1);
        strbuf_add(out, meta[i].value, strlen(meta[i].value) + 1);
    }
    return 0;
}

/* text: pairs as pack() wrote them. */
static int unpack(struct arena *a, const char *text, size_t n, const char *path,
                  struct modelfile_info *info, struct err *e)
{
    struct weights fake = {0};
    size_t ends = 0;
    for (size_t i = 0; i < n; i++) {
        ends += text[i] == '\0';
    }
    fake.meta = ARENA_ARRAY(a, ends / 2 + 1, struct weights_meta);
    for (const char *p = text; p < text + n;) {
        struct weights_meta *one = &fake.meta[fake.meta_count++];
        one->key = p;
        one->value = p + strlen(p) + 1;
        p = one->value + strlen(one->value) + 1;
    }
    return modelfile_info_from(a, &fake, path, info, e);
}

/* rc: rank 0's success so far in filling *info. */
static int share_info(struct comm *c, int rc, const char *path, struct arena *a,
                      struct modelfile_info *info, struct err *e)
{
    struct strbuf text;
    size_t n = 0;
    strbuf_init(&text);
    if (c->rank == 0 && rc == 0) {
        rc = pack(a, info, &text, e);
        n = text.n;
    }
    rc = ranks_agree(c, rc, e);
    rc = rc == 0 ? comm_bcast(c, &n, sizeof(n), 0, e) : rc;
    if (rc == 0 && c->rank > 0) {
        strbuf_pad(&text, '\0', n);
    }
    rc = rc == 0 ? comm_bcast(c, text.p, n, 0, e) : rc;
    if (rc == 0 && c->rank > 0) {
        rc = unpack(a, text.p, n, path, info, e);
    }
    strbuf_release(&text);
    return rc;
}

int modelshare_info(struct comm *c, const char *path, struct arena *a, struct modelfile_info *info,
                    struct err *e)
{
    int rc = c->rank == 0 ? modelfile_read_info(a, path, info, e) : 0;
    return c->size == 1 ? rc : share_info(c, rc, path, a, info, e);
}

/* --- the values ------------------------------------------------------------------------------ */

int modelshare_values(struct comm *c, struct model *m, struct err *e)
{
    size_t count;
    const struct model_buffer *buffers = model_buffers(m, &count);
    if (comm_bcast(c, model_values(m), model_arena_count(m) * sizeof(float), 0, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const struct model_buffer *b = &buffers[i];
        int rc = b->counter ? comm_bcast(c, b->counter, sizeof(*b->counter), 0, e)
                            : comm_bcast(c, b->value, b->count * sizeof(float), 0, e);
        if (rc < 0) {
            return -1;
        }
    }
    return 0;
}

struct model *modelshare_open(struct comm *c, const char *path, int freeze, struct par *par,
                              struct arena *a, struct modelfile_info *info, struct err *e)
{
    struct model *m = NULL;
    if (c->rank == 0) {
        m = model_open_frozen(path, freeze, par, a, info, e);
    }
    if (c->size == 1) {
        return m;
    }
    int rc = share_info(c, c->rank > 0 || m ? 0 : -1, path, a, info, e);
    if (rc == 0 && c->rank > 0) {
        m = model_from_info(info, freeze, par, e);
    }
    rc = ranks_agree(c, rc == 0 && m ? 0 : -1, e);
    rc = rc == 0 ? modelshare_values(c, m, e) : rc;
    if (rc < 0) {
        model_free(m);
        m = NULL;
    }
    return m;
}
