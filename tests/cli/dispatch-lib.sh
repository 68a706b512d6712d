# Shared by t04*: a fresh git and DVC repository in the trash folder, `nephron` in PATH.
PATH=${NEPHRON_BIN_DIR:?where the programs are}:$PATH
export PATH
# No run store: what is tested here needs none, and no server may stay behind.
NEPHRON_REDIS_URL=none
export NEPHRON_REDIS_URL

. "$NEPHRON_SOURCE_DIR/tests/cli/dvc-lib.sh"

new_repo() {
    at . && rm -rf "$1" && mkdir "$1" && (
        cd "$1" && git init -q . && git config user.name t && git config user.email t@t &&
        nephron init -q
    )
}

# wait_for FILE: until it exists, at most 20 s
wait_for() {
    i=0
    while ! test -e "$1"; do
        i=$((i + 1))
        test $i -lt 2000 || return 1
        sleep 0.01
    done
}

# gone PID: the process ends within 10 s (a zombie that nobody reaps counts as gone)
gone() {
    i=0
    while test -e /proc/$1 && ! grep -q "^State:.Z" /proc/$1/status 2>/dev/null; do
        i=$((i + 1))
        test $i -lt 1000 || return 1
        sleep 0.01
    done
}
