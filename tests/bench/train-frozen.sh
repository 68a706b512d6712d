#!/bin/sh
# Training of the classifier on frozen features, VGG16, 224x224, batch of 16, beside PyTorch.
name=train-frozen
. "$(dirname "$0")/bench-lib.sh"
. "$here/torch-lib.sh"
beside_torch train 'train frozen, batch 16' --batch 16 --frozen
