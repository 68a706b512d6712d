#!/bin/sh

test_description='frozen features are computed once and kept: the same bits with and without'

if ! command -v mpirun >/dev/null 2>&1; then
    echo 'SKIP: this test needs mpirun'
    exit 77
fi

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/mpi/train-lib.sh"

# The folder $1 without kept features.
forget() {
    rm -rf "$1/.nephron/features"
}

kept() {
    find "$1/.nephron/features" -name '*.features' | wc -l
}

keep_nothing() {
    printf 'training:\n  features_gib: %s\n' "$2" >>"$1/config/config.yaml"
}

test_expect_success 'with and without kept features, on 1, 2 and 4 ranks: equal' '
    small_project start EPOCHS=1 MODEL=vgg11_bn && (cd start && "$N" train -q) &&
    small_project f MODEL=vgg11_bn WEIGHTS=../start/artifacts/training/model.pth FREEZE=features AUGMENTATION=False EPOCHS=3 &&
    cp -r f without && keep_nothing without 0 &&
    (cd without && ranks 2 "$N" train -q --fresh) && results without >expect &&
    test ! -e without/.nephron/features &&
    for n in 1 2 4; do
        forget f &&
        (cd f && ranks $n "$N" train -q --fresh) && results f >made-$n &&
        test_cmp expect made-$n && test "$(kept f)" = 1 || return 1
    done
'

test_expect_success 'the next training reads them; another number of ranks too' '
    ls -l --time-style=+ f/.nephron/features | cut -d" " -f5- >before && sum=$(cat f/.nephron/features/* | sha256sum) &&
    (cd f && ranks 2 "$N" train -q --fresh) && results f >again && test_cmp expect again &&
    test "$(cat f/.nephron/features/* | sha256sum)" = "$sum" && test "$(kept f)" = 1
'

test_expect_success 'the first convolutions alone' '
    cp -r f part && sed -i "s/^FREEZE:.*/FREEZE: 6/" part/params.yaml &&
    cp -r part part0 && keep_nothing part0 0 && forget part &&
    (cd part0 && "$N" prepare -q && "$N" train -q --fresh) && results part0 >part-expect &&
    (cd part && "$N" prepare -q && ranks 2 "$N" train -q --fresh) && results part >part-actual &&
    test "$(kept part)" = 1 && test_cmp part-expect part-actual
'

test_expect_success 'an altered file is said and made again' '
    file=$(echo f/.nephron/features/*.features) &&
    printf x | dd of="$file" bs=1 seek=5000 conv=notrunc 2>/dev/null &&
    (cd f && ranks 2 "$N" train -q --fresh 2>../altered.err) && results f >altered &&
    grep "checksum of row" altered.err && test_cmp expect altered &&
    test "$(cat f/.nephron/features/* | sha256sum)" = "$sum"
'

test_expect_success 'another picture: another file' '
    one=$(find f/artifacts/data_ingestion -name "*.jpg" | sort | head -n 1) &&
    other=$(find f/artifacts/data_ingestion -name "*.jpg" | sort | tail -n 1) &&
    cp "$one" kept.jpg && cp "$other" "$one" && (cd f && "$N" train -q --fresh) &&
    test "$(kept f)" = 2 && cp kept.jpg "$one"
'

test_expect_success 'with augmentation, or nothing frozen, nothing is kept' '
    cp -r f aug && forget aug && sed -i "s/^AUGMENTATION:.*/AUGMENTATION: True/" aug/params.yaml &&
    (cd aug && "$N" train -q --fresh) && test ! -e aug/.nephron/features
'

test_expect_success 'no room for them: training goes on' '
    forget f && keep_nothing f 0.000001 && (cd f && "$N" train -v --fresh 2>../room.err) &&
    results f >small && test_cmp expect small && grep "are not kept" room.err && test "$(kept f)" = 0
'

test_done
