#!/bin/sh
# `status` of 500 stages, with nothing to do, beside the real dvc; and `--version`, which is the start of the program alone.
name=status-500
. "$(dirname "$0")/bench-lib.sh"
. "$here/data-lib.sh"
repository stages
awk 'BEGIN {
    print "stages:"
    for (i = 0; i < 500; i++) printf "  s%d:\n    cmd: cat in%d > out%d\n    deps: [in%d]\n    outs: [out%d]\n", i, i, i, i, i
}' >dvc.yaml
i=0
while test $i -lt 500; do
    echo "$i" >in$i
    i=$((i + 1))
done
"$nephron" repro -q >/dev/null || fail "cannot run the stages"
for command in status --version; do
    i=0
    key=run$command
    while test $i -lt "$rounds"; do
        seconds_of 20 "$nephron" $command >>"$dir/$key.ours" || fail "nephron $command failed"
        seconds_of 2 "$dvc" $command >>"$dir/$key.theirs" || fail "dvc $command failed"
        i=$((i + 1))
    done
    test $command = status && what="status of 500 stages" || what=$command
    report "$what" "$(median <"$dir/$key.ours")" s "$peer" "$(median <"$dir/$key.theirs")"
done
