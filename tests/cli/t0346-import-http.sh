#!/bin/sh

test_description="import-url of http, its status and update, as DVC; comments of imports stay"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

test_expect_success "a server of one file, which may change" '
    echo one >served && { python3 "$NEPHRON_SOURCE_DIR/tests/cli/xfer-server.py" "$PWD/served" "$PWD/port" "$PWD/log.txt" $$ >server.out 2>&1 & } &&
    for i in $(seq 100); do test -s port && break; sleep 0.05; done && url=http://127.0.0.1:$(cat port)/live
'

test_expect_success "import, status, update of what did not change" '
    both "fresh && t import-url \$url/data.csv && cat data.csv data.csv.dvc && t status && t import-url \$url/data.csv other && t import-url -f \$url/data.csv other && cat other.dvc &&
        t import-url --no-exec \$url/data.csv none && cat none.dvc && git add -A && git commit -qm 1"
'

# A comment of each kind, an indented list, keys of a person.
test_expect_success "update after a change keeps what people wrote" '
    for turn in theirs ours; do (at $turn && sed -i -e "1i # where it comes from" -e "s/^  path: data.csv$/  path: data.csv # here/" data.csv.dvc && printf "meta:\n  who: me # and nobody else\n" >>data.csv.dvc); done &&
    echo two >served && both "s status; t update data.csv.dvc && cat data.csv data.csv.dvc && t status data.csv.dvc && git diff --stat -- data.csv.dvc"
'

# DVC removes the file before it asks.
test_expect_success "a source that is gone leaves what is here" '
    mv served away && at ours && cp data.csv data.csv.dvc .git && test_expect_code 1 nephron update data.csv.dvc 2>err && grep "data.csv" err && test_cmp .git/data.csv data.csv &&
        test_cmp .git/data.csv.dvc data.csv.dvc && at . && mv away served
'

test_expect_success "update of an import from a repository keeps comments too" '
    mkdir -p src && (cd src && turn=theirs && fresh && echo 1 >f && dvc add -q f && git add -A && git commit -qm 1) &&
    both "fresh && t import ../src f && sed -i \"1i # from there\" f.dvc && sed -i \"s/^- path: f$/- path: f # the model/\" f.dvc && cat f.dvc" &&
    (cd src && turn=theirs && echo 2 >f && dvc add -q f && git add -A && git commit -qm 2) && both "t update f.dvc && cat f f.dvc && t update f.dvc && t update --rev main f.dvc && cat f.dvc"
'

test_done
