#!/bin/sh
# curve_torch.sh BIN_DIR: 50 steps on the real kidney slices, from the same start and with the same batches as
# PyTorch; the losses must agree to 1e-3 (with batch norm: see curve_torch.py). The rate is small: at 0.01 the two
# curves part within some ten steps, where rounding is amplified. Skips (77) without PyTorch or the slices.
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${NEPHRON_TORCH_PYTHON:-}" ] ||
    ! "$NEPHRON_TORCH_PYTHON" -c 'import torchvision, PIL' 2>/dev/null; then
    echo "SKIP: NEPHRON_TORCH_PYTHON is no Python that can import torchvision and PIL"
    exit 77
fi
slices=${NEPHRON_SHARED:-$here/../../../shared}/data/kidney-ct
if [ ! -d "$slices/Tumor" ]; then
    echo "SKIP: no kidney slices in $slices (set NEPHRON_SHARED)"
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export NEPHRON_REDIS_URL=none

# compare NAME STEPS double|'' LINES…: a project with these lines in params.yaml
compare() {
    project=$dir/$1 steps=$2 double=$3
    shift 3
    mkdir -p "$project/config" "$project/artifacts/data_ingestion"
    ln -s "$dir/pictures" "$project/artifacts/data_ingestion/kidney-ct-scan-image"
    echo 'artifacts_root: artifacts' >"$project/config/config.yaml"
    {
        printf '%s: %s\n' IMAGE_SIZE '[64, 64, 3]' CLASSES 2 AUGMENTATION False DROPOUT 0 \
            BATCH_SIZE 16 LEARNING_RATE 0.0005 MOMENTUM 0.9 WEIGHT_DECAY 0.0005 CLIP_NORM 5
        printf '%s\n' "$@"
    } >"$project/params.yaml"
    (cd "$project" && "$bin/nephron-mpi" prepare -q && "$bin/nephron-mpi" train -q --order order.csv)
    "$NEPHRON_TORCH_PYTHON" "$here/curve_torch.py" train "$project" "$steps" $double
}

"$NEPHRON_TORCH_PYTHON" "$here/curve_torch.py" pictures "$slices" "$dir/pictures" 64 105
compare plain 50 '' 'MODEL: vgg11' 'HEAD: linear' 'EPOCHS: 5'
compare norm 10 double 'MODEL: vgg11_bn' 'HEAD: linear' 'EPOCHS: 1'
