"""OPA itself as a library, in a child process: the second engine, which must agree with the first where it counts.

The library is optional. Its distribution names Python 3.14 as the lowest version; it works on 3.11, and is installed
there without the check.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem
from lockflight.infra.installed import installed_version
from lockflight.infra.proc import MIB, Limits
from lockflight.policy.engines.library import MAX_OUTPUT, Library, LibraryEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

DISTRIBUTION = "opa-golib-python-bindings"
VERSION = "0.4.4"

#: Budgets of one decision. Go reserves 1.7 GiB of addresses before it does anything; what it uses is far less.
LIMITS = Limits(cpu_s=40, memory_bytes=3072 * MIB, wall_s=60.0, output_bytes=MAX_OUTPUT, file_bytes=MIB)

#: Facts are small beside the memory that a child may have: collect garbage less often, but stay near what 5 MB need.
_GO = {"GOGC": "400", "GOMEMLIMIT": "200MiB"}

INSTALL = f"python3 -m pip install --no-deps --ignore-requires-python {DISTRIBUTION}=={VERSION}"
if sys.version_info >= (3, 14):
    INSTALL = f"python3 -m pip install {DISTRIBUTION}=={VERSION}"

#: What Go writes into every library about the modules that it was built from.
_MODULE = b"\tgithub.com/open-policy-agent/opa\tv"
_BUILT_FROM = re.compile(re.escape(_MODULE) + rb"([0-9A-Za-z.+-]{1,80})[\t\n]")
#: Bytes that are read at once, and more than `_BUILT_FROM` can match.
_PART, _LONGEST = 256 * 1024, 256


class OpaEngine(LibraryEngine):
    """Rego by OPA (PyPI: opa-golib-python-bindings)."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        super().__init__(LIBRARY, limits)


def installed() -> bool:
    """Whether the library is here; nothing is loaded to find out."""
    return installed_version(DISTRIBUTION) is not None


def _identity() -> Mapping[str, str]:
    version = installed_version(DISTRIBUTION)
    if version is None:
        raise EnvironmentProblem(
            "LF4001", f"The policy engine OPA is not installed: there is no {DISTRIBUTION}.", hint=INSTALL
        )
    spec = importlib.util.find_spec("opa_bindings")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    found = sorted(p for f in folders for p in Path(f).glob("libopabridge.*"))
    built = _built(found[0]) if len(found) == 1 else None
    if built is None:
        raise EnvironmentProblem(
            "LF4001",
            f"The policy engine {DISTRIBUTION} {version} is damaged: its library is missing or says not what it is.",
            hint=f"{INSTALL} --force-reinstall",
        )
    return {"version": built[0], "library": f"{DISTRIBUTION} {version}", "sha256": built[1]}


def _built(path: Path) -> tuple[str, str] | None:
    """Version of OPA in a library, and the library's SHA-256."""
    digest = hashlib.sha256()
    version, window = "", b""
    with path.open("rb") as file:
        while part := file.read(_PART):
            digest.update(part)
            if version:
                continue
            # A pattern is slow to search with, so it only reads where its first words stand.
            window = window[-_LONGEST:] + part
            start = window.find(_MODULE)
            match = _BUILT_FROM.search(window, start) if start >= 0 else None
            version = match[1].decode("ascii") if match else ""
    return (version, digest.hexdigest()) if version else None


LIBRARY = Library(
    name="opa",
    target="lockflight.policy.engines._opa:evaluate",
    install=INSTALL,
    limits=LIMITS,
    find=_identity,
    env=_GO,
)
