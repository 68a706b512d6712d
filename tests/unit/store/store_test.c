/* stale, commit, checkout, add and remote together, on small repositories. */
#include "store.h"

#include "add.h"
#include "cas.h"
#include "checkout.h"
#include "commit.h"
#include "lock.h"
#include "remote.h"
#include "stale.h"
#include "stale_show.h"
#include "state.h"
#include "content.h"
#include "store_check.h"

static const char pipeline[] = "stages:\n"
                               "  prep:\n"
                               "    cmd: make data\n"
                               "    deps: [raw]\n"
                               "    outs: [data]\n"
                               "  train:\n"
                               "    cmd: make model\n"
                               "    deps: [data]\n"
                               "    params: [lr, net.depth]\n"
                               "    outs: [model]\n"
                               "    metrics: [{scores.json: {cache: false}}]\n";

/* What a run of everything leaves behind. */
static void write_work(struct place *t)
{
    place_write(t, "dvc.yaml", pipeline);
    place_write(t, "params.yaml", "lr: 0.1\nnet:\n  depth: 3\n");
    place_write(t, "raw", "raw\n");
    place_write(t, "data/1", "one\n");
    place_write(t, "data/sub/2", "two\n");
    place_write(t, "model", "weights\n");
    place_write(t, "scores.json", "{}\n");
}

static void commit_all(struct place *t)
{
    for (size_t i = 0; i < t->p.stage_count; i++) {
        const struct stage *st = &t->p.stages[i];
        struct lock *l = store_lock(t->store, st->file, &t->e);
        struct commit c;
        assert_non_null(l);
        commit_begin(&c, t->store, &t->a, st, lock_find(l, st->name));
        if (commit_deps(&c, 0, &t->e) < 0 || commit_outs(&c, 0, &t->e) < 0 ||
            commit_runcache(&c, true, &t->e) < 0 || commit_ignore(&c, &t->e) < 0) {
            fail_msg("%s", t->e.text);
        }
        lock_set(l, c.entry);
        assert_int_equal(lock_write(l, &t->e), 0);
    }
}

static void setup_committed(struct place *t)
{
    write_work(t);
    place_open(t);
    commit_all(t);
    place_open(t);
}

static struct stale_report check(struct place *t, const char *name)
{
    struct stale_report r;
    const struct stage *st = place_stage(t, name);
    if (stale_check(t->store, &t->a, &st, 1, NULL, &r, &t->e) < 0) {
        fail_msg("%s", t->e.text);
    }
    return r;
}

static void expect_status(struct place *t, const char *name, const char *want)
{
    struct stale_report r = check(t, name);
    struct strbuf out;
    strbuf_init(&out);
    stale_text(&out, &r, 1);
    assert_string_equal(out.p, want);
    strbuf_release(&out);
}

static void fresh_then_stale(void **state)
{
    struct place *t = *state;
    write_work(t);
    place_open(t);
    expect_status(t, "train",
                  "train:\n\tchanged deps:\n\t\tmodified:           data\n"
                  "\t\tnew:                params.yaml\n\tchanged outs:\n"
                  "\t\tmodified:           model\n\t\tmodified:           scores.json\n");
    commit_all(t);
    place_open(t);
    expect_status(t, "prep", "");
    expect_status(t, "train", "");
    struct stale_report r = check(t, "train");
    assert_int_equal(stale_decide(t->store, &r, NULL), STALE_BY_FRESH);
    place_write(t, "data/1", "other\n");
    r = check(t, "train");
    assert_int_equal(stale_decide(t->store, &r, NULL), STALE_BY_DEP);
    r = check(t, "prep");
    assert_int_equal(stale_decide(t->store, &r, NULL), STALE_BY_OUT);
    place_write(t, "data/1", "one\n");
    place_write(t, "params.yaml", "net: {depth: 3.0, other: 1}\nlr: 1e-1\n");
    expect_status(t, "train", "");
    place_write(t, "params.yaml", "net: {depth: 4}\n");
    expect_status(t, "train",
                  "train:\n\tchanged deps:\n\t\tparams.yaml:\n\t\t\tdeleted:            lr\n"
                  "\t\t\tmodified:           net.depth\n");
}

