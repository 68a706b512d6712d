#!/bin/sh
# `add` of a folder of BENCH_FILES (10,000) files of 4 KB beside the real dvc. Nephron syncs what it stores, dvc does not; so also without.
name=add-many
. "$(dirname "$0")/bench-lib.sh"
. "$here/data-lib.sh"
files=${BENCH_FILES:-10000}
many "$files" 4096 "$dir/files"
i=0
while test $i -lt "$rounds"; do
    for side in ours theirs unsynced; do
        repository $side$i
        cp -r "$dir/files" data
        test $side != unsynced || { mkdir config && printf 'core:\n  fsync: false\n' >config/config.yaml; }
        test $side = theirs && program=$dvc || program=$nephron
        timed $side "$program" add -q data
        cmp -s data.dvc "$dir/ours0/data.dvc" || fail "the two sides disagree"
    done
    i=$((i + 1))
done
compared "add of $files files of 4 KB" ours theirs
compared "the same with core.fsync: false" unsynced theirs
