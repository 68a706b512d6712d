/* See gantt.h. */
#include "gantt.h"

#include "alloc.h"
#include "clock.h"
#include "path.h"
#include "repo.h"
#include "svgpage.h"
#include "timeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN 24.0
#define TOP 112.0  /* title, figures, legend */
#define PLOT 900.0 /* width of the time axis */
#define SLOT_H 28.0
#define STAGE_H 20.0
#define AXIS_H 26.0
#define NAME_MAX_CHARS 30
#define CHAR_W 7.2
#define CHAIN_MAX_CHARS 130

static const struct svgpage_rule rules[] = {
    {".run", "fill:#7fa6ea", "fill:#4f79c7"},
    {".critical", "fill:#f0a030", "fill:#d98a1a"},
    {".failed", "fill:#d0392e", "fill:#e0554a"},
    {".store", "fill:#c9d9f5", "fill:#2f4570"},
    {".wait", "fill:#d5d9e0", "fill:#454c59"},
    {".grid", "stroke:#e6e9ee", "stroke:#2a2f38"},
    {".row", "fill:#f6f7f9", "fill:#1c1f26"},
    {".in", "font-size:12px;fill:#14171c;pointer-events:none",
     "font-size:12px;fill:#ffffff;pointer-events:none"},
    {".bar:hover", "stroke:#1d2129;stroke-width:1.5", "stroke:#ffffff;stroke-width:1.5"},
    {".end", "text-anchor:end", NULL},
    {".mid", "text-anchor:middle", NULL},
};

struct chart {
    const struct timeline *t;
    struct strbuf *out;
    size_t *bars; /* entries with a start, in the order of their starts */
    size_t bar_count;
    double left, px; /* where time 0 is, pixels per second */
};

static double x_of(const struct chart *c, double seconds)
{
    return c->left + seconds * c->px;
}

static int by_start(const void *a, const void *b, void *ctx)
{
    const struct timeline_entry *all = ctx;
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    double x = all[i].start, y = all[k].start;
    return x != y ? (x > y) - (x < y) : (i > k) - (i < k);
}

static void add_label(struct strbuf *out, double x, double y, const char *classes, const char *text)
{
    strbuf_addf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", classes, x, y);
    svgpage_text(out, str_from(text));
    strbuf_adds(out, "</text>\n");
}

/* ---- axis ---- */

/* A step of whole people's units that gives at most ten. */
static double nice_step(double seconds)
{
    static const double steps[] = {0.01, 0.02, 0.05, 0.1,  0.2,   0.5,   1,     2,
                                   5,    10,   15,   30,   60,    120,   300,   600,
                                   900,  1800, 3600, 7200, 14400, 21600, 43200, 86400};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (seconds / steps[i] <= 10) {
            return steps[i];
        }
    }
    return 86400 * ceil(seconds / 864000);
}

static void add_tick(struct strbuf *b, double at, double step)
{
    if (step < 1) {
        strbuf_addf(b, step < 0.1 ? "%.2f s" : "%.1f s", at);
    } else if (step < 60 && at < 60) {
        strbuf_addf(b, "%.0f s", at);
    } else if (step < 3600) {
        strbuf_addf(b, "%ld:%02ld", lrint(at) / 60, lrint(at) % 60);
    } else {
        strbuf_addf(b, "%ld h", lrint(at) / 3600);
    }
}

