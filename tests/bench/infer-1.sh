#!/bin/sh
# Inference of single images, VGG16, 224x224, beside PyTorch.
name=infer-1
. "$(dirname "$0")/bench-lib.sh"
. "$here/torch-lib.sh"
beside_torch infer 'infer, batch 1' --batch 1 --steps 10
