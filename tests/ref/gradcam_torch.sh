#!/bin/sh
# gradcam_torch.sh BIN_DIR: the names of the published weights as torchvision has them, and heat maps as autograd makes
# them. Skips (77) without PyTorch.
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${NEPHRON_TORCH_PYTHON:-}" ] ||
    ! "$NEPHRON_TORCH_PYTHON" -c 'import torchvision, PIL' 2>/dev/null; then
    echo "SKIP: NEPHRON_TORCH_PYTHON is no Python that can import torchvision and PIL"
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export NEPHRON_REDIS_URL=none
cd "$dir"
mkdir config
cat >config/config.yaml <<'YAML'
data_ingestion:
  root_dir: artifacts/data_ingestion
  source_URL: "phantom:?patients=2&slices=2&size=96&seed=3"
  local_data_file: artifacts/data_ingestion/data.zip
  unzip_dir: artifacts/data_ingestion
YAML
for set in 'vgg11 linear 96' 'vgg13_bn classifier 96'; do
    # shellcheck disable=SC2086
    set -- $set
    printf '%s: %s\n' MODEL "$1" HEAD "$2" IMAGE_SIZE "[$3, $3, 3]" CLASSES 2 >params.yaml
    rm -rf artifacts
    "$bin/nephron-xfer" ingest -q
    "$bin/nephron-mpi" prepare -q
    picture=$(find artifacts/data_ingestion -name '*.jpg' | sort | head -n 1)
    "$NEPHRON_TORCH_PYTHON" "$here/gradcam_torch.py" picture "$picture" one.png "$3"
    model=artifacts/prepare_base_model/base_model_updated.pth
    for class in class0 class1; do
        "$bin/nephron-mpi" predict -m "$model" --explain why.png --class "$class" --heat "$class.json" one.png >/dev/null
        "$NEPHRON_TORCH_PYTHON" "$here/gradcam_torch.py" compare "$model" one.png "$1" "$2" "$class" "$class.json"
    done
done
"$NEPHRON_TORCH_PYTHON" "$here/gradcam_torch.py" names "$here/../../worker/prepare.c"
