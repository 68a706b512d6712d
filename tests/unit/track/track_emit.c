/*
 * Tells the story of a run in the current project, for tests of the commands that read runs.
 *   track_emit [-i ID] [-n STEPS] [-p KEY=VALUE]… [-s STATUS] [-w FILE] NAME
 * -w: told all but the end, waits until FILE is there, for a minute at most.
 */

#include "clock.h"
#include "err.h"
#include "run.h"
#include "sink.h"
#include "tracking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tell(const struct run *run, int steps)
{
    run_stage(run, &(struct run_stage){.stage = "training",
                                       .status = "running",
                                       .reason = "params changed: BATCH_SIZE",
                                       .host = "h1",
                                       .start_ms = 1700000000000});
    for (int i = 0; i < steps; i++) {
        run_metric(run, "loss", i, 1.0 / (i + 1));
        run_metric(run, "accuracy", i, 1.0 - 1.0 / (i + 2));
    }
    run_log_line(run, 0, "epoch 1");
    run_log_line(run, 1, "epoch 1 on rank 1");
    run_log_line(run, 0, "epoch 2");
    run_rank(run, &(struct run_rank){.rank = 0,
                                     .host = "h1",
                                     .state = "training",
                                     .pid = 42,
                                     .img_per_s = 12.5,
                                     .rss_bytes = 123000000});
}

int main(int argc, char **argv)
{
    struct run_options opt = {.kind = "train", .light = true, .experiment = "E"};
    struct tracking t;
    struct run run;
    struct err e = ERR_INIT;
    char *params[32];
    const char *status = "finished";
    size_t param_count = 0;
    int c, steps = 3;
    const char *wait = NULL;

    while ((c = getopt(argc, argv, "i:n:p:s:w:")) != -1) {
        if (c == 'i') {
            opt.id = optarg;
        } else if (c == 'n') {
            steps = (int)strtol(optarg, NULL, 10);
        } else if (c == 'p' && param_count < 32 && strchr(optarg, '=')) {
            params[param_count++] = optarg;
        } else if (c == 's') {
            status = optarg;
        } else if (c == 'w') {
            wait = optarg;
        } else {
            return 2;
        }
    }
    opt.name = optind < argc ? argv[optind] : "unnamed";
    if (tracking_load(&t, NULL, &e) < 0) {
        fprintf(stderr, "track_emit: %s\n", e.text);
        return 2;
    }
    struct sink *s =
        sink_open(&(struct sink_options){.tracking = &t, .no_system_metrics = true}, &e);
    run_begin(&run, sink_events(s), &opt);
    for (size_t i = 0; i < param_count; i++) {
        char *value = strchr(params[i], '=');
        *value++ = '\0';
        run_param(&run, params[i], value);
    }
    tell(&run, steps);
    for (int i = 0; wait && access(wait, F_OK) != 0 && i < 600; i++) {
        clock_sleep_us(100000);
    }
    bool failed = strcmp(status, "failed") == 0;
    run_stage(&run, &(struct run_stage){.stage = "training",
                                        .status = status,
                                        .rank = 0,
                                        .end_ms = 1700000065000,
                                        .ended = true,
                                        .exit_code = failed});
    run_finish(&run, failed ? RUN_FAILED : RUN_FINISHED, failed, failed ? "no luck" : NULL);
    sink_close(s);
    tracking_release(&t);
    puts(run.id);
    return 0;
}
