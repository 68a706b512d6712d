/* Encoding through stb_image_write's callback interface: see image_write.h. */
#include "image_write.h"

#include "err.h"
#include "fs.h"
#include "image.h"
#include "path.h"
#include "str.h"

#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

#include <string.h>
#include <strings.h>

static void append(void *ctx, void *data, int n)
{
    strbuf_add(ctx, data, (size_t)n);
}

static int check_size(int width, int height, struct err *e)
{
    if (width < 1 || height < 1 || width > IMAGE_MAX_SIDE_PX || height > IMAGE_MAX_SIDE_PX) {
        return err_set(e, ERR_LIMIT, "cannot write a picture of %d x %d pixels", width, height);
    }
    return 0;
}

int image_write_jpeg(struct strbuf *out, const uint8_t *px, int width, int height, int quality,
                     struct err *e)
{
    if (check_size(width, height, e) < 0) {
        return -1;
    }
    if (!stbi_write_jpg_to_func(append, out, width, height, 3, px, quality) || out->truncated) {
        return err_set(e, ERR_BUG, "the JPEG encoder failed");
    }
    return 0;
}

int image_write_png(struct strbuf *out, const uint8_t *px, int width, int height, struct err *e)
{
    if (check_size(width, height, e) < 0) {
        return -1;
    }
    if (!stbi_write_png_to_func(append, out, width, height, 3, px, 3 * width) || out->truncated) {
        return err_set(e, ERR_BUG, "the PNG encoder failed");
    }
    return 0;
}

int image_save(const char *path, const uint8_t *px, int width, int height, struct err *e)
{
    const char *ext = path_extension(path);
    struct strbuf bytes;
    int rc;

    strbuf_init(&bytes);
    if (strcasecmp(ext, ".png") == 0) {
        rc = image_write_png(&bytes, px, width, height, e);
    } else if (strcasecmp(ext, ".jpg") == 0 || strcasecmp(ext, ".jpeg") == 0) {
        rc = image_write_jpeg(&bytes, px, width, height, 92, e);
    } else {
        rc = err_set(e, ERR_USAGE, "a picture is written as .png or .jpg, not '%s'", ext);
    }
    if (rc == 0) {
        rc = fs_write_atomic(path, bytes.p, bytes.n, 0, e);
    }
    strbuf_release(&bytes);
    return rc < 0 ? err_wrap(e, "cannot write %s", path) : 0;
}
