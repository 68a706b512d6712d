#!/bin/sh
# vgg_torch.sh VGG_REF_TEST: dumps of larger nets, made now, compared. Skips (77) without PyTorch.
set -eu
test=$1
here=$(dirname "$0")
if [ -z "${NEPHRON_TORCH_PYTHON:-}" ]; then
    echo "SKIP: NEPHRON_TORCH_PYTHON is not set (a Python that can import torch)"
    exit 77
fi
if ! "$NEPHRON_TORCH_PYTHON" -c 'import torch' 2>/dev/null; then
    echo "SKIP: $NEPHRON_TORCH_PYTHON cannot import torch"
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
dump() {
    out=$dir/$1.ref
    shift
    "$NEPHRON_TORCH_PYTHON" "$here/dump_vgg.py" "$out" "$@"
}
dump plain16 --model vgg16 --divisor 8 --height 64 --width 64 --batch 5 --hidden 1024
dump plain13_identity --model vgg13 --divisor 16 --height 224 --width 224 --batch 2 --hidden 1024
dump flips19_linear --model vgg19 --divisor 8 --height 96 --width 64 --batch 8 --head linear
dump flips16 --model vgg16_bn --divisor 16 --height 64 --width 64 --batch 6 --hidden 1024
dump flips19_norm_linear --model vgg19_bn --divisor 16 --height 64 --width 64 --batch 6 --head linear
"$test" "$dir"/plain*.ref
"$test" --flips "$dir"/flips*.ref
