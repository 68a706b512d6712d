#!/bin/sh
# Experiments that wait, failed and ran, beside the queue of the real DVC, run by its own worker: what is shown, removed and kept.
test_description='exp show, list, remove, gc and queue where there is a queue'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# DVC starts its worker by name.
PATH=$(dirname "$python"):$PATH
TZ=UTC
export PATH TZ

project() {
    fresh && printf "%s\n" "stages:" "  train:" "    cmd: sh train.sh" "    deps: [train.sh]" "    params: [lr]" "    outs: [model]" "    metrics:" \
        "    - m.json: {cache: false}" >dvc.yaml &&
        printf "%s\n" "lr=\$(sed -n \"s/^lr: //p\" params.yaml)" "echo \"lr is \$lr\"" "test \$lr != 9 || exit 3" "echo \$lr >model" \
            "echo \"{\\\"acc\\\": \$lr}\" >m.json" >train.sh && echo "lr: 1" >params.yaml && echo aaa >data && dvc add -q data && dvc repro -q &&
        git add -A && git commit -qm one
}

worker_is_done() {
    dvc queue status 2>/dev/null >"$here/.status" && ! grep -q -e Queued -e Running "$here/.status"
}

workers_are_gone() {
    dvc queue status 2>/dev/null | grep -q "Worker status: 0 active, 0 idle"
}

patiently() {
    for _ in $(seq 120); do
        "$1" && return 0
        sleep 0.5
    done
    return 1
}

# One that was run at once; of the queue one that went well, one that failed, two that wait. Their times tell them apart.
make_queue() {
    project && unset GIT_AUTHOR_DATE GIT_COMMITTER_DATE && dvc exp run -q -n done1 -S lr=2 && git checkout -q . && dvc checkout -q && sleep 1.1 &&
        dvc exp run -q --queue -n good -S lr=3 && sleep 1.1 && dvc exp run -q --queue -n bad -S lr=9 &&
        if test "$turn" = theirs; then "$(dirname "$python")/dvc" queue start; else nephron queue start; fi && patiently worker_is_done && dvc queue stop && patiently workers_are_gone &&
        dvc exp run -q --queue -n wait1 -S lr=4 && sleep 1.1 && dvc exp run -q --queue -n wait2 -S lr=5 && git status --short
}

# u ARG...: as t; commits, times and where logs lie are each one's own
u() {
    t "$@" | sed -E -e 's/\b[0-9a-f]{40}\b/COMMIT/g' -e 's/\b[0-9a-f]{7}\b/COMMIT7/g' -e 's/[0-9]{2}:[0-9]{2} [AP]M/HH:MM PM/g' -e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]+/DATE/g' \
        -e 's/"log": "[^"]*"/"log": LOG/g' -e 's/"pid": [0-9]+/"pid": null/g' -e 's/"returncode": 255/"returncode": null/g' \
        -e 's#(Removing ).*/(files/)#\1\2#'
}

# uj ARG...: as u for JSON; the keys of a map are in no order
uj() {
    u "$@" | "$python" -c '
import json, sys
for line in sys.stdin:
    head, data = line[:6], line[6:]
    try:
        print(head + json.dumps(json.loads(data.replace("\"log\": LOG", "\"log\": 1")), sort_keys=True))
    except ValueError:
        print(line, end="")'
}

# Each test works on a copy at the place where the repository was made.
from_queue() {
    rm -rf theirs ours && cp -a queue/theirs queue/ours . && both "$1"
}

test_expect_success "a queue of each" '
    both "make_queue" && mkdir queue && cp -a theirs ours queue
'

test_expect_success "show: what waits, failed and ran" '
    from_queue "u exp show; u exp show --csv; u exp show --md; uj exp show --json"
'

test_expect_success "show: what waits or failed is hidden" '
    from_queue "for h in --hide-queued --hide-failed \"--hide-queued --hide-failed\" \"-A --hide-queued\"; do for f in --csv --md; do u exp show \$h \$f; done; uj exp show \$h --json; done; u exp show --hide-failed"
'

test_expect_success "show: order and columns" '
    from_queue "u exp show -A --csv; u exp show --sort-by lr --csv; u exp show --sort-by m.json:acc --sort-order desc --csv; u exp show --only-changed --md; u exp show -n 2 --csv
        u exp show --rev HEAD --md; u exp show --sort-by Created --md; u exp show --hide-workspace --csv; u exp show --drop lr --csv"
'

test_expect_success "list names what is an experiment" '
    from_queue "u exp list; u exp list -q; u exp list -n 0; u exp list --rev HEAD -n 2; s exp list -A --name-only; u exp list --sha-only; u exp list nosuch; u exp list --rev nosuch"
'

test_expect_success "queue: status, logs, kill, remove" '
    from_queue "u queue status; u queue logs good; u queue logs bad | sort -u; u queue logs wait1; u queue logs done1; u queue logs nosuch; u queue kill wait1; u queue kill bad; u queue kill nosuch
        u queue kill; u queue remove; u queue remove nosuch; u queue remove wait1 nosuch; u queue remove wait1; u queue status; u queue remove --failed; u queue status
        u queue remove --success; u queue status; u exp list; u queue remove --queued; u queue status; u queue remove --all; u queue remove --queued x; u exp show --csv"
'

test_expect_success "exp remove: by name, of the queue, all, all but some" '
    from_queue "u exp remove --queue; u queue status; u exp remove --queue; u exp remove wait1; u exp remove bad; u queue status; u exp remove good done1; u queue status; u exp list" &&
    from_queue "u exp remove wait1 nosuch; u exp remove good bad wait1; u queue status; u exp list; u exp remove -A; u exp remove -A; u exp remove -q wait2; u queue status" &&
    from_queue "u exp remove -n 0 --rev HEAD; u exp remove --rev HEAD; u queue status; u exp list -A; u exp remove --queue -A; u queue status" &&
    from_queue "u exp remove --rev HEAD -n 2 --keep; u exp remove --keep good; u queue status; u exp list; u exp remove --keep wait1; u exp list; u queue status"
'

test_expect_success "gc --all-experiments keeps what experiments use" '
    from_queue "u gc -f --all-experiments; find .dvc/cache/files -type f | sort; u gc -f -w --all-experiments; u gc -f -w -A --dry; u gc -f -w; u queue status; find .dvc/cache/files -type f | sort"
'

test_expect_success "gc --all-experiments keeps the data of what waits, which DVC removes" '
    rm -rf ours && cp -a queue/ours . && at ours && turn=ours && echo bbb >data && dvc exp run -q --queue -n withdata -S lr=6 && git checkout -q . && dvc checkout -q -f && grep aaa data &&
    dvc gc -q -f -w --all-experiments && dvc queue remove -q good bad wait1 wait2 && dvc exp run --run-all && git show $(git for-each-ref --format="%(refname)" "refs/exps/*/*/withdata"):data.dvc >../data.dvc &&
    grep "$(echo bbb | md5sum | cut -c1-32)" ../data.dvc
'

test_done
