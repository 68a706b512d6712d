/* sshconfig: what ~/.ssh/config says of a host, and what it may not say. */
#include "sshconfig.h"
#include "sshproxy.h"

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
    return sshconfig_parse(&arena, str_from(text), host, NULL, &config, &trouble);
}

/* The files of Include: what stands behind "NAME:" up to the next "--". */
static int read_files(void *ctx, const char *pattern, sshconfig_text_fn *take, void *take_ctx,
                      struct err *e)
{
    const char *all = ctx, *at = strstr(all, pattern);
    if (!at) {
        return 0;
    }
    at += strlen(pattern) + 1;
    const char *end = strstr(at, "--");
    return take(take_ctx, pattern, (struct str){at, (size_t)(end - at)}, e);
}

static int parse_with(const char *text, const char *included, const char *host)
{
    const struct sshconfig_files files = {.read = read_files, .ctx = (void *)(uintptr_t)included};
    trouble = (struct err)ERR_INIT;
    return sshconfig_parse(&arena, str_from(text), host, &files, &config, &trouble);
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

static void proxies(void **state)
{
    static const char text[] = "Host far\n ProxyJump gate,me@b:2\nHost near\n ProxyCommand none\n"
                               "Host *\n ProxyCommand=  nc -x \"a b %h %p # all of it \n";
    assert_int_equal(parse(text, "far"), 0);
    assert_string_equal(config.proxy_jump, "gate,me@b:2");
    assert_null(config.proxy_command);
    assert_int_equal(parse(text, "near"), 0);
    assert_null(config.proxy_command);
    assert_int_equal(parse(text, "other"), 0);
    assert_string_equal(config.proxy_command, "nc -x \"a b %h %p # all of it");
    assert_null(config.proxy_jump);
    assert_int_equal(parse("ProxyCommand =  \n", "h"), -1);
    assert_string_equal(trouble.text, "line 1: 'ProxyCommand' has no value");
}

static void includes(void **state)
{
    static const char files[] =
        "one:Host lab\nPort 1\nHost x\nPort 9\n--two:User u\nPort 3\n--"
        "loop:Include loop\n--many:Include two two\nInclude many\n--bad:\nPort 0\n--";
    assert_int_equal(parse_with("Include none one two\nUser late\n", files, "lab"), 0);
    assert_int_equal(config.port, 1);
    assert_string_equal(config.user, "u");
    /* a file's Host ends with it; what is included in a Host is for that host */
    assert_int_equal(parse_with("Include one\nUser late\n", files, "other"), 0);
    assert_string_equal(config.user, "late");
    assert_int_equal(parse_with("Host lab\n Include two\nHost *\n User late\n", files, "x"), 0);
    assert_string_equal(config.user, "late");
    assert_int_equal(config.port, 0);
    assert_int_equal(parse_with("\nInclude bad\n", files, "x"), -1);
    assert_string_equal(trouble.text, "line 2: bad: line 2: Port must be 1 to 65535, found '0'");
    assert_int_equal(parse_with("Include loop\n", files, "x"), -1);
    assert_int_equal(trouble.code, ERR_LIMIT);
    assert_non_null(strstr(trouble.text, "Include: more than 16 files in one another"));
    assert_int_equal(parse_with("Include many\n", files, "x"), -1);
    assert_int_equal(trouble.code, ERR_LIMIT);
    const struct str nul = {"User a\0b\n", 9};
    assert_int_equal(sshconfig_parse(&arena, nul, "x", NULL, &config, &trouble), -1);
    assert_string_equal(trouble.text, "a NUL byte: this is no text");
}

static const char *words(const char *const *argv)
{
    struct strbuf b;
    strbuf_init(&b);
    for (size_t i = 0; argv && argv[i]; i++) {
        strbuf_addf(&b, "%s%s", i ? "|" : "", argv[i]);
    }
    const char *out = arena_strndup(&arena, b.p, b.n);
    strbuf_release(&b);
    return out;
}

static void commands(void **state)
{
    const struct sshproxy_target lab = {"10.0.0.1", "lab", "me", 2222},
                                 six = {"::1", "six", "me", 22};
    struct err e = ERR_INIT;
    assert_string_equal(words(sshproxy_command(&arena, "nc %h %p %r@%n %%", &lab, &e)),
                        "/bin/sh|-c|exec nc 10.0.0.1 2222 me@lab %");
    assert_string_equal(words(sshproxy_jump(&arena, "gate", &lab, &e)),
                        "ssh|-W|10.0.0.1:2222|--|gate");
    assert_string_equal(words(sshproxy_jump(&arena, "a, ssh://u@[::2]:33", &six, &e)),
                        "ssh|-J|a|-l|u|-p|33|-W|[::1]:22|--|::2");
    static const char *const jumps[] = {"-oX", "a,", "a:0",  "a:b",  "u;x@a",   "a b",  "[::1",
                                        ",a",  "@a", "[a]x", "$(x)", "a,-oX,b", "-o@a", "ssh://"};
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        e = (struct err)ERR_INIT;
        assert_null(sshproxy_jump(&arena, jumps[i], &lab, &e));
        assert_non_null(strstr(e.text, "is no [user@]host[:port]"));
    }
    assert_null(sshproxy_jump(&arena, "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", &lab, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_null(sshproxy_command(&arena, "nc %C", &lab, &e));
    assert_string_equal(e.text, "ProxyCommand: '%C' is not understood here");
    assert_null(sshproxy_command(&arena, "nc %", &lab, &e));
    static const char *const hostile[] = {"a&b", "-oX", "a b", "$(x)", "a\nb",
                                          "`x`", "a'b", "",    "~"};
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        const struct sshproxy_target hosts = {hostile[i], "n", "me", 22},
                                     names = {"h", hostile[i], "me", 22},
                                     users = {"h", "n", hostile[i], 22};
        assert_null(sshproxy_command(&arena, "nc", &hosts, &e));
        assert_null(sshproxy_command(&arena, "nc", &names, &e));
        assert_null(sshproxy_jump(&arena, "gate", &users, &e));
        assert_int_equal(e.code, ERR_CONFIG);
    }
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
        cmocka_unit_test(proxies),
        cmocka_unit_test(includes),
        cmocka_unit_test(commands),
        cmocka_unit_test(malformed),
        cmocka_unit_test(limits),
        cmocka_unit_test(paths),
    };
    arena_init(&arena);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return rc;
}
