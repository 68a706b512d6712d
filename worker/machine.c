/* Cores of this rank; see machine.h. */
#include "machine.h"

#include "comm.h"

#include "err.h"
#include "num.h"
#include "par.h"
#include "str.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The i-th of n equal parts of the cores in `all`. */
static void part_of(const cpu_set_t *all, int part, int parts, cpu_set_t *out)
{
    int total = CPU_COUNT(all), seen = 0;
    int first = total * part / parts, last = total * (part + 1) / parts;
    CPU_ZERO(out);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, all)) {
            if (seen >= first && seen < last) {
                CPU_SET(cpu, out);
            }
            seen++;
        }
    }
}

/* Only under a launcher: a person's own taskset is obeyed. The parent (mpirun, orted, slurmstepd)
 * is bound to what the job may use here. */
static void widen(struct machine_share *s)
{
    cpu_set_t launcher, mine, now;
    if (sched_getaffinity(getppid(), sizeof(launcher), &launcher) < 0 ||
        sched_getaffinity(0, sizeof(now), &now) < 0) {
        return;
    }
    int share = CPU_COUNT(&launcher) / s->ranks;
    if (share <= CPU_COUNT(&now)) {
        return;
    }
    part_of(&launcher, s->rank, s->ranks, &mine);
    s->widened = sched_setaffinity(0, sizeof(mine), &mine) == 0;
}

static int from_environment(void)
{
    static const char *const names[] = {"NEPHRON_THREADS", "OMP_NUM_THREADS"};
    int64_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        const char *text = getenv(names[i]);
        if (text && num_parse_int(str_from(text), &n) && n >= 1 && n <= 4096) {
            return (int)n;
        }
    }
    return 0;
}

int machine_share(struct comm *c, bool rebind, struct machine_share *out, struct err *e)
{
    memset(out, 0, sizeof(*out));
    if (comm_host_share(c, &out->rank, &out->ranks, e) < 0) {
        return -1;
    }
    int bound = par_cores();
    out->before = bound;
    if (rebind && comm_launched_world() >= 1 && getenv("OMPI_COMM_WORLD_SIZE")) {
        widen(out);
    }
    int cores = par_cores();
    /* Ranks that are not bound apart share what they all see. */
    bool apart = out->widened ||
                 (out->ranks > 1 && bound * out->ranks <= (int)sysconf(_SC_NPROCESSORS_ONLN));
    out->threads = apart ? cores : cores / out->ranks;
    int told = from_environment();
    out->threads = told ? told : out->threads < 1 ? 1 : out->threads;
    return 0;
}
