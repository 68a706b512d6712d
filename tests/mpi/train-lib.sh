# Shared by t07* that train: small projects on phantom data, and processes behind our back.
PATH=${NEPHRON_BIN_DIR:?where the programs are}:$PATH
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 NEPHRON_REDIS_URL=none
export PATH OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM NEPHRON_REDIS_URL
N=$NEPHRON_BIN_DIR/nephron-mpi

# ranks N COMMAND…
ranks() {
    n=$1
    shift
    timeout 240 mpirun -n "$n" --oversubscribe "$@" </dev/null
}

# small_project NAME [KEY=VALUE…]: a folder with settings, data and a base model
small_project() {
    name=$1
    shift
    mkdir -p "$name/config" &&
    cat >"$name/config/config.yaml" <<-YAML &&
	data_ingestion:
	  root_dir: artifacts/data_ingestion
	  source_URL: "phantom:?patients=5&slices=3&size=64&seed=3"
	  local_data_file: artifacts/data_ingestion/data.zip
	  unzip_dir: artifacts/data_ingestion
	YAML
    {
        printf 'MODEL: vgg11\nHEAD: linear\nIMAGE_SIZE: [32, 32, 3]\nMOMENTUM: 0.9\n'
        printf 'CLIP_NORM: 5\nBATCH_SIZE: 10\nEPOCHS: 2\nAUGMENTATION: True\n'
    } >"$name/params.yaml" &&
    for pair in "$@"; do
        sed -i "/^${pair%%=*}:/d" "$name/params.yaml" &&
        echo "${pair%%=*}: ${pair#*=}" >>"$name/params.yaml" || return 1
    done &&
    (cd "$name" && "$NEPHRON_BIN_DIR/nephron-xfer" ingest -q && "$N" prepare -q)
}

# small_repo NAME [KEY=VALUE…]: the same as a repository
small_repo() {
    small_project "$@" && (
        cd "$name" && git init -q . && git config user.name t && git config user.email t@t &&
        nephron init -q
    )
}

# Until `$@` holds, a minute or two. What a process in the background writes to is removed before it starts: else the words of
# an earlier one count.
wait_until() {
    n=0
    until "$@" 2>/dev/null; do
        n=$((n + 1))
        test $n -gt 3000 && return 1
        sleep 0.03
    done
}

has_checkpoint() {
    find "$1/.nephron" -name "ckpt-*.np" 2>/dev/null | grep -q .
}

# What a training of folder $1 gave: equal for equal trainings.
results() {
    (cd "$1/artifacts/training" && sha256sum model.pth steps.csv history.csv)
}

weights() {
    sha256sum <"$1"
}

# marked NAME=VALUE: pids of processes, but zombies, started with this in their environment
marked() {
    for p in /proc/[0-9]*; do
        if tr '\0' '\n' <"$p/environ" 2>/dev/null | grep -qx "$1"; then
            echo "${p#/proc/}"
        fi
    done
}

none_marked() {
    test -z "$(marked "$1")"
}
