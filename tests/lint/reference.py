#!/usr/bin/env python3
"""Keeps docs/reference.md and the program in step.

  reference.py check BIN_DIR [ROOT]   says what stands in one and not in the other; exit 1 when anything does
  reference.py write BIN_DIR [ROOT]   rewrites the generated parts (between <!-- begin X --> and <!-- end X -->)

Generated: the commands with their options, from the programs' own --help, and the options of .dvc/config, from the
table of config_schema.c. Written by hand and only compared: the tables of keys, variables, metrics and exit codes; what
the code reads is found in its source text, so a reader function that is given its key in another way is not seen.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

DOC = "docs/reference.md"


# --- the program's own help ------------------------------------------------------------------------

class Help:
    """What `nephron WORDS --help` prints, taken apart."""

    OPTION = re.compile(r"^ {2,6}((?:-\w, )?--[\w-]+|-\w)")
    COLUMN = 28  # where the meaning of an option begins; a longer option has it on the next line
    COMMAND = re.compile(r"^  ([a-z][\w-]*) {2,}(.+)$")
    CHOICE = re.compile(r"^usage: nephron [\w-]+ \[?((?:[a-z]+\|)+[a-z]+)\]?")

    def __init__(self, program, words, cwd):
        done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, cwd=cwd, timeout=60)
        if done.returncode != 0 or not done.stdout.startswith("usage: "):
            sys.exit(f"'nephron {' '.join(words)} --help' gives no help: {done.stderr or done.stdout}")
        self.words = words
        blocks = done.stdout.split("\n\n")
        self.usage = " ".join(blocks[0].split()).removeprefix("usage: ")
        self.about = "" if len(blocks) < 2 or blocks[1].startswith(("Options:", "  ")) else " ".join(blocks[1].split())
        self.options, self.subcommands = [], []
        for line in done.stdout.split("\nExamples:")[0].splitlines()[1:]:
            self._line(line)
        choice = self.CHOICE.match(blocks[0])
        if choice:
            self.subcommands = choice.group(1).split("|")

    def _line(self, line):
        command, column = self.COMMAND.match(line), self.COLUMN
        if self.OPTION.match(line):
            long = len(line) > column and line[column - 1] != " "
            self.options.append([line.strip(), ""] if long else [line[:column].strip(), line[column:]])
        elif line.startswith(" " * column) and self.options:
            self.options[-1][1] = f"{self.options[-1][1]} {line.strip()}".strip()
        elif command and not self.options:
            self.subcommands.append(command.group(1))

    def markdown(self):
        text = [f"### nephron {' '.join(self.words)}", "", f"`{self.usage}`", ""]
        if self.about:
            text += [self.about, ""]
        rows = [(name, what) for name, what in self.options if "--help" not in name and name != "-v, --verbose"]
        if self.subcommands:
            text += ["Followed by one of: " + ", ".join(f"`{name}`" for name in self.subcommands) + ".", ""]
        if rows:
            text += ["| option | meaning |", "|---|---|"]
            text += [f"| `{name}` | {what} |" for name, what in rows]
            text.append("")
        return text


def commands_text(bin_dir):
    program = str(Path(bin_dir).resolve() / "nephron")
    out = []
    with tempfile.TemporaryDirectory() as cwd:
        for name in Help(program, [], cwd).subcommands:
            page = Help(program, [name], cwd)
            below = [Help(program, [name, word], cwd) for word in page.subcommands]
            below = [sub for sub in below if sub.usage != page.usage]  # else one page for all of them
            page.subcommands = [sub.words[1] for sub in below]
            for each in [page] + below:
                out += each.markdown()
    return "\n".join(out)


# --- .dvc/config -----------------------------------------------------------------------------------

def schema_text(root):
    source = (root / "coordinator/repo/config_schema.c").read_text()
    macros = dict(re.findall(r'#define (\w+) ("remote:[^"]*")', source))
    sections = {}
    for group, option in re.findall(r'^    \{("[^"]*"|[A-Z_]+), "(\w+)", K_', source, re.M):
        group = macros.get(group, group).strip('"')
        if group.startswith("remote:"):
            schemes = ["path" if s == "" else s for s in group[len("remote:"):].rstrip("|").split("|")]
            names = [f"remote, {s}" for s in schemes]
        else:
            names = [group]
        for name in names:
            sections.setdefault(name, []).append(option)
    rows = ["| section | options |", "|---|---|"]
    rows += [f"| {name} | {', '.join(f'`{o}`' for o in options)} |" for name, options in sections.items()]
    return "\n".join(rows) + "\n"


def generated(root, bin_dir):
    return {"commands": commands_text(bin_dir), "config-schema": schema_text(root)}


# --- tables that people write ----------------------------------------------------------------------

def section(doc, heading):
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", doc, re.M | re.S)
    if not found:
        sys.exit(f"{DOC}: there is no section '## {heading}'")
    return found.group(1)


def first_column(text):
    """The code words in the first cell of each table row."""
    names = set()
    for row in re.findall(r"^\| (.*?) \|", text, re.M):
        names.update(re.findall(r"`([^`]+)`", row))
    return names


def sources(root):
    for folder in ("base", "coordinator", "nn", "track", "worker", "serve"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            yield path.relative_to(root), path.read_text()


def found(text, *patterns):
    """All matches; a pattern without any is an error, since the code then reads its keys in another way."""
    names = set()
    for pattern in patterns:
        here = set(re.findall(pattern, text))
        if not here:
            sys.exit(f"tests/lint/reference.py: nothing matches {pattern!r} any more: teach it the new way")
        names |= here
    return names


def yaml_keys(text):
    """Keys of a two-level YAML file as "section.key"; enough for config/config.yaml and params.yaml."""
    names, top = set(), ""
    for indent, key, value in re.findall(r"^( *)([A-Za-z_]+):(?: (.*))?$", text, re.M):
        if indent == "":
            top = key
            if value:
                names.add(key)
        else:
            names.add(f"{top}.{key}")
    return names


def config_keys(root):
    settings = (root / "worker/settings.c").read_text()
    ingest = (root / "coordinator/xfer/ingest_config.c").read_text()
    tracking = (root / "track/tracking.c").read_text()
    pool = (root / "worker/repro_mpi.c").read_text()
    names = found(settings, r'read_\w+\(\s*r,\s*"([a-z_]+(?:\.[a-z_]+)?)"')
    names |= {"data_ingestion." + n for n in found(ingest, r'read_text\(r, "(\w+)"', r'find_key\(r->ingestion, "(\w+)"')}
    names |= {"limits." + n for n in found(ingest, r'read_count\(r, "(\w+)"')}
    names |= {"tracking." + n
              for n in found(tracking, r'setting_text\(section, file, "(\w+)"', r'value_get\(section, "(\w+)"')}
    names |= found(pool, r'value_find\(doc, "([a-z_]+\.[a-z_]+)"')
    return names | yaml_keys((root / "config/config.yaml").read_text())


def params_keys(root):
    text = (root / "worker/settings.c").read_text()
    return found(text, r'(?:read_\w+|look)\(\s*r,\s*"([A-Z_]+)"') | yaml_keys((root / "params.yaml").read_text())


def environment(root):
    names = set()
    for _, text in sources(root):
        names.update(re.findall(r'\bgetenv\("(\w+)"\)', text))
        names.update(re.findall(
            r'"((?:NEPHRON|DVC|OMPI|PMIX|PMI|SLURM|OMP|OPENBLAS|REDIS|CURL|SSL)_[A-Z0-9_]*[A-Z0-9])(?:=[^"]*)?"', text))
    return names


def metrics(root):
    names = set()
    for path, text in sources(root):
        names.update(re.findall(r'\brun_metric\([^";{]*?, "(\w+)", ', text))
        if path.name == "evaluate.c":
            names |= found(text, r'\{"(test_\w+)", ')
        if path.name == "sink_write.c":
            block = re.search(r"append_system.*?names\[\] = \{(.*?)\}", text, re.S)
            names.update("system/" + n for n in re.findall(r'"(\w+)"', block.group(1)))
    return names


def exit_codes(root):
    codes = set()
    for path, text in sources(root):
        codes.update(re.findall(r"\b(?:return|code =|status =) (25[0-5]|75|85);", text))
        codes.update(re.findall(r"#define \w+_EXIT_\w+ (\d+)", text))
    return codes


def meta_keys(root):
    return found((root / "coordinator/pipeline/stagemeta.c").read_text(), r'\{"(\w+)",\s*read_')


def redis_keys(root):
    return {"nephron:" + k for k in found((root / "track/runstore.h").read_text(),
                                          r"(?m)^ \* \| P ([\w:<>]+)")}


def dvc_options(root):
    names = set()
    for path, text in sources(root):
        if path.name.startswith("config"):
            continue
        names.update(".".join(pair) for pair in re.findall(r'config_get\w*\([\w>.*&-]+, "(\w+)", "(\w+)"', text))
    return names


TABLES = [  # heading, what the code has, whether the table may hold more (what other programs read, say)
    ("params.yaml", params_keys, False),
    ("config/config.yaml", config_keys, False),
    ("meta.nephron", meta_keys, False),
    (".dvc/config", dvc_options, True),
    ("Environment", environment, False),
    ("Metrics", metrics, False),
    ("Exit codes", exit_codes, True),
    ("Redis keys", redis_keys, False),
]


def check(root, bin_dir):
    doc = (root / DOC).read_text()
    problems = []
    for name, text in generated(root, bin_dir).items():
        block = re.search(rf"<!-- begin {name} .*?-->\n(.*?)<!-- end {name} -->", doc, re.S)
        if not block:
            problems.append(f"{DOC}: the part '{name}' is missing")
        elif block.group(1).strip() != text.strip():
            ours, theirs = block.group(1).strip().splitlines(), text.strip().splitlines()
            lost = [l for l in theirs if l not in ours][:5]
            extra = [l for l in ours if l not in theirs][:5]
            problems.append(f"{DOC}: '{name}' differs from the program; tests/lint/reference.py write BIN_DIR rewrites it"
                            + "".join(f"\n  missing: {l}" for l in lost) + "".join(f"\n  no longer: {l}" for l in extra))
    for heading, code, more in TABLES:
        documented, known = first_column(section(doc, heading)), code(root)
        problems += [f"{DOC}, {heading}: `{n}` has no row" for n in sorted(known - documented)]
        if not more:
            problems += [f"{DOC}, {heading}: nothing reads or writes `{n}`" for n in sorted(documented - known)]
    return problems


def write(root, bin_dir):
    doc = (root / DOC).read_text()
    for name, text in generated(root, bin_dir).items():
        doc = re.sub(rf"(<!-- begin {name} .*?-->\n).*?(<!-- end {name} -->)",
                     lambda m: f"{m.group(1)}\n{text.strip()}\n\n{m.group(2)}", doc, flags=re.S)
    (root / DOC).write_text(doc)


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in ("check", "write"):
        sys.exit(__doc__)
    root = Path(sys.argv[3] if len(sys.argv) == 4 else Path(__file__).parents[2]).resolve()
    os.environ["NEPHRON_REDIS_URL"] = "none"
    if sys.argv[1] == "write":
        write(root, sys.argv[2])
        return
    problems = check(root, sys.argv[2])
    if problems:
        print("\n".join(problems))
        sys.exit(1)


main()
