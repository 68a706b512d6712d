/* The three splits: sizes, seeds, whole groups, patterns, and what is refused. */
#include "data_check.h"

#include "arena.h"
#include "phantom.h"
#include "split.h"

/* A data set that exists as a list only. */
struct made {
    struct dataset d;
    const char *classes[3];
    size_t sizes[3], first[3];
};

static void made_add(struct made *m, const char *class_name, const char *const *names, size_t n)
{
    size_t c = m->d.class_count++;

    m->classes[c] = class_name;
    m->sizes[c] = n;
    m->first[c] = m->d.count;
    m->d.classes = m->classes;
    m->d.class_sizes = m->sizes;
    m->d.class_first = m->first;
    m->d.samples = realloc(m->d.samples, (m->d.count + n) * sizeof(struct sample));
    for (size_t i = 0; i < n; i++) {
        m->d.samples[m->d.count++] = (struct sample){names[i], names[i], (int)c};
    }
}

static const char *const hundred_names[100];

static void two_classes(struct made *m, size_t a, size_t b)
{
    *m = (struct made){0};
    made_add(m, "Normal", hundred_names, a);
    made_add(m, "Tumor", hundred_names, b);
}

static void check_partition(const struct split *s, const struct dataset *d)
{
    bool *seen = calloc(d->count, sizeof(*seen));

    assert_int_equal(s->train_count + s->valid_count, d->count);
    for (size_t i = 0; i < s->train_count; i++) {
        assert_true(i == 0 || s->train[i] > s->train[i - 1]);
        seen[s->train[i]] = true;
    }
    for (size_t i = 0; i < s->valid_count; i++) {
        assert_true(i == 0 || s->valid[i] > s->valid[i - 1]);
        assert_false(seen[s->valid[i]]);
    }
    free(seen);
}

static void random_is_stratified_and_seeded(void **state)
{
    struct made m;
    struct split a, b, c;
    struct err e = ERR_INIT;

    two_classes(&m, 40, 23);
    struct split_options o = {.kind = SPLIT_RANDOM, .fraction = 0.2, .seed = 4};
    check_ok(split_make(&a, &m.d, &o, &e), e);
    check_ok(split_make(&b, &m.d, &o, &e), e);
    o.seed = 5;
    check_ok(split_make(&c, &m.d, &o, &e), e);
    check_partition(&a, &m.d);
    assert_int_equal(a.valid_sizes[0], 8);
    assert_int_equal(a.valid_sizes[1], 5); /* 4.6 */
    assert_int_equal(a.train_sizes[1], 18);
    assert_memory_equal(a.valid, b.valid, 13 * sizeof(size_t));
    assert_memory_not_equal(a.valid, c.valid, 13 * sizeof(size_t));
    split_release(&a);
    split_release(&b);
    split_release(&c);
    free(m.d.samples);
}

static void ordered_is_as_in_keras(void **state)
{
    struct made m;
    struct split s;
    struct strbuf text;
    struct err e = ERR_INIT;

    two_classes(&m, 24, 23);
    check_ok(
        split_make(&s, &m.d, &(struct split_options){.kind = SPLIT_ORDERED, .fraction = 0.2}, &e),
        e);
    check_partition(&s, &m.d);
    assert_int_equal(s.valid_count, 4 + 4); /* int(4.8), int(4.6) */
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(s.valid[i], i);
        assert_int_equal(s.valid[4 + i], 24 + i);
    }
    strbuf_init(&text);
    split_describe(&s, &m.d, &text);
    assert_string_equal(text.p, "ordered split: 39 training (Normal 20, Tumor 19), "
                                "8 validation (Normal 4, Tumor 4)");
    strbuf_release(&text);
    split_release(&s);
    free(m.d.samples);
}

/* Names of the phantom itself. */
static void phantom_names(struct made *m, struct arena *a, int patients, int slices)
{
    struct phantom_options o = {.patients = patients, .slices = slices, .size = 64};
    const char **names = ARENA_ARRAY(a, phantom_count(&o), const char *);

    *m = (struct made){0};
    for (size_t i = 0; i < phantom_count(&o); i++) {
        char name[PHANTOM_NAME_SIZE];

        phantom_name(&o, phantom_id_at(&o, i), name);
        names[i] = arena_strdup(a, strchr(name, '/') + 1);
    }
    size_t half = phantom_count(&o) / 2;
    made_add(m, "Normal", names, half);
    made_add(m, "Tumor", names + half, half);
}

static void groups_never_straddle(void **state)
{
    struct arena a;
    struct made m;
    struct split s;
    struct err e = ERR_INIT;

    arena_init(&a);
    phantom_names(&m, &a, 15, 4);
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct split_options o = {.kind = SPLIT_GROUP, .fraction = 0.2, .seed = seed};

        check_ok(split_make(&s, &m.d, &o, &e), e);
        check_partition(&s, &m.d);
        assert_string_equal(s.pattern, PHANTOM_GROUP_PATTERN);
        assert_int_equal(s.groups, 30);
        assert_int_equal(s.valid_groups, 6);
        assert_int_equal(s.valid_sizes[0], 12);
        assert_int_equal(s.valid_sizes[1], 12);
        for (size_t i = 0; i < s.valid_count; i++) {
            for (size_t k = 0; k < s.train_count; k++) {
                const char *v = m.d.samples[s.valid[i]].name, *t = m.d.samples[s.train[k]].name;
                assert_int_not_equal(strncmp(strstr(v, " p"), strstr(t, " p"), 5), 0);
            }
        }
        split_release(&s);
    }
    free(m.d.samples);
    arena_release(&a);
}

