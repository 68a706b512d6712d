/* `launch`: starts an MPI job again when it fails. The work is dispatch/launch.h's. */
#include "cmd.h"

#include "launch.h"

#include "err.h"
#include "opt.h"

#include <math.h>
#include <stdio.h>

static int refuse(const struct opt_spec *spec, const char *text)
{
    opt_print_usage(spec);
    fprintf(stderr, "ERROR: %s\n", text);
    return 2;
}

static int start(const struct launch_options *opt)
{
    struct err e = ERR_INIT;
    int code = launch_run(opt, &e);
    if (code < 0) {
        fprintf(stderr, "ERROR: %s\n", e.text);
        return 127;
    }
    return code;
}

int cmd_launch(int argc, char **argv)
{
    struct launch_options o = {0};
    long restarts = 3;
    double backoff = 2;
    const struct opt options[] = {
        {OPT_INT, 0, "max-restarts", "K", "start again up to K times (default 3)", &restarts, NULL},
        {OPT_DOUBLE, 0, "backoff", "S",
         "seconds before the first new start; doubles up to 60 (default 2)", &backoff, NULL},
        {OPT_FLAG, 0, "requeue-as-restart", NULL,
         "start again also after exit 85 that nobody asked for with SIGUSR1", &o.requeue_as_restart,
         NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "say nothing of restarts", &o.quiet, NULL},
        OPT_END,
    };
    const struct opt_spec spec = {
        .usage = "nephron launch [OPTION]… -- COMMAND [ARG]…",
        .about =
            "Starts an MPI job from outside, and again when it fails: finished stages are not "
            "repeated, a training goes on from its last checkpoint. Ends with the last exit code; "
            "0, 85 (requeue), 130 and 143 are not started again. SIGTERM and SIGINT give the ranks "
            "20 s for a checkpoint, which mpirun alone does not; SIGUSR1 asks for one and for exit "
            "85. In a terminal the command reads nothing from it.",
        .examples = "nephron launch --max-restarts 5 -- mpirun -n 16 nephron repro\n"
                    "nephron launch -- mpirun -n 2 --hostfile hosts nephron train\n"
                    "nephron launch --max-restarts 0 -- mpirun -n 4 nephron repro   "
                    "only for its signals",
        .options = options,
        .min_args = 1,
        .max_args = OPT_ANY,
        .stop_at_first_word = true,
    };
    struct opt_list words = {0};
    struct err e = ERR_INIT;
    enum opt_result r = opt_parse(&spec, argc, argv, &words, &e);
    int code = 0;
    if (r == OPT_BAD) {
        code = refuse(&spec, e.text);
    } else if (r == OPT_OK && (restarts < 0 || restarts > 1000000)) {
        code = refuse(&spec, "argument --max-restarts: expected a number from 0 on");
    } else if (r == OPT_OK && !(isfinite(backoff) && backoff >= 0)) {
        code = refuse(&spec, "argument --backoff: expected seconds from 0 on");
    } else if (r == OPT_OK) {
        o.max_restarts = (int)restarts;
        o.backoff_s = backoff;
        o.argv = (const char *const *)(argv + argc - words.count); /* the tail of ours, NULL too */
        code = start(&o);
    }
    opt_list_release(&words);
    return code;
}
