/* sshconfig: what ~/.ssh/config says of a host, and what it may not say. */
#include "sshconfig.h"

#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct sshconfig config;
static struct err trouble;

static int parse(const char *text, const char *host)
{
    trouble = (struct err)ERR_INIT;
    return sshconfig_parse(&arena, str_from(text), host, &config, &trouble);
}

static void first_value_wins(void **state)
{
    static const char text[] = "# mine\n"
                               "Host lab\n"
                               "  HostName %h.example.org\r\n"
                               "\tPort=2222\n"
                               "  user = \"an na\" # not the name\n"
                               "IdentityFile ~/a\n"
                               "Host *\n"
                               "  User other\n"
                               "  Port 22\n"
                               "  IdentityFile ~/b\n"
                               "  StrictHostKeyChecking yes\n"
                               "  StrictHostKeyChecking no\n"
                               "  UserKnownHostsFile /k1 /k2\n"
                               "  IdentityAgent none\n"
                               "  IdentitiesOnly yes\n"
                               "  SendEnv LANG LC_*\n";
    assert_int_equal(parse(text, "lab"), 0);
    assert_string_equal(config.hostname, "lab.example.org");
    assert_int_equal(config.port, 2222);
    assert_string_equal(config.user, "an na");
    assert_int_equal(config.identity_count, 2);
    assert_string_equal(config.identities[0], "~/a");
    assert_string_equal(config.identities[1], "~/b");
    assert_true(config.strict);
    assert_true(config.identities_only);
    assert_string_equal(config.known_hosts, "/k1");
    assert_string_equal(config.agent, "none");
    assert_int_equal(parse(text, "elsewhere"), 0);
    assert_null(config.hostname);
    assert_string_equal(config.user, "other");
    assert_int_equal(config.identity_count, 1);
    assert_int_equal(parse("", "lab"), 0);
    assert_int_equal(config.port, 0);
}

static void patterns(void **state)
{
    static const struct {
        const char *pattern, *host;
        bool matches;
    } cases[] = {
        {"*", "", true},          {"", "", true},
        {"", "a", false},         {"a?c", "abc", true},
        {"a?c", "ac", false},     {"*.org", "x.y.ORG", true},
        {"*.org", "org", false},  {"a*b*c", "aXbYc", true},
        {"a*b*c", "aXbY", false}, {"*a*a*a", "aaaab", false},
        {"Lab", "lAB", true},     {"la", "lab", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sshconfig_matches(str_from(cases[i].pattern), str_from(cases[i].host)),
                         cases[i].matches);
    }
    assert_int_equal(parse("Host a* !ab b\nPort 1\n", "ab"), 0);
    assert_int_equal(config.port, 0);
    assert_int_equal(parse("Host a* !ab b\nPort 1\n", "ac"), 0);
    assert_int_equal(config.port, 1);
}

static void match_blocks(void **state)
{
    assert_int_equal(parse("Host x\nHostName y\nMatch host y\nPort 5\n", "x"), 0);
    assert_int_equal(config.port, 5);
    assert_int_equal(parse("Match originalhost a,b,!c\nPort 5\nMatch all\nUser u\n", "b"), 0);
    assert_int_equal(config.port, 5);
    assert_string_equal(config.user, "u");
    assert_int_equal(parse("Match final all\nPort 5\n", "b"), 0);
    assert_int_equal(config.port, 0);
    /* what fails decides before what cannot be asked */
    assert_int_equal(parse("Match exec \"true\" host z\nPort 5\n", "b"), 0);
    assert_int_equal(config.port, 0);
    assert_int_equal(parse("Port 1\nMatch exec \"true\"\nUser u\n", "b"), -1);
    assert_int_equal(trouble.code, ERR_CONFIG);
    assert_string_equal(trouble.text, "line 2: 'Match exec' is not understood here");
}

static void refused_by_name(void **state)
{
    static const char jump[] = "Host far\n ProxyJump gate\nHost near\n ProxyCommand none\n"
                               "Host *\n ProxyCommand nc %h %p\n";
    assert_int_equal(parse(jump, "far"), -1);
    assert_int_equal(trouble.code, ERR_CONFIG);
    assert_non_null(strstr(trouble.text, "line 2: ProxyJump is not built in"));
    assert_int_equal(parse(jump, "near"), 0);
    assert_int_equal(parse(jump, "other"), -1);
    assert_non_null(strstr(trouble.text, "line 6: ProxyCommand is not built in"));
    assert_int_equal(parse("Include conf.d/*\n", "h"), -1);
    assert_non_null(strstr(trouble.text, "line 1: 'Include conf.d/*' is not built in"));
    assert_int_equal(parse("Host other\nInclude conf.d/*\n", "h"), 0);
}

static void malformed(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"Port 0\n", "line 1: Port must be 1 to 65535, found '0'"},
        {"\n\nPort 70000\n", "line 3: Port must be 1 to 65535, found '70000'"},
        {"Port ssh", "line 1: Port must be 1 to 65535, found 'ssh'"},
        {"User\n", "line 1: 'User' has no value"},
        {"User # x\n", "line 1: 'User' has no value"},
        {"User \"x\n", "line 1: a quote does not end"},
        {"HostName %x\n", "line 1: HostName '%x' is not understood"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(cases[i].text, "h"), -1);
        assert_string_equal(trouble.text, cases[i].says);
    }
}

static void limits(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    for (int i = 0; i <= SSHCONFIG_IDENTITIES_MAX; i++) {
        strbuf_adds(&b, "IdentityFile k\n");
    }
    assert_int_equal(parse(b.p, "h"), -1);
    assert_int_equal(trouble.code, ERR_LIMIT);
    strbuf_reset(&b);
    strbuf_adds(&b, "SendEnv");
    for (int i = 0; i < 100; i++) {
        strbuf_adds(&b, " x");
    }
    assert_int_equal(parse(b.p, "h"), -1);
    assert_int_equal(trouble.code, ERR_LIMIT);
    strbuf_reset(&b);
    strbuf_pad(&b, '\n', SSHCONFIG_BYTES_MAX + 1);
    assert_int_equal(parse(b.p, "h"), -1);
    assert_int_equal(trouble.code, ERR_LIMIT);
    strbuf_release(&b);
}

static void paths(void **state)
{
    assert_string_equal(sshconfig_expand(&arena, "~/.ssh/%h_%r%%", "/home/a", "lab", "me"),
                        "/home/a/.ssh/lab_me%");
    assert_string_equal(sshconfig_expand(&arena, "%d/x~/", "/home/a", "lab", "me"), "/home/a/x~/");
    assert_null(sshconfig_expand(&arena, "/x/%C", "/home/a", "lab", "me"));
    assert_null(sshconfig_expand(&arena, "/x/%", "/home/a", "lab", "me"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_value_wins),
        cmocka_unit_test(patterns),
        cmocka_unit_test(match_blocks),
        cmocka_unit_test(refused_by_name),
        cmocka_unit_test(malformed),
        cmocka_unit_test(limits),
        cmocka_unit_test(paths),
    };
    arena_init(&arena);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return rc;
}
