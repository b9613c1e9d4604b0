"""What runs in the child process of a check: the subject in, its result out, whatever the check does."""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import field
from typing import TYPE_CHECKING

from lockflight.core.attest.check import CheckResult, Status, Tool
from lockflight.core.canonical import dumps, loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import obj, text, texts
from lockflight.engine.wire import subject_from_json
from lockflight.errors import EnvironmentProblem, InternalError, InvalidInput, LockflightError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from lockflight.core.attest.check import Subject
    from lockflight.core.release.release import Asset
    from lockflight.core.source import ByteSource

MAX_REQUEST = 256 * 1024 * 1024


def run_check(request: bytes, fds: list[int]) -> bytes:
    """Answer `{check, target, subject, descriptors, tools, data}` with the canonical JSON of a `CheckResult`."""
    asked = loads_object(request, what="job", max_bytes=MAX_REQUEST)
    name = text(asked["check"])
    tool = Tool(f"lockflight-{name}", "")
    try:
        module, _, attribute = text(asked["target"]).partition(":")
        check: Any = getattr(importlib.import_module(module), attribute)()
        tool = Tool(f"lockflight-{check.info.name}", check.info.version)
        subject = subject_from_json(obj(asked["subject"]))
        names = texts(asked["descriptors"])
        context = Context(
            subject,
            dict(zip(names, fds, strict=True)),
            {key: text(value) for key, value in obj(asked["tools"]).items()},
            text(asked["data"]),
        )
        result: CheckResult = check.run(subject, context)
        document = dumps(result.to_json())
    except MemoryError:
        raise
    except EnvironmentProblem as error:
        hint = f" Next: {error.hint}" if error.hint else ""
        document = _incomplete(tool, f"{error.code} {error.message}{hint}")
    except LockflightError as error:
        document = _incomplete(tool, f"{type(error).__name__} {error.code}")
    except Exception as error:  # noqa: BLE001 - a check that raises has judged nothing; the words may be hostile
        document = _incomplete(tool, type(error).__name__)
    return document


def _incomplete(tool: Tool, reason: str) -> bytes:
    return dumps(CheckResult(Status.INCOMPLETE, tool, reason=reason, coverage_ppm=0).to_json())


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A `ByteSource` over an inherited descriptor; reads do not move a shared file position."""

    fd: int
    size: int
    name: str

    def read_at(self, offset: int, n: int) -> bytes:
        """See `ByteSource.read_at`.

        Raises:
            InvalidInput: LF1003 the file is shorter than when it was hashed.
        """
        if offset < 0 or n < 0:
            raise ValueError("offset and length must not be negative")
        want = max(0, min(n, self.size - offset))
        parts: list[bytes] = []
        while want:
            part = os.pread(self.fd, want, offset)
            if not part:
                raise InvalidInput(
                    "LF1003", f"{self.name} changed while it was read.", hint="lockflight check"
                )
            parts.append(part)
            offset += len(part)
            want -= len(part)
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Context:
    """What a running check may use: see `core.check.CheckContext`."""

    subject: Subject
    descriptors: Mapping[str, int]
    tools: Mapping[str, str] = field(default_factory=dict)
    data: str = ""
    _assets: Mapping[str, Asset] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the assets by name: a view may hold 20,000, and a check opens each."""
        object.__setattr__(self, "_assets", {asset.name: asset for asset in self.subject.assets})

    def open(self, asset: Asset) -> ByteSource:
        """The bytes of one of the subject's assets.

        Raises:
            InternalError: LF4402 the asset is not part of the subject, or was not handed over.
        """
        fd = self.descriptors.get(asset.name, -1)
        if asset != self._assets.get(asset.name) or fd < 0:
            raise InternalError(
                "LF4402",
                f"The check asked for {asset.name!r}, which is no asset of its subject {self.subject.name!r}.",
                hint="The roles that a check reads are part of its declaration.",
            )
        return Descriptor(fd, asset.size, asset.name)

    def tool(self, name: str) -> str:
        """Absolute path of an installed foreign tool's executable.

        Raises:
            EnvironmentProblem: LF5010, naming the install command.
        """
        path = self.tools.get(name)
        if path is None:
            raise EnvironmentProblem(
                "LF5010", f"The tool {name} is not installed.", hint=f"lockflight tools install {name}"
            )
        return path


def encode(
    check: str, target: str, subject: object, names: list[str], tools: Mapping[str, str], data: str = ""
) -> bytes:
    """The request that `run_check` answers; `subject` is what `wire.subject_to_json` returned."""
    body = {
        "check": check,
        "target": target,
        "subject": subject,
        "descriptors": names,
        "tools": dict(tools),
        "data": data,
    }
    return json.dumps(body, ensure_ascii=False).encode("utf-8")
