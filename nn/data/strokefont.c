/*
 * The glyph table and its reader. A path is made of points of two base-36 digits, x then y; "~"
 * means that the next point is the control point of a quadratic curve to the point after it; a
 * blank lifts the pen. So "0e408e 2969" is an A: up, down, and the bar.
 */
#include "strokefont.h"

enum { CURVE_PIECES = 8 };

struct glyph {
    int width;
    const char *path;
};

static const struct glyph glyphs[95] = {
    {2, ""},                                                      /* blank */
    {0, "0009 0e"},                                               /* ! */
    {3, "0004 3034"},                                             /* " */
    {8, "301e 705e 0585 0a8a"},                                   /* # */
    {8, "83~805030~0003~0747~878b~8e5e3e~0e0b 404e"},             /* $ */
    {12, "a02e 30~0003~0636~6663~6030 98~686b~6e9e~cecb~c898"},   /* % */
    {9, "9e24~1040~7064~070a~0e4e~8e99"},                         /* & */
    {0, "0004"},                                                  /* ' */
    {3, "30~0308~0d3g"},                                          /* ( */
    {3, "00~3338~3d0g"},                                          /* ) */
    {8, "4048 0286 8206"},                                        /* * */
    {8, "0888 444c"},                                             /* + */
    {1, "1e0g"},                                                  /* , */
    {6, "0868"},                                                  /* - */
    {0, "0e"},                                                    /* . */
    {6, "0f60"},                                                  /* / */
    {8, "40~000509~0e4e~8e8985~8040"},                            /* 0 */
    {8, "13404e 1e7e"},                                           /* 1 */
    {8, "03~0040~8084~87590e8e"},                                 /* 2 */
    {8, "02~0040~8083~8646~868a~8e4e~0e0c 2646"},                 /* 3 */
    {8, "6e600a8a"},                                              /* 4 */
    {8, "701006~1545~8589~8e4e~0e0c"},                            /* 5 */
    {8, "71~6050~00070a~0e4e~8e8a~8646~060a"},                    /* 6 */
    {8, "00803e"},                                                /* 7 */
    {8, "40~0003~0646~868a~8e4e~0e0a~0646~8683~8040"},            /* 8 */
    {8, "1d~2e3e~8e8784~8040~0004~0848~8884"},                    /* 9 */
    {0, "05 0e"},                                                 /* : */
    {1, "15 1e0g"},                                               /* ; */
    {6, "64086c"},                                                /* < */
    {8, "0686 0a8a"},                                             /* = */
    {6, "04680c"},                                                /* > */
    {8, "03~0040~8083~86484a 4e"},                                /* ? */
    {10, "9c~8e5e~0e07~0050~a0a7~aa8a~7a77~7454~3437~3a5a~7a77"}, /* @ */
    {8, "0e408e 2969"},                                           /* A */
    {9, "0e0050~8083~865606 56~969a~9e5e0e"},                     /* B */
    {8, "83~805040~00040a~0e4e5e~8e8b"},                          /* C */
    {8, "0e0040~80848a~8e4e0e"},                                  /* D */
    {7, "70000e7e 0767"},                                         /* E */
    {7, "70000e 0767"},                                           /* F */
    {8, "83~805040~00040a~0e4e~8e8a8858"},                        /* G */
    {8, "000e 808e 0787"},                                        /* H */
    {0, "000e"},                                                  /* I */
    {6, "606a~6e3e~0e0b"},                                        /* J */
    {8, "000e 8009 368e"},                                        /* K */
    {7, "000e7e"},                                                /* L */
    {10, "0e005aa0ae"},                                           /* M */
    {8, "0e008e80"},                                              /* N */
    {9, "40~00040a~0e4e5e~9e9a94~905040"},                        /* O */
    {8, "0e0050~8084~885808"},                                    /* P */
    {9, "40~00040a~0e4e5e~9e9a94~905040 6b9f"},                   /* Q */
    {8, "0e0050~8084~885808 488e"},                               /* R */
    {8, "83~805030~0003~0747~878b~8e5e3e~0e0b"},                  /* S */
    {8, "0080 404e"},                                             /* T */
    {8, "000a~0e4e~8e8a80"},                                      /* U */
    {8, "004e80"},                                                /* V */
    {12, "003e629ec0"},                                           /* W */
    {8, "008e 800e"},                                             /* X */
    {8, "004780 474e"},                                           /* Y */
    {8, "00800e8e"},                                              /* Z */
    {3, "30000g3g"},                                              /* [ */
    {6, "006f"},                                                  /* \ */
    {3, "00303g0g"},                                              /* ] */
    {8, "044084"},                                                /* ^ */
    {8, "0g8g"},                                                  /* _ */
    {2, "0023"},                                                  /* ` */
    {7, "747e 79~7444~0409~0e4e~7e79"},                           /* a */
    {7, "000e 09~0444~7479~7e4e~0e09"},                           /* b */
    {7, "76~6444~0409~0e4e~6e7c"},                                /* c */
    {7, "707e 79~7444~0409~0e4e~7e79"},                           /* d */
    {7, "0979~7444~0409~0e4e~6e7c"},                              /* e */
    {5, "50~20232e 0454"},                                        /* f */
    {7, "747f~7i4i~1i0g 79~7444~0409~0e4e~7e79"},                 /* g */
    {7, "000e 08~0444~74787e"},                                   /* h */
    {0, "040e 00"},                                               /* i */
    {2, "242f~2i0i 20"},                                          /* j */
    {7, "000e 640a 287e"},                                        /* k */
    {2, "000b~0e2e"},                                             /* l */
    {10, "040e 08~0434~54585e 58~5484~a4a8ae"},                   /* m */
    {7, "040e 08~0444~74787e"},                                   /* n */
    {8, "44~0409~0e4e~8e89~8444"},                                /* o */
    {7, "040i 09~0444~7479~7e4e~0e09"},                           /* p */
    {7, "747i 79~7444~0409~0e4e~7e79"},                           /* q */
    {4, "040e 08~0444"},                                          /* r */
    {6, "66~6434~0406~0939~696b~6e3e~0e0c"},                      /* s */
    {5, "202b~2e5e 0454"},                                        /* t */
    {7, "040a~0e3e~7e7a 747e"},                                   /* u */
    {6, "043e64"},                                                /* v */
    {10, "043e567ea4"},                                           /* w */
    {7, "047e 740e"},                                             /* x */
    {7, "043e 742i"},                                             /* y */
    {7, "04740e7e"},                                              /* z */
    {4, "40~2024~2808~282c~2g4g"},                                /* { */
    {0, "000i"},                                                  /* | */
    {4, "00~2024~2848~282c~2g0g"},                                /* } */
    {8, "09~1648~7b87"},                                          /* ~ */
};

