#!/usr/bin/env python3
"""Writes what PyTorch makes of a small VGG, for vgg_ref_test to compare with.

dump_vgg.py OUT [--model vgg11_bn] [--divisor 32] [--hidden 256] [--head classifier|linear]
            [--height 32] [--width 35] [--batch 4] [--classes 3] [--seed 1]

The net is torchvision's VGG (same names, same first values), its channels divided by --divisor, no
dropout; torchvision is not needed. The kept dumps in data/ were made by regenerate.sh.

Format, all little-endian:
  magic     8 bytes  "NEPHREF\\n"
  version   u32      1
  count     u32      number of records
  record    u16 length of name, name; u8 type (0 float32, 1 int32, 2 text); u8 ndim;
            u32 x ndim shape (text: one, its length); data
Records: config (text, "key=value" lines); param:NAME, buffer:NAME first values; x, labels; logits, loss
and grad:NAME of the first forward and backward; losses of ten steps of SGD with momentum on that batch;
after them final_logits (evaluation mode), final:NAME of the buffers and of the last layer.
"""
import argparse
import struct

import torch
from torch import nn

CFG = {
    "vgg11": [64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0],
    "vgg13": [64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0],
    "vgg16": [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0],
    "vgg19": [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512,
              512, 0],
}
STEPS, RATE, MOMENTUM, DECAY, CLIP = 10, 0.01, 0.9, 0.001, 1.0


class Vgg(nn.Module):
    def __init__(self, a):
        super().__init__()
        layers, c = [], 3
        for v in CFG[a.model.removesuffix("_bn")]:
            if v == 0:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            k = max(1, v // a.divisor)
            layers.append(nn.Conv2d(c, k, 3, padding=1))
            if a.model.endswith("_bn"):
                layers.append(nn.BatchNorm2d(k))
            layers.append(nn.ReLU(inplace=True))
            c = k
        self.features = nn.Sequential(*layers)
        if a.head == "linear":
            self.avgpool = nn.Identity()
            size = c * (a.height // 32) * (a.width // 32)
            self.classifier = nn.Sequential(nn.Linear(size, a.classes))
        else:
            h = max(1, a.hidden // a.divisor)
            self.avgpool = nn.AdaptiveAvgPool2d(7)
            self.classifier = nn.Sequential(
                nn.Linear(c * 49, h), nn.ReLU(True), nn.Dropout(0.0), nn.Linear(h, h),
                nn.ReLU(True), nn.Dropout(0.0), nn.Linear(h, a.classes))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                nn.init.normal_(m.bias, 0, 0.05)  # torchvision: 0, which would hide mistakes
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.uniform_(m.weight, 0.5, 1.5)
                nn.init.normal_(m.bias, 0, 0.1)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, m.in_features**-0.5)
                nn.init.normal_(m.bias, 0, 0.05)

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class Writer:
    def __init__(self):
        self.records = []

    def add(self, name, value):
        head = struct.pack("<H", len(name)) + name.encode()
        if isinstance(value, str):
            data = value.encode()
            self.records.append(head + struct.pack("<BBI", 2, 1, len(data)) + data)
            return
        t = value.detach().contiguous()
        kind = 1 if t.dtype in (torch.int64, torch.int32) else 0
        t = t.to(torch.int32 if kind else torch.float32)
        shape = struct.pack("<BB", kind, t.dim()) + struct.pack(f"<{t.dim()}I", *t.shape)
        self.records.append(head + shape + t.numpy().tobytes())

    def write(self, path):
        with open(path, "wb") as f:
            f.write(b"NEPHREF\n" + struct.pack("<II", 1, len(self.records)))
            f.writelines(self.records)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--model", default="vgg11_bn")
    p.add_argument("--head", default="classifier", choices=["classifier", "linear"])
    for name, value in [("divisor", 32), ("hidden", 256), ("height", 32), ("width", 35),
                        ("batch", 4), ("classes", 3), ("seed", 1)]:
        p.add_argument("--" + name, type=int, default=value)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    torch.set_num_threads(1)
    m, w = Vgg(a), Writer()
    w.add("config", "".join(f"{k}={v}\n" for k, v in [
        ("model", a.model), ("head", a.head), ("divisor", a.divisor), ("hidden", a.hidden),
        ("height", a.height), ("width", a.width), ("batch", a.batch), ("classes", a.classes),
        ("rate", RATE), ("momentum", MOMENTUM), ("decay", DECAY), ("clip", CLIP),
        ("torch", torch.__version__)]))
    for name, t in m.named_parameters():
        w.add("param:" + name, t)
    for name, t in m.named_buffers():
        w.add("buffer:" + name, t)
    x = torch.randn(a.batch, 3, a.height, a.width)
    labels = torch.arange(a.batch) % a.classes
    w.add("x", x)
    w.add("labels", labels)
    opt = torch.optim.SGD(m.parameters(), RATE, momentum=MOMENTUM, weight_decay=DECAY)
    losses = []
    m.train()
    for step in range(STEPS):
        logits = m(x)
        loss = nn.functional.cross_entropy(logits, labels)
        losses.append(loss.detach())
        opt.zero_grad()
        loss.backward()
        if step == 0:
            w.add("logits", logits)
            w.add("loss", loss.detach().reshape(1))
            for name, t in m.named_parameters():
                w.add("grad:" + name, t.grad)
        nn.utils.clip_grad_norm_(m.parameters(), CLIP)
        opt.step()
    w.add("losses", torch.stack(losses))
    m.eval()
    with torch.no_grad():
        w.add("final_logits", m(x))
    for name, t in m.named_buffers():
        w.add("final:" + name, t)
    last = list(m.named_parameters())[-2:]
    for name, t in last:
        w.add("final:" + name, t)
    w.write(a.out)


if __name__ == "__main__":
    main()
