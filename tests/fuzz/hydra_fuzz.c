/*
 * A folder of settings: pieces with NULs between them, "path\ntext" for a file, "=override" for an override. What is composed is a map, and
 * its text reads as the same map. Cycles, deep nesting and growth must end with an error.
 */
#include "hydracompose.h"
#include "hydradump.h"
#include "hydrascalar.h"

#include "err.h"
#include "value.h"
#include "yaml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One piece. Paths stay what a file can be called. */
static void add_piece(struct arena *a, struct str piece, struct value *files,
                      struct value *overrides)
{
    const char *end = memchr(piece.p, '\n', piece.n);
    if (piece.n > 0 && piece.p[0] == '=') {
        value_push(a, overrides, value_str(a, str_sub(piece, 1, piece.n - 1)));
    } else if (end != NULL) {
        size_t n = (size_t)(end - piece.p);
        value_set(a, files, arena_strndup(a, piece.p, n),
                  value_str(a, str_sub(piece, n + 1, piece.n - n - 1)));
    }
}

static void check_text(struct arena *a, const struct value *doc)
{
    struct strbuf once, twice;
    struct err e = ERR_INIT;
    const struct yaml_options how = {.plain = hydrascalar_read};
    strbuf_init(&once);
    strbuf_init(&twice);
    hydradump(&once, doc);
    const struct value *again = yaml_parse(a, strbuf_str(&once), &how, &e);
    /* texts that no YAML holds as they are: keys of other types with one text, lone breaks */
    if (again != NULL) {
        hydradump(&twice, again);
        if (doc->map.count > 0 && again->type != VALUE_MAP) {
            abort();
        }
    }
    strbuf_release(&once);
    strbuf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct err e = ERR_INIT;
    struct str rest = {(const char *)data, size}, piece;
    struct value *out;
    if (size == 0 || size > 65536) {
        return 0;
    }
    arena_init(&a);
    struct value *files = value_map(&a), *overrides = value_list(&a);
    while (str_split(&rest, '\0', &piece)) {
        add_piece(&a, piece, files, overrides);
    }
    const struct hydrasource main = {.texts = files};
    if (hydracompose(&a, &main, "config", overrides, &out, &e) == 0) {
        if (out->type != VALUE_MAP || e.code != ERR_NONE) {
            abort();
        }
        check_text(&a, out);
    } else if (e.text[0] == 0) {
        abort();
    }
    arena_release(&a);
    return 0;
}
