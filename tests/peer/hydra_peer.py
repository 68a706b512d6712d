"""What DVC composes from folders of settings: writes a line {"files", "name", "overrides", "text" or "error"} a case.

    $NEPHRON_DVC's python tests/peer/hydra_peer.py OUT.jsonl            the cases of hydra_cases.yaml
    $NEPHRON_DVC's python tests/peer/hydra_peer.py OUT.jsonl SEED COUNT generated ones

"text" is params.yaml byte for byte; "error" the first line of what DVC prints behind "unexpected error - ". A case may have "env".
"""

import contextlib
import io
import json
import os
import random
import sys
import tempfile
import warnings

import yaml
from dvc.utils.hydra import compose_and_dump

HERE = os.path.dirname(os.path.abspath(__file__))


def causes(error):
    while error:
        yield str(error)
        error = error.__cause__


def compose(case):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in case["files"].items():
            path = os.path.join(folder, "conf", path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8", newline="") as f:
                f.write(text)
        out = os.path.join(folder, "params.yaml")
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                compose_and_dump(out, os.path.join(folder, "conf"), None, case.get("name", "config"), folder,
                                 case.get("overrides", []))
            with open(out, encoding="utf-8", newline="") as f:
                return {"text": f.read()}
        except Exception as error:  # noqa: BLE001
            return {"error": ": ".join(causes(error)).strip().split("\n")[0].replace(folder, "")}


# ---- generated folders ----

GROUPS = ["db", "model", "opt", "db/schema", "model/layer"]
OPTIONS = ["a", "b", "c"]
PACKAGES = ["_global_", "_here_", "_group_", "x", "x.y", "_global_.z", "_group_.w", "src"]
HEADERS = ["_global_", "_group_", "x", "x.y", "_global_.h", "deep.er"]
TEXTS = ["one", "yes", "1", "", "a: b", "# no", "it's", "null", "1e3", "2026-01-31", "é ü", "tab\there", "line\nbreak", "-", "x" * 90,
         "many words " * 12, "'quoted \" both'", "0x1F", "010", "1:30", ".5", "~", "@x", "trail ", "on", "Infinity", "1_000", "[x", "%y"]
KEYS = ["lr", "port", "name", "sub", "list", "on_off", "k1", "k2", "defaults_x"]
REFS = ["${lr}", "${.lr}", "${..name}", "${db.port}", "${model.name}_x", "v${port}", "${oc.env:HYDRA_PEER,none}", "${oc.select:no.key,7}",
        "${oc.decode:'[1, 2]'}", "\\${lr}", "${sub}", "${list[0]}", "${list.1}", "${oc.env:HYDRA_NOT_SET,null}", "${oc.env:HYDRA_NOT_SET}",
        "${oc.dict.keys:sub}", "${oc.dict.values:sub}", "${oc.create:{a:1}}", "${unknown.key}", "${foo:1}", "${x.${name}}", "???",
        "${oc.select:lr}", "${oc.decode:${name}}", "a ${lr} b ${port}", "${k1}", "${k2}"]


class Folder:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def scalar(self):
        r = self.r
        return r.choice([r.randint(-5, 5), r.random(), 1e-5, 1e22, True, False, None, 10**30, r.choice(TEXTS), r.choice(TEXTS),
                         r.choice(REFS) if r.random() < 0.4 else "plain"])

    def value(self, depth=0):
        r = self.r
        if depth < 3 and r.random() < 0.3:
            return {r.choice(KEYS): self.value(depth + 1) for _ in range(r.randint(0, 4))}
        if depth < 3 and r.random() < 0.2:
            return [self.value(depth + 1) for _ in range(r.randint(0, 4))]
        return self.scalar()

    def group(self, prefix):
        r = self.r
        group = r.choice(GROUPS)
        if prefix and group.startswith(prefix + "/"):
            group = group[len(prefix) + 1:]
        elif prefix:
            group = "/" + group
        return group

    def element(self, prefix):
        r = self.r
        group, dice = self.group(prefix), r.random()
        option = r.choice(OPTIONS) if dice < 0.93 else r.choice([None, "gone", ["a", "b"], "${db}", "${opt}"])
        if r.random() < 0.15:
            group += "@" + r.choice(PACKAGES)
        if r.random() < 0.1:
            group = "optional " + group
        if r.random() < 0.08:
            return f"{group.split(' ')[-1].split('@')[0]}/{r.choice(OPTIONS)}"
        return {group: option}

    def defaults(self, prefix, most):
        r = self.r
        items, seen = [], set()
        for _ in range(r.randint(0, most)):
            one = self.element(prefix)
            key = one if isinstance(one, str) else next(iter(one)).split(" ")[-1]
            if key not in seen or r.random() < 0.05:
                seen.add(key)
                items.append(one)
        if r.random() < 0.6:
            items.insert(r.randint(0, len(items)), "_self_")
        if items and r.random() < 0.12:
            items.append({"override " + self.group(prefix): r.choice(OPTIONS)})
        return items

    def file(self, prefix, most):
        r = self.r
        doc = {}
        if r.random() < (0.95 if not prefix else 0.3):
            doc["defaults"] = self.defaults(prefix, most)
        for _ in range(r.randint(1, 5)):
            doc[r.choice(KEYS)] = self.value()
        text = yaml.safe_dump(doc, sort_keys=False, allow_unicode=True, default_flow_style=r.choice([False, None]))
        if prefix and r.random() < 0.2:
            text = f"# @package {r.choice(HEADERS)}\n" + text
        return text

    def override(self):
        r = self.r
        dice = r.random()
        if dice < 0.35:
            return r.choice(["", "", "+", "~"]) + r.choice(GROUPS) + "=" + r.choice(OPTIONS)
        if dice < 0.4:
            return "~" + r.choice(GROUPS)
        key = ".".join([r.choice(["db", "model", "sub", "lr", "port", "k1"])] + [r.choice(KEYS)] * r.randint(0, 1))
        value = r.choice(["1", "1.5", "abc", "null", "[1,2]", "{lr:3}", "'x y'", "${lr}", "true", "{sub:{k1:1}}", "", "1e-3"])
        return r.choice(["", "+", "++", "++", "~"]) + key + "=" + value

    def letters(self, alphabet, most):
        return "".join(self.r.choice(alphabet) for _ in range(self.r.randint(1, most)))

    def words(self):
        """One file: plain scalars, quoted texts, or interpolations, of random letters."""
        r = self.r
        kind = r.choice(["plain", "text", "inter", "inter"])
        lines = ["k: {a: 1, b: [x, 2], c: text}", "n: 5", "t: word"]
        for i in range(1 if kind == "inter" else 12):
            if kind == "plain":
                lines.append(f"v{i}: {self.letters(r.choice(['0123456789', '0123456789.eE+-_', '01x:.bo_7', 'infINFaN.+-~', 'yesnoYTruFals']), 8)}")
            elif kind == "text":
                alphabet = r.choice(["ab :#-?,[]{}&*!|>'\"%@`", "word  \n ", "long words of a text ", "\t\\\"'é€😀\u2028\x85\ufeff\x07 a\n", "0123456789.eE+-_ "])
                lines.append(f"v{i}: {json.dumps(self.letters(alphabet, r.choice([4, 20, 200])), ensure_ascii=False)}"
                             .replace("\x85", "\\x85").replace("\ufeff", "\\ufeff").replace("\u2028", "\\u2028"))
            else:
                parts = ["${", "}", "${k.a}", "${n}", "${t}", "${", "}", "oc.env:", "oc.decode:", "oc.select:", "oc.create:", "k", ".", "n", "[", "]", ",",
                         "'", '"', "\\", " ", "a", "1", "${k}", "{", ":", "$", "-", "null", "(", "x/y", "1.5", "${k.b}", "=", "é", "k.${t}"]
                text = "".join(r.choice(parts) for _ in range(r.randint(1, 9)))
                text = r.choice([text, "${" + text + "}", "${oc.decode:'" + text + "'}", "${oc.env:HYDRA_NOT_SET," + text + "}", "${oc.create:[" + text + "]}"])
                lines.append(f"v{i}: {json.dumps(text, ensure_ascii=False)}")
        return {"files": {"config.yaml": "\n".join(lines) + "\n"}}

    def case(self):
        r = self.r
        if r.random() < 0.4:
            return self.words()
        files = {"config.yaml": self.file("", 4)}
        for group in GROUPS:
            for option in OPTIONS:
                if r.random() < 0.9:
                    most = 1 if group.count("/") == 0 else 0
                    files[f"{group}/{option}.yaml"] = self.file(group, most)
        return {"files": files, "overrides": [self.override() for _ in range(r.choice([0, 0, 1, 1, 2]))]}


def cases():
    if len(sys.argv) > 2:
        seed, count = int(sys.argv[2]), int(sys.argv[3])
        return [Folder(seed + i).case() for i in range(count)]
    with open(os.path.join(HERE, "hydra_cases.yaml"), encoding="utf-8") as f:
        return yaml.safe_load(f)


def main():
    warnings.simplefilter("ignore")
    os.environ["HYDRA_PEER"] = "from outside"
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        for case in cases():
            f.write(json.dumps({**case, **compose(case)}, ensure_ascii=False) + "\n")


main()
