# Sourced by the tests of network remotes, before sharness' test cases: our object store that misbehaves when told.
. "$NEPHRON_SOURCE_DIR/tests/cli/xfer-lib.sh"
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3
unset GOOGLE_APPLICATION_CREDENTIALS AZURE_STORAGE_CONNECTION_STRING AZURE_STORAGE_ACCOUNT AZURE_STORAGE_KEY AZURE_STORAGE_SAS_TOKEN
HOME=$PWD/home AWS_EC2_METADATA_DISABLED=true DVC_NO_ANALYTICS=1
DVC_SITE_CACHE_DIR=$PWD/site DVC_GLOBAL_CONFIG_DIR=$PWD/none DVC_SYSTEM_CONFIG_DIR=$PWD/none
export HOME AWS_EC2_METADATA_DISABLED DVC_NO_ANALYTICS DVC_SITE_CACHE_DIR DVC_GLOBAL_CONFIG_DIR DVC_SYSTEM_CONFIG_DIR
PATH=${NEPHRON_BIN_DIR:?where the programs are}:$PATH
top=$PWD
mkdir -p "$HOME"

at() {
    cd "$top/$1"
}

# Serves until this shell ends; sets $store, its URL. What it gets stands in $top/log.txt, $top/faults says what goes wrong.
start_store() {
    python3 "$NEPHRON_SOURCE_DIR/tests/cli/store-server.py" "$top/port" "$top/log.txt" "$top/faults" $$ >/dev/null 2>"$top/store.err" &
    for i in $(seq 200); do
        test -s "$top/port" && break
        sleep 0.05
    done
    test -s "$top/port" && store=http://127.0.0.1:$(cat "$top/port")
}

# What goes wrong from now on, a line each; a fresh log.
faults() {
    : >"$top/log.txt"
    rm -f "$top/faults"
    test $# = 0 || printf '%s\n' "$@" >"$top/faults"
}

# A repository with a folder of three files and a file, all added.
new_repo() {
    at . && rm -rf "$1" && mkdir "$1" && at "$1" && git init -q . && nephron init -q && mkdir d && echo 1 >d/1 && echo 2 >d/2 &&
        echo "3 3" >"d/a b" && echo top >f && nephron add -q d f
}

# Nothing of the data is here any more.
lose() {
    rm -rf .dvc/cache d f
}
