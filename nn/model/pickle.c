/*
 * The stack machine of pickle.h: opcodes and how they build values. What a global means and how it
 * is "called" is in pickle_globals.c. Opcode numbers and arguments: CPython, Lib/pickletools.py.
 *
 * Two guards run before every opcode: the memory of the arena, and (in push) the stack's height. An
 * argument is taken through take(), the only place that reads input, so that nothing is read beyond
 * its end. Lists and dicts grow by doubling; what the pickle does to the stack below the innermost
 * MARK is refused.
 */
#include "pickle.h"

#include "pickle_machine.h"

#include "alloc.h"
#include "bytes_le.h"
#include "err.h"
#include "nameindex.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *pickle_type_name(enum pickle_type t)
{
    static const char *const names[] = {"None",    "bool",  "int",   "int",
                                        "float",   "str",   "bytes", "tuple",
                                        "list",    "set",   "dict",  "class or function",
                                        "storage", "tensor"};
    return names[t];
}

int pickle_fail(struct pickle_machine *m, enum err_code code, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(m->e, code, "%s, byte %zu: %s", m->what, m->op_at, text);
}

struct pickle_value *pickle_new(struct pickle_machine *m, enum pickle_type type)
{
    struct pickle_value *v = ARENA_NEW(m->a, struct pickle_value);
    v->type = type;
    return v;
}

/* ---- input, stack, marks, memo ---- */

static const unsigned char *take(struct pickle_machine *m, uint64_t n)
{
    if (n > m->n - m->at) {
        pickle_fail(m, ERR_FORMAT, "the pickle ends inside %s", m->op_name);
        return NULL;
    }
    const unsigned char *p = m->p + m->at;
    m->at += (size_t)n;
    return p;
}

int pickle_push(struct pickle_machine *m, struct pickle_value *v)
{
    if (m->depth >= PICKLE_MAX_STACK) {
        return pickle_fail(m, ERR_LIMIT, "stack of more than %d values", PICKLE_MAX_STACK);
    }
    ARRAY_RESERVE(m->stack, m->depth, m->stack_capacity, 1);
    m->stack[m->depth++] = v;
    return 0;
}

static size_t floor_of_stack(const struct pickle_machine *m)
{
    return m->mark_count > 0 ? m->marks[m->mark_count - 1] : 0;
}

struct pickle_value *pickle_pop(struct pickle_machine *m)
{
    if (m->depth <= floor_of_stack(m)) {
        pickle_fail(m, ERR_FORMAT, "%s finds no value on the stack", m->op_name);
        return NULL;
    }
    return m->stack[--m->depth];
}

static struct pickle_value *top(struct pickle_machine *m, enum pickle_type type)
{
    if (m->depth <= floor_of_stack(m)) {
        pickle_fail(m, ERR_FORMAT, "%s finds no value on the stack", m->op_name);
        return NULL;
    }
    struct pickle_value *v = m->stack[m->depth - 1];
    if (v->type != type) {
        pickle_fail(m, ERR_FORMAT, "%s on a %s, expected a %s", m->op_name,
                    pickle_type_name(v->type), pickle_type_name(type));
        return NULL;
    }
    return v;
}

/* Removes the innermost mark; what lies above it is stack[*from … depth). */
static int pop_mark(struct pickle_machine *m, size_t *from)
{
    if (m->mark_count == 0) {
        return pickle_fail(m, ERR_FORMAT, "%s without a MARK", m->op_name);
    }
    *from = m->marks[--m->mark_count];
    return 0;
}

static void extend(struct pickle_machine *m, struct pickle_items *items, struct pickle_value **v,
                   size_t n)
{
    if (n > items->capacity - items->count) {
        size_t capacity =
            items->count + n > 2 * items->capacity ? items->count + n : 2 * items->capacity;
        struct pickle_value **p = ARENA_ARRAY(m->a, capacity, struct pickle_value *);
        if (items->count > 0) {
            memcpy(p, items->p, items->count * sizeof(*p));
        }
        items->p = p;
        items->capacity = capacity;
    }
    if (n > 0) {
        memcpy(items->p + items->count, v, n * sizeof(*v));
    }
    items->count += n;
}