/* Patient 7 has slices in both classes; patients have very different sizes. */
static void uneven_groups(void **state)
{
    static const char *const normal[] = {"patient_1 a.jpg", "patient_1 b.jpg", "patient_1 c.jpg",
                                         "patient_1 d.jpg", "patient_1 e.jpg", "patient_1 f.jpg",
                                         "Patient-2.jpg",   "PATIENT 7 a.jpg", "patient7 c.jpg",
                                         "patient7 d.jpg"};
    static const char *const tumor[] = {"patient7 b.jpg", "patient8 a.jpg", "patient8 b.jpg",
                                        "patient9 a.jpg"};
    struct made m = {0};
    struct split s;
    struct err e = ERR_INIT;

    made_add(&m, "Normal", normal, 10);
    made_add(&m, "Tumor", tumor, 4);
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct split_options o = {.kind = SPLIT_GROUP, .fraction = 0.25, .seed = seed};

        check_ok(split_make(&s, &m.d, &o, &e), e);
        check_partition(&s, &m.d);
        int parts = 0;
        for (size_t i = 0; i < s.valid_count; i++) {
            size_t v = s.valid[i];
            parts |= v == 7 || v == 8 || v == 9 || v == 10 ? 1 : 0;
        }
        for (size_t i = 0; i < s.train_count; i++) {
            size_t t = s.train[i];
            parts |= t == 7 || t == 8 || t == 9 || t == 10 ? 2 : 0;
        }
        assert_int_not_equal(parts, 3);
        assert_true(s.valid_sizes[0] >= 1 && s.valid_sizes[1] >= 1);
        assert_true(s.train_sizes[0] >= 1 && s.train_sizes[1] >= 1);
        split_release(&s);
    }
    free(m.d.samples);
}

static void keys_are_the_captures(void **state)
{
    struct strbuf key;

    strbuf_init(&key);
    assert_true(split_group_key("^([A-Za-z]+)- \\(([0-9]+)[0-9]\\)", "Tumor- (127).jpg", &key));
    assert_string_equal(key.p, "Tumor/12");
    strbuf_reset(&key);
    assert_true(split_group_key(PHANTOM_GROUP_PATTERN, "Normal- p012 s03.jpg", &key));
    assert_string_equal(key.p, "012");
    assert_false(split_group_key("p([0-9]+)", "x.jpg", &key));
    strbuf_release(&key);
}

static void refuse(const struct dataset *d, const struct split_options *o, const char *said)
{
    struct split s;
    struct err e = ERR_INIT;

    assert_int_equal(split_make(&s, d, o, &e), -1);
    check_said(&e, said);
    assert_null(s.train);
}

static void wrong_splits_are_refused(void **state)
{
    static const char *const names[] = {"a.jpg", "b.jpg", "scan 3.jpg"};
    struct made m = {0};

    made_add(&m, "Normal", names, 3);
    made_add(&m, "Tumor", names, 1);
    refuse(&m.d, &(struct split_options){.fraction = 1}, "not 1");
    refuse(&m.d, &(struct split_options){.fraction = -0.5}, "-0.5");
    refuse(&m.d, &(struct split_options){.fraction = 0.5}, "'Tumor' has one picture");
    struct split_options o = {.kind = SPLIT_GROUP, .fraction = 0.5};
    refuse(&m.d, &o, "'a.jpg'");
    o.pattern = "(";
    refuse(&m.d, &o, "no regular expression");
    o.pattern = "scan";
    refuse(&m.d, &o, "0 capture groups");
    o.pattern = "(b)";
    refuse(&m.d, &o, "does not match the file name 'a.jpg'");
    o.pattern = "([a-z]+)";
    refuse(&m.d, &o, "'Tumor' has 0 groups of its own");
    free(m.d.samples);
}

static void nothing_to_validate_with(void **state)
{
    struct made m;
    struct split s;
    struct err e = ERR_INIT;

    two_classes(&m, 3, 2);
    check_ok(split_make(&s, &m.d, &(struct split_options){.kind = SPLIT_GROUP, .fraction = 0}, &e),
             e);
    assert_int_equal(s.train_count, 5);
    assert_int_equal(s.valid_count, 0);
    split_release(&s);
    free(m.d.samples);
}

static void names_of_kinds(void **state)
{
    enum split_kind k;

    assert_true(split_kind_parse("group", &k));
    assert_int_equal(k, SPLIT_GROUP);
    assert_string_equal(split_kind_name(SPLIT_ORDERED), "ordered");
    assert_false(split_kind_parse("Random", &k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_is_stratified_and_seeded),
        cmocka_unit_test(ordered_is_as_in_keras),
        cmocka_unit_test(groups_never_straddle),
        cmocka_unit_test(uneven_groups),
        cmocka_unit_test(keys_are_the_captures),
        cmocka_unit_test(wrong_splits_are_refused),
        cmocka_unit_test(nothing_to_validate_with),
        cmocka_unit_test(names_of_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
