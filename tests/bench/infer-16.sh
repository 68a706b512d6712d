#!/bin/sh
# Inference, VGG16, 224x224, batch of 16, beside PyTorch.
name=infer-16
. "$(dirname "$0")/bench-lib.sh"
. "$here/torch-lib.sh"
beside_torch infer 'infer, batch 16' --batch 16
