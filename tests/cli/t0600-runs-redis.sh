#!/bin/sh

test_description="runs and the private Redis: ls, show, logs, watch, compare; start, status, cli, stop"

. "$(dirname "$0")/track-lib.sh"
. /usr/share/sharness/sharness.sh
unset NEPHRON_REDIS_URL # other tests run without a server, these are about it

if test -z "$HAVE_REDIS"; then
    echo "SKIP: redis-server or redis-cli is not installed"
    exit 77
fi

cleanup 'cd "$SHARNESS_TRASH_DIRECTORY" && "$NEPHRON" redis stop >/dev/null 2>&1'
touch dvc.yaml

test_expect_success 'nothing was run: no server is started to say so' '
    "$NEPHRON" runs ls >actual && echo "no runs yet" >expect && test_cmp expect actual &&
    "$NEPHRON" runs ls --json | jq -e ".schema == 1 and .runs == []" &&
    test_expect_code 1 "$NEPHRON" runs show 2>err && grep "no runs are recorded" err &&
    test_expect_code 1 "$NEPHRON" redis status &&
    test ! -e .nephron/redis/redis.sock
'

test_expect_success 'a run starts the server, which stays' '
    "$EMIT" -i $A -p EPOCHS=3 -p LR=0.01 first >id && echo $A >expect && test_cmp expect id &&
    "$NEPHRON" redis status >out && grep "answers (private server, pid [0-9]*), 1 run$" out &&
    "$NEPHRON" redis status --json >status.json &&
    jq -e ".schema == 1 and .mode == \"auto\" and .running and .answers and .runs == 1 and .behind == 0" status.json
'

test_expect_success 'redis cli reads the keys of the contract' '
    "$NEPHRON" redis cli ZRANGE nephron:runs 0 -1 >actual && echo $A >expect && test_cmp expect actual &&
    "$NEPHRON" redis cli HGET nephron:run:$A status >actual && echo finished >expect && test_cmp expect actual &&
    "$NEPHRON" redis cli HGET nephron:run:$A:params LR >actual && echo 0.01 >expect && test_cmp expect actual &&
    "$NEPHRON" redis cli XLEN nephron:run:$A:metric:loss >actual && echo 3 >expect && test_cmp expect actual &&
    "$NEPHRON" redis cli HGET nephron:run:$A:stages training >stage &&
    jq -e ".status == \"finished\" and .exit_code == 0 and .rank == 0 and .start_ms == 1700000000000" stage
'

test_expect_success 'a second run; ls shows the newest first' '
    "$EMIT" -i $B -p EPOCHS=5 -p LR=0.01 -n 5 -s failed second &&
    "$NEPHRON" runs ls >out && lines_are 3 out &&
    sed -n 2p out | grep "^bbbb00000000  *failed  *train  *second .* 0.2  *0.83333 *$" &&
    sed -n 3p out | grep "^aaaa00000000  *finished  *train  *first " &&
    "$NEPHRON" runs ls --json >ls.json &&
    jq -e "[.runs[].run_id] == [\"$B\", \"$A\"]" ls.json &&
    jq -e ".runs[0] | .status == \"failed\" and .exit_code == 1 and .error == \"no luck\" and .metrics.loss == 0.2 and .world_size == 1" ls.json &&
    jq -e ".runs[0].start_time | test(\"^20[0-9-]+T[0-9:]+Z$\")" ls.json &&
    jq -e ".runs[0].duration_s >= 0" ls.json
'

test_expect_success 'ls filters' '
    "$NEPHRON" runs ls --status finished --json | jq -e "[.runs[].name] == [\"first\"]" &&
    "$NEPHRON" runs ls -n 1 --json | jq -e "[.runs[].name] == [\"second\"]" &&
    "$NEPHRON" runs ls --kind repro --json | jq -e ".runs == []" &&
    test_expect_code 2 "$NEPHRON" runs ls -n 0
'

test_expect_success 'show: latest, a prefix, the whole id' '
    "$NEPHRON" runs show >latest && "$NEPHRON" runs show bbb >prefix && "$NEPHRON" runs show $B >whole &&
    test_cmp latest prefix && test_cmp latest whole &&
    grep "^run  *$B" latest && grep "^status  *failed" latest && grep "^error  *no luck" latest &&
    grep "^training  *failed  *1m 05s  *1  *0  *h1  *params changed: BATCH_SIZE" latest &&
    grep "^EPOCHS  *5" latest && grep "^0  *training .*12.5 .*123 MB .*42 .*h1" latest &&
    ! grep "$(printf "\033")" latest
'

test_expect_success 'show --json has everything' '
    "$NEPHRON" runs show $A --json >show.json && lines_are 1 show.json &&
    jq -e ".schema == 1 and .run_id == \"$A\" and .params == {EPOCHS: \"3\", LR: \"0.01\"} and .experiment == \"E\"" show.json &&
    jq -e ".stages[0] | .stage == \"training\" and .duration_s == 65 and .reason == \"params changed: BATCH_SIZE\"" show.json &&
    jq -e ".ranks[0] | .rank == 0 and .img_per_s == 12.5 and .pid == 42" show.json
'

