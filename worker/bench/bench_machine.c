/* What is measured on, and what may be wrong with it. */
#include "bench.h"

#include "comm.h"

#include "dense.h"
#include "err.h"
#include "par.h"
#include "peak.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PEAK_REPEATS 20 /* of 2 ms each */

double bench_peak_rss(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss * 1024;
}

/* The first line of a small file that begins with `key` (NULL: any), behind the colon if there is
 * one. "" when there is none. */
static void first_line(const char *path, const char *key, char *out, size_t size)
{
    char line[512];
    FILE *f = fopen(path, "re");
    out[0] = '\0';
    while (f && fgets(line, sizeof(line), f)) {
        if (key && strncmp(line, key, strlen(key)) != 0) {
            continue;
        }
        const char *text = key ? strchr(line, ':') : NULL;
        text = text ? text + 1 + strspn(text + 1, " \t") : line;
        snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
        break;
    }
    if (f) {
        fclose(f);
    }
}

static double load_average(void)
{
    double v = 0;
    return getloadavg(&v, 1) == 1 ? v : 0;
}

int bench_machine_measure(struct bench *b, struct err *e)
{
    struct bench_machine *m = &b->machine;
    const struct peak_kernel *kernels[BENCH_PEAKS];
    m->load = load_average();
    first_line("/proc/cpuinfo", "model name", m->cpu, sizeof(m->cpu));
    first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", NULL, m->governor,
               sizeof(m->governor));
    if (gethostname(m->host, sizeof(m->host)) < 0) {
        m->host[0] = '\0';
    }
    m->host[sizeof(m->host) - 1] = '\0';
    m->cores = par_cores();
    m->online = (int)sysconf(_SC_NPROCESSORS_ONLN);
    m->threads = par_threads(b->par);
    m->peak_count = peak_kernels(kernels);
    if (comm_barrier(b->comm, e) < 0) { /* all at once, as they will compute */
        return -1;
    }
    for (size_t i = 0; i < m->peak_count; i++) {
        struct bench_peak *p = &m->peaks[i];
        p->isa = kernels[i]->name;
        p->one = peak_gflops(kernels[i], NULL, PEAK_REPEATS);
        p->all = m->threads > 1 ? peak_gflops(kernels[i], b->par, PEAK_REPEATS) : p->one;
    }
    m->peak = m->peaks[0].all;
    return comm_barrier(b->comm, e);
}

/* --- hints ----------------------------------------------------------------------------------- */

static void hint(struct bench *b, struct value *list, const char *text)
{
    value_push(b->arena, list, value_cstr(b->arena, text));
    strbuf_addf(b->text, "hint: %s\n", text);
}

static void hint_cores(struct bench *b, struct value *list)
{
    const struct bench_machine *m = &b->machine;
    char text[256];
    if (m->threads > m->cores) {
        snprintf(text, sizeof(text), "%d threads on %d cores: they wait for one another",
                 m->threads, m->cores);
        hint(b, list, text);
    }
    if (m->cores * b->share.ranks < m->online && m->threads * b->share.ranks < m->online) {
        snprintf(text, sizeof(text),
                 "this process may use %d of %d cores (affinity or cgroup): look at taskset, "
                 "--cpus of the container, --cpus-per-task of srun, --bind-to of mpirun",
                 m->cores, m->online);
        hint(b, list, text);
    } else if (m->threads * b->share.ranks < m->cores) {
        snprintf(text, sizeof(text),
                 "%d thread%s on %d cores: --threads, NEPHRON_THREADS or OMP_NUM_THREADS",
                 m->threads, m->threads > 1 ? "s" : "", m->cores);
        hint(b, list, text);
    }
    if (m->load > 0.5 * m->online) {
        snprintf(text, sizeof(text),
                 "load was %.1f at the start: other programs compute here, the figures are too low",
                 m->load);
        hint(b, list, text);
    }
}