static void add_axis(const struct chart *c, double top, double bottom)
{
    double step = nice_step(c->t->seconds);
    struct strbuf text;
    strbuf_init(&text);
    for (int i = 0; i * step <= c->t->seconds * 1.0001; i++) {
        double x = x_of(c, i * step);
        strbuf_reset(&text);
        add_tick(&text, i * step, step);
        strbuf_addf(c->out, "<path class=\"line grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x, top, bottom);
        add_label(c->out, x, top - 7, "s mid", text.p);
    }
    strbuf_release(&text);
}

/* ---- bars ---- */

static const char *colour(const struct timeline_entry *n)
{
    return n->outcome == OUTCOME_FAILED ? "failed" : n->critical ? "critical" : "run";
}

static void add_moment(struct strbuf *b, const char *word, double from, double to)
{
    if (to - from >= 0.05) {
        strbuf_addf(b, "\n%s ", word);
        svgpage_seconds(b, to - from);
    }
}

static void add_story(const struct chart *c, const struct timeline_entry *n)
{
    struct strbuf b;
    strbuf_init(&b);
    strbuf_addf(&b, "%s: %s", n->stage, outcome_name(n->outcome));
    if (n->attempt > 0) {
        strbuf_addf(&b, " (attempt %d)", n->attempt + 1);
    }
    if (n->reason != NULL) {
        strbuf_addf(&b, "\n%s", n->reason);
    }
    if (n->slots > 1) {
        strbuf_addf(&b, "\nslots %d to %d", n->slot, n->slot + n->slots - 1);
    } else {
        strbuf_addf(&b, "\nslot %d", n->slot);
    }
    strbuf_adds(&b, ", began after ");
    svgpage_seconds(&b, n->start);
    add_moment(&b, "waited", n->ready, n->start);
    strbuf_adds(&b, "\nran ");
    svgpage_seconds(&b, n->end - n->start);
    add_moment(&b, "stored in", n->end, n->done);
    if (n->critical) {
        strbuf_adds(&b, "\non the critical path");
    }
    strbuf_adds(c->out, "<title>");
    svgpage_text(c->out, strbuf_str(&b));
    strbuf_adds(c->out, "</title>");
    strbuf_release(&b);
}

static void add_bar(const struct chart *c, const struct timeline_entry *n, const char *class,
                    double from, double to, double y, double height)
{
    double width = fmax((to - from) * c->px, 1);
    strbuf_addf(c->out,
                "<rect class=\"bar %s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" "
                "rx=\"%d\">",
                class, x_of(c, from), y, width, height, width > 6 ? 3 : 0);
    add_story(c, n);
    strbuf_adds(c->out, "</rect>\n");
}

/* One row a slot; a stage on several slots covers their rows. Returns the bottom. */
static double add_slots(const struct chart *c, double top)
{
    double bottom = top + c->t->slots * SLOT_H;
    char name[32];
    for (int i = 0; i < c->t->slots; i++) {
        double y = top + i * SLOT_H;
        if (i % 2 == 0) {
            strbuf_addf(c->out,
                        "<rect class=\"row\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                        "height=\"%.1f\"/>\n",
                        c->left, y, PLOT, SLOT_H);
        }
        snprintf(name, sizeof name, "slot %d", i);
        add_label(c->out, c->left - 10, y + 18.5, "t end", name);
    }
    add_axis(c, top, bottom);
    for (size_t i = 0; i < c->bar_count; i++) {
        const struct timeline_entry *n = &c->t->entries[c->bars[i]];
        double y = top + n->slot * SLOT_H + 3, width = (n->end - n->start) * c->px;
        size_t room = width > 8 ? (size_t)((width - 8) / CHAR_W) : 0;
        add_bar(c, n, colour(n), n->start, n->end, y, n->slots * SLOT_H - 6);
        if (room >= 4) {
            strbuf_addf(c->out, "<text class=\"in\" x=\"%.1f\" y=\"%.1f\">", x_of(c, n->start) + 5,
                        y + n->slots * SLOT_H / 2 + 1.5);
            svgpage_short(c->out, n->stage, room);
            strbuf_adds(c->out, "</text>\n");
        }
    }
    return bottom;
}

/* One row a stage, in the order in which they began. */
static double add_stages(const struct chart *c, double top)
{
    double bottom = top + (double)c->bar_count * STAGE_H;
    add_axis(c, top, bottom);
    for (size_t i = 0; i < c->bar_count; i++) {
        const struct timeline_entry *n = &c->t->entries[c->bars[i]];
        double y = top + (double)i * STAGE_H;
        strbuf_addf(c->out, "<text class=\"t end\" x=\"%.1f\" y=\"%.1f\">", c->left - 10, y + 14.5);
        svgpage_short(c->out, n->stage, NAME_MAX_CHARS);
        strbuf_adds(c->out, "</text>\n");
        if (n->ready >= 0 && n->start > n->ready) {
            add_bar(c, n, "wait", n->ready, n->start, y + 8, 4);
        }
        if (n->done > n->end) {
            add_bar(c, n, "store", n->end, n->done, y + 4, STAGE_H - 8);
        }
        add_bar(c, n, colour(n), n->start, n->end, y + 3, STAGE_H - 6);
    }
    return bottom;
}

/* ---- above the chart ---- */

static void add_figures(const struct chart *c, const char *title, double critical)
{
    size_t failed = 0;
    struct strbuf b;
    strbuf_init(&b);
    for (size_t i = 0; i < c->bar_count; i++) {
        failed += c->t->entries[c->bars[i]].outcome == OUTCOME_FAILED;
    }
    add_label(c->out, MARGIN, 30, "h", title);
    strbuf_adds(&b, "total ");
    svgpage_seconds(&b, c->t->seconds);
    strbuf_addf(&b, "  ·  %d slot%s, %.0f %% used  ·  %zu run%s", c->t->slots,
                c->t->slots == 1 ? "" : "s", 100 * timeline_used(c->t), c->bar_count,
                c->bar_count == 1 ? "" : "s");
    if (failed > 0) {
        strbuf_addf(&b, ", %zu failed", failed);
    }
    add_label(c->out, MARGIN, 52, "t", b.p);
    strbuf_reset(&b);
    strbuf_adds(&b, "critical path ");
    svgpage_seconds(&b, critical);
    const char *between = ":  ";
    for (size_t i = 0; i < c->bar_count; i++) {
        const struct timeline_entry *n = &c->t->entries[c->bars[i]];
        if (n->critical) {
            strbuf_addf(&b, "%s%s", between, n->stage);
            between = " → ";
        }
    }
    strbuf_addf(c->out, "<text class=\"t\" x=\"%.0f\" y=\"72\">", MARGIN);
    svgpage_short(c->out, b.p, CHAIN_MAX_CHARS);
    strbuf_adds(c->out, "</text>\n");
    strbuf_release(&b);
}

static void add_legend(const struct chart *c)
{
    static const char *const keys[][2] = {{"critical", "critical path"},
                                          {"run", "running"},
                                          {"failed", "failed"},
                                          {"wait", "ready, waiting for a slot"},
                                          {"store", "storing outputs"}};
    double x = MARGIN;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        strbuf_addf(c->out,
                    "<rect class=\"%s\" x=\"%.1f\" y=\"%s\" width=\"18\" height=\"%s\" "
                    "rx=\"2\"/>\n",
                    keys[i][0], x, i == 3 ? "90" : "86", i == 3 ? "4" : "12");
        add_label(c->out, x + 24, 96.5, "s", keys[i][1]);
        x += 24 + 6.6 * (double)strlen(keys[i][1]) + 22;
    }
}

