/* The one place where stb_image_write is compiled; image_write.c is its only caller. */
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
