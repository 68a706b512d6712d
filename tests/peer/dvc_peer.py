"""The real DVC, to be called often: importing it takes most of a second, a fork of what is imported a tenth of that.

    python dvc_peer.py call ARG...    runs `dvc ARG...` in the current folder, with our streams, and exits as it does
    python dvc_peer.py serve OWNER    answers until the process OWNER is gone; calls may overlap

The first call for an owner ($NEPHRON_DVC_OWNER) starts its server; dvc_call.c makes the others. Scripts of DVC's own Python import `preload` and `run`. Each call is a fork:
nothing of one is seen by the next.
"""

import array
import os
import socket
import sys

# What only the server needs is imported there: a call should cost little.


def socket_of(owner):
    return f"{os.environ.get('TMPDIR') or '/tmp'}/nephron-dvc-{os.getuid()}-{owner}"


def request_text(argv):
    """umask, folder, number of arguments, arguments, environment: each ends with a NUL."""
    mask = os.umask(0o022)
    os.umask(mask)
    variables = [f"{key}={value}" for key, value in os.environ.items()]
    return b"".join(os.fsencode(word) + b"\0" for word in [f"{mask:o}", os.getcwd(), str(len(argv)), *argv, *variables])


def send(connection, text):
    """Its length, in four bytes, with our streams; then the text."""
    fds = array.array("i", [0, 1, 2])
    connection.sendmsg([len(text).to_bytes(4, sys.byteorder)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    connection.sendall(text)


def receive(connection):
    length, ancillary, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(3 * 4))
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    left, text = int.from_bytes(length, sys.byteorder), b""
    while len(text) < left:
        part = connection.recv(left - len(text))
        if not part:
            raise ConnectionError("a caller that went away")
        text += part
    mask, cwd, count, *words = [os.fsdecode(word) for word in text.split(b"\0")[:-1]]
    argv, variables = words[: int(count)], words[int(count) :]
    return {"umask": int(mask, 8), "cwd": cwd, "argv": argv, "env": dict(v.split("=", 1) for v in variables)}, list(fds)


def become(request, fds):
    """In a child: `dvc` with the arguments, folder, environment and streams of the request; does not return."""
    os.setsid()
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
        os.close(fd)
    os.environ.clear()
    os.environ.update(request["env"])
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    sys.argv = ["dvc", *request["argv"]]
    from dvc.cli import main

    try:
        code = main(request["argv"])
    except SystemExit as end:  # --help, --version
        code = end.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code & 0xFF)


def run(argv, cwd, env, umask=0o022):
    """Exit code, stdout and stderr of `dvc ARGV`, from a process that has called preload()."""
    streams = [os.open(os.devnull, os.O_RDONLY), os.memfd_create("out"), os.memfd_create("err")]
    pid = os.fork()
    if pid == 0:
        try:
            become({"argv": argv, "cwd": cwd, "env": env, "umask": umask}, streams)
        finally:
            os._exit(99)
    _, status = os.waitpid(pid, 0)
    os.close(streams[0])
    return os.waitstatus_to_exitcode(status), text_of(streams[1]), text_of(streams[2])


def remember_documents():
    """Reading YAML is most of what DVC does: in this process a text is parsed once."""
    import pickle

    from ruamel.yaml import YAML

    parse, known = YAML.load, {}

    def load(yaml, stream):
        if not isinstance(stream, str) or yaml.typ != ["safe"]:
            return parse(yaml, stream)
        if stream not in known:
            known[stream] = pickle.dumps(parse(yaml, stream))
        return pickle.loads(known[stream])

    YAML.load = load


def run_each(commands, cwd, env):
    """As run for each of several commands that only look: one child answers all, so that what DVC reads stays in memory."""
    from dvc.cli import main

    files = [(os.memfd_create("out"), os.memfd_create("err"), os.memfd_create("code")) for _ in commands]
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(env)
            remember_documents()
            for argv, (out, err, code) in zip(commands, files):
                os.dup2(out, 1)
                os.dup2(err, 2)
                sys.argv = ["dvc", *argv]
                os.write(code, str(main(argv)).encode())
                sys.stdout.flush()
                sys.stderr.flush()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return [(int(text_of(code) or 99) & 0xFF, text_of(out), text_of(err)) for out, err, code in files]


def text_of(fd):
    with open(fd, "rb") as stream:
        stream.seek(0)
        return stream.read().decode(errors="replace")


