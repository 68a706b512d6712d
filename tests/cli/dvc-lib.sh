# Shared by tests that compare with the real DVC (NEPHRON_DVC, else what is in PATH). $dvc runs it and $python is its Python;
# both are empty where it is not installed. A server answers (peer/dvc_peer.py), so that a call costs a twentieth of a second; it
# ends with this test, or with the ctest that runs it beside others.
unset SHELL DVC_ROOT DVC_STAGE NO_COLOR
DVC_NO_ANALYTICS=1 DVC_SITE_CACHE_DIR=$PWD/site DVC_GLOBAL_CONFIG_DIR=$PWD/none DVC_SYSTEM_CONFIG_DIR=$PWD/none
export DVC_NO_ANALYTICS DVC_SITE_CACHE_DIR DVC_GLOBAL_CONFIG_DIR DVC_SYSTEM_CONFIG_DIR

dvc=$(command -v "${NEPHRON_DVC:-dvc}" 2>/dev/null) python=
if test -n "$dvc"; then
    python=$(dirname "$(readlink -f "$dvc")")/python
    dvc=${NEPHRON_BIN_DIR:?where the programs are}/../tests/peer/dvc
    NEPHRON_DVC_PYTHON=$python NEPHRON_DVC_PEER=$NEPHRON_SOURCE_DIR/tests/peer/dvc_peer.py NEPHRON_DVC_OWNER=$$
    case $(cat /proc/$PPID/comm) in
    ctest) NEPHRON_DVC_OWNER=$PPID ;;
    esac
    export NEPHRON_DVC_PYTHON NEPHRON_DVC_PEER NEPHRON_DVC_OWNER
fi

at() {
    cd "$SHARNESS_TRASH_DIRECTORY/$1"
}

# For tests that are nothing without it.
require_dvc() {
    if test -z "$dvc"; then
        skip_all="the real dvc is not installed"
        test_done
    fi
}
