#!/usr/bin/env python3
"""The structure of the tree, as tests/lint/layers.txt and the C guide want it.

  structure.py CHECK… [--root DIR] [--build DIR]

  includes   a folder includes only what its line in layers.txt allows; library headers have one owner
  names      file names are unique, and so are the numbers of tests; guards are NEPHRON_NOUN_H
  headers    each header compiles alone
  banned     base/banned.h is included before every file of the product and refuses every call of the list (needs --build)
  symbols    exported symbols begin with the noun of their file; no exported variable can be written to (needs --build)
  size       functions of at most 200 lines and complexity 50, files of at most 800 lines unless the first comment has the reason
  cmake      no file(GLOB)
  links      the light program needs no heavy library (needs --build)

Prints one line a fault; exit 1 when there are any. Lines that begin with "note:" do not count.
"""
import argparse
import concurrent.futures
import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

PRODUCT = ("base", "coordinator", "nn", "track", "serve", "worker")
BANNED = ("strcpy strcat strncpy strncat sprintf vsprintf strtok gets atoi atol atof gmtime localtime ctime asctime system mktemp "
          "tmpnam srand").split()
HEAVY = re.compile(r"lib(mpi|open-(rte|pal)|openblas|blas|curl|archive|ssl|microhttpd)\b")
LINES_MAX, LINES_SEEN = 200, 100
COMPLEXITY_MAX, COMPLEXITY_SEEN = 50, 20
FILE_LINES_MAX = 800


class Tree:
    def __init__(self, root, build):
        self.root, self.build = root, build
        self.files = {}
        for folder in PRODUCT + ("tests",):
            for path in sorted((root / folder).rglob("*.[ch]")):
                self.files[str(path.relative_to(root))] = path.read_text()
        self.layers, self.owners, self.nouns = {}, {}, {}
        for line in (root / "tests/lint/layers.txt").read_text().splitlines():
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            kind = self.owners if words[0].startswith("<") else self.nouns if words[0].endswith(".c") else self.layers
            kind[words[0]] = words[1:]

    def product(self):
        return {name: text for name, text in self.files.items() if not name.startswith("tests/")}


def folder(name):
    return name.rsplit("/", 1)[0]


def is_template(text):
    """A source in the shape of a header, to be included several times with other macros; its first comment says so."""
    return "Before including, define" in " ".join(text[:1500].replace("*", " ").split())


def includes(tree):
    headers = {name.rsplit("/", 1)[1]: name for name in tree.files if name.endswith(".h")}
    for name, text in tree.product().items():
        here = folder(name)
        if here not in tree.layers:
            yield f"{name}: the folder {here} has no line in tests/lint/layers.txt"
            continue
        for number, line in enumerate(text.splitlines(), 1):
            own = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            foreign = re.match(r"\s*#\s*include\s+(<[^>]+>)", line)
            if own:
                target = headers.get(own.group(1).rsplit("/", 1)[-1])
                if target is None:
                    yield f"{name}:{number}: there is no header {own.group(1)}"
                elif folder(target) != here and not {folder(target), target} & set(tree.layers[here]):
                    yield f"{name}:{number}: {here} may not include {target} (tests/lint/layers.txt)"
            elif foreign and foreign.group(1) in tree.owners:
                allowed = tree.owners[foreign.group(1)]
                if not any(name == a or here == a for a in allowed):
                    yield f"{name}:{number}: {foreign.group(1)} belongs to {', '.join(allowed)}"
    for entry in list(tree.layers) + list(tree.nouns):
        if not (tree.root / entry).exists():
            yield f"tests/lint/layers.txt: {entry} does not exist"


def names(tree):
    seen = {}
    for name, text in tree.files.items():
        base = name.rsplit("/", 1)[1]
        if base in seen:
            yield f"{name}: {seen[base]} has the same name"
        seen[base] = name
        guard = "NEPHRON_" + re.sub(r"\W", "_", base[:-2]).upper() + "_H"
        if base.endswith(".h") and not is_template(text) and f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield f"{name}: the guard is not {guard}"
    numbers = {}
    for path in sorted((tree.root / "tests").rglob("t[0-9][0-9][0-9][0-9]-*.sh")):
        other = numbers.setdefault(path.name[:5], path.name)
        if other != path.name:
            yield f"{path.relative_to(tree.root)}: {other} has the same number"


def headers(tree):
    folders = sorted({folder(name) for name in tree.files if name.endswith(".h")})
    flags = ["-std=gnu11", "-D_GNU_SOURCE", '-DNEPHRON_SOURCE_DIR=""', '-DNEPHRON_BIN_DIR=""', "-fsyntax-only", "-x", "c"]
    flags += [f"-I{tree.root / f}" for f in folders]
    try:
        flags += shlex.split(subprocess.run(["mpicc", "--showme:compile"], capture_output=True, text=True).stdout)
    except FileNotFoundError:
        pass  # then a header with mpi.h says so itself

    def alone(name):
        done = subprocess.run(["cc", *flags, str(tree.root / name)], capture_output=True, text=True)
        first = next((l for l in done.stderr.splitlines() if "error" in l), done.stderr[:200])
        return f"{name}: does not compile alone: {first}" if done.returncode else None

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield from filter(None, pool.map(alone, [n for n, t in tree.files.items() if n.endswith(".h") and not is_template(t)]))


