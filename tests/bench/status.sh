#!/bin/sh
# `status` and a `repro` that finds nothing to do, on the demo, beside the real dvc. The demo is not run: its outputs are made up and committed.
name=status
. "$(dirname "$0")/bench-lib.sh"
dvc_program
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cp -r "$top/dvc.yaml" "$top/params.yaml" "$top/config" "$dir" && cd "$dir" || exit 1
git init -q . && "$nephron" init -q || fail "cannot make a repository"
pictures=artifacts/data_ingestion/kidney-ct-scan-image
mkdir -p $pictures/Normal $pictures/Tumor artifacts/prepare_base_model artifacts/training artifacts/evaluation
i=0
while test $i -lt 240; do
    echo "picture $i" >$pictures/Normal/$i.jpg
    echo "picture -$i" >$pictures/Tumor/$i.jpg
    i=$((i + 1))
done
echo "made up" >artifacts/prepare_base_model/base_model.pth
# Every out that is not there yet becomes a file.
awk '/^    (outs|metrics|plots):/ { list = 1; next } /^    [a-z]/ { list = 0 } list && /^      - / { sub(/:$/, "", $2); print $2 }' dvc.yaml |
    while read -r out; do
        test -e "$out" || { mkdir -p "$(dirname "$out")" && echo "made up" >"$out"; }
    done
"$nephron" commit -q -f || fail "cannot commit the demo"
test "$("$nephron" repro | tail -n 1)" = "Data and pipelines are up to date." || fail "the demo is stale"
for command in status repro; do
    ours='' theirs='' i=0
    while test $i -lt "$rounds"; do
        ours="$ours $(seconds_of 20 "$nephron" $command)" || fail "nephron $command failed"
        theirs="$theirs $(seconds_of 2 "$dvc" $command)" || fail "dvc $command failed"
        i=$((i + 1))
    done
    report "$command, nothing to do" "$(echo "$ours" | tr ' ' '\n' | grep . | median)" s "dvc $("$dvc" --version)" \
        "$(echo "$theirs" | tr ' ' '\n' | grep . | median)"
done
