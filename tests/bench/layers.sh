#!/bin/sh
# Each pass of each convolution of VGG16 beside oneDNN's best algorithm and layout (libdnnl-dev): GFLOP/s of the direct method's count, from CPU time.
name=layers
. "$(dirname "$0")/bench-lib.sh"
tests=$bin/../tests
test -x "$tests/onednn_bench" || skip "no onednn_bench in $tests: install libdnnl-dev and build again"
steps=${BENCH_STEPS:-3}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
OMP_NUM_THREADS=$threads OMP_WAIT_POLICY=passive
export OMP_NUM_THREADS OMP_WAIT_POLICY
i=0
while test $i -lt "$rounds"; do
    "$tests/conv_bench" --batch 16 --threads "$threads" --steps "$steps" >>"$dir/ours" || fail "conv_bench failed"
    "$tests/onednn_bench" 16 "$steps" >>"$dir/peer" || fail "onednn_bench failed"
    i=$((i + 1))
done
peer=$(sed -n 's/^\(oneDNN [^,]*\),.*/\1/p' "$dir/peer" | head -n 1)
sed -n 's/^\(conv[0-9_]*\) .*/\1/p' "$dir/ours" | sort -u | while read -r layer; do
    for pass in 5:forward 7:backward-data 9:backward-weights; do
        rate() { awk -v layer="$layer" -v column="${pass%%:*}" '$1 == layer { print $column }' "$1" | median; }
        ours=$(rate "$dir/ours") theirs=$(rate "$dir/peer")
        case $ours in -) continue ;; esac # the gradient of the image is nobody's
        report "$layer ${pass#*:}" "$ours" GFLOP/s "$peer" "$theirs"
    done
done
