#!/usr/bin/env python3
"""The loss curve of a training, against PyTorch's from the same weights on the same batches.

curve_torch.py pictures SOURCE OUT SIDE [MAX]   class folders of SIDE x SIDE PNG files, as PIL reads and
                                                resizes them: so that both sides see the same pixels
curve_torch.py train PROJECT STEPS [double]     repeats the training of a project by its start
                                                (base_model_updated.pth), order.csv and params.yaml;
                                                exit 1 when the loss of a step differs by more than 1e-3

With "double" PyTorch's own distance between fp32 and fp64 is measured too and four times it allowed: batch norm
on slices with much black is ill-conditioned at the start, PyTorch's first losses differ from fp64 by 3e-5, 3e-4, ...
"""
import csv
import pathlib
import sys

TOLERANCE = 1e-3


def pictures(source, out, side, most):
    from PIL import Image

    for folder in sorted(p for p in pathlib.Path(source).iterdir() if p.is_dir()):
        target = pathlib.Path(out) / folder.name
        target.mkdir(parents=True)
        for path in sorted(folder.glob("*.jpg"))[:most]:
            picture = Image.open(path).convert("RGB").resize((side, side), Image.BILINEAR)
            picture.save(target / (path.stem + ".png"))


def read_params(path):
    params = {}
    for line in open(path):
        key, _, value = line.partition(":")
        params[key.strip()] = value.strip()
    return params


def build(params, state):
    import torch
    import torchvision

    model = getattr(torchvision.models, params["MODEL"])(num_classes=int(params["CLASSES"]), dropout=0.0)
    if params["HEAD"] == "linear":
        model.avgpool = torch.nn.Identity()
        features = state["classifier.0.weight"].shape[1]
        model.classifier = torch.nn.Sequential(torch.nn.Linear(features, int(params["CLASSES"])))
    model.load_state_dict(state)
    return model.train()


def read_batches(project):
    import numpy
    import torch
    from PIL import Image

    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    root = project / "artifacts/data_ingestion/kidney-ct-scan-image"
    batches = {}
    for row in csv.DictReader(open(project / "order.csv")):
        batches.setdefault(int(row["step"]), []).append(row)
    for step in sorted(batches):
        rows = batches[step]
        x = numpy.stack([numpy.asarray(Image.open(root / r["path"]).convert("RGB")) for r in rows])
        x = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255
        yield (x - mean) / std, torch.tensor([int(r["label"]) for r in rows])


class Training:
    """One copy of the network with its optimizer, in fp32 or fp64."""

    def __init__(self, params, state, dtype):
        import torch

        self.dtype, self.clip = dtype, float(params["CLIP_NORM"])
        self.model = build(params, state).to(dtype)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=float(params["LEARNING_RATE"]),
                                         momentum=float(params["MOMENTUM"]),
                                         weight_decay=float(params["WEIGHT_DECAY"]))

    def step(self, x, labels):
        import torch

        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(self.model(x.to(self.dtype)), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return loss.item()


def train(project, steps, double):
    import torch

    torch.set_num_threads(2)
    params = read_params(project / "params.yaml")
    state = torch.load(project / "artifacts/prepare_base_model/base_model_updated.pth", weights_only=True)
    single = Training(params, state, torch.float32)
    exact = Training(params, state, torch.float64) if double else None
    ours = [float(row["loss"]) for row in csv.DictReader(open(project / "artifacts/training/steps.csv"))]
    worst, own, count = 0.0, 0.0, 0
    for step, (x, labels) in enumerate(read_batches(project)):
        if step == steps:
            break
        theirs = single.step(x, labels)
        truth = exact.step(x, labels) if exact else theirs
        worst = max(worst, abs(ours[step] - truth) / abs(truth))
        own = max(own, abs(theirs - truth) / abs(truth))
        count += 1
        print(f"step {step:3d}  ours {ours[step]:.6f}  PyTorch {theirs:.6f}  worst {worst:.2e}", flush=True)
    if count < steps:
        sys.exit(f"only {count} steps")
    print(f"{params['MODEL']}, {count} steps: largest relative difference of the loss {worst:.2e}"
          + (f", PyTorch's own between fp32 and fp64 {own:.2e}" if exact else ""))
    return worst <= max(TOLERANCE, 4 * own)


def main():
    if sys.argv[1] == "pictures":
        pictures(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]) if len(sys.argv) > 5 else None)
    else:
        sys.exit(0 if train(pathlib.Path(sys.argv[2]), int(sys.argv[3]), len(sys.argv) > 4) else 1)


if __name__ == "__main__":
    main()
