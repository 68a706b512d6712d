/* Class folders: order, endings, links, and every way a data folder can be wrong. */
#include "data_check.h"

static void put(const char *dir, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(fs_mkdirs_for(path, NULL), 0);
    assert_int_equal(fs_write_atomic(path, "x", 1, 0, NULL), 0);
}

static void folder(const char *dir, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(fs_mkdirs(path, NULL), 0);
}

static void samples_come_sorted(void **state)
{
    static const char *const want[] = {"Normal/A.JPG",
                                       "Normal/Normal- (12).jpg",
                                       "Normal/Normal- (3).jpeg",
                                       "Normal/sub/z.png",
                                       "Tumor/a.png",
                                       "Tumor/b.PNG"};
    char *dir = check_temp(), path[DATASET_PATH_MAX];
    struct dataset d;
    struct err e = ERR_INIT;

    for (size_t i = 6; i-- > 0;) {
        put(dir, want[i]);
    }
    put(dir, "Normal/notes.txt");
    put(dir, "Normal/.hidden.jpg");
    put(dir, "__MACOSX/Normal/x.jpg");
    put(dir, ".git/x.jpg");
    put(dir, "MANIFEST.tsv");
    check_ok(dataset_open(&d, dir, &(struct dataset_options){.classes = 2}, &e), e);
    assert_int_equal(d.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(d.samples[i].path, want[i]);
        assert_int_equal(d.samples[i].label, i >= 4);
    }
    assert_string_equal(d.samples[3].name, "z.png");
    assert_string_equal(d.classes[0], "Normal");
    assert_string_equal(d.classes[1], "Tumor");
    assert_int_equal(d.class_sizes[0], 4);
    assert_int_equal(d.class_first[1], 4);
    assert_int_equal(d.ignored_count, 2);
    assert_true(fs_is_file(dataset_path(&d, 1, path)));
    dataset_release(&d);
    check_remove(dir);
}

static void linked_class_folders_count(void **state)
{
    char *dir = check_temp(), from[1024], to[1024];
    struct dataset d;
    struct err e = ERR_INIT;

    put(dir, "store/Cyst/1.jpg");
    put(dir, "data/Normal/1.jpg");
    snprintf(from, sizeof(from), "%s/store/Cyst", dir);
    snprintf(to, sizeof(to), "%s/data/Cyst", dir);
    assert_int_equal(symlink(from, to), 0);
    snprintf(to, sizeof(to), "%s/data", dir);
    check_ok(dataset_open(&d, to, NULL, &e), e);
    assert_int_equal(d.class_count, 2);
    assert_string_equal(d.samples[0].path, "Cyst/1.jpg");
    dataset_release(&d);
    check_remove(dir);
}

static void refuse(const char *root, const struct dataset_options *opt, const char *a,
                   const char *b)
{
    struct dataset d;
    struct err e = ERR_INIT;

    assert_int_equal(dataset_open(&d, root, opt, &e), -1);
    check_said(&e, a);
    check_said(&e, b);
    assert_null(d.samples);
}

static void wrong_folders_are_refused(void **state)
{
    char *dir = check_temp(), path[1024];
    const char *names[] = {"Normal", "Cancer"};

    snprintf(path, sizeof(path), "%s/none", dir);
    refuse(path, NULL, path, "no data folder");
    refuse(dir, NULL, dir, "no class folders");
    put(dir, "Normal/1.jpg");
    refuse(dir, NULL, "one class only", "'Normal'");
    folder(dir, "Tumor");
    put(dir, "Tumor/readme.txt");
    refuse(dir, NULL, "'Tumor'", "no pictures");
    put(dir, "Tumor/1.png");
    refuse(dir, &(struct dataset_options){.classes = 3}, "CLASSES is 3",
           "2 class folders: Normal, Tumor");
    refuse(dir, &(struct dataset_options){.classes = 2, .class_names = names}, "'Cancer'",
           "'Tumor'");
    snprintf(path, sizeof(path), "%s/Tumor/gone.jpg", dir);
    assert_int_equal(symlink("/nonexistent/x.jpg", path), 0);
    refuse(dir, NULL, "gone.jpg", "link to nothing");
    check_remove(dir);
}

static void the_real_set_is_read(void **state)
{
    char root[1024];
    struct dataset d;
    struct err e = ERR_INIT;

    check_ok(dataset_open(&d, check_shared("kidney-ct", root), NULL, &e), e);
    assert_int_equal(d.count, 465);
    assert_int_equal(d.class_sizes[0], 240);
    assert_int_equal(d.class_sizes[1], 225);
    assert_string_equal(d.samples[0].path, "Normal/Normal- (1075).jpg");
    dataset_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_come_sorted),
        cmocka_unit_test(linked_class_folders_count),
        cmocka_unit_test(wrong_folders_are_refused),
        cmocka_unit_test(the_real_set_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
