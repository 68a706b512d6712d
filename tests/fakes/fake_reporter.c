#include "fake_reporter.h"

#include "pipeline.h"

static struct strbuf *log_of(struct reporter *s)
{
    return &((struct fake_reporter *)s)->log;
}

static void note(struct reporter *s, bool warning, const char *text)
{
    strbuf_addf(log_of(s), "%s %s\n", warning ? "warn" : "note", text);
}

static void begin(struct reporter *s, const struct stage *st, const char *reason, bool dry)
{
    strbuf_addf(log_of(s), "%s %s: %s\n", dry ? "dry" : "begin", st->addr, reason);
}

static void end(struct reporter *s, const struct stage *st, enum outcome o, double seconds,
                const char *error)
{
    strbuf_addf(log_of(s), "end %s %s%s%s\n", st->addr, outcome_name(o), error != NULL ? ": " : "",
                error != NULL ? error : "");
}

static const struct reporter_ops ops = {.note = note, .begin = begin, .end = end};

void fake_reporter_init(struct fake_reporter *f)
{
    f->base.ops = &ops;
    strbuf_init(&f->log);
}

void fake_reporter_release(struct fake_reporter *f)
{
    strbuf_release(&f->log);
}
