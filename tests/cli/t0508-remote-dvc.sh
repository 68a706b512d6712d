#!/bin/sh

test_description="an S3 remote shared with the real DVC: each reads what the other pushed, and imports are written the same"

. "$NEPHRON_SOURCE_DIR/tests/cli/xfer-lib.sh"
need_python
. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/remote-lib.sh"

their_dvc=$(command -v "${NEPHRON_DVC_REMOTES:-}" 2>/dev/null)
moto=$(command -v "${NEPHRON_MOTO:-}" 2>/dev/null)
if test -z "$their_dvc" || test -z "$moto"; then
    skip_all="dvc[s3] (NEPHRON_DVC_REMOTES) or moto (NEPHRON_MOTO) is not installed"
    test_done
fi
python=$(dirname "$their_dvc")/python
boto=$(dirname "$moto")/python
# A server of its own for this DVC: the other tests' has no S3.
NEPHRON_DVC_PYTHON=$python NEPHRON_DVC_PEER=$NEPHRON_SOURCE_DIR/tests/peer/dvc_peer.py NEPHRON_DVC_OWNER=$$
export NEPHRON_DVC_PYTHON NEPHRON_DVC_PEER NEPHRON_DVC_OWNER
AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_DEFAULT_REGION

# moto ends with this shell.
start_peers() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])') && s3=http://127.0.0.1:$port || return 1
    "$moto" -H 127.0.0.1 -p "$port" >"$top/moto.log" 2>&1 &
    moto_pid=$!
    trap 'kill $moto_pid 2>/dev/null' EXIT
    for i in $(seq 300); do
        curl -sf -X PUT "$s3/bucket" >/dev/null && return 0
        sleep 0.1
    done
    cat "$top/moto.log"
    return 1
}

dvc() {
    "$NEPHRON_BIN_DIR/../tests/peer/dvc" "$@"
}

s3_repo() {
    new_repo "$1" && nephron remote add -d s "s3://bucket/$2" && nephron remote modify s endpointurl "$s3"
}

test_expect_success "the peers answer" start_peers

test_expect_success "DVC reads what Nephron pushed" '
    s3_repo ours "shared/one" && nephron push && cp -r ../ours ../theirs && at theirs && lose && dvc pull >out 2>&1 && test "$(cat "d/a b")" = "3 3" &&
    dvc status -c >got && grep "in sync" got
'

test_expect_success "Nephron reads what DVC pushed" '
    at theirs && echo 4 >d/4 && dvc add -q d && dvc push -q && cp d.dvc ../ours/ && at ours && lose && nephron status -c >got && grep "deleted: .*d/4" got &&
    nephron pull >got && grep "fetched" got && test "$(cat d/4)" = 4 && nephron status -c -q
'

test_expect_success "big files either way" '
    at ours && head -c 70000000 /dev/urandom >big && nephron add -q big && nephron push -q && cp big.dvc ../theirs/ && at theirs && dvc pull -q big.dvc && cmp big ../ours/big &&
    curl -s "$s3/bucket?uploads" >got && ! grep "<Upload>" got
'

test_expect_success "gc -c leaves what is used, as DVC sees it" '
    at ours && rm big.dvc && nephron gc -w -c -f >got && grep "from remote" got && dvc status -c >got && grep "in sync" got &&
    at theirs && rm -rf .dvc/cache big && dvc status -c big.dvc >got && grep -E "(missing|deleted): +big" got
'

# What an import says, and the file it writes; with both.
imports() {
    at "$1" && url=$2 && shift 2 && for program in dvc nephron; do
        rm -rf x x.dvc && $program import-url -q "$url" x "$@" && cp x.dvc "$top/x.$program" || return 1
    done && test_cmp "$top/x.dvc" "$top/x.nephron"
}

test_expect_success "import-url of files and folders, with settings, without download, to a remote: the same .dvc files" '
    at ours && nephron remote add b s3://bucket && nephron remote modify b endpointurl "$s3" &&
    "$boto" -c "