static int memo_put(struct pickle_machine *m, uint64_t index)
{
    if (index >= PICKLE_MAX_MEMO) {
        return pickle_fail(m, ERR_LIMIT, "memo index %" PRIu64 ": the limit is %d", index,
                           PICKLE_MAX_MEMO);
    }
    if (m->depth <= floor_of_stack(m)) {
        return pickle_fail(m, ERR_FORMAT, "%s finds no value on the stack", m->op_name);
    }
    if (index >= m->memo_capacity) {
        size_t old = m->memo_capacity;
        size_t want = (size_t)index + 1;
        ARRAY_RESERVE(m->memo, old, m->memo_capacity, want - old);
        memset(m->memo + old, 0, (m->memo_capacity - old) * sizeof(*m->memo));
    }
    m->memo_used += m->memo[index] == NULL;
    m->memo[index] = m->stack[m->depth - 1];
    return 0;
}

static int memo_get(struct pickle_machine *m, uint64_t index)
{
    if (index >= m->memo_capacity || m->memo[index] == NULL) {
        return pickle_fail(m, ERR_FORMAT, "%s of memo entry %" PRIu64 ", which was never stored",
                           m->op_name, index);
    }
    return pickle_push(m, m->memo[index]);
}

/* ---- opcodes ---- */

static int op_proto(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 1);
    if (p == NULL) {
        return -1;
    }
    return *p > 5 ? pickle_fail(m, ERR_FORMAT, "pickle protocol %d is not known", *p) : 0;
}

static int op_frame(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 8);
    if (p == NULL) {
        return -1;
    }
    return le_u64(p) > m->n - m->at
               ? pickle_fail(m, ERR_FORMAT, "FRAME of %" PRIu64 " bytes is longer than the pickle",
                             le_u64(p))
               : 0;
}

static int op_mark(struct pickle_machine *m)
{
    if (m->mark_count >= PICKLE_MAX_DEPTH) {
        return pickle_fail(m, ERR_LIMIT, "values nested deeper than %d", PICKLE_MAX_DEPTH);
    }
    m->marks[m->mark_count++] = m->depth;
    return 0;
}

static int op_stop(struct pickle_machine *m)
{
    m->result = pickle_pop(m);
    return m->result == NULL ? -1 : 0;
}

static int op_none(struct pickle_machine *m)
{
    return pickle_push(m, pickle_new(m, PICKLE_NONE));
}

static int push_bool(struct pickle_machine *m, bool b)
{
    struct pickle_value *v = pickle_new(m, PICKLE_BOOL);
    v->b = b;
    return pickle_push(m, v);
}

static int op_true(struct pickle_machine *m)
{
    return push_bool(m, true);
}

static int op_false(struct pickle_machine *m)
{
    return push_bool(m, false);
}

static int push_int(struct pickle_machine *m, int64_t i)
{
    struct pickle_value *v = pickle_new(m, PICKLE_INT);
    v->i = i;
    return pickle_push(m, v);
}

static int op_binint(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 4);
    return p == NULL ? -1 : push_int(m, (int32_t)le_u32(p));
}

static int op_binint1(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 1);
    return p == NULL ? -1 : push_int(m, *p);
}

static int op_binint2(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 2);
    return p == NULL ? -1 : push_int(m, le_u16(p));
}

/* n bytes, little-endian two's complement. */
static int push_long(struct pickle_machine *m, uint64_t n)
{
    const unsigned char *p = take(m, n);
    if (p == NULL) {
        return -1;
    }
    if (n > 8) {
        struct pickle_value *v = pickle_new(m, PICKLE_LONG);
        v->s = (struct str){(const char *)p, (size_t)n};
        return pickle_push(m, v);
    }
    uint64_t u = n > 0 && (p[n - 1] & 0x80) != 0 ? UINT64_MAX : 0;
    memcpy(&u, p, (size_t)n);
    return push_int(m, (int64_t)u);
}

static int op_long1(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 1);
    return p == NULL ? -1 : push_long(m, *p);
}

static int op_long4(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 4);
    return p == NULL ? -1 : push_long(m, le_u32(p));
}

static int op_binfloat(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 8);
    if (p == NULL) {
        return -1;
    }
    uint64_t bits = __builtin_bswap64(le_u64(p));
    struct pickle_value *v = pickle_new(m, PICKLE_FLOAT);
    memcpy(&v->f, &bits, sizeof(bits));
    return pickle_push(m, v);
}

