"""What Hydra, as DVC uses it, makes of overrides: writes tests/unit/hydra/overrides.jsonl from the texts that are in it.

    $NEPHRON_DVC's python tests/peer/overrides.py tests/unit/hydra/overrides.jsonl

A line is [override, kind, result]: "doc" and the parameters after it, "sweep" and the overrides it stands for, or "error" (the
words differ). The parameters before are in the first line.
"""

import contextlib
import io
import json
import os
import sys
import tempfile

from dvc.utils.hydra import apply_overrides, get_hydra_sweeps, to_hydra_overrides
from dvc.utils.serialize import load_yaml


def outcome(params, text):
    try:
        if to_hydra_overrides([text])[0].is_sweep_override():
            return ["sweep", [one["p"][0] for one in get_hydra_sweeps({"p": [text]})]]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "params.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(params)
            apply_overrides(path, [text])
            return ["doc", load_yaml(path)]
    except Exception:  # noqa: BLE001
        return ["error", None]


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8") as f:
        params, *lines = [json.loads(line) for line in f]
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps(params) + "\n")
        for text in [line[0] for line in lines]:
            with contextlib.redirect_stdout(io.StringIO()):
                kind, result = outcome(params, text)
            f.write(json.dumps([text, kind, result]) + "\n")


main()
