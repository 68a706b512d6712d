#!/bin/sh

test_description='training: the same bits on 1, 2 and 4 ranks, resumed after a kill, and what follows it'

OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
NEPHRON_REDIS_URL=none
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM NEPHRON_REDIS_URL
if ! command -v mpirun >/dev/null 2>&1; then
    echo 'SKIP: this test needs mpirun'
    exit 77
fi

. /usr/share/sharness/sharness.sh

N=$NEPHRON_BIN_DIR/nephron-mpi

ranks() { # N COMMAND...
    n=$1
    shift
    timeout 240 mpirun -n "$n" --oversubscribe "$@"
}

# A folder with settings, data and a start; $1 its name, $2 lines that replace those of params.yaml.
project() {
    mkdir -p "$1/config" &&
    cat >"$1/config/config.yaml" <<-YAML &&
	data_ingestion:
	  root_dir: artifacts/data_ingestion
	  source_URL: "phantom:?patients=5&slices=3&size=64&seed=3"
	  local_data_file: artifacts/data_ingestion/data.zip
	  unzip_dir: artifacts/data_ingestion
	YAML
    {
        printf 'MODEL: vgg11\nHEAD: linear\nIMAGE_SIZE: [32, 32, 3]\nMOMENTUM: 0.9\n'
        printf 'CLIP_NORM: 5\nBATCH_SIZE: 10\nEPOCHS: 2\nAUGMENTATION: True\n'
    } >"$1/params.yaml" &&
    for line in $2; do
        key=${line%%=*} &&
        sed -i "/^$key:/d" "$1/params.yaml" &&
        echo "$key: ${line#*=}" >>"$1/params.yaml" || return 1
    done &&
    (cd "$1" && "$NEPHRON_BIN_DIR/nephron-xfer" ingest -q && "$N" prepare -q)
}

# Starts training in folder $1 behind our back, its words in file $2; $child is its process.
start_train() {
    sh -c 'cd "$1" && exec "$2" train' sh "$1" "$N" 2>"$2" &
    child=$!
}

# Until `$@` holds, at most a minute or two.
wait_until() {
    n=0
    until "$@" 2>/dev/null; do
        n=$((n + 1))
        if test $n -gt 3000; then
            return 1
        fi
        sleep 0.03
    done
}

has_checkpoint() {
    find "$1/.nephron" -name "ckpt-*.np" | grep -q .
}

results() {
    (cd "$1/artifacts/training" && sha256sum model.pth steps.csv history.csv)
}

test_expect_success 'sums, gathers and agreement between 1 to 8 ranks' '
    for n in 1 2 3 4 5 6 8; do
        ranks $n "$NEPHRON_TEST_DIR/comm_ranks" || return 1
    done
'

test_expect_success 'weights, loss of each step and validation are bitwise equal on 1, 2 and 4 ranks' '
    project a "" &&
    for n in 1 2 4; do
        (cd a && ranks $n "$N" train -q --fresh) &&
        results a >ranks-$n || return 1
    done &&
    test "$(wc -l <a/artifacts/training/steps.csv)" = 5 &&
    test_cmp ranks-1 ranks-2 && test_cmp ranks-1 ranks-4
'

test_expect_success 'the same with batch norm over the global batch' '
    project bn "MODEL=vgg11_bn EPOCHS=1" &&
    for n in 1 2 4; do
        (cd bn && ranks $n "$N" train -q) &&
        results bn >bn-$n || return 1
    done &&
    test_cmp bn-1 bn-2 && test_cmp bn-1 bn-4 &&
    test_expect_code 1 cmp -s ranks-1 bn-1
'

test_expect_success 'three ranks: nearly the same loss' '
    (cd a && ranks 3 "$N" train -q) &&
    awk -F, "NR > 1 && !(\$3 > 0 && \$3 < 10) { exit 1 }" a/artifacts/training/steps.csv
'

test_expect_success 'a finished training leaves no checkpoint and no temp file' '
    find a -name "ckpt-*" >left && find a -name "*.tmp" >>left && test_must_be_empty left
'

# kill -9 at whatever step has passed when a checkpoint is there.
test_expect_success 'killed -9 after a checkpoint and started again on another number of ranks: equal' '
    project k "EPOCHS=20" &&
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
    project o "EPOCHS=60" &&
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
    project nan "LEARNING_RATE=1e30 CLIP_NORM=0 EPOCHS=20" &&
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
    project f "WEIGHTS=../a/artifacts/training/model.pth FREEZE=features EPOCHS=1" &&
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
