#!/bin/sh

test_description="remotes on an ssh server: push, pull, gc, keys and hosts, what goes wrong on the way, beside the real DVC"

. "$NEPHRON_SOURCE_DIR/tests/cli/xfer-lib.sh"
need_python
. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/remote-lib.sh"
. "$NEPHRON_SOURCE_DIR/tests/cli/ssh-lib.sh"
NEPHRON_XFER_RETRY_MS=20
export NEPHRON_XFER_RETRY_MS

test_expect_success "a server, known to us" '
    make_keys && start_sshd && know_host
'

test_expect_success "push, status -c, pull, fetch, run cache" '
    ssh_repo r "one/some where" && nephron push >got && echo "5 files pushed" >want && test_cmp want got && nephron status -c -q && test "$(find "$far/one/some where/files/md5" -type f | wc -l)" = 5 &&
    nephron stage add -q -n s -d f -o out "echo o >out" && nephron repro -q && nephron push --run-cache >got && grep "2 files pushed" got && lose && rm -rf out &&
    nephron pull --run-cache && test "$(cat "d/a b")" = "3 3" && test "$(cat out)" = o && find .dvc/cache/runs -type f | grep . && ! find "$far" -name "*.tmp" | grep .
'

test_expect_success "many files: connections are kept, gc -c deletes what nobody uses" '
    ssh_repo many many && mkdir m && for i in $(seq 300); do echo "n$i" >m/$i; done && nephron add -q m && : >"$top/sshd.log" && nephron push -j 3 >got && grep "306 files pushed" got &&
    test "$(grep -c "^Accepted publickey" "$top/sshd.log")" -le 3 && nephron push >got && echo "Everything is up to date." >want && test_cmp want got && rm -rf m .dvc/cache && nephron pull m &&
    test "$(cat m/237)" = n237 && rm m.dvc && nephron gc -w -c -f >got && grep "Removed 301 objects from remote." got && lose && nephron pull -q && nephron status -c -q && test "$(cat f)" = top
'

test_expect_success "a listing in pages: sorted, links and odd names" '
    at many && mkdir -p "$far/tree/a.b" "$far/tree/a" "$far/tree/empty/deep" && echo 1 >"$far/tree/a.b/x" && echo 1 >"$far/tree/a/ü +%20" && ln -s ../one "$far/tree/folderlink" && ln -s a/none "$far/tree/dangling" &&
    ln -s a.b/x "$far/tree/link" && for i in $(seq 30); do mkdir "$far/tree/d$i" && echo $i >"$far/tree/d$i/f"; done && (cd "$far/tree" && find . -type f; echo ./link) | sed "s,^\./,," | sort >"$top/want" &&
    nephron list-url -R "$ssh$far/tree" | sort >"$top/got" && test_cmp "$top/want" "$top/got"
'

