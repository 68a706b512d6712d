/* Characters on a grid: lines of '*', boxes, text. What lies outside of the grid is not drawn. */
#include "dagcanvas.h"

#include "alloc.h"

#include <math.h>

void dagcanvas_init(struct dagcanvas *c)
{
    size_t cells = (size_t)c->columns * (size_t)c->lines;
    c->cells = xcalloc(cells + 1, sizeof(*c->cells));
    for (size_t i = 0; i < cells; i++) {
        c->cells[i] = ' ';
    }
}

void dagcanvas_release(struct dagcanvas *c)
{
    free(c->cells);
    c->cells = NULL;
}

static void plot(struct dagcanvas *c, long x, long y, uint32_t ch)
{
    if (x >= 0 && x < c->columns && y >= 0 && y < c->lines) {
        c->cells[y * c->columns + x] = ch;
    }
}

void dagcanvas_line(struct dagcanvas *c, long x0, long y0, long x1, long y1)
{
    if (x0 > x1) {
        long t = x0;
        x0 = x1;
        x1 = t;
        t = y0;
        y0 = y1;
        y1 = t;
    }
    long dx = x1 - x0, dy = y1 - y0;
    if (dx == 0 && dy == 0) {
        plot(c, x0, y0, '*');
    } else if (dx >= labs(dy)) {
        for (long x = x0; x <= x1; x++) {
            plot(c, x, y0 + lrint((double)((x - x0) * dy) / (double)dx), '*');
        }
    } else if (y0 < y1) {
        for (long y = y0; y <= y1; y++) {
            plot(c, x0 + lrint((double)((y - y0) * dx) / (double)dy), y, '*');
        }
    } else {
        for (long y = y1; y <= y0; y++) {
            plot(c, x1 + lrint((double)((y - y1) * dx) / (double)dy), y, '*');
        }
    }
}

static uint32_t take_code_point(const char **p)
{
    const unsigned char *s = (const unsigned char *)*p;
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t packed = 0; /* the bytes themselves, first one lowest */
    for (size_t i = 0; i < n && s[i]; i++) {
        packed |= (uint32_t)s[i] << (8 * i);
    }
    *p += n;
    return packed;
}

void dagcanvas_box(struct dagcanvas *c, long x, long y, long width, const char *label)
{
    for (long i = 0; i < width; i++) {
        bool corner = i == 0 || i == width - 1;
        plot(c, x + i, y, corner ? '+' : '-');
        plot(c, x + i, y + 2, corner ? '+' : '-');
        plot(c, x + i, y + 1, corner ? '|' : ' ');
    }
    const char *end = label + strlen(label);
    for (long i = x + 2; label < end; i++) {
        plot(c, i, y + 1, take_code_point(&label));
    }
}

void dagcanvas_write(const struct dagcanvas *c, struct strbuf *out)
{
    for (long y = 0; y < c->lines; y++) {
        strbuf_adds(out, y ? "\n" : "");
        for (long x = 0; x < c->columns; x++) {
            for (uint32_t ch = c->cells[y * c->columns + x]; ch; ch >>= 8) {
                strbuf_addch(out, (char)(ch & 0xff));
            }
        }
    }
}
