"""Peer of weights_torch_test.c: writes files with PyTorch, or reads ours with it.

  weights_torch_peer.py probe DIR          only whether torch is here
  weights_torch_peer.py write DIR          files in every form, and DIR/expect.tsv: file, name, dtype,
                                           shape, md5 of the values
  weights_torch_peer.py read DIR           DIR/ours.pth must load with weights_only=True, also mapped,
                                           and equal DIR/ours.tsv; DIR/vgg.pth must go into torchvision's
                                           VGG without missing or unexpected keys
Exit status 0: all equal; 77: no torch here.
"""
import collections
import hashlib
import sys

try:
    import torch
except ImportError:
    sys.exit(77)

DTYPES = {
    torch.float64: "f64", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
    torch.int64: "i64", torch.int32: "i32", torch.int16: "i16", torch.int8: "i8",
    torch.uint8: "u8", torch.bool: "bool",
}


def md5(t):
    t = t.detach().contiguous().reshape(-1)
    return hashlib.md5(t.view(torch.uint8).numpy().tobytes() if t.numel() else b"").hexdigest()


def row(file, name, t):
    shape = "x".join(str(n) for n in t.shape)
    return "\t".join([file, name, DTYPES[t.dtype], shape, md5(t)])


def flatten(value, prefix=""):
    if isinstance(value, torch.Tensor):
        yield prefix or "tensor", value
    elif isinstance(value, dict):
        for k, v in value.items():
            yield from flatten(v, f"{prefix}/{k}" if prefix else str(k))
    elif isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        for i, v in enumerate(value):
            yield from flatten(v, f"{prefix}/{i}" if prefix else str(i))


def objects():
    g = torch.Generator().manual_seed(1)
    base = torch.randn(40, 30, generator=g)
    plain = collections.OrderedDict()
    for dtype, name in DTYPES.items():
        plain[name] = (torch.randn(3, 5, generator=g) * 50).to(dtype)
    views = {
        "transposed": base.t(), "column": base[:, 3], "window": base[5:9, 7:20], "step": base[::3, ::2],
        "expanded": base[0].expand(7, 30), "scalar": base[2, 2], "empty": base[:0], "whole": base,
        "channels_last": torch.randn(2, 3, 4, 5, generator=g).to(memory_format=torch.channels_last),
    }
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net[2](torch.ones(1, 4)).sum().backward()
    optimizer.step()
    checkpoint = {
        "epoch": 3, "loss": 0.25, "name": "ü", "model": net.state_dict(),
        "optimizer": optimizer.state_dict(), "shape": torch.Size([1, 2]), "dtype": torch.float16,
        "device": torch.device("cpu"), "list": [base, (base, None, True)], "big": 2**70,
        "parameters": dict(net.named_parameters()),
    }
    return {"plain": plain, "views": views, "checkpoint": checkpoint, "tensor": base}


def write(folder):
    with open(f"{folder}/expect.tsv", "w", encoding="utf-8") as out:
        for name, value in objects().items():
            forms = {
                "zip": {}, "legacy": {"_use_new_zipfile_serialization": False},
                "zip4": {"pickle_protocol": 4},
                "legacy4": {"pickle_protocol": 4, "_use_new_zipfile_serialization": False},
            }
            for form, options in forms.items():
                file = f"{name}-{form}.pth"
                torch.save(value, f"{folder}/{file}", **options)
                for key, t in flatten(value):
                    print(row(file, key, t), file=out)
    torch.save(torch.nn.Linear(2, 2), f"{folder}/module.pth")
    torch.save({"a": torch.ones(2, dtype=torch.complex64)}, f"{folder}/complex.pth")


def read(folder):
    with open(f"{folder}/ours.tsv", encoding="utf-8") as f:
        expected = [line.rstrip("\n") for line in f]
    for mapped in (False, True):
        value = torch.load(f"{folder}/ours.pth", weights_only=True, mmap=mapped)
        assert isinstance(value, collections.OrderedDict), type(value)
        got = [row("ours.pth", k, t) for k, t in value.items()]
        assert got == expected, "\n".join(["got:"] + got + ["expected:"] + expected)
        assert all(t.is_contiguous() and not t.requires_grad for t in value.values())
    try:
        import torchvision
    except ImportError:
        print("no torchvision: load_state_dict not checked")
        return
    net = torchvision.models.vgg11_bn(num_classes=3)
    state = torch.load(f"{folder}/vgg.pth", weights_only=True)
    assert list(state) == list(net.state_dict()), "order of keys"
    result = net.load_state_dict(state)  # strict: missing or unexpected keys raise
    assert not result.missing_keys and not result.unexpected_keys


if __name__ == "__main__":
    {"write": write, "read": read, "probe": lambda folder: None}[sys.argv[1]](sys.argv[2])
