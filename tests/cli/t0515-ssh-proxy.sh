#!/bin/sh

test_description="ssh remotes behind others: Include, ProxyCommand and ProxyJump of ~/.ssh/config, with servers of our own; what goes wrong there"

. "$NEPHRON_SOURCE_DIR/tests/cli/xfer-lib.sh"
need_python
. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/remote-lib.sh"
. "$NEPHRON_SOURCE_DIR/tests/cli/ssh-lib.sh"
NEPHRON_XFER_RETRY_MS=20
export NEPHRON_XFER_RETRY_MS

# A relay as nc is one, which leaves a mark of each connection.
make_relay() {
    cat >"$top/relay.py" <<'EOF'
import os, select, socket, sys
open(os.environ["RELAY_LOG"], "a").write(" ".join(sys.argv[1:]) + "\n")
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
while True:
    for f in select.select([0, s], [], [])[0]:
        data = os.read(0, 65536) if f == 0 else s.recv(65536)
        if not data:
            sys.exit(0)
        s.sendall(data) if f == 0 else os.write(1, data)
EOF
    RELAY_LOG=$top/relay.log
    export RELAY_LOG
}

config() {
    printf '%s\n' "$@" >"$HOME/.ssh/config"
}

# No child of ours is left, dead or alive.
no_relay() {
    ! pgrep -f "$top/relay.py" && ! ps -o stat=,args= --ppid $$ | grep "^Z.*\(relay\|ssh\)"
}

test_expect_success "a server, known to us" '
    make_keys && start_sshd && know_host && make_relay && mkdir -p "$HOME/.ssh/conf.d"
'

test_expect_success "Include: globs below ~/.ssh, ~ and absolute paths, files in files, none at all" '
    ssh_repo r one && nephron remote modify s url "ssh://lab$far/one" && config "Include conf.d/* none/*" "Host *" " Port 1" && printf "Host lab\n HostName 127.0.0.1\n Include ~/.ssh/more\n" >"$HOME/.ssh/conf.d/10-lab" &&
    printf "Port $ssh_port\nUser $ssh_user\n" >"$HOME/.ssh/more" && printf "Host lab\nPort 2\n" >"$HOME/.ssh/conf.d/20-late" && nephron push >got && echo "5 files pushed" >want && test_cmp want got &&
    config "Include \"$HOME/.ssh/conf.d/10-lab\"" && nephron status -c -q && config "Host other" " Include conf.d/*" && test_expect_code 1 nephron status -c 2>err && grep "ssh://$ssh_user@lab:22: cannot connect" err
'

test_expect_success "Include: cycles, a fan, a broken file, what is no text" '
    printf "Include conf.d/*\n" >"$HOME/.ssh/conf.d/30-self" && config "Include conf.d/*" && test_expect_code 1 nephron status -c 2>err && grep "Include: more than" err && for i in 1 2 3; do printf "Include conf.d/*\nInclude conf.d/*\n" >"$HOME/.ssh/conf.d/4$i"; done &&
    test_expect_code 1 nephron status -c 2>err && grep "Include: more than" err && rm "$HOME/.ssh/conf.d/30-self" "$HOME/.ssh/conf.d/4"* && printf "\nPort x\n" >"$HOME/.ssh/conf.d/30-bad" && config "Host lab" " Include conf.d/30*" &&
    test_expect_code 1 nephron status -c 2>err && grep "ssh/config: line 2: .*/30-bad: line 2: Port must be" err && printf "User a\0b\n" >"$HOME/.ssh/conf.d/30-bad" && test_expect_code 1 nephron status -c 2>err && grep "30-bad: a NUL byte" err &&
    rm "$HOME/.ssh/conf.d/30-bad" && mkdir "$HOME/.ssh/conf.d/30-folder" && config "Include conf.d/*" && nephron status -c -q
'

test_expect_success "ProxyCommand: the connection goes through it, no process is left" '
    config "Host lab" " HostName 127.0.0.1" " Port $ssh_port" " User $ssh_user" " ProxyCommand python3 \"$top/relay.py\" %h %p %r %n %%" && rm -f "$RELAY_LOG" && nephron status -c -q && test "$(sort -u "$RELAY_LOG")" = "127.0.0.1 $ssh_port $ssh_user lab %" &&
    lose && nephron pull -q -j 3 && test "$(cat "d/a b")" = "3 3" && no_relay && head -c 9000000 /dev/urandom >big && nephron add -q big && nephron push -q && mv big big2 && rm -rf .dvc/cache && nephron pull -q && cmp big big2 && rm big2 && no_relay &&
    config "Host lab" " ProxyCommand none" "Host *" " HostName 127.0.0.1" " Port $ssh_port" " User $ssh_user" " ProxyCommand false" && nephron status -c -q
'

