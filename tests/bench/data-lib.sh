# Shared by the scripts on data; source it after bench-lib.sh. Both sides work on copies of one folder, in one file system; what a step
# no longer needs is moved aside, not deleted: a file system may look long for room where files have just gone. For that reason a second run
# in one file system can be several times slower than the first, on both sides: BENCH_DIR on a fresh one (a loop mount of
# `mkfs.ext4 -i 4096` of 9 GB will do) gives steady figures.
dvc_program
dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/nephron-bench.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
HOME=$dir DVC_NO_ANALYTICS=1 # no one's settings
export HOME DVC_NO_ANALYTICS
peer="dvc $("$dvc" --version)"

# many COUNT BYTES FOLDER: files of random bytes, 500 in a folder.
many() {
    python3 - "$@" <<'PY'
import os, sys
count, size, top = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
for i in range(count):
    if i % 500 == 0:
        os.makedirs("%s/%d" % (top, i // 500))
    with open("%s/%d/%d" % (top, i // 500, i), "wb") as f:
        f.write(os.urandom(size))
PY
}

# repository NAME: a new one of its own, entered.
repository() {
    mkdir "$dir/$1" && cd "$dir/$1" && git init -q . && "$nephron" init -q || fail "cannot make a repository"
}

# timed KEY COMMAND…: its seconds to the list KEY, its CPU seconds to KEY.cpu; other programs' writes are waited for before.
timed() {
    key=$1
    shift
    sync -f "$dir"
    TIMEFORMAT='%R %U %S' bash -c 'time "$@" >/dev/null 2>&1' time "$@" 2>"$dir/time" || fail "$* failed"
    awk '{ print $1 }' "$dir/time" >>"$dir/$key"
    awk '{ print $2 + $3 }' "$dir/time" >>"$dir/$key.cpu"
}

# compared WHAT OURS THEIRS: the medians of two lists.
compared() {
    report "$1" "$(median <"$dir/$2")" s "$peer" "$(median <"$dir/$3")"
    report "$1, CPU time" "$(median <"$dir/$2.cpu")" s "$peer" "$(median <"$dir/$3.cpu")"
}