void gantt_render(struct timeline *t, const char *title, struct strbuf *out)
{
    struct chart c = {.t = t, .out = out};
    double critical = timeline_mark_critical(t);
    size_t longest = 7;
    c.bars = xcalloc(t->count + 1, sizeof *c.bars);
    for (size_t i = 0; i < t->count; i++) {
        if (t->entries[i].start >= 0) {
            size_t n = str_utf8_length(str_from(t->entries[i].stage));
            longest = n > longest ? n : longest;
            c.bars[c.bar_count++] = i;
        }
    }
    qsort_r(c.bars, c.bar_count, sizeof *c.bars, by_start, t->entries);
    longest = longest < NAME_MAX_CHARS ? longest : NAME_MAX_CHARS;
    c.left = MARGIN + CHAR_W * (double)longest + 14;
    c.px = t->seconds > 0 ? PLOT / t->seconds : 0;
    double height =
        TOP + AXIS_H + t->slots * SLOT_H + 16 + AXIS_H + (double)c.bar_count * STAGE_H + MARGIN;
    svgpage_begin(out, c.left + PLOT + 2 * MARGIN, height, title, rules, ARRAY_SIZE(rules));
    add_figures(&c, title, critical);
    add_legend(&c);
    double bottom = add_slots(&c, TOP + AXIS_H);
    add_stages(&c, bottom + 16 + AXIS_H);
    strbuf_adds(out, "</svg>\n");
    free(c.bars);
}

int gantt_save(const struct repo *r, const char *path, struct err *e)
{
    struct arena a;
    struct timeline t;
    arena_init(&a);
    int rc = timeline_load(&t, path_join(&a, r->tmp_dir, TIMELINE_FILE), e);
    if (rc == 0) {
        char when[CLOCK_TEXT_SIZE];
        struct strbuf svg;
        strbuf_init(&svg);
        clock_rfc3339(t.started_ms, when);
        const char *title = arena_printf(&a, "%s: repro of %s", path_basename(r->root), when);
        gantt_render(&t, title, &svg);
        rc = svgpage_save(path, strbuf_str(&svg), title, NULL, e);
        strbuf_release(&svg);
        timeline_release(&t);
    }
    arena_release(&a);
    return rc;
}
