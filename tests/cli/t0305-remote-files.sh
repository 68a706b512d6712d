#!/bin/sh

test_description="push, fetch and status -c with folders: DVC reads what we sent, we what DVC sent"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/store-lib.sh"

SQ="'"

test_expect_success 'setup' '
    for d in theirs ours; do
        new_repo $d && (cd $d && "$dvc" remote add -q -d r ../$d-remote && mkdir -p dd/e && echo 1 >dd/1 && echo 2 >dd/e/2 &&
        echo s >s.txt && "$dvc" add -q dd s.txt &&
        printf "stages:\n  a:\n    cmd: mkdir o; cp s.txt o/x\n    deps: [s.txt]\n    outs: [o, {m: {push: false}}]\n" >dvc.yaml &&
        sed -i "s/cp s.txt o.x/&; cp s.txt m; echo m >>m/" dvc.yaml && "$dvc" repro -q) || return 1
    done
'

test_expect_success 'the same remote' '
    (cd theirs && "$dvc" push -q) && (cd ours && "$tool" push >../actual) && echo "5 moved 0 failed 0 missing" >expect &&
    test_cmp expect actual && diff -r theirs-remote ours-remote &&
    for d in theirs ours; do (cd $d-remote && find . -type f -printf "%m %p\n" | sort) >$d.modes || return 1; done &&
    test_cmp theirs.modes ours.modes
'

test_expect_success 'nothing is sent twice, and DVC finds nothing to send' '
    (cd ours && "$tool" push >../actual && "$tool" cloud >>../actual && "$dvc" status -c >>../actual &&
    "$dvc" push >>../actual) && sed "s/${SQ}r${SQ}/r/" actual >shorter && printf "%s\n" "0 moved 0 failed 0 missing" \
    "Cache and remote r are in sync." "Everything is up to date." >expect && test_cmp expect shorter
'

test_expect_success 'each pulls what the other pushed' '
    at theirs && rm -r .dvc/cache dd o s.txt && cp -r ../ours-remote/. ../theirs-remote/ && "$tool" fetch >../actual &&
    echo "5 moved 0 failed 1 missing" >../expect && test_cmp ../expect ../actual && "$tool" checkout dd o s.txt &&
    cd ../ours && rm -r .dvc/cache dd o s.txt && "$dvc" pull -q --allow-missing dd o s.txt && at . &&
    diff -r theirs/dd ours/dd && diff -r theirs/o ours/o && diff -r theirs/.dvc/cache/files ours/.dvc/cache/files
'

test_expect_success 'what is only there, only here, or nowhere' '
    at ours && rm -r .dvc/cache/files/md5/* && "$tool" cloud | sort >../actual && rm -rf .dvc/cache/files/md5/* &&
    "$dvc" status -c | sed "s/^	\([a-z]*\): */\1 /" | sort >../expect && test_cmp ../expect ../actual &&
    "$tool" fetch >/dev/null && rm ../ours-remote/files/md5/*/*.dir && "$tool" cloud | sort >../actual &&
    "$dvc" status -c | sed "s/^	\([a-z]*\): */\1 /" | sort >../expect && test_cmp ../expect ../actual
'

test_done
