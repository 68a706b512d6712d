#!/bin/sh

test_description='WEIGHTS: imagenet: what is fetched is checked, and without a network the words say what to do'

if ! command -v mpirun >/dev/null 2>&1; then
    echo 'SKIP: this test needs mpirun'
    exit 77
fi

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/mpi/train-lib.sh"

XDG_CACHE_HOME=$PWD/cache
export XDG_CACHE_HOME
file=vgg11-8a719046.pth

weights_from() {
    printf 'prepare_base_model:\n  weights_url: %s\n' "$1" >>p/config/config.yaml
}

test_expect_success 'no network: the file, its address and where to put it are named' '
    small_project p && sed -i "/^WEIGHTS/d" p/params.yaml && echo "WEIGHTS: imagenet" >>p/params.yaml &&
    cp p/config/config.yaml config.yaml && weights_from "http://127.0.0.1:9/models" &&
    (cd p && test_expect_code 1 "$N" prepare -q 2>../offline.err) &&
    grep "http://127.0.0.1:9/models/$file" offline.err &&
    grep "put the file at $PWD/cache/nephron/weights/$file" offline.err &&
    test ! -e "cache/nephron/weights/$file"
'

test_expect_success 'another file under its name is refused and not kept' '
    mkdir -p served && head -c 100000 /dev/zero >served/$file &&
    cp config.yaml p/config/config.yaml && weights_from "file://$PWD/served" &&
    (cd p && test_expect_code 1 "$N" prepare -q 2>../wrong.err) &&
    grep "sent something else" wrong.err && grep "expected 8a719046" wrong.err &&
    test ! -e "cache/nephron/weights/$file"
'

test_expect_success 'a wrong file in the cache is named and left for its owner' '
    mkdir -p cache/nephron/weights && cp served/$file cache/nephron/weights/ &&
    (cd p && test_expect_code 1 "$N" prepare -q 2>../cached.err) &&
    grep "cache/nephron/weights/$file is not the published file" cached.err &&
    test -e "cache/nephron/weights/$file"
'

test_expect_success 'a path as WEIGHTS needs no network; a path to nothing is named' '
    (cd p && "$N" prepare -q --set WEIGHTS=null && cp artifacts/prepare_base_model/base_model_updated.pth ../own.pth &&
     "$N" prepare -q --set WEIGHTS=../own.pth --set SEED=1 &&
     test_expect_code 1 "$N" prepare -q --set WEIGHTS=../none.pth 2>../none.err) &&
    grep "none.pth" none.err
'

test_done
