# Shared by t03*: the store's test program beside the real DVC.
tool=${NEPHRON_BIN_DIR:?where the programs are}/../tests/store_tool
umask 022

. "$NEPHRON_SOURCE_DIR/tests/cli/dvc-lib.sh"
require_dvc

# new_repo NAME [CACHE_TYPE]
new_repo() {
    at . && rm -rf "$1" && mkdir "$1" && (
        cd "$1" && git init -q . && git config user.name t && git config user.email t@t &&
        "$dvc" init -q && if test -n "$2"; then "$dvc" config cache.type "$2"; fi
    )
}

# Names, modes, link targets and contents of two repositories, what is private to each left out.
same_repos() {
    at . && diff -r --exclude=tmp --exclude=.git "$1" "$2" &&
    for d in "$1" "$2"; do
        (
            cd "$d" && find . -path ./.git -prune -o -path ./.dvc/tmp -prune -o -printf '%M %n %l %p\n' |
                grep -v "^d" | sed "s#$PWD#ROOT#" | sort
        ) >"$d.list" || return 1
    done && test_cmp "$1.list" "$2.list"
}

# Both say the same of the repository we are in; the order of .dvc files is not defined.
same_status() {
    "$dvc" status --json >"$SHARNESS_TRASH_DIRECTORY/status.theirs" &&
    "$tool" status --json >"$SHARNESS_TRASH_DIRECTORY/status.ours" &&
    "$python" -c '
import json, sys
a, b = (json.load(open(p)) for p in sys.argv[1:])
if a != b or any(json.dumps(a[k]) != json.dumps(b[k]) for k in a):
    sys.exit("dvc: %s\nours: %s" % (a, b))
' "$SHARNESS_TRASH_DIRECTORY/status.theirs" "$SHARNESS_TRASH_DIRECTORY/status.ours"
}
