#!/bin/sh
# `add` of one file of BENCH_BYTES (1e9): beside the real dvc, beside md5 on one core, beside a copy by dd that is synced; and the peak of
# its memory, which must not grow with the file.
name=add-big
. "$(dirname "$0")/bench-lib.sh"
. "$here/data-lib.sh"
bytes=${BENCH_BYTES:-1000000000}
head -c "$bytes" /dev/urandom >"$dir/big"
i=0
while test $i -lt "$rounds"; do
    for side in ours theirs; do
        repository $side$i
        cp "$dir/big" big
        test $side = ours && program=$nephron || program=$dvc
        timed $side "$program" add -q big
        cmp -s big.dvc "$dir/ours0/big.dvc" || fail "the two sides disagree"
        cd "$dir" && rm -rf "$side$i/.dvc/cache" "$side$i/big"
    done
    timed md5 openssl md5 "$dir/big"
    timed disk dd if="$dir/big" of="$dir/copy" bs=1M conv=fdatasync
    rm "$dir/copy"
    i=$((i + 1))
done
what="add of one file of $bytes bytes"
compared "$what" ours theirs
report "$what, and md5 of it" "$(median <ours)" s "openssl md5" "$(median <md5)"
report "$what, and a synced copy" "$(median <ours)" s dd "$(median <disk)"
# kilobytes at most, for the file and for a tenth of it
for share in 1 10; do
    repository memory$share
    head -c $((bytes / share)) "$dir/big" >big
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$nephron" add -q big >"$dir/memory" || fail "add failed"
    test $share = 1 && whole=$(tail -n 1 "$dir/memory")
done
report "$what, peak memory, beside a tenth" "$whole" KB "nephron" "$(tail -n 1 "$dir/memory")"
