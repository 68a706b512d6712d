#!/bin/sh
# `dag` of 8 stages in a row, drawn and as DOT, beside the real dvc.
name=dag
. "$(dirname "$0")/bench-lib.sh"
. "$here/data-lib.sh"
repository stages
awk 'BEGIN {
    print "stages:"
    for (i = 1; i <= 8; i++) printf "  s%d:\n    cmd: cp f%d f%d\n    deps: [f%d]\n    outs: [f%d]\n", i, i - 1, i, i - 1, i
}' >dvc.yaml
for option in "" --dot; do
    i=0
    key=dag$option
    while test $i -lt "$rounds"; do
        seconds_of 20 "$nephron" dag $option >>"$dir/$key.ours" || fail "nephron dag $option failed"
        seconds_of 2 "$dvc" dag $option >>"$dir/$key.theirs" || fail "dvc dag $option failed"
        i=$((i + 1))
    done
    report "dag $option" "$(median <"$dir/$key.ours")" s "$peer" "$(median <"$dir/$key.theirs")"
done
