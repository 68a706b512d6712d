/* `exp` (also `experiments`): the table of its subcommands. */
#include "cmd.h"
#include "cmd_exp.h"

#include "alloc.h"
#include "session.h"

int cmd_exp(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"clean", cmd_exp_clean, "remove what killed runs of experiments left"},
    };
    return session_dispatch(argv[0], commands, ARRAY_SIZE(commands), argc, argv);
}
