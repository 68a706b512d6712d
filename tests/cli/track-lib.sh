# Shared by t06*: programs, and a private server that does not outlive its test. Sourced before sharness.

NEPHRON=$NEPHRON_BIN_DIR/nephron
EMIT=$NEPHRON_BIN_DIR/../tests/track_emit
unset NEPHRON_REDIS_URL REDIS_PASSWORD NEPHRON_PARENT_RUN NEPHRON_STAGE NO_COLOR
A=aaaa0000000000000000000000000001
B=bbbb0000000000000000000000000002

if ! command -v redis-server >/dev/null 2>&1 || ! command -v redis-cli >/dev/null 2>&1; then
    HAVE_REDIS=
else
    HAVE_REDIS=1
fi

# The settings of the current folder: one line of `tracking`.
tracking() {
    mkdir -p config && printf 'tracking: {%s}\n' "$1" >config/config.yaml
}

# lines_are N FILE
lines_are() {
    test "$(wc -l <"$2")" -eq "$1" || { echo "$2 has not $1 lines:" && cat "$2" && return 1; }
}
