#!/usr/bin/env python3
"""kill -9 at every moment of a repro. After each kill, before anything else runs:

  - dvc.yaml and dvc.lock parse, no object lies under a wrong name
  - every stage in dvc.lock has its outputs in the cache
  - after the next runs: no stage that was recorded has run again; each kill costs no more runs than stages were under
    way; and at the end files, lock and cache are those of an undisturbed run, without temporary files

  kill.py each [N]     before each call that changes something, three stages, by libfault.so; and after every 4th
  kill.py loop         thirty stages, at random moments: the session, the coordinator, a stage's command, Ctrl-C

NEPHRON_FAULTS_ALL=1: ten times as many kills in the loop.
"""

import concurrent.futures
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

from faultlib import (ALL, ENV, NEPHRON, WRITING, Report, Shim, difference, fresh, leftovers, must, nephron, run,
                      seeded, torn, tree, work_folder, wrong_objects)

CALLS = "unlink,rmdir,chmod," + WRITING


def pipeline(top, stages):
    """Each command notes in ../log that it ran."""
    os.makedirs(top)
    run(["git", "init", "-q", "."], top)
    must(nephron(["init", "-q"], top), "init")
    with open(top + "/in", "w") as f:
        f.write("data\n")
    with open(top + "/dvc.yaml", "w") as f:
        f.write("stages:\n")
        for i in range(stages):
            dep = "in" if i < 3 and stages > 3 or i == 0 else "o%d" % (i - (3 if stages > 3 else 1))
            f.write("  s%d:\n    cmd: echo x >> ../log/s%d; sleep %g; mkdir -p o%d; cat in > o%d/f; echo %d > o%d/g\n"
                    "    deps: [%s]\n    outs: [o%d]\n"
                    % (i, i, 0.02 if stages > 3 else 0, i, i, i, i, dep, i))


def runs(log):
    found = {}
    for name in os.listdir(log):
        with open(os.path.join(log, name)) as f:
            found[name] = len(f.readlines())
    return found


def recorded(repo):
    """Stage -> md5 of its output, as dvc.lock says; a complaint instead when it is not whole."""
    try:
        with open(repo + "/dvc.lock") as f:
            text = f.read()
    except FileNotFoundError:
        return {}
    if not text.endswith("\n"):
        return "dvc.lock is torn"
    found = {}
    for stage in re.split(r"^  (?=s\d+:$)", text, flags=re.M)[1:]:
        outs = stage.split("    outs:\n")
        if len(outs) != 2 or "md5: " not in outs[1]:
            return "dvc.lock lacks the outputs of " + stage.split(":")[0]
        found[stage.split(":")[0]] = re.search(r"md5: (\S+)", outs[1]).group(1)
    return found


def check(repo, log, before):
    """What must hold right after a kill; `before`: how often each recorded stage had run."""
    problems = []
    stages = recorded(repo)
    if isinstance(stages, str):
        return [stages], {}
    for name, md5 in stages.items():
        if not os.path.exists("%s/.dvc/cache/files/md5/%s/%s" % (repo, md5[:2], md5[2:])):
            problems.append("stage %s is in dvc.lock, its output %s not in the cache" % (name, md5))
    wrong = wrong_objects(repo + "/.dvc/cache")
    if wrong:
        problems.append("objects with other content: %s" % wrong[:3])
    complaint = torn(repo)
    if complaint:
        problems.append(complaint)
    now = runs(log)
    for name, count in before.items():
        if now.get(name, 0) != count:
            problems.append("stage %s was recorded and ran again" % name)
    return problems, {name: now.get(name, 0) for name in stages}


def finish(repo, log, oracle, before, allowed, stages):
    """The last run, undisturbed."""
    r = nephron(["repro"], repo)
    problems = [] if r.code == 0 else ["the run afterwards: exit %s: %s" % (r.code, r.err[-500:])]
    problems += check(repo, log, before)[0]
    wrong = difference(oracle, tree(repo, any_order=True))
    if wrong:
        problems.append("not as the undisturbed run:\n" + wrong)
    if leftovers(repo):
        problems.append("left behind: %s" % leftovers(repo)[:3])
    total = sum(runs(log).values())
    if total > stages + allowed:
        problems.append("%d runs of %d stages, %d extra are allowed" % (total, stages, allowed))
    return problems


def fresh_log(log):
    shutil.rmtree(log, ignore_errors=True)
    os.makedirs(log)


