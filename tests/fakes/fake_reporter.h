#ifndef NEPHRON_FAKE_REPORTER_H
#define NEPHRON_FAKE_REPORTER_H

#include "reporter.h"
#include "str.h"

/* Writes every event as a line: "note TEXT", "warn TEXT", "begin STAGE REASON", "end STAGE
 * OUTCOME". */
struct fake_reporter {
    struct reporter base;
    struct strbuf log;
};

void fake_reporter_init(struct fake_reporter *f);
void fake_reporter_release(struct fake_reporter *f);

#endif
