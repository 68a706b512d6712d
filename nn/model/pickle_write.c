/*
 * The pickle of a state dict, opcode for opcode what torch.save (protocol 2) writes, without memo
 * entries, which nothing reads: OrderedDict((name, _rebuild_tensor_v2(storage, 0, shape, strides,
 * False, OrderedDict())), …) with storage i stored under key str(i).
 */
#include "pickle.h"

#include "bytes_le.h"

#include <stdio.h>

#define ORDERED_DICT "ccollections\nOrderedDict\n)R"

static void put_text(struct strbuf *out, const char *text)
{
    unsigned char head[5] = {'X'};
    size_t n = strlen(text);
    le_put32(head + 1, (uint32_t)n);
    strbuf_add(out, head, sizeof(head));
    strbuf_add(out, text, n);
}

static void put_size(struct strbuf *out, size_t v)
{
    unsigned char b[11];
    if (v <= INT32_MAX) {
        b[0] = 'J';
        le_put32(b + 1, (uint32_t)v);
        strbuf_add(out, b, 5);
        return;
    }
    b[0] = 0x8a; /* LONG1; sizes of tensors are below 2^63, so the sign bit is clear */
    b[1] = 8;
    le_put64(b + 2, v);
    strbuf_add(out, b, 10);
}

static void put_sizes(struct strbuf *out, const size_t *v, unsigned n)
{
    strbuf_addch(out, '(');
    for (unsigned i = 0; i < n; i++) {
        put_size(out, v[i]);
    }
    strbuf_addch(out, 't');
}

void pickle_write_state_dict(struct strbuf *out, const struct weights_entry *entries, size_t count)
{
    char key[24];
    strbuf_add(out, "\x80\x02", 2);
    strbuf_adds(out, ORDERED_DICT "(");
    for (size_t i = 0; i < count; i++) {
        const struct weights_entry *t = &entries[i];
        put_text(out, t->name);
        strbuf_adds(out, "ctorch._utils\n_rebuild_tensor_v2\n((");
        put_text(out, "storage");
        strbuf_addf(out, "ctorch\n%s\n", weights_dtype_torch(t->dtype));
        snprintf(key, sizeof(key), "%zu", i);
        put_text(out, key);
        put_text(out, "cpu");
        put_size(out, t->count);
        strbuf_adds(out, "tQ");
        put_size(out, 0);
        put_sizes(out, t->shape, t->ndim);
        put_sizes(out, t->strides, t->ndim);
        strbuf_add(out, "\x89", 1);
        strbuf_adds(out, ORDERED_DICT "tR");
    }
    strbuf_adds(out, "u.");
}
