#!/bin/sh

test_description="dependencies of stages on URLs: http, absolute paths, folder remotes, as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY

# stage DEP…: a dvc.yaml of one stage that depends on them.
stage() {
    printf "stages:\n  s:\n    cmd: echo run >>out\n    deps:\n" >dvc.yaml && for d in "$@"; do printf "    - %s\n" "$d" >>dvc.yaml; done &&
        printf "    outs:\n    - out:\n        persist: true\n" >>dvc.yaml
}

# Advice comes with more than one of DVC's lines.
r() {
    t repro "$@" | sed "/Use .dvc push. to send/d"
}

test_expect_success "a server of one file, which may change" '
    echo one >served && { python3 "$NEPHRON_SOURCE_DIR/tests/cli/xfer-server.py" "$PWD/served" "$PWD/port" "$PWD/log.txt" $$ >server.out 2>&1 & } &&
    for i in $(seq 100); do test -s port && break; sleep 0.05; done && url=http://127.0.0.1:$(cat port)
'

test_expect_success "with and without an ETag: status, repro, dvc.lock, names" '
    both "fresh && stage \$url/live/data.csv \"\$url/untagged/a%20b?x=1\" && t status && r && cat dvc.lock && t status && t status --json && r && t stage list && t dag && t data status && t commit -f && cat dvc.lock"
'

test_expect_success "each finds nothing stale in what the other recorded" '
    at ours && cp dvc.lock ../ours.lock && cp ../theirs/dvc.lock . && nephron status >got && grep "up to date" got && cp ../ours.lock ../theirs/dvc.lock && at theirs && turn=theirs && dvc status >got && grep "up to date" got && rm got ../ours/got && at .
'

test_expect_success "a change is seen and recorded, and is explained" '
    echo two, longer >served && both "t status && t diff && r && cat dvc.lock && t status" && echo three >served && at ours && nephron explain s >got && grep "its dependency $url/live/data.csv changed (was [0-9a-f]*…, 12 bytes; now [0-9a-f]*…, 6 bytes)" got && rm got && at .
'

test_expect_success "a change is taken over without running" '
    both "t commit -q -f && cat dvc.lock && t status && wc -l <out"
'

test_expect_success "a source that is gone" '
    mv served away && both "t status && r && r --allow-missing && r -f; cat dvc.lock" && mv away served
'

# DVC says nothing of why; ours warns.
test_expect_success "a server that does not answer has nothing" '
    at ours && stage http://127.0.0.1:1/x && nephron status >got 2>err && grep "deleted: *http://127.0.0.1:1/x" got && grep "WARNING: http://127.0.0.1:1/x: Failed to connect" err && test_expect_code 255 nephron repro 2>err &&
    grep "failed to reproduce .s.: dependency .http://127.0.0.1:1/x. does not exist" err && rm got err && at .
'

test_expect_success "many on one host: one helper program" '
    at ours && mkdir many && cd many && dvc init -q --subdir && stage $(for i in $(seq 40); do echo $url/live/$i; done) && env ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=execve -o ../../execs nephron repro -q && test "$(grep -c nephron-xfer ../../execs)" = 1 &&
    test "$(grep -c "checksum:" dvc.lock)" = 40 && at ours && rm -rf many && at .
'

test_expect_success "absolute paths, folders, and remotes that are folders" '
    mkdir -p far/d/e && echo 1 >far/d/1 && echo 2 >far/d/e/2 && both "fresh && t remote add loc \"$PWD/far\" && stage \"$PWD/far/d\" \"$PWD/far/d/1\" ../far/d/e remote://loc/d remote://loc/d/e/2 && t status && r && cat dvc.lock && t status" &&
    echo 3 >far/d/1 && both "t status && r && cat dvc.lock"
'

# out FLAGS: a stage whose output is behind a remote.
out() {
    printf "stages:\n  s:\n    cmd: echo run\n    deps: [in]\n    outs:\n    - remote://loc/d/1: {%s}\n" "$1" >dvc.yaml && echo 1 >in
}

test_expect_success "outputs elsewhere: recorded when they are neither cached nor deleted, else refused" '
    both "fresh && t remote add loc \"$PWD/far\" && out \"cache: false, persist: true\" && t status && r && cat dvc.lock && t status" && echo 4 >far/d/1 && both "t status && r && cat dvc.lock" &&
    at ours && out "cache: false" && echo 2 >in && test_expect_code 255 nephron repro 2>err && grep "would be deleted before the run, which is not built in: give it .persist: true." err && out "persist: true" && echo 3 >in &&
    test_expect_code 255 nephron repro 2>err && grep "Saving cached external output remote://loc/d/1 is not supported" err && rm err && at . && test "$(cat far/d/1)" = 4
'

test_expect_success "what names nothing that is known" '
    both "fresh && stage foo://bar && t status; r; stage remote://none/x && t status; r"
'

test_expect_success "datasets are not known here" '
    at ours && stage ds://data && test_expect_code 1 nephron status 2>err && grep "stage .s. depends on .ds://data.: datasets are not known here" err
'

test_done
