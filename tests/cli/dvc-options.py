"""Every command of the real DVC with its options, against what nephron takes.

    dvc-options.py NEPHRON REFERENCE.md

Run by the Python of the real DVC. A command of DVC that nephron lacks must be refused by name, and an option must be in the
command's table: what it does, or that it is not supported; both are then named in the reference's section "Not supported".
"""

import argparse
import re
import subprocess
import sys

from dvc.cli.parser import get_main_parser


def commands(parser, words=()):
    """(words, parser) of every command that help shows, under each of its names."""
    families = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    shown = {c.dest.split(" ")[0] for f in families for c in f._choices_actions}
    for family in families:
        known = {id(p) for name, p in family.choices.items() if name in shown}
        for name, sub in family.choices.items():
            if id(sub) in known:
                yield from commands(sub, (*words, name))
    if not families:
        yield words, parser


def options(parser):
    """The names of each option that help shows."""
    return [a.option_strings for a in parser._actions if a.option_strings and a.help != argparse.SUPPRESS]


def table(nephron, words):
    """Options that nephron takes, name -> help; None: no such command; a text: refused with it."""
    run = subprocess.run([nephron, *words, "--help-table"], capture_output=True, text=True, timeout=60)
    if run.returncode != 0:
        return None if "unknown" in run.stderr or "invalid choice" in run.stderr else run.stderr
    rows = [line.split("\t") for line in run.stdout.splitlines() if line.startswith("option\t")]
    return {name: row[4] for row in rows for name in row[1:3] if name}


def accepts(nephron, words, name):
    """For second names of options, which tables do not show."""
    run = subprocess.run([nephron, *words, name, "--help"], capture_output=True, text=True, timeout=60)
    return run.returncode == 0


def main():
    nephron, reference = sys.argv[1:]
    with open(reference) as f:
        refused = re.search(r"\n## Not supported\n(.*?)\n## ", f.read(), re.S).group(1)
    count, wrong = 0, []
    for words, parser in commands(get_main_parser()):
        name = " ".join(words).replace("experiments", "exp")
        count += 1
        have = table(nephron, words)
        if not isinstance(have, dict):
            family = f"`{words[0]}`" in refused or f"`{name}`" in refused
            if not family or (have is not None and "not supported" not in have):
                wrong.append(f"{name}: no such command, and the reference does not say so: {have}")
            continue
        for names in options(parser):
            for option in names:
                if option not in have and option not in ("-h", "--help") and not accepts(nephron, words, option):
                    wrong.append(f"{name}: {option} is unknown")
                elif "(not supported)" in have.get(option, "") and f"`{names[-1]}`" not in refused:
                    wrong.append(f"{name}: {option} is refused, and the reference does not say so")
    for line in wrong:
        print(line)
    print(f"{count} commands looked at")
    return 1 if wrong or count < 70 else 0


sys.exit(main())
