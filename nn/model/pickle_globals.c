/*
 * The closed list of globals that a weights file may name, and what "calling" them builds. Each
 * argument is checked for type and range here, so that a struct pickle_tensor that exists lies
 * inside its storage: offset + sum((shape - 1) * stride) < count, computed without overflow.
 */
#include "pickle_machine.h"

#include "nameindex.h"

#include <inttypes.h>

enum global_kind {
    GLOBAL_ORDERED_DICT,
    GLOBAL_TENSOR,
    GLOBAL_TENSOR_V2,
    GLOBAL_PARAMETER,
    GLOBAL_SIZE,
    GLOBAL_DEVICE,
    GLOBAL_DTYPE,
    GLOBAL_STORAGE, /* + enum weights_dtype */
};

static const struct {
    const char *module, *name;
    enum global_kind kind;
} GLOBALS[] = {
    {"collections", "OrderedDict", GLOBAL_ORDERED_DICT},
    {"torch._utils", "_rebuild_tensor", GLOBAL_TENSOR},
    {"torch._utils", "_rebuild_tensor_v2", GLOBAL_TENSOR_V2},
    {"torch._utils", "_rebuild_parameter", GLOBAL_PARAMETER},
    {"torch", "Size", GLOBAL_SIZE},
    {"torch", "device", GLOBAL_DEVICE},
    {"torch", "float64", GLOBAL_DTYPE},
    {"torch", "float32", GLOBAL_DTYPE},
    {"torch", "float16", GLOBAL_DTYPE},
    {"torch", "bfloat16", GLOBAL_DTYPE},
    {"torch", "int64", GLOBAL_DTYPE},
    {"torch", "int32", GLOBAL_DTYPE},
    {"torch", "int16", GLOBAL_DTYPE},
    {"torch", "int8", GLOBAL_DTYPE},
    {"torch", "uint8", GLOBAL_DTYPE},
    {"torch", "bool", GLOBAL_DTYPE},
};

static const char *kind_name(int global)
{
    for (size_t i = 0; i < sizeof(GLOBALS) / sizeof(GLOBALS[0]); i++) {
        if ((int)GLOBALS[i].kind == global) {
            return GLOBALS[i].name;
        }
    }
    return "a storage class";
}

static int find_global(struct str module, struct str name)
{
    for (size_t i = 0; i < sizeof(GLOBALS) / sizeof(GLOBALS[0]); i++) {
        if (str_is(module, GLOBALS[i].module) && str_is(name, GLOBALS[i].name)) {
            return (int)GLOBALS[i].kind;
        }
    }
    if (str_is(module, "torch") || str_is(module, "torch.cuda")) {
        for (int t = 0; t < WEIGHTS_DTYPE_COUNT; t++) {
            const char *storage = weights_dtype_torch((enum weights_dtype)t);
            if (storage != NULL && str_is(name, storage)) {
                return GLOBAL_STORAGE + t;
            }
        }
    }
    return -1;
}

int pickle_push_global(struct pickle_machine *m, struct str module, struct str name)
{
    int global = find_global(module, name);
    if (global < 0 && str_starts(module, "torch") && str_ends(name, "Storage")) {
        return pickle_fail(m, ERR_FORMAT, "storage type '%s.%s' is not supported",
                           nameindex_show(module).text, nameindex_show(name).text);
    }
    if (global < 0) {
        return pickle_fail(m, ERR_FORMAT,
                           "the pickle asks for '%s.%s', which is neither a tensor nor a plain "
                           "container; nothing of it was executed. Save the model's state_dict(), "
                           "not the model",
                           nameindex_show(module).text, nameindex_show(name).text);
    }
    struct pickle_value *v = pickle_new(m, PICKLE_GLOBAL);
    v->global = global;
    return pickle_push(m, v);
}

static int need(struct pickle_machine *m, const struct pickle_value *v, enum pickle_type type,
                const char *role)
{
    if (v->type == type) {
        return 0;
    }
    return pickle_fail(m, ERR_FORMAT, "%s is a %s, expected a %s", role, pickle_type_name(v->type),
                       pickle_type_name(type));
}

static int need_size(struct pickle_machine *m, const struct pickle_value *v, const char *role,
                     uint64_t *out)
{
    if (need(m, v, PICKLE_INT, role) < 0) {
        return -1;
    }
    if (v->i < 0) {
        return pickle_fail(m, ERR_FORMAT, "%s is %" PRId64 ", expected 0 or more", role, v->i);
    }
    *out = (uint64_t)v->i;
    return 0;
}

