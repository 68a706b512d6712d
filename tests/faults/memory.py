#!/usr/bin/env python3
"""Memory runs out: the n-th allocation of a command fails, and every one after it, most libraries included. The command
ends with a status and words (no signal, no silence), and the same command without a fault then completes, with
everything as in the undisturbed run.

  memory.py [SCENARIO[:N]]…     every 7th n, from a seeded start; NEPHRON_FAULTS_ALL=1: every n
"""

import os
import shutil
import sys

from faultlib import (ALL, NEPHRON, Report, Shim, difference, fresh, leftovers, must, nephron, seeded, torn, tree,
                      work_folder)
from sweep import SCENARIOS

COMMANDS = ["repro", "add", "checkout", "commit", "push", "pull", "config", "stage-add"]
STRIDE = 7  # of CI
# OpenSSL 3.0 initialises itself at the first digest and crashes when memory is out then; glibc 2.36 does the same when
# it looks up a user's name.
SPARED = "libcrypto.so,libc.so"


def one(name, n, template, repo, oracle, shim, report):
    s = SCENARIOS[name]
    fresh(template, repo)
    r = shim.run([NEPHRON] + s.words, repo, repo, "malloc", n, "ENOMEM", True, timeout=60,
                 FAULT_SPARE=SPARED)
    if r.fired == 0:
        return False
    problems = []
    if isinstance(r.code, str) or r.code < 0 or 125 < r.code < 251:
        problems.append("ends with %s" % r.code)
    elif r.code == 0 and difference(oracle, tree(repo)):
        problems.append("exit 0, but not as the undisturbed run:\n" + difference(oracle, tree(repo)))
    elif r.code != 0 and not (r.err + r.out).strip():
        problems.append("exit %d without a word" % r.code)
    complaint = torn(repo)
    if complaint:
        problems.append(complaint)
    again = nephron(s.again, repo)
    if again.code != 0:
        problems.append("afterwards: exit %s: %s" % (again.code, again.err[-400:]))
    elif difference(oracle, tree(repo)):
        problems.append("afterwards, not as the undisturbed run:\n" + difference(oracle, tree(repo)))
    elif leftovers(repo):
        problems.append("left behind: %s" % leftovers(repo)[:3])
    if problems:
        problems.append("it said: " + (r.err + r.out)[-500:])
    report.case("%s:%d" % (name, n), problems)
    return True


def main():
    report, rng = Report(), seeded()
    folder = work_folder("memory")
    shim, template, repo = Shim(folder), folder + "/template", folder + "/repo"
    try:
        for word in sys.argv[1:] or COMMANDS:
            name, _, only = word.partition(":")
            shutil.rmtree(template, ignore_errors=True)
            SCENARIOS[name].make(template)
            fresh(template, repo)
            must(nephron(SCENARIOS[name].words, repo), name)
            oracle = tree(repo)
            step = 1 if ALL else STRIDE
            n = int(only) if only else 1 if ALL else 1 + rng.randrange(step)
            while one(name, n, template, repo, oracle, shim, report) and not only:
                n += step
            print("%s: up to allocation %d" % (name, n))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
