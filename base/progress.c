/* The progress line; see progress.h. */

#include "progress.h"

#include "alloc.h"
#include "clock.h"
#include "num.h"
#include "str.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_US 100000
#define BAR_WIDTH 24

struct progress {
    char *label, *note;
    uint64_t first, done, total;
    enum progress_unit unit;
    const struct clock *clock;
    int64_t start_us, drawn_us;
    bool visible, drawn;
    pthread_mutex_t mutex;
};

struct progress *progress_new(const char *label, uint64_t total, enum progress_unit unit,
                              const struct clock *clock, bool quiet)
{
    struct progress *p = xcalloc(1, sizeof(*p));
    p->label = xstrdup(label);
    p->note = xstrdup("");
    p->total = total;
    p->unit = unit;
    p->clock = clock != NULL ? clock : &clock_system;
    p->start_us = clock_mono_us(p->clock);
    p->visible = !quiet && isatty(STDERR_FILENO) && getenv("NO_PROGRESS") == NULL;
    pthread_mutex_init(&p->mutex, NULL);
    return p;
}

static void add_amount(struct strbuf *line, const struct progress *p, double amount)
{
    char text[NUM_TEXT_SIZE];
    if (p->unit == PROGRESS_BYTES) {
        num_bytes(text, amount);
        strbuf_adds(line, text);
    } else {
        strbuf_addf(line, amount < 10 && amount != (double)(long)amount ? "%.1f" : "%.0f", amount);
    }
}

static void add_bar(struct strbuf *line, double share)
{
    int filled = (int)(share * BAR_WIDTH);
    strbuf_adds(line, "  [");
    for (int i = 0; i < BAR_WIDTH; i++) {
        strbuf_addch(line, i < filled ? '=' : i == filled ? '>' : ' ');
    }
    strbuf_addf(line, "] %3.0f%%", share * 100);
}

static void compose(struct strbuf *line, const struct progress *p, int64_t now_us)
{
    double seconds = (double)(now_us - p->start_us) / 1e6;
    double rate = seconds > 0 ? (double)(p->done - p->first) / seconds : 0;
    strbuf_adds(line, p->label);
    if (p->total > 0) {
        double share = (double)p->done / (double)p->total;
        add_bar(line, share > 1 ? 1 : share);
    }
    strbuf_adds(line, "  ");
    add_amount(line, p, (double)p->done);
    if (p->total > 0) {
        strbuf_addch(line, '/');
        add_amount(line, p, (double)p->total);
    }
    if (seconds > 0.5 && rate > 0) {
        strbuf_adds(line, "  ");
        add_amount(line, p, rate);
        strbuf_adds(line, "/s");
    }
    if (seconds > 0.5 && rate > 0 && p->total > p->done) {
        char left[NUM_TEXT_SIZE];
        num_duration(left, (double)(p->total - p->done) / rate);
        strbuf_addf(line, "  %s left", left);
    }
    if (p->note[0] != '\0') {
        strbuf_addf(line, "  %s", p->note);
    }
}

/* The caller holds the mutex. */
static void redraw(struct progress *p)
{
    int64_t now = clock_mono_us(p->clock);
    if (!p->visible || (p->drawn && now - p->drawn_us < REDRAW_US)) {
        return;
    }
    struct winsize size;
    size_t width =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
    struct strbuf line;
    strbuf_init(&line);
    compose(&line, p, now);
    strbuf_truncate(&line, width - 1);
    fprintf(stderr, "\r%s\033[K", line.p);
    fflush(stderr);
    strbuf_release(&line);
    p->drawn = true;
    p->drawn_us = now;
}

void progress_start(struct progress *p, uint64_t done)
{
    pthread_mutex_lock(&p->mutex);
    p->first = p->done = done;
    p->start_us = clock_mono_us(p->clock);
    pthread_mutex_unlock(&p->mutex);
}

void progress_set(struct progress *p, uint64_t done)
{
    pthread_mutex_lock(&p->mutex);
    p->done = done;
    redraw(p);
    pthread_mutex_unlock(&p->mutex);
}

void progress_add(struct progress *p, uint64_t n)
{
    pthread_mutex_lock(&p->mutex);
    p->done += n;
    redraw(p);
    pthread_mutex_unlock(&p->mutex);
}

void progress_total(struct progress *p, uint64_t total)
{
    pthread_mutex_lock(&p->mutex);
    p->total = total;
    pthread_mutex_unlock(&p->mutex);
}

void progress_note(struct progress *p, const char *text)
{
    pthread_mutex_lock(&p->mutex);
    free(p->note);
    p->note = xstrdup(text);
    pthread_mutex_unlock(&p->mutex);
}

void progress_clear(struct progress *p)
{
    pthread_mutex_lock(&p->mutex);
    if (p->drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    p->drawn = false;
    pthread_mutex_unlock(&p->mutex);
}

void progress_free(struct progress *p)
{
    if (p == NULL) {
        return;
    }
    progress_clear(p);
    pthread_mutex_destroy(&p->mutex);
    free(p->label);
    free(p->note);
    free(p);
}
