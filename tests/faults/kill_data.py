#!/usr/bin/env python3
"""kill -9 in the middle of add, import-url, import, gc and fsck --repair. After each kill:

  - no object lies under a wrong name (but one that fsck was called for), dvc.yaml and .dvc files parse
  - every file of the person is there with its content
  - the same command again works, and files and cache are then those of an undisturbed run, without temporary files

  kill_data.py [NAME [N]]     one command, one kill

NEPHRON_FAULTS_ALL=1: before each call that changes something; else some forty of them for each command.
"""

import os
import shutil
import sys

from faultlib import (ALL, NEPHRON, WRITING, Report, Shim, difference, fresh, leftovers, must, nephron, run, seeded, torn,
                      tree, work_folder, wrong_objects)

CALLS = "unlink,rmdir,chmod," + WRITING


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def data(top):
    """The files of a person: one alone, and a folder."""
    write(top + "/f", "alone\n")
    for i in range(4):
        write("%s/d/sub%d/x%d" % (top, i % 2, i), "member %d\n" % i)


def repo(top):
    os.makedirs(top)
    run(["git", "init", "-q", "."], top)
    must(nephron(["init", "-q"], top), "init")
    return top


def for_add(top, source):
    data(repo(top))


def for_import_url(top, source):
    data(source)
    repo(top)


def for_import(top, source):
    data(repo(source))
    must(nephron(["add", "-q", "f", "d"], source), "add")
    for words in (["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "1"]):
        must(run(["git"] + words, source), "git")
    repo(top)


def for_gc(top, source):
    data(repo(top))
    write(top + "/d/old", "not used any more\n")
    must(nephron(["add", "-q", "f", "d"], top), "add")
    os.unlink(top + "/d/old")
    must(nephron(["add", "-q", "d"], top), "add")


def for_fsck(top, source):
    data(repo(top))
    must(nephron(["add", "-q", "f", "d"], top), "add")
    for folder, _, files in os.walk(top + "/.dvc/cache/files/md5"):
        for name in files:
            path = os.path.join(folder, name)
            with open(path) as f:
                text = f.read()
            if text in ("alone\n", "member 2\n"):
                os.chmod(path, 0o644)
                write(path, "rotten\n")
                os.chmod(path, 0o444)


# The preparation, the command, the files that are a person's.
COMMANDS = {
    "add": (for_add, lambda source: ["add", "f", "d"], True),
    "import-url": (for_import_url, lambda source: ["import-url", "-f", source + "/d", "imp"], False),
    "import": (for_import, lambda source: ["import", "-f", source, "d", "-o", "imp"], False),
    "gc": (for_gc, lambda source: ["gc", "-w", "-f"], True),
    "fsck": (for_fsck, lambda source: ["fsck", "--repair"], True),
}


def contents(top):
    found = {}
    for folder, folders, files in os.walk(top):
        folders[:] = [x for x in folders if x not in (".git", ".dvc")]
        for name in files:
            if not name.endswith(".dvc") and name not in (".gitignore", ".dvcignore") and not name.startswith(".nephron-"):
                with open(os.path.join(folder, name)) as f:
                    found[os.path.relpath(os.path.join(folder, name), top)] = f.read()
    return found


def after_kill(top, rotten, owned):
    problems = []
    wrong = [path for path in wrong_objects(top + "/.dvc/cache") if os.path.relpath(path, top) not in rotten]
    if wrong:
        problems.append("objects with other content: %s" % wrong[:3])
    complaint = torn(top)
    if complaint:
        problems.append(complaint)
    have = contents(top)
    for path, text in owned.items():
        if have.get(path) != text:
            problems.append("lost: %s (%r instead of %r)" % (path, have.get(path), text))
    return problems


def again(top, words, codes, oracle):
    if words[0].startswith("import"):
        shutil.rmtree(top + "/imp", ignore_errors=True)  # else the copy goes into it, as in DVC
    r = nephron(words, top)
    problems = [] if r.code in codes else ["the same again: exit %s: %s" % (r.code, r.err[-500:])]
    if wrong_objects(top + "/.dvc/cache"):
        problems.append("wrong objects at the end: %s" % wrong_objects(top + "/.dvc/cache")[:3])
    different = difference(oracle, tree(top, any_order=True))
    if different:
        problems.append("not as the undisturbed run:\n" + different)
    if leftovers(top):
        problems.append("left behind: %s" % leftovers(top)[:3])
    return problems


def command(folder, report, rng, name, only):
    template, top, source = folder + "/template-" + name, folder + "/repo", folder + "/source-" + name
    prepare, words_of, mine = COMMANDS[name]
    shim, words = Shim(folder), words_of(source)
    prepare(template, source)
    owned = contents(template) if mine else {}
    rotten = {os.path.relpath(path, template) for path in wrong_objects(template + "/.dvc/cache")}
    fresh(template, top)
    r = shim.run([NEPHRON] + words, top, top, CALLS)
    code, oracle, calls = r.code, tree(top, any_order=True), r.count
    report.case(name + ": undisturbed", [] if code == (name == "fsck") and calls >= 4 else ["exit %s, %d calls: %s" % (code, calls, r.err)])
    step = 1 if ALL else max(1, calls // 40)
    for n in [only] if only else range(1 + rng.randrange(step), calls + 1, step):
        fresh(template, top)
        r = shim.run([NEPHRON] + words, top, top, CALLS, n, "KILL")
        problems = [] if r.fired else ["call %d never came" % n]
        problems += after_kill(top, rotten, owned) + again(top, words, {0, code}, oracle)
        if problems:
            problems.append("killed at: " + r.what)
        report.case("%s:%d" % (name, n), problems)
    print("%s: %d calls, every %d. of them" % (name, calls, step))


def main():
    report, rng = Report(), seeded()
    folder = work_folder("kill-data")
    names = sys.argv[1:2] or list(COMMANDS)
    try:
        for name in names:
            command(folder, report, rng, name, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    finally:
        if os.environ.get("NEPHRON_KEEP") == "1":
            print("kept: " + folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