/* A text or bytes value whose length stands before it in `width` bytes. */
static int push_text(struct pickle_machine *m, unsigned width, enum pickle_type type)
{
    const unsigned char *p = take(m, width);
    if (p == NULL) {
        return -1;
    }
    uint64_t n = 0;
    memcpy(&n, p, width);
    if (n > PICKLE_MAX_STRING) {
        return pickle_fail(m, ERR_LIMIT, "%s of %" PRIu64 " bytes: the limit is %zu", m->op_name, n,
                           PICKLE_MAX_STRING);
    }
    p = take(m, n);
    if (p == NULL) {
        return -1;
    }
    struct pickle_value *v = pickle_new(m, type);
    v->s = (struct str){(const char *)p, (size_t)n};
    return pickle_push(m, v);
}

static int op_short_str(struct pickle_machine *m)
{
    return push_text(m, 1, PICKLE_STR);
}

static int op_str(struct pickle_machine *m)
{
    return push_text(m, 4, PICKLE_STR);
}

static int op_str8(struct pickle_machine *m)
{
    return push_text(m, 8, PICKLE_STR);
}

static int op_short_bytes(struct pickle_machine *m)
{
    return push_text(m, 1, PICKLE_BYTES);
}

static int op_bytes(struct pickle_machine *m)
{
    return push_text(m, 4, PICKLE_BYTES);
}

static int op_empty_tuple(struct pickle_machine *m)
{
    return pickle_push(m, pickle_new(m, PICKLE_TUPLE));
}

static int op_empty_list(struct pickle_machine *m)
{
    return pickle_push(m, pickle_new(m, PICKLE_LIST));
}

static int op_empty_dict(struct pickle_machine *m)
{
    return pickle_push(m, pickle_new(m, PICKLE_DICT));
}

static int op_empty_set(struct pickle_machine *m)
{
    return pickle_push(m, pickle_new(m, PICKLE_SET));
}

/* The values stack[from … depth) become one tuple. */
static int make_tuple(struct pickle_machine *m, size_t from)
{
    struct pickle_value *v = pickle_new(m, PICKLE_TUPLE);
    extend(m, &v->items, m->stack + from, m->depth - from);
    m->depth = from;
    return pickle_push(m, v);
}

static int op_tuple(struct pickle_machine *m)
{
    size_t from = 0;
    return pop_mark(m, &from) < 0 ? -1 : make_tuple(m, from);
}

static int tuple_of(struct pickle_machine *m, size_t n)
{
    if (m->depth - floor_of_stack(m) < n) {
        return pickle_fail(m, ERR_FORMAT, "%s finds too few values on the stack", m->op_name);
    }
    return make_tuple(m, m->depth - n);
}

static int op_tuple1(struct pickle_machine *m)
{
    return tuple_of(m, 1);
}

static int op_tuple2(struct pickle_machine *m)
{
    return tuple_of(m, 2);
}

static int op_tuple3(struct pickle_machine *m)
{
    return tuple_of(m, 3);
}

/* Moves stack[from … depth) into the container below, which must be of `type`. */
static int add_items(struct pickle_machine *m, size_t from, enum pickle_type type)
{
    size_t n = m->depth - from;
    m->depth = from;
    struct pickle_value *v = top(m, type);
    if (v == NULL) {
        return -1;
    }
    if (type == PICKLE_DICT && n % 2 != 0) {
        return pickle_fail(m, ERR_FORMAT, "%s with a key that has no value", m->op_name);
    }
    extend(m, &v->items, m->stack + from, n);
    return 0;
}

static int add_marked(struct pickle_machine *m, enum pickle_type type)
{
    size_t from = 0;
    return pop_mark(m, &from) < 0 ? -1 : add_items(m, from, type);
}

static int op_append(struct pickle_machine *m)
{
    if (m->depth - floor_of_stack(m) < 2) {
        return pickle_fail(m, ERR_FORMAT, "APPEND finds too few values on the stack");
    }
    return add_items(m, m->depth - 1, PICKLE_LIST);
}

static int op_appends(struct pickle_machine *m)
{
    return add_marked(m, PICKLE_LIST);
}

static int op_additems(struct pickle_machine *m)
{
    return add_marked(m, PICKLE_SET);
}

static int op_setitem(struct pickle_machine *m)
{
    if (m->depth - floor_of_stack(m) < 3) {
        return pickle_fail(m, ERR_FORMAT, "SETITEM finds too few values on the stack");
    }
    return add_items(m, m->depth - 2, PICKLE_DICT);
}

