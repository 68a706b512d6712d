#!/bin/sh
# aarch64.sh SOURCE_DIR: the kernels in their portable form for 64-bit ARM, built by a cross compiler
# and tested under qemu-user. Skips (77) without them (gcc-aarch64-linux-gnu, qemu-user).
set -eu
source=$1
cc=aarch64-linux-gnu-gcc
for tool in $cc qemu-aarch64; do
    if ! command -v $tool >/dev/null; then
        echo "SKIP: there is no $tool"
        exit 77
    fi
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
kernel=$source/nn/kernel
flags="-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -I$source/tests/cross
       -I$source/nn -I$kernel -I$source/base"
for file in "$kernel"/*.c "$source"/base/par.c "$source"/base/alloc.c "$source"/base/err.c \
    "$source"/base/rng.c "$source"/base/clock.c "$source"/nn/naive.c; do
    # shellcheck disable=SC2086
    $cc -O3 $flags -c -o "$dir/$(basename "$file").o" "$file"
done
for test in shard dense plain_kernels batchnorm conv; do
    # -O1: the vectoriser of gcc 12.2 fails on a loop of dense_test.c
    # shellcheck disable=SC2086
    $cc -O1 $flags -DNEPHRON_EMULATED=1 -static -o "$dir/$test" "$source/tests/unit/nn/${test}_test.c" "$dir"/*.o -lm \
        -lpthread
    echo "# $test"
    qemu-aarch64 "$dir/$test"
done