test_expect_success "hostile names in a listing are refused" '
    at many && cp -r "$far/many" "$far/evil" && printf x >"$far/evil/files/md5/$(printf "zz\033[2Jb")" && nephron remote modify s url "$ssh$far/evil" && test_expect_code 255 nephron gc -w -c -f 2>err &&
    grep "the server lists the name .zz?.2Jb., which is not one below the URL" err && rm "$far/evil/files/md5/"zz*b && touch "$far/evil/files/md5/$(printf "zz\nb")" &&
    test_expect_code 255 nephron gc -w -c -f 2>err && grep "the name .zz?b." err && test "$(find "$far/evil" -type f -printf x)" = xxxxxx && nephron remote modify s url "$ssh$far/many"
'

test_expect_success "a damaged file, or a folder, where a file should be" '
    ssh_repo place place && nephron push -q && f=$(find "$far/place/files" -type f ! -name "*.dir" | head -1) && chmod u+w "$f" && echo longer than it was >"$f" && lose &&
    test_expect_code 1 nephron pull 2>err && grep -E "corrupt|other content|md5" err && rm "$f" && mkdir "$f" && lose && test_expect_code 1 nephron pull 2>err && ! test -d d/a
'

test_expect_success "an unknown host passes with a warning, strictly not; a changed key never" '
    at r && rm "$HOME/.ssh/known_hosts" && nephron status -c >got 2>err && grep "is not in known_hosts; trusting its ssh-ed25519 key SHA256:" err && printf "Host 127.*\n StrictHostKeyChecking yes\n" >"$HOME/.ssh/config" &&
    test_expect_code 1 nephron status -c 2>err && grep "the host is not in known_hosts .*StrictHostKeyChecking is on" err && know_host "$HOME/.ssh/id_ed25519" && test_expect_code 1 nephron status -c 2>err &&
    grep "key is not the one in known_hosts" err && rm "$HOME/.ssh/config" && test_expect_code 1 nephron status -c 2>err && grep "key is not the one in known_hosts" err &&
    cp "$HOME/.ssh/known_hosts" "$top/other" && know_host && nephron status -c -q && printf "UserKnownHostsFile \"$top/other\"\n" >"$HOME/.ssh/config" && test_expect_code 1 nephron status -c 2>err &&
    grep "not the one in known_hosts" err && rm "$HOME/.ssh/config"
'

test_expect_success "keys: keyfile, passphrase, an RSA key, IdentityFile, an agent; none that fits" '
    at r && mkdir -p "$top/keys" && mv "$HOME/.ssh/id_ed25519" "$HOME/.ssh/id_ed25519.pub" "$top/keys/" && test_expect_code 1 nephron status -c 2>err && grep "permission denied; tried nothing, no key was found" err &&
    nephron remote modify s keyfile "$top/keys/id_ed25519" && nephron status -c -q && nephron remote modify s keyfile "$top/keys/none" && test_expect_code 1 nephron status -c 2>err && grep "keyfile .*none. cannot be read" err &&
    ssh-keygen -q -t ed25519 -N s3cret -f "$top/keys/locked" && cat "$top/keys/locked.pub" >>"$top/authorized" && nephron remote modify s keyfile "$top/keys/locked" && test_expect_code 1 nephron status -c 2>err && grep "needs a passphrase" err &&
    nephron remote modify --local s passphrase wr0ng && test_expect_code 1 nephron status -c 2>err && grep "is the passphrase right" err && ! grep wr0ng err && nephron remote modify --local s passphrase s3cret && nephron status -c -q &&
    nephron remote modify --local -u s passphrase && ssh-keygen -q -t rsa -b 2048 -N "" -f "$top/keys/rsa" && nephron remote modify s keyfile "$top/keys/rsa" && test_expect_code 1 nephron status -c 2>err &&
    grep "permission denied; tried the key $top/keys/rsa" err && cat "$top/keys/rsa.pub" >>"$top/authorized" && nephron status -c -q && nephron remote modify -u s keyfile &&
    printf "Host lab\n HostName 127.0.0.1\n Port $ssh_port\n User $ssh_user\n IdentityFile \"$top/keys/id_ed25519\"\n" >"$HOME/.ssh/config" && nephron remote modify s url "ssh://lab$far/one/some where" && nephron status -c -q && rm "$HOME/.ssh/config" &&
    nephron remote modify s url "$ssh$far/one/some where" && cp "$top/keys/rsa" "$HOME/.ssh/id_rsa" && nephron status -c -q && rm "$HOME/.ssh/id_rsa"
'

test_expect_success "an agent, unless it is not allowed" '
    at r && if command -v ssh-agent >/dev/null; then
        eval "$(ssh-agent)" >/dev/null && ssh-add -q "$top/keys/id_ed25519" 2>/dev/null && nephron status -c -q && nephron remote modify s allow_agent false && test_expect_code 1 nephron status -c 2>err &&
        nephron remote modify -u s allow_agent && ssh-agent -k >/dev/null && unset SSH_AUTH_SOCK SSH_AGENT_PID; fi && mv "$top/keys/id_ed25519" "$HOME/.ssh/" && nephron status -c -q
'

test_expect_success "settings that are not built in or make no sense" '
    at r && nephron remote modify s gss_auth true && test_expect_code 1 nephron push 2>err && grep "gss_auth" err && nephron remote modify -u s gss_auth && nephron remote modify s max_sessions 2 && test_expect_code 1 nephron push 2>err &&
    grep "max_sessions must be greater than 2" err && nephron remote modify -u s max_sessions && nephron remote modify s port 99999 && test_expect_code 1 nephron push 2>err && grep "a port must be 1 to 65535" err && nephron remote modify -u s port &&
    nephron remote modify s url "ssh://-oX/x" && test_expect_code 1 nephron push 2>err && grep "names no host" err && nephron remote modify s url "$ssh$far/one/some where"
'

test_expect_success "secrets are in no process list and no message" '
    at r && nephron remote modify s url "ssh://$ssh_user:s3cret@127.0.0.1:$ssh_port$far/one/some where" && test_expect_code 1 env ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=execve -o "$top/exec" nephron push -v >out 2>err && grep "permission denied; tried the password" err &&
    nephron remote modify --local s password p4ss && test_expect_code 1 nephron push >out2 2>err2 && grep "permission denied" err2 && ! grep -e s3cret -e p4ss err err2 out out2 "$top/exec" && nephron remote modify --local -u s password &&
    nephron remote modify s url "$ssh$far/one/some where"
'

test_expect_success "permission denied and a full server, by name" '
    ssh_repo denied denied && mkdir -p "$far/denied" && : >"$far/denied/files" && test_expect_code 1 nephron push 2>err && grep "cannot make the folder .*/denied/files" err && rm "$far/denied/files" &&
    if test "$(id -u)" != 0; then chmod 555 "$far/denied" && test_expect_code 1 nephron push 2>err && grep "permission denied" err && chmod 755 "$far/denied"; fi && nephron push -q && nephron status -c -q &&
    if test -e /dev/full; then nephron remote modify s url "$ssh/proc/self" && test_expect_code 1 nephron push 2>err && grep "cannot make the folder .*/proc/self/files" err; fi
'

# Cuts a command's connections when it has moved some bytes, and lets the server come back.
cut_off() {
    NEPHRON_XFER_RETRY_MS=400 nephron "$@" >out 2>err &
    command=$!
    for i in $(seq 400); do
        test "$(find "$far/gone" .dvc/cache .dvc/tmp -size +4000k -name "*.tmp" 2>/dev/null | head -1)" && break
        kill -0 $command 2>/dev/null || break
        sleep 0.01
    done
    stop_sshd
    : >"$top/sshd.log"
    sleep 0.3
    start_sshd && wait $command
}

test_expect_success "the server goes away in the middle and comes back" '
    ssh_repo gone gone && rm d.dvc && head -c 100000000 /dev/urandom >b && md5sum b >"$top/sum" && nephron add -q b && cut_off push && grep "^Accepted" "$top/sshd.log" && nephron status -c -q &&
    rm -rf .dvc/cache b && cut_off pull && grep "^Accepted" "$top/sshd.log" && md5sum -c "$top/sum"
'

test_expect_success "the server is gone for good" '
    at r && stop_sshd && test_expect_code 1 nephron status -c 2>err && grep "cannot connect .*(5 tries)" err && start_sshd && nephron status -c -q
'

test_expect_success "a server that says nothing ends by the timeout" '
    at r && python3 -c "
import socket, sys, time
s = socket.socket(); s.bind((\"127.0.0.1\", 0)); s.listen()
open(sys.argv[1], \"w\").write(str(s.getsockname()[1]))
time.sleep(20)" "$top/mute" & mute=$!
    at r && for i in $(seq 100); do test -s "$top/mute" && break; sleep 0.05; done && nephron remote modify s url "ssh://127.0.0.1:$(cat "$top/mute")/x" && nephron remote modify s timeout 1 && test_expect_code 1 nephron push 2>err;
    rc=$?; kill $mute; test $rc = 0 && grep "cannot connect" err && nephron remote modify -u s timeout && nephron remote modify s url "$ssh$far/one/some where"
'

test_expect_success "what an interrupted push leaves is not taken for data" '
    ssh_repo stop stop && rm d.dvc && head -c 100000000 /dev/urandom >b && nephron add -q b && { nephron push >out 2>&1 & pushing=$!; } && for i in $(seq 400); do
        find "$far/stop" -name "*.tmp" -size +4000k 2>/dev/null | grep -q . && break; sleep 0.01; done; kill -TERM $pushing; wait $pushing; test $? -gt 1 &&
    nephron push >out && nephron status -c -q && rm -rf .dvc/cache b && nephron pull -q && test "$(wc -c <b)" = 100000000
'

their_dvc=$(command -v "${NEPHRON_DVC_REMOTES:-}" 2>/dev/null)
test -z "$their_dvc" || ! "$(dirname "$their_dvc")/python" -c "import sshfs" 2>/dev/null || test_set_prereq DVC
# A server of its own for this DVC: the other tests' has no ssh.
NEPHRON_DVC_PYTHON=$(dirname "$their_dvc")/python NEPHRON_DVC_PEER=$NEPHRON_SOURCE_DIR/tests/peer/dvc_peer.py NEPHRON_DVC_OWNER=$$
export NEPHRON_DVC_PYTHON NEPHRON_DVC_PEER NEPHRON_DVC_OWNER

dvc() {
    "$NEPHRON_BIN_DIR/../tests/peer/dvc" "$@"
}

test_expect_success DVC "the real DVC reads what Nephron pushed, and the reverse" '
    ssh_repo ours shared && nephron push -q && cp -r ../ours ../theirs && at theirs && lose && dvc pull >out 2>&1 && test "$(cat "d/a b")" = "3 3" && dvc status -c >got && grep "in sync" got &&
    echo 4 >d/4 && dvc add -q d && dvc push -q && cp d.dvc ../ours/ && at ours && lose && nephron pull -q && test "$(cat d/4)" = 4 && nephron status -c -q &&
    nephron gc -w -c -f >got && grep "from remote" got && dvc status -c >got && grep "in sync" got
'

# What an import says, and the file it writes; with both.
imports() {
    at ours && for program in dvc nephron; do
        rm -rf x x.dvc && $program import-url -q "$1" x $2 && cp x.dvc "$top/x.$program" || return 1
    done && test_cmp "$top/x.dvc" "$top/x.nephron"
}

test_expect_success DVC "import-url, update, get-url, list-url: the same files and answers" '
    at ours && mkdir -p "$far/src/dir/sub" && echo one >"$far/src/one.txt" && echo a >"$far/src/dir/a" && echo b >"$far/src/dir/sub/b" && nephron remote add b "$ssh$far" && imports remote://b/src/one.txt &&
    imports remote://b/src/dir && imports "$ssh$far/src/one.txt" && imports remote://b/src/dir --no-download && imports remote://b/src/one.txt --no-download && imports remote://b/src/dir --to-remote &&
    rm -rf x x.dvc && nephron import-url -q remote://b/src/dir x && nephron update x.dvc >got && grep "didn.t change, skipping" got && echo new >"$far/src/dir/a" && cp x.dvc was && nephron update -q x.dvc && test "$(cat x/a)" = new &&
    cp x.dvc "$top/x.nephron" && cp was x.dvc && dvc update -q x.dvc && test_cmp x.dvc "$top/x.nephron" && rm -rf one.txt && nephron get-url "$ssh$far/src/one.txt" && test "$(cat one.txt)" = one &&
    nephron list-url -R remote://b/src | sort >"$top/list.ours" && dvc list-url -R remote://b/src | sort >"$top/list.theirs" && test_cmp "$top/list.theirs" "$top/list.ours" &&
    test_expect_code 1 nephron get-url remote://b/none 2>err && test_expect_code 1 dvc get-url remote://b/none 2>want && test_cmp want err
'

test_expect_success DVC "dependencies of stages: as DVC records them, and as it finds them changed" '
    at ours && nephron remote add -q -f b "$ssh$far" && mkdir -p "$far/src/dir/e" && echo 1 >"$far/src/file" && echo 2 >"$far/src/dir/1" && echo 3 >"$far/src/dir/e/2" && mkdir st && cd st &&
    printf "stages:\n  s:\n    cmd: echo >o\n    deps:\n    - $ssh$far/src/file\n    - $ssh$far/src/dir\n    - remote://b/src/dir/e/\n    outs: [o]\n" >dvc.yaml && for program in dvc nephron; do
        rm -f dvc.lock o && $program repro -q && cp dvc.lock "$top/lock.$program" || return 1; done && test_cmp "$top/lock.dvc" "$top/lock.nephron" && nephron status >got && dvc status dvc.yaml >got && grep "up to date" got &&
    echo 4 >"$far/src/dir/e/2" && rm "$far/src/file" && dvc status dvc.yaml >"$top/want" && nephron status dvc.yaml >"$top/got" && test_cmp "$top/want" "$top/got" && grep "deleted: .*src/file" "$top/got"
'

test_done
