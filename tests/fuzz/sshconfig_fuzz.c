/* ~/.ssh/config: the first line is the host, the rest is the file; an Include names the file itself, twice. */
#include "arena.h"
#include "err.h"
#include "sshconfig.h"
#include "sshproxy.h"
#include "str.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int include(void *ctx, const char *pattern, sshconfig_text_fn *take, void *take_ctx,
                   struct err *e)
{
    const struct str *all = ctx;
    return take(take_ctx, pattern, *all, e) < 0 ? -1 : take(take_ctx, "again", *all, e);
}

/* A proxy's command has no word more than ssh's own from a target that is not plain. */
static void build_proxy(struct arena *a, const struct sshconfig *c, const char *host)
{
    const struct sshproxy_target t = {c->hostname ? c->hostname : host, host, "me", 22};
    struct err e = ERR_INIT;
    const char *const *argv = c->proxy_jump      ? sshproxy_jump(a, c->proxy_jump, &t, &e)
                              : c->proxy_command ? sshproxy_command(a, c->proxy_command, &t, &e)
                                                 : NULL;
    if ((c->proxy_jump && c->proxy_command) ||
        ((c->proxy_jump || c->proxy_command) && !argv && e.text[0] == 0)) {
        abort();
    }
    for (size_t i = 0; argv && argv[i]; i++) {
        if (c->proxy_jump && argv[i][0] == '-' && strlen(argv[i]) > 2) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct err e = ERR_INIT;
    struct sshconfig c;
    struct str text = {(const char *)data, size}, line;
    if (size == 0 || size > 8192 || !str_split(&text, '\n', &line)) {
        return 0;
    }
    arena_init(&a);
    const char *host = arena_strndup(&a, line.p, line.n);
    struct str rest = text.p ? text : STR("");
    const struct sshconfig_files files = {.read = include, .ctx = &rest};
    if (sshconfig_parse(&a, rest, host, &files, &c, &e) < 0) {
        if (e.text[0] == 0 || e.code == ERR_NONE) {
            abort();
        }
    } else {
        if (c.port > 65535 || c.identity_count > SSHCONFIG_IDENTITIES_MAX ||
            (c.hostname && c.hostname[0] == 0)) {
            abort();
        }
        for (size_t i = 0; i < c.identity_count; i++) {
            sshconfig_expand(&a, c.identities[i], "/home/a", host, "me");
        }
        build_proxy(&a, &c, host);
    }
    if (!sshconfig_matches(STR("*"), line)) {
        abort();
    }
    arena_release(&a);
    return 0;
}
