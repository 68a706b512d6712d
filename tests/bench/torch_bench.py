#!/usr/bin/env python3
"""PyTorch's side of `nephron bench`: the same model, batch and threads, synthetic input, one JSON line of medians.

torch_bench.py train|infer [--model vgg16] [--batch 16] [--size 224] [--threads 2] [--steps 3]
               [--frozen] [--channels-last] [--bf16]
The network is built as torchvision builds it; torchvision itself is not needed.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn

CFG = {
    "vgg11": [64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0],
    "vgg13": [64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0],
    "vgg16": [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0],
    "vgg19": [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512,
              512, 0],
}


class Vgg(nn.Module):
    def __init__(self, name, classes=2):
        super().__init__()
        layers, c = [], 3
        for v in CFG[name.removesuffix("_bn")]:
            if v == 0:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers.append(nn.Conv2d(c, v, 3, padding=1))
            if name.endswith("_bn"):
                layers.append(nn.BatchNorm2d(v))
            layers.append(nn.ReLU(inplace=True))
            c = v
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 49, 4096), nn.ReLU(True), nn.Dropout(), nn.Linear(4096, 4096),
            nn.ReLU(True), nn.Dropout(), nn.Linear(4096, classes))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("what", choices=["train", "infer"])
    p.add_argument("--model", default="vgg16")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--size", type=int, default=224)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--frozen", action="store_true")
    p.add_argument("--channels-last", action="store_true")
    p.add_argument("--bf16", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    m = Vgg(a.model)
    x, t = torch.randn(a.batch, 3, a.size, a.size), torch.zeros(a.batch, dtype=torch.long)
    if a.channels_last:
        m, x = m.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    if a.frozen:
        m.features.requires_grad_(False)
    opt = torch.optim.SGD([q for q in m.parameters() if q.requires_grad], 1e-4, momentum=0.9)
    times, cpu = [], []
    for _ in range(a.steps + 1):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=a.bf16):
            if a.what == "infer":
                with torch.inference_mode():
                    m.eval()(x)
            else:
                loss = nn.functional.cross_entropy(m(x), t)
        if a.what == "train":
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
        times.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - cpu_begin)
    seconds = statistics.median(times[1:])
    print(json.dumps({"what": a.what, "peer": "PyTorch " + torch.__version__, "model": a.model,
                      "batch": a.batch, "size": a.size, "threads": a.threads, "frozen": a.frozen,
                      "seconds": round(seconds, 4), "img_per_s": a.batch / seconds,
                      "cpu_s_per_img": statistics.median(cpu[1:]) / a.batch,
                      "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
