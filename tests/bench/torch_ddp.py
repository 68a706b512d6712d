#!/usr/bin/env python3
"""PyTorch's side of two-hosts.sh: one rank of two, DDP over gloo; alone and together in turns, as `nephron bench train` does.

torch_ddp.py --rank R --master ADDRESS [--frozen] [--batch 8] [--steps 3] [--rounds 2]
Rank 0 prints one JSON line.
"""
import argparse
import json
import os
import statistics
import time

import torch
import torch.distributed as dist
from torch import nn

from torch_bench import Vgg


def run(model, opt, x, t, steps):
    """Seconds of each step, after one to warm up."""
    times = []
    for _ in range(steps + 1):
        begin = time.perf_counter()
        opt.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x), t).backward()
        opt.step()
        times.append(time.perf_counter() - begin)
    return times[1:]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rank", type=int)
    p.add_argument("--master")
    p.add_argument("--model", default="vgg16")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--frozen", action="store_true")
    a = p.parse_args()
    os.environ.update(MASTER_ADDR=a.master, MASTER_PORT="29512")
    torch.set_num_threads(1)
    torch.manual_seed(1)
    dist.init_process_group("gloo", rank=a.rank, world_size=2)
    m = Vgg(a.model).to(memory_format=torch.channels_last)
    if a.frozen:
        m.features.requires_grad_(False)
    x = torch.randn(a.batch, 3, 224, 224).to(memory_format=torch.channels_last)
    t = torch.zeros(a.batch, dtype=torch.long)
    ddp = nn.parallel.DistributedDataParallel(m)
    opt = torch.optim.SGD([q for q in m.parameters() if q.requires_grad], 1e-4, momentum=0.9)
    alone, together = [], []
    for _ in range(a.rounds):
        dist.barrier()
        alone += run(m, opt, x, t, a.steps)
        dist.barrier()
        together += run(ddp, opt, x, t, a.steps)
    speed = torch.tensor([a.batch / statistics.median(alone)], dtype=torch.float64)
    dist.all_reduce(speed)
    both = 2 * a.batch / statistics.median(together)
    if a.rank == 0:
        print(json.dumps({"peer": "PyTorch " + torch.__version__, "img_per_s": both,
                          "img_per_s_alone": speed.item(), "efficiency": both / speed.item()}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
