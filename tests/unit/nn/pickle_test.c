/* The pickle interpreter: what it builds, what it refuses by name, its limits on both sides. */
#include "weights_check.h"

#include "arena.h"
#include "pickle.h"

#define P "\x80\x02"
#define STORAGE                                                                                    \
    "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                            \
    "0X\3\0\0\0cpuK\6tQ"

struct text {
    const char *p;
    size_t n;
};
#define T(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static struct pickle_value *run(struct arena *a, const char *p, size_t n, struct err *e)
{
    size_t at = 0;
    return pickle_run(a, p, n, &at, "data.pkl", e);
}

static void refused(const char *p, size_t n, const char *part)
{
    struct arena a;
    struct err e = ERR_INIT;
    char *block = malloc(n > 0 ? n : 1);
    memcpy(block, p, n);
    arena_init(&a);
    if (run(&a, block, n, &e) != NULL) {
        fail_msg("not refused, expected '%s'", part);
    }
    CHECK_CONTAINS(e.text, part);
    CHECK_CONTAINS(e.text, "data.pkl, byte ");
    arena_release(&a);
    free(block);
}

static void test_values(void **state)
{
    struct arena a;
    struct err e = ERR_INIT;
    arena_init(&a);
    /* [None, True, False, -2, 7, 300, 2**40, 1.5, 'ab', b'c'] */
    static const char list[] = P "](N\x88\x89J\xfe\xff\xff\xffK\7M\x2c\1"
                                 "\x8a\6\0\0\0\0\0\1G\x3f\xf8\0\0\0\0\0\0X\2\0\0\0abC\1ce.";
    struct pickle_value *v = run(&a, list, sizeof(list) - 1, &e);
    if (v == NULL) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(v->type, PICKLE_LIST);
    assert_int_equal(v->items.count, 10);
    struct pickle_value **x = v->items.p;
    assert_int_equal(x[0]->type, PICKLE_NONE);
    assert_true(x[1]->type == PICKLE_BOOL && x[1]->b);
    assert_true(x[2]->type == PICKLE_BOOL && !x[2]->b);
    assert_true(x[3]->type == PICKLE_INT && x[3]->i == -2);
    assert_int_equal(x[4]->i, 7);
    assert_int_equal(x[5]->i, 300);
    assert_true(x[6]->type == PICKLE_INT && x[6]->i == (int64_t)1 << 40);
    assert_true(x[7]->type == PICKLE_FLOAT && x[7]->f == 1.5);
    assert_true(x[8]->type == PICKLE_STR && str_is(x[8]->s, "ab"));
    assert_true(x[9]->type == PICKLE_BYTES && str_is(x[9]->s, "c"));
    arena_release(&a);
}

static void test_memo_dict_and_tuples(void **state)
{
    struct arena a;
    struct err e = ERR_INIT;
    arena_init(&a);
    /* protocol 4: {'k': (t, t, ()), 5: [t]} with t = (1, 2) memoized */
    static const char p[] =
        "\x80\4\x95\x18\0\0\0\0\0\0\0}\x94(\x8c\1kK\1K\2\x86\x94h\1)\x87K\5]h\1au.";
    struct pickle_value *v = run(&a, p, sizeof(p) - 1, &e);
    if (v == NULL) {
        fail_msg("%s", e.text);
    }
    const struct pickle_value *k = pickle_dict_get(v, "k");
    assert_non_null(k);
    assert_int_equal(k->items.count, 3);
    assert_ptr_equal(k->items.p[0], k->items.p[1]);
    assert_int_equal(k->items.p[0]->items.p[1]->i, 2);
    assert_int_equal(k->items.p[2]->items.count, 0);
    assert_ptr_equal(v->items.p[3]->items.p[0], k->items.p[0]);
    assert_null(pickle_dict_get(v, "none"));
    assert_null(pickle_dict_get(k, "k"));
    arena_release(&a);
}

static void test_ordered_dict_of_python_2_and_build(void **state)
{
    struct arena a;
    struct err e = ERR_INIT;
    arena_init(&a);
    static const char p[] = P "ccollections\nOrderedDict\n](](U\1aK\1e](U\1bK\2ee\x85R}U\1mK\3sb.";
    struct pickle_value *v = run(&a, p, sizeof(p) - 1, &e);
    if (v == NULL) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(v->type, PICKLE_DICT);
    assert_int_equal(v->items.count, 4); /* the attribute of BUILD is no member */
    assert_int_equal(pickle_dict_get(v, "b")->i, 2);
    arena_release(&a);
}

static void test_tensor_inside_its_storage(void **state)
{
    struct arena a;
    struct err e = ERR_INIT;
    arena_init(&a);
    static const char p[] =
        P "ctorch._utils\n_rebuild_tensor_v2\n" STORAGE "K\0K\2K\3\x86K\3K\1\x86\x89"
          "ccollections\nOrderedDict\n)RtR.";
    struct pickle_value *v = run(&a, p, sizeof(p) - 1, &e);
    if (v == NULL) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(v->type, PICKLE_TENSOR);
    assert_int_equal(v->tensor->storage->dtype, WEIGHTS_F32);
    assert_int_equal(v->tensor->storage->count, 6);
    assert_int_equal(v->tensor->shape[1], 3);
    assert_int_equal(v->tensor->strides[0], 3);
    arena_release(&a);
}

