/* Nothing is allocated during a step: the linker leads all calls of malloc and mmap here. */

#include "nn_check.h"

#include "err.h"
#include "model.h"
#include "optim.h"
#include "par.h"

#include <stdatomic.h>
#include <sys/mman.h>

static atomic_size_t calls;

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t n);
int __real_posix_memalign(void **p, size_t align, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__real_mmap(void *p, size_t n, int protection, int flags, int fd, off_t at);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_mmap(void *p, size_t n, int protection, int flags, int fd, off_t at);

void *__wrap_malloc(size_t n)
{
    calls++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t size)
{
    calls++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    calls++;
    return __real_realloc(p, n);
}

int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
    calls++;
    return __real_posix_memalign(p, align, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    calls++;
    return __real_aligned_alloc(align, n);
}

void *__wrap_mmap(void *p, size_t n, int protection, int flags, int fd, off_t at)
{
    calls++;
    return __real_mmap(p, n, protection, flags, fd, at);
}

static void run_step(struct model *m, struct optim *o, const float *x, size_t count, uint64_t step)
{
    static const int32_t labels[4] = {0, 1, 1, 0};
    struct model_loss loss;
    model_forward(m,
                  &(struct model_batch){.x = x, .count = count, .step = step, .mode = MODEL_TRAIN});
    model_loss(m, labels, &loss);
    model_backward(m, NULL);
    optim_step(o, 0.01);
}

static void check_steps(struct model_config c, enum optim_kind kind)
{
    struct err e = ERR_INIT;
    c.par = par_new(3);
    float *x = check_random(4 * 3 * 32 * 32, 1);
    struct model *m = model_new(&c, &e);
    assert_non_null(m);
    size_t before = calls;
    assert_int_equal(model_plan(m, &(struct model_plan){.batch = 4}, &e), 0);
    struct optim *o =
        optim_new(&(struct optim_config){.kind = kind, .momentum = 0.9, .clip_norm = 1}, m, &e);
    assert_non_null(o);
    assert_true(calls > before); /* the counter works */
    before = calls;
    for (uint64_t step = 0; step < 3; step++) {
        run_step(m, o, x, step == 2 ? 3 : 4, step);
        model_forward(m, &(struct model_batch){.x = x, .count = 2});
    }
    assert_int_equal(calls, before);
    optim_free(o);
    model_free(m);
    par_free(c.par);
    free(x);
}

static void test_no_allocation_in_a_step(void **state)
{
    struct model_config c = {
        .name = "vgg11_bn", .classes = 2, .height = 32, .width = 32, .width_divisor = 16};
    check_steps(c, OPTIM_SGD);
    c.head = MODEL_HEAD_LINEAR;
    check_steps(c, OPTIM_ADAM);
    c.freeze = 2;
    c.name = "vgg13";
    check_steps(c, OPTIM_SGD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_allocation_in_a_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