/* Files of PyTorch 0.3 and older: (key of the view, offset, size) of a window, or None. */
static int storage_view(struct pickle_machine *m, struct pickle_storage *s,
                        const struct pickle_value *v)
{
    uint64_t offset, size;
    if (v->type == PICKLE_NONE) {
        return 0;
    }
    if (need(m, v, PICKLE_TUPLE, "view of a storage") < 0) {
        return -1;
    }
    if (v->items.count != 3) {
        return pickle_fail(m, ERR_FORMAT, "view of a storage with %zu members, expected 3",
                           v->items.count);
    }
    if (need_size(m, v->items.p[1], "offset of a storage view", &offset) < 0 ||
        need_size(m, v->items.p[2], "size of a storage view", &size) < 0) {
        return -1;
    }
    if (offset > s->count || size > s->count - offset) {
        return pickle_fail(m, ERR_FORMAT, "view beyond the end of storage '%s'",
                           nameindex_show(s->key).text);
    }
    s->view_offset = offset;
    return 0;
}

int pickle_persistent_id(struct pickle_machine *m)
{
    const struct pickle_value *id = pickle_pop(m);
    if (id == NULL || need(m, id, PICKLE_TUPLE, "persistent id") < 0) {
        return -1;
    }
    struct pickle_value *const *p = id->items.p;
    size_t count = id->items.count;
    if (count < 1 || need(m, p[0], PICKLE_STR, "kind of a persistent id") < 0) {
        return count < 1 ? pickle_fail(m, ERR_FORMAT, "empty persistent id") : -1;
    }
    if (!str_is(p[0]->s, "storage")) {
        return pickle_fail(m, ERR_FORMAT, "persistent id of kind '%s', expected 'storage'",
                           nameindex_show(p[0]->s).text);
    }
    if (count != 5 && count != 6) {
        return pickle_fail(m, ERR_FORMAT, "persistent id with %zu members, expected 5", count);
    }
    if (need(m, p[1], PICKLE_GLOBAL, "type of a storage") < 0 ||
        need(m, p[2], PICKLE_STR, "key of a storage") < 0 ||
        need(m, p[3], PICKLE_STR, "location of a storage") < 0) {
        return -1;
    }
    if (p[1]->global < GLOBAL_STORAGE) {
        return pickle_fail(m, ERR_FORMAT, "type of a storage is %s", kind_name(p[1]->global));
    }
    struct pickle_storage *s = ARENA_NEW(m->a, struct pickle_storage);
    s->dtype = (enum weights_dtype)(p[1]->global - GLOBAL_STORAGE);
    s->key = p[2]->s;
    s->at = m->op_at;
    if (need_size(m, p[4], "size of a storage", &s->count) < 0 ||
        (count == 6 && storage_view(m, s, p[5]) < 0)) {
        return -1;
    }
    struct pickle_value *v = pickle_new(m, PICKLE_STORAGE);
    v->storage = s;
    return pickle_push(m, v);
}

/* The highest element that the view touches must lie in the storage. */
static int check_bounds(struct pickle_machine *m, const struct pickle_tensor *t)
{
    uint64_t last = t->offset, reach, room = t->storage->count - t->storage->view_offset;
    bool empty = false, overflow = false;
    for (unsigned i = 0; i < t->ndim; i++) {
        if (t->shape[i] == 0) {
            empty = true;
            continue;
        }
        overflow |= __builtin_mul_overflow(t->shape[i] - 1, t->strides[i], &reach) ||
                    __builtin_add_overflow(last, reach, &last);
    }
    if (empty ? t->offset <= room : !overflow && last < room) {
        return 0;
    }
    return pickle_fail(m, ERR_FORMAT,
                       "tensor beyond the end of storage '%s' (%" PRIu64 " elements)",
                       nameindex_show(t->storage->key).text, room);
}

