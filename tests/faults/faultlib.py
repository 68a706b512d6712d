"""What the fault tests share: running a program under libfault.so, templates of repositories, and the checks that
hold for every repository at every moment. Standard library only."""

import hashlib
import json
import os
import random
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import threading

BIN = os.environ["NEPHRON_BIN_DIR"]
LIB = os.environ["NEPHRON_FAULT_LIB"]
NEPHRON = os.path.join(BIN, "nephron")
ALL = os.environ.get("NEPHRON_FAULTS_ALL") == "1"
STATE_BYTES = 4096  # FAULT_STATE_BYTES of libfault.c

WRITING = "write,pwrite,fsync,rename,link,symlink,mkdir,ftruncate,copy_file_range,clone"
EVERYTHING = "open,opendir,read,close,mmap,chmod,unlink,rmdir," + WRITING

ENV = {
    "PATH": BIN + ":/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "NEPHRON_REDIS_URL": "none",
    "DVC_NO_ANALYTICS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


def work_folder(name):
    """A folder of its own, in memory where there is one: what is tested here does not depend on the disk."""
    base = os.environ.get("NEPHRON_FAULTS_DIR")
    if base is None and os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 1 << 28:
        base = "/dev/shm"
    return os.path.realpath(tempfile.mkdtemp(prefix="nephron-%s-" % name, dir=base))


class Result:
    def __init__(self, code, out, err, fired=0, count=0, what=""):
        self.code, self.out, self.err = code, out, err
        self.fired, self.count, self.what = fired, count, what


def run(argv, cwd, env=None, timeout=120, **keywords):
    whole = dict(ENV, **(env or {}))
    p = subprocess.Popen(argv, cwd=cwd, env=whole, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, start_new_session=True, **keywords)
    try:
        out, err = p.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, err = p.communicate()
        return Result("hang", out.decode(errors="replace"), err.decode(errors="replace"))
    return Result(p.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def nephron(words, cwd, env=None, **keywords):
    return run([NEPHRON] + words, cwd, env, **keywords)


def must(result, what):
    if result.code != 0:
        raise SystemExit("%s: exit %s\n%s%s" % (what, result.code, result.out, result.err))
    return result


class Shim:
    """One run under the shim; see libfault.c for the settings."""

    def __init__(self, folder):
        self.state = os.path.join(folder, "fault-state")

    def run(self, argv, cwd, under, calls, n=0, action="EIO", ever=False, env=None, timeout=120, **settings):
        with open(self.state, "wb") as f:
            f.write(bytes(STATE_BYTES))
        whole = {"LD_PRELOAD": LIB, "FAULT_STATE": self.state, "FAULT_CALLS": calls, "FAULT_UNDER": under,
                 "FAULT_N": str(n), "FAULT_ACTION": action, "FAULT_EVER": "1" if ever else "0"}
        whole.update(settings)
        whole.update(env or {})
        r = run(argv, cwd, whole, timeout)
        with open(self.state, "rb") as f:
            r.count, r.fired, what = struct.unpack("QQ3000s", f.read(3016))
        r.what = what.split(b"\0")[0].decode(errors="replace")
        return r


def fresh(template, to):
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", template, to], check=True)
    return to


SKIPPED = (".git", ".dvc/tmp", ".nephron")


def tree(top, skipped=SKIPPED, any_order=False):
    """path -> kind, mode, content; what git or a person sees, and the cache. any_order: stages may have ended in another
    order, and stand so in dvc.lock and .gitignore."""
    found = {}
    for folder, folders, files in os.walk(top):
        inner = os.path.relpath(folder, top)
        for name in list(folders):
            path = os.path.normpath(os.path.join(inner, name))
            if path in skipped:
                folders.remove(name)
            else:
                found[path] = ("folder",)
        for name in files:
            path = os.path.normpath(os.path.join(inner, name))
            full = os.path.join(folder, name)
            mode = os.lstat(full)
            if stat.S_ISLNK(mode.st_mode):
                found[path] = ("link", os.readlink(full))
            else:
                with open(full, "rb") as f:
                    data = f.read()
                if any_order and name in ("dvc.lock", ".gitignore"):
                    data = b"".join(sorted(data.splitlines(keepends=True)))
                found[path] = (oct(mode.st_mode & 0o777), hashlib.md5(data).hexdigest())
    return found


def difference(want, have):
    lines = []
    for path in sorted(set(want) | set(have)):
        if want.get(path) != have.get(path):
            lines.append("%s: expected %s, found %s" % (path, want.get(path), have.get(path)))
    return "\n".join(lines[:12])


def wrong_objects(cache):
    """Objects of a cache or remote whose content is not what their name says."""
    bad = []
    for folder, _, files in os.walk(os.path.join(cache, "files/md5")):
        for name in files:
            full = os.path.join(folder, name)
            if name.startswith("."):
                continue  # temp files are looked for elsewhere
            with open(full, "rb") as f:
                md5 = hashlib.md5(f.read()).hexdigest()
            if os.path.basename(folder) + name[:30] != md5:
                bad.append(full)
    return bad


def leftovers(*tops):
    """Temporary files of ours."""
    found = []
    for top in tops:
        for folder, folders, files in os.walk(top):
            for name in folders + files:
                if (name.startswith(".nephron-") and name.endswith(".tmp")) or name.endswith(".np-tmp"):
                    found.append(os.path.join(folder, name))
    return found


def torn(repo):
    """The first complaint about a file that must parse at every moment, or None."""
    if os.path.exists(os.path.join(repo, "dvc.yaml")):
        r = nephron(["stage", "list", "--name-only"], repo)
        if r.code != 0:
            return "dvc.yaml does not parse: " + r.err
        r = nephron(["status", "--json"], repo)
        if r.code != 0 or r.err:
            return "status: exit %s: %s" % (r.code, r.err)
        json.loads(r.out)
    return None


class Report:
    """Counts cases and failures, each with the words that repeat it. Threads may share one."""

    def __init__(self):
        self.cases = self.failed = 0
        self.lock = threading.Lock()

    def case(self, label, problems):
        with self.lock:
            self.cases += 1
            if problems:
                self.failed += 1
                print("FAIL %s" % label)
                for text in problems:
                    print("     " + text.rstrip().replace("\n", "\n     "))
                sys.stdout.flush()
        return not problems

    def end(self):
        print("%d cases, %d failed" % (self.cases, self.failed))
        return 1 if self.failed else 0


def seeded():
    seed = int(os.environ.get("NEPHRON_SEED", "1"))
    print("NEPHRON_SEED=%d" % seed)
    return random.Random(seed)