# What commands import as they go: in the parent it is paid for once. A name that a version does not have costs time only.
MODULES = """
dvc.cli.parser dvc.cachemgr dvc.dagascii dvc.daemon dvc.data_cloud dvc.dirs dvc.fs dvc.info dvc.render dvc.render.convert
dvc.render.match dvc.repo dvc.repo.artifacts dvc.repo.brancher dvc.repo.collect dvc.repo.data dvc.repo.datasets dvc.repo.diff
dvc.repo.experiments dvc.repo.experiments.brancher dvc.repo.gc dvc.repo.graph dvc.repo.imp_url dvc.repo.index dvc.repo.init
dvc.repo.ls dvc.repo.metrics.diff dvc.repo.open_repo dvc.repo.params.diff dvc.repo.plots.diff dvc.repo.stage dvc.repo.trie
dvc.repo.worktree dvc.scm dvc.stage.loader dvc.ui.pager dvc.ui.table dvc.updater dvc.utils.diff dvc.utils.plots dvc.utils.strictyaml
dvc_data.fs dvc_data.hashfile.db.index dvc_data.hashfile.db.local dvc_data.hashfile.gc dvc_data.hashfile.status dvc_data.index.checkout
dvc_data.index.collect dvc_data.index.diff dvc_data.index.fetch dvc_data.index.push dvc_objects.fs.local dvc_render dvc_render.html
scmrepo.fs scmrepo.git.backend.dulwich scmrepo.git.backend.gitpython scmrepo.git.backend.pygit2
scmrepo.git.backend.pygit2.filter scmrepo.git.lfs configobj dulwich.ignore dulwich.index dulwich.porcelain flatten_dict fsspec.implementations.memory
grandalf.graphs grandalf.layouts grandalf.routing networkx platformdirs pydot pygit2 rich.json rich.live rich.status rich.table
ruamel.yaml tabulate wcwidth
""".split()


def preload():
    import gc
    import importlib

    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            pass
    importlib.import_module("dvc.cli.parser").get_main_parser()
    gc.collect()
    gc.freeze()


class Server:
    def __init__(self, path):
        import selectors

        self.READ = selectors.EVENT_READ
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path + ".new")
        self.listener.listen(16)
        os.rename(path + ".new", path)
        self.waiting = selectors.DefaultSelector()
        self.waiting.register(self.listener, self.READ)

    def accept(self):
        connection, _ = self.listener.accept()
        connection.settimeout(120)
        request, fds = receive(connection)
        pid = os.fork()
        if pid == 0:
            try:
                become(request, fds)
            finally:
                os._exit(99)
        for fd in fds:
            os.close(fd)
        ended = os.pidfd_open(pid)
        self.waiting.register(ended, self.READ, (connection, pid))

    def answer(self, ended, connection, pid):
        self.waiting.unregister(ended)
        os.close(ended)
        _, status = os.waitpid(pid, 0)
        try:
            connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        except OSError:
            pass  # the caller has gone
        connection.close()

    def serve(self, parent):
        self.waiting.register(os.pidfd_open(parent), self.READ, "parent")
        while True:
            for key, _ in self.waiting.select():
                if key.data == "parent":
                    return
                elif key.fileobj is self.listener:
                    self.accept()
                else:
                    self.answer(key.fd, *key.data)


def serve(owner):
    os.chdir("/")
    preload()
    path = socket_of(owner)
    server = Server(path)
    print("ready", flush=True)
    try:
        server.serve(owner)
    finally:
        for name in (path, path + ".lock", path + ".log"):
            os.unlink(name)


def connected(owner):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(socket_of(owner))
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    return connection


def connect(owner):
    """To the server of the owner, which is started where there is none."""
    connection = connected(owner)
    if connection:
        return connection
    import fcntl
    import subprocess

    with open(socket_of(owner) + ".lock", "w") as lock, open(socket_of(owner) + ".log", "w") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = connected(owner)  # another caller may have been first
        if connection:
            return connection
        words = [sys.executable, os.path.abspath(__file__), "serve", str(owner)]
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                  start_new_session=True)
        if server.stdout.readline() != b"ready\n":
            sys.exit(f"the server of the real DVC ended with {server.wait()}, see {log.name}")
    return connected(owner)


def call(owner, argv):
    connection = connect(owner)
    send(connection, request_text(argv))
    return int(connection.recv(64) or b"99")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        sys.exit(call(int(os.environ["NEPHRON_DVC_OWNER"]), sys.argv[2:]))
