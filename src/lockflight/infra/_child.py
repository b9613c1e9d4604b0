"""What runs inside a child process: confine it, then answer requests or become a foreign program.

Started by `infra.proc` only. The parent trusts nothing that comes back from here.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import resource
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any

from lockflight.errors import LockflightError
from lockflight.infra._seal import seal

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Mapping

#: Parent to child: length of the request, number of descriptors.
REQUEST = struct.Struct(">QI")
#: Child to parent: `R` result or `E` error, length of the document.
ANSWER = struct.Struct(">cQ")
#: Linux accepts at most 253 descriptors in one message.
FDS_PER_MESSAGE = 200

#: A view may hold every asset of a release (`core.release.MAX_ASSETS`), each with a descriptor.
_MAX_FILES = 24_576
#: How long after the parent's own deadline a child whose parent is gone ends by itself.
_ORPHAN_GRACE_S = 5
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_NETWORK_EVENTS = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
    }
)
_OUT_OF_MEMORY = b'{"code":"","hint":"","memory":true,"message":"","type":"MemoryError"}'


def main(spec_text: str) -> None:
    """Entry point; `spec_text` is the JSON object that `infra.proc` wrote."""
    spec = json.loads(spec_text)
    confine(spec["limits"], network=spec["network"])
    if os.getppid() != spec["parent"]:
        sys.exit("the process that asked for this one is gone")
    if "argv" in spec:
        start_budget(spec["limits"])
        os.execve(spec["argv"][0], spec["argv"], dict(os.environ))  # noqa: S606 - no shell; this is the launcher
    seal(spec["sealed"])
    os.set_inheritable(spec["channel"], False)  # noqa: FBT003 - positional only
    # The original stays open until the process is gone, so the parent sees its end and its status together.
    serve(socket.socket(fileno=os.dup(spec["channel"])), spec["target"], spec["limits"])


def confine(limits: Mapping[str, Any], *, network: bool) -> None:
    """Lower this process's limits, for good, before anything hostile is near."""
    os.umask(0o077)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, _MAX_FILES)
    _lower(resource.RLIMIT_FSIZE, int(limits["file_bytes"]))
    _lower(resource.RLIMIT_AS, int(limits["memory_bytes"]))
    if sys.platform == "linux":
        import ctypes  # the parent shares this module, and needs no more of it than the form of messages

        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # A tool that a check started has a group of its own, which the check's parent does not know.
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if not network:
            _leave_network(libc)
    if not network:
        sys.addaudithook(_refuse_network)


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    # Some systems know a limit and refuse to set it; the wall clock in the parent still holds.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (value, value))


def _leave_network(libc: ctypes.CDLL) -> None:
    if libc.unshare(_CLONE_NEWNET) == 0:
        return
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(text)


def _refuse_network(event: str, _args: tuple[object, ...]) -> None:
    if event in _NETWORK_EVENTS:
        raise PermissionError(f"{event} is not allowed in this process")


def start_budget(limits: Mapping[str, Any]) -> None:
    """Give the next piece of work its CPU seconds, and an alarm in case that the parent is gone."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime) + int(limits["cpu_s"])
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    signal.setitimer(signal.ITIMER_REAL, float(limits["wall_s"]) + _ORPHAN_GRACE_S)


def serve(channel: socket.socket, target: str, limits: Mapping[str, Any]) -> None:
    """Answer requests until the parent closes the channel."""
    function: Callable[[bytes, list[int]], bytes] | None = None
    while True:
        signal.setitimer(signal.ITIMER_REAL, 0)
        header = _read(channel, REQUEST.size)
        if header is None:
            return
        start_budget(limits)
        length, count = REQUEST.unpack(header)
        fds = _read_fds(channel, count)
        request = _read(channel, length)
        if request is None:
            return
        try:
            if function is None:
                function = load(target)
            kind, document = b"R", function(request, fds)
        except MemoryError:
            kind, document = b"E", _OUT_OF_MEMORY
        except BaseException as error:  # noqa: BLE001 - whatever it was, the parent hears of it and decides
            kind, document = b"E", _describe(error)
        for fd in fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        channel.sendall(ANSWER.pack(kind, len(document)))
        channel.sendall(document)


def load(target: str) -> Any:  # noqa: ANN401 - whatever the table names
    """The object that `module:name` stands for."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _describe(error: BaseException) -> bytes:
    words = {"code": "", "message": "", "hint": ""}
    # Words of foreign exceptions may quote the hostile or secret bytes that caused them.
    if isinstance(error, LockflightError):
        words = {"code": error.code, "message": error.message, "hint": error.hint}
    return json.dumps({"type": type(error).__name__, "memory": False, **words}).encode()


def _read(channel: socket.socket, n: int) -> bytes | None:
    parts: list[bytes] = []
    while n:
        part = channel.recv(min(n, 1 << 20))
        if not part:
            return None
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def _read_fds(channel: socket.socket, count: int) -> list[int]:
    fds: list[int] = []
    cloexec = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    while len(fds) < count:
        _, some, flags, _ = socket.recv_fds(channel, 1, FDS_PER_MESSAGE, cloexec)
        if not some or flags & socket.MSG_CTRUNC:
            raise OSError("descriptors got lost on the way to the child process")
        fds.extend(some)
    for fd in fds:
        os.set_inheritable(fd, False)  # noqa: FBT003 - positional only
    return fds
