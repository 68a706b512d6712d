/* Failing together; see ranks_agree.h. */
#include "ranks_agree.h"

#include "comm.h"

#include "err.h"

#include <stdbool.h>
#include <string.h>

#define FOREIGN "failed together with rank "

int ranks_agree(struct comm *c, int rc, struct err *e)
{
    /* The largest mark is that of the lowest rank with an error of its own: it speaks for all.
     * Those that failed only because another did keep quiet, so that agreeing twice loses no text.
     */
    bool own = rc < 0 && !(e && ranks_is_foreign(e));
    int64_t marks[2] = {own ? c->size - c->rank : 0, rc < 0};
    struct err comm_error = ERR_INIT;
    if (comm_max(c, marks, 2, &comm_error) < 0) {
        return rc < 0 ? -1 : err_set(e, comm_error.code, "%s", comm_error.text);
    }
    if (marks[1] == 0) {
        return 0;
    }
    int speaker = c->size - (int)marks[0];
    if (marks[0] == 0 || speaker == c->rank) {
        return -1;
    }
    return err_set(e, rc < 0 && e ? e->code : ERR_REMOTE, FOREIGN "%d", speaker);
}

int ranks_is_foreign(const struct err *e)
{
    return strncmp(e->text, FOREIGN, sizeof(FOREIGN) - 1) == 0;
}
