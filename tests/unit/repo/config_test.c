/* Settings: the INI dialect both ways, levels, paths, DVC's texts. Expected texts were observed
 * with DVC 3.67.1. */
#include "config.h"

#include "err.h"
#include "fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/nephron-config-XXXXXX";
static char dvc_dir[64], file[80], local_file[80];

static int setup(void **state)
{
    if (mkdtemp(dir) == NULL || chdir(dir) != 0) {
        return -1;
    }
    snprintf(dvc_dir, sizeof dvc_dir, "%s/.dvc", dir);
    snprintf(file, sizeof file, "%s/config", dvc_dir);
    snprintf(local_file, sizeof local_file, "%s/config.local", dvc_dir);
    char sys[96];
    snprintf(sys, sizeof sys, "%s/system", dir);
    setenv("DVC_SYSTEM_CONFIG_DIR", sys, 1);
    snprintf(sys, sizeof sys, "%s/global", dir);
    setenv("DVC_GLOBAL_CONFIG_DIR", sys, 1);
    return fs_mkdirs(dvc_dir, NULL);
}

static int teardown(void **state)
{
    return chdir("/") == 0 ? fs_remove_tree(dir, NULL) : -1;
}

static void put(const char *path, const char *text)
{
    assert_int_equal(fs_mkdirs_for(path, NULL), 0);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), 0, NULL), 0);
}

static int fresh(void **state)
{
    fs_remove(local_file, NULL);
    put(file, "");
    return 0;
}

static void assert_file(const char *path, const char *text)
{
    struct strbuf b;
    strbuf_init(&b);
    assert_int_equal(fs_read(path, 0, &b, NULL), 0);
    assert_string_equal(b.p, text);
    strbuf_release(&b);
}

static struct config *open_config(void)
{
    struct err e = ERR_INIT;
    struct config *c = config_open(dvc_dir, &e);
    if (c == NULL) {
        fail_msg("%s", e.text);
    }
    return c;
}

static void assert_set(const char *name, const char *value)
{
    struct config *c = open_config();
    struct err e = ERR_INIT;
    if (config_cmd_set(c, CONFIG_ANY, name, value, &e) < 0) {
        fail_msg("%s", e.text);
    }
    config_free(c);
}

static void assert_refused(const char *name, const char *value, const char *text)
{
    struct config *c = open_config();
    struct err e = ERR_INIT;
    assert_int_equal(config_cmd_set(c, CONFIG_ANY, name, value, &e), -1);
    assert_string_equal(e.text, text);
    config_free(c);
}

static void values_are_quoted_as_configobj_does(void **state)
{
    static const struct {
        const char *value, *written;
    } cases[] = {
        {"plain", "plain"},
        {"a b", "a b"},
        {"hardlink", "hardlink"},
        {"a,b", "\"a,b\""},
        {"a#b", "\"a#b\""},
        {"a=b;c 'd'", "\"a=b;c 'd'\""},
        {"se\"cr#et", "'se\"cr#et'"},
        {" lead", "\" lead\""},
        {"trail ", "\"trail \""},
        {"a'b\"c", "'''a'b\"c'''"},
        {"", "\"\""},
        {"it's", "it's"},
        {"true", "true"},
        {"ü€", "ü€"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fresh(NULL);
        assert_set("core.site_cache_dir", cases[i].value);
        char text[200];
        snprintf(text, sizeof text, "[core]\n    site_cache_dir = %s\n", cases[i].written);
        assert_file(file, text);
        struct config *c = open_config();
        assert_string_equal(config_get(c, "core", "site_cache_dir"), cases[i].value);
        config_free(c);
    }
}

static void comments_lists_and_quotes_are_read(void **state)
{
    put(file, "# a comment\n[core]  # another\nremote = a # c\n\tautostage=true\n\n"
              "[ cache ]\n type = hardlink,symlink # c\n dir = \"x#y\"\n"
              "['remote \"Big Name\"']\nurl = '/a b'\npassword = '''multi\nline''' # end\n");
    struct config *c = open_config();
    struct arena a;
    arena_init(&a);
    size_t n;
    assert_string_equal(config_get(c, "core", "remote"), "a");
    assert_true(config_get_bool(c, "core", "autostage", false));
    const char **types = config_cache_types(c, &a, &n);
    assert_int_equal(n, 2);
    assert_string_equal(types[0], "hardlink");
    assert_string_equal(types[1], "symlink");
    assert_string_equal(config_remote_get(c, "big name", "url"), "/a b");
    assert_string_equal(config_remote_get(c, "big name", "password"), "multi\nline");
    arena_release(&a);
    config_free(c);
}

static void malformed_files_are_refused_with_the_line(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[core]\n  remote = a, b\n bogus line\n",
         "config file error: Invalid line (' bogus line') (matched as neither section nor keyword) "
         "at "
         "line 3."},
        {"[core]\n  remote = a\n[core]\n", "config file error: Duplicate section name at line 3."},
        {"[core]\nremote = a\nremote = b\n",
         "config file error: Duplicate keyword name at line 3."},
        {"[core]\n  remote = \"a\n", "config file error: Parse error in value at line 2."},
        {"[core\n",
         "config file error: Invalid line ('[core') (matched as neither section nor keyword) at "
         "line 1."},
        {"[core]\nx\ny\n",
         "config file error: Parsing failed with several errors.\nFirst error at line 2."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put(file, cases[i].text);
        struct err e = ERR_INIT;
        assert_null(config_open(dvc_dir, &e));
        assert_int_equal(e.code, ERR_CONFIG);
        assert_string_equal(e.text, cases[i].error);
    }
}