static void explains_down_to_the_value(void **state)
{
    struct place *t = *state;
    setup_committed(t);
    place_write(t, "params.yaml", "lr: 0.25\nnet: {depth: 3}\n");
    struct stale_report r = check(t, "train");
    struct strbuf out;
    strbuf_init(&out);
    stale_explain(t->store, &out, &r);
    assert_string_equal(out.p, "train will run:\n"
                               "    its parameter lr in params.yaml changed from 0.1 to 0.25\n");
    strbuf_reset(&out);
    place_write(t, "dvc.yaml",
                "stages:\n  prep:\n    cmd: make other\n    deps: [raw]\n    outs: [data]\n");
    place_open(t);
    r = check(t, "prep");
    assert_int_equal(stale_decide(t->store, &r, NULL), STALE_BY_COMMAND);
    stale_explain(t->store, &out, &r);
    assert_string_equal(out.p, "prep will run:\n"
                               "    its command changed from 'make data' to 'make other'\n");
    strbuf_release(&out);
}

/* After the files are old enough, a status reads no data: content that the memo knows is not
 * opened. */
static void memo_spares_reading(void **state)
{
    struct place *t = *state;
    write_work(t);
    place_open(t);
    commit_all(t);
    struct stat st;
    assert_int_equal(stat(place_path(t, "model"), &st), 0);
    st.st_mtim.tv_sec -= 100;
    st.st_ctim.tv_sec -= 100;
    char md5[33];
    /* recorded as another content: were it read, the answer would differ */
    state_put(t->store->state, &st, STATE_MD5, "0123456789abcdef0123456789abcdef", state_now_ns());
    assert_true(state_get(t->store->state, &st, STATE_MD5, md5));
    assert_string_equal(md5, "0123456789abcdef0123456789abcdef");
    expect_status(t, "train", "");
}

static void allow_missing(void **state)
{
    struct place *t = *state;
    setup_committed(t);
    assert_int_equal(fs_remove_tree(place_path(t, "data"), &t->e), 0);
    assert_int_equal(fs_remove_tree(place_path(t, ".dvc/cache"), &t->e), 0);
    const struct stage *prep = place_stage(t, "prep");
    struct stale_report r = check(t, "train");
    assert_int_equal(stale_decide(t->store, &r, NULL), STALE_BY_DEP);
    struct stale_decision d = {.allow_missing = true, .upstream = &prep, .upstream_count = 1};
    assert_int_equal(stale_decide(t->store, &r, &d), STALE_BY_FRESH);
    struct lock *l = store_lock(t->store, "dvc.yaml", &t->e);
    struct lock_entry *en = lock_entry_copy(&t->a, lock_find(l, "prep"));
    en->outs[0].hash.md5 = "0123456789abcdef0123456789abcdef.dir";
    lock_set(l, en);
    assert_int_equal(stale_decide(t->store, &r, &d), STALE_BY_DEP);
}

static void commit_refuses(void **state)
{
    struct place *t = *state;
    write_work(t);
    assert_int_equal(fs_remove(place_path(t, "model"), &t->e), 0);
    place_open(t);
    struct commit c;
    commit_begin(&c, t->store, &t->a, place_stage(t, "train"), NULL);
    assert_int_equal(commit_deps(&c, 0, &t->e), 0);
    assert_int_equal(commit_outs(&c, 0, &t->e), -1);
    assert_string_equal(t->e.text, "output 'model' does not exist");
    place_write(t, "params.yaml", "lr: 1\n");
    commit_begin(&c, t->store, &t->a, place_stage(t, "train"), NULL);
    assert_int_equal(commit_deps(&c, 0, &t->e), -1);
    assert_string_equal(t->e.text, "Parameters 'net.depth' are missing from 'params.yaml'.");
    assert_int_equal(fs_remove(place_path(t, "raw"), &t->e), 0);
    commit_begin(&c, t->store, &t->a, place_stage(t, "prep"), NULL);
    assert_int_equal(commit_deps(&c, 0, &t->e), -1);
    assert_string_equal(t->e.text, "dependency 'raw' does not exist");
}

