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
# No run store, and the plainest shell: this measures the dispatcher.
NEPHRON_REDIS_URL=none SHELL=/bin/sh
export NEPHRON_REDIS_URL SHELL
awk -v n="$n" -v shape="$shape" 'BEGIN {
    print "stages:"
    for (i = 0; i < n; i++) {
        dep = shape == "chain" && i > 0 ? "o" i - 1 : "in"
        printf "  s%d:\n    cmd: echo %d > o%d\n    deps: [%s]\n    outs: [o%d]\n", i, i, i, dep, i
    }
}' >dvc.yaml
# seconds of user and system time that finished children have used (`times` in a pipe would ask a subshell)
cpu() {
    times >times && awk -F'[ms ]+' 'NR == 2 { print $1 * 60 + $2 + $3 * 60 + $4 }' times >cpu
}
cpu && before=$(cat cpu)
start=$(date +%s%N)
"$nephron" repro -q -j "$jobs" || exit 1
end=$(date +%s%N)
cpu && used=$(cat cpu)
again=$("$nephron" repro -j "$jobs" | tail -n 1)
last=$(date +%s%N)
test "$again" = "Data and pipelines are up to date." || { echo "still stale: $again" >&2; exit 1; }
locked=$(grep -c '^    cmd:' dvc.lock)
test "$locked" = "$n" || { echo "$locked of $n stages are in dvc.lock" >&2; exit 1; }
awk -v n="$n" -v j="$jobs" -v shape="$shape" -v run=$((end - start)) -v noop=$((last - end)) -v cpu="$used" -v was="$before" 'BEGIN {
    printf "{\"stages\": %d, \"jobs\": %d, \"shape\": \"%s\", \"seconds\": %.3f, \"stages_per_s\": %.0f, ", n, j, shape, run / 1e9,
        n / (run / 1e9)
    printf "\"cpu_ms_per_stage\": %.3f, \"noop_seconds\": %.3f}\n", (cpu - was) * 1000 / n, noop / 1e9
}'
