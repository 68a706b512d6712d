#include "fake_status.h"

#include "pipeline.h"

static struct strbuf *log_of(struct status *s)
{
    return &((struct fake_status *)s)->log;
}

static void note(struct status *s, bool warning, const char *text)
{
    strbuf_addf(log_of(s), "%s %s\n", warning ? "warn" : "note", text);
}

static void begin(struct status *s, const struct stage *st, const char *reason, bool dry)
{
    strbuf_addf(log_of(s), "%s %s: %s\n", dry ? "dry" : "begin", st->addr, reason);
}

static void end(struct status *s, const struct stage *st, enum status_outcome o, double seconds,
                const char *error)
{
    strbuf_addf(log_of(s), "end %s %s%s%s\n", st->addr, status_outcome_name(o),
                error != NULL ? ": " : "", error != NULL ? error : "");
}

static const struct status_ops ops = {.note = note, .begin = begin, .end = end};

void fake_status_init(struct fake_status *f)
{
    f->base.ops = &ops;
    strbuf_init(&f->log);
}

void fake_status_release(struct fake_status *f)
{
    strbuf_release(&f->log);
}