static void restores_from_run_cache(void **state)
{
    struct place *t = *state;
    setup_committed(t);
    const struct stage *st = place_stage(t, "train");
    struct commit c;
    bool restored;
    assert_int_equal(commit_clear_outs(t->store, &t->a, st, &t->e), 0);
    assert_null(place_read(t, "scores.json"));
    /* no lock entry: only the run cache knows */
    commit_begin(&c, t->store, &t->a, st, NULL);
    assert_int_equal(commit_deps(&c, 0, &t->e), 0);
    assert_int_equal(commit_restore(&c, false, false, &restored, &t->e), 0);
    assert_false(restored);
    assert_int_equal(commit_restore(&c, true, true, &restored, &t->e), 0);
    assert_true(restored);
    assert_null(place_read(t, "model"));
    commit_begin(&c, t->store, &t->a, st, NULL);
    assert_int_equal(commit_deps(&c, 0, &t->e), 0);
    assert_int_equal(commit_restore(&c, true, false, &restored, &t->e), 0);
    assert_true(restored);
    assert_string_equal(place_read(t, "model"), "weights\n");
    assert_string_equal(place_read(t, "scores.json"), "{}\n");
    struct lock *l = store_lock(t->store, "dvc.yaml", &t->e);
    assert_true(lock_entry_eq(c.entry, lock_find(l, "train")));
    /* an object that is gone: there is nothing to restore */
    assert_int_equal(fs_remove_tree(place_path(t, ".dvc/cache/files"), &t->e), 0);
    commit_begin(&c, t->store, &t->a, st, lock_find(l, "train"));
    assert_int_equal(commit_deps(&c, 0, &t->e), 0);
    assert_int_equal(commit_restore(&c, true, false, &restored, &t->e), 0);
    assert_false(restored);
    assert_string_equal(place_read(t, "model"), "weights\n");
}

static int checkout(struct place *t, bool force, struct checkout_result *r)
{
    struct checkout_target targets[8];
    size_t n = 0;
    for (size_t i = 0; i < t->p.stage_count; i++) {
        targets[n++] = (struct checkout_target){&t->p.stages[i], NULL};
    }
    return checkout_run(t->store, &t->a, targets, n, &(struct checkout_options){.force = force}, r,
                        &t->e);
}

static void checkout_never_loses_data(void **state)
{
    struct place *t = *state;
    struct checkout_result r;
    struct strbuf sum;
    setup_committed(t);
    strbuf_init(&sum);
    assert_int_equal(fs_remove_tree(place_path(t, "data"), &t->e), 0);
    assert_int_equal(checkout(t, false, &r), 0);
    assert_int_equal(r.change_count, 1);
    assert_int_equal(r.changes[0].letter, 'A');
    assert_string_equal(r.changes[0].shown, "data/");
    checkout_summary(&sum, &r);
    assert_string_equal(sum.p, "2 files added");
    assert_string_equal(place_read(t, "data/sub/2"), "two\n");
    place_write(t, "data/mine", "unsaved\n");
    place_write(t, "model", "unsaved too\n");
    assert_int_equal(fs_remove(place_path(t, "data/1"), &t->e), 0);
    assert_int_equal(checkout(t, false, &r), -1);
    assert_int_equal(strncmp(t->e.text, "Can't remove the following unsaved files", 40), 0);
    assert_non_null(strstr(t->e.text, "/data/mine"));
    assert_null(place_read(t, "data/1"));
    assert_string_equal(place_read(t, "model"), "unsaved too\n");
    assert_int_equal(checkout(t, true, &r), 0);
    assert_null(place_read(t, "data/mine"));
    assert_string_equal(place_read(t, "model"), "weights\n");
    assert_int_equal(r.change_count, 2);
    assert_string_equal(r.changes[0].shown, "data/");
    /* an object is gone: the others come back, this one is named and left alone */
    assert_int_equal(fs_remove_tree(place_path(t, "data"), &t->e), 0);
    assert_int_equal(fs_remove(place_path(t, "model"), &t->e), 0);
    struct lock *l = store_lock(t->store, "dvc.yaml", &t->e);
    const struct lock_item *item = &lock_find(l, "train")->outs[0];
    assert_string_equal(item->path, "model");
    assert_int_equal(
        fs_remove(cas_object_path(t->store->cas, &t->a, (struct cas_id){item->hash.md5, false}),
                  &t->e),
        0);
    assert_int_equal(checkout(t, false, &r), -1);
    assert_string_equal(t->e.text, "Checkout failed for following targets:\nmodel\n"
                                   "Is your cache up to date?\n"
                                   "<https://error.dvc.org/missing-files>");
    assert_string_equal(place_read(t, "data/1"), "one\n");
    strbuf_release(&sum);
}

