/* See fiber.h. */
#include "fiber.h"

#include "alloc.h"
#include "err.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define FIBER_LEAVE(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define FIBER_ARRIVE(save, bottom, size) __sanitizer_finish_switch_fiber(save, bottom, size)
#else
#define FIBER_LEAVE(save, bottom, size) ((void)(save))
#define FIBER_ARRIVE(save, bottom, size) ((void)(save))
#endif

#define STACK_BYTES ((size_t)8 << 20)

struct fiber {
    ucontext_t inside, outside;
    fiber_fn *fn;
    void *ctx;
    void *map; /* guard page, then the stack */
    size_t map_bytes, guard_bytes;
    bool begun, over;
    /* For the sanitizer: what it keeps of a stack that is left, and where the caller's lies. */
    void *kept_inside, *kept_outside;
    const void *outside_bottom;
    size_t outside_bytes;
};

static void *stack_of(const struct fiber *f)
{
    return (char *)f->map + f->guard_bytes;
}

/* makecontext passes ints only. */
static void enter(unsigned high, unsigned low)
{
    struct fiber *f = (struct fiber *)(((uintptr_t)high << 32) | low);
    FIBER_ARRIVE(NULL, &f->outside_bottom, &f->outside_bytes);
    f->fn(f->ctx);
    f->over = true;
    FIBER_LEAVE(NULL, f->outside_bottom, f->outside_bytes); /* NULL: this stack is done with */
    setcontext(&f->outside);
}

struct fiber *fiber_new(fiber_fn *fn, void *ctx, struct err *e)
{
    struct fiber *f = xcalloc(1, sizeof *f);
    f->guard_bytes = (size_t)sysconf(_SC_PAGESIZE);
    f->map_bytes = STACK_BYTES + f->guard_bytes;
    f->fn = fn;
    f->ctx = ctx;
    f->map = mmap(NULL, f->map_bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (f->map == MAP_FAILED || mprotect(f->map, f->guard_bytes, PROT_NONE) != 0) {
        err_sys(e, "no memory for a stack of %zu bytes", STACK_BYTES);
        f->map = f->map == MAP_FAILED ? NULL : f->map;
        fiber_free(f);
        return NULL;
    }
    getcontext(&f->inside);
    f->inside.uc_stack = (stack_t){.ss_sp = stack_of(f), .ss_size = STACK_BYTES};
    uintptr_t self = (uintptr_t)f;
    makecontext(&f->inside, (void (*)(void))enter, 2, (unsigned)(self >> 32), (unsigned)self);
    return f;
}

bool fiber_resume(struct fiber *f)
{
    if (f->over) {
        return false;
    }
    f->begun = true;
    FIBER_LEAVE(&f->kept_outside, stack_of(f), STACK_BYTES);
    swapcontext(&f->outside, &f->inside);
    FIBER_ARRIVE(f->kept_outside, NULL, NULL);
    return !f->over;
}

void fiber_yield(struct fiber *f)
{
    FIBER_LEAVE(&f->kept_inside, f->outside_bottom, f->outside_bytes);
    swapcontext(&f->inside, &f->outside);
    FIBER_ARRIVE(f->kept_inside, &f->outside_bottom, &f->outside_bytes);
}

void fiber_free(struct fiber *f)
{
    if (f == NULL) {
        return;
    }
    if (f->begun && !f->over) {
        BUG("a fiber is freed that has not ended");
    }
    if (f->map != NULL) {
        munmap(f->map, f->map_bytes);
    }
    free(f);
}
