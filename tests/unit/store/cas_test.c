/* cas: objects in and out, modes, links, damage, many threads. */
#include "cas.h"

#include "err.h"
#include "store_check.h"

#include <pthread.h>

static const char md5_foo[] = "acbd18db4cc2f85cedef654fccc4a4d8"; /* "foo" */
static const struct cas_id foo = {"acbd18db4cc2f85cedef654fccc4a4d8", false};

static struct cas *open_cas(struct place *t, const struct cas_options *opt)
{
    return cas_open(place_path(t, "cache"), opt, NULL);
}

static void put(struct place *t, struct cas *c, const char *name)
{
    char md5[33] = "";
    if (cas_put_file(c, place_path(t, name), md5, NULL, &t->e) < 0) {
        fail_msg("%s", t->e.text);
    }
    assert_string_equal(md5, md5_foo);
}

#define OBJECT "cache/files/md5/ac/bd18db4cc2f85cedef654fccc4a4d8"

static void put_and_link_out(void **state)
{
    struct place *t = *state;
    struct cas *c = open_cas(t, NULL);
    place_write(t, "f", "foo");
    assert_false(cas_has(c, foo, false));
    put(t, c, "f");
    assert_true(cas_has(c, foo, true));
    assert_int_equal(place_mode(t, OBJECT), 0444);
    put(t, c, "f");
    assert_int_equal(cas_link_out(c, foo, place_path(t, "new/sub/g"), NULL, &t->e), 0);
    assert_string_equal(place_read(t, "new/sub/g"), "foo");
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(place_mode(t, "new/sub/g"), 0666 & ~mask);
    assert_int_equal(
        cas_link_out(c, foo, place_path(t, "x"), &(struct cas_out_options){.isexec = true}, &t->e),
        0);
    assert_int_equal(place_mode(t, "x"), (0666 & ~mask) | 0100);
    /* an absent object leaves what is there */
    struct cas_id absent = {"00000000000000000000000000000000", false};
    assert_int_equal(cas_link_out(c, absent, place_path(t, "x"), NULL, &t->e), -1);
    assert_int_equal(t->e.code, ERR_MISSING);
    assert_string_equal(place_read(t, "x"), "foo");
    /* a folder with content is in the way */
    assert_int_equal(cas_link_out(c, foo, place_path(t, "new"), NULL, &t->e), -1);
    assert_string_equal(place_read(t, "new/sub/g"), "foo");
    cas_close(c);
}

static void wrong_objects(void **state)
{
    struct place *t = *state;
    struct cas *c = open_cas(t, NULL);
    place_write(t, "f", "foo");
    put(t, c, "f");
    /* mode 444 is trusted unread, as DVC does; a deep look is not fooled */
    assert_int_equal(chmod(place_path(t, OBJECT), 0644), 0);
    place_write(t, OBJECT, "bar");
    assert_int_equal(chmod(place_path(t, OBJECT), 0444), 0);
    assert_true(cas_has(c, foo, false));
    assert_false(cas_has(c, foo, true));
    assert_string_equal(place_read(t, "cache/corrupt/acbd18db4cc2f85cedef654fccc4a4d8"), "bar");
    /* a writable one is hashed: kept and protected when right, deleted when wrong */
    place_write(t, OBJECT, "foo");
    assert_true(cas_has(c, foo, false));
    assert_int_equal(place_mode(t, OBJECT), 0444);
    assert_int_equal(chmod(place_path(t, OBJECT), 0644), 0);
    place_write(t, OBJECT, "bar");
    assert_false(cas_has(c, foo, false));
    assert_null(place_read(t, OBJECT));
    put(t, c, "f");
    /* what another machine sends is looked at */
    place_write(t, "sent", "other");
    struct cas_id bar = {"37b51d194a7513e45b56f6524f2d51f2", false};
    assert_int_equal(cas_import(c, place_path(t, "sent"), bar, &t->e), -1);
    assert_int_equal(t->e.code, ERR_REMOTE);
    assert_false(cas_has(c, bar, false));
    place_write(t, "sent", "bar");
    assert_int_equal(cas_import(c, place_path(t, "sent"), bar, &t->e), 0);
    assert_true(cas_has(c, bar, true));
    assert_false(cas_has(c, (struct cas_id){"../../../../../../../etc/passwd00", false}, false));
    cas_close(c);
}