def banned(tree):
    guard = tree.root / "base/banned.h"
    with tempfile.NamedTemporaryFile("w", suffix=".c") as probe:
        for call in BANNED:
            probe.seek(0)
            probe.truncate()
            probe.write(f"void *f(void);\nvoid *f(void) {{ return (void *){call}; }}\n")
            probe.flush()
            done = subprocess.run(["cc", "-fsyntax-only", "-D_GNU_SOURCE", "-include", guard, probe.name],
                                  capture_output=True, text=True)
            if "poisoned" not in done.stderr:
                yield f"base/banned.h does not refuse {call}"
    for name, text in tree.product().items():
        for match in re.finditer(r"\b(rand|alloca)\s*\(", re.sub(r'/\*.*?\*/|"[^"\n]*"', "", text, flags=re.S)):
            yield f"{name}: calls {match.group(1)}"
    compiled = {}
    for entry in json.loads((tree.build / "compile_commands.json").read_text()):
        path = Path(entry["file"])
        if not path.is_relative_to(tree.root):
            continue
        name = str(path.relative_to(tree.root))
        compiled[name] = compiled.get(name, False) or "base/banned.h" in entry["command"]
    third_party = ("nn/data/stb_read.c", "nn/data/stb_write.c")  # name what they do not call
    for name in tree.product():
        if name.endswith(".c") and name not in compiled:
            yield f"{name}: no target compiles it"
        elif name.endswith(".c") and not compiled[name] and name not in third_party:
            yield f"{name}: compiled without base/banned.h; make its target with the functions of cmake/warnings.cmake"


def allowed_nouns(tree, name):
    words = name.rsplit("/", 1)[1][:-2].split("_")
    return ["_".join(words[:n]) for n in range(1, len(words) + 1)] + tree.nouns.get(name, [])


def symbols(tree):
    by_base = {name.rsplit("/", 1)[1]: name for name in tree.product()}
    for library in sorted(tree.build.rglob("lib*.a")):
        if "tests" in library.relative_to(tree.build).parts:
            continue
        out = subprocess.run(["nm", "-g", "--defined-only", "--format=sysv", library], capture_output=True, text=True).stdout
        name = None
        for line in out.splitlines():
            member = re.search(r"\[(?:.*/)?([\w.]+\.c)\.o\]:?$", line)
            if member:
                name = by_base.get(member.group(1))
            fields = [f.strip() for f in line.split("|")]
            if len(fields) < 7 or name is None or fields[0] == "Name":
                continue
            symbol, section = fields[0], fields[6]
            if symbol.startswith(("__gcov", "__asan", "__odr_asan", "_GLOBAL_")):
                continue
            nouns = allowed_nouns(tree, name)
            if not any(symbol == n or symbol.startswith(n + "_") or (n == "x" and symbol.startswith("x")) for n in nouns):
                yield f"{name}: {symbol} does not begin with {' or '.join(n + '_' for n in nouns)}"
            if re.match(r"\.data(?!\.rel\.ro)|\.bss|\.tbss|\.tdata|\*COM\*", section) and not symbol.startswith("stbi_"):
                yield f"{name}: {symbol} is an exported variable"


def size(tree):
    for name, text in tree.files.items():
        lines = text.count("\n")
        if lines > FILE_LINES_MAX and "long because" not in " ".join(text.split("*/")[0].split()):
            yield f"{name}: {lines} lines; more than {FILE_LINES_MAX} need a reason in the first comment (\"long because …\")"
    sources = [name for name in tree.product() if name.endswith(".c")]
    out = subprocess.run(["pmccabe", *sources], cwd=tree.root, capture_output=True, text=True).stdout
    if sources and not out:
        yield "pmccabe says nothing"
    for line in out.splitlines():
        fields = line.split("\t")
        complexity, lines, where = int(fields[0]), int(fields[4]), fields[5]
        if lines > LINES_MAX or complexity > COMPLEXITY_MAX:
            yield f"{where}: {lines} lines, complexity {complexity}; at most {LINES_MAX} and {COMPLEXITY_MAX}"
        elif lines > LINES_SEEN or complexity > COMPLEXITY_SEEN:
            yield f"note: {where}: {lines} lines, complexity {complexity}"


def cmake(tree):
    for path in [tree.root / "CMakeLists.txt", *tree.root.glob("*/**/CMakeLists.txt"), *tree.root.glob("*/**/*.cmake")]:
        if path.is_relative_to(tree.build or tree.root / "build") or not path.exists():
            continue
        if re.search(r"file\s*\(\s*GLOB", path.read_text(), re.I):
            yield f"{path.relative_to(tree.root)}: file(GLOB): name the sources"


def links(tree):
    out = subprocess.run(["ldd", tree.build / "bin/nephron"], capture_output=True, text=True).stdout
    if "libc.so" not in out and "libc.musl" not in out:
        yield "ldd says nothing of nephron"
    for line in out.splitlines():
        if HEAVY.search(line):
            yield f"nephron links {line.split()[0]}, which only its siblings may"


CHECKS = {f.__name__: f for f in (includes, names, headers, banned, symbols, size, cmake, links)}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("checks", nargs="+", choices=sorted(CHECKS))
    parser.add_argument("--root", default=Path(__file__).resolve().parents[2])
    parser.add_argument("--build")
    args = parser.parse_args()
    tree = Tree(Path(args.root).resolve(), Path(args.build).resolve() if args.build else None)
    failed = False
    for check in args.checks:
        for fault in CHECKS[check](tree):
            print(fault)
            failed = failed or not fault.startswith("note:")
    sys.exit(1 if failed else 0)


main()