import boto3, sys
s3 = boto3.client(\"s3\", endpoint_url=sys.argv[1])
for key in (\"src/one.txt\", \"src/dir/a\", \"src/dir/sub/b\", \"src/dir/ü +%20\"):
    s3.put_object(Bucket=\"bucket\", Key=key, Body=key.encode())" "$s3" && imports ours remote://b/src/one.txt && imports ours remote://b/src/dir &&
    imports ours s3://bucket/src/one.txt --fs-config "endpointurl=$s3" && imports ours remote://b/src/one.txt --no-download &&
    imports ours remote://b/src/dir --no-download && imports ours remote://b/src/dir --to-remote && imports ours remote://b/src/one.txt --to-remote
'

test_expect_success "update: nothing new is passed over, something new is brought" '
    at ours && rm -rf x x.dvc && nephron import-url -q remote://b/src/dir x && test "$(cat x/sub/b)" = src/dir/sub/b && nephron update x.dvc >got && grep "didn.t change, skipping" got &&
    "$boto" -c "
import boto3, sys
boto3.client(\"s3\", endpoint_url=sys.argv[1]).put_object(Bucket=\"bucket\", Key=\"src/dir/a\", Body=b\"new\")" "$s3" && cp x.dvc was &&
    nephron update x.dvc >got && grep Importing got && test "$(cat x/a)" = new && cp x.dvc "$top/x.nephron" && cp was x.dvc && dvc update -q x.dvc && test_cmp x.dvc "$top/x.nephron"
'

# What `status` and `repro` say of stages on URLs, and their dvc.lock; with both. PUT replaces src/one.txt.
url_stage() {
    at ours && mkdir -p "$1" && cd "$1" && rm -f dvc.lock o && $program status >"$top/said" && $program repro -q && cat dvc.lock >>"$top/said" && $program status >>"$top/said"
}

test_expect_success "dependencies of stages on files and folders: the same dvc.lock, and nothing stale in the other one" '
    at ours && mkdir -p st && printf "stages:\n  s:\n    cmd: echo >o\n    deps:\n    - remote://b/src/one.txt\n    - remote://b/src/dir\n    - remote://b/src/dir/sub/\n    - remote://b\n    outs: [o]\n" >st/dvc.yaml &&
    for program in dvc nephron; do url_stage st && mv "$top/said" "$top/said.$program" || return 1; done && test_cmp "$top/said.dvc" "$top/said.nephron" && dvc status >"$top/got" && grep "up to date" "$top/got" &&
    "$boto" -c "
import boto3, sys
s3 = boto3.client(\"s3\", endpoint_url=sys.argv[1])
s3.put_object(Bucket=\"bucket\", Key=\"src/dir/a\", Body=b\"newer\")
s3.delete_object(Bucket=\"bucket\", Key=\"src/one.txt\")" "$s3" && dvc status >"$top/want" && nephron status >"$top/got" && test_cmp "$top/want" "$top/got" && grep "deleted: .*one.txt" "$top/got" &&
    grep "modified: .*src/dir$" "$top/got" && test_expect_code 255 nephron repro 2>"$top/err" && grep "dependency .remote://b/src/one.txt. does not exist" "$top/err" && at ours && rm -rf st &&
    "$boto" -c "
import boto3, sys
boto3.client(\"s3\", endpoint_url=sys.argv[1]).put_object(Bucket=\"bucket\", Key=\"src/one.txt\", Body=b\"src/one.txt\")" "$s3"
'

test_expect_success "get-url and list-url" '
    at ours && rm -rf got* && nephron get-url remote://b/src/dir gotdir && test "$(cat "gotdir/ü +%20")" = "src/dir/ü +%20" && test "$(stat -c %a gotdir/a)" = 644 &&
    nephron get-url s3://bucket/src/one.txt --fs-config "endpointurl=$s3" -f && test "$(cat one.txt)" = src/one.txt && nephron list-url -R remote://b/src | sort >"$top/list.ours" &&
    dvc list-url -R remote://b/src | sort >"$top/list.theirs" && test_cmp "$top/list.theirs" "$top/list.ours" && nephron list-url remote://b/src | sort >"$top/list.ours" &&
    dvc list-url remote://b/src | sort >"$top/list.theirs" && test_cmp "$top/list.theirs" "$top/list.ours" && test_expect_code 1 nephron get-url remote://b/none 2>err &&
    grep "does not exist" err && test_expect_code 1 dvc get-url remote://b/none 2>want && test_cmp want err
'

test_expect_success "get and import from a repository whose data is in S3" '
    at ours && git config user.email a@b && git config user.name a && git add -A . >/dev/null && git commit -qm 1 && at . && rm -rf copy && nephron get "$top/ours" d -o copy && test "$(cat copy/4)" = 4
'

test_done
