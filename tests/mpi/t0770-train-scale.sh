#!/bin/sh

test_description='training on many ranks: small shares, who reads what, and the slow one'

if ! command -v mpirun >/dev/null 2>&1; then
    echo 'SKIP: this test needs mpirun'
    exit 77
fi

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/mpi/train-lib.sh"

test_expect_success 'a local batch of one, and of less than one: the same bits' '
    small_project small EPOCHS=1 BATCH_SIZE=4 &&
    for n in 1 4; do
        (cd small && ranks $n "$N" train -q --fresh) && results small >one-$n || return 1
    done &&
    test_cmp one-1 one-4 &&
    sed -i "s/^BATCH_SIZE: 4/BATCH_SIZE: 3/" small/params.yaml &&
    for n in 1 4; do
        (cd small && ranks $n "$N" train -q --fresh) && results small >less-$n || return 1
    done &&
    test_cmp less-1 less-4
'

test_expect_success 'nine ranks, more than there are shards by default' '
    (cd small && ranks 9 "$N" train -q --fresh) &&
    test "$(wc -l <small/artifacts/training/history.csv)" = 2
'

if command -v strace >/dev/null 2>&1; then
    test_set_prereq STRACE
fi

# opened PATTERN: "process path" of every successful open of a file that matches, by any rank.
opened() {
    grep -H "openat(.*$1.* = [0-9]" trace.* | sed "s/^trace\.\([0-9]*\):[^\"]*\"\([^\"]*\)\".*/\1 \2/"
}

test_expect_success STRACE 'a rank reads its own pictures; the model and the folders are read once' '
    small_project reads EPOCHS=1 &&
    cd reads && rm -f trace.* &&
    ranks 4 strace -f --seccomp-bpf -e trace=openat -e signal=none -ff -o ../trace "$N" train -q --fresh;
    code=$?; cd .. && test $code = 0 &&
    opened "base_model_updated.pth" >model && test -s model &&
    test "$(cut -d" " -f1 model | sort -u | wc -l)" = 1 &&
    opened "kidney-ct-scan-image.*jpg" | cut -d" " -f2- | sort | uniq -c | sort -rn >pictures &&
    test "$(wc -l <pictures)" = 30 &&
    awk "\$1 > 2 { exit 1 }" pictures &&
    opened "kidney-ct-scan-image/Tumor\"" >folder &&
    test "$(cut -d" " -f1 folder | sort -u | wc -l)" = 1
'

# Rank 1 gets a tenth of the time that it wants, from the first step until it is named.
test_expect_success 'a slow rank is named, with its host, in the log and in the run' '
    small_project slow EPOCHS=6 BATCH_SIZE=4 &&
    cd slow && rm -f pid.* &&
    { ranks 2 sh -c "echo \$\$ >pid.\$OMPI_COMM_WORLD_RANK; exec \"\$0\" train" "$N" 2>../slow.err &
    job=$!; } && cd .. &&
    wait_until grep -q "2 ranks of" slow.err && pid=$(cat slow/pid.1) &&
    until grep -q "holds the others up" slow.err || ! kill -STOP $pid 2>/dev/null; do
        sleep 0.2; kill -CONT $pid 2>/dev/null; sleep 0.02
    done;
    wait $job && grep "rank 1 on host $(hostname) holds the others up" slow.err &&
    test_expect_code 1 grep "rank 0 on host" slow.err &&
    cd slow && "$NEPHRON_BIN_DIR/nephron" runs show --json >../slow.json; cd .. &&
    grep "\"straggler\": \"rank 1 on host" slow.json &&
    test "$(grep -c "\"step_ms\": [0-9]" slow.json)" -ge 1
'

test_expect_success 'a log gets a line now and then, with speed and time left' '
    small_project log EPOCHS=3 && cd log && ranks 2 "$N" train --fresh 2>../log.err; cd .. &&
    grep "^epoch 1/3  train loss .* img/s  .*s left" log.err &&
    grep "^epoch 3/3" log.err >last && test_expect_code 1 grep left last
'

test_done
