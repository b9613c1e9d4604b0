"""What closes a child process for good, before hostile bytes are near: filters of Linux that need no privileges.

Root's privileges are given up first. Of two layers each is asked for by name. `seccomp` refuses system calls: opening
anything to write, making, renaming, removing and changing files by their names, sockets of every kind, programs,
processes, signals to others, and whatever the list here does not know yet. `landlock` (Linux 5.13) lets files be read
only where Python and its libraries lie, and refuses all other use of them. What was open before stays usable: that is
how results get out.

Numbers are those of the kernel's `unistd.h` for x86-64 and for arm64; rights are those of `linux/landlock.h`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECCOMP: Final = "seccomp"
LANDLOCK: Final = "landlock"

_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_SECCOMP_GET_ACTION_AVAIL: Final = 2
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_KILL: Final = 0x80000000
#: Opcodes of the filter's machine: load a word, jump on equal, greater or equal, and any bit, return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ARGUMENTS: Final = 16

#: Machine to its column below, its number in filters, and the number of the call `seccomp`.
_MACHINES: Final = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}
#: Calls behind this one are newer than this list, which ends with Linux 5.17.
_NEWEST: Final = 450
#: Names of calls that are refused, with their numbers; -1 where a machine has none.
_REFUSED: Final = {
    # sockets
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    # programs, processes and what others do
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "setpgid": (109, 154), "setsid": (112, 157),
    # files by their names
    "creat": (85, -1), "mkdir": (83, -1), "mkdirat": (258, 34), "mknod": (133, -1), "mknodat": (259, 33),
    "rename": (82, -1), "renameat": (264, 38), "renameat2": (316, 276), "rmdir": (84, -1), "unlink": (87, -1),
    "unlinkat": (263, 35), "link": (86, -1), "linkat": (265, 37), "symlink": (88, -1), "symlinkat": (266, 36),
    "truncate": (76, 45), "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, -1),
    "lchown": (94, -1), "fchown": (93, 55), "fchownat": (260, 54), "utime": (132, -1), "utimes": (235, -1),
    "futimesat": (261, -1), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "unshare": (272, 97), "setns": (308, 268),
    # other ways to have calls made, and the kernel itself
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "io_setup": (206, 0),
    "io_submit": (209, 2), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "fanotify_init": (300, 262),
    "shmget": (29, 194), "shmat": (30, 196), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "mq_unlink": (241, 181), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224),
    "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
    "sethostname": (170, 161), "setdomainname": (171, 162), "iopl": (172, -1), "ioperm": (173, -1),
    "syslog": (103, 116), "vhangup": (153, 58), "modify_ldt": (154, -1), "personality": (135, 92),
}  # fmt: skip
#: Calls that libraries try first and do without: their arguments lie where a filter cannot look.
_ABSENT: Final = {"openat2": (437, 437), "clone3": (435, 435)}
#: Calls that are refused if a bit of an argument is set: which argument, which bits.
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_BY_BIT: Final = {"open": ((2, -1), 1, _WRITES), "openat": ((257, 56), 2, _WRITES)}
#: Threads of this process have it, processes of their own do not.
_CLONE_THREAD: Final = 0x10000
_CLONE: Final = (56, 220)
#: Calls that are for this process only: their first argument is its number (or, of limits, 0).
_OWN: Final = {"kill": ((62, 129), False), "tgkill": ((234, 131), False), "prlimit64": ((302, 261), True)}
#: Terminals take these as typed by their user.
_IOCTL: Final = (16, 29)
_TYPED: Final = (0x5412, 0x541C)

_CAPABILITIES: Final = 0x20080522
_DAC_READ_SEARCH: Final = 1 << 2

#: Landlock: its calls, and what it can refuse, in the order of its versions.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_FIRST_RIGHTS: Final = (1 << 13) - 1
_LATER_RIGHTS: Final = ((2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_TCP: Final = 3
_SCOPES: Final = 3
_O_PATH: Final = getattr(os, "O_PATH", 0)

#: Where libraries of the system lie, and what they read when they start; no file of a person is among these.
_SYSTEM: Final = (
    "/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store", "/sys/devices/system", "/sys/fs/cgroup",
    "/proc/self", "/proc/sys", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/version",
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
    "/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/mime.types",
    "/etc/os-release",
)  # fmt: skip


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("yes", ctypes.c_uint8),
        ("no", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("first", ctypes.POINTER(_Instruction)))


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def layers() -> tuple[str, ...]:
    """Which layers this system has: `seccomp`, `landlock`, both or none."""
    found = []
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        machine = _machine()
        if machine is not None:
            action = ctypes.c_uint32(_ERRNO)
            if libc.syscall(machine[2], _SECCOMP_GET_ACTION_AVAIL, 0, ctypes.byref(action)) == 0:
                found.append(SECCOMP)
        if _version(libc) > 0:
            found.append(LANDLOCK)
    return tuple(found)


def seal(wanted: Iterable[str]) -> None:
    """Put layers on this process and all of its threads, for good; needs `no_new_privs`.

    Args:
        wanted: names that `layers` gave.

    Raises:
        OSError: one of them cannot be put on; the process must end then.
    """
    wanted = tuple(wanted)
    if not wanted:
        return
    if not {SECCOMP, LANDLOCK}.issuperset(wanted):
        raise OSError(errno.ENOSYS, f"no layers of these names: {', '.join(wanted)}")
    sys.dont_write_bytecode = True
    libc = ctypes.CDLL(None, use_errno=True)
    _drop(libc)
    # Landlock's own calls come first, since a filter may refuse what opens folders.
    if LANDLOCK in wanted:
        _landlock(libc, [sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path, *_libraries(), *_SYSTEM])
    if SECCOMP in wanted:
        _seccomp(libc)


def _libraries() -> list[str]:
    return [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path.startswith("/")]


def _machine() -> tuple[int, int, int] | None:
    if ctypes.sizeof(ctypes.c_void_p) != 8 or sys.byteorder != "little":
        return None
    return _MACHINES.get(os.uname().machine)


def _failed(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def _drop(libc: ctypes.CDLL) -> None:
    """Give up what makes root more than an owner of files; a root that reads everything, libraries too, still does."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, then the same for the upper half
    if libc.capget(header, held):
        raise _failed("capget")
    kept = (ctypes.c_uint32 * 6)(held[0] & _DAC_READ_SEARCH, held[1] & _DAC_READ_SEARCH)
    if libc.capset(header, kept):
        raise _failed("capset")


