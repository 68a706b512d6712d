/* The fixed tree of additions; see shard.h. */

#include "shard.h"

#include "err.h"
#include "par.h"

#include <string.h>

size_t shard_begin(size_t global, size_t total, size_t i)
{
    /* floor(i B / S) without the product, which could overflow for hostile B. */
    return global / total * i + global % total * i / total;
}

size_t shard_rows_max(size_t global, size_t total, size_t count)
{
    /* floor((f + c) B / S) - floor(f B / S) <= ceil(c B / S), and that grows with B. */
    size_t rows = global / total * count + (global % total * count + total - 1) / total;
    return rows < global ? rows : global;
}

void shard_of_rank(size_t total, size_t world, size_t rank, size_t *first, size_t *count)
{
    *first = shard_begin(total, world, rank);
    *count = shard_begin(total, world, rank + 1) - *first;
}

/* Lists the additions of node [lo, hi) that are local; false when none of its shards is. */
static bool plan_node(struct shard_split *s, size_t lo, size_t hi, unsigned char *at)
{
    size_t end = s->first + s->count;
    if (hi <= s->first || lo >= end) {
        return false;
    }
    if (hi - lo == 1) {
        *at = (unsigned char)(lo - s->first);
        return true;
    }
    size_t mid = (lo + hi) / 2;
    unsigned char left = 0, right = 0;
    bool has_left = plan_node(s, lo, mid, &left), has_right = plan_node(s, mid, hi, &right);
    if (has_left && has_right) {
        s->pair[s->pairs].to = left;
        s->pair[s->pairs].from = right;
        s->pairs++;
    }
    *at = has_left ? left : right;
    return true;
}

void shard_split_init(struct shard_split *s, size_t global, size_t total, size_t first,
                      size_t count)
{
    if (total < 1 || total > SHARD_MAX || count < 1 || first + count > total) {
        BUG("shards %zu+%zu of %zu", first, count, total);
    }
    *s = (struct shard_split){.total = total, .first = first, .count = count, .global = global};
    s->row_first = shard_begin(global, total, first);
    for (size_t i = 0; i <= count; i++) {
        s->begin[i] = shard_begin(global, total, first + i) - s->row_first;
    }
    s->rows = s->begin[count];
    unsigned char root = 0;
    plan_node(s, 0, total, &root); /* the leftmost local shard is 0, so the sum ends up there */
}

double shard_sum(const struct shard_split *s, double *part)
{
    for (size_t i = 0; i < s->pairs; i++) {
        part[s->pair[i].to] += part[s->pair[i].from];
    }
    return part[0];
}

#define SUM_BLOCK ((size_t)8192) /* 8 shards of it stay in L2; any size gives the same bits */

struct sum_job {
    const struct shard_split *s;
    float *parts, *out;
    size_t stride, n;
};

static void sum_block(void *ctx, size_t item, int thread)
{
    const struct sum_job *j = ctx;
    size_t at = item * SUM_BLOCK, n = j->n - at < SUM_BLOCK ? j->n - at : SUM_BLOCK;
    for (size_t i = 0; i < j->s->pairs; i++) {
        float *to = j->parts + j->s->pair[i].to * j->stride + at;
        const float *from = j->parts + j->s->pair[i].from * j->stride + at;
        for (size_t x = 0; x < n; x++) {
            to[x] += from[x];
        }
    }
    memcpy(j->out + at, j->parts + at, n * sizeof(float));
}

void shard_sum_vectors(const struct shard_split *s, float *parts, size_t stride, size_t n,
                       float *out, struct par *par)
{
    struct sum_job j = {.s = s, .parts = parts, .out = out, .stride = stride, .n = n};
    par_for(par, (n + SUM_BLOCK - 1) / SUM_BLOCK, sum_block, &j);
}

void shard_sum_block(const struct shard_split *s, size_t per_row, const float *parts, size_t stride,
                     size_t n, float *out)
{
    float sum[SHARD_MAX][SHARD_BLOCK];
    for (size_t i = 0; i < s->count; i++) {
        size_t at = per_row ? s->begin[i] * per_row : i;
        size_t end = per_row ? s->begin[i + 1] * per_row : i + 1;
        if (at == end) {
            memset(sum[i], 0, n * sizeof(float));
            continue;
        }
        memcpy(sum[i], parts + at * stride, n * sizeof(float));
        while (++at < end) {
            const float *from = parts + at * stride;
            for (size_t x = 0; x < n; x++) {
                sum[i][x] += from[x];
            }
        }
    }
    for (size_t i = 0; i < s->pairs; i++) {
        float *to = sum[s->pair[i].to];
        const float *from = sum[s->pair[i].from];
        for (size_t x = 0; x < n; x++) {
            to[x] += from[x];
        }
    }
    memcpy(out, sum[0], n * sizeof(float));
}

void shard_sum_doubles(const struct shard_split *s, double *parts, size_t stride, size_t n,
                       double *out)
{
    for (size_t i = 0; i < s->pairs; i++) {
        double *to = parts + s->pair[i].to * stride;
        const double *from = parts + s->pair[i].from * stride;
        for (size_t x = 0; x < n; x++) {
            to[x] += from[x];
        }
    }
    memcpy(out, parts, n * sizeof(double));
}
