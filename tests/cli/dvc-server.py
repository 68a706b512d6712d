"""The real DVC as a server, so that a test may call it often: importing DVC takes most of a second, a fork of what is imported a tenth.

    python dvc-server.py serve SOCKET PID    answers until PID is gone
    python dvc-server.py call SOCKET ARG...  runs `dvc ARG...` in the current folder, with our streams, and exits as it does

Each call is a fork: nothing of one is seen by the next.
"""

import array
import json
import os
import socket
import sys


def receive(connection):
    data, ancillary, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(3 * 4))
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    return json.loads(data), list(fds)


def run(request, fds):
    os.setsid()
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
        os.close(fd)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = ["dvc", *request["argv"]]
    from dvc.cli import main

    code = main(request["argv"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code & 0xFF)


def preload():
    import dvc.cli.parser
    import dvc.repo
    import dvc.repo.diff
    import dvc.repo.index
    import dvc.repo.data
    import dvc.repo.gc
    import dvc.repo.ls
    import dvc.repo.imp_url
    import dvc.repo.experiments
    import dvc.stage.loader
    import dvc.scm
    import dvc.fs
    import dvc.render
    import dvc_data.index.diff
    import dvc_data.hashfile.gc
    import dvc_objects.fs.local
    import scmrepo.git.backend.dulwich
    import scmrepo.git.backend.pygit2
    import scmrepo.git.backend.gitpython

    dvc.cli.parser.get_main_parser()


def serve(path, parent):
    preload()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path + ".new")
    listener.listen(8)
    listener.settimeout(1)
    os.rename(path + ".new", path)
    while os.path.exists(f"/proc/{parent}"):
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(120)
            request, fds = receive(connection)
            pid = os.fork()
            if pid == 0:
                listener.close()
                connection.close()
                run(request, fds)
            for fd in fds:
                os.close(fd)
            _, status = os.waitpid(pid, 0)
            connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os.unlink(path)


def call(path, argv):
    request = {"argv": argv, "cwd": os.getcwd(), "env": dict(os.environ)}
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    connection.sendmsg(
        [json.dumps(request).encode()],
        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))],
    )
    return int(connection.recv(64) or b"99")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(call(sys.argv[2], sys.argv[3:]))