static int add(struct place *t, const char *path)
{
    struct add_result r;
    place_open(t);
    return add_run(t->store, &t->a, &t->p, &path, 1, NULL, &r, &t->e);
}

static void adds_files_and_folders(void **state)
{
    struct place *t = *state;
    place_write(t, "d/1", "1\n");
    place_write(t, "sub/f", "foo");
    assert_int_equal(chdir(t->root), 0);
    assert_int_equal(add(t, "sub/f"), 0);
    assert_string_equal(place_read(t, "sub/f.dvc"),
                        "outs:\n- md5: acbd18db4cc2f85cedef654fccc4a4d8\n  size: 3\n  hash: md5\n"
                        "  path: f\n");
    assert_int_equal(add(t, "d"), 0);
    place_write(t, "d/2", "2\n");
    assert_int_equal(add(t, "d/2"), 0);
    assert_non_null(strstr(place_read(t, "d.dvc"), "size: 4\n  nfiles: 2\n"));
    expect_status(t, "d.dvc", "d.dvc:\n\tchanged outs:\n\t\tmodified:           d\n");
    place_open(t);
    expect_status(t, "d.dvc", "");
    static const struct {
        const char *path, *text;
    } cases[] = {{"nosuch", "output 'nosuch' does not exist: "},
                 {"d.dvc", "DVC file 'd.dvc' cannot be an output."},
                 {"sub",
                  "Cannot add 'sub', because it is overlapping with other DVC tracked output: "
                  "'sub/f'.\n"},
                 {"/etc/hostname", "Cached output(s) outside of DVC project: /etc/hostname. "}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(add(t, cases[i].path), -1);
        if (strncmp(t->e.text, cases[i].text, strlen(cases[i].text)) != 0) {
            fail_msg("'%s' does not begin with '%s'", t->e.text, cases[i].text);
        }
    }
    place_write(t, "dvc.yaml", "stages:\n  s:\n    cmd: x\n    outs: [so.txt]\n");
    place_write(t, "so.txt", "x");
    assert_int_equal(add(t, "so.txt"), -1);
    assert_int_equal(strncmp(t->e.text,
                             "cannot update 'so.txt': overlaps with an output of stage: 's' "
                             "in 'dvc.yaml'.",
                             76),
                     0);
}