test_expect_success "a ProxyCommand that fails is named, with how it ended" '
    lab="Host lab
 HostName 127.0.0.1
 User $ssh_user" && config "$lab" " ProxyCommand sh -c \"echo said so >&2; exit 7\"" && test_expect_code 1 nephron status -c 2>err && grep "^said so" err && grep "cannot connect .*; the command .sh -c .echo said so >&2; exit 7.. ended with exit status 7" err &&
    config "$lab" " ProxyCommand nosuchprogram" && test_expect_code 1 nephron status -c 2>err && grep "the command .nosuchprogram. ended with exit status 127" err && config "$lab" " ProxyCommand kill -9 \$\$" && test_expect_code 1 nephron status -c 2>err &&
    grep "ended with \(signal 9\|exit status\)" err && config "$lab" " ProxyCommand python3 \"$top/relay.py\" %h 1" && test_expect_code 1 nephron status -c 2>err && grep "ended with exit status 1" err && config "$lab" " ProxyCommand cat >/dev/null" && nephron remote modify s timeout 1 &&
    test_expect_code 1 nephron status -c 2>err && grep "cannot connect" err && nephron remote modify -u s timeout && no_relay && config "$lab" " ProxyCommand nc %C" && test_expect_code 1 nephron status -c 2>err && grep "ssh/config: ProxyCommand: .%C. is not understood" err
'

test_expect_success "what the URL says never reaches a shell" '
    config "Host *" " ProxyCommand python3 \"$top/relay.py\" %h %p" && for host in "a&touch" "a(b)" "x{a,b}" "a*" "a#b"; do nephron remote modify s url "ssh://$host$far/one" && test_expect_code 1 nephron status -c 2>err && grep "must not come into a command" err || return 1; done &&
    nephron remote modify s url "ssh://lab$far/one" && nephron remote modify s user "me;id" && test_expect_code 1 nephron status -c 2>err && grep "must not come into a command" err && nephron remote modify -u s user
'

if command -v ssh >/dev/null; then
    test_set_prereq SSH
fi

# ssh itself looks for its files at the home of the password file: an option is passed by a program of its name. With -J it
# cannot have blanks.
make_ssh() {
    jump=$(mktemp -d) && mkdir -p "$top/bin" && real=$(command -v ssh) && printf '#!/bin/sh\necho "$@" >>"%s"\nexec "%s" -F "%s" "$@"\n' "$top/ssh.log" "$real" "$jump/config" >"$top/bin/ssh" && chmod +x "$top/bin/ssh" &&
        printf '%s\n' "Host *" " IdentityFile \"$HOME/.ssh/id_ed25519\"" " UserKnownHostsFile \"$HOME/.ssh/known_hosts\"" " BatchMode yes" " User $ssh_user" "Host gate*" " HostName 127.0.0.1" " Port $gate_port" >"$jump/config"
}

# start_gate: a second server, with the keys of the first.
start_gate() {
    gate_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])') && sed -e "s/^Port .*/Port $gate_port/" "$top/sshd_config" >"$top/gate_config" || return 1
    "$sshd" -D -e -f "$top/gate_config" 2>>"$top/gate.log" &
    gate_pid=$!
    trap 'stop_gate; stop_sshd' EXIT
    for i in $(seq 100); do
        python3 -c "import socket; socket.create_connection(('127.0.0.1', $gate_port)).close()" 2>/dev/null && break
        sleep 0.05
    done
    echo "[127.0.0.1]:$gate_port $(cut -d" " -f1,2 "$top/hostkey.pub")" >>"$HOME/.ssh/known_hosts"
}

stop_gate() {
    kill $gate_pid 2>/dev/null
    wait $gate_pid 2>/dev/null
    rm -rf "$jump"
    trap stop_sshd EXIT
}

test_expect_success SSH "ProxyJump: over one server, over two" '
    start_gate && make_ssh && old=$PATH && PATH=$top/bin:$PATH && lab="Host lab
 HostName 127.0.0.1
 Port $ssh_port
 User $ssh_user" && config "$lab" " ProxyJump gate1" && lose && nephron pull -q && nephron status -c -q && grep -e "-W 127.0.0.1:$ssh_port -- gate1" "$top/ssh.log" && grep "Accepted publickey" "$top/gate.log" &&
    config "$lab" " ProxyJump gate1,$ssh_user@127.0.0.1:$gate_port" && nephron status -c -q && grep -e "-J gate1 -l $ssh_user -p $gate_port -W 127.0.0.1:$ssh_port -- 127.0.0.1" "$top/ssh.log" && ! pgrep -f -- "-W 127.0.0.1:$ssh_port"
'

test_expect_success SSH "ProxyJump: a server that is not there, none that could be, no ssh" '
    config "$lab" " ProxyJump 127.0.0.1:1" && test_expect_code 1 nephron status -c 2>err && grep "the command .ssh -p 1 -W 127.0.0.1:$ssh_port -- 127.0.0.1. ended with exit status 255" err && config "$lab" " ProxyJump -oProxyCommand=touch" &&
    test_expect_code 1 nephron status -c 2>err && grep "ProxyJump: .-oProxyCommand=touch. is no" err && config "$lab" " ProxyJump gate1" && mkdir -p "$top/none" && ln -sf "$(command -v git)" "$top/none/git" &&
    test_expect_code 1 env PATH="$top/none" "$(command -v nephron)" status -c 2>err && grep "ProxyJump needs the program ssh" err && stop_gate && PATH=$old
'

test_done
