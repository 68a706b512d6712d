#!/bin/sh
# What equal bits on every number of ranks cost: training with the fixed tree of sums, and with as few partial sums as there are ranks.
name=equal-bits
. "$(dirname "$0")/bench-lib.sh"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
i=0
while test $i -lt "$rounds"; do
    "$nephron" bench train --threads "$threads" --json >>"$dir/fixed" || fail "nephron bench failed"
    "$nephron" bench train --threads "$threads" --json --any-order >>"$dir/any" || fail "nephron bench failed"
    i=$((i + 1))
done
report "train full, equal bits" "$(field img_per_s <"$dir/fixed" | median)" img/s "any order of sums" "$(field img_per_s <"$dir/any" | median)"
report "train full, equal bits, CPU time of an image" "$(field cpu_s_per_img <"$dir/fixed" | median)" s "any order of sums" \
    "$(field cpu_s_per_img <"$dir/any" | median)"
