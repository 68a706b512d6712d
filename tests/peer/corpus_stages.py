#!/usr/bin/env python3
"""Every dvc.yaml and .dvc file of a corpus, as DVC and as Nephron read it: the same stages, or refused by both.

    corpus_stages.py CORPUS STAGE_DUMP [FOLDER…]

Run by the python of DVC's own environment. Each folder of the corpus is copied, made a repository (no SCM) and read
by both. Prints one line a difference and a summary; exit status 1 when there is any.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile

from dvc.dependency import ParamsDependency
from dvc.repo import Repo
from dvc.repo.index import Index
from dvc.repo.reproduce import get_active_graph

LIMIT = int(os.environ.get("DIFF_CHARS", "600"))
logging.disable(logging.CRITICAL)


def out_view(out):
    kind = "plots" if out.plot else "metrics" if out.metric else "outs"
    return {
        "path": out.def_path,
        "kind": kind,
        "cache": bool(out.use_cache),
        "persist": bool(out.persist),
        "push": bool(out.can_push),
        "remote": out.remote,
        "desc": out.annot.desc,
        "type": out.annot.type,
        "md5": out.hash_info.value if out.hash_info else None,
    }


def stage_view(stage, root):
    params = [d for d in stage.deps if isinstance(d, ParamsDependency)]
    # A lock file fills in hashes; what is compared here is what the pipeline file says.
    outs = [out_view(o) for o in stage.outs]
    if stage.cmd is not None:
        for out in outs:
            out["md5"] = None
    return {
        "addr": stage.addressing,
        "wdir": os.path.relpath(stage.wdir, root),
        "cmd": stage.cmd,
        "deps": [d.def_path for d in stage.deps if not isinstance(d, ParamsDependency)],
        "params": {d.def_path: list(d.params) for d in params},
        "outs": outs,
        "frozen": bool(stage.frozen),
        "always_changed": bool(stage.always_changed),
        "desc": stage.desc,
        "meta": stage.meta,
    }


def pretty(exc):
    """The text DVC prints without 'ERROR: ', as far as it is compared: the first line."""
    text = str(exc)
    if exc.__cause__ is not None and type(exc).__name__ == "BadParamFileError":
        text += f": {exc.__cause__}"
    return text.split("\n")[0].rstrip(".")


def file_view(repo, path, root):
    try:
        index = Index.from_file(repo, os.path.join(root, path))
        return {"stages": [stage_view(s, root) for s in index.stages]}
    except Exception as exc:  # noqa: BLE001
        return {"error": pretty(exc)}


def repo_view(repo):
    try:
        graph = repo.index.graph
    except Exception as exc:  # noqa: BLE001
        return {"error": pretty(exc)}
    import networkx as nx

    from dvc.commands.dag import _show_ascii, _show_dot, _show_mermaid, _transform

    active = get_active_graph(graph)
    dag = {}
    for outs in (False, True):
        view = _transform(repo.index, outs)
        prefix = "outs_" if outs else ""
        dag[prefix + "mermaid"] = _show_mermaid(view) + "\n"
        dag[prefix + "md"] = _show_mermaid(view, True) + "\n"
        if 0 < len(view) < 9:
            # DVC's picture of edges over several layers depends on the addresses of objects.
            dag[prefix + "text"] = sorted({_show_ascii(view) + "\n" for _ in range(12)})
        dag[prefix + "dot"] = _show_dot(view) + "\n"
    return {
        "dag": dag,
        "up": {s.addressing: [d.addressing for d in graph.successors(s)] for s in graph},
        "order": [s.addressing for s in nx.dfs_postorder_nodes(active)],
    }


def pipeline_files(root):
    for folder, dirs, files in os.walk(root):
        dirs[:] = sorted(d for d in dirs if d not in (".dvc", ".git"))
        for name in sorted(files):
            if name == "dvc.yaml" or name.endswith(".dvc"):
                yield os.path.relpath(os.path.join(folder, name), root)


def same_error(dvc, own):
    own = own.split("\n")[0].rstrip(".")
    return dvc == own or own.startswith(dvc)


def compare(where, dvc, own, report):
    if ("error" in dvc) != ("error" in own):
        report(f"{where}: DVC {dvc.get('error', 'accepts')!r}, Nephron {own.get('error', 'accepts')!r}")
    elif "error" in dvc:
        if not same_error(dvc["error"], own["error"]):
            report(f"{where}: texts differ: {dvc['error']!r} / {own['error']!r}")
    elif dvc != own:
        for a, b in zip(dvc["stages"], own["stages"]):
            for key in a:
                if a[key] != b.get(key):
                    report(f"{where}: {a['addr']}: {key}: {a[key]!r} / {b.get(key)!r}")
        if len(dvc["stages"]) != len(own["stages"]):
            report(f"{where}: {len(dvc['stages'])} / {len(own['stages'])} stages")


def compare_repo(where, dvc, own, files, report):
    if "error" in dvc or "error" in own:
        # Files are met in another order, so the first error may be another one: both must refuse.
        if ("error" in dvc) != ("error" in own):
            report(f"{where}: graph: {dvc.get('error')!r} / {own.get('error')!r}")
        return
    if {k: sorted(v) for k, v in dvc["up"].items()} != {k: sorted(v) for k, v in own["up"].items()}:
        for addr in sorted({*dvc["up"], *own["up"]}):
            a, b = dvc["up"].get(addr), own["up"].get(addr)
            if a is None or b is None or sorted(a) != sorted(b):
                report(f"{where}: {addr} needs: {a!r} / {b!r}")
    # Files of a folder come in the file system's order in DVC: order is compared where there is one file.
    for form, text in dvc["dag"].items():
        texts = text if isinstance(text, list) else [text]
        # More than one picture: the order of a set decided, and there may be others still.
        if len(texts) == 1 and own["dag"][form] != texts[0] and len(files) == 1:
            report(f"{where}: dag {form}:\n{texts[0]}\n{own['dag'][form]}")
    if len(files) == 1 and dvc["order"] != own["order"]:
        report(f"{where}: order of a run differs: {dvc['order']} / {own['order']}")


def check(folder, dump, report):
    with tempfile.TemporaryDirectory() as top:
        root = os.path.realpath(os.path.join(top, "r"))
        shutil.copytree(folder, root, ignore=shutil.ignore_patterns("config", "dvc.lock"))
        for path, dirs, files in os.walk(root):
            for name in dirs + files:
                os.chmod(os.path.join(path, name), 0o755)
        os.chmod(root, 0o755)
        Repo.init(root, no_scm=True, force=True).close()
        os.chdir(root)
        files = list(pipeline_files(root))
        repo = Repo(root)
        dvc = {f: file_view(repo, f, root) for f in files}
        whole = repo_view(repo)
        repo.close()
        text = subprocess.run([dump, root, *files], check=True, capture_output=True).stdout
        own = json.loads(text)
        name = os.path.basename(folder)
        for f in files:
            compare(f"{name}/{f}", json.loads(json.dumps(dvc[f])), own["files"][f], report)
        compare_repo(name, whole, own["repo"], files, report)
        os.chdir("/")
        stages = sum(len(v.get("stages", [])) for v in dvc.values())
        return sum(f.endswith("dvc.yaml") for f in files), len(files), stages


def main():
    corpus, dump, *only = sys.argv[1:]
    dump = os.path.abspath(dump)
    differences = []
    totals = [0, 0, 0]

    def report(text):
        differences.append(text)
        print(text[:LIMIT], flush=True)

    for name in only or sorted(os.listdir(corpus)):
        folder = os.path.join(corpus, name)
        if os.path.isdir(folder):
            for i, n in enumerate(check(folder, dump, report)):
                totals[i] += n
    print(f"{totals[0]} dvc.yaml files, {totals[1]} files, {totals[2]} stages, {len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
