/* What a person sees, in the words of DVC: facts on stdout, "WARNING: …" on stderr, a blank line
 * between stages that did something. */
#include "reporter.h"

#include "alloc.h"
#include "pipeline.h"
#include "svgpage.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct tty {
    struct reporter base;
    bool quiet, live, reasons;
    bool blank_due;  /* the stage before did something */
    bool line_shown; /* a progress line is on the terminal */
    bool has_line;
};

static struct tty *self(struct reporter *s)
{
    return (struct tty *)s;
}

static void clear_line(struct tty *t)
{
    if (t->line_shown) {
        fputs("\r\033[K", stderr);
        t->line_shown = false;
    }
}

static void tty_note(struct reporter *s, bool warning, const char *text)
{
    struct tty *t = self(s);
    clear_line(t);
    if (t->quiet) {
        return;
    }
    if (warning) {
        fflush(stdout);
        fprintf(stderr, "WARNING: %s\n", text);
    } else {
        printf("%s\n", text);
        fflush(stdout);
    }
}

static void tty_consider(struct reporter *s, const struct stage *st)
{
    struct tty *t = self(s);
    if (t->live && t->blank_due && !t->quiet) {
        printf("\n");
    }
}

static void print_header(struct tty *t, const struct stage *st)
{
    if (!t->quiet) {
        printf("Running stage '%s':\n", st->addr);
    }
}

static void tty_begin(struct reporter *s, const struct stage *st, const char *reason, bool dry)
{
    struct tty *t = self(s);
    if (t->reasons && !t->quiet && reason != NULL) {
        clear_line(t);
        printf("Stage '%s' is stale: %s\n", st->addr, reason);
        fflush(stdout);
    }
    if (t->live || dry) {
        print_header(t, st);
        fflush(stdout);
    }
}

static void tty_command(struct reporter *s, const struct stage *st, const char *cmd)
{
    if (!self(s)->quiet) {
        printf("> %s\n", cmd);
        fflush(stdout);
    }
}

static void tty_output(struct reporter *s, const struct stage *st, struct str text)
{
    struct tty *t = self(s);
    clear_line(t);
    print_header(t, st);
    fwrite(text.p, 1, text.n, stdout);
    if (text.n > 0 && text.p[text.n - 1] != '\n') {
        putchar('\n');
    }
    if (!t->quiet) {
        putchar('\n');
    }
    fflush(stdout);
}

static void tty_end(struct reporter *s, const struct stage *st, enum outcome o, double seconds,
                    const char *error)
{
    struct tty *t = self(s);
    switch (o) {
    case OUTCOME_FRESH:
        clear_line(t);
        if (!t->quiet) {
            printf(st->cmd_count > 0 || st->is_import ? "Stage '%s' didn't change, skipping\n"
                                                      : "'%s' didn't change, skipping\n",
                   st->addr);
        }
        t->blank_due = false;
        break;
    case OUTCOME_PULLED:
        t->blank_due = false;
        break;
    case OUTCOME_FAILED:
    case OUTCOME_SKIPPED:
        break; /* what DVC does: the blank line depends on the last stage that succeeded */
    case OUTCOME_RAN:
    case OUTCOME_RESTORED:
    case OUTCOME_VERIFIED:
    case OUTCOME_DRY:
        t->blank_due = true;
        break;
    }
}

static void tty_progress(struct reporter *s, const struct reporter_progress *p)
{
    struct tty *t = self(s);
    if (t->has_line && p->running > 0) {
        fprintf(stderr, "\r\033[K[%zu/%zu] %zu running", p->done, p->total, p->running);
        if (p->seconds_left >= 0) {
            struct strbuf left;
            strbuf_init(&left);
            svgpage_seconds(&left, p->seconds_left);
            fprintf(stderr, ", about %s left", left.p);
            strbuf_release(&left);
        }
        fflush(stderr);
        t->line_shown = true;
    }
}

static void tty_close(struct reporter *s)
{
    clear_line(self(s));
    fflush(stdout);
    free(s);
}

static const struct reporter_ops tty_ops = {
    .note = tty_note,
    .consider = tty_consider,
    .begin = tty_begin,
    .command = tty_command,
    .output = tty_output,
    .end = tty_end,
    .progress = tty_progress,
    .close = tty_close,
};

struct reporter *reporter_tty_new(bool quiet, bool live, bool reasons)
{
    struct tty *t = xcalloc(1, sizeof *t);
    t->base.ops = &tty_ops;
    t->quiet = quiet;
    t->live = live;
    t->reasons = reasons;
    t->has_line = !quiet && !live && isatty(2) && getenv("NO_PROGRESS") == NULL;
    return &t->base;
}
