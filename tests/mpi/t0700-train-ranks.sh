#!/bin/sh

test_description='training: the same bits on 1, 2 and 4 ranks, resumed after a kill, and what follows it'

if ! command -v mpirun >/dev/null 2>&1; then
    echo 'SKIP: this test needs mpirun'
    exit 77
fi

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/mpi/train-lib.sh"

# Starts training in folder $1 behind our back, its words in file $2; $child is its process.
start_train() {
    sh -c 'cd "$1" && exec "$2" train' sh "$1" "$N" 2>"$2" &
    child=$!
}

test_expect_success 'sums, gathers and agreement between 1 to 8 ranks' '
    for n in 1 2 3 4 5 6 8; do
        ranks $n "$NEPHRON_TEST_DIR/comm_ranks" || return 1
    done
'

test_expect_success 'weights, loss of each step and validation are bitwise equal on 1, 2 and 4 ranks' '
    small_project a &&
    for n in 1 2 4; do
        (cd a && ranks $n "$N" train -q --fresh) &&
        results a >ranks-$n || return 1
    done &&
    test "$(wc -l <a/artifacts/training/steps.csv)" = 5 &&
    test_cmp ranks-1 ranks-2 && test_cmp ranks-1 ranks-4
'

test_expect_success 'the same with batch norm over the global batch' '
    small_project bn MODEL=vgg11_bn EPOCHS=1 &&
    for n in 1 2 4; do
        (cd bn && ranks $n "$N" train -q) &&
        results bn >bn-$n || return 1
    done &&
    test_cmp bn-1 bn-2 && test_cmp bn-1 bn-4 &&
    test_expect_code 1 cmp -s ranks-1 bn-1
'

# near FILE FILE: column 3 (loss) of the two agrees within 1e-5 relative, row for row; 20 rows.
near() {
    paste -d, "$1" "$2" | awk -F, '
        NR > 1 {
            d = $3 - $8
            d = d < 0 ? -d : d
            worst = d / $3 > worst ? d / $3 : worst
            if (!($3 > 0) || $1 != $6 || d > 1e-5 * $3) { print "step", $1, ":", $3, $8; bad = 1 }
        }
        END {
            print NR - 1, "steps, largest relative difference", worst + 0 > "/dev/stderr"
            exit bad || NR != 21
        }'
}

test_expect_success 'one loss curve over 20 steps on 1, 2, 3 and 4 ranks, within 1e-5 relative' '
    small_project curve EPOCHS=5 BATCH_SIZE=5 LEARNING_RATE=0.02 &&
    for n in 1 2 3 4; do
        (cd curve && ranks $n "$N" train -q --fresh) && cp curve/artifacts/training/steps.csv steps-$n || return 1
    done &&
    test "$(cut -d, -f3 steps-1 | sort -u | wc -l)" -gt 15 &&
    near steps-1 steps-2 && near steps-1 steps-3 && near steps-1 steps-4 &&
    test_cmp steps-1 steps-2 && test_cmp steps-1 steps-4
'

test_expect_success 'a finished training leaves no checkpoint and no temp file' '
    find a -name "ckpt-*" >left && find a -name "*.tmp" >>left && test_must_be_empty left
'

# kill -9 at whatever step has passed when a checkpoint is there.
test_expect_success 'killed -9 after a checkpoint and started again on another number of ranks: equal' '
    small_project k EPOCHS=8 &&
    (cd k && "$N" train -q) && results k >whole &&
    rm -r k/artifacts/training &&
    start_train k killed.err &&
    wait_until has_checkpoint k &&
    kill -9 $child &&
    { wait $child; test $? = 137; } &&
    test ! -e k/artifacts/training/model.pth &&
    (cd k && ranks 2 "$N" train 2>../resumed.err) &&
    grep "resuming after step" resumed.err &&
    results k >again &&
    test_cmp whole again
'

test_expect_success 'SIGTERM: a checkpoint, exit 143, and the next start goes on in mid-epoch' '
    rm -r k/artifacts/training &&
    start_train k term.err &&
    wait_until grep -q "^epoch 1/" term.err &&
    kill -TERM $child &&
    { wait $child; test $? = 143; } &&
    grep "stopped by signal 15" term.err &&
    (cd k && "$N" train 2>../term2.err) &&
    grep "resuming after step" term2.err &&
    results k >after-term && test_cmp whole after-term
