/*
 * Near copies. On made-up pictures: what must and must not be near. On the real set: the scans that
 * MANIFEST.tsv lists were found from the numbering and the pixels by other means; the groups
 * found here must agree with them, and a random split must be caught.
 */
#include "data_check.h"

#include "duplicates.h"
#include "par.h"
#include "pixels.h"
#include "split.h"

static struct thumbs thumbs_of(const struct dataset *d, int side)
{
    struct err e = ERR_INIT;
    struct thumbs t;
    struct par *par = par_new(2);
    struct pixels *p = pixels_new(d, &(struct pixels_options){.width = side, .height = side}, &e);

    assert_non_null(p);
    check_ok(thumbs_make(&t, p, 0, pixels_dataset(p)->count, par, &e), e);
    pixels_free(p);
    par_free(par);
    return t;
}

static void flat(uint8_t *grey, int value)
{
    memset(grey, value, DUPLICATES_BYTES);
}

static void pairs_are_found_by_distance(void **state)
{
    uint8_t grey[5 * DUPLICATES_BYTES];
    struct thumbs t = {5, grey};
    size_t train[3] = {0, 1, 2}, valid[2] = {3, 4}, group[5];
    struct split s = {.train = train, .valid = valid, .train_count = 3, .valid_count = 2};
    struct duplicates r;

    flat(t.grey, 10);
    flat(t.grey + 1 * DUPLICATES_BYTES, 50);
    flat(t.grey + 2 * DUPLICATES_BYTES, 54);
    flat(t.grey + 3 * DUPLICATES_BYTES, 53);
    flat(t.grey + 4 * DUPLICATES_BYTES, 10);
    for (int i = 0; i < DUPLICATES_BYTES; i++) { /* the same mean, another picture */
        t.grey[4 * DUPLICATES_BYTES + i] = (uint8_t)(i % 2 ? 20 : 0);
    }
    assert_true(thumbs_distance(&t, 0, 1) == 40);
    assert_true(thumbs_distance(&t, 0, 4) == 10);
    duplicates_find(&t, &s, 6, NULL, &r);
    assert_int_equal(r.valid_count, 2);
    assert_int_equal(r.near_count, 1);
    assert_int_equal(r.valid_example, 3);
    assert_int_equal(r.train_example, 2);
    assert_true(r.example_distance == 1);
    assert_int_equal(duplicates_groups(&t, 6, group), 3);
    assert_int_equal(group[1], group[2]);
    assert_int_equal(group[1], group[3]);
    assert_int_not_equal(group[0], group[4]);
}

/* The scan of each sample, from MANIFEST.tsv: "Normal\tNormal- (1075).jpg\tN4\t…". */
static void read_scans(const struct dataset *d, char (*scan)[8])
{
    char path[1024], line[512], class_name[32], file[128];
    FILE *f = fopen(check_shared("kidney-ct/MANIFEST.tsv", path), "r");

    while (fgets(line, sizeof(line), f)) {
        char name[8];

        if (sscanf(line, "%31[^\t]\t%127[^\t]\t%7[^\t]", class_name, file, name) != 3) {
            continue;
        }
        for (size_t i = 0; i < d->count; i++) {
            if (strcmp(d->samples[i].name, file) == 0) {
                memcpy(scan[i], name, sizeof(name));
            }
        }
    }
    fclose(f);
}

static void real_scans_are_groups(void **state)
{
    char root[1024];
    struct dataset d;
    struct split s;
    struct err e = ERR_INIT;
    struct duplicates random, grouped;

    check_ok(dataset_open(&d, check_shared("kidney-ct", root), NULL, &e), e);
    char(*scan)[8] = calloc(d.count, sizeof(*scan));
    size_t *group = calloc(d.count, sizeof(*group)), apart = 0, pairs = 0;
    struct thumbs t = thumbs_of(&d, 64);

    read_scans(&d, scan);
    size_t groups = duplicates_groups(&t, 0, group);
    for (size_t i = 0; i < d.count; i++) {
        assert_true(scan[i][0] != '\0');
        for (size_t k = i + 1; k < d.count; k++) {
            bool is_same_scan = strcmp(scan[i], scan[k]) == 0;

            if (!is_same_scan && group[i] == group[k]) {
                fail_msg("%s and %s are of two scans but one group", d.samples[i].name,
                         d.samples[k].name);
            }
            pairs += is_same_scan;
            apart += is_same_scan && group[i] != group[k];
        }
    }
    printf("%zu groups; %zu of %zu pairs of one scan are in different groups\n", groups, apart,
           pairs);
    assert_true(groups >= 16 && groups <= 24);

    check_ok(split_make(&s, &d, &(struct split_options){.fraction = 0.2, .seed = 1}, &e), e);
    duplicates_find(&t, &s, 0, NULL, &random);
    assert_true(random.near_count > 80); /* of 93 */
    split_release(&s);
    struct split_options by_group = {
        .kind = SPLIT_GROUP, .fraction = 0.2, .seed = 1, .group_of = group};
    check_ok(split_make(&s, &d, &by_group, &e), e);
    duplicates_find(&t, &s, 0, NULL, &grouped);
    assert_int_equal(grouped.near_count, 0);
    split_release(&s);
    thumbs_release(&t);
    free(group);
    free(scan);
    dataset_release(&d);
}

static void the_warning_names_a_pair(void **state)
{
    char *dir = check_temp();
    struct dataset d;
    struct strbuf text;
    struct err e = ERR_INIT;

    check_tree(dir, 1, 1);
    check_ok(dataset_open(&d, dir, NULL, &e), e);
    strbuf_init(&text);
    duplicates_describe(&(struct duplicates){.valid_count = 9,
                                             .near_count = 7,
                                             .valid_example = 1,
                                             .train_example = 0,
                                             .example_distance = 1.25},
                        &d, &text);
    assert_string_equal(text.p, "7 of 9 validation pictures have a near copy in training (e.g. "
                                "B/b 00.png and A/a 00.png, 1.2 grey levels apart at 16 x 16)");
    strbuf_release(&text);
    dataset_release(&d);
    check_remove(dir);
}

static void a_bad_picture_is_named(void **state)
{
    char *dir = check_temp(), path[1024];
    struct dataset d;
    struct thumbs t;
    struct err e = ERR_INIT;

    check_tree(dir, 3, 3);
    snprintf(path, sizeof(path), "%s/B/b 01.png", dir);
    assert_int_equal(fs_write_atomic(path, "no", 2, 0, NULL), 0);
    check_ok(dataset_open(&d, dir, NULL, &e), e);
    struct pixels *p = pixels_new(&d, &(struct pixels_options){.width = 8, .height = 8}, &e);
    struct par *par = par_new(3);
    assert_int_equal(thumbs_make(&t, p, 0, pixels_dataset(p)->count, par, &e), -1);
    check_said(&e, "B/b 01.png");
    par_free(par);
    pixels_free(p);
    dataset_release(&d);
    check_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_found_by_distance),
        cmocka_unit_test(the_warning_names_a_pair),
        cmocka_unit_test(a_bad_picture_is_named),
        cmocka_unit_test(real_scans_are_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