static void transfers(void **state)
{
    struct place *t = *state;
    struct remote r;
    struct remote_set set = {0};
    struct remote_result res;
    setup_committed(t);
    struct checkout_target targets[] = {{place_stage(t, "prep"), NULL},
                                        {place_stage(t, "train"), NULL}};
    remote_open_dir(&r, &t->a, place_path(t, "remote"));
    assert_int_equal(remote_collect(t->store, &t->a, targets, 2, NULL, &set, &t->e), 0);
    assert_int_equal(set.count, 4);
    /* a member that cannot be sent keeps the folder's list back */
    const char *two = cas_object_path(t->store->cas, &t->a, set.objects[2].id);
    assert_int_equal(chmod(two, 0644), 0);
    assert_int_equal(truncate(two, 1), 0);
    assert_int_equal(chmod(two, 0444), 0);
    assert_int_equal(remote_push(t->store, &t->a, &r, &set, &res, &t->e), 0);
    assert_int_equal(res.failed, 2);
    assert_int_equal(res.moved, 2);
    char dir[128];
    snprintf(dir, sizeof(dir), "remote/files/md5/%.2s/%s", set.objects[0].id.md5,
             set.objects[0].id.md5 + 2);
    assert_null(place_read(t, dir));
    /* mended, everything arrives; the list last */
    assert_int_equal(unlink(two), 0);
    char md5[33] = "";
    assert_int_equal(cas_put_file(t->store->cas, place_path(t, "data/sub/2"), md5, NULL, &t->e), 0);
    assert_int_equal(remote_push(t->store, &t->a, &r, &set, &res, &t->e), 0);
    assert_int_equal(res.failed, 0);
    assert_int_equal(res.moved, 2);
    assert_non_null(place_read(t, dir));
    assert_int_equal(remote_push(t->store, &t->a, &r, &set, &res, &t->e), 0);
    assert_int_equal(res.moved, 0);
    remote_set_release(&set);
    /* back into an empty cache; a changed object of the remote is not believed */
    assert_int_equal(fs_remove_tree(place_path(t, ".dvc/cache"), &t->e), 0);
    struct remote_collect_options how = {.fetch_dirs = &r};
    assert_int_equal(remote_collect(t->store, &t->a, targets, 2, &how, &set, &t->e), 0);
    assert_int_equal(set.count, 4);
    enum remote_place places[4];
    assert_int_equal(remote_compare(t->store, &r, &set, places, &t->e), 0);
    assert_int_equal(places[1], REMOTE_DELETED);
    char bad[128];
    snprintf(bad, sizeof(bad), "remote/files/md5/%.2s/%s", set.objects[3].id.md5,
             set.objects[3].id.md5 + 2);
    assert_int_equal(chmod(place_path(t, bad), 0644), 0);
    place_write(t, bad, "forged");
    assert_int_equal(remote_fetch(t->store, &t->a, &r, &set, &res, &t->e), 0);
    assert_int_equal(res.moved, 3);
    assert_int_equal(res.failed, 1);
    assert_non_null(strstr(t->notes.p, "failed to transfer"));
    assert_false(cas_has(t->store->cas, set.objects[3].id, false));
    size_t moved = 99;
    assert_int_equal(remote_push_runs(t->store, &r, &moved, &t->e), 0);
    assert_int_equal(moved, 0);
    remote_set_release(&set);
    remote_close(&r);
}

static void run_cache_travels(void **state)
{
    struct place *t = *state;
    struct remote r;
    size_t moved;
    setup_committed(t);
    remote_open_dir(&r, &t->a, place_path(t, "remote"));
    assert_int_equal(remote_push_runs(t->store, &r, &moved, &t->e), 0);
    assert_int_equal(moved, 2);
    assert_int_equal(fs_remove_tree(place_path(t, ".dvc/cache/runs"), &t->e), 0);
    place_write(t, "remote/runs/zz/evil", "x");
    assert_int_equal(remote_fetch_runs(t->store, &r, &moved, &t->e), 0);
    assert_int_equal(moved, 2);
    assert_null(place_read(t, ".dvc/cache/runs/zz/evil"));
    remote_close(&r);
}

