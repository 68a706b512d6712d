#!/bin/sh
# How many trivial stages a second: N independent stages (one dep, one out each), -j J. Prints one JSON line; decides nothing but
# that all stages ran and nothing is stale afterwards.
#   repro_1000.sh [N] [J] [shape]      shape: wide (default), or chain
n=${1:-1000} jobs=${2:-2} shape=${3:-wide}
nephron=${NEPHRON_BIN_DIR:?where the programs are}/nephron
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" && git init -q . && "$nephron" init -q || exit 1
echo x >in
NEPHRON_REDIS_URL=none # no run store: this measures the dispatcher
export NEPHRON_REDIS_URL
awk -v n="$n" -v shape="$shape" 'BEGIN {
    print "stages:"
    for (i = 0; i < n; i++) {
        dep = shape == "chain" && i > 0 ? "o" i - 1 : "in"
        printf "  s%d:\n    cmd: echo %d > o%d\n    deps: [%s]\n    outs: [o%d]\n", i, i, i, dep, i
    }
}' >dvc.yaml
start=$(date +%s%N)
"$nephron" repro -q -j "$jobs" || exit 1
end=$(date +%s%N)
again=$("$nephron" repro -j "$jobs" | tail -n 1)
last=$(date +%s%N)
test "$again" = "Data and pipelines are up to date." || { echo "still stale: $again" >&2; exit 1; }
locked=$(grep -c '^    cmd:' dvc.lock)
test "$locked" = "$n" || { echo "$locked of $n stages are in dvc.lock" >&2; exit 1; }
awk -v n="$n" -v j="$jobs" -v shape="$shape" -v run=$((end - start)) -v noop=$((last - end)) 'BEGIN {
    printf "{\"stages\": %d, \"jobs\": %d, \"shape\": \"%s\", \"seconds\": %.3f, \"stages_per_s\": %.0f, \"noop_seconds\": %.3f}\n",
        n, j, shape, run / 1e9, n / (run / 1e9), noop / 1e9
}'
