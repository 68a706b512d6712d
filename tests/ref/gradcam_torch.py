#!/usr/bin/env python3
"""Grad-CAM by PyTorch's autograd beside ours, and torchvision's names of the published weights.

gradcam_torch.py picture IN OUT SIDE                    a PNG of SIDE x SIDE, so that both sides see the same pixels
gradcam_torch.py compare MODEL PNG ARCH HEAD CLASS JSON   JSON: what 'nephron predict --heat' wrote
gradcam_torch.py names PREPARE_C
"""
import json
import sys


def load(model_path, arch, head):
    import torch
    import torchvision

    state = torch.load(model_path, weights_only=True)
    model = getattr(torchvision.models, arch)(num_classes=2)
    if head == "linear":
        model.avgpool = torch.nn.Identity()
        model.classifier = torch.nn.Sequential(torch.nn.Linear(state["classifier.0.weight"].shape[1], 2))
    model.load_state_dict(state)
    return model.eval()


def heat_map(model, x, label):
    import torch

    with torch.no_grad():
        a = model.features[:-1](x)
    a.requires_grad_(True)
    z = model.classifier(torch.flatten(model.avgpool(model.features[-1](a)), 1))
    (gradient,) = torch.autograd.grad(z[0, label], a)
    alpha = gradient.mean(dim=(2, 3), keepdim=True)
    return torch.relu((alpha * a).sum(dim=1))[0].detach()


def compare(model_path, png, arch, head, name, ours_path):
    import numpy
    import torch
    from PIL import Image

    x = torch.from_numpy(numpy.asarray(Image.open(png).convert("RGB"))).permute(2, 0, 1).float() / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    expect = heat_map(load(model_path, arch, head), ((x - mean) / std)[None], int(name[-1]))
    ours = json.load(open(ours_path))[0]
    got = torch.tensor(ours["heat"])
    if ours["class"] != name or got.shape != expect.shape:
        sys.exit(f"{ours['class']} {tuple(got.shape)}, expected {name} {tuple(expect.shape)}")
    worst = float((got - expect).abs().max() / expect.abs().max().clamp_min(1e-12))
    print(f"{arch} {head} {name}: heat map of {tuple(expect.shape)}, largest {float(expect.max()):.4g}, "
          f"relative difference {worst:.2e}")
    if worst > 1e-3:
        sys.exit(1)


def names(prepare):
    import torchvision

    text = open(prepare).read()
    for arch in ("vgg11", "vgg13", "vgg16", "vgg19"):
        for name in (arch, arch + "_bn"):
            weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
            entry = '{"%s", "%s"}' % (name, weights.url.rsplit("/", 1)[1])
            if entry not in text:
                sys.exit(f"{prepare} has no {entry}")
    print("the eight published files are torchvision's")


def picture(source, out, side):
    from PIL import Image

    Image.open(source).convert("RGB").resize((side, side), Image.BILINEAR).save(out)


if sys.argv[1] == "picture":
    picture(sys.argv[2], sys.argv[3], int(sys.argv[4]))
elif sys.argv[1] == "compare":
    compare(*sys.argv[2:])
else:
    names(sys.argv[2])
