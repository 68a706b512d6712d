#!/bin/sh
# Training of the whole VGG16, 224x224, batch of 16, beside PyTorch.
name=train-full
. "$(dirname "$0")/bench-lib.sh"
. "$here/torch-lib.sh"
beside_torch train 'train full, batch 16' --batch 16
