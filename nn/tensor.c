/* Mapped memory; see tensor.h. mmap and not calloc, since its pages are zero without being touched,
 * and since huge pages need an aligned mapping. */

#include "tensor.h"

#include "alloc.h"
#include "err.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

int tensor_arena_init(struct tensor_arena *a, size_t count, struct err *e)
{
    *a = (struct tensor_arena){0};
    if (count == 0) {
        return 0;
    }
    size_t bytes;
    if (!size_mul(count, sizeof(float), &bytes) || !size_add(bytes, HUGE_PAGE_BYTES, &bytes)) {
        return err_set(e, ERR_LIMIT, "%zu numbers do not fit in memory", count);
    }
    bytes -= HUGE_PAGE_BYTES;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        err_sys(e, "cannot map %.1f MB of memory", (double)bytes / 1e6);
        if (e) {
            e->code = ERR_LIMIT;
        }
        return -1;
    }
    if (bytes >= 2 * HUGE_PAGE_BYTES) {
        (void)madvise(p, bytes, MADV_HUGEPAGE); /* a wish: kernels without huge pages refuse */
    }
    *a = (struct tensor_arena){.data = p, .count = count, .mapped_bytes = bytes};
    return 0;
}

void tensor_arena_release(struct tensor_arena *a)
{
    if (a->data) {
        munmap(a->data, a->mapped_bytes);
    }
    *a = (struct tensor_arena){0};
}
