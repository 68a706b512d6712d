/*
 * digest_md5_many: many texts at once, see digest.h.
 *
 * MD5 (RFC 1321) is one long chain of dependent steps, which leaves most of a core idle; so each lane of a vector takes a
 * text of its own. A lane goes through the blocks of its text, then through one or two with the padding, and then
 * takes the next text. The vectors are GCC's, in the width of the processor that runs (target_clones).
 */
#include "digest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LANES 16
#define BLOCK 64

typedef uint32_t lanes __attribute__((vector_size(LANES * sizeof(uint32_t))));

/* Not under ThreadSanitizer: the function that chooses among the clones would be instrumented, but it runs before the
 * sanitizer's library is ready. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__)
#define EACH_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EACH_WIDTH
#endif

struct lane {
    const unsigned char *at;
    size_t blocks; /* left of the text, or of the tail */
    struct digest_job *job;
    unsigned char tail[2 * BLOCK];
    size_t tail_blocks; /* 0: they are under way */
};

static const uint32_t sine[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

static uint32_t load_le(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* One step: the four words turn by one place. */
#define STEP(f, word, i, shift)                                                                    \
    do {                                                                                           \
        lanes t = a + (f) + x[word] + sine[i];                                                     \
        a = d;                                                                                     \
        d = c;                                                                                     \
        c = b;                                                                                     \
        b += t << (shift) | t >> (32 - (shift));                                                   \
    } while (0)

#define FOUR(f, g, i, s0, s1, s2, s3)                                                              \
    STEP(f, (g(i)) & 15, i, s0);                                                                   \
    STEP(f, (g(i + 1)) & 15, i + 1, s1);                                                           \
    STEP(f, (g(i + 2)) & 15, i + 2, s2);                                                           \
    STEP(f, (g(i + 3)) & 15, i + 3, s3)

#define WORD1(i) (i)
#define WORD2(i) (5 * (i) + 1)
#define WORD3(i) (3 * (i) + 5)
#define WORD4(i) (7 * (i))
#define F (d ^ (b & (c ^ d)))
#define G (c ^ (d & (b ^ c)))
#define H (b ^ c ^ d)
#define I (c ^ (b | ~d))

/* `blocks` blocks of every lane from at[lane], which are moved on by `stride`. */
EACH_WIDTH static void run(lanes state[4], const unsigned char *at[LANES],
                           const size_t stride[LANES], size_t blocks)
{
    lanes a = state[0], b = state[1], c = state[2], d = state[3];
    for (; blocks > 0; blocks--) {
        const lanes a0 = a, b0 = b, c0 = c, d0 = d;
        lanes x[16];
        for (int lane = 0; lane < LANES; lane++) {
            for (int word = 0; word < 16; word++) {
                x[word][lane] = load_le(at[lane] + 4 * word);
            }
            at[lane] += stride[lane];
        }
#pragma GCC unroll 4
        for (int i = 0; i < 16; i += 4) {
            FOUR(F, WORD1, i, 7, 12, 17, 22);
        }
#pragma GCC unroll 4
        for (int i = 16; i < 32; i += 4) {
            FOUR(G, WORD2, i, 5, 9, 14, 20);
        }
#pragma GCC unroll 4
        for (int i = 32; i < 48; i += 4) {
            FOUR(H, WORD3, i, 4, 11, 16, 23);
        }
#pragma GCC unroll 4
        for (int i = 48; i < 64; i += 4) {
            FOUR(I, WORD4, i, 6, 10, 15, 21);
        }
        a += a0;
        b += b0;
        c += c0;
        d += d0;
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
}

/* The last bytes, a one, zeros, and the length in bits. */
static void make_tail(struct lane *l)
{
    size_t n = l->job->n, rest = n % BLOCK;
    l->tail_blocks = rest < BLOCK - 8 ? 1 : 2;
    memset(l->tail, 0, sizeof(l->tail));
    if (rest > 0) {
        memcpy(l->tail, (const unsigned char *)l->job->data + (n - rest), rest);
    }
    l->tail[rest] = 0x80;
    for (int i = 0; i < 8; i++) {
        l->tail[l->tail_blocks * BLOCK - 8 + (size_t)i] =
            (unsigned char)((uint64_t)n << 3 >> 8 * i);
    }
}

static void begin(struct lane *l, struct digest_job *job, lanes state[4], int lane)
{
    static const uint32_t start[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    l->job = job;
    l->at = job->data;
    l->blocks = job->n / BLOCK;
    make_tail(l);
    for (int i = 0; i < 4; i++) {
        state[i][lane] = start[i];
    }
}

static void to_tail(struct lane *l)
{
    l->at = l->tail;
    l->blocks = l->tail_blocks;
    l->tail_blocks = 0;
}

static void finish(struct lane *l, lanes state[4], int lane)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        unsigned byte = state[i / 4][lane] >> 8 * (i % 4) & 255;
        l->job->hex[2 * i] = digits[byte >> 4];
        l->job->hex[2 * i + 1] = digits[byte & 15];
    }
    l->job->hex[32] = '\0';
    l->job = NULL;
}

/* Every lane that is at an end gets its tail or the next text. False: nothing is left. */
static bool refill(struct lane *all, lanes state[4], struct digest_job **next,
                   const struct digest_job *end)
{
    bool busy = false;
    for (int i = 0; i < LANES; i++) {
        struct lane *l = &all[i];
        while (l->blocks == 0) {
            if (l->job != NULL && l->tail_blocks > 0) {
                to_tail(l);
                break;
            }
            if (l->job != NULL) {
                finish(l, state, i);
            }
            if (*next == end) {
                break;
            }
            begin(l, (*next)++, state, i);
        }
        busy = busy || l->job != NULL;
    }
    return busy;
}

void digest_md5_many(struct digest_job *jobs, size_t count)
{
    static const unsigned char idle[BLOCK];
    struct lane all[LANES];
    lanes state[4] = {{0}};
    struct digest_job *next = jobs;
    memset(all, 0, sizeof(all));
    while (refill(all, state, &next, jobs + count)) {
        const unsigned char *at[LANES];
        size_t stride[LANES], blocks = SIZE_MAX;
        for (int i = 0; i < LANES; i++) {
            bool busy = all[i].job != NULL;
            at[i] = busy ? all[i].at : idle;
            stride[i] = busy ? BLOCK : 0;
            blocks = busy && all[i].blocks < blocks ? all[i].blocks : blocks;
        }
        run(state, at, stride, blocks);
        for (int i = 0; i < LANES; i++) {
            all[i].at = at[i];
            all[i].blocks -= all[i].job != NULL ? blocks : 0;
        }
    }
}
