#!/usr/bin/env python3
"""Random pipelines and random commands, given to the real DVC and to Nephron, each in its own repository.

    differential.py SEED COUNT [--steps N] [--only CASE] [--no-shrink]

NEPHRON_BIN_DIR says where nephron is, NEPHRON_DVC where dvc. COUNT cases of N steps each: a case makes a pipeline, then edits
files and gives commands. After each command: exit code, stdout, the errors on stderr, and the tree (dvc.yaml, dvc.lock, .dvc
files, .gitignore, data, names and modes of the cache) must be equal. A case that differs is shortened, as long as it differs,
and printed as a script. The order in which DVC meets .dvc files is the file system's, so lines are compared sorted where several
files are met. What else may differ, by chance or on purpose (docs/reference.md), stands with its reason in answer_text,
left_by_failure and Twins.excused. Exit status 1 when anything differs.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tempfile

DVC = shutil.which(os.environ.get("NEPHRON_DVC", "dvc"))
if DVC is None:
    sys.exit("no DVC: set NEPHRON_DVC to its program")
PYTHON = os.path.join(os.path.dirname(os.path.realpath(DVC)), "python")
if os.path.realpath(sys.prefix) != os.path.realpath(os.path.join(os.path.dirname(PYTHON), "..")):
    os.execv(PYTHON, [PYTHON, *sys.argv])

import dvc_peer  # noqa: E402
import peer_text  # noqa: E402

NEPHRON = os.path.join(os.environ["NEPHRON_BIN_DIR"], "nephron")
LEFT_OUT = (".git", ".dvc/tmp", ".nephron")  # private to each


# ---- A case: actions as plain data, so that any part of them can be done again

STAGES = ["s0", "s1", "s2", "s3", "s4", "s5"]
INPUTS = ["in0", "in1", "in2", "sub/in3"]
DATA = ["data", "file", "sub/deep"]  # what `add` tracks
# Not "hardlink,copy": of a folder whose objects were there already DVC leaves copies.
LINKS = ["copy", "hardlink", "symlink", "reflink,copy"]


def joined(paths):
    return " ".join(paths)


class Maker:
    """Makes one case. Nothing here looks at a repository: names come from a small pool, so that most of them exist."""

    def __init__(self, rng):
        self.rng = rng
        self.outs = []  # (path, is a folder) of stages made so far

    def chance(self, of_hundred):
        return self.rng.randrange(100) < of_hundred

    def some(self, items, least=0, most=2):
        return self.rng.sample(items, min(len(items), self.rng.randint(least, most)))

    # -- the pipeline

    def source(self):
        kinds = [(p, False) for p in INPUTS] + [("data", True), ("file", False)] + self.outs * 2
        return self.some(kinds, 0, 3)

    def outputs(self, name):
        """[(path, is a folder, key, flags)]"""
        rng, made = self.rng, []
        for i in range(rng.choice([1, 1, 1, 2])):
            folder = self.chance(30)
            path = rng.choice(["", "", "", "sub/", "out/"]) + f"{name}.o{i}"
            flags = {}
            if self.chance(20):
                flags["cache"] = False
            if self.chance(12):
                flags["persist"] = True
            key = "outs"
            if not folder and self.chance(15):
                key = rng.choice(["metrics", "plots"])
            made.append((path, folder, key, flags))
        return made

    def stage(self, name, suffix=""):
        rng = self.rng
        deps, outs = self.source(), self.outputs(name)
        words = f"ls -R {joined(p for p, _ in deps)}" if deps else f"echo {name}"
        commands = []
        for path, folder, key, _ in outs:
            target = path + suffix
            where = os.path.dirname(target)
            if where:
                commands.append(f"mkdir -p {where}")
            if folder:
                commands += [f"mkdir -p {target}/in", f"{words} > {target}/a", f"echo {rng.randrange(3)} > {target}/in/b"]
            elif key == "metrics":
                commands.append(f"echo '{{\"v\": {rng.randrange(9)}}}' > {target}")
            elif key == "plots":
                commands.append(f"printf 'i,v\\n0,{rng.randrange(9)}\\n' > {target}")
            else:
                commands.append(f"{words} > {target}")
        if self.chance(20):
            commands.append("echo says something")
        if self.chance(25):
            commands.insert(rng.randrange(len(commands) + 1), f"test ! -e fail-{name}")
        if not suffix and self.chance(12):
            commands.append("echo ${lr} ${net.depth}")
        stage = {"cmd": commands if self.chance(25) else " && ".join(commands)}
        if deps:
            stage["deps"] = [p for p, _ in deps]
        params = self.some(["lr", "net.depth", "net", {"other.yaml": ["k"]}, {"other.yaml": None}, "none"], 0, 2)
        if params and self.chance(45):
            stage["params"] = params
        for key in ("outs", "metrics", "plots"):
            listed = [({p + suffix: f} if f else p + suffix) for p, _, k, f in outs if k == key]
            if listed:
                stage[key] = listed
        for key, value, odds in [("frozen", True, 5), ("always_changed", True, 5), ("desc", "what it: is", 8), ("meta", {"a": [1]}, 5)]:
            if self.chance(odds):
                stage[key] = value
        if not suffix:
            self.outs += [(p, folder) for p, folder, _, _ in outs]
        return stage

    def pipeline(self):
        stages = {}
        for name in STAGES[: self.rng.randint(1, 5)]:
            if self.chance(12):
                stages[name] = {"foreach": ["x", "y"], "do": self.stage(name, "-${item}")}
            elif self.chance(6):
                stages[name] = {"matrix": {"m": [1, 2], "n": ["z"]}, **self.stage(name, "-${item.m}")}
            else:
                stages[name] = self.stage(name)
        return stages

    def start(self):
        actions = [("write", path, f"{path}\n") for path in INPUTS]
        actions += [("write", f"data/{n}", f"{n}\n") for n in ("1", "2", "deep/3")]
        actions += [("write", "file", "file\n"), ("write", "params.yaml", "lr: 0.1\nnet:\n  depth: 3\n  wide: [1, 2]\n")]
        actions += [("write", "other.yaml", "k: a\nz: 1e-5\n")]
        if self.chance(25):
            actions.append(("dvc", ["config", "cache.type", self.rng.choice(LINKS)]))
        if self.chance(8):
            actions.append(("dvc", ["config", "core.autostage", "true"]))
        actions.append(("yaml", "dvc.yaml", {"stages": self.pipeline()}))
        if self.chance(80):
            actions.append(("dvc", ["add", *(d for d in ("data", "file") if self.chance(85) or d == "data")]))
        if self.chance(80):
            actions.append(("dvc", ["repro"]))
        if self.chance(60):
            actions.append(("commit",))
        return actions

    # -- one step

    def a_file(self):
        return self.rng.choice(INPUTS + ["file", "data/1", "data/new", "data/deep/3"])

    def an_out(self):
        return self.rng.choice(self.outs)[0] if self.outs and self.chance(85) else self.rng.choice(DATA)

    def edit(self):
        rng = self.rng
        text = f"{rng.randrange(4)}\n" * rng.randint(1, 3)
        out = self.an_out()
        return rng.choice(
            [
                ("write", self.a_file(), text),
                ("write", self.a_file(), text),
                ("write", "params.yaml", f"lr: {rng.choice([0.1, 0.2, 1])}\nnet:\n  depth: {rng.randint(1, 3)}\n  wide: [1, {rng.randint(1, 2)}]\n"),
                ("write", "params.yaml", rng.choice(["net: {depth: 3}\n", "lr: 0.1\n", "lr: 0.1\nnet: {depth: x, wide: null}\n"])),
                ("write", "other.yaml", f"k: {rng.choice('ab')}\nz: {rng.choice(['1e-5', '2', '[]'])}\n"),
                ("remove", self.a_file()),
                ("touch", self.a_file()),
                ("touch", out),
                ("remove", out),
                ("remove", out),
                ("write", out, text),
                ("write", f"{out}/{rng.choice(['a', 'more', 'in/b'])}", text),
                ("remove", f"{out}/a"),
                ("mode", out),
                ("mode", self.a_file()),
                ("remove", "dvc.lock"),
                ("remove", ".gitignore"),
                ("remove", rng.choice(["data.dvc", "file.dvc"])),
                ("object", rng.randrange(100)),
                ("object", rng.randrange(100)),
                ("remove", ".dvc/cache/runs"),
                ("remove", ".dvc/cache"),
                ("toggle", "fail-" + rng.choice(STAGES)),
                ("stage", rng.choice(STAGES), rng.choice(["cmd", "drop", "dep", "out", "frozen"]), rng.randrange(100)),
                ("stage", rng.choice(STAGES), rng.choice(["cmd", "drop", "dep", "out", "frozen"]), rng.randrange(100)),
                ("commit",),
                ("commit",),
                ("back",),
            ]
        )

    def target(self):
        rng = self.rng
        return rng.choice([*STAGES, *STAGES, self.an_out(), self.an_out(), self.an_out() + "/a", "data.dvc", "file.dvc", "data", "file", "data/1", "dvc.yaml", "nosuch"])

    def targets(self, odds=50):
        return [self.target() for _ in range(self.rng.choice([1, 1, 2]))] if self.chance(odds) else []

    def flags(self, *choices):
        return [flag for flag in choices if self.chance(18)]

    def command(self):
        rng = self.rng
        pick = rng.randrange(100)
        if pick < 28:
            return ["repro", *self.flags("-f", "-s", "--dry", "-k", "--no-commit", "-p", "--no-run-cache", "--downstream", "-q", "--allow-missing"), *self.targets(40)]
        if pick < 38:
            return ["status", *self.flags("--json", "-d", "-q"), *self.targets(30)]
        if pick < 48:
            return ["checkout", *self.flags("-f", "-f", "-d", "--relink", "--summary", "--allow-missing"), *self.targets(40)]
        if pick < 56:
            return ["commit", *self.flags("-f", "-f", "-f", "-d"), *self.targets(50)]
        if pick < 65:
            return ["add", *self.flags("--no-commit", "-f"), *(self.some([self.a_file(), *DATA, self.an_out()], 1, 2))]
        if pick < 70:
            return ["remove", *self.flags("--outs", "--outs"), self.target()]
        if pick < 74:
            return ["move", rng.choice(["data", "file", "file.dvc", "moved", self.target()]), rng.choice(["moved", "sub", "sub/moved", "file", "data"])]
        if pick < 78:
            return [rng.choice(["freeze", "unfreeze"]), self.target()]
        if pick < 80:
            return ["unprotect", self.target()]
        if pick < 84:
            return self.stage_add()
        if pick < 86:
            scope = rng.choice([["-w"], ["-w"], ["-a"], ["-A"], ["-w", "-T"], ["-w", "--all-experiments"], ["-w", "-c"], ["-w", "--not-in-remote"]])
            return ["gc", *scope, "-f", *self.flags("--dry", "-q")]
        if pick < 90:
            return rng.choice([["push"], ["push", self.target()], ["fetch"], ["pull"], ["pull", self.target()], ["pull", "-f"], ["status", "-c"],
                               ["push", "--run-cache"], ["pull", "--run-cache"], ["fetch", "--run-cache", self.target()], ["push", "-q"]])
        return rng.choice(
            [["dag", "--dot"], ["stage", "list"], ["diff"], ["diff", "--json"], ["data", "status", "--json"], ["data", "status", "--granular"],
             ["params", "diff"], ["metrics", "show"], ["metrics", "diff"], ["params", "diff", "--json", "--all"], ["metrics", "show", "--json"]]
        )

    def stage_add(self):
        name = self.rng.choice(STAGES + ["extra"])
        words = ["stage", "add", "-n", name, *self.flags("-f", "-f", "-f", "--run")]
        for dep in self.some([*INPUTS, *(p for p, _ in self.outs), "data"]):
            words += ["-d", dep]
        if self.chance(30):
            words += ["-p", self.rng.choice(["lr", "other.yaml:k", "net.depth,lr"])]
        return [*words, self.rng.choice(["-o", "-O", "--outs-persist", "-M", "-m"]), f"{name}.added", f"echo '{{\"a\": 1}}' > {name}.added"]

    def case(self, steps):
        actions = self.start()
        for _ in range(steps):
            actions.append(self.edit() if self.chance(45) else ("dvc", self.command()))
        return actions


# ---- What an edit does to a repository


def path_in(root, path):
    return os.path.join(root, path)


def remove(full):
    if os.path.isdir(full) and not os.path.islink(full):
        shutil.rmtree(full)
    elif os.path.lexists(full):
        os.unlink(full)


def write(full, text):
    """As an editor that replaces the file: a link into the cache is not written through."""
    where = os.path.dirname(full)
    above = where
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above):
        return
    os.makedirs(where, exist_ok=True)
    remove(full)
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)


def drop_object(root, n):
    objects = sorted(os.path.join(p, f) for p, _, files in os.walk(path_in(root, ".dvc/cache/files")) for f in files)
    if objects:
        os.unlink(objects[n % len(objects)])


def change_mode(full):
    if os.path.isfile(full) and not os.path.islink(full) and os.stat(full).st_nlink == 1:
        os.chmod(full, stat.S_IMODE(os.stat(full).st_mode) ^ 0o100)


def edit_stage(root, name, what, n):
    from dvc.utils.serialize import dumps_yaml, parse_yaml

    path = path_in(root, "dvc.yaml")
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as f:
        document = parse_yaml(f.read(), path)
    stage = (document.get("stages") or {}).get(name)
    if stage is None:
        return
    body = stage.get("do", stage)
    if what == "drop":
        del document["stages"][name]
    elif what == "cmd":
        body["cmd"] = [body["cmd"], "true"] if isinstance(body["cmd"], str) else body["cmd"][:-1] or "true"
    elif what == "dep":
        body["deps"] = [*body.get("deps", []), INPUTS[n % len(INPUTS)]] if n % 2 else body.get("deps", [])[1:]
    elif what == "out":
        body["outs"] = [*body.get("outs", []), f"{name}.more"] if n % 3 else body.get("outs", [])[1:]
    else:
        body["frozen"] = not body.get("frozen", False)
    write(path, dumps_yaml(document))


def edit(root, action):
    kind, *rest = action
    if kind == "write":
        write(path_in(root, rest[0]), rest[1])
    elif kind == "yaml":
        from dvc.utils.serialize import dumps_yaml

        write(path_in(root, rest[0]), dumps_yaml(rest[1]))
    elif kind == "remove":
        remove(path_in(root, rest[0]))
    elif kind == "touch" and os.path.exists(path_in(root, rest[0])):
        os.utime(path_in(root, rest[0]))
    elif kind == "mode":
        change_mode(path_in(root, rest[0]))
    elif kind == "object":
        drop_object(root, rest[0])
    elif kind == "toggle":
        full = path_in(root, rest[0])
        remove(full) if os.path.exists(full) else write(full, "")
    elif kind == "stage":
        edit_stage(root, *rest)


# ---- Two repositories


def snapshot(root):
    """path -> mode and content, as far as a person, git or the other program would see it."""
    found = {}
    for folder, folders, files in os.walk(root):
        inner = os.path.relpath(folder, root)
        for name in list(folders):
            path = os.path.normpath(os.path.join(inner, name))
            if path in LEFT_OUT:
                folders.remove(name)
            elif os.path.islink(os.path.join(folder, name)):
                found[path] = "link"
        for name in files:
            path, full = os.path.normpath(os.path.join(inner, name)), os.path.join(folder, name)
            found[path] = describe(full, path, root)
    return found


def describe(full, path, root):
    about = os.lstat(full)
    if stat.S_ISLNK(about.st_mode):
        return "link to " + os.readlink(full).replace(root, "ROOT")
    with open(full, "rb") as f:
        data = f.read()
    mode = f"{stat.S_IMODE(about.st_mode):o} {about.st_nlink} "
    if path.startswith(".dvc/cache/files"):
        return mode + hashlib.md5(data).hexdigest()
    text = data.decode(errors="replace")
    if os.path.basename(path) == ".gitignore":
        text = peer_text.sorted_lines(text)
    return mode + text


def environment(top):
    git = {f"GIT_{who}_{what}": "t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {f"GIT_{who}_DATE": "2026-01-02T03:04:05Z" for who in ("AUTHOR", "COMMITTER")}
    folders = {f"DVC_{what}_CONFIG_DIR": top + "/none" for what in ("GLOBAL", "SYSTEM")}
    return {
        "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **git, **dates, **folders,
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": top + "/site", "NEPHRON_REDIS_URL": "none", "COLUMNS": "200",
    }  # fmt: skip


SORTED = ("status", "dag", "stage", "params", "metrics", "diff", "data", "checkout", "pull", "push", "fetch", "commit", "gc")


def ordered_names(match):
    return match[1] + " ".join(sorted(re.findall(r"'[^']*'", match[2]))) + match[3]


def answer_text(words, answer, root):
    code, out, err = answer
    if "--json" in words and out[:1] in ("{", "["):
        out = json.dumps(peer_text.ordered(json.loads(out)), indent=1)
    out, err = peer_text.plain(out, root), peer_text.plain(err, root)
    if words[0] == "repro" and "--dry" in words:  # docs/reference.md: DVC looks up what is recorded
        out = re.sub(r"(?m)^Stage '.*' is cached - skipping run, checking out outputs\n", "", out)
    if words[0] == "push" and "Missing cache files" in err:  # DVC counts a folder's list that it did not push
        out = re.sub(r"\d+ files? pushed", "N files pushed", out)
    if words[0] == "status" and code != 0:  # of the targets before the wrong one
        err = re.sub(r"(?m)^WARNING: stage: .* is frozen\. .*\n?", "", err)
    err = re.sub(r"(?m)^WARNING: left out: .*\n?", "", err)  # docs/reference.md: DVC does so in silence
    # The first that is met.
    err = re.sub(r"(No such file or directory: 'ROOT/data)/.*'", r"\1/SOME'", err)
    if words[0] == "data":  # docs/reference.md: DVC names sub-folders, too
        out = re.sub(r'(?m)^ *(unknown: .*/\n|"[^"]*/",?\n)', "", out)
    # Part of the stages: DVC's order of those that have nothing to do with one another is that of a Python set.
    part = words[0] == "repro" and any(not w.startswith("-") for w in words[1:])
    if part and code != 0:
        out = ""
    if words[0] in SORTED or part:
        out = peer_text.sorted_lines(out)
    else:
        skipped = sorted(re.findall(r"(?m)^.*\.dvc' didn't change, skipping$|^Verifying data sources in .*$", out))
        kept = [line for line in out.split("\n") if line not in skipped]
        out = "\n".join(kept + (skipped if code == 0 else []))  # a failure: those that were met before it
    # Several stages that are wrong: which one is named first is chance. Usage lines are each side's own.
    if "-q" in words:
        err = ""  # DVC says nothing at all, Nephron what is wrong
    err = re.sub(r"(?m)^(WARNING: Stages )(.*)( will be skipped due to this failure)$", ordered_names, err)
    # Of several stages that changed, the first one that is met.
    err = re.sub(r"unable to commit changed stage: '.*'", "unable to commit changed stage: SOME", err)
    err = peer_text.sorted_lines(re.sub(r"(?m)^usage:.*(\n\s+.*)*\n?", "", err))
    return f"exit {code}\n{out}\n-- stderr\n{err}"


class Twins:
    def __init__(self, top):
        self.top, self.env, self.over = top, environment(top), False
        self.modes = self.torn = False  # see excused
        self.roots = [os.path.join(top, side, "r") for side in ("dvc", "own")]
        shutil.rmtree(top, ignore_errors=True)
        for root in self.roots:
            os.makedirs(root)
            self.git(root, "init", "-q", "-b", "main", ".")
            self.own(root, ["init", "-q"])
            self.own(root, ["remote", "add", "-q", "-d", "r", "../remote"])
            self.git(root, "add", "-A")
            self.git(root, "commit", "-q", "-m", "init")

    def git(self, root, *words):
        subprocess.run(["git", *words], cwd=root, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def own(self, root, words):
        done = subprocess.run([NEPHRON, *words], cwd=root, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def do(self, action):
        """The difference it makes, as text, or None."""
        if action[0] == "commit":
            for root in self.roots:
                self.git(root, "add", "-A")
                self.git(root, "commit", "-q", "-m", "x")
        elif action[0] == "back":
            for root in self.roots:
                self.git(root, "checkout", "-q", "HEAD~1", "--", ".")
        elif action[0] == "dvc":
            theirs, ours = self.roots
            a, b = dvc_peer.run(action[1], theirs, self.env), self.own(ours, action[1])
            return self.difference(action[1], a, b)
        else:
            for root in self.roots:
                edit(root, action)
            self.modes = self.modes or action[0] == "mode"
        return None

    def excused(self, words, a, b):
        """Where DVC is broken: the case ends."""
        if words[0] == "commit" and any("/" in word for word in words[1:]):
            self.torn = True
        if "unexpected error" in a[2]:  # an exception that nobody thought of
            return True
        # Two things are wrong, and each names another.
        if a[0] == b[0] != 0 and ("not found inside" in a[2] and "failed to parse" in b[2] or " is specified in:" in a[2]):
            return True
        if re.search(r"a parametrized stage: '[^@]*'$", a[2].strip()):  # docs/reference.md: Nephron does it
            return True
        if words[0] in ("freeze", "unfreeze") and a[0] == 0 and self.lists_sorted():
            return True
        # Another stage that is broken is nothing to Nephron.
        if words[0] in ("freeze", "unfreeze", "remove") and "failed to parse 'stages." in a[2]:
            return True
        # The name of a group is nothing to DVC: its definition is overwritten without --force.
        if words[:2] == ["stage", "add"] and a[0] == 0 and self.is_group(words[3]):
            return True
        if words[0] in ("checkout", "pull"):
            # A file's mode that is not the recorded one: "modified" each time, and nothing is done about it.
            if self.modes:
                return True
            # A commit of a part of a folder makes it an output that nothing names: removed, and then restored.
            if self.torn and re.search(r"(?m)^D\s", a[1]):
                return True
        # A folder's list that is gone: what DVC does depends on whether its private database remembers it.
        if words[0] in ("checkout", "pull", "data") and lists_missing(self.roots[0]):
            return True
        return words[0] == "add" and a[0] == b[0] != 0 and "overlapping" in b[2]  # and one of them is missing

    def lists_sorted(self):
        """Do the two dvc.yaml differ in the order of lists alone?"""
        from dvc.utils.serialize import parse_yaml

        texts = []
        for root in self.roots:
            with open(os.path.join(root, "dvc.yaml"), encoding="utf-8") as f:
                texts.append(f.read())
        a, b = (peer_text.ordered(json.loads(json.dumps(parse_yaml(text, "")))) for text in texts)
        return texts[0] != texts[1] and a == b

    def is_group(self, name):
        """Was it one, a moment ago? Asked of the repository that still has it."""
        with open(os.path.join(self.roots[1], "dvc.yaml"), encoding="utf-8") as f:
            return bool(re.search(rf"(?m)^  {name}:\n    (foreach|matrix):", f.read()))

    def difference(self, words, a, b):
        theirs, ours = self.roots
        if self.excused(words, a, b):
            self.over = True
            return None
        texts = answer_text(words, a, theirs), answer_text(words, b, ours)
        lines = unified(*texts) if texts[0] != texts[1] else []
        trees = [{**snapshot(root), **{"remote/" + k: v for k, v in snapshot(os.path.join(root, "../remote")).items()}} for root in self.roots]
        for path in sorted(set(trees[0]) | set(trees[1])):
            if trees[0].get(path) == trees[1].get(path):
                continue
            if re.match(r"\.dvc/cache/[0-9a-f]{2}/", path) and path not in trees[1]:
                continue  # DVC stores the list of a folder that is not cached as DVC 2 did, now and then
            if (a[0] != 0 or "--allow-missing" in words) and left_by_failure(words, path, trees[0].get(path), trees[1].get(path)):
                self.over = True
                continue
            lines.append(f"== {path}")
            lines += unified(trees[0].get(path, "absent"), trees[1].get(path, "absent"))
        return "\n".join(lines) if lines else None


def left_by_failure(words, path, theirs, ours):
    """May a command that failed have left this file to one alone? That ends the case."""
    if words[0] == "commit":
        return True  # what was done before depends on the order of files
    if words[0] == "add" and os.path.basename(path) == ".gitignore":
        return True  # DVC takes back the lines of the targets that were added
    if words[0] == "repro":
        # DVC takes back all new lines of .gitignore, and has removed, or unprotected, the outputs of a stage that lacks
        # something.
        same = theirs and ours and (theirs.split(" ")[2:] == ours.split(" ")[2:] or ours.startswith("link to ROOT/.dvc"))
        return os.path.basename(path) == ".gitignore" or ((same or not theirs) and not path.startswith(".dvc/"))
    # DVC removes an output of which something is missing; with hard links the cache shows it.
    linked = theirs and ours and re.sub(r" \d+ ", " ", theirs, count=1) == re.sub(r" \d+ ", " ", ours, count=1)
    return words[0] in ("checkout", "pull") and (linked or (not theirs and not path.startswith(".dvc/")))


def lists_missing(root):
    """Is a folder recorded whose list the cache lacks?"""
    recorded = [os.path.join(p, f) for p, _, files in os.walk(root) for f in files if f == "dvc.lock" or f.endswith(".dvc")]
    for path in recorded:
        with open(path, encoding="utf-8") as f:
            for md5 in re.findall(r"\b[0-9a-f]{32}\.dir\b", f.read()):
                if not os.path.exists(os.path.join(root, ".dvc/cache/files/md5", md5[:2], md5[2:])):
                    return True
    return False


def unified(a, b):
    import difflib

    return list(difflib.unified_diff(a.split("\n"), b.split("\n"), "DVC", "Nephron", n=2, lineterm=""))[2:]


# ---- Runs


def play(actions, top):
    """(how many actions were done, the difference or None)"""
    twins = Twins(top)
    for i, action in enumerate(actions):
        found = twins.do(action)
        if found or twins.over:
            return i + 1, found
    return len(actions), None


def kind_of(found):
    """What differs, without the details: so that a case is not shortened to another difference."""
    return sorted(re.sub(r"/[0-9a-f]{20,}", "", line) for line in found.split("\n") if line.startswith("== ")) or "answer"


def shrunk(actions, found, top):
    """Fewer actions that still end in such a difference, tried from the last to the first."""
    i = len(actions) - 2
    while i >= 0:
        fewer = actions[:i] + actions[i + 1 :]
        done, other = play(fewer, top)
        if other and done == len(fewer) and kind_of(other) == kind_of(found):
            actions, found = fewer, other
        i -= 1
    return actions, found


def script(actions):
    for action in actions:
        if action[0] == "yaml":
            from dvc.utils.serialize import dumps_yaml

            yield f"{action[1]}:\n" + re.sub("(?m)^", "    ", dumps_yaml(action[2]).rstrip())
        elif action[0] == "dvc":
            yield "$ dvc " + " ".join(f"'{w}'" if " " in w else w for w in action[1])
        else:
            yield " ".join(repr(w) if i else str(w) for i, w in enumerate(action))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("seed")
    parser.add_argument("count", type=int)
    parser.add_argument("--steps", type=int, default=14)
    parser.add_argument("--only", type=int)
    parser.add_argument("--no-shrink", action="store_true")
    args = parser.parse_args()
    dvc_peer.preload()
    different = commands = 0
    with tempfile.TemporaryDirectory(prefix="nephron-twins-") as top:
        top = os.path.realpath(top)
        for case in range(args.count) if args.only is None else [args.only]:
            actions = Maker(random.Random(f"{args.seed}:{case}")).case(args.steps)
            done, found = play(actions, top + "/t")
            commands += sum(a[0] == "dvc" for a in actions[:done])
            if found:
                different += 1
                actions = actions[:done]
                if not args.no_shrink:
                    actions, found = shrunk(actions, found, top + "/t")
                print(f"---- case {args.seed} {case}\n" + "\n".join(script(actions)) + "\n" + found, flush=True)
    print(f"{args.count} cases, {commands} commands, {different} differences")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
