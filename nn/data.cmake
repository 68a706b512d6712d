# Included by nn/CMakeLists.txt; sources relative to nn/.
#   nn_stb      stb_image and stb_image_write, compiled once
#   nn_phantom  the phantom: source and picture writing: no threads, no BLAS (nephron-xfer links it)
#   nn_data     decoding, data sets, splits, loader, scores, charts

# Not made by nephron_library: a third party's code is held neither to our warnings nor to banned.h
# (stb_image_write names sprintf).
add_library(nn_stb STATIC data/stb_read.c data/stb_write.c)
target_include_directories(nn_stb PUBLIC data)
nephron_flags(nn_stb)
# -fwrapv: both shift and add signed integers past their range here and there, on purpose or not;
# with it that is defined, so the sanitizer need not speak of it. Its checks of memory stay.
target_compile_options(nn_stb PRIVATE -w -O2 -fwrapv)
if("undefined" IN_LIST NEPHRON_SANITIZE)
  target_compile_options(nn_stb PRIVATE -fno-sanitize=shift,signed-integer-overflow)
endif()

nephron_library(nn_phantom
  SOURCES data/phantom.c data/phantom_anatomy.c data/phantom_draw.c data/image_write.c
  LINK base m
  LINK_PRIVATE nn_stb)
target_include_directories(nn_phantom PUBLIC data)

nephron_library(nn_data
  SOURCES data/image.c data/image_scan.c data/image_resize.c data/augment.c
          data/dataset.c data/split.c data/split_group.c data/pixels.c data/duplicates.c
          data/loader.c data/featurefile.c data/score.c data/score_text.c
          data/chart.c data/chart_lines.c data/chart_sheet.c data/chart_explain.c data/heatmap.c data/canvas.c data/strokefont.c
  LINK base nn_phantom Threads::Threads m
  LINK_PRIVATE nn_stb)
target_include_directories(nn_data PUBLIC data)

# Loops over pixels: worth it in debug builds too, where tests decode and train on real pictures.
set_source_files_properties(
  data/phantom_draw.c data/image_resize.c data/image.c data/augment.c data/canvas.c data/heatmap.c
  data/image_scan.c
  PROPERTIES COMPILE_OPTIONS "-O2")