def each(folder, report, rng, only):
    log, template, repo = folder + "/log", folder + "/template", folder + "/repo"
    shim = Shim(folder)
    fresh_log(log)
    pipeline(template, 3)
    fresh(template, repo)
    must(nephron(["repro", "-q"], repo), "repro")
    oracle = tree(repo, any_order=True)
    for action in ("KILL", "KILLED_AFTER"):
        step = 1 if ALL or action == "KILL" else 4
        n = only or 1 + rng.randrange(step)
        while True:
            fresh_log(log)
            fresh(template, repo)
            r = shim.run([NEPHRON, "repro"], repo, repo, CALLS, n, action)
            if r.fired == 0:
                break
            problems, before = check(repo, log, {})
            problems += finish(repo, log, oracle, before, 1, 3)
            if problems:
                problems.append("%s at: %s" % (action, r.what))
            report.case("each:%s:%d" % (action, n), problems)
            if only:
                break
            n += step


def session_of(leader):
    """The processes of a session, the leader first."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                if int(fields[3]) == leader:
                    found.append(int(name))
            except (OSError, IndexError):
                pass
    return sorted(found, key=lambda pid: pid != leader)


def strike(leader, what):
    pids = session_of(leader)
    try:
        if what == "session":
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        elif what == "coordinator":
            os.kill(leader, signal.SIGKILL)
        elif what == "interrupt":
            os.kill(leader, signal.SIGINT)
        elif len(pids) > 1:
            os.kill(pids[1 + leader % (len(pids) - 1)], signal.SIGKILL)
    except ProcessLookupError:
        pass


EXITS = {"session": (-9, 137), "coordinator": (-9, 137), "stage": (-9, 1, 255, 0), "interrupt": (130, 1, 255)}


def turn(folder, template, oracle, report, rng, label):
    """Thirty stages, killed until they are through."""
    log, repo = folder + "/log", folder + "/repo"
    fresh_log(log)
    fresh(template, repo)
    jobs, kills, before, done = rng.choice([1, 3]), 0, {}, False
    while not done and kills < 200:
        p = subprocess.Popen([NEPHRON, "repro", "-j", str(jobs)], cwd=repo, env=ENV, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        try:
            p.wait(timeout=rng.uniform(0.01, 0.2) + 0.01 * kills)
            what, done = "nothing", p.returncode == 0
        except subprocess.TimeoutExpired:
            what = rng.choice(["session", "session", "coordinator", "stage", "interrupt"])
            strike(p.pid, what)
            if what == "stage":  # that one fails, or was the guard; the run is not over for long
                time.sleep(0.05)
                strike(p.pid, "coordinator")
        err = p.communicate(timeout=60)[1].decode(errors="replace")
        kills += what != "nothing"
        problems = []
        if p.returncode != 0 and p.returncode not in EXITS.get(what, ()):
            problems.append("exit %s after: %s" % (p.returncode, what))
        else:
            more, before = check(repo, log, before)
            problems += more
        if problems:
            problems.append("it said: " + err[-500:])
        if not report.case("%s kill %d (%s)" % (label, kills, what), problems):
            return
    report.case("%s end" % label, finish(repo, log, oracle, before, kills * jobs, 30))
    print("%s: -j %d, %d kills" % (label, jobs, kills))


def loop(folder, report, rng):
    folder += "/loop"
    log, template, repo = folder + "/log", folder + "/template", folder + "/repo"
    fresh_log(log)
    pipeline(template, 30)
    fresh(template, repo)
    must(nephron(["repro", "-q", "-j", "2"], repo), "repro")
    oracle = tree(repo, any_order=True)
    # Turns are mostly waiting, so they go on at the same time, each with moments of its own.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        turns = [pool.submit(turn, "%s/%d" % (folder, n), template, oracle, report, random.Random(rng.random()),
                             "loop turn %d" % n) for n in range(40 if ALL else 4)]
    for t in turns:
        t.result()


def main():
    report, rng = Report(), seeded()
    folder = work_folder("kill")
    words = sys.argv[1:] or ["each", "loop"]
    try:
        if "each" in words:
            each(folder, report, rng, int(words[-1]) if words[-1].isdigit() else 0)
        if "loop" in words:
            loop(folder, report, rng)
    finally:
        if os.environ.get("NEPHRON_KEEP") == "1":
            print("kept: " + folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
