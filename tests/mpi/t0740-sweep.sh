#!/bin/sh

test_description='a matrix over LEARNING_RATE on groups of ranks, compared as a table and as curves; heat maps'

if ! command -v mpirun >/dev/null 2>&1; then
    echo 'SKIP: this test needs mpirun'
    exit 77
fi

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/mpi/train-lib.sh"

NEPHRON=$NEPHRON_BIN_DIR/nephron
PATH=$NEPHRON_BIN_DIR:$PATH

# The example of docs/sweeps.md is what runs here.
example() {
    sed -n '/^```yaml$/,/^```$/p' "$NEPHRON_SOURCE_DIR/docs/sweeps.md" | sed '/^```/d'
}

test_expect_success 'the documented sweep: two trainings on two ranks each' '
    small_project s EPOCHS=2 && example >s/dvc.yaml && grep "matrix:" s/dvc.yaml &&
    cd s && git init -q . && "$NEPHRON" init -q && ranks 4 "$NEPHRON" repro >../repro.out 2>&1; code=$?; cd .. &&
    { test $code = 0 || { cat repro.out; false; }; } &&
    for rate in 0.01 0.1; do
        test -s s/artifacts/sweep/$rate/model.pth && test -s s/artifacts/sweep/$rate/history.csv || return 1
    done &&
    test_expect_code 1 cmp -s s/artifacts/sweep/0.01/model.pth s/artifacts/sweep/0.1/model.pth
'

test_expect_success 'each run holds its own params and the name of its stage' '
    cd s && "$NEPHRON" runs ls -a --json >../ls.json; cd .. &&
    jq -r ".runs[] | select(.kind == \"train\") | .run_id" ls.json >ids &&
    test "$(wc -l <ids)" = 2 &&
    jq -r ".runs[] | select(.kind == \"train\") | .stage" ls.json | sort >stages &&
    printf "train@0.01\ntrain@0.1\n" >expect && test_cmp expect stages
'

test_expect_success 'compared as a table and as JSON: what differs' '
    (cd s && "$NEPHRON" runs compare $(cat ../ids)) >table &&
    grep "^LEARNING_RATE  *0\.[01]" table && test_expect_code 1 grep "^EPOCHS" table &&
    grep "^val_loss " table &&
    (cd s && "$NEPHRON" runs compare --json $(cat ../ids)) >compare.json &&
    test "$(jq -r ".params.LEARNING_RATE[]" compare.json | sort | xargs)" = "0.01 0.1"
'

test_expect_success 'curves as SVG and PNG; the legend says what differs' '
    (cd s && "$NEPHRON" runs compare $(cat ../ids) --plot curves.svg &&
     "$NEPHRON" runs compare $(cat ../ids) --plot curves.png -m loss -m val_loss -m lr) >/dev/null &&
    grep ">LEARNING_RATE 0.1<" s/curves.svg && grep ">val_accuracy<" s/curves.svg &&
    test "$(grep -c "<polyline" s/curves.svg)" = 4 &&
    python3 -c "import xml.dom.minidom as m, sys; m.parse(sys.argv[1])" s/curves.svg &&
    test "$(head -c 4 s/curves.png | tail -c 3)" = PNG
'

test_expect_success 'what cannot be plotted is said' '
    cd s &&
    test_expect_code 2 "$NEPHRON" runs compare $(cat ../ids) --plot curves.gif 2>../gif.err &&
    test_expect_code 1 "$NEPHRON" runs compare $(cat ../ids) --plot c.svg -m nothing 2>../none.err; code=$?
    cd .. && test $code = 0 && grep "\.svg or \.png" gif.err && grep "metric .nothing." none.err && test ! -e s/c.svg
'

test_expect_success 'predict --explain: a sheet; a class by name; what is wrong is said' '
    cd s && slices=artifacts/data_ingestion/kidney-ct-scan-image/Tumor && model=artifacts/sweep/0.1/model.pth &&
    set -- "$(find $slices -name "*.jpg" | sort | head -n 1)" &&
    "$N" predict -m $model "$1" >../plain &&
    "$N" predict -m $model --explain why/one.png "$1" >../explained &&
    "$N" predict -m $model --explain why/all.png --class Normal $slices >/dev/null &&
    test_expect_code 2 "$N" predict -m $model --explain why/x.png --class Cyst "$1" 2>../cyst.err &&
    test_expect_code 2 "$N" predict -m $model --class Normal "$1" 2>../alone.err; code=$?
    cd .. && test $code = 0 && test_cmp plain explained && grep "Normal, Tumor" cyst.err && grep "\--explain" alone.err &&
    for p in one all; do
        test "$(head -c 4 s/why/$p.png | tail -c 3)" = PNG || return 1
    done && test ! -e s/why/x.png
'

test_done
