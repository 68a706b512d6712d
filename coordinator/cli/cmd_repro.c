/* `repro` and `explain` of the light program: processes of this host. The logic is in dispatch/repro_cli.h. */
#include "cmd.h"

#include "repro_cli.h"

int cmd_repro(int argc, char **argv)
{
    return repro_main(argc, argv, NULL);
}

int cmd_explain(int argc, char **argv)
{
    return explain_main(argc, argv);
}
