#!/usr/bin/env python3
"""Power loss. libfault.so writes down, in order, every change that a repro and an add make to the file system, with
all syncs. From prefixes of that log the states are rebuilt that a disk may hold after a crash, and each must recover:
the next command works, ends as an undisturbed one, and nothing that was told as done is done again.

A state is a prefix of the log and two choices (after ALICE, Pillai et al., OSDI 2014):
  names   "ordered": names made, renamed and removed become durable in the order they were made, up to some point that
          lies not before the last sync (journalled file systems: a sync carries all earlier changes of names with it);
          "loose": every change of a name that its folder was not synced after is there or not, each by itself; but
          what was synced can be reached: the folders above it are there
  data    written and not synced since: all there, none of it, zeros of the right size, or a torn part; of what was
          appended to by small writes, the first so many (sizes grow after the blocks are written)

  power.py [SCENARIO[:CUT:SEED]]…
  power.py mutants     removes one kind of sync at a time: the states must then fail, or the test proves nothing
NEPHRON_FAULTS_ALL=1: 5,000 states instead of 300.
"""

import os
import random
import re
import shutil
import sys

from faultlib import (ALL, NEPHRON, Report, Shim, difference, fresh, must, nephron, run, seeded, torn, tree, work_folder,
                      wrong_objects)

STATES = 5000 if ALL else 300


class Inode:
    def __init__(self, number, kind, data=b"", mode=None):
        self.number, self.kind, self.data, self.mode = number, kind, data, mode
        self.synced = data  # content at the last sync
        self.ends = []  # sizes after each write since, while all were appended


def repository(top, log):
    os.makedirs(top)
    run(["git", "init", "-q", "."], top)
    must(nephron(["init", "-q"], top), "init")
    with open(top + "/in", "w") as f:
        f.write("data " * 200)
    with open(top + "/big", "w") as f:
        f.write("many words\n" * 3000)
    for i in range(0, 256, 2):  # the others come as a whole
        os.makedirs(top + "/.dvc/cache/files/md5/%02x" % i)
    os.makedirs(top + "/many/below")
    for i in range(20):  # enough to be synced together
        with open(top + "/many/%s%d" % ("below/" if i % 2 else "", i), "w") as f:
            f.write("word %d\n" % i * (3000 if i == 7 else 30))
    with open(top + "/dvc.yaml", "w") as f:
        f.write("""\
stages:
  one:
    cmd: echo x >> %s/one; cat in in > one.out
    deps: [in]
    outs: [one.out]
  two:
    cmd: echo x >> %s/two; mkdir two; cat one.out > two/a; echo b > two/b
    deps: [one.out]
    outs: [two]
  three:
    cmd: echo x >> %s/three; cat two/b > three.out
    deps: [two]
    outs: [three.out]
""" % (log, log, log))


SCENARIOS = {"repro": ["repro"], "add": ["add", "big"], "batch": ["add", "many"]}


def read_log(path):
    """(op, inode, offset, a, b, data) for each record; see libfault.c."""
    found = []
    with open(path, "rb") as f:
        while True:
            head = f.readline().split()
            if not head:
                return found
            op, inode, offset, a, b, n = head[0].decode(), *map(int, head[1:])
            found.append((op, inode, offset, f.read(a).decode(), f.read(b).decode(), f.read(n)))


