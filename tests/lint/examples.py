#!/usr/bin/env python3
"""The runnable examples of a document.

  examples.py LABEL FILE OUT_DIR

A fenced block whose info string is "console run" is a session: lines that begin with "$ " are commands, the rest is what they
printed when it was written. "sh run" is a script. A third word is a label ("console run mpi"); LABEL "-" stands for none. Each block
becomes a script OUT_DIR/LINE.sh, LINE being where it begins in FILE.
"""
import re
import sys
from pathlib import Path


def blocks(text):
    inside, begin, words, lines = False, 0, [], []
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"^```(.*)$", line)
        if fence and not inside:
            inside, begin, words, lines = True, number, fence.group(1).split(), []
        elif fence:
            inside = False
            yield begin, words, lines
        else:
            lines.append(line)
    if inside:
        sys.exit(f"line {begin}: the block does not end")


def main():
    label, file, out = sys.argv[1:]
    for begin, words, lines in blocks(Path(file).read_text()):
        if words[1:2] != ["run"] or (words[2:] or ["-"]) != [label]:
            continue
        if words[0] == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        if not lines:
            sys.exit(f"{file}:{begin}: nothing to run")
        Path(out, f"{begin:05}.sh").write_text("set -e\n" + "\n".join(lines) + "\n")


main()
