/* `exp clean`. */
#include "cmd_exp.h"

#include "err.h"
#include "expcopy.h"
#include "expqueue.h"
#include "opt.h"
#include "session.h"

#include <stdio.h>

int cmd_exp_clean(int argc, char **argv)
{
    bool quiet = false;
    const struct opt options[] = {
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL}, OPT_END};
    const struct opt_spec spec = {.usage = "nephron exp clean [OPTION]...",
                                  .about = "Removes the copies of the workspace that killed runs "
                                           "of experiments left. Queued experiments stay.",
                                  .examples = "  nephron exp clean",
                                  .options = options};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_REPO, quiet, &e) < 0) {
        return session_fail(&e, 255);
    }
    if (!quiet) {
        printf("Cleaning up dvc-task messages...\n");
    }
    struct expqueue queue = {&s.repo, &s.arena};
    code = expcopy_sweep(&s.repo, NULL, &e) < 0 || expqueue_sweep(&queue, &e) < 0
               ? session_fail(&e, 255)
               : 0;
    if (code == 0 && !quiet) {
        printf("Done!\n");
    }
    session_close(&s);
    return code;
}