class Disk:
    """What a prefix of the log leaves: names changed so far, content of files, and what of both is durable."""

    def __init__(self, top):
        self.top = top
        self.names = {}  # path below the repository -> Inode, now
        self.files = {}  # inode number -> Inode, now
        self.changes = []  # [order of a change of names] (path, Inode or None)…, durable?
        for folder, folders, files in os.walk(top):
            for name in folders + files:
                full = os.path.join(folder, name)
                st = os.lstat(full)
                kind = "folder" if os.path.isdir(full) and not os.path.islink(full) else "file"
                data = b""
                if kind == "file":
                    with open(full, "rb") as f:
                        data = f.read()
                node = Inode(st.st_ino, kind, data, st.st_mode & 0o7777)
                self.names[full] = self.files[st.st_ino] = node
        self.start = dict(self.names)

    def change(self, *pairs):
        for path, node in pairs:
            if node is None:
                self.names.pop(path, None)
            else:
                self.names[path] = node
        self.changes.append([pairs, False])

    def apply(self, record):
        op, number, offset, a, b, data = record
        if op == "create":
            node = self.files[number] = Inode(number, "file", mode=offset)
            self.change((a, node))
        elif op == "mkdir":
            self.change((a, Inode(0, "folder")))
        elif op in ("unlink", "rmdir"):
            self.change((a, None))
        elif op == "rename":
            moved = [(b + path[len(a):], node) for path, node in self.names.items() if path.startswith(a + "/")]
            gone = [(path, None) for path in self.names if path.startswith(a + "/")]
            self.change((b, self.names.get(a)), (a, None), *moved, *gone)
        elif op == "link":
            self.change((b, self.names.get(a)))
        elif op == "write" and number in self.files:
            node = self.files[number]
            appended = offset == len(node.data) and len(node.data) + len(data) <= 4096
            node.data = node.data[:offset].ljust(offset, b"\0") + data + node.data[offset + len(data):]
            node.ends = node.ends + [len(node.data)] if appended and node.ends is not None else None
        elif op == "truncate" and number in self.files:
            node = self.files[number]
            node.data = node.data[:offset].ljust(offset, b"\0")
            node.ends = None
        elif op == "sync" and number in self.files:
            self.files[number].synced, self.files[number].ends = self.files[number].data, []
        elif op == "mode" and number in self.files:
            self.files[number].mode = offset  # a mode that says "whole" must not come before the content
        elif op == "syncall":
            for node in self.files.values():
                node.synced, node.ends = node.data, []
            for entry in self.changes:
                entry[1] = True
        if op in ("sync", "syncdir", "syncall"):
            self.carried = len(self.changes)
            for entry in self.changes:
                path, node = entry[0][0]
                reached = node is not None and node.kind == "folder" and (a + "/").startswith(path + "/")
                if reached or op == "syncdir" and any(os.path.dirname(path) == a for path, _ in entry[0]):
                    entry[1] = True

    carried = 0

    def crash(self, rng):
        """One state that may be found afterwards: names, what became of unsynced data, and the model."""
        model = rng.choice(["ordered", "loose"])
        names = dict(self.start)
        until = rng.randint(self.carried, len(self.changes))
        for i, (pairs, durable) in enumerate(self.changes):
            kept = i < until if model == "ordered" else durable or rng.random() < 0.5
            if not kept:
                continue
            for path, node in pairs:
                if node is None:
                    names.pop(path, None)
                else:
                    names[path] = node
        fate = {}
        for node in self.files.values():
            if node.data != node.synced:
                fate[node] = rng.choice(["all", "none", "zeros", "torn"])
        return names, fate, model

    @staticmethod
    def content(node, fate, rng):
        what = fate.get(node, "all")
        if what == "none":
            return node.synced
        if what != "all" and node.ends:
            return node.data[: rng.choice(node.ends)]
        if what == "zeros":
            same = 0
            while same < min(len(node.data), len(node.synced)) and node.data[same] == node.synced[same]:
                same += 1
            return node.data[:same].ljust(len(node.data), b"\0")
        if what == "torn":
            return node.data[: rng.randrange(len(node.data) + 1)]
        return node.data


def write_state(disk, names, fate, rng, to):
    shutil.rmtree(to, ignore_errors=True)
    os.makedirs(to)
    for path in sorted(names):
        node, full = names[path], to + path[len(disk.top):]
        parent = os.path.dirname(full)
        if not os.path.isdir(parent):
            continue  # its folder was lost
        if node.kind == "folder":
            if not os.path.exists(full):
                os.mkdir(full)
        elif not os.path.isdir(full):
            with open(full, "wb") as f:
                f.write(Disk.content(node, fate, rng))
            if node.mode is not None:
                os.chmod(full, node.mode)
    return to


class Power:
    def __init__(self, name, folder, report, swallow=None):
        self.name, self.words, self.report = name, SCENARIOS[name], report
        self.folder, self.log, self.repo = folder, folder + "/log", folder + "/repo"
        template = folder + "/template"
        for path in (self.log, template):
            shutil.rmtree(path, ignore_errors=True)
        os.makedirs(self.log)
        repository(template, self.log)
        # the oracle
        fresh(template, self.repo)
        must(nephron(self.words, self.repo), name)
        self.oracle = tree(self.repo, any_order=True)
        # the recording
        fresh(template, self.repo)
        self.disk = Disk(self.repo)
        record = folder + "/record"
        open(record, "w").close()
        r = Shim(folder).run([NEPHRON] + self.words, self.repo, self.repo, "", FAULT_LOG=record, FAULT_PROGRAM="*",
                             LD_BIND_NOW="1")
        must(r, "the recording")
        records = read_log(record)
        told = list(self.told_after(records))
        kept = [i for i in range(len(records)) if not (swallow and swallow(records[i]))]
        self.records, self.told = [records[i] for i in kept], [told[i] for i in kept]

    @staticmethod
    def told_after(records):
        """For each record the stages that are done once it is on the disk: their line in the journal is synced."""
        journal, waiting, done = None, set(), frozenset()
        for op, inode, _, a, _, data in records:
            if op == "create" and a.endswith("/nephron/journal"):
                journal = inode
            elif op == "write" and inode == journal:
                waiting |= {word.decode() for word in re.findall(rb'"stage": ?"(\w+)"', data)}
            elif op == "sync" and inode == journal:
                done, waiting = done | waiting, set()
            yield done

    def one(self, cut, seed):
        rng = random.Random(seed)
        disk = Disk.__new__(Disk)
        disk.__dict__.update(names=dict(self.disk.start), start=self.disk.start, top=self.disk.top, changes=[], carried=0)
        disk.files = {node.number: Inode(node.number, node.kind, node.data, node.mode)
                      for node in self.disk.start.values()}
        disk.names = {path: disk.files[node.number] if node.kind == "file" else node
                      for path, node in self.disk.start.items()}
        disk.start = dict(disk.names)
        for record in self.records[:cut]:
            disk.apply(record)
        finished = cut == len(self.records)
        names, fate, model = disk.crash(rng)
        for name in os.listdir(self.log):
            os.unlink(os.path.join(self.log, name))
        repo = write_state(disk, names, fate, rng, self.repo)
        problems = []
        complaint = torn(repo)
        if complaint:
            problems.append(complaint)
        if finished:
            ours = lambda found: {k: v for k, v in found.items()
                                  if k.startswith(".dvc/cache/") and not k.endswith(".tmp") or k.endswith((".dvc", ".lock", ".gitignore"))}
            lost = difference(ours(self.oracle), ours(tree(repo, any_order=True)))
            if lost:
                problems.append("told as done, and lost:\n" + lost)
        r = nephron(self.words, repo)
        if r.code != 0:
            problems.append("the run afterwards: exit %s: %s" % (r.code, (r.err + r.out)[-400:]))
        else:
            problems += ["object with other content: " + path for path in wrong_objects(repo + "/.dvc/cache")]
            wrong = difference(self.oracle, {k: v for k, v in tree(repo, any_order=True).items() if not k.endswith(".tmp")})
            if wrong:
                problems.append("not as the undisturbed run:\n" + wrong)
        told = os.listdir(self.log) if finished else self.told[cut - 1] if cut else []
        again = set(os.listdir(self.log)) & set(told)
        if again:
            problems.append("told as done, and run again: %s" % sorted(again))
        if problems:
            problems.append("after: %s %s" % self.records[cut - 1][0::3][:2] if cut else "after: nothing")
            fates = {path[len(disk.top):]: fate[node] for path, node in names.items() if node in fate}
            problems.append("names %s, data %s" % (model, fates))
        return problems


