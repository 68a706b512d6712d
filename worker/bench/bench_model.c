#include "bench.h"
#include "err.h"
int bench_model(struct bench *b, struct err *e)
{
    return err_set(e, ERR_USAGE, "not yet");
}
