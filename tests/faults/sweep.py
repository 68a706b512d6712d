#!/usr/bin/env python3
"""Every call fails once: a command runs with its first file-system call failing, then with its second, and so on
until it meets no fault any more; with several errors, once and for ever.

After each run: the exit status tells what happened (success, and then everything is as in the undisturbed run; or
failure with a message that names the cause), no file is torn, no object lies under a wrong name; then the same command
without a fault completes, everything is as in the undisturbed run, and no temporary file is left.

  sweep.py [SCENARIO[:CALLS:ACTION[:N]]]…     NEPHRON_FAULTS_ALL=1: every n of every error
"""

import os
import re
import shutil
import sys

from faultlib import (ALL, EVERYTHING, NEPHRON, WRITING, Report, Shim, difference, fresh, leftovers, must, nephron,
                      run, seeded, torn, tree, work_folder, wrong_objects)

STRERROR = {
    "ENOSPC": "No space left on device",
    "EIO": "Input/output error",
    "EDQUOT": "Disk quota exceeded",
    "EMFILE": "Too many open files",
    "EINTR": "Interrupted system call",
    "EROFS": "Read-only file system",
}

PIPELINE = """\
stages:
  one:
    cmd: cat in.txt in.txt > one.txt
    deps: [in.txt]
    outs: [one.txt]
  two:
    cmd: mkdir -p two/sub && cp one.txt two/a && echo deep > two/sub/b
    deps: [one.txt]
    outs: [two]
  three:
    cmd: "echo '{\\"acc\\": 0.5}' > m.json"
    deps: [two]
    params: [lr]
    metrics: [m.json: {cache: false}]
"""


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def repository(top):
    os.makedirs(top)
    run(["git", "init", "-q", "."], top)
    must(nephron(["init", "-q"], top), "init")


def pipeline(top):
    repository(top)
    put(top + "/dvc.yaml", PIPELINE)
    put(top + "/params.yaml", "lr: 1\n")
    put(top + "/in.txt", "content\n")


def done_pipeline(top):
    pipeline(top)
    must(nephron(["repro", "-q"], top), "repro")


def data(top):
    repository(top)
    put(top + "/file.bin", "some bytes\n" * 1000)
    put(top + "/folder/a", "a\n")
    put(top + "/folder/sub/b", "b\n")


def with_remote(top):
    done_pipeline(top)
    must(nephron(["remote", "add", "-d", "store", "remote"], top), "remote")


def pushed(top):
    with_remote(top)
    must(nephron(["push", "-q"], top), "push")
    for path in ("one.txt", "m.json"):
        os.unlink(os.path.join(top, path))
    for path in ("two", ".dvc/cache"):
        shutil.rmtree(os.path.join(top, path))


def removed(top):
    done_pipeline(top)
    os.unlink(top + "/one.txt")
    shutil.rmtree(top + "/two")


def edited(top):
    done_pipeline(top)
    os.unlink(top + "/one.txt")
    put(top + "/one.txt", "by hand\n")
    put(top + "/two/new", "new\n")


def archive(top):
    import zipfile
    os.makedirs(top)
    with zipfile.ZipFile(top + "/pictures.zip", "w") as z:
        for name in ("kidney-ct-scan-image/Normal/a.jpg", "kidney-ct-scan-image/Tumor/b.jpg"):
            z.writestr(name, name * 50)


TRAIN_CONFIG = """\
data_ingestion:
  root_dir: artifacts/data_ingestion
  source_URL: "phantom:?patients=3&slices=2&size=32&seed=3"
  local_data_file: artifacts/data_ingestion/data.zip
  unzip_dir: artifacts/data_ingestion
"""
TRAIN_PARAMS = """\
MODEL: vgg11
HEAD: linear
IMAGE_SIZE: [32, 32, 3]
BATCH_SIZE: 4
EPOCHS: 1
CLIP_NORM: 5
"""


def trainable(top):
    put(top + "/config/config.yaml", TRAIN_CONFIG)
    put(top + "/params.yaml", TRAIN_PARAMS)
    must(nephron(["ingest", "-q"], top), "ingest")
    must(nephron(["prepare", "-q"], top), "prepare")


class Scenario:
    """`make` builds the start; `words` is what fails; `again` what then must work (default: the same). CI looks at one
    n of `sample`; `heavy` ones have a test of their own."""

    def __init__(self, make, words, again=None, sample=1, heavy=False):
        self.make, self.words, self.again = make, words, again or words
        self.sample, self.heavy = sample, heavy


SCENARIOS = {
    "repro": Scenario(pipeline, ["repro"]),
    "repro-j2": Scenario(pipeline, ["repro", "-j", "2"], sample=4),
    "add": Scenario(data, ["add", "file.bin", "folder"], sample=3),
    "checkout": Scenario(removed, ["checkout"], sample=3),
    "commit": Scenario(edited, ["commit", "-f"], sample=3),
    "push": Scenario(with_remote, ["push"], sample=3),
    "pull": Scenario(pushed, ["pull", "--allow-missing"], sample=3),
    "config": Scenario(repository, ["config", "core.autostage", "true"], sample=2),
    "remote": Scenario(repository, ["remote", "add", "-d", "r", "/tmp/r"], ["remote", "add", "-f", "-d", "r", "/tmp/r"],
                       sample=2),
    "stage-add": Scenario(pipeline, ["stage", "add", "-n", "four", "-d", "m.json", "-o", "four.txt", "cp m.json four.txt"],
                          ["stage", "add", "-f", "-n", "four", "-d", "m.json", "-o", "four.txt", "cp m.json four.txt"],
                          sample=2),
    "init": Scenario(lambda top: (os.makedirs(top), run(["git", "init", "-q", "."], top)), ["init"], ["init", "-f"],
                     sample=2),
    "ingest": Scenario(archive, ["ingest", "--source", "pictures.zip", "--into", "data"], sample=4, heavy=True),
    "train": Scenario(trainable, ["train", "-q"], sample=60, heavy=True),
}