def sweep(name, folder, report, rng, states, swallow=None, quiet=False):
    p = Power(name, folder, report, swallow)
    failed = 0
    grown = [i for i in range(1, len(p.told)) if p.told[i] != p.told[i - 1]]
    for i in range(states):
        cut = len(p.records) if i % 10 == 0 else rng.randrange(len(p.records) + 1)
        if quiet and grown and i % 2:  # where a promise was just made, whatever the timing of this run
            cut = min(rng.choice(grown) + rng.randint(1, 4), len(p.records))
        seed = rng.randrange(1 << 30)
        problems = p.one(cut, seed)
        failed += bool(problems)
        if not quiet:
            report.case("%s:%d:%d" % (name, cut, seed), problems)
        elif failed:
            break
    return failed


# Which sync is lost, and the scenario that must notice. The journal's is not here: whether dvc.lock is on the disk
# before it, and so stands in for it, depends on the timing of the recorded run.
class NamesTogether:
    """All syncs of the file system but the first, which is for the content; and that of the folder that the objects
    were renamed from, which would stand in for them."""

    def __init__(self):
        self.seen = 0

    def __call__(self, record):
        self.seen += record[0] == "syncall"
        return record[0] == "syncall" and self.seen > 1 or record[0] == "syncdir" and record[3].endswith("/files/md5")


class ContentTogether:
    """The first sync of the file system."""

    def __init__(self):
        self.seen = 0

    def __call__(self, record):
        self.seen += record[0] == "syncall"
        return record[0] == "syncall" and self.seen == 1


MUTANTS = {
    "objects": ("repro", lambda x: x[0] == "sync" and "/.dvc/cache/files/" in x[3]),
    "folders of objects": ("repro", lambda x: x[0] == "syncdir" and "/.dvc/cache/files/" in x[3]),
    "dvc.lock": ("repro", lambda x: x[0] in ("sync", "syncdir") and "/.dvc" not in x[3]),
    "many objects": ("batch", ContentTogether()),
    "many objects' names": ("batch", NamesTogether()),
    ".dvc files": ("add", lambda x: x[0] == "sync" and "/.dvc" not in x[3]),
}


def main():
    report, rng = Report(), seeded()
    folder = work_folder("power")
    words = sys.argv[1:] or ["repro", "add", "batch", "mutants"]
    try:
        for word in words:
            if word == "mutants":
                for name, (scenario, swallow) in MUTANTS.items():
                    failed = sweep(scenario, folder, report, rng, STATES, swallow, quiet=True)
                    report.case("mutant: without the sync of " + name,
                                [] if failed else ["no state of %d fails: nothing proves this sync" % STATES])
                continue
            name, _, rest = word.partition(":")
            if rest:
                cut, seed = map(int, rest.split(":"))
                report.case(word, Power(name, folder, report).one(cut, seed))
            else:
                sweep(name, folder, report, rng, STATES // 2 if name == "repro" else STATES // 4)
            print("%s: %d states so far, %d failed" % (name, report.cases, report.failed))
    finally:
        if os.environ.get("NEPHRON_KEEP") == "1":
            print("kept: " + folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
