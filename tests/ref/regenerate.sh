#!/bin/sh
# Makes the dumps in data/ anew. NEPHRON_TORCH_PYTHON: a Python that can import torch.
set -eu
here=$(dirname "$0")
python=${NEPHRON_TORCH_PYTHON:?set it to a Python that can import torch}
"$python" "$here/dump_vgg.py" "$here/data/vgg11.ref" --model vgg11 --divisor 32
"$python" "$here/dump_vgg.py" "$here/data/vgg11_bn.ref" --model vgg11_bn --divisor 32 --batch 6
