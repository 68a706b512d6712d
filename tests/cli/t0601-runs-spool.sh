#!/bin/sh

test_description="runs without Redis: the spool answers, with the same words; bad settings"

. "$(dirname "$0")/track-lib.sh"
. /usr/share/sharness/sharness.sh
unset NEPHRON_REDIS_URL # other tests run without a server, these are about it

touch dvc.yaml

test_expect_success 'redis_url none: nothing but the spool' '
    tracking "redis_url: none" &&
    "$EMIT" -i $A -p EPOCHS=3 first && "$EMIT" -i $B -p EPOCHS=5 -s failed second &&
    test -f .nephron/spool/$A.log && test ! -e .nephron/redis &&
    "$NEPHRON" runs ls --json >ls.json 2>err && test_must_be_empty err &&
    jq -e "[.runs[].run_id] == [\"$B\", \"$A\"] and .runs[0].error == \"no luck\"" ls.json &&
    "$NEPHRON" runs show aaa --json | jq -e ".params.EPOCHS == \"3\" and .stages[0].status == \"finished\"" &&
    printf "epoch 1\nepoch 1 on rank 1\nepoch 2\n" >expect &&
    "$NEPHRON" runs logs aaa >actual && test_cmp expect actual &&
    "$NEPHRON" runs compare aaa bbb | grep "^EPOCHS  *3  *5" &&
    "$NEPHRON" runs watch aaa --json | jq -s -e "map(select(.name == \"loss\")) | length == 3"
'

test_expect_success 'filters look at all runs, the limit is on what is shown' '
    "$NEPHRON" runs ls --json -n 1 --status finished | jq -e "[.runs[].run_id] == [\"$A\"]" &&
    "$NEPHRON" runs ls --kind nosuch | grep "no run is like that" &&
    test_expect_code 2 "$NEPHRON" runs ls --status bogus 2>err && grep "queued, running.*found .bogus" err
'

test_expect_success 'values that make no sense are refused' '
    test_expect_code 2 "$NEPHRON" runs logs aaa -n -5 2>err && grep "must not be negative, found -5" err &&
    test_expect_code 2 "$NEPHRON" runs logs aaa --rank x 2>err && grep "number of a rank, found .x" err &&
    test_expect_code 2 "$NEPHRON" runs watch aaa --interval 0 && test_expect_code 2 "$NEPHRON" redis replay 2>err &&
    grep "there is no Redis" err && test_expect_code 1 "$NEPHRON" redis status | grep "there is no Redis" &&
    "$NEPHRON" redis cli --help >help && ! grep -e --json help &&
    "$NEPHRON" runs --help-table | grep "^command.*compare" && "$NEPHRON" redis --help-table | grep "^command.*replay"
'

test_expect_success 'the folder is kept away from git' '
    echo "*" >expect && test_cmp expect .nephron/.gitignore
'

test_expect_success 'watch follows the spool of a living run' '
    { "$EMIT" -i cccc0000000000000000000000000003 -w go third >/dev/null & } &&
    n=0 && until "$NEPHRON" runs show ccc 2>/dev/null; do n=$((n+1)) && test $n -lt 200 && sleep 0.1; done &&
    { "$NEPHRON" runs watch ccc --json --interval 0.1 >live.json & watch=$!; } &&
    n=0 && until grep metric live.json; do n=$((n+1)) && test $n -lt 200 && sleep 0.1; done &&
    touch go && wait $watch &&
    jq -s -e "last | .event == \"run\" and .status == \"finished\"" live.json
'

test_expect_success 'commands work from a folder below the project' '
    mkdir -p sub/deep && (cd sub/deep && "$NEPHRON" runs ls --json) | jq -e ".runs | length == 3"
'

test_expect_success 'an unreachable Redis: said once, the spool answers' '
    NEPHRON_REDIS_URL=redis://:hunter2@127.0.0.1:1/0 "$NEPHRON" runs ls --json >ls.json 2>err &&
    jq -e ".runs | length == 3" ls.json &&
    lines_are 1 err && grep "redis://127.0.0.1:1/0.*local spool" err && ! grep hunter2 err
'

test_expect_success 'a run while Redis is away says that the tracker is behind' '
    NEPHRON_REDIS_URL=redis://127.0.0.1:1/0 "$EMIT" fourth 2>err &&
    grep "events stay in the spool" err && grep "tracker behind by [0-9]* records" err
'

test_expect_success 'a torn or foreign file in the spool harms nobody' '
    head -c 40 .nephron/spool/$A.log >.nephron/spool/short.log &&
    echo rubbish >.nephron/spool/rubbish.log && mkdir .nephron/spool/folder.log &&
    size=$(wc -c <.nephron/spool/$B.log) && head -c $((size - 3)) .nephron/spool/$B.log >cut && cp cut .nephron/spool/$B.log &&
    "$NEPHRON" runs ls --json >ls.json && jq -e ".runs | length == 4" ls.json &&
    jq -e ".runs[] | select(.run_id == \"$B\") | .name == \"second\"" ls.json
'

test_expect_success 'bad settings: exit 2 with file and key' '
    tracking "redis_url: ftp://x" &&
    test_expect_code 2 "$NEPHRON" runs ls 2>err && grep "config/config.yaml.*redis_url" err &&
    tracking "log_lines: none" &&
    test_expect_code 2 "$NEPHRON" runs ls 2>err && grep "config/config.yaml:1: tracking.log_lines" err &&
    tracking "redis_url: none" &&
    test_expect_code 2 env NEPHRON_REDIS_URL=rediss://:hunter2@h "$NEPHRON" runs ls 2>err &&
    grep "NEPHRON_REDIS_URL.*TLS" err && ! grep hunter2 err &&
    test_expect_code 2 "$NEPHRON" redis start &&
    test_expect_code 2 "$NEPHRON" redis cli PING
'

test_expect_success 'no redis-server installed: one warning that names the package, the run is kept' '
    rm config/config.yaml && mkdir empty &&
    PATH=$PWD/empty "$EMIT" -i dddd0000000000000000000000000004 fifth 2>err >id &&
    lines_are 1 err && grep "Debian package redis-server" err &&
    PATH=$PWD/empty "$NEPHRON" runs show ddd >/dev/null
'

test_done
