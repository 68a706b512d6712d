/* ~/.ssh/config: the first line is the host, the rest is the file. */
#include "arena.h"
#include "err.h"
#include "sshconfig.h"
#include "str.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    if (sshconfig_parse(&a, rest, host, &c, &e) < 0) {
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
    }
    if (!sshconfig_matches(STR("*"), line)) {
        abort();
    }
    arena_release(&a);
    return 0;
}