# What is swept in one pass of CI: (calls, error, for ever, one n of so many beyond the scenario's own sample).
CI = [(WRITING, "ENOSPC", False, 1), (EVERYTHING, "EIO", False, 2), (WRITING, "ENOSPC", True, 4),
      ("open,opendir", "EMFILE", True, 4), ("write,pwrite,read", "SHORT", False, 3), (EVERYTHING, "EINTR", False, 8)]
NIGHT = [(calls, error, ever, 1) for calls in (EVERYTHING,)
         for error in ("ENOSPC", "EIO", "EDQUOT", "EINTR", "EMFILE") for ever in (False, True)]
NIGHT.append(("write,pwrite,read", "SHORT", False, 1))


def stuck(r):
    """A temporary file that could not be removed stays: nobody can do more."""
    return r.what.startswith("unlink ")


def without_stuck(found, r):
    return {path: f for path, f in found.items() if not (stuck(r) and path.endswith(".tmp"))}


class Sweep:
    def __init__(self, name, folder, report, rng):
        self.name, self.s, self.report, self.rng = name, SCENARIOS[name], report, rng
        self.folder, self.shim = folder, Shim(folder)
        self.template, self.repo = folder + "/template", folder + "/repo"
        shutil.rmtree(self.template, ignore_errors=True)
        self.s.make(self.template)
        fresh(self.template, self.repo)
        must(nephron(self.s.words, self.repo), name)
        self.oracle = tree(self.repo)

    def one(self, calls, action, ever, n):
        repo = fresh(self.template, self.repo)
        r = self.shim.run([NEPHRON] + self.s.words, repo, repo, calls, n, action, ever)
        problems = []
        if r.fired == 0 and n > 0:
            return None
        if isinstance(r.code, str) or r.code < 0 or 125 < r.code < 251:
            problems.append("ends with %s" % r.code)
        elif r.code == 0:
            wrong = difference(self.oracle, without_stuck(tree(repo), r))
            if wrong:
                problems.append("exit 0, but not as the undisturbed run:\n" + wrong)
        elif action in STRERROR and STRERROR[action] not in r.err + r.out:
            problems.append("exit %d without the words '%s'" % (r.code, STRERROR[action]))
        if not problems:
            problems += self.after(repo, r)
        if problems:
            problems.append("the %s that failed: %s" % (action, r.what))
            problems.append("it said: " + (r.err + r.out)[-600:])
        return self.report.case("%s:%s:%s%s:%d" % (self.name, calls, action, "+" if ever else "", n), problems)

    def after(self, repo, r):
        problems = []
        wrong = wrong_objects(repo + "/.dvc/cache") + wrong_objects(repo + "/remote")
        if wrong:
            problems.append("objects with other content: %s" % wrong[:3])
        complaint = torn(repo)
        if complaint:
            problems.append(complaint)
        again = nephron(self.s.again, repo)
        if again.code != 0:
            problems.append("afterwards, without a fault: exit %s: %s" % (again.code, again.err[-400:]))
        wrong = difference(self.oracle, without_stuck(tree(repo), r))
        if wrong:
            problems.append("afterwards, not as the undisturbed run:\n" + wrong)
        left = leftovers(repo)
        if left and not stuck(r):
            problems.append("left behind: %s" % left[:3])
        return problems

    def sweep(self, calls, action, ever, step):
        step = 1 if ALL else step * self.s.sample
        n = 1 if step == 1 else 1 + self.rng.randrange(step)
        while self.one(calls, action, ever, n) is not None:
            n += step


def chosen(words):
    for word in words:
        name, _, rest = word.partition(":")
        parts = rest.split(":") if rest else []
        yield name, parts


def main():
    report, rng = Report(), seeded()
    folder = work_folder("sweep")
    try:
        for name, parts in chosen(sys.argv[1:] or [n for n in SCENARIOS if not SCENARIOS[n].heavy]):
            s = Sweep(name, folder, report, rng)
            if parts:
                ever = parts[1].endswith("+")
                action = re.sub(r"\+$", "", parts[1])
                if len(parts) > 2:
                    s.one(parts[0], action, ever, int(parts[2]))
                else:
                    s.sweep(parts[0], action, ever, 1)
            else:
                for calls, action, ever, step in NIGHT if ALL else CI:
                    s.sweep(calls, action, ever, step)
            print("%s: %d cases so far, %d failed" % (name, report.cases, report.failed))
            sys.stdout.flush()
    finally:
        if os.environ.get("NEPHRON_KEEP") != "1":
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print("kept: " + folder)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
