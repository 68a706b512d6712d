#!/bin/sh
# 1,000 trivial stages in one graph, two at once, beside ninja, and beside the real dvc, which gets fewer since it would take minutes.
name=stages
. "$(dirname "$0")/bench-lib.sh"
count=${BENCH_STAGES:-1000} dvc_count=${BENCH_DVC_STAGES:-60}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

with_ninja() {
    rm -rf "$dir/ninja" && mkdir "$dir/ninja" && cd "$dir/ninja" && echo x >in || exit 1
    awk -v n="$count" 'BEGIN {
        print "rule r\n  command = echo x > $out\n"
        for (i = 0; i < n; i++) printf "build o%d: r in\n", i
    }' >build.ninja
    seconds_of 1 ninja -j 2 | awk -v n="$count" '{ print n / $1 }'
}

with_dvc() {
    rm -rf "$dir/dvc" && mkdir "$dir/dvc" && cd "$dir/dvc" && git init -q . && "$nephron" init -q && echo x >in || exit 1
    awk -v n="$dvc_count" 'BEGIN {
        print "stages:"
        for (i = 0; i < n; i++) printf "  s%d:\n    cmd: echo %d > o%d\n    deps: [in]\n    outs: [o%d]\n", i, i, i, i
    }' >dvc.yaml
    seconds_of 1 "$dvc" repro -q | awk -v n="$dvc_count" '{ print n / $1 }'
}

dvc=${NEPHRON_DVC:-$peers/dvc/bin/dvc}
i=0
while test $i -lt "$rounds"; do
    NEPHRON_BIN_DIR=$bin "$here/repro_1000.sh" "$count" 2 | field stages_per_s >>"$dir/ours"
    if command -v ninja >/dev/null; then with_ninja >>"$dir/ninja.txt"; fi
    if test -x "$dvc"; then with_dvc >>"$dir/dvc.txt"; fi
    i=$((i + 1))
done
test -s "$dir/ours" || fail "the stages did not run"
ours=$(median <"$dir/ours")
if test -s "$dir/ninja.txt"; then
    report "$count trivial stages" "$ours" stages/s "ninja $(ninja --version)" "$(median <"$dir/ninja.txt")"
else
    echo "SKIP $name: ninja is not installed" >&2
fi
if test -s "$dir/dvc.txt"; then
    report "$count trivial stages" "$ours" stages/s "dvc $("$dvc" --version), $dvc_count stages" "$(median <"$dir/dvc.txt")"
else
    echo "SKIP $name: no dvc in $peers/dvc: 'tests/run' installs it" >&2
    report "$count trivial stages" "$ours" stages/s
fi