static void expected_content(void **state)
{
    struct place *t = *state;
    struct cas *c = open_cas(t, NULL);
    place_write(t, "f", "bar");
    char md5[33];
    memcpy(md5, md5_foo, sizeof(md5));
    assert_int_equal(cas_put_file(c, place_path(t, "f"), md5, NULL, &t->e), -1);
    assert_int_equal(t->e.code, ERR_BUSY);
    assert_false(cas_has(c, foo, false));
    md5[0] = '\0';
    assert_int_equal(cas_put_file(c, place_path(t, "nosuch"), md5, NULL, &t->e), -1);
    assert_int_equal(cas_put_file(c, t->root, md5, NULL, &t->e), -1);
    /* big ones are copied before their content is known */
    struct strbuf big;
    strbuf_init(&big);
    for (int i = 0; i < 20000; i++) {
        strbuf_adds(&big, "many ");
    }
    place_write(t, "big", big.p);
    strbuf_release(&big);
    memcpy(md5, md5_foo, sizeof(md5));
    assert_int_equal(cas_put_file(c, place_path(t, "big"), md5, NULL, &t->e), -1);
    assert_int_equal(t->e.code, ERR_BUSY);
    assert_false(cas_has(c, foo, false));
    /* nothing of ours is left behind */
    char **names;
    size_t count;
    assert_int_equal(fs_list(&t->a, place_path(t, "cache/files/md5"), &names, &count, NULL), 0);
    assert_int_equal(count, 0);
    cas_close(c);
}

/* An object of the name that is believed in: the file is not read, whatever its size, so what it holds by now does not matter. */
static void believed_content(void **state)
{
    struct place *t = *state;
    struct cas *c = open_cas(t, NULL);
    static char text[100001];
    for (size_t size = 3; size < sizeof(text); size += sizeof(text) - 4) {
        char md5[33] = "", again[33];
        memset(text, 'x', size);
        text[size] = '\0';
        place_write(t, "f", text);
        assert_int_equal(cas_put_file(c, place_path(t, "f"), md5, NULL, &t->e), 0);
        memset(text, 'y', size);
        place_write(t, "f", text);
        memcpy(again, md5, sizeof(again));
        assert_int_equal(cas_put_file(c, place_path(t, "f"), again, NULL, &t->e), 0);
        assert_string_equal(again, md5);
    }
    cas_close(c);
}

static void links(void **state)
{
    struct place *t = *state;
    struct cas_options opt = {.links = {FS_HARDLINK, FS_COPY}, .link_count = 2};
    struct cas *c = open_cas(t, &opt);
    struct stat a, b;
    place_write(t, "f", "foo");
    put(t, c, "f");
    struct cas_relink_options single = {.single = true};
    assert_int_equal(cas_relink(c, foo, place_path(t, "f"), &single, &t->e), 0);
    assert_int_equal(stat(place_path(t, "f"), &a), 0);
    assert_int_equal(stat(place_path(t, OBJECT), &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_true(cas_is_linked(c, foo, place_path(t, "f")));
    assert_int_equal(cas_unprotect(c, place_path(t, "f"), &t->e), 0);
    assert_int_equal(stat(place_path(t, "f"), &a), 0);
    assert_int_not_equal(a.st_ino, b.st_ino);
    assert_int_equal(a.st_mode & 0200, 0200);
    cas_close(c);
    opt = (struct cas_options){.links = {FS_SYMLINK}, .link_count = 1};
    c = open_cas(t, &opt);
    assert_int_equal(cas_relink(c, foo, place_path(t, "f"), &single, &t->e), 0);
    assert_int_equal(lstat(place_path(t, "f"), &a), 0);
    assert_true(S_ISLNK(a.st_mode));
    assert_string_equal(place_read(t, "f"), "foo");
    assert_int_equal(cas_unprotect(c, place_path(t, "f"), &t->e), 0);
    assert_int_equal(lstat(place_path(t, "f"), &a), 0);
    assert_true(S_ISREG(a.st_mode));
    cas_close(c);
}

static void folders(void **state)
{
    struct place *t = *state;
    struct cas *c = open_cas(t, &(struct cas_options){.shared = true});
    struct dirobj d;
    place_write(t, "f", "foo");
    dirobj_init(&d);
    memcpy(dirobj_add(&t->a, &d, "x")->md5, md5_foo, 33);
    assert_int_equal(cas_put_dir(c, &d, &t->e), 0);
    struct cas_id id = {d.md5, false};
    assert_false(cas_has_all(c, id, NULL));
    assert_false(cas_has_all(c, id, &d));
    put(t, c, "f");
    assert_true(cas_has_all(c, id, NULL));
    assert_true(cas_has_all(c, id, &d));
    assert_int_equal(place_mode(t, "cache/files/md5/ac"), 02775);
    assert_int_equal(place_mode(t, "cache"), 02775);
    struct dirobj back;
    assert_int_equal(cas_read_dir(c, &t->a, id, &back, &t->e), 0);
    assert_int_equal(back.count, 1);
    cas_close(c);
}

struct crowd {
    struct place *t;
    struct cas *c;
    int rc[8];
};

static void *one_of_the_crowd(void *arg)
{
    struct crowd *x = arg;
    static _Thread_local struct err e;
    char path[128];
    int failed = 0;
    for (int i = 0; i < 100; i++) {
        char md5[33] = "";
        snprintf(path, sizeof(path), "%s/in%d", x->t->root, i % 10);
        failed += cas_put_file(x->c, path, md5, NULL, &e) < 0;
        snprintf(path, sizeof(path), "%s/out%d", x->t->root, i % 5);
        failed += cas_link_out(x->c, (struct cas_id){md5, false}, path, NULL, &e) < 0;
    }
    return failed ? arg : NULL;
}

static void many_threads(void **state)
{
    struct place *t = *state;
    struct crowd x = {t, open_cas(t, NULL), {0}};
    for (int i = 0; i < 10; i++) {
        char name[16], text[16];
        snprintf(name, sizeof(name), "in%d", i);
        snprintf(text, sizeof(text), "text %d", i);
        place_write(t, name, text);
    }
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_the_crowd, &x), 0);
    }
    for (int i = 0; i < 8; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    cas_close(x.c);
}