# -- seccomp --


def _seccomp(libc: ctypes.CDLL) -> None:
    machine = _machine()
    if machine is None:
        raise OSError(errno.ENOSYS, "no filter for this machine")
    code = [_Instruction(*one) for one in _filter(machine[0], machine[1], os.getpid())]
    array = (_Instruction * len(code))(*code)
    program = _Program(len(code), ctypes.cast(array, ctypes.POINTER(_Instruction)))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        raise _failed("seccomp")


def _filter(column: int, arch: int, pid: int) -> Iterator[tuple[int, int, int, int]]:
    """The program: (opcode, jump if yes, jump if no, value) of each instruction."""
    refuse = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    number = (_LOAD, 0, 0, 0)
    yield _LOAD, 0, 0, 4
    yield _EQUAL, 1, 0, arch
    yield _RETURN, 0, 0, _KILL
    yield number
    # Above are the calls of x32 as well.
    yield _AT_LEAST, 0, 1, _NEWEST + 1
    yield _RETURN, 0, 0, _ERRNO | errno.ENOSYS
    for numbers in _REFUSED.values():
        if numbers[column] >= 0:
            yield _EQUAL, 0, 1, numbers[column]
            yield refuse
    for numbers in _ABSENT.values():
        yield _EQUAL, 0, 1, numbers[column]
        yield _RETURN, 0, 0, _ERRNO | errno.ENOSYS
    for numbers, argument, bits in _BY_BIT.values():
        if numbers[column] >= 0:
            yield _EQUAL, 0, 4, numbers[column]
            yield _LOAD, 0, 0, _ARGUMENTS + 8 * argument
            yield _ANY_BIT, 0, 1, bits
            yield refuse
            yield number
    yield _EQUAL, 0, 4, _CLONE[column]
    yield _LOAD, 0, 0, _ARGUMENTS
    yield _ANY_BIT, 1, 0, _CLONE_THREAD
    yield refuse
    yield number
    for numbers, zero in _OWN.values():
        yield _EQUAL, 0, 5, numbers[column]
        yield _LOAD, 0, 0, _ARGUMENTS
        yield _EQUAL, 2, 0, pid
        yield _EQUAL, 1, 0, 0 if zero else pid
        yield refuse
        yield number
    yield _EQUAL, 0, 5, _IOCTL[column]
    yield _LOAD, 0, 0, _ARGUMENTS + 8
    yield _EQUAL, 1, 0, _TYPED[0]
    yield _EQUAL, 0, 1, _TYPED[1]
    yield refuse
    yield number
    yield _RETURN, 0, 0, _ALLOW


# -- Landlock --


def _version(libc: ctypes.CDLL) -> int:
    return int(libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def _landlock(libc: ctypes.CDLL, readable: Iterable[str]) -> None:
    version = _version(libc)
    if version < 1:
        raise OSError(errno.ENOSYS, "no Landlock")
    rights = _FIRST_RIGHTS
    for since, right in _LATER_RIGHTS:
        rights |= right if version >= since else 0
    attributes = _Ruleset(rights, _TCP, _SCOPES)
    # An older kernel takes the part of it that it knows.
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = libc.syscall(_CREATE, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        raise _failed("landlock_create_ruleset")
    try:
        for path in dict.fromkeys(path for path in readable if path.startswith("/")):
            _let_read(libc, ruleset, path)
        if libc.syscall(_RESTRICT, ruleset, ctypes.c_uint32(0)):
            raise _failed("landlock_restrict_self")
    finally:
        os.close(ruleset)


def _let_read(libc: ctypes.CDLL, ruleset: int, path: str) -> None:
    try:
        opened = os.open(path, _O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        folder = os.path.isdir(f"/proc/self/fd/{opened}")  # noqa: PTH112 - of a descriptor
        rule = _Beneath(_READ_FILE | _READ_DIR if folder else _READ_FILE, opened)
        if libc.syscall(_ADD, ruleset, 1, ctypes.byref(rule), ctypes.c_uint32(0)):
            raise _failed("landlock_add_rule")
    finally:
        os.close(opened)
