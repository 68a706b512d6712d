/* Spool files of strangers: header, records, payloads, and the model that `nephron runs` builds of
 * them. */

#include "arena.h"
#include "digest.h"
#include "runread.h"
#include "runread_private.h"
#include "spool.h"
#include "spool_format.h"
#include "tracking.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Right checksums and sequences, so that the fuzzer gets behind them. */
static void mend(unsigned char *p, size_t size)
{
    uint64_t sequence = 1;
    if (size >= SPOOL_HEADER_BYTES) {
        spool_put_u32(p + 12, digest_crc32c(0, p + 16, 48));
    }
    for (size_t at = SPOOL_HEADER_BYTES; at + SPOOL_RECORD_BYTES <= size;) {
        size_t n = spool_get_u32(p + at);
        if (n > size - at - SPOOL_RECORD_BYTES) {
            break;
        }
        spool_put_u64(p + at + 8, sequence++);
        spool_put_u32(p + at + 4, digest_crc32c(0, p + at + 8, 8 + n));
        at += SPOOL_RECORD_BYTES + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool_cursor c;
    struct spool_record rec;
    struct spool_header h;
    struct spool_model *m;

    if (size < 1 || size > 1 << 20) {
        return 0;
    }
    unsigned char *copy = malloc(size);
    memcpy(copy, data, size);
    if (data[size - 1] & 1) { /* half of the inputs as they are */
        mend(copy, size);
    }
    int fd = memfd_create("spool-fuzz", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, copy, size) == (ssize_t)size && spool_read_header(fd, &h, NULL) == 0) {
        spool_cursor_init(&c, fd);
        m = spool_model_empty();
        while (spool_cursor_next(&c, size, &rec, NULL) == 1) {
            spool_model_apply(m, h.run, &rec.event);
        }
        spool_model_free(m);
        spool_cursor_release(&c);
    }
    close(fd);
    free(copy);
    return 0;
}