struct pen {
    strokefont_fn *fn;
    void *ctx;
    double x, y;
};

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void pen_line(struct pen *p, double x, double y)
{
    p->fn(p->ctx, p->x, p->y, x, y);
    p->x = x;
    p->y = y;
}

static void pen_curve(struct pen *p, const char *points)
{
    double x0 = p->x, y0 = p->y, cx = digit(points[0]), cy = digit(points[1]);
    double x1 = digit(points[2]), y1 = digit(points[3]);

    for (int i = 1; i <= CURVE_PIECES; i++) {
        double t = (double)i / CURVE_PIECES, u = 1 - t;
        pen_line(p, u * u * x0 + 2 * u * t * cx + t * t * x1,
                 u * u * y0 + 2 * u * t * cy + t * t * y1);
    }
}

static void draw_path(const char *s, strokefont_fn *fn, void *ctx)
{
    struct pen pen = {.fn = fn, .ctx = ctx};
    int is_up = 1;

    while (*s) {
        if (*s == ' ') {
            is_up = 1;
            s++;
        } else if (*s == '~') {
            pen_curve(&pen, s + 1);
            s += 5;
        } else {
            if (is_up) {
                pen.x = digit(s[0]);
                pen.y = digit(s[1]);
                is_up = 0;
                if (s[2] == '\0' || s[2] == ' ') {
                    pen_line(&pen, pen.x, pen.y); /* a dot */
                }
            } else {
                pen_line(&pen, digit(s[0]), digit(s[1]));
            }
            s += 2;
        }
    }
}

double strokefont_glyph(int ch, strokefont_fn *fn, void *ctx)
{
    const struct glyph *g = &glyphs[(ch >= 32 && ch < 127 ? ch : '?') - 32];

    if (fn != 0) {
        draw_path(g->path, fn, ctx);
    }
    return g->width;
}

double strokefont_width(const char *text)
{
    double width = 0;

    for (const char *p = text; *p; p++) {
        width += strokefont_glyph((unsigned char)*p, 0, 0) + (p[1] ? STROKEFONT_GAP : 0);
    }
    return width;
}
