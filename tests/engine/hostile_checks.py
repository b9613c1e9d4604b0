"""Checks that behave and checks that do not, for the tests of the local engine."""

from __future__ import annotations

import os
import signal

from lockflight.core.attest.check import CheckInfo, CheckResult, Grain, Status, Tool, severity_summary
from lockflight.core.findings import Finding, Severity
from lockflight.core.release.release import Asset
from lockflight.core.words import Role
from lockflight.errors import EnvironmentProblem, InvalidInput


class _Base:
    info = CheckInfo("made-up", "7", "made up", Grain.ASSET, frozenset({Role.MODEL_WEIGHTS}))

    def run(self, subject, ctx):
        data = b"".join(ctx.open(a).read_at(0, a.size) for a in subject.assets)
        return self.judge(subject, ctx, data)

    def complete(self, subject, **changes):
        findings = changes.pop("findings", ())
        return CheckResult(
            Status.COMPLETE,
            Tool("lockflight-made-up", "7"),
            findings=findings,
            summary=severity_summary(findings) | {"pid": os.getpid()} | changes.pop("summary", {}),
            **changes,
        )


class Good(_Base):
    def judge(self, subject, ctx, data):
        finding = Finding("LF2101", "made:up", Severity.LOW, subject.name, f"{len(data)} bytes, {data[:4]!r}")
        return self.complete(subject, findings=(finding,))


class Whole(_Base):
    """At grain release: says what it sees of the release."""

    def judge(self, subject, ctx, data):
        return self.complete(subject, summary={"assets": len(subject.release.assets), "bytes": len(data)})


class Windows(_Base):
    """Reads in every way that a source allows, and says what came back."""

    def judge(self, subject, ctx, data):
        source = ctx.open(subject.assets[0])
        parts = [source.read_at(2, 3), source.read_at(source.size, 9), source.read_at(source.size - 1, 9)]
        try:
            source.read_at(-1, 2)
        except ValueError:
            parts.append(b"refused")
        return self.complete(
            subject, findings=(Finding("LF2101", "made:up", Severity.LOW, source.name, repr(parts)),)
        )


class ByContent(_Base):
    """Does what the file says: hostile bytes that reach the process."""

    def judge(self, subject, ctx, data):
        match data.strip():
            case b"kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case b"spin":
                while True:
                    pass
            case b"wait":
                signal.pause()
            case b"eat":
                bytearray(1 << 44)
            case b"raise":
                raise ValueError(f"the secret of the file is {data!r}")
            case b"house":
                raise InvalidInput("LF1003", "hunter2 changed while it was read.")
            case b"exit":
                raise SystemExit(0)
            case b"print":
                os.write(1, b'{"status":"complete"}\n')
        return self.complete(subject)


class Outside(_Base):
    def judge(self, subject, ctx, data):
        other = Asset("other.bin", Role.OTHER, 3, "0" * 64, "0" * 64)
        ctx.open(other)
        return self.complete(subject)


class NeedsTool(_Base):
    def judge(self, subject, ctx, data):
        return self.complete(subject, reason="" if ctx.tool("bandit") == "/opt/bandit" else "?")


class Unreachable(_Base):
    def judge(self, subject, ctx, data):
        raise EnvironmentProblem("LF5010", "The tool x is missing.")


class Liar(_Base):
    """Returns something that no result looks like."""

    def run(self, subject, ctx):
        class Result:
            def to_json(self):
                return {"status": "complete", "tool": "none"}

        return Result()


class Floats(_Base):
    def judge(self, subject, ctx, data):
        return self.complete(subject, summary={"share": 0.5})


class Broken(_Base):
    def __init__(self):
        raise RuntimeError("cannot even start")


class Surroundings(_Base):
    """Says what is in its environment."""

    def judge(self, subject, ctx, data):
        return self.complete(
            subject, findings=(Finding("LF2101", "made:up", Severity.LOW, "x", repr(dict(os.environ))),)
        )
