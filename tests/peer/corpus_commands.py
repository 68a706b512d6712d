#!/usr/bin/env python3
"""What DVC and Nephron answer in the repositories of a corpus: commands that only look, as text and as JSON.

    corpus_commands.py CORPUS NEPHRON STAGE_DUMP PART/PARTS [FOLDER…]

Run by the python of DVC's own environment. Each folder is copied and made a git repository. The corpus has no data: some of it
is made up from the paths alone (numbers for metrics and plots, text for deps and outs), a few stages are committed, and then
parameters, metrics and outputs change. PART of PARTS looks at every so-manieth folder. Where a command answers as text and as JSON, one
folder is asked for the one and the next for the other; NEPHRON_CORPUS_ALL=1: for both. Prints a difference as it is found and a
summary; exit status 1 when there is any.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import dvc_peer
import peer_text
import plot_view

LIMIT = int(os.environ.get("DIFF_CHARS", "1500"))
ALL = os.environ.get("NEPHRON_CORPUS_ALL") == "1"
STAGES_COMMITTED = 4  # of each repository

# Words, and how the answers are made comparable: "lines" are sorted where the order of a hash table or of a folder decides.
COMMANDS = [
    ("stage list", "lines"),
    ("status", "lines"),
    ("status --json", "json"),
    ("dag --dot", "lines"),
    ("params diff", "lines"),
    ("params diff --json", "json"),
    ("metrics show", "lines"),
    ("metrics show --json", "json"),
    ("metrics diff", "lines"),
    ("metrics diff --json", "json"),
    ("plots show --json", "plots"),
    ("plots diff --json", "plots"),
    ("data status --json", "json"),
    ("data status --granular --unchanged", "lines"),
    ("diff", "lines"),
    ("diff --json", "json"),
]


# DVC takes minutes to look at thousands of outputs: of these its answers about the pipeline alone are asked for.
LARGE = {
    "PIReTship__bookdata-tools": ("stage list", "metrics show --json"),
    "MArpogaus__hybrid-flows": ("stage list", "metrics show --json", "params diff"),
    "CCRI-POPROX__poprox-recommender": ("stage list", "metrics show --json"),
}
TOO_LARGE = {"BlueBrain__morphoclass", "dfsnow__opentimes"}  # even for those

# Where the two differ on purpose (docs/reference.md), or by chance: repository and words, as a regular expression.
EXCUSED = [
    # A dvc.yaml or a folder's list that cannot be read: to DVC's plots the whole revision is empty.
    "(FUSA-ROADS|jotsif|endremborza|simonlevine)[^:]*: plots .*",
    # Folders of plots that are not there, or hold pictures of no known kind: the errors are worded otherwise.
    "(aai540-group3|m-loay|sadhana-r)__[^:]*: plots .*",
    # One output of two stages: which of the two is looked at is chance.
    "sadhana-r__[^:]*: (data status|diff).*",
    "iterative__(example-get-started|example-get-started-experiments|vscode-dvc-demo): plots .*",
]


def environment(top):
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if key in os.environ}
    git = {f"GIT_{who}_{what}": "t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {
        **kept,
        **git,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": top + "/site",
        "DVC_GLOBAL_CONFIG_DIR": top + "/none",
        "DVC_SYSTEM_CONFIG_DIR": top + "/none",
        "NEPHRON_REDIS_URL": "none",
        "COLUMNS": "200",
    }


def number(path, limit=1000):
    """Always the same for a path."""
    return int(hashlib.md5(path.encode()).hexdigest()[:8], 16) % limit


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(text)


def change_number(path):
    """The first number of a file is another one."""
    with open(path, encoding="utf-8", newline="") as f:
        text = f.read()
    changed = re.sub(r"(?<=[\s:=,])\d+(?=[\s,}]|$)", lambda m: str(int(m.group()) + 1), text, count=1)
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(changed)


def metric_text(path, n):
    if path.endswith((".yaml", ".yml")):
        return f"accuracy: 0.{n}\nloss: {{train: {n / 8}, valid: {n}}}\nname: m\n"
    if path.endswith(".toml"):
        return f"accuracy = 0.{n}\n[loss]\ntrain = {n / 8}\n"
    return json.dumps({"accuracy": n / 1000, "loss": {"train": n / 8, "valid": n}, "name": "m", "per class": [1, n]})


def plot_text(path, n):
    rows = [{"step": i, "loss": (n + i) / 16, "actual": "ab"[i % 2], "predicted": "ab"[(n + i) % 2]} for i in range(3)]
    if path.endswith((".csv", ".tsv")):
        tab = "\t" if path.endswith(".tsv") else ","
        return "".join(tab.join(map(str, row)) + "\n" for row in [list(rows[0])] + [list(r.values()) for r in rows])
    if path.endswith((".yaml", ".yml")):
        return "points:\n" + "".join("- " + json.dumps(row) + "\n" for row in rows)
    return json.dumps({"points": rows})


class Folder:
    """A repository of the corpus, made twice: theirs for DVC, ours for Nephron."""

    def __init__(self, source, top, nephron, dump):
        self.name = os.path.basename(source)
        self.env, self.nephron, self.dump = environment(top), nephron, dump
        self.theirs, self.ours = f"{top}/dvc/{self.name}", f"{top}/own/{self.name}"
        self.make(source, self.ours)
        os.makedirs(os.path.dirname(self.theirs), exist_ok=True)
        subprocess.run(["cp", "-a", self.ours, self.theirs], check=True)

    def own(self, words, root=None):
        done = subprocess.run([self.nephron, *words], cwd=root or self.ours, env=self.env, stdin=subprocess.DEVNULL, capture_output=True)
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def git(self, *words):
        subprocess.run(["git", *words], cwd=self.ours, env=self.env, check=True, stdout=subprocess.DEVNULL)

    def make(self, source, root):
        shutil.copytree(source, root, copy_function=shutil.copyfile)
        for path, _, _ in os.walk(root):
            os.chmod(path, 0o755)
        self.git("init", "-q", "-b", "main", ".")
        code, _, err = self.own(["init", "-q"])
        if code:
            raise SystemExit(f"{self.name}: init: {err}")
        self.leave_network(root)
        stages = self.stages(root)
        for stage in stages:
            self.fill(root, stage)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "as found")
        whole = [s for s in stages if s["cmd"] and self.present(root, s)]
        for stage in whole[:: len(whole) // STAGES_COMMITTED + 1]:
            self.own(["commit", "-q", "-f", stage["addr"]])
        self.change(root, stages)

    def leave_network(self, root):
        """Imported data becomes data, and deps that are URLs files: what a server answers is no matter of this test."""
        from dvc.utils.serialize import dumps_yaml, parse_yaml

        for path, _, names in os.walk(root):
            for full in (os.path.join(path, name) for name in names if name.endswith(".dvc")):
                with open(full, encoding="utf-8") as f:
                    document = parse_yaml(f.read(), full)
                if document and document.get("deps"):
                    kept = {key: value for key, value in document.items() if key not in ("deps", "frozen", "md5")}
                    put(full, dumps_yaml(kept))
            for full in (os.path.join(path, name) for name in names if name == "dvc.yaml"):
                with open(full, encoding="utf-8", newline="") as f:
                    lines = f.readlines()
                put(full, "".join(re.sub(r"^(\s*- )['\"]?\w+://\S*/([^/\s'\"]+)['\"]?", r"\1\2", line) for line in lines))

    def stages(self, root):
        files = [os.path.relpath(os.path.join(path, name), root) for path, _, names in os.walk(root)
                 for name in names if name == "dvc.yaml" or name.endswith(".dvc")]
        told = json.loads(subprocess.run([self.dump, root, *sorted(files)], check=True, capture_output=True).stdout)
        return [stage for file in told["files"].values() for stage in file.get("stages", [])]

    def place(self, root, stage, path):
        """Where a path of a stage is, or None: outside, templates that stayed, URLs."""
        full = os.path.normpath(os.path.join(root, stage["wdir"], path))
        return full if full.startswith(root + "/") and "://" not in path else None

    def fill(self, root, stage):
        """Makes up what the corpus lacks: metrics, plots, and of deps and outs three in four."""
        for path, kind in [(d, "dep") for d in stage["deps"]] + [(o["path"], o["kind"]) for o in stage["outs"]]:
            full, n = self.place(root, stage, path), number(path)
            if not full or os.path.exists(full) or n % 4 == 0:
                continue
            try:
                if kind == "metrics":
                    put(full, metric_text(path, n))
                elif kind == "plots" and "." in os.path.basename(path):
                    put(full, plot_text(path, n))
                elif "." in os.path.basename(path):
                    put(full, f"text {n}\n")
                else:
                    put(full + f"/part{n}", f"part {n}\n")
                    put(full + "/sub/more", f"more {n}\n")
            except OSError:
                pass  # one path is a file to this stage and a folder to that

    def present(self, root, stage):
        paths = [self.place(root, stage, p) for p in [*stage["deps"], *stage["params"], *(o["path"] for o in stage["outs"])]]
        return all(p and os.path.exists(p) for p in paths)

    def change(self, root, stages):
        for path in sorted({self.place(root, s, p) for s in stages for p in s["params"]} - {None}):
            if os.path.isfile(path):
                change_number(path)
        for stage in stages:
            for out in stage["outs"]:
                full = self.place(root, stage, out["path"])
                if out["kind"] != "outs" and full and os.path.isfile(full):
                    change_number(full)
                elif full and os.path.isdir(full) and number(full, 3) == 0:
                    put(full + "/new", "new\n")

    def compare(self, commands):
        """(words, DVC's text, Nephron's) for each of COMMANDS whose answers differ."""
        answers = dvc_peer.run_each([words.split() for words, _ in commands], self.theirs, self.env)
        for (words, kind), theirs in zip(commands, answers):
            a, b = view(theirs, self.theirs, kind), view(self.own(words.split()), self.ours, kind)
            if a != b:
                yield words, a, b


def view(answer, root, kind):
    code, out, err = answer
    if kind in ("json", "plots") and out[:1] in ("{", "["):
        value = json.loads(out.replace(root, "ROOT"))
        out = "\n".join(plot_view.view(value)) if kind == "plots" else json.dumps(peer_text.ordered(value), indent=1)
    else:
        out = peer_text.plain(out, root)
    if kind in ("lines", "plots"):
        out = peer_text.sorted_lines(out)
    return invalid(f"exit {code}\n{out}\n-- stderr\n{peer_text.sorted_lines(peer_text.plain(err, root))}")


def invalid(text):
    """Which of several wrong files is named is the folder's order in DVC, and so are the lines of it that it shows. That a folder
    has files that no list names is said by their names; DVC names sub-folders, too."""
    if "validation failed" in text.split("-- stderr")[1]:
        text = text.split("-- stderr")[0] + "-- stderr\nvalidation failed"
    text = re.sub(r"'\./\S+' validation failed(: \d+ errors)?", "'FILE' validation failed", text)
    return re.sub(r"(?m)^ *unknown: .*/\n", "", text)


def difference(a, b):
    import difflib

    return "\n".join(list(difflib.unified_diff(a.split("\n"), b.split("\n"), "DVC", "Nephron", n=1, lineterm=""))[2:])


def asked(name, words):
    return words in LARGE.get(name, [words]) and not any(re.fullmatch(e, f"{name}: {words}") for e in EXCUSED)


def in_turn(index):
    """The commands, without the text or the JSON of those that have both."""
    both = {words for words, _ in COMMANDS if f"{words} --json" in dict(COMMANDS)}
    skipped = both if index % 2 else {f"{words} --json" for words in both}
    return [c for c in COMMANDS if ALL or c[0] not in skipped]


def main():
    corpus, nephron, dump, part, *only = sys.argv[1:]
    nephron, dump = os.path.abspath(nephron), os.path.abspath(dump)
    number_of, parts = map(int, part.split("/"))
    names = only or [n for n in sorted(os.listdir(corpus)) if os.path.isdir(os.path.join(corpus, n)) and n not in TOO_LARGE]
    names = names if only else names[number_of - 1 :: parts]
    dvc_peer.preload()
    answers = differences = 0
    for index, name in enumerate(names):
        with tempfile.TemporaryDirectory() as top:
            folder = Folder(os.path.join(corpus, name), os.path.realpath(top), nephron, dump)
            commands = [(words, kind) for words, kind in in_turn(index) if asked(name, words)]
            answers += len(commands)
            for words, a, b in folder.compare(commands):
                differences += 1
                print(f"{name}: {words}\n{difference(a, b)[:LIMIT]}", flush=True)
    print(f"{len(names)} repositories, {answers} answers, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