#define MANY 200

/* MANY small files of MANY / 2 contents and four big ones of one content. */
static void write_many(struct place *t)
{
    static char big[100001];
    memset(big, 'b', sizeof(big) - 1);
    for (int i = 0; i < MANY; i++) {
        char name[32], text[32];
        snprintf(name, sizeof(name), "many/%d", i);
        snprintf(text, sizeof(text), "text %d", i / 2);
        place_write(t, name, i < 4 ? big : text);
    }
}

static void *put_many(void *arg)
{
    struct crowd *x = arg;
    static _Thread_local struct err e;
    struct cas_put puts[MANY];
    static _Thread_local char paths[MANY][128];
    memset(puts, 0, sizeof(puts));
    for (int i = 0; i < MANY; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/many/%d", x->t->root, i);
        puts[i].path = paths[i];
    }
    struct par *par = par_new(3);
    int rc = cas_put_files(x->c, par, puts, MANY, &e);
    par_free(par);
    for (int i = 0; i < MANY && rc == 0; i++) {
        rc = cas_has(x->c, (struct cas_id){puts[i].md5, false}, true) ? 0 : -1;
    }
    return rc < 0 ? arg : NULL;
}

static int count_object(void *ctx, struct cas_id id, const char *path, int64_t size, struct err *e)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0444);
    ++*(int *)ctx;
    return 0;
}

/* Some folders of objects are there, others come as a whole; two batches meet in both; equal files are one object. */
static void batches(void **state)
{
    struct place *t = *state;
    struct crowd x = {t, open_cas(t, NULL), {0}};
    write_many(t);
    for (int i = 0; i < 128; i++) {
        char dir[64];
        snprintf(dir, sizeof(dir), "cache/files/md5/%02x", i);
        assert_int_equal(fs_mkdirs(place_path(t, dir), &t->e), 0);
    }
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, put_many, &x), 0);
    assert_null(put_many(&x));
    void *failed;
    pthread_join(other, &failed);
    assert_null(failed);
    int objects = 0;
    assert_int_equal(cas_each(x.c, false, count_object, &objects, &t->e), 0);
    assert_int_equal(objects, MANY / 2 - 2 + 1);
    char **names;
    size_t count;
    assert_int_equal(fs_list(&t->a, place_path(t, "cache/files/md5"), &names, &count, &t->e), 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strlen(names[i]), 2); /* nothing else is left */
    }
    cas_close(x.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(put_and_link_out), PLACE_TEST(wrong_objects), PLACE_TEST(expected_content),
        PLACE_TEST(believed_content), PLACE_TEST(links),         PLACE_TEST(folders),
        PLACE_TEST(many_threads),     PLACE_TEST(batches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
