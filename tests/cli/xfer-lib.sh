# Sourced by the transfer tests, before sharness: what they need, and how they start their server.

here=$(cd "$(dirname "$0")" && pwd)
XFER=$NEPHRON_BIN_DIR/nephron-xfer
export NEPHRON_XFER_RETRY_MS=20
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY NEPHRON_GDRIVE_URL

need_python() {
    if ! python3 -c 'import http.server, lzma, zipfile' 2>/dev/null; then
        echo "SKIP: this test needs python3 for its HTTP server and archives"
        exit 77
    fi
}

# Serves FILE until this shell ends; sets $url.
start_server() {
    python3 "$here/xfer-server.py" "$1" port log.txt $$ >/dev/null 2>server.err &
    server_pid=$!
    n=0
    while ! test -s port && test $n -lt 200; do
        sleep 0.05
        n=$((n + 1))
    done
    test -s port && url=http://127.0.0.1:$(cat port)
}

stop_server() {
    kill "$server_pid" 2>/dev/null
    wait "$server_pid" 2>/dev/null
    true
}

# A zip of two classes with SIZE bytes an image, from python3.
make_data_zip() {
    python3 - "$1" "$2" <<'PY'
import random, sys, zipfile
random.seed(7)
with zipfile.ZipFile(sys.argv[1], "w") as z:
    for c, n in (("Normal", 3), ("Tumor", 2)):
        for i in range(n):
            name = "kidney-ct-scan-image/%s/%s- (%d).jpg" % (c, c, i + 1)
            z.writestr(zipfile.ZipInfo(name), b"\xff\xd8" + random.randbytes(int(sys.argv[2])))
PY
}

# What git's harness has and the sharness package has not.
test_path_is_missing() {
    if test -e "$1" || test -L "$1"; then
        echo "$1 is there"
        ls -ld "$1"
        return 1
    fi
}

test_line_count() { # = N FILE
    if ! test "$(wc -l <"$3")" "$1" "$2"; then
        echo "$3 has $(wc -l <"$3") lines, not $2:"
        cat "$3"
        return 1
    fi
}

sha() {
    sha256sum "$1" | cut -d' ' -f1
}

# No temp folder or file of ours below DIR.
no_leftovers() {
    find "$1" -name '*nephron-*' >leftovers && test_must_be_empty leftovers
}