static void hint_settings(struct bench *b, struct value *list)
{
    const struct bench_machine *m = &b->machine;
    char text[256];
    if (m->governor[0] && strcmp(m->governor, "performance") != 0) {
        snprintf(text, sizeof(text),
                 "the CPU's frequency governor is '%s': 'cpupower frequency-set -g performance' "
                 "keeps the clock up",
                 m->governor);
        hint(b, list, text);
    }
    if (strcmp(m->peaks[0].isa, "generic") == 0) {
        hint(b, list, "no AVX2 or AVX-512 found: portable kernels run, several times slower");
    }
    if (m->threads > 1 && m->peak < 0.75 * m->threads * m->peaks[0].one) {
        snprintf(text, sizeof(text),
                 "%d threads reach %.1f times the peak of one: cores are shared (hyper-threads, "
                 "other programs) or clocks fall",
                 m->threads, m->peak / m->peaks[0].one);
        hint(b, list, text);
    }
}

/* Ranks on unlike CPUs: the slowest decides, and equal bits are only promised for one kind. */
static void hint_ranks(struct bench *b, struct value *list)
{
    size_t total = 0, n = sizeof(b->machine.cpu);
    char *all = comm_collect(b->comm, b->machine.cpu, n, &total, NULL);
    for (size_t at = n; all && at < total; at += n) {
        if (strcmp(all, all + at) != 0) {
            char text[256];
            snprintf(text, sizeof(text),
                     "unlike CPUs (rank 0: %.60s, rank %zu: %.60s): the slowest "
                     "sets the pace, and bits may differ",
                     all, at / n, all + at);
            hint(b, list, text);
            break;
        }
    }
    free(all);
}

/* --- report ---------------------------------------------------------------------------------- */

static void set_float(struct bench *b, struct value *map, const char *key, double v)
{
    value_set(b->arena, map, key, value_float(b->arena, v));
}

static struct value *peaks(struct bench *b)
{
    struct value *list = value_list(b->arena);
    for (size_t i = 0; i < b->machine.peak_count; i++) {
        const struct bench_peak *p = &b->machine.peaks[i];
        struct value *map = value_map(b->arena);
        value_set(b->arena, map, "isa", value_cstr(b->arena, p->isa));
        set_float(b, map, "gflops", p->all);
        set_float(b, map, "gflops_one_thread", p->one);
        value_push(b->arena, list, map);
    }
    return list;
}

void bench_machine_report(struct bench *b)
{
    const struct bench_machine *m = &b->machine;
    struct value *map = value_map(b->arena), *hints = value_list(b->arena);
    value_set(b->arena, map, "host", value_cstr(b->arena, m->host));
    value_set(b->arena, map, "cpu", value_cstr(b->arena, m->cpu));
    value_set(b->arena, map, "cores", value_int(b->arena, m->cores));
    value_set(b->arena, map, "threads", value_int(b->arena, m->threads));
    value_set(b->arena, map, "kernels", value_cstr(b->arena, dense_kernel_name()));
    value_set(b->arena, map, "peaks", peaks(b));
    set_float(b, map, "load", m->load);
    value_set(b->arena, b->report, "machine", map);
    strbuf_addf(b->text, "%s: %s, %d thread%s on %d core%s\n", m->host, m->cpu, m->threads,
                m->threads > 1 ? "s" : "", m->cores, m->cores > 1 ? "s" : "");
    for (size_t i = 0; i < m->peak_count; i++) {
        strbuf_addf(b->text, "%s%s %.0f (one thread %.0f)",
                    i ? ", " : "fp32 FMA peak, GFLOP/s: ", m->peaks[i].isa, m->peaks[i].all,
                    m->peaks[i].one);
    }
    strbuf_addf(b->text, "\nkernels: %s\n", dense_kernel_name());
    hint_cores(b, hints);
    hint_settings(b, hints);
    hint_ranks(b, hints);
    value_set(b->arena, b->report, "hints", hints);
}
