/* Learning-rate rules; grammar and units in schedule.h. */

#include "schedule.h"

#include "alloc.h"
#include "err.h"
#include "num.h"
#include "str.h"

#include <math.h>
#include <string.h>

#define ACCEPTED                                                                                   \
    "accepted: constant, step(EPOCHS[, FACTOR]), cosine[(FINAL)], poly[(POWER)], before it "       \
    "warmup(EPOCHS) and scale(BATCH)"
#define ARGS_MAX 2

struct word {
    struct str name;
    double arg[ARGS_MAX];
    size_t args;
};

static bool is_gap(char c)
{
    return c == ' ' || c == '\t' || c == '+';
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

/* Numbers separated by `sep` up to the end of `text`. */
static int read_args(struct str text, char sep, struct word *w, struct err *e)
{
    struct str rest = text, part;
    while (str_split(&rest, sep, &part)) {
        if (w->args == ARGS_MAX) {
            return err_set(e, ERR_CONFIG, "'%.*s' has too many numbers; " ACCEPTED,
                           STR_ARG(w->name));
        }
        double *out = &w->arg[w->args++];
        if (!num_parse_double(str_trim(part), out) || !isfinite(*out)) {
            return err_set(e, ERR_CONFIG, "'%.*s' of '%.*s' is not a number; " ACCEPTED,
                           STR_ARG(part), STR_ARG(w->name));
        }
    }
    return 0;
}

/* Takes one word off the front: NAME, NAME(a, b) or NAME:a:b. */
static int read_word(struct str *rest, struct word *w, struct err *e)
{
    *w = (struct word){0};
    size_t n = 0;
    while (n < rest->n && is_letter(rest->p[n])) {
        n++;
    }
    w->name = str_sub(*rest, 0, n);
    if (n < rest->n && rest->p[n] == '(') {
        size_t close = n + 1;
        while (close < rest->n && rest->p[close] != ')') {
            close++;
        }
        if (close == rest->n) {
            return err_set(e, ERR_CONFIG, "'%.*s(' has no ')'; " ACCEPTED, STR_ARG(w->name));
        }
        struct str args = str_sub(*rest, n + 1, close - n - 1);
        *rest = str_sub(*rest, close + 1, rest->n - close - 1);
        return read_args(args, ',', w, e);
    }
    size_t end = n;
    while (end < rest->n && !is_gap(rest->p[end])) {
        end++;
    }
    struct str tail = str_sub(*rest, n, end - n), word = str_sub(*rest, 0, end);
    *rest = str_sub(*rest, end, rest->n - end);
    if (tail.n == 0) {
        return 0;
    }
    if (tail.p[0] != ':' || n == 0) {
        return err_set(e, ERR_CONFIG, "'%.*s' is no rule; " ACCEPTED, STR_ARG(word));
    }
    return read_args(str_sub(tail, 1, tail.n - 1), ':', w, e);
}

struct rule_word {
    const char *name;
    size_t args_min, args_max;
};

static const struct rule_word words[] = {{"constant", 0, 0}, {"step", 1, 2},   {"cosine", 0, 1},
                                         {"poly", 0, 1},     {"warmup", 1, 1}, {"scale", 1, 1}};

static const struct rule_word *find(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (str_is(name, words[i].name)) {
            return &words[i];
        }
    }
    return NULL;
}

static void set_rule(struct schedule *s, const struct word *w)
{
    if (str_is(w->name, "step")) {
        s->rule = SCHEDULE_STEP;
        s->every = w->arg[0];
        s->factor = w->args > 1 ? w->arg[1] : 0.1;
    } else if (str_is(w->name, "cosine")) {
        s->rule = SCHEDULE_COSINE;
        s->final = w->args > 0 ? w->arg[0] : 0;
    } else if (str_is(w->name, "poly")) {
        s->rule = SCHEDULE_POLY;
        s->power = w->args > 0 ? w->arg[0] : 2;
    }
}

static int check_word(const struct word *w, struct err *e)
{
    const struct rule_word *known = find(w->name);
    if (!known) {
        return err_set(e, ERR_CONFIG, "'%.*s' is no rule; " ACCEPTED, STR_ARG(w->name));
    }
    if (w->args < known->args_min || w->args > known->args_max) {
        return err_set(e, ERR_CONFIG, "'%s' has %zu numbers, expected %zu to %zu; " ACCEPTED,
                       known->name, w->args, known->args_min, known->args_max);
    }
    bool positive = known->args_min > 0; /* a number of epochs or a batch comes first */
    for (size_t i = 0; i < w->args; i++) {
        if (w->arg[i] < 0 || (positive && i == 0 && w->arg[i] == 0)) {
            return err_set(e, ERR_CONFIG, "'%s' of %g: expected a number %s; " ACCEPTED,
                           known->name, w->arg[i], i == 0 && positive ? "above 0" : "from 0 on");
        }
    }
    return 0;
}

int schedule_parse(const char *text, struct schedule *s, struct err *e)
{
    struct schedule result = {0};
    struct str rest = str_trim(str_from(text));
    bool has_rule = false;
    while (rest.n > 0) {
        struct word w;
        if (is_gap(rest.p[0])) {
            rest = str_sub(rest, 1, rest.n - 1);
            continue;
        }
        if (read_word(&rest, &w, e) < 0 || check_word(&w, e) < 0) {
            return -1;
        }
        if (str_is(w.name, "warmup")) {
            result.warmup = w.arg[0];
        } else if (str_is(w.name, "scale")) {
            result.scale_batch = w.arg[0];
        } else if (has_rule) {
            return err_set(e, ERR_CONFIG, "'%.*s' is a second rule; " ACCEPTED, STR_ARG(w.name));
        } else {
            set_rule(&result, &w);
            has_rule = true;
        }
    }
    *s = result;
    return 0;
}

double schedule_rate(const struct schedule *s, double base_rate, const struct schedule_position *p)
{
    double rate = base_rate;
    if (s->scale_batch > 0) {
        rate *= (double)p->batch / s->scale_batch;
    }
    if (p->epoch < s->warmup) {
        double step = p->steps_per_epoch > 0 ? 1 / p->steps_per_epoch : 0;
        double share = (p->epoch + step) / s->warmup;
        return rate * (share < 1 ? share : 1);
    }
    double epoch = p->epoch - s->warmup, epochs = p->epochs - s->warmup;
    if (s->rule == SCHEDULE_STEP) {
        return rate * pow(s->factor, floor(epoch / s->every + 1e-9));
    }
    double share = epochs > 0 && epoch < epochs ? epoch / epochs : 1;
    if (s->rule == SCHEDULE_COSINE) {
        return rate * (s->final + (1 - s->final) * 0.5 * (1 + cos(3.14159265358979323846 * share)));
    }
    if (s->rule == SCHEDULE_POLY) {
        return rate * pow(1 - share, s->power);
    }
    return rate;
}
