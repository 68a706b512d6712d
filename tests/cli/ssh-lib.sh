# Sourced by the tests of ssh remotes, after remote-lib.sh: an OpenSSH server of our own as the current user, on a port of its own.
sshd=$(command -v sshd || ls /usr/sbin/sshd 2>/dev/null)
if test -z "$sshd" || ! command -v ssh-keygen >/dev/null; then
    skip_all="no OpenSSH server here (Debian: openssh-server)"
    test_done
fi
far=$top/far
ssh=ssh://127.0.0.1:1 # until it is started
unset SSH_AUTH_SOCK SSH_AGENT_PID
ssh_user=$(id -un)
USER=$ssh_user LOGNAME=$ssh_user
export USER LOGNAME

# Keys of the host and of the user; $HOME/.ssh knows the first and has the second.
make_keys() {
    mkdir -p "$HOME/.ssh" "$top/far" && chmod 700 "$HOME/.ssh" && ssh-keygen -q -t ed25519 -N "" -f "$top/hostkey" &&
        ssh-keygen -q -t ed25519 -N "" -f "$HOME/.ssh/id_ed25519" && cp "$HOME/.ssh/id_ed25519.pub" "$top/authorized"
}

# start_sshd [line of sshd_config]…: serves until this shell ends, or stop_sshd.
start_sshd() {
    test -n "$ssh_port" || ssh_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    printf '%s\n' "Port $ssh_port" "ListenAddress 127.0.0.1" "HostKey \"$top/hostkey\"" "AuthorizedKeysFile \"$top/authorized\"" "StrictModes no" "UsePAM no" \
        "PidFile none" "MaxStartups 100" "LogLevel VERBOSE" "$@" >"$top/sshd_config"
    grep -q "^Subsystem" "$top/sshd_config" || echo "Subsystem sftp internal-sftp" >>"$top/sshd_config"
    test "$(id -u)" != 0 || mkdir -p /run/sshd
    "$sshd" -D -e -f "$top/sshd_config" 2>>"$top/sshd.log" &
    sshd_pid=$!
    trap stop_sshd EXIT
    for i in $(seq 100); do
        python3 -c "import socket; socket.create_connection(('127.0.0.1', $ssh_port)).close()" 2>/dev/null && break
        kill -0 $sshd_pid 2>/dev/null || return 1
        sleep 0.05
    done
    ssh=ssh://127.0.0.1:$ssh_port
}

# Its sessions end with it.
stop_sshd() {
    test -n "$sshd_pid" || return 0
    sessions=$(pgrep -P "$sshd_pid")
    kill $sshd_pid $sessions $(for s in $sessions; do pgrep -P "$s"; done) 2>/dev/null
    wait $sshd_pid 2>/dev/null
    sshd_pid=
}

know_host() {
    echo "[127.0.0.1]:$ssh_port $(cut -d" " -f1,2 "${1:-$top/hostkey}.pub")" >"$HOME/.ssh/known_hosts"
}

ssh_repo() {
    new_repo "$1" && nephron remote add -d s "$ssh$far/$2"
}
