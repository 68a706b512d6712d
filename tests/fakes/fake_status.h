#ifndef NEPHRON_FAKE_STATUS_H
#define NEPHRON_FAKE_STATUS_H

#include "status.h"
#include "str.h"

/* Writes every event as a line: "note TEXT", "warn TEXT", "begin STAGE REASON", "end STAGE OUTCOME". */
struct fake_status {
    struct status base;
    struct strbuf log;
};

void fake_status_init(struct fake_status *f);
void fake_status_release(struct fake_status *f);

#endif
