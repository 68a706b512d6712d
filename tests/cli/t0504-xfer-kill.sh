#!/bin/sh

test_description="transfers that are killed: the next one goes on, nothing half is ever visible"

. "$(dirname "$0")/xfer-lib.sh"
need_python
. /usr/share/sharness/sharness.sh

make_data_zip data.zip 1500000
start_server data.zip
SHA=$(sha data.zip)

wait_for() { # until FILE has at least N bytes
    n=0
    while test $n -lt 400 && test "$(stat -c %s "$1" 2>/dev/null || echo 0)" -lt "$2"; do
        sleep 0.02
        n=$((n + 1))
    done
    test "$(stat -c %s "$1")" -ge "$2"
}

test_expect_success 'kill -9 while downloading: no archive, and the next run resumes' '
    "$XFER" fetch -q "$url/slow/x" a.zip & pid=$! &&
    wait_for a.zip.part 200000 && kill -9 $pid && { wait $pid; true; } &&
    test_path_is_missing a.zip && test -s a.zip.part && : >log.txt &&
    "$XFER" fetch -q --sha256 $SHA "$url/slow/x" a.zip && cmp data.zip a.zip && grep "range=bytes=[1-9]" log.txt
'

# A shell starts its background jobs with SIGINT ignored, which is respected: env gives it back.
test_expect_success 'SIGINT and SIGTERM: 130 and 143, the part is kept' '
    for pair in INT:130 TERM:143; do
        env --default-signal=INT "$XFER" fetch "$url/slow/y" b.zip 2>err.txt & pid=$!
        wait_for b.zip.part 200000 && kill -${pair%:*} $pid && { wait $pid; code=$?; } &&
        test $code = ${pair#*:} && grep interrupted err.txt && test_path_is_missing b.zip && test -s b.zip.part || return 1
        rm b.zip.part
    done
'

test_expect_success 'two at once: the second is told' '
    "$XFER" fetch -q "$url/slow/z" c.zip & pid=$! && wait_for c.zip.part 100000 &&
    test_expect_code 1 "$XFER" fetch "$url/slow/z" c.zip 2>err.txt && grep "another process is downloading" err.txt &&
    wait $pid && cmp data.zip c.zip
'

listing() {
    (cd "$1" && find . -type f | LC_ALL=C sort)
}

test_expect_success 'a big data set to be killed in' '
    python3 -c "
import zipfile
for name, n in ((\"old.zip\", 20), (\"new.zip\", 1000)):
    with zipfile.ZipFile(name, \"w\", zipfile.ZIP_DEFLATED) as z:
        for i in range(n):
            z.writestr(\"x/%s/%05d.jpg\" % ((\"Normal\", \"Tumor\")[i % 2], i), bytes([i % 251]) * 3000)
" &&
    "$XFER" ingest -q --source old.zip --into ref-old &&
    start=$(date +%s%N) && "$XFER" ingest -q --source new.zip --into ref-new &&
    took_ms=$((($(date +%s%N) - start) / 1000000)) &&
    listing ref-old >old.txt && listing ref-new >new.txt
'

test_expect_success 'kill -9 at 13 moments, spread over the time that it takes: old or new, never between' '
    for i in $(seq 1 13); do
        "$XFER" ingest -q --source old.zip --into out || return 1
        "$XFER" ingest -q --source new.zip --into out & pid=$!
        ms=$((took_ms * i / 10))
        sleep $((ms / 1000)).$(printf %03d $((ms % 1000))); kill -9 $pid 2>/dev/null; wait $pid
        (cd out && find kidney-ct-scan-image -type f | sed "s/^/.\//" | LC_ALL=C sort) >now.txt
        cmp -s now.txt old.txt || cmp -s now.txt new.txt || { diff now.txt new.txt | head -5; return 1; }
        cmp -s now.txt old.txt && echo old || echo new
    done >outcomes && sort outcomes | uniq -c
'

test_expect_success 'the next run works and sweeps what the killed left' '
    "$XFER" ingest -q --source new.zip --into out && listing out >now.txt && test_cmp new.txt now.txt && no_leftovers out
'

test_expect_success 'SIGTERM while unpacking leaves the old data and no temp folder' '
    "$XFER" ingest -q --source old.zip --into out5 &&
    python3 -c "
import zipfile
with zipfile.ZipFile(\"huge.zip\", \"w\") as z:
    for i in range(30000): z.writestr(\"x/N/%06d.jpg\" % i, b\"x\" * 100)
" || return 1
    "$XFER" ingest --source huge.zip --into out5 2>err.txt & pid=$!
    n=0
    while test $n -lt 500 && ! ls -d out5/*.nephron-tmp-* >/dev/null 2>&1; do sleep 0.02; n=$((n + 1)); done
    kill -TERM $pid; wait $pid; code=$?
    test $code = 143 && listing out5 >now.txt && test_cmp old.txt now.txt && no_leftovers out5 && grep interrupted err.txt
'

test_expect_success 'an exchange cut in two is mended: the old data comes back' '
    mv out/kidney-ct-scan-image "out/kidney-ct-scan-image.nephron-old-$(hostname)-999999999" &&
    mkdir "out/kidney-ct-scan-image.nephron-tmp-$(hostname)-999999999" &&
    echo "no archive" >none.zip && test_expect_code 1 "$XFER" ingest -q --source none.zip --into out &&
    listing out >now.txt && test_cmp new.txt now.txt && no_leftovers out
'

test_expect_success 'the folder of a live process is left alone' '
    mkdir "out/kidney-ct-scan-image.nephron-tmp-$(hostname)-$$" && "$XFER" ingest -q --source old.zip --into out &&
    rmdir "out/kidney-ct-scan-image.nephron-tmp-$(hostname)-$$" && listing out >now.txt && test_cmp old.txt now.txt
'

test_expect_success 'stop server' 'stop_server'

test_done
