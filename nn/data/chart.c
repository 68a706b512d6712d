/* Confusion matrices, panels and saving; curves are in chart_lines.c, contact sheets in
 * chart_sheet.c. */
#include "chart.h"

#include "canvas.h"
#include "err.h"
#include "image.h"
#include "image_write.h"

#include <math.h>
#include <stdio.h>

enum { MAX_CLASSES = 64, NOTE_CAP = 10 };

static const struct rgb ink_dark = {0x22, 0x26, 0x2b}, ink_soft = {0x5c, 0x64, 0x6e},
                        deep_blue = {0x08, 0x30, 0x6b}, white = {255, 255, 255};

/* Where things are in the picture of one matrix, px. */
struct matrix_plan {
    double cell, left, top, side;
    int width, height;
    double label_cap, name_room;
};

static struct matrix_plan plan_matrix(const struct chart_confusion *c)
{
    struct matrix_plan p = {.label_cap = c->classes <= 12 ? 12 : 8};
    struct text_style names = {.cap_px = p.label_cap};
    double longest = 30;

    p.cell = fmax(18, fmin(150, 560.0 / (double)c->classes));
    for (size_t i = 0; i < c->classes; i++) {
        longest = fmax(longest, canvas_text_width(&names, c->class_names[i]));
    }
    p.name_room = fmin(longest, 150);
    p.side = p.cell * (double)c->classes;
    p.left = 52 + p.name_room;
    p.top = 62;
    p.width = (int)(p.left + p.side + 92);
    if (c->note != NULL) {
        struct text_style note = {.cap_px = NOTE_CAP};
        p.width = (int)fmin(fmax(p.width, canvas_text_width(&note, c->note) + 49), 960);
    }
    p.height =
        (int)(p.top + p.side + (c->classes > 4 ? 44 + p.name_room : 66) + (c->note ? 26 : 0));
    return p;
}

/* White to blue, a little compressed so that small shares are told from none. */
static struct rgb shade(double share)
{
    return canvas_mix(white, deep_blue, pow(share, 0.8));
}

static void draw_cell(struct image *im, const struct matrix_plan *p, double x, double y,
                      size_t count, double share)
{
    struct rgb text = share > 0.45 ? white : ink_dark;
    char words[32];
    double cap = fmin(22, p->cell * 0.24);
    bool has_share = p->cell >= 64;
    struct text_style big = {.cap_px = cap,
                             .colour = text,
                             .anchor = CANVAS_CENTRE,
                             .bold = p->cell >= 40,
                             .max_width = p->cell - 4};
    struct text_style small = {
        .cap_px = fmin(12, cap * 0.6), .colour = text, .anchor = CANVAS_CENTRE};

    canvas_rect(im, x, y, p->cell, p->cell, shade(share));
    snprintf(words, sizeof(words), "%zu", count);
    canvas_text(im, x + p->cell / 2, y + p->cell / 2 + (has_share ? 0 : cap / 2), &big, words);
    if (has_share) {
        snprintf(words, sizeof(words), "%.1f %%", 100 * share);
        canvas_text(im, x + p->cell / 2, y + p->cell / 2 + cap * 0.6 + small.cap_px, &small, words);
    }
}

static void draw_cells(struct image *im, const struct chart_confusion *c,
                       const struct matrix_plan *p)
{
    for (size_t t = 0; t < c->classes; t++) {
        size_t total = 0;

        for (size_t k = 0; k < c->classes; k++) {
            total += c->counts[t * c->classes + k];
        }
        for (size_t k = 0; k < c->classes; k++) {
            size_t n = c->counts[t * c->classes + k];
            draw_cell(im, p, p->left + p->cell * (double)k, p->top + p->cell * (double)t, n,
                      total ? (double)n / (double)total : 0);
        }
    }
    for (size_t i = 0; i <= c->classes; i++) {
        double at = p->cell * (double)i;
        canvas_rect(im, p->left + at, p->top, 1, p->side + 1, RGB(0xc9ced6));
        canvas_rect(im, p->left, p->top + at, p->side + 1, 1, RGB(0xc9ced6));
    }
}