'

test_expect_success 'other settings: the checkpoint of an earlier training is not taken up' '
    small_project o EPOCHS=60 &&
    cp -r o o2 &&
    (cd o2 && sed -i "s/^EPOCHS: 60/EPOCHS: 1/" params.yaml && "$N" train -q) &&
    results o2 >other-alone &&
    start_train o o.err &&
    wait_until grep -q "^epoch 1/" o.err &&
    kill -TERM $child &&
    { wait $child; test $? = 143; } &&
    has_checkpoint o &&
    sed -i "s/^EPOCHS: 60/EPOCHS: 1/" o/params.yaml &&
    (cd o && "$N" train 2>../o2.err) &&
    test_expect_code 1 grep "resuming" o2.err &&
    results o >other && test_cmp other-alone other
'

test_expect_success 'a loss that is not finite: steps are left out, five in a row end it with 3' '
    small_project nan LEARNING_RATE=1e30 CLIP_NORM=0 EPOCHS=20 &&
    (cd nan && test_expect_code 3 "$N" train 2>../nan.err) &&
    grep "not finite in 5 steps in a row" nan.err && grep LEARNING_RATE nan.err &&
    test ! -e nan/artifacts/training/model.pth
'

test_expect_success 'evaluate: scores.json with six numbers, pictures, equal on 1 and 2 ranks' '
    (cd a && "$N" evaluate >../table && cp scores.json ../scores-1 && ranks 2 "$N" evaluate >../table2) &&
    test_cmp scores-1 a/scores.json && test_cmp table table2 &&
    grep "^Tumor " table &&
    for key in loss accuracy precision recall f1 auc; do
        grep "^    \"$key\": [0-9]" a/scores.json || return 1
    done &&
    for p in confusion misclassified curves; do
        test "$(head -c 4 a/artifacts/evaluation/$p.png | tail -c 3)" = PNG || return 1
    done &&
    test "$(head -1 a/artifacts/evaluation/confusion.csv)" = "actual,predicted"
'

test_expect_success 'predict: one line a picture; a broken picture is said and exits 1' '
    (
        cd a &&
        "$N" predict artifacts/data_ingestion/kidney-ct-scan-image/Tumor >../lines &&
        "$N" predict --json artifacts/data_ingestion/kidney-ct-scan-image/Tumor >../predicted.json &&
        echo nonsense >broken.jpg &&
        test_expect_code 1 "$N" predict --json --model artifacts/training/model.pth broken.jpg >../broken.json
    ) &&
    test "$(wc -l <lines)" = 15 &&
    grep "\"probabilities\": {\"Normal\": " predicted.json &&
    grep "\"path\": \"broken.jpg\", \"error\": " broken.json
'

test_expect_success 'weights: the model converts to safetensors and predicts the same' '
    (
        cd a &&
        "$N" weights convert artifacts/training/model.pth m.safetensors &&
        "$N" weights show m.safetensors | grep "features.0.weight" &&
        "$N" predict --model m.safetensors artifacts/data_ingestion/kidney-ct-scan-image/Tumor >../lines2
    ) &&
    test_cmp lines lines2
'

test_expect_success 'frozen features: they keep the values of WEIGHTS' '
    small_project f WEIGHTS=../a/artifacts/training/model.pth FREEZE=features EPOCHS=1 &&
    (cd f && ranks 2 "$N" train -q) &&
    "$N" weights show a/artifacts/training/model.pth | grep "^features" >before &&
    "$N" weights show f/artifacts/training/model.pth | grep "^features" >after &&
    test_cmp before after
'

test_expect_success 'one rank makes no MPI call, also where mpirun is not there' '
    (cd a && PATH=/nonexistent /usr/bin/env "$N" predict --model m.safetensors artifacts/data_ingestion/kidney-ct-scan-image/Normal >/dev/null)
'

test_expect_success 'wrong settings are said once, by name, with 2' '
    (cd o && echo "BATCH_SIZE: much" >params.yaml && test_expect_code 2 "$N" train 2>../wrong.err;
     ranks 2 "$N" train 2>../wrong2.err; test $? = 2) &&
    grep "params.yaml:1: BATCH_SIZE must be" wrong.err &&
    test "$(grep -c "BATCH_SIZE must be" wrong2.err)" = 1
'

test_done
