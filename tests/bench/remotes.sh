#!/bin/sh
# push and pull against S3 (moto, on this machine) beside the real dvc: 2,000 objects of 4 KB, and one of 200 MB. moto is Python and answers some
# hundreds of requests a second: with many small objects it is what both wait for.
name=remotes
. "$(dirname "$0")/bench-lib.sh"
dvc=${NEPHRON_DVC_REMOTES:-$peers/remotes/bin/dvc}
moto=${NEPHRON_MOTO:-$peers/moto/bin/moto_server}
test -x "$dvc" || skip "no dvc[s3] in $peers/remotes: 'tests/run' installs it"
test -x "$moto" || skip "no moto in $peers/moto: 'tests/run' installs it"
dir=$(mktemp -d) || exit 1
cd "$dir" || exit 1
AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1 DVC_NO_ANALYTICS=1 DVC_SITE_CACHE_DIR=$dir/site
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_DEFAULT_REGION DVC_NO_ANALYTICS DVC_SITE_CACHE_DIR
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$moto" -H 127.0.0.1 -p "$port" >moto.log 2>&1 &
moto_pid=$!
trap 'kill $moto_pid; cd /; rm -rf "$dir"' EXIT
i=0
while ! curl -sf -X PUT "http://127.0.0.1:$port/bucket" >/dev/null; do
    i=$((i + 1))
    test $i -lt 100 || fail "moto does not answer"
    sleep 0.1
done

# repository KIND: what is pushed is new to the bucket each time.
repository() {
    rm -rf repo && mkdir repo && cd repo && git init -q . && "$nephron" init -q &&
        "$nephron" remote add -d s "s3://bucket/$1" >/dev/null && "$nephron" remote modify s endpointurl "http://127.0.0.1:$port" &&
        cp -r "../$2" data && "$nephron" add -q data && cd ..
}

mkdir many one
python3 -c '
import os
for i in range(2000):
    open("many/%d" % i, "wb").write(os.urandom(4096))'
head -c 200000000 /dev/urandom >one/big

# measure PROGRAM PREFIX DATA: seconds of push and of pull in $push and $pull
measure() {
    repository "$2" "$3" && cd repo || fail "no repository"
    push=$(seconds_of 1 "$1" push) || fail "$1 push failed"
    rm -rf .dvc/cache data
    pull=$(seconds_of 1 "$1" pull) || fail "$1 pull failed"
    test "$(find data -type f | wc -l)" = "$(find "../$3" -type f | wc -l)" || fail "$1 pull brought too little"
    cd ..
}

for data in many one; do
    ours_push='' ours_pull='' theirs_push='' theirs_pull='' round=0
    while test $round -lt "$rounds"; do
        measure "$nephron" "n$round$data" $data
        ours_push="$ours_push $push" ours_pull="$ours_pull $pull"
        measure "$dvc" "d$round$data" $data
        theirs_push="$theirs_push $push" theirs_pull="$theirs_pull $pull"
        round=$((round + 1))
    done
    for way in push pull; do
        eval "ours=\$ours_$way theirs=\$theirs_$way"
        what="2,000 objects of 4 KB"
        test $data = many || what="one object of 200 MB"
        report "$way, S3, $what" "$(echo "$ours" | tr ' ' '\n' | grep . | median)" s "dvc $("$dvc" --version)" \
            "$(echo "$theirs" | tr ' ' '\n' | grep . | median)"
    done
done
