#!/bin/sh
# `push`, `fetch`, `checkout` and `pull` of BENCH_FILES (10,000) files of 4 KB to and from a remote that is a folder, beside the real dvc.
name=push-pull
. "$(dirname "$0")/bench-lib.sh"
. "$here/data-lib.sh"
files=${BENCH_FILES:-10000}
many "$files" 4096 "$dir/files"
i=0
while test $i -lt "$rounds"; do
    for side in ours theirs; do
        repository $side$i
        cp -r "$dir/files" data
        test $side = ours && program=$nephron || program=$dvc
        "$program" remote add -q -d far "$dir/far-$side$i" && "$program" add -q data || fail "cannot add"
        timed push.$side "$program" push -q
        aside=$dir/aside-$side$i # not in the repository, where both would walk through it
        mkdir "$aside" && mv .dvc/cache "$aside"/
        timed fetch.$side "$program" fetch -q
        mv data "$aside"/
        timed checkout.$side "$program" checkout -q
        mv .dvc/cache "$aside"/again && mv data "$aside"/data2
        timed pull.$side "$program" pull -q
        diff -r data "$dir/files" >/dev/null || fail "$program has brought back other files"
    done
    i=$((i + 1))
done
for command in push fetch checkout pull; do
    compared "$command of $files files of 4 KB" $command.ours $command.theirs
done