test_expect_success 'unknown ids name near ones and exit 1; wrong usage exits 2' '
    test_expect_code 1 "$NEPHRON" runs show bbbc 2>err && grep "did you mean bbbb00000000" err &&
    test_expect_code 1 "$NEPHRON" runs logs nosuch &&
    test_expect_code 1 "$NEPHRON" runs compare $A nosuch &&
    test_expect_code 2 "$NEPHRON" runs compare $A &&
    test_expect_code 2 "$NEPHRON" runs show $A $B &&
    test_expect_code 2 "$NEPHRON" runs show --nosuch &&
    test_expect_code 2 "$NEPHRON" runs shwo 2>err && grep "did you mean .show." err &&
    test_expect_code 2 "$NEPHRON" redis strat 2>err && grep "did you mean .start." err &&
    test_expect_code 2 "$NEPHRON" redis
'

test_expect_success 'logs: all, the last, one rank, JSON' '
    printf "epoch 1\nepoch 1 on rank 1\nepoch 2\n" >expect &&
    "$NEPHRON" runs logs $A >actual && test_cmp expect actual &&
    "$NEPHRON" runs logs $A -f >actual && test_cmp expect actual &&
    echo "epoch 2" >expect && "$NEPHRON" runs logs -n 1 >actual && test_cmp expect actual &&
    echo "epoch 1 on rank 1" >expect && "$NEPHRON" runs logs --rank 1 >actual && test_cmp expect actual &&
    "$NEPHRON" runs logs --json | jq -s -e "length == 3 and .[1].rank == 1 and .[0].schema == 1"
'

test_expect_success 'compare shows the params that differ and all metrics' '
    "$NEPHRON" runs compare $A $B >out &&
    grep "^EPOCHS  *3  *5 *$" out && ! grep "^LR" out && grep "^loss  *0.33333  *0.2 *$" out &&
    "$NEPHRON" runs compare $A $B --all | grep "^LR  *0.01  *0.01 *$" &&
    "$NEPHRON" runs compare $A latest --json >c.json &&
    jq -e ".schema == 1 and .params == {EPOCHS: {\"$A\": \"3\", \"$B\": \"5\"}}" c.json &&
    jq -e ".metrics.loss.\"$B\" == 0.2" c.json
'

test_expect_success 'watch of a finished run tells all of it and ends' '
    "$NEPHRON" runs watch $A --json >w.json &&
    jq -s -e "map(select(.event == \"metric\" and .name == \"loss\")) | map(.step) == [0, 1, 2]" w.json &&
    jq -s -e "last | .event == \"run\" and .status == \"finished\" and .run_id == \"$A\"" w.json &&
    jq -s -e "map(select(.event == \"stage\")) | length == 1 and .[0].status == \"finished\"" w.json &&
    "$NEPHRON" runs watch $A >w.txt && tail -1 w.txt | grep "^run aaaa00000000 finished"
'

test_expect_success 'watch and logs -f follow a living run to its end' '
    { "$EMIT" -i cccc0000000000000000000000000003 -w go third >/dev/null & } &&
    n=0 && until "$NEPHRON" runs logs ccc 2>/dev/null | grep "epoch 2"; do n=$((n+1)) && test $n -lt 200 && sleep 0.1; done &&
    { "$NEPHRON" runs watch ccc --json --interval 0.1 >live.json & watch=$!; } &&
    { "$NEPHRON" runs logs ccc -f >live.log & logs=$!; } &&
    "$NEPHRON" runs ls --status running --json | jq -e ".runs[0].name == \"third\"" &&
    n=0 && until grep metric live.json; do n=$((n+1)) && test $n -lt 200 && sleep 0.1; done &&
    touch go && wait $watch && wait $logs &&
    jq -s -e "map(select(.event == \"stage\") | .status) == [\"running\", \"finished\"]" live.json &&
    jq -s -e "map(select(.event == \"metric\" and .name == \"loss\")) | length == 3" live.json &&
    lines_are 3 live.log
'

test_expect_success 'help works and shows examples' '
    for c in "" ls show watch logs compare; do
        "$NEPHRON" runs $c --help >help && grep "nephron runs" help && grep -i "example" help || return 1
    done &&
    for c in "" start stop status cli replay; do
        "$NEPHRON" redis $c --help >help && grep -i "example" help || return 1
    done
'

test_expect_success 'stop, stop again, and the runs come back' '
    "$NEPHRON" redis stop >out && grep "stopped" out &&
    "$NEPHRON" redis stop --json | jq -e ".running == false and .stopped == false" &&
    test_expect_code 1 "$NEPHRON" redis status --json >status.json && jq -e ".running == false and .runs == null" status.json &&
    "$NEPHRON" runs ls --json | jq -e ".runs | length == 3" &&
    "$NEPHRON" redis start --json | jq -e ".started == false and .pid > 1" &&
    "$NEPHRON" redis stop && "$NEPHRON" redis start | grep "redis-server started"
'

test_expect_success 'what Redis lost is replayed from the spool, once' '
    "$NEPHRON" redis cli FLUSHALL &&
    "$NEPHRON" redis replay --json >r.json && jq -e ".sent > 20" r.json &&
    "$NEPHRON" redis replay --json | jq -e ".sent == 0" &&
    "$NEPHRON" redis cli XLEN nephron:run:$B:metric:loss >actual && echo 5 >expect && test_cmp expect actual &&
    "$NEPHRON" runs ls --json | jq -e ".runs | length == 3"
'

test_expect_success 'a full disk for the answer is an error' '
    test_expect_code 1 sh -c "\"$NEPHRON\" runs ls >/dev/full"
'

test_done
