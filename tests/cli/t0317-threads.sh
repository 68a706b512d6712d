#!/bin/sh

test_description="many files and many connections at once: what ThreadSanitizer is to see of the coordinator and of transfers"

. "$NEPHRON_SOURCE_DIR/tests/cli/xfer-lib.sh"
need_python
. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/remote-lib.sh"

# Also the helper's report: it has no terminal of its own, and a data race ends it with 66.
TSAN_OPTIONS="exitcode=66 halt_on_error=1 $TSAN_OPTIONS"
export TSAN_OPTIONS

sums() {
    (cd "$1" && find . -type f -exec md5sum {} + | sort)
}

test_expect_success "a thousand files are added, some large, some twice; threads look up what they know" '
    mkdir r && at r && git init -q . && nephron init -q && mkdir d d/sub &&
    for i in $(seq 990); do echo "content $i" >d/$i || return 1; done && for i in 1 2 3 4 5 6 7 8; do head -c 3000000 /dev/urandom >d/sub/$i || return 1; done &&
    cp d/1 d/again && cp d/sub/1 d/sub/again && sums d >../expect && nephron add d && nephron status && touch d/5 d/sub/3 && nephron status &&
    test "$(find .dvc/cache/files -type f | wc -l)" = 999
'

test_expect_success "a server" start_store

test_expect_success "pushed over 16 connections, while some requests fail, and nothing is missing there" '
    at r && nephron remote add -d s s3://bucket/threads && nephron remote modify s endpointurl "$store" &&
    nephron remote modify --local s access_key_id KEY && nephron remote modify --local s secret_access_key s3cret &&
    faults "PUT files 503 5" && nephron push -j 16 >../got && grep "^999 files pushed" ../got && nephron status -c && nephron push -j 16
'

test_expect_success "fetched over 16 connections, checked out by as many threads as there are cores" '
    at r && rm -rf .dvc/cache d && faults "GET files/md5/../.{30}\$ 503 3" && nephron pull -j 16 && sums d >../actual && test_cmp ../expect ../actual
'

test_expect_success "some objects refused: the others arrive, and the second time they do, too" '
    at r && rm -rf .dvc/cache d && faults "GET files/md5/../.{30}\$ 403 3" && test_expect_code 1 nephron pull -j 16 && faults &&
    nephron pull -j 16 && sums d >../actual && test_cmp ../expect ../actual
'

test_expect_success "a cache elsewhere is filled from many threads, too, and all is collected" '
    at r && nephron remote add local ../local && nephron push -j 8 -r local && rm -rf .dvc/cache && nephron fetch -j 8 -r local && nephron fsck && nephron gc -w -f &&
    rm -rf d && nephron checkout && sums d >../actual && test_cmp ../expect ../actual
'

test_done
