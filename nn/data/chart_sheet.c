/* Contact sheets: thumbnails with captions, for the slices a model got wrong. */
#include "chart.h"

#include "alloc.h"
#include "canvas.h"
#include "err.h"
#include "image.h"

#include <stdbool.h>
#include <stdlib.h>

enum { MARGIN = 24, GAP = 16, CAPTION_CAP = 9, CAPTION_STEP = 16, PAIR_GAP = 2, MAX_CELLS = 1000 };

static const struct rgb ink_dark = {0x22, 0x26, 0x2b}, ink_soft = {0x5c, 0x64, 0x6e},
                        white = {255, 255, 255};

struct sheet_plan {
    int columns, rows, thumb, caption_lines, cell_height;
    int cell_width; /* one thumbnail, or two */
    int width, height, top;
};

static int count_captions(const struct chart_sheet *c)
{
    int most = 0;

    for (size_t i = 0; i < c->count; i++) {
        for (int k = 0; k < 3; k++) {
            most = c->cells[i].caption[k] != NULL && k + 1 > most ? k + 1 : most;
        }
    }
    return most;
}

static bool in_pairs(const struct chart_sheet *c)
{
    bool pairs = false;

    for (size_t i = 0; i < c->count; i++) {
        pairs = pairs || c->cells[i].beside != NULL;
    }
    return pairs;
}

static struct sheet_plan plan_sheet(const struct chart_sheet *c)
{
    bool pairs = in_pairs(c);
    struct sheet_plan p = {.columns = c->columns > 0 ? c->columns
                                      : pairs        ? 3
                                                     : 6,
                           .thumb = c->thumb_px > 0 ? c->thumb_px : 128,
                           .caption_lines = count_captions(c),
                           .top = 64};

    if (c->count > 0 && (size_t)p.columns > c->count) {
        p.columns =
            c->count < 3 && !pairs ? 3 : (int)c->count; /* narrow sheets, but room for the title */
    }
    p.cell_width = pairs ? 2 * p.thumb + PAIR_GAP : p.thumb;
    p.rows = (int)((c->count + (size_t)p.columns - 1) / (size_t)p.columns);
    p.rows = p.rows < 1 ? 1 : p.rows;
    p.cell_height = p.thumb + 8 + CAPTION_STEP * p.caption_lines + GAP;
    p.width = 2 * MARGIN + p.columns * p.cell_width + (p.columns - 1) * GAP;
    p.height = p.top + p.rows * p.cell_height + (c->note ? 34 : 10);
    return p;
}

/* Fits the picture into the square, keeping its shape: shrinks by area, grows smoothly. */
static void draw_thumb(struct image *im, const struct chart_cell *cell, const uint8_t *from, int x,
                       int y, int side)
{
    const struct image view = {.width = cell->width, .height = cell->height, .px = (uint8_t *)from};
    int longer = cell->width > cell->height ? cell->width : cell->height;
    int width = (int)((long)cell->width * side / longer),
        height = (int)((long)cell->height * side / longer);

    width = width < 1 ? 1 : width;
    height = height < 1 ? 1 : height;
    uint8_t *px = xmalloc((size_t)width * (size_t)height * 3);
    image_resize(&view, longer >= side ? IMAGE_AREA : IMAGE_BILINEAR, width, height, px);
    canvas_rect(im, x, y, side, side, RGB(0x101214));
    canvas_paste(im, x + (side - width) / 2, y + (side - height) / 2, px, width, height);
    free(px);
}

static void draw_cell(struct image *im, const struct chart_cell *cell, const struct sheet_plan *p,
                      int x, int y)
{
    struct text_style style = {
        .cap_px = CAPTION_CAP, .colour = ink_dark, .max_width = p->cell_width};

    draw_thumb(im, cell, cell->px, x, y, p->thumb);
    if (cell->beside != NULL) {
        draw_thumb(im, cell, cell->beside, x + p->thumb + PAIR_GAP, y, p->thumb);
    }
    for (int k = 0; k < 3; k++) {
        if (cell->caption[k] != NULL) {
            style.colour = k == 0 ? ink_dark : ink_soft;
            canvas_text(im, x, y + p->thumb + 8 + CAPTION_STEP * k + CAPTION_CAP + 1, &style,
                        cell->caption[k]);
        }
    }
}

static int check_sheet(const struct chart_sheet *c, struct err *e)
{
    if (c->count > MAX_CELLS || c->columns > 64 || c->thumb_px > 1024) {
        return err_set(e, ERR_LIMIT,
                       "a sheet of %zu pictures in %d columns of %d pixels is too large", c->count,
                       c->columns, c->thumb_px);
    }
    for (size_t i = 0; i < c->count; i++) {
        if (c->cells[i].width < 1 || c->cells[i].height < 1) {
            return err_set(e, ERR_USAGE, "picture %zu of the sheet is empty", i);
        }
    }
    return 0;
}

int chart_sheet(const struct chart_sheet *c, struct image *out, struct err *e)
{
    if (check_sheet(c, e) < 0) {
        return -1;
    }
    struct sheet_plan p = plan_sheet(c);
    struct text_style title = {
        .cap_px = 15, .colour = ink_dark, .bold = 1, .max_width = p.width - 2 * MARGIN};
    struct text_style note = {.cap_px = 10, .colour = ink_soft, .max_width = p.width - 2 * MARGIN};

    if (p.height > IMAGE_MAX_SIDE_PX || p.width > IMAGE_MAX_SIDE_PX) {
        return err_set(e, ERR_LIMIT, "a sheet of %d x %d pixels is too large", p.width, p.height);
    }
    canvas_init(out, p.width, p.height, white);
    canvas_text(out, MARGIN, 38, &title, c->title ? c->title : "Pictures");
    for (size_t i = 0; i < c->count; i++) {
        int column = (int)(i % (size_t)p.columns), row = (int)(i / (size_t)p.columns);
        draw_cell(out, &c->cells[i], &p, MARGIN + column * (p.cell_width + GAP),
                  p.top + row * p.cell_height);
    }
    if (c->count == 0) {
        canvas_text(out, MARGIN, p.top + p.thumb / 2, &note, "none");
    }
    if (c->note != NULL) {
        canvas_text(out, MARGIN, p.height - 16, &note, c->note);
    }
    return 0;
}