static int op_setitems(struct pickle_machine *m)
{
    return add_marked(m, PICKLE_DICT);
}

static int op_binget(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 1);
    return p == NULL ? -1 : memo_get(m, *p);
}

static int op_long_binget(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 4);
    return p == NULL ? -1 : memo_get(m, le_u32(p));
}

static int op_binput(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 1);
    return p == NULL ? -1 : memo_put(m, *p);
}

static int op_long_binput(struct pickle_machine *m)
{
    const unsigned char *p = take(m, 4);
    return p == NULL ? -1 : memo_put(m, le_u32(p));
}

static int op_memoize(struct pickle_machine *m)
{
    return memo_put(m, m->memo_used);
}

/* Text up to a newline, which is passed. */
static int take_line(struct pickle_machine *m, struct str *line)
{
    const unsigned char *p = m->p + m->at;
    size_t left = m->n - m->at;
    const unsigned char *end = memchr(p, '\n', left < 1024 ? left : 1024);
    if (end == NULL) {
        return pickle_fail(m, ERR_FORMAT, "%s without the end of its name", m->op_name);
    }
    *line = (struct str){(const char *)p, (size_t)(end - p)};
    m->at += line->n + 1;
    return 0;
}

static int op_global(struct pickle_machine *m)
{
    struct str module, name;
    if (take_line(m, &module) < 0 || take_line(m, &name) < 0) {
        return -1;
    }
    return pickle_push_global(m, module, name);
}

static int op_stack_global(struct pickle_machine *m)
{
    const struct pickle_value *name = pickle_pop(m);
    const struct pickle_value *module = name == NULL ? NULL : pickle_pop(m);
    if (module == NULL) {
        return -1;
    }
    if (name->type != PICKLE_STR || module->type != PICKLE_STR) {
        return pickle_fail(m, ERR_FORMAT, "STACK_GLOBAL with a %s and a %s, expected two names",
                           pickle_type_name(module->type), pickle_type_name(name->type));
    }
    return pickle_push_global(m, module->s, name->s);
}

/* The state of an OrderedDict is its attributes (_metadata of state_dict): of no use here. */
static int op_build(struct pickle_machine *m)
{
    const struct pickle_value *state = pickle_pop(m);
    const struct pickle_value *target = state == NULL ? NULL : top(m, PICKLE_DICT);
    if (target == NULL) {
        return -1;
    }
    if (!target->ordered || (state->type != PICKLE_DICT && state->type != PICKLE_NONE)) {
        return pickle_fail(m, ERR_FORMAT, "BUILD of a %s with a %s is not allowed",
                           target->ordered ? "OrderedDict" : "dict", pickle_type_name(state->type));
    }
    return 0;
}

typedef int op_fn(struct pickle_machine *m);

