"""What the tests of `infra.proc` run inside child processes."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

from lockflight.errors import EnvironmentProblem
from lockflight.infra.command import run_command


def echo(request, fds):
    return request


def _tried(ways):
    """Which of some ways work, and which numbers the system gives for the others."""
    seen = {}
    for name, way in ways.items():
        try:
            way()
        except OSError as error:
            seen[name] = error.errno
        else:
            seen[name] = 0
    return seen


def escapes(request, fds):
    """Everything that a payload could try, with a folder and a file in it that are not its own."""
    folder = Path(request.decode())
    file = folder / "kept"
    libc = ctypes.CDLL(None, use_errno=True)

    def call(function, *arguments):
        if function(*arguments) < 0:
            raise OSError(ctypes.get_errno(), "refused")

    def write(fd):
        os.write(fd, b"spoilt")

    return json.dumps(
        _tried(
            {
                "create": lambda: (folder / "new").write_bytes(b"x"),
                "overwrite": lambda: file.write_bytes(b"x"),
                "append": lambda: write(os.open(file, os.O_WRONLY | os.O_APPEND)),
                "by its descriptor": lambda: write(os.open(f"/proc/self/fd/{fds[0]}", os.O_RDWR)),
                "truncate": partial(os.truncate, file, 0),
                "mkdir": (folder / "inner").mkdir,
                "link": lambda: os.link(file, folder / "link"),
                "symlink": lambda: (folder / "symlink").symlink_to(file),
                "rename": lambda: (folder / "gone").rename(folder / "renamed"),
                "chmod": lambda: file.chmod(0o777),
                "fchmod": lambda: os.fchmod(fds[0], 0o777),
                "times": lambda: os.utime(file, (0, 0)),
                "unlink": (folder / "other").unlink,
                "tcp": partial(socket.socket, socket.AF_INET),
                "udp": partial(socket.socket, socket.AF_INET, socket.SOCK_DGRAM),
                "unix": partial(socket.socket, socket.AF_UNIX),
                "fork": lambda: os.waitpid(os.fork() or os._exit(0), 0),
                "program": lambda: subprocess.run(["/bin/true"], check=True),
                "signal": lambda: os.kill(os.getppid(), 0),
                "ring": lambda: call(libc.syscall, 425, 1, None),
                "read": file.read_bytes,
                "list": lambda: list(folder.iterdir()),
                "parent": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
            }
        )
    ).encode()


def works(request, fds):
    """What a library that loads a model does."""
    os.write(fds[1], os.pread(fds[0], 64, 0))
    thread = threading.Thread(target=lambda: os.write(fds[1], b"+"))
    thread.start()
    thread.join()
    os.kill(os.getpid(), 0)
    import decimal

    return json.dumps([Path(decimal.__file__).stat().st_size > 0, Path("/proc/self/stat").exists()]).encode()


def payload(path):
    """What a hostile pickle calls."""
    Path(path).write_text("spoilt")
    return path


def unpickle(request, fds):
    """Load a pickle under the allow-list and what is added to it, as `deploy.rewriting` does."""
    from lockflight.deploy.pickles import load_joblib
    from lockflight.deploy.rewriting import _Open

    try:
        return load_joblib(_Open(fds[0]), "model.pkl", allow_list="", overlay=request).encode()
    except OSError as error:
        return f"refused {error.errno}".encode()


def facts(request, fds):
    """What a child sees around it."""
    return json.dumps(
        {
            "environment": dict(os.environ),
            "cwd": str(Path.cwd()),
            "isolated": sys.flags.isolated,
            "leader": os.getsid(0) == os.getpid(),
            "stdin": os.fstat(0).st_rdev == Path(os.devnull).stat().st_rdev,
            "pid": os.getpid(),
        }
    ).encode()


def read_fds(request, fds):
    return b"|".join(os.pread(fd, 64, 0) for fd in fds)


def count_open(request, fds):
    return str(len(list(Path("/proc/self/fd").iterdir()))).encode()


def talk(request, fds):
    sys.stdout.write("noise on stdout " * 20_000)
    sys.stdout.flush()
    sys.stderr.write("last words\n")
    return b"answer"


def spin(request, fds):
    while True:
        pass


def wait(request, fds):
    signal.pause()


def eat(request, fds):
    return b"x" * (1 << 40)


def eat_small(request, fds):
    held = []
    while True:
        held.append(bytearray(1 << 20))


def long_answer(request, fds):
    return b"x" * 2_000_000


def stumble(request, fds):
    raise ValueError("hunter2 is the secret of the file")


def problem(request, fds):
    raise EnvironmentProblem("LF5010", "The tool x is missing.", hint="lockflight tools install x")


def die(request, fds):
    os.kill(os.getpid(), int(request))


def segfault(request, fds):
    ctypes.string_at(0)


def leave(request, fds):
    os._exit(3)


def flood_channel(request, fds):
    for fd in range(3, 40):
        try:
            channel = socket.socket(fileno=os.dup(fd))
            channel.send(b"R" + (5).to_bytes(8, "big") + b"forgedmore")
        except OSError:
            continue
    signal.pause()


def connect(request, fds):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.connect(("127.0.0.1", 9))
    return b"connected"


def raw_connect(request, fds):
    """Past Python's audit hooks, so that only the network namespace can stop it."""
    libc = ctypes.CDLL(None, use_errno=True)
    port = int(request)
    address = bytes([2, 0]) + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        failed = libc.connect(sock.fileno(), address, len(address))
    return b"refused" if failed else b"connected"


def write_much(request, fds):
    Path(request.decode()).write_bytes(bytes(64 << 20))
    return b"written"


def leave_behind(request, fds):
    """Start a grandchild that outlives its parent, and say who it is."""
    child = subprocess.Popen(["/bin/sleep", "600"])
    return str(child.pid).encode()


def item(request, fds):
    if request == b"poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return request + b" by " + str(os.getpid()).encode()


def quit_politely(request, fds):
    raise SystemExit(0)


def end_while_answering(request, fds):
    return 3.5


def start_program(request, fds):
    """A program with a process group of its own; its number goes to the file that was named."""
    run_command(["/bin/sh", "-c", f"echo $$ > {request.decode()}; exec sleep 600"])
