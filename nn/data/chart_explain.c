/* Where a network looked: each picture beside its heat map, with the class and a colour bar. */
#include "chart.h"

#include "alloc.h"
#include "canvas.h"
#include "err.h"
#include "heatmap.h"
#include "image.h"

#include <stdlib.h>
#include <string.h>

enum {
    MARGIN = 24,
    GAP = 12,
    SIDE = 320,
    HEAD = 56,
    TITLE = 60,
    FOOT = 34,
    BAR = 14,
    BAR_ROOM = 76
};

static const struct rgb ink_dark = {0x22, 0x26, 0x2b}, ink_soft = {0x5c, 0x64, 0x6e},
                        white = {255, 255, 255};

/* The picture at a size that fits the square. Returns new pixels. */
static void fit(const struct image *from, struct image *out)
{
    int longer = from->width > from->height ? from->width : from->height;
    int width = (int)((long)from->width * SIDE / longer);
    int height = (int)((long)from->height * SIDE / longer);
    image_alloc(out, width < 1 ? 1 : width, height < 1 ? 1 : height);
    image_resize(from, longer > SIDE ? IMAGE_AREA : IMAGE_BILINEAR, out->width, out->height,
                 out->px);
}

static void draw_bar(struct image *im, int x, int y)
{
    struct text_style label = {.cap_px = 9, .colour = ink_soft};
    for (int i = 0; i < SIDE; i++) {
        canvas_rect(im, x, y + i, BAR, 1, heatmap_colour(1 - (i + 0.5) / SIDE));
    }
    canvas_frame(im, x, y, BAR, SIDE, ink_soft);
    canvas_text(im, x + BAR + 6, y + 10, &label, "strong");
    canvas_text(im, x + BAR + 6, y + SIDE, &label, "none");
}

static void draw_row(struct image *im, const struct chart_explained *r, int y, int width)
{
    struct text_style name = {.cap_px = 11, .colour = ink_soft, .max_width = width - 2 * MARGIN};
    struct text_style says = {
        .cap_px = 13, .colour = ink_dark, .bold = 1, .max_width = width - 2 * MARGIN};
    struct image small = IMAGE_INIT, hot = IMAGE_INIT;
    int left = MARGIN, right = MARGIN + SIDE + GAP, top = y + HEAD;
    canvas_text(im, left, y + 18, &says, r->says);
    canvas_text(im, left, y + 40, &name, r->name);
    fit(r->picture, &small);
    heatmap_overlay(&small, r->heat, r->heat_height, r->heat_width, &hot);
    int dx = (SIDE - small.width) / 2, dy = (SIDE - small.height) / 2;
    canvas_rect(im, left, top, SIDE, SIDE, RGB(0x101214));
    canvas_rect(im, right, top, SIDE, SIDE, RGB(0x101214));
    canvas_paste(im, left + dx, top + dy, small.px, small.width, small.height);
    canvas_paste(im, right + dx, top + dy, hot.px, hot.width, hot.height);
    draw_bar(im, right + SIDE + GAP, top);
    image_release(&small);
    image_release(&hot);
}

int chart_explain(const struct chart_explain *c, struct image *out, struct err *e)
{
    int width = 2 * MARGIN + 2 * SIDE + 2 * GAP + BAR_ROOM, row = HEAD + SIDE + GAP;
    struct text_style title = {.cap_px = 15, .colour = ink_dark, .bold = 1};
    struct text_style note = {.cap_px = 10, .colour = ink_soft, .max_width = width - 2 * MARGIN};
    if (c->count < 1 || c->count > CHART_EXPLAIN_MAX) {
        return err_set(e, ERR_LIMIT, "%zu pictures to explain in one sheet, 1 to %d are possible",
                       c->count, CHART_EXPLAIN_MAX);
    }
    canvas_init(out, width, TITLE + (int)c->count * row + FOOT, white);
    canvas_text(out, MARGIN, 38, &title, c->title ? c->title : "What the network looks at");
    for (size_t i = 0; i < c->count; i++) {
        draw_row(out, &c->rows[i], TITLE + (int)i * row, width);
    }
    if (c->note) {
        canvas_text(out, MARGIN, out->height - 14, &note, c->note);
    }
    return 0;
}
