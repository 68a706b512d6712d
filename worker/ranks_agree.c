/* Failing together; see ranks_agree.h. */
#include "ranks_agree.h"

#include "comm.h"

#include "err.h"

#include <string.h>

#define FOREIGN "failed together with rank "

int ranks_agree(struct comm *c, int rc, struct err *e)
{
    /* The largest mark is that of the lowest rank that failed: it speaks for all. */
    int64_t mark = rc < 0 ? c->size - c->rank : 0;
    struct err comm_error = ERR_INIT;
    if (comm_max(c, &mark, 1, &comm_error) < 0) {
        return rc < 0 ? -1 : err_set(e, comm_error.code, "%s", comm_error.text);
    }
    if (mark == 0) {
        return 0;
    }
    int speaker = c->size - (int)mark;
    if (speaker == c->rank) {
        return -1;
    }
    return err_set(e, rc < 0 && e ? e->code : ERR_REMOTE, FOREIGN "%d", speaker);
}

int ranks_is_foreign(const struct err *e)
{
    return strncmp(e->text, FOREIGN, sizeof(FOREIGN) - 1) == 0;
}