/* All opcodes of protocols 0 to 5; those without a function are refused by name. */
static const struct {
    const char *name;
    op_fn *run;
} OPCODES[256] = {
    ['('] = {"MARK", op_mark},
    ['.'] = {"STOP", op_stop},
    ['0'] = {"POP", NULL},
    ['1'] = {"POP_MARK", NULL},
    ['2'] = {"DUP", NULL},
    ['F'] = {"FLOAT", NULL},
    ['I'] = {"INT", NULL},
    ['J'] = {"BININT", op_binint},
    ['K'] = {"BININT1", op_binint1},
    ['L'] = {"LONG", NULL},
    ['M'] = {"BININT2", op_binint2},
    ['N'] = {"NONE", op_none},
    ['P'] = {"PERSID", NULL},
    ['Q'] = {"BINPERSID", pickle_persistent_id},
    ['R'] = {"REDUCE", pickle_reduce},
    ['S'] = {"STRING", NULL},
    ['T'] = {"BINSTRING", op_str},
    ['U'] = {"SHORT_BINSTRING", op_short_str},
    ['V'] = {"UNICODE", NULL},
    ['X'] = {"BINUNICODE", op_str},
    ['a'] = {"APPEND", op_append},
    ['b'] = {"BUILD", op_build},
    ['c'] = {"GLOBAL", op_global},
    ['d'] = {"DICT", NULL},
    ['}'] = {"EMPTY_DICT", op_empty_dict},
    ['e'] = {"APPENDS", op_appends},
    ['g'] = {"GET", NULL},
    ['h'] = {"BINGET", op_binget},
    ['i'] = {"INST", NULL},
    ['j'] = {"LONG_BINGET", op_long_binget},
    ['l'] = {"LIST", NULL},
    [']'] = {"EMPTY_LIST", op_empty_list},
    ['o'] = {"OBJ", NULL},
    ['p'] = {"PUT", NULL},
    ['q'] = {"BINPUT", op_binput},
    ['r'] = {"LONG_BINPUT", op_long_binput},
    ['s'] = {"SETITEM", op_setitem},
    ['t'] = {"TUPLE", op_tuple},
    [')'] = {"EMPTY_TUPLE", op_empty_tuple},
    ['u'] = {"SETITEMS", op_setitems},
    ['G'] = {"BINFLOAT", op_binfloat},
    ['B'] = {"BINBYTES", op_bytes},
    ['C'] = {"SHORT_BINBYTES", op_short_bytes},
    [0x80] = {"PROTO", op_proto},
    [0x81] = {"NEWOBJ", NULL},
    [0x82] = {"EXT1", NULL},
    [0x83] = {"EXT2", NULL},
    [0x84] = {"EXT4", NULL},
    [0x85] = {"TUPLE1", op_tuple1},
    [0x86] = {"TUPLE2", op_tuple2},
    [0x87] = {"TUPLE3", op_tuple3},
    [0x88] = {"NEWTRUE", op_true},
    [0x89] = {"NEWFALSE", op_false},
    [0x8a] = {"LONG1", op_long1},
    [0x8b] = {"LONG4", op_long4},
    [0x8c] = {"SHORT_BINUNICODE", op_short_str},
    [0x8d] = {"BINUNICODE8", op_str8},
    [0x8e] = {"BINBYTES8", NULL},
    [0x8f] = {"EMPTY_SET", op_empty_set},
    [0x90] = {"ADDITEMS", op_additems},
    [0x91] = {"FROZENSET", NULL},
    [0x92] = {"NEWOBJ_EX", NULL},
    [0x93] = {"STACK_GLOBAL", op_stack_global},
    [0x94] = {"MEMOIZE", op_memoize},
    [0x95] = {"FRAME", op_frame},
    [0x96] = {"BYTEARRAY8", NULL},
    [0x97] = {"NEXT_BUFFER", NULL},
    [0x98] = {"READONLY_BUFFER", NULL},
};

static int step(struct pickle_machine *m)
{
    m->op_at = m->at;
    if (m->at >= m->n) {
        return pickle_fail(m, ERR_FORMAT, "the pickle ends without STOP");
    }
    unsigned char code = m->p[m->at++];
    m->op_name = OPCODES[code].name;
    if (m->op_name == NULL) {
        return pickle_fail(m, ERR_FORMAT, "byte 0x%02x is no pickle opcode", code);
    }
    if (OPCODES[code].run == NULL) {
        return pickle_fail(m, ERR_FORMAT, "pickle opcode %s is not allowed in a weights file",
                           m->op_name);
    }
    if (m->a->bytes_used - m->bytes_before > PICKLE_MAX_MEMORY) {
        return pickle_fail(m, ERR_LIMIT, "the pickle needs more than %zu MB of memory",
                           PICKLE_MAX_MEMORY >> 20);
    }
    return OPCODES[code].run(m);
}

struct pickle_value *pickle_run(struct arena *a, const void *data, size_t n, size_t *at,
                                const char *what, struct err *e)
{
    struct pickle_machine m = {.a = a, .p = data, .n = n, .at = *at, .what = what, .e = e};
    m.bytes_before = a->bytes_used;
    if (n - *at > PICKLE_MAX_BYTES) {
        m.n = *at + PICKLE_MAX_BYTES; /* the legacy form has storages behind its pickles */
    }
    ARRAY_RESERVE(m.stack, m.depth, m.stack_capacity, 16); /* never NULL: offsets are taken of it */
    while (m.result == NULL && step(&m) == 0) {
    }
    free(m.stack);
    free(m.memo);
    *at = m.at;
    return m.result;
}

const struct pickle_value *pickle_dict_get(const struct pickle_value *dict, const char *key)
{
    if (dict == NULL || dict->type != PICKLE_DICT) {
        return NULL;
    }
    for (size_t i = dict->items.count; i >= 2; i -= 2) {
        const struct pickle_value *k = dict->items.p[i - 2];
        if (k->type == PICKLE_STR && str_is(k->s, key)) {
            return dict->items.p[i - 1];
        }
    }
    return NULL;
}
