/* `repro` of the light program: processes of this host, recorded as a run. The logic is in dispatch/repro_cli.h. */
#include "cmd.h"

#include "repro_cli.h"
#include "tracked.h"

int cmd_repro(int argc, char **argv)
{
    struct tracked *t = tracked_new(&(struct tracked_options){.argc = argc, .argv = argv});
    const struct repro_backend backend = {
        .program = "nephron",
        .run_begin = tracked_begin,
        .run_end = tracked_end,
        .ctx = t,
    };
    int code = repro_main(argc, argv, &backend);
    tracked_free(t);
    return code;
}
