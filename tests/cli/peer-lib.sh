# Shared by t032* and later: the same commands given to nephron and to the real DVC, each in its own repository.
# Without DVC the tests skip.
GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
GIT_AUTHOR_DATE="2026-01-02T03:04:05Z" GIT_COMMITTER_DATE="2026-01-02T03:04:05Z" COLUMNS=200
export GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM COLUMNS
export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_DATE
umask 022

PATH=${NEPHRON_BIN_DIR:?where the programs are}:$PATH
. "$NEPHRON_SOURCE_DIR/tests/cli/dvc-lib.sh"
require_dvc

# dvc ARG...: whichever of the two has its turn.
dvc() {
    if test "$turn" = theirs; then
        "$dvc" "$@"
    else
        nephron "$@"
    fi
}

# t ARG...: a command whose answer is compared: stdout, stderr, exit code.
t() {
    echo "\$ $*" && dvc "$@" >"$here/.out" 2>"$here/.err" </dev/null
    code=$?
    sed 's/^/  out /' "$here/.out" && sed 's/^/  err /' "$here/.err" && echo "  exit $code"
}

# j ARG...: as t for one line of JSON in which the order of lists is not defined.
j() {
    echo "\$ $*" && dvc "$@" 2>&1 </dev/null | "$python" -c '
import json, sys
def ordered(v):
    if isinstance(v, dict):
        return {k: ordered(v[k]) for k in sorted(v)}
    return sorted((ordered(x) for x in v), key=json.dumps) if isinstance(v, list) else v
text = sys.stdin.read()
print("  json", json.dumps(ordered(json.loads(text))) if text[:1] in "{[" and text else text)'
}

# s ARG...: as t, the lines sorted.
s() {
    t "$@" >"$here/.sorted" && head -1 "$here/.sorted" && sed -e 1d -e 's/"nephron /"dvc /g' "$here/.sorted" | LC_ALL=C sort
}

# The root's path, hints and the words of usage lines are nobody's contract.
normal() {
    sed -e "s#$1#ROOT#g" -e '/^  out usage: /,/^  err ERROR/{/^  err ERROR/!d}' -e '/^  err usage: /d' \
        -e '/^  err ERROR: \(the following arguments are required\|expected \|unrecognized arguments\|argument \)/d' \
        -e '/^  out $/{N;/To track the changes\|To enable auto staging/{N;N;d}}' \
        -e 's/`nephron /`dvc /g' -e 's/"nephron /"dvc /g' -e "s/'nephron /'dvc /g" -e 's/<https:[^>]*>/<LINK>/g'
}

# both SCRIPT: runs it in ./theirs with DVC and in ./ours with nephron, and compares what `t` wrote and the trees.
both() {
    for turn in theirs ours; do
        here=$SHARNESS_TRASH_DIRECTORY/.$turn && mkdir -p "$here" "$SHARNESS_TRASH_DIRECTORY/$turn" &&
            (at "$turn" && eval "$1") >"$here/log" || return 1
        normal "$SHARNESS_TRASH_DIRECTORY/$turn" <"$here/log" >"$here/normal"
    done
    at . && test_cmp .theirs/normal .ours/normal && same_trees
}

# fresh: an empty repository of git and DVC in the current folder.
fresh() {
    find . -mindepth 1 -maxdepth 1 -exec chmod -R u+w {} + -exec rm -rf {} + && git init -q -b main . && dvc init -q &&
        git add -A && git commit -qm init
}

# Names, modes, link targets and contents, what is private to each left out.
same_trees() {
    at . && diff -r --exclude=tmp --exclude='*.tmp' --exclude=.git --exclude=.nephron theirs ours &&
        for d in theirs ours; do
            (
                cd $d && find . -path ./.git -prune -o -path '*/.dvc/tmp' -prune -o -path ./.nephron -prune -o -printf '%M %n %l %p\n' |
                    grep -v -e "^d" -e "/\.[^/]*\.tmp$" | sed "s#$PWD#ROOT#" | sort
            ) >.$d/list || return 1
        done && test_cmp .theirs/list .ours/list
}
