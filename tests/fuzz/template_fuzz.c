/* ${…}: the input's first line is the context as YAML flow, the rest is the text to expand, as a
 * command and as a dep. */
#include "err.h"
#include "template.h"
#include "yaml.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
    if (!nl || size > 65536) {
        return 0;
    }
    struct arena a;
    struct template_ctx t;
    arena_init(&a);
    template_init(&t, &a);
    struct str line = {(const char *)data, (size_t)(nl - data)};
    const struct value *doc = yaml_parse(&a, line, NULL, NULL);
    if (doc && doc->type == VALUE_MAP && template_merge(&t, doc, "params.yaml", NULL) == 0) {
        struct str rest = {(const char *)nl + 1, size - line.n - 1};
        const struct value *text = value_str(&a, rest);
        t.style.list_append = data[0] & 1;
        t.style.bool_optional = data[0] & 2;
        template_has_expr(text);
        template_check(text, NULL);
        template_resolve(&t, text, "cmd", NULL);
        template_resolve(&t, text, "deps", NULL);
        template_resolve(&t, doc, NULL, NULL);
        template_merge(&t, doc, "vars[0]", NULL);
    }
    arena_release(&a);
    return 0;
}
