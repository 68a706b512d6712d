# Shared by the scripts of this folder; source it with $name set. Each script measures Nephron and a peer in turns (A B A B)
# and prints a line of JSON for each comparison:
#   {"what", "figure", "unit", "peer", "peer_figure", "ratio", "machine"}    ratio: figure by peer_figure, null without a peer
# Exit 77 with a notice when something it needs is missing. Environment: NEPHRON_BIN_DIR, NEPHRON_PEERS (as tests/run),
# BENCH_ROUNDS (how often both sides are measured, 2), BENCH_THREADS (2).
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
bin=${NEPHRON_BIN_DIR:-$top/build/release/bin}
nephron=$bin/nephron
peers=${NEPHRON_PEERS:-$HOME/.cache/nephron-peers}
rounds=${BENCH_ROUNDS:-2}
threads=${BENCH_THREADS:-2}
NEPHRON_REDIS_URL=none # no run store: it is not what is measured
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export NEPHRON_REDIS_URL OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE # a developer's settings; PyTorch may use OpenBLAS

skip() {
    echo "SKIP $name: $*" >&2
    exit 77
}

fail() {
    echo "$name: $*" >&2
    exit 1
}

test -x "$nephron" || skip "no program at $nephron: build the release preset, or set NEPHRON_BIN_DIR"

torch_python() {
    python=${NEPHRON_TORCH_PYTHON:-$peers/torch/bin/python}
    test -x "$python" || skip "no PyTorch in $peers/torch: 'tests/run --peers' installs it"
}

dvc_program() {
    dvc=${NEPHRON_DVC:-$peers/dvc/bin/dvc}
    test -x "$dvc" || skip "no dvc in $peers/dvc: 'tests/run' installs it"
}

# Number of key $1 in a line of JSON.
field() {
    sed -n 's/.*"'"$1"'": \([-0-9.e+]*\).*/\1/p'
}

median() {
    sort -g | awk '{ v[NR] = $1 } END { print (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) }'
}

# Seconds of one run of "$@", which is run $1 times.
seconds_of() {
    n=$1 i=0
    shift
    start=$(date +%s%N)
    while test $i -lt "$n"; do
        "$@" >/dev/null 2>&1 || return 1
        i=$((i + 1))
    done
    end=$(date +%s%N)
    awk -v ns=$((end - start)) -v n="$n" 'BEGIN { printf "%.6f\n", ns / n / 1e9 }'
}

machine() {
    sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1
}

# report WHAT FIGURE UNIT [PEER PEER_FIGURE]
report() {
    awk -v what="$1" -v figure="$2" -v unit="$3" -v peer="$4" -v other="${5:-0}" -v machine="$(machine), $(nproc) cores" 'BEGIN {
        printf "{\"what\": \"%s\", \"figure\": %.6g, \"unit\": \"%s\", ", what, figure, unit
        if (peer == "") printf "\"peer\": null, \"peer_figure\": null, \"ratio\": null, "
        else printf "\"peer\": \"%s\", \"peer_figure\": %.6g, \"ratio\": %.4g, ", peer, other, figure / other
        printf "\"machine\": \"%s\"}\n", machine
    }'
}
