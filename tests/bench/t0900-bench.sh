#!/bin/sh

test_description='nephron bench, alone and on ranks, and the scripts that compare with peers'

OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM

. /usr/share/sharness/sharness.sh

nephron=$NEPHRON_BIN_DIR/nephron
small='--model vgg11_bn --size 32 --divisor 16 --batch 4 --steps 1'
if command -v mpirun >/dev/null 2>&1; then
    test_set_prereq MPIRUN
fi

# A number of key $1 in file $2 lies above 0.
positive() {
    sed -n 's/.*"'"$1"'": \([-0-9.e+]*\).*/\1/p' "$2" >number &&
    test -s number &&
    awk '{ exit !($1 > 0) }' number || { echo "$1 of $2 is: $(cat number)"; return 1; }
}

test_expect_success 'train and infer give one object with speed, peak and memory' '
    for what in train "train --frozen" infer; do
        "$nephron" bench $what $small --threads 1 --json >out &&
        test "$(wc -l <out)" -eq 1 &&
        for key in schema img_per_s seconds cpu_seconds gflops peak_share peak_rss_bytes; do
            positive $key out || return 1
        done || return 1
    done
'

test_expect_success 'people get a table with the machine below it' '
    "$nephron" bench train $small >out &&
    grep " img/s" out && grep "GFLOP/s" out && grep "fp32 FMA peak" out && grep "^kernels: conv " out
'

test_expect_success 'layers: each convolution has its forward and its weights pass' '
    "$nephron" bench layers $small --json >out &&
    tr "{" "\n" <out >rows &&
    grep "\"kind\": \"conv\", \"pass\": \"forward\"" rows >forward &&
    grep "\"kind\": \"conv\", \"pass\": \"weights\"" rows >weights &&
    test "$(wc -l <forward)" -eq 8 && test "$(wc -l <weights)" -eq 8
'

test_expect_success 'model: more ranks are faster together and less efficient each' '
    "$nephron" bench model $small --json >out &&
    tr "{" "\n" <out | grep "\"ranks\":" >rows &&
    test "$(wc -l <rows)" -eq 11 &&
    sed -n "s/.*\"efficiency\": \([0-9.e-]*\).*/\1/p" rows >efficiency &&
    awk "NR == 1 && (\$1 < 0.999 || \$1 > 1.001) { exit 1 } NR > 1 && \$1 > last + 1e-9 { exit 1 } { last = \$1 }" efficiency
'

test_expect_success 'more threads than cores are pointed out' '
    "$nephron" bench infer $small --threads 200 >out &&
    grep "^hint: 200 threads on" out
'

test_expect_success MPIRUN 'on ranks: efficiency, and what travels' '
    timeout 120 mpirun -n 2 --oversubscribe "$nephron" bench train $small --json >out &&
    test "$(wc -l <out)" -eq 1 &&
    for key in efficiency img_per_s_alone sum_bytes gather_bytes; do
        positive $key out || return 1
    done
'

test_expect_success MPIRUN 'allreduce: right sums on 2 and 3 ranks, by size' '
    for n in 2 3; do
        timeout 120 mpirun -n $n --oversubscribe "$nephron" bench allreduce --max-mb 1 --json >out &&
        tr "{" "\n" <out | grep "\"bytes\": 1048576" || return 1
    done
'

test_expect_success 'wrong words and numbers are refused with exit 2' '
    test_expect_code 2 "$nephron" bench trian 2>err && grep "did you mean .train" err &&
    test_expect_code 2 "$nephron" bench 2>err &&
    test_expect_code 2 "$nephron" bench train --batch 0 2>err && grep -e "--batch 0: expected 1" err &&
    test_expect_code 2 "$nephron" bench train --model vgg99 2>err && grep vgg99 err &&
    test_expect_code 2 "$nephron" bench model --gbit 0 2>err &&
    test_expect_code 2 "$nephron" bench allreduce 2>err && grep "mpirun -n 2" err
'

test_expect_success 'scripts skip with a notice where the peer is missing' '
    for script in train-full infer-1 status; do
        test_expect_code 77 env -u NEPHRON_TORCH_PYTHON -u NEPHRON_DVC NEPHRON_PEERS="$PWD/none" \
            "$NEPHRON_SOURCE_DIR/tests/bench/$script.sh" 2>err &&
        grep "^SKIP $script" err || return 1
    done
'

test_expect_success 'a script prints lines with the agreed keys' '
    NEPHRON_PEERS="$PWD/none" BENCH_ROUNDS=1 BENCH_STAGES=20 env -u NEPHRON_DVC "$NEPHRON_SOURCE_DIR/tests/bench/stages.sh" >out 2>err &&
    grep "^{\"what\": \"20 trivial stages\", \"figure\": .*, \"unit\": \"stages/s\", \"peer\": .*, \"peer_figure\": .*, \"ratio\": .*, \"machine\": " out
'

test_done
