#!/bin/sh

test_description="what status and a no-op repro may cost: time, system calls, no run store"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

# With a run store configured, to see that neither asks for it.
unset NEPHRON_REDIS_URL
cleanup 'cd "$SHARNESS_TRASH_DIRECTORY/r" && nephron redis stop >/dev/null 2>&1'

if ldd "$NEPHRON_BIN_DIR/nephron" | grep -q "lib[at]san"; then
    skip_all="sanitizers have a budget of their own"
    test_done
fi
command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null && test_set_prereq STRACE
command -v bash >/dev/null && test_set_prereq BASH

# The demo's shape: a folder of 465 pictures that one stage makes and two need, settings, params.
test_expect_success "a repository of the demo's shape" '
    new_repo r && cd r && mkdir config && echo "a: 1" >config/config.yaml && echo "{SEED: 1, EPOCHS: 2}" >params.yaml &&
    cat >dvc.yaml <<-\END &&
	stages:
	  ingest:
	    cmd: mkdir -p d/N d/T; for i in $(seq 233); do echo $i >d/N/$i.jpg; echo T$i >d/T/$i.jpg; done; rm d/T/233.jpg
	    deps: [config/config.yaml]
	    outs: [d]
	  prepare:
	    cmd: mkdir p; echo 1 >p/base.pth
	    deps: [config/config.yaml]
	    params: [SEED]
	    outs: [p]
	  train:
	    cmd: echo 1 >model.pth; echo "a,b" >history.csv
	    deps: [config/config.yaml, d, p]
	    params: [SEED, EPOCHS]
	    outs: [model.pth]
	    plots: [history.csv: {cache: false}]
	  evaluate:
	    cmd: echo "{}" >scores.json
	    deps: [config/config.yaml, d, model.pth]
	    params: [SEED]
	    metrics: [scores.json: {cache: false}]
	END
    NEPHRON_REDIS_URL=none nephron repro -q && sleep 2.1 && nephron status >/dev/null
'

# calls FILTER: how many lines of the trace match
calls() {
    grep -c "$1" trace
}

test_expect_success STRACE "status: each file is looked at once, and its object once" '
    at r && strace -f -o trace nephron status && cat trace | wc -l && test "$(wc -l <trace)" -lt 1250 &&
    test "$(calls "^[0-9]* *newfstatat")" -lt 1050 && test "$(calls "^[0-9]* *open")" -lt 60
'

test_expect_success STRACE "a no-op repro does no more, and writes nothing" '
    at r && strace -f -o trace nephron repro && cat trace | wc -l && test "$(wc -l <trace)" -lt 1300 &&
    test_expect_code 1 grep -E "fsync|fdatasync|rename" trace
'

test_expect_success STRACE "neither starts a process nor asks a run store" '
    at r && for c in status repro; do
        strace -f -o trace nephron $c && test_expect_code 1 grep -E "execve.*git|clone|fork|socket\(|connect\(" trace || return 1
    done
'

test_expect_success STRACE "core.fsync: false: no writer syncs" '
    at r && cp config/config.yaml keep && echo "b: 2" >>config/config.yaml &&
    NEPHRON_REDIS_URL=none strace -f -e trace=fsync,fdatasync -o trace nephron repro -q && grep -q sync trace &&
    printf "c: 3\ncore: {fsync: false}\n" >>config/config.yaml && echo x >x &&
    NEPHRON_REDIS_URL=none strace -f -e trace=fsync,fdatasync -o trace nephron repro -q &&
    test_expect_code 1 grep sync trace && strace -f -e trace=fsync,fdatasync -o trace nephron add -q x &&
    test_expect_code 1 grep sync trace && mv keep config/config.yaml
'

# The fastest of forty runs: wall time, and CPU time, which decides where others keep the machine busy.
test_expect_success BASH "each answers in less than 10 ms" '
    at r && cat >fastest.sh <<-\END &&
	wall=1000000 cpu=1000000 TIMEFORMAT="%R %U %S"
	for i in {1..40}; do
	    set -- "$1" $( { time nephron "$1" >/dev/null; } 2>&1 | tr -d . )
	    (( 10#$2 < wall )) && wall=$((10#$2))
	    (( 10#$3 + 10#$4 < cpu )) && cpu=$((10#$3 + 10#$4))
	done
	echo "$1: wall $wall ms, cpu $cpu ms"
	(( wall < 10 || cpu < 7 ))
	END
    for c in --version status repro; do
        bash fastest.sh $c || return 1
    done
'

test_done