/* The pickle of one tensor with these arguments after the storage. */
#define TENSOR(args) T(P "ctorch._utils\n_rebuild_tensor\n" STORAGE args "tR.")

static void test_refusals(void **state)
{
    static const struct {
        struct text p;
        const char *part;
    } cases[] = {
        {T(""), "ends without STOP"},
        {T(P), "ends without STOP"},
        {T("\x80"), "ends inside PROTO"},
        {T("\x80\6."), "protocol 6"},
        {T(P "."), "STOP finds no value"},
        {T(P "\xff."), "byte 0xff is no pickle opcode"},
        {T(P "(."), "STOP finds no value"},
        {T(P "0."), "opcode POP is not allowed"},
        {T(P "K\1"
             "2."),
         "opcode DUP is not allowed"},
        {T(P "I1\n."), "opcode INT is not allowed"},
        {T(P "cos\nsystem\nX\2\0\0\0ls\x85R."), "'os.system'"},
        {T("\x80\4\x8c\2os\x8c\6system\x93."), "'os.system'"},
        {T("\x80\4\x8c\2osK\1\x93."), "STACK_GLOBAL with a str and a int"},
        {T(P "cbuiltins\neval\n."), "'builtins.eval'"},
        {T(P "c__main__\nNet\n)\x81."), "nothing of it was executed"},
        {T(P "(i__main__\nNet\n."), "opcode INST is not allowed"},
        {T(P "ccollections\nOrderedDict\n)\x81."), "opcode NEWOBJ is not allowed"},
        {T(P "ctorch\nQInt8Storage\n."), "storage type 'torch.QInt8Storage' is not supported"},
        {T(P "ctorch.storage\nUntypedStorage\n."), "is not supported"},
        {T(P "cos\x1b[31m\nx\n."), "os\\x1b[31m.x"},
        {T(P "cno newline"), "without the end of its name"},
        {T(P "\x82\1."), "opcode EXT1 is not allowed"},
        {T("\x80\5\x97."), "opcode NEXT_BUFFER is not allowed"},
        {T("\x80\4\x95\xff\0\0\0\0\0\0\0."), "FRAME of 255 bytes"},
        {T(P "X\xff\0\0\0abc"), "ends inside BINUNICODE"},
        {T(P "X\1\0\0\1abc"), "16777217 bytes: the limit is 16777216"},
        {T("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), "the limit is"},
        {T(P "\x8b\xff\xff\xff\xff."), "ends inside LONG4"},
        {T(P "h\5."), "BINGET of memo entry 5, which was never stored"},
        {T(P "j\xff\xff\xff\xff."), "memo entry 4294967295"},
        {T(P "K\1r\xff\xff\xff\xff."), "memo index 4294967295: the limit is 1000000"},
        {T(P "q\0."), "BINPUT finds no value"},
        {T(P "K\1(q\0."), "BINPUT finds no value"},
        {T(P "\x86."), "TUPLE2 finds too few values"},
        {T(P "K\1(K\1\x86."), "TUPLE2 finds too few values"},
        {T(P "t."), "TUPLE without a MARK"},
        {T(P "](K\1a."), "APPEND finds too few values"},
        {T(P "}K\1a."), "APPEND on a dict, expected a list"},
        {T(P "](K\1u."), "SETITEMS on a list, expected a dict"},
        {T(P "}(K\1u."), "a key that has no value"},
        {T(P "K\1K\2s."), "SETITEM finds too few values"},
        {T(P "}}b."), "BUILD of a dict with a dict is not allowed"},
        {T(P "ccollections\nOrderedDict\n)R]b."), "BUILD of a OrderedDict with a list"},
        {T(P "K\1)R."), "what REDUCE calls is a int"},
        {T(P "ccollections\nOrderedDict\nK\1R."), "arguments of REDUCE is a int"},
        {T(P "ccollections\nOrderedDict\nK\1\x85R."), "something else than pairs"},
        {T(P "ccollections\nOrderedDict\n]K\1a\x85R."), "something else than pairs"},
        {T(P "ctorch\nfloat32\n)R."), "which is not callable"},
        {T(P "ctorch\nSize\n)R."), "Size called with 0 arguments"},
        {T(P "ctorch._utils\n_rebuild_tensor_v2\n)R."), "called with 0 arguments"},
        {T(P "ctorch._utils\n_rebuild_parameter\n(K\1NNtR."), "data of a parameter is a int"},
        {T(P "K\1Q."), "persistent id is a int"},
        {T(P ")Q."), "empty persistent id"},
        {T(P "X\6\0\0\0moduleN\x86Q."), "persistent id of kind 'module'"},
        {T(P "X\7\0\0\0storage\x85Q."), "persistent id with 1 members"},
        {TENSOR("K\1K\2K\3\x86K\3K\1\x86"), "tensor beyond the end of storage '0' (6 elements)"},
        {TENSOR("K\0K\2K\4\x86K\3K\1\x86"), "beyond the end"},
        {TENSOR("K\0\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85K\2\x85"), "beyond the end"},
        {TENSOR("K\0J\xff\xff\xff\xff\x85K\1\x85"), "size in a shape is -1"},
        {TENSOR("J\xff\xff\xff\xffK\1\x85K\1\x85"), "offset of a tensor is -1"},
        {TENSOR("K\0K\1\x85J\xfe\xff\xff\xff\x85"), "stride of a tensor is -2"},
        {TENSOR("K\0K\1\x85)"), "1 dimensions and 0 strides"},
        {TENSOR("K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t)"), "9 dimensions: the limit is 8"},
        {TENSOR("K\7K\0\x85K\1\x85"), "beyond the end"},
        {TENSOR("K\0NN"), "shape of a tensor is a None"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        refused(cases[i].p.p, cases[i].p.n, cases[i].part);
    }
}

/* `count` times `unit`, between a head and a tail; accepted or refused as `part` says. */
static void repeated(const char *head, const char *unit, size_t count, const char *tail,
                     const char *part)
{
    struct strbuf b;
    struct arena a;
    struct err e = ERR_INIT;
    strbuf_init(&b);
    strbuf_adds(&b, head);
    for (size_t i = 0; i < count; i++) {
        strbuf_adds(&b, unit);
    }
    strbuf_adds(&b, tail);
    if (part != NULL) {
        refused(b.p, b.n, part);
    } else {
        arena_init(&a);
        if (run(&a, b.p, b.n, &e) == NULL) {
            fail_msg("%s", e.text);
        }
        arena_release(&a);
    }
    strbuf_release(&b);
}

static void test_limits_on_both_sides(void **state)
{
    repeated("(", "N", PICKLE_MAX_STACK, "t.", NULL);
    repeated("(", "N", PICKLE_MAX_STACK + 1, "t.", "stack of more than 100000 values");
    repeated("", "(", PICKLE_MAX_DEPTH, "N.", NULL);
    repeated("", "(", PICKLE_MAX_DEPTH + 1, "N.", "nested deeper than 64");
}

/* MEMOIZE numbers by entries in use: one value again and again fills the memo, too. */
static void test_memo_limit(void **state)
{
    repeated("N", "\x94", PICKLE_MAX_MEMO, ".", NULL);
    repeated("N", "\x94", PICKLE_MAX_MEMO + 1, ".", "memo index 1000000");
}

/* A list that is given again and again to OrderedDict: quadratic memory ends at the limit. */
static void test_memory_limit(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    strbuf_adds(&b, "ccollections\nOrderedDict\nq");
    strbuf_addch(&b, 0);
    strbuf_adds(&b, "](");
    for (int i = 0; i < 20000; i++) {
        strbuf_adds(&b, "NN\x86");
    }
    strbuf_adds(&b, "e\x85q\1(");
    for (int i = 0; i < 5000; i++) {
        strbuf_add(&b, "h\0h\1R", 5);
    }
    strbuf_adds(&b, "t.");
    refused(b.p, b.n, "more than 256 MB of memory");
    strbuf_release(&b);
}

static void test_state_dict_that_we_write(void **state)
{
    struct weights_entry t[2] = {
        {.name = "a.weight", .dtype = WEIGHTS_F16, .ndim = 2, .shape = {2, 3}},
        {.name = "n", .dtype = WEIGHTS_I64, .ndim = 0},
    };
    struct err e = ERR_INIT;
    struct strbuf b;
    struct arena a;
    CHECK_OK(weights_entry_layout(&t[0], &e));
    CHECK_OK(weights_entry_layout(&t[1], &e));
    strbuf_init(&b);
    arena_init(&a);
    pickle_write_state_dict(&b, t, 2);
    struct pickle_value *v = run(&a, b.p, b.n, &e);
    if (v == NULL) {
        fail_msg("%s", e.text);
    }
    const struct pickle_value *x = pickle_dict_get(v, "a.weight");
    assert_int_equal(x->type, PICKLE_TENSOR);
    assert_int_equal(x->tensor->strides[0], 3);
    assert_int_equal(x->tensor->storage->dtype, WEIGHTS_F16);
    x = pickle_dict_get(v, "n");
    assert_int_equal(x->tensor->ndim, 0);
    assert_true(str_is(x->tensor->storage->key, "1"));
    /* Every prefix is refused, none crashes. */
    for (size_t n = 0; n < b.n; n++) {
        refused(b.p, n, "");
    }
    arena_release(&a);
    strbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_memo_dict_and_tuples),
        cmocka_unit_test(test_ordered_dict_of_python_2_and_build),
        cmocka_unit_test(test_tensor_inside_its_storage),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits_on_both_sides),
        cmocka_unit_test(test_memo_limit),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_state_dict_that_we_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
