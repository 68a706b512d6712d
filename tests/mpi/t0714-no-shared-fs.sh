#!/bin/sh

test_description="pools whose ranks have a repository each: files travel by MPI, by md5, there and back"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/mpi/train-lib.sh"

if ! command -v mpirun >/dev/null || ! test -x "$NEPHRON_BIN_DIR/nephron-mpi"; then
    skip_all="mpirun or nephron-mpi is not there"
    test_done
fi

# Open MPI's sockets need a short path.
TMPDIR=$(mktemp -d /tmp/t0714.XXXXXX) && export TMPDIR
cleanup 'rm -rf "$TMPDIR"' 2>/dev/null || trap 'rm -rf "$TMPDIR"' EXIT

at() {
    cd "$SHARNESS_TRASH_DIRECTORY/$1"
}

# apart OPTIONS…: rank 0 in main, ranks 1 and 2 in clones of it, which hold what git tracks; words in out and err
apart() {
    at . && rm -rf one two && git clone -q main one && git clone -q main two &&
    timeout 120 mpirun --oversubscribe -n 1 -wdir "$PWD/main" nephron repro "$@" : -n 1 -wdir "$PWD/one" nephron repro "$@" : \
        -n 1 -wdir "$PWD/two" nephron repro "$@" </dev/null >out 2>err
}

new_main() {
    at . && rm -rf main && git init -q main && cd main && git config user.name t && git config user.email t@t &&
    nephron init -q && cat >dvc.yaml && git add -A && git commit -qm start
}

test_expect_success 'stages on every rank: files and folders come, outs come back, the lock is that of one machine' '
    new_main <<-\EOF &&
	stages:
	  a: {cmd: "mkdir -p d/sub; seq 300000 > d/big; echo small > d/sub/x; printf %s \"\" > d/empty; echo \"a b\" > \"d/o d\"", outs: [d]}
	  s:
	    foreach: [1, 2, 3]
	    do:
	      cmd: "sleep 0.3; (pwd; find d -type f | sort | xargs -d \"\\n\" md5sum; cat p.yaml tool; echo ${item}) > o${item}; echo said ${item}"
	      deps: [d, tool]
	      params: [p.yaml: [v]]
	      outs: ["o${item}"]
	  e: {cmd: "tail -n +2 o1 > e; tail -n 1 o2 o3 >> e; mkdir f; cp e f/", deps: [o1, o2, o3], outs: [f], metrics: [{e: {cache: false}}]}
	EOF
    echo "v: 1" >p.yaml && echo tool >tool && git add -A && git commit -qm more &&
    echo "v: 2" >p.yaml && apart --no-shared-fs && cd main &&
    head -qn 1 o1 o2 o3 | sort >../places && printf "%s\n" "$SHARNESS_TRASH_DIRECTORY/main" "$SHARNESS_TRASH_DIRECTORY/one" "$SHARNESS_TRASH_DIRECTORY/two" >../expect &&
    test_cmp ../expect ../places && grep "v: 2" o1 o2 o3 >../vs && test $(wc -l <../vs) = 3 &&
    grep "said 1" .dvc/tmp/nephron/logs/s@1.log && grep "said 2" ../out &&
    nephron status >../out2 && grep "up to date" ../out2 && test $(wc -l <d/big) = 300000 && test -e f/e
'

test_expect_success 'the same by core.shared_fs of config/config.yaml, and nothing runs again' '
    at main && mkdir -p config && echo "core: {shared_fs: false}" >config/config.yaml && git add -A && git commit -qm config &&
    apart && grep "up to date" out && cd main && rm o2 && rm -rf .dvc/cache/files .dvc/cache/runs && echo other >tool &&
    apart && cd main && grep other o1 o2 o3 && nephron status >../out2 && grep "up to date" ../out2
'

test_expect_success 'a failing command and a missing output on another rank are named' '
    new_main <<-\EOF &&
	stages:
	  hold: {cmd: "sleep 2; touch h", outs: [h]}
	  bad: {cmd: "test -e in && exit 7", deps: [in], outs: [b]}
	  none: {cmd: "true", deps: [in], outs: [n]}
	EOF
    echo in >in && test_expect_code 255 apart --no-shared-fs -k && grep "exited with 7" err && grep "output .n. does not exist" err
'

test_expect_success 'a rank without a repository says what is missing' '
    new_main <<-\EOF &&
	stages:
	  hold: {cmd: "sleep 2; touch h", outs: [h]}
	  other: {cmd: "touch o", outs: [o]}
	EOF
    at . && mkdir -p empty && test_expect_code 255 timeout 100 mpirun --oversubscribe -n 1 -wdir "$PWD/main" nephron repro --no-shared-fs : \
        -n 1 -wdir "$PWD/empty" nephron repro --no-shared-fs 2>err >out </dev/null && grep "need a repository each" err
'

test_done
