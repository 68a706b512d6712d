/* `exp` (also `experiments`): the table of its subcommands. */
#include "cmd.h"
#include "cmd_exp.h"

#include "alloc.h"
#include "exprun_cli.h"
#include "session.h"

#include <string.h>

int cmd_exp(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"run", cmd_exp_run, "run an experiment, or queue it"},
        {"save", cmd_exp_save, "keep the workspace as an experiment"},
        {"show", cmd_exp_show, "experiments with metrics, parameters, dependencies"},
        {"diff", cmd_exp_diff, "metrics and parameters against another experiment"},
        {"list", cmd_exp_list, "experiments, here or in another repository of git"},
        {"ls", cmd_exp_list, "the same"},
        {"apply", cmd_exp_apply, "bring the workspace to an experiment"},
        {"branch", cmd_exp_branch, "make a branch of git at an experiment"},
        {"rename", cmd_exp_rename, "give an experiment another name"},
        {"remove", cmd_exp_remove, "remove experiments"},
        {"rm", cmd_exp_remove, "the same"},
        {"push", cmd_exp_push, "copy experiments to another repository of git"},
        {"pull", cmd_exp_pull, "copy experiments from another repository of git"},
        {"clean", cmd_exp_clean, "remove what killed runs of experiments left"},
    };
    if (argc > 1 && strcmp(argv[1], "exec-run") == 0) {
        return exprun_cli_exec(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "queue-worker") == 0) {
        return exprun_cli_worker();
    }
    return session_dispatch(argv[0], commands, ARRAY_SIZE(commands), argc, argv);
}
