#!/usr/bin/env python3
"""What DVC says about wrong dvc.yaml files, and what Nephron says: the same text, line for line.

    refusals.py STAGE_DUMP CASES

Run by the python of DVC's own environment. CASES: dvc.yaml texts between lines of three dashes. DVC's source excerpts and its advice on where to ask for help are left out;
for a vars file that cannot be parsed only the first part is compared, since the rest is the YAML library's own wording.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

import dvc_peer

ENV = {**os.environ, "DVC_NO_ANALYTICS": "1", "COLUMNS": "1000"}

FILES = {
    ".dvc/config": "[core]\n    no_scm = True\n",
    "list.yaml": "[1]\n",
    "bad.yaml": "a: [\n",
    "p.yaml": "x: 1\ny: 2\n",
    "r.yaml": "item: 1\n",
}


def dvc_says(folder):
    code, _, err = dvc_peer.run(["dag", "--mermaid"], folder, ENV)
    if code == 0:
        return "accepted"
    lines = [line.rstrip() for line in err.split("\n") if not re.match(r"\s+\d+ ", line)]
    text = re.sub(r"\n\n+", "\n\n", "\n".join(lines)).split("\n\nHaving any troubles?")[0].strip()
    return text.removeprefix("ERROR: ").removeprefix("unexpected error - ")


def nephron_says(dump, folder):
    run = subprocess.run([dump, folder], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)["repo"].get("error", "accepted").strip()


def same(dvc, own):
    mark = "YAML file structure is corrupted"
    if mark in dvc and mark in own:
        return dvc.split(mark)[0] == own.split(mark)[0]
    return dvc == own


def check(dump, text):
    with tempfile.TemporaryDirectory() as folder:
        folder = os.path.realpath(folder)
        os.makedirs(folder + "/.dvc/tmp")
        os.mkdir(folder + "/dir")
        for name, content in {**FILES, "dvc.yaml": text + "\n"}.items():
            with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
                f.write(content)
        return dvc_says(folder), nephron_says(dump, folder)


def main():
    dump, path = sys.argv[1:]
    dump = os.path.abspath(dump)
    with open(path, encoding="utf-8") as f:
        cases = f.read().strip("\n").split("\n---\n")[1:]
    dvc_peer.preload()
    different = 0
    for text in cases:
        a, b = check(dump, text)
        if not same(a, b):
            different += 1
            print(f"{text}\n  DVC:     {a!r}\n  Nephron: {b!r}")
    print(f"{len(cases)} cases, {different} differences")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