static void draw_names(struct image *im, const struct chart_confusion *c,
                       const struct matrix_plan *p)
{
    struct text_style row = {.cap_px = p->label_cap,
                             .colour = ink_dark,
                             .anchor = CANVAS_RIGHT,
                             .max_width = p->name_room};
    struct text_style column = row,
                      axis = {.cap_px = 12, .colour = ink_soft, .anchor = CANVAS_CENTRE, .bold = 1};
    bool is_steep = c->classes > 4;
    double below = p->top + p->side + (is_steep ? 28 + p->name_room : 52);

    column.upwards = is_steep;
    column.anchor = is_steep ? CANVAS_RIGHT : CANVAS_CENTRE;
    column.max_width = is_steep ? p->name_room : p->cell - 6;
    for (size_t i = 0; i < c->classes; i++) {
        double middle = p->cell * ((double)i + 0.5);

        canvas_text(im, p->left - 12, p->top + middle + p->label_cap / 2, &row, c->class_names[i]);
        if (is_steep) {
            canvas_text(im, p->left + middle + p->label_cap / 2, p->top + p->side + 12, &column,
                        c->class_names[i]);
        } else {
            canvas_text(im, p->left + middle, p->top + p->side + 12 + p->label_cap, &column,
                        c->class_names[i]);
        }
    }
    canvas_text(im, p->left + p->side / 2, below, &axis, "predicted");
    axis.upwards = 1;
    canvas_text(im, 28, p->top + p->side / 2, &axis, "actual");
}

static void draw_scale(struct image *im, const struct matrix_plan *p)
{
    double x = p->left + p->side + 24, width = 12;
    struct text_style style = {.cap_px = 9, .colour = ink_soft};

    for (int i = 0; i < (int)p->side; i++) {
        canvas_rect(im, x, p->top + i, width, 1, shade(1 - i / p->side));
    }
    canvas_frame(im, x, p->top, width, p->side + 1, RGB(0xc9ced6));
    canvas_text(im, x + width + 7, p->top + 9, &style, "100 %");
    canvas_text(im, x + width + 7, p->top + p->side / 2 + 4, &style, "50 %");
    canvas_text(im, x + width + 7, p->top + p->side, &style, "0 %");
}

int chart_confusion(const struct chart_confusion *c, struct image *out, struct err *e)
{
    if (c->classes < 2 || c->classes > MAX_CLASSES) {
        return err_set(e, ERR_LIMIT, "a confusion matrix of %zu classes, expected 2 to %d",
                       c->classes, MAX_CLASSES);
    }
    struct matrix_plan p = plan_matrix(c);
    struct text_style title = {
        .cap_px = 16, .colour = ink_dark, .bold = 1, .max_width = p.width - 48};
    struct text_style note = {.cap_px = NOTE_CAP, .colour = ink_soft, .max_width = p.width - 48};

    canvas_init(out, p.width, p.height, white);
    canvas_text(out, 24, 38, &title, c->title ? c->title : "Confusion matrix");
    draw_cells(out, c, &p);
    draw_names(out, c, &p);
    draw_scale(out, &p);
    if (c->note != NULL) {
        canvas_text(out, 24, p.height - 18, &note, c->note);
    }
    return 0;
}

int chart_beside(const struct image *left, const struct image *right, struct image *out,
                 struct err *e)
{
    int height = left->height > right->height ? left->height : right->height;

    if (left->width + right->width > IMAGE_MAX_SIDE_PX) {
        return err_set(e, ERR_LIMIT, "panels of %d and %d pixels are too wide", left->width,
                       right->width);
    }
    canvas_init(out, left->width + right->width, height, white);
    canvas_paste(out, 0, 0, left->px, left->width, left->height);
    canvas_paste(out, left->width, 0, right->px, right->width, right->height);
    return 0;
}

int chart_above(const struct image *top, const struct image *below, struct image *out,
                struct err *e)
{
    int width = top->width > below->width ? top->width : below->width;

    if (top->height + below->height > IMAGE_MAX_SIDE_PX) {
        return err_set(e, ERR_LIMIT, "panels of %d and %d pixels are too high", top->height,
                       below->height);
    }
    canvas_init(out, width, top->height + below->height, white);
    canvas_paste(out, 0, 0, top->px, top->width, top->height);
    canvas_paste(out, 0, top->height, below->px, below->width, below->height);
    return 0;
}

int chart_save(const struct image *im, const char *path, struct err *e)
{
    return image_save(path, im->px, im->width, im->height, e);
}