/* What a stranger's .dir says must not lead out of the folder. */
static void hostile_folder_object(void **state)
{
    struct place *t = *state;
    setup_committed(t);
    struct lock *l = store_lock(t->store, "dvc.yaml", &t->e);
    static const char evil[] =
        "[{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"../../escaped\"}]";
    char md5[37];
    assert_int_equal(cas_put_bytes(t->store->cas, evil, sizeof(evil) - 1, ".dir", md5, &t->e), 0);
    struct lock_entry *en = lock_entry_copy(&t->a, lock_find(l, "prep"));
    en->outs[0].hash.md5 = arena_strdup(&t->a, md5);
    lock_set(l, en);
    struct checkout_result r;
    assert_int_equal(checkout(t, true, &r), -1);
    assert_int_equal(r.failed_count, 1);
    assert_string_equal(place_read(t, "data/1"), "one\n");
}

static void links_to_folders_and_nothing(void **state)
{
    struct place *t = *state;
    write_work(t);
    assert_int_equal(symlink("sub", place_path(t, "data/dirlink")), 0);
    assert_int_equal(symlink("../raw", place_path(t, "data/filelink")), 0);
    place_open(t);
    struct content c = {.path = "data"};
    assert_int_equal(content_read(t->store, &t->a, &c, 1, &t->e), 0);
    assert_int_equal(c.hash.nfiles, 3);
    assert_int_equal(symlink("nowhere", place_path(t, "data/broken")), 0);
    assert_int_equal(content_read(t->store, &t->a, &c, 1, &t->e), -1);
    assert_int_equal(strncmp(t->e.text, "[Errno 2] No such file or directory: '", 38), 0);
    assert_int_equal(unlink(place_path(t, "data/broken")), 0);
    place_write(t, "data/.dvcignore", "x\n");
    assert_int_equal(content_read(t->store, &t->a, &c, 1, &t->e), -1);
    assert_string_equal(t->e.text,
                        arena_printf(&t->a,
                                     ".dvcignore file should not be in collected dir path: "
                                     "'%s'",
                                     place_path(t, "data")));
}

/* A process that was killed while it linked objects out leaves temp files of its own; they are no
 * data. */
static void leftovers_are_swept(void **state)
{
    struct place *t = *state;
    char host[256], half[512];
    gethostname(host, sizeof(host));
    snprintf(half, sizeof(half), "data/sub/.nephron-%s-999999999-7.tmp", host);
    write_work(t);
    place_write(t, half, "half");
    place_open(t);
    commit_all(t);
    assert_null(place_read(t, half));
    struct lock *l = store_lock(t->store, "dvc.yaml", &t->e);
    assert_int_equal(lock_find(l, "prep")->outs[0].hash.nfiles, 2);
}

static void dos2unix_hash(void **state)
{
    struct place *t = *state;
    char hex[33], plain[33];
    place_write(t, "crlf", "a\r\nb\r\n");
    place_write(t, "lf", "a\nb\n");
    assert_int_equal(content_md5_legacy(place_path(t, "crlf"), hex, &t->e), 0);
    assert_int_equal(content_md5_legacy(place_path(t, "lf"), plain, &t->e), 0);
    assert_string_equal(hex, plain);
    assert_int_equal(fs_write_atomic(place_path(t, "bin"), "a\r\n\0", 4, 0, &t->e), 0);
    assert_int_equal(content_md5_legacy(place_path(t, "bin"), hex, &t->e), 0);
    assert_string_equal(hex, "45f547e477b625af2c2aa642fde04366");
}

int main(void)
{
    const struct CMUnitTest tests[] = {PLACE_TEST(fresh_then_stale),
                                       PLACE_TEST(explains_down_to_the_value),
                                       PLACE_TEST(memo_spares_reading),
                                       PLACE_TEST(allow_missing),
                                       PLACE_TEST(commit_refuses),
                                       PLACE_TEST(restores_from_run_cache),
                                       PLACE_TEST(checkout_never_loses_data),
                                       PLACE_TEST(adds_files_and_folders),
                                       PLACE_TEST(transfers),
                                       PLACE_TEST(run_cache_travels),
                                       PLACE_TEST(hostile_folder_object),
                                       PLACE_TEST(links_to_folders_and_nothing),
                                       PLACE_TEST(leftovers_are_swept),
                                       PLACE_TEST(dos2unix_hash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
