/* Ignore patterns: the first line is the pattern, the rest the path. */
#include "ignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512];
    if (size == 0 || size >= sizeof text || memchr(data, 0, size) != NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = 0;
    char *path = strchr(text, '\n');
    if (path == NULL || strchr(path + 1, '\n') != NULL) {
        return 0;
    }
    *path++ = 0;
    bool file = ignore_pattern_match(text, path, false);
    bool folder = ignore_pattern_match(text, path, true);
    if (file && !folder) {
        abort(); /* what hides a file hides a folder of that name */
    }
    return 0;
}