static void wrong_settings_are_refused_in_dvcs_words_and_change_nothing(void **state)
{
#define P "config file error: "
    put(file, "[core]\n    analytics = false\n['remote \"s\"']\n    url = s3://b/p\n");
    assert_refused("core.autostage", "maybe",
                   P "expected true or false for dictionary value @ data['core']['autostage']");
    assert_refused("core.checksum_jobs", "x",
                   P "expected int for dictionary value @ data['core']['checksum_jobs']");
    assert_refused("core.checksum_jobs", "0",
                   P
                   "value must be at least 1 for dictionary value @ data['core']['checksum_jobs']");
    assert_refused("cache.shared", "foo",
                   P "expected one of group for dictionary value @ data['cache']['shared']");
    assert_refused(
        "cache.type", "bogus,x",
        P "Unsupported cache type(s): bogus, x for dictionary value @ data['cache']['type']");
    assert_refused("nosec.x", "1", P "extra keys not allowed @ data['nosec']");
    assert_refused("core.nosuch", "1", P "extra keys not allowed @ data['core']['nosuch']");
    assert_refused("remote.s.port", "1", P "extra keys not allowed @ data['remote']['s']['port']");
    assert_refused("remote.s.jobs", "a",
                   P "expected int for dictionary value @ data['remote']['s']['jobs']");
    assert_refused("remote.s.cache_regions", "true",
                   P "expected bool for dictionary value @ data['remote']['s']['cache_regions']");
    assert_refused("remote.new.jobs", "3",
                   P "expected 'url' for dictionary value @ data['remote']['new']");
    assert_refused("remote.s.url", "foo://b",
                   P "Unsupported URL type foo:// for dictionary value @ data['remote']['s']");
    assert_refused("parsing.bool", "x",
                   P "expected one of store_true, boolean_optional for dictionary value @ "
                     "data['parsing']['bool']");
    assert_file(file, "[core]\n    analytics = false\n['remote \"s\"']\n    url = s3://b/p\n");
    struct config *c = open_config();
    struct err e = ERR_INIT;
    assert_int_equal(config_cmd_set(c, CONFIG_ANY, "a", "1", &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    assert_int_equal(config_cmd_unset(c, CONFIG_ANY, "core.autostage", &e), -1);
    assert_string_equal(e.text, P "option 'autostage' doesn't exist in section 'core'");
    assert_int_equal(config_cmd_unset(c, CONFIG_ANY, "bogus.autostage", &e), -1);
    assert_string_equal(e.text, P "section 'bogus' doesn't exist");
    config_free(c);
}

static void levels_shadow_one_another(void **state)
{
    char global[96];
    snprintf(global, sizeof global, "%s/global/config", dir);
    put(global, "[core]\nremote = g\nchecksum_jobs = 3\n['remote \"g\"']\nurl = rel\n");
    put(file, "[core]\nremote = p\n['remote \"p\"']\nurl = ../x\n");
    put(local_file, "['remote \"p\"']\npassword = secret\n");
    struct config *c = open_config();
    assert_string_equal(config_get(c, "core", "remote"), "p");
    assert_int_equal(config_get_int(c, "core", "checksum_jobs", 0), 3);
    assert_string_equal(config_remote_get(c, "p", "password"), "secret");
    char expect[96];
    snprintf(expect, sizeof expect, "%s/x", dir);
    assert_string_equal(config_remote_get(c, "p", "url"), expect);
    snprintf(expect, sizeof expect, "%s/global/rel", dir);
    assert_string_equal(config_remote_get(c, "g", "url"), expect);
    struct strbuf out;
    strbuf_init(&out);
    assert_int_equal(config_cmd_get(c, CONFIG_ANY, "core.remote", true, &out, NULL), 0);
    assert_string_equal(out.p, ".dvc/config\tp\n");
    strbuf_reset(&out);
    assert_int_equal(config_cmd_list(c, CONFIG_LOCAL, true, &out, NULL), 0);
    assert_string_equal(out.p, ".dvc/config.local\tremote.p.password=secret\n");
    strbuf_release(&out);
    config_free(c);
    fs_remove(global, NULL);
}

static void remotes_are_stored_relative_to_the_dvc_folder(void **state)
{
    struct strbuf out;
    strbuf_init(&out);
    struct err e = ERR_INIT;
    struct config *c = open_config();
    assert_int_equal(config_remote_add(c, CONFIG_ANY, "S3R", "../rel", true, false, &out, &e), 0);
    assert_string_equal(out.p, "Setting 's3r' as a default remote.\n");
    assert_file(file, "[core]\n    remote = s3r\n['remote \"s3r\"']\n    url = ../../rel\n");
    assert_int_equal(config_remote_add(c, CONFIG_ANY, "s3r", "x", false, false, &out, &e), -1);
    assert_string_equal(e.text, P "remote 's3r' already exists. Use `-f|--force` to overwrite it.");
    assert_int_equal(fs_mkdirs("sub/deep", NULL), 0);
    assert_int_equal(chdir("sub/deep"), 0);
    assert_int_equal(config_remote_add(c, CONFIG_ANY, "r2", "../rr", false, false, &out, &e), 0);
    assert_int_equal(chdir(dir), 0);
    assert_file(file, "[core]\n    remote = s3r\n['remote \"s3r\"']\n    url = ../../rel\n"
                      "['remote \"r2\"']\n    url = ../sub/rr\n");
    strbuf_reset(&out);
    assert_int_equal(config_remote_list(c, CONFIG_ANY, &out, &e), 0);
    char expect[200];
    snprintf(expect, sizeof expect, "s3r     /tmp/rel        (default)\nr2      %s/sub/rr\n", dir);
    assert_string_equal(out.p, expect);
    assert_int_equal(config_remote_rename(c, CONFIG_ANY, "s3r", "new", &e), 0);
    assert_file(file, "[core]\n    remote = new\n['remote \"r2\"']\n    url = ../sub/rr\n"
                      "['remote \"new\"']\n    url = ../../rel\n");
    assert_int_equal(config_remote_modify(c, CONFIG_ANY, "nosuch", "url", "x", &e), -1);
    assert_string_equal(e.text, P "remote 'nosuch' doesn't exist.");
    assert_int_equal(config_remote_modify(c, CONFIG_LOCAL, "new", "jobs", "3", &e), 0);
    /* config.local alone has no url, but the levels below it do */
    assert_file(local_file, "['remote \"new\"']\n    jobs = 3\n");
    assert_int_equal(config_remote_remove(c, CONFIG_ANY, "new", &e), 0);
    assert_file(file, "['remote \"r2\"']\n    url = ../sub/rr\n");
    strbuf_reset(&out);
    assert_int_equal(config_remote_default(c, CONFIG_ANY, NULL, false, &out, &e), 1);
    assert_string_equal(out.p, "No default remote set\n");
    assert_int_equal(config_remote_default(c, CONFIG_ANY, "zz", false, &out, &e), -1);
    assert_string_equal(e.text, P "default remote must be present in remote list.");
    strbuf_release(&out);
    config_free(c);
}

static void the_cache_folder_is_shown_absolute(void **state)
{
    struct strbuf out;
    strbuf_init(&out);
    struct config *c = open_config();
    char expect[96];
    assert_int_equal(config_cache_dir(c, CONFIG_ANY, NULL, false, &out, NULL), 0);
    snprintf(expect, sizeof expect, "%s/.dvc/cache\n", dir);
    assert_string_equal(out.p, expect);
    assert_int_equal(config_cache_dir(c, CONFIG_ANY, "my/cache", false, &out, NULL), 0);
    assert_file(file, "[cache]\n    dir = ../my/cache\n");
    assert_int_equal(config_cache_dir(c, CONFIG_ANY, NULL, true, &out, NULL), 0);
    assert_file(file, "\n");
    strbuf_release(&out);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(values_are_quoted_as_configobj_does, fresh),
        cmocka_unit_test_setup(comments_lists_and_quotes_are_read, fresh),
        cmocka_unit_test_setup(malformed_files_are_refused_with_the_line, fresh),
        cmocka_unit_test_setup(wrong_settings_are_refused_in_dvcs_words_and_change_nothing, fresh),
        cmocka_unit_test_setup(levels_shadow_one_another, fresh),
        cmocka_unit_test_setup(remotes_are_stored_relative_to_the_dvc_folder, fresh),
        cmocka_unit_test_setup(the_cache_folder_is_shown_absolute, fresh),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
