/* Event emitter; see event.h. */

#include "event.h"

#include "clock.h"
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#define MAX_FIELDS 32

const char *event_kind_name(enum event_kind kind)
{
    static const char *const names[] = {
#define X(name, text) text,
        EVENT_KINDS(X)
#undef X
    };
    return names[kind];
}

void event_emit(const struct event_sink *sink, enum event_kind kind, const char *run, ...)
{
    if (sink == NULL || sink->emit == NULL) {
        return;
    }
    struct event_field fields[MAX_FIELDS];
    size_t count = 0;
    va_list ap;
    va_start(ap, run);
    for (const char *key; (key = va_arg(ap, const char *)) != NULL;) {
        const char *value = va_arg(ap, const char *);
        if (value == NULL) {
            continue;
        }
        if (count == MAX_FIELDS) {
            BUG("event %s has more than %d fields", event_kind_name(kind), MAX_FIELDS);
        }
        fields[count++] = (struct event_field){key, value};
    }
    va_end(ap);
    struct event ev = {.kind = kind,
                       .run = run,
                       .time_ms = clock_wall_ms(&clock_system),
                       .fields = fields,
                       .field_count = count};
    sink->emit(sink->ctx, &ev);
}

void event_new_run_id(char out[33])
{
    unsigned char random[10];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        BUG("getrandom failed");
    }
    uint64_t now = (uint64_t)clock_wall_ms(&clock_system) & 0xFFFFFFFFFFFFu;
    int n = snprintf(out, 33, "%012llx", (unsigned long long)now);
    for (size_t i = 0; i < sizeof(random); i++) {
        n += snprintf(out + n, 33 - (size_t)n, "%02x", random[i]);
    }
}