static int rebuild_tensor(struct pickle_machine *m, struct pickle_value *const *p)
{
    if (need(m, p[0], PICKLE_STORAGE, "storage of a tensor") < 0 ||
        need(m, p[2], PICKLE_TUPLE, "shape of a tensor") < 0 ||
        need(m, p[3], PICKLE_TUPLE, "strides of a tensor") < 0) {
        return -1;
    }
    const struct pickle_items *shape = &p[2]->items, *strides = &p[3]->items;
    if (shape->count > WEIGHTS_MAX_DIMS) {
        return pickle_fail(m, ERR_LIMIT, "tensor with %zu dimensions: the limit is %d",
                           shape->count, WEIGHTS_MAX_DIMS);
    }
    if (shape->count != strides->count) {
        return pickle_fail(m, ERR_FORMAT, "tensor with %zu dimensions and %zu strides",
                           shape->count, strides->count);
    }
    struct pickle_tensor *t = ARENA_NEW(m->a, struct pickle_tensor);
    t->storage = p[0]->storage;
    t->ndim = (unsigned)shape->count;
    t->at = m->op_at;
    if (need_size(m, p[1], "offset of a tensor", &t->offset) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < t->ndim; i++) {
        if (need_size(m, shape->p[i], "size in a shape", &t->shape[i]) < 0 ||
            need_size(m, strides->p[i], "stride of a tensor", &t->strides[i]) < 0) {
            return -1;
        }
    }
    if (check_bounds(m, t) < 0) {
        return -1;
    }
    struct pickle_value *v = pickle_new(m, PICKLE_TENSOR);
    v->tensor = t;
    return pickle_push(m, v);
}

/* OrderedDict() or, from Python 2, OrderedDict([[key, value], …]). */
static int make_ordered_dict(struct pickle_machine *m, const struct pickle_items *args)
{
    struct pickle_value *v = pickle_new(m, PICKLE_DICT);
    v->ordered = true;
    if (args->count == 0) {
        return pickle_push(m, v);
    }
    if (args->count != 1 || args->p[0]->type != PICKLE_LIST) {
        return pickle_fail(m, ERR_FORMAT, "OrderedDict called with something else than pairs");
    }
    const struct pickle_items *pairs = &args->p[0]->items;
    v->items.p = ARENA_ARRAY(m->a, 2 * pairs->count, struct pickle_value *);
    v->items.count = v->items.capacity = 2 * pairs->count;
    for (size_t i = 0; i < pairs->count; i++) {
        const struct pickle_value *pair = pairs->p[i];
        if ((pair->type != PICKLE_LIST && pair->type != PICKLE_TUPLE) || pair->items.count != 2) {
            return pickle_fail(m, ERR_FORMAT, "OrderedDict called with something else than pairs");
        }
        v->items.p[2 * i] = pair->items.p[0];
        v->items.p[2 * i + 1] = pair->items.p[1];
    }
    return pickle_push(m, v);
}

static int wrong_args(struct pickle_machine *m, int global, size_t count)
{
    return pickle_fail(m, ERR_FORMAT, "%s called with %zu arguments", kind_name(global), count);
}

static int reduce_parameter(struct pickle_machine *m, const struct pickle_items *args)
{
    if (args->count != 3) {
        return wrong_args(m, GLOBAL_PARAMETER, args->count);
    }
    return need(m, args->p[0], PICKLE_TENSOR, "data of a parameter") < 0
               ? -1
               : pickle_push(m, args->p[0]);
}

int pickle_reduce(struct pickle_machine *m)
{
    const struct pickle_value *args = pickle_pop(m);
    const struct pickle_value *fn = args == NULL ? NULL : pickle_pop(m);
    if (fn == NULL || need(m, args, PICKLE_TUPLE, "arguments of REDUCE") < 0 ||
        need(m, fn, PICKLE_GLOBAL, "what REDUCE calls") < 0) {
        return -1;
    }
    const struct pickle_items *p = &args->items;
    switch (fn->global) {
    case GLOBAL_ORDERED_DICT:
        return make_ordered_dict(m, p);
    case GLOBAL_TENSOR:
        return p->count != 4 ? wrong_args(m, fn->global, p->count) : rebuild_tensor(m, p->p);
    case GLOBAL_TENSOR_V2:
        return p->count < 6 || p->count > 7 ? wrong_args(m, fn->global, p->count)
                                            : rebuild_tensor(m, p->p);
    case GLOBAL_PARAMETER:
        return reduce_parameter(m, p);
    case GLOBAL_SIZE:
        if (p->count != 1 || p->p[0]->type != PICKLE_TUPLE) {
            return wrong_args(m, fn->global, p->count);
        }
        return pickle_push(m, p->p[0]);
    case GLOBAL_DEVICE:
        if (p->count < 1 || p->count > 2 || p->p[0]->type != PICKLE_STR) {
            return wrong_args(m, fn->global, p->count);
        }
        return pickle_push(m, p->p[0]);
    default:
        return pickle_fail(m, ERR_FORMAT, "REDUCE calls %s, which is not callable here",
                           kind_name(fn->global));
    }
}
