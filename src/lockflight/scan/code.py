"""The `code` check: own rules for Python of ML and LLM systems, in files and in the code cells of notebooks.

It reads syntax trees, never imports or runs anything, and honours no comment that would silence it: exceptions are
waivers, signed by people. What it cannot read (Python that does not parse, compiled code, files over budget) is a
finding and lowers the coverage.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.attest.check import (
    PPM,
    CheckResult,
    Status,
    Tool,
    base_name,
    severity_summary,
)
from lockflight.core.findings import Confidence, Finding, Location, Severity
from lockflight.core.records import dataclass
from lockflight.core.words import Role
from lockflight.detect.invisible import Hidden, find_hidden
from lockflight.errors import InvalidInput
from lockflight.formats import media
from lockflight.formats.notebook import parse_notebook
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan._text import capped, suffix
from lockflight.scan.declared import CODE, OTHER_LANGUAGES
from lockflight.scan.python.atimport import AT_IMPORT, TOOLS, at_import
from lockflight.scan.python.flow import FLOW_RULES, SINK_LASTS, Flow
from lockflight.scan.python.names import Module, Scope, calls
from lockflight.scan.python.rules import NODE_RULES, RULES_BY_LAST
from lockflight.scan.python.rules_load import LOAD_RULES
from lockflight.scan.python.rules_run import RUN_RULES
from lockflight.scan.python.source import MAX_BYTES, Unreadable, odd_encoding, parse_bytes, parse_cell
from lockflight.scan.python.when import CallView, Rule, built_text
from lockflight.scan.walk.assets import Walker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.core.attest.check import CheckContext, Subject
    from lockflight.core.release.release import Asset
    from lockflight.core.source import ByteSource

_PYTHON = frozenset({".py", ".pyw", ".pyi", ".pyx"})
_COMPILED = frozenset(
    {".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".exe", ".whl", ".egg", ".jar", ".class"}
)
_BINARIES = frozenset({media.ELF, media.PE, media.MACH_O, media.WASM})
#: Archives that are not opened.
_PACKED = frozenset(
    {
        media.TAR,
        media.GZIP,
        media.BZIP2,
        media.XZ,
        media.LZMA,
        media.ZSTD,
        media.LZ4,
        media.SEVEN_ZIP,
        media.RAR,
    }
)
#: Python in one archive.
_MAX_MEMBERS_BYTES = 32 * 1024 * 1024
_SHEBANG = re.compile(rb"^#!.*\bpython")
_TO_SHELL = re.compile(r"\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b")
_FETCHES = re.compile(r"\b(?:curl|wget)\b")
_BRACED = re.compile(r"\{[A-Za-z_]")
_VARIABLE = re.compile(r"(?<![\\\w])\$[A-Za-z_]\w*")
_UNPARSED_FIX = "Mend the syntax, or move the file out of the release: what cannot be read was not judged."


@dataclass(slots=True)
class _Tally:
    """What was judged, in bytes, and which findings came of it."""

    findings: list[Finding]
    total: int = 0
    judged: int = 0
    unknown: int = 0
    files: int = 0
    cells: int = 0


#: Every rule, for reference pages.
ALL_RULES: tuple[Rule, ...] = (
    *LOAD_RULES,
    *RUN_RULES,
    *FLOW_RULES,
    *NODE_RULES.values(),
    AT_IMPORT,
)


class CodeCheck:
    """Own rules for Python code (grain view, `software`)."""

    info = CODE

    def run(self, subject: Subject, ctx: CheckContext) -> CheckResult:
        """Judge every Python file and notebook of the view."""
        tally = _Tally([])
        other = 0
        for asset in subject.assets:
            kind = _kind(asset)
            if kind == "python" or (kind == "" and _SHEBANG.match(ctx.open(asset).read_at(0, 128))):
                _judge_file(asset, ctx.open(asset), tally)
            elif kind == "archive":
                other += _judge_archive(asset, ctx.open(asset), tally)
            elif kind == "notebook":
                _judge_notebook(asset, ctx.open(asset), tally)
            elif kind in {"compiled", "packed"}:
                tally.total += asset.size
                tally.unknown += 1
                tally.findings.append(_closed(asset, kind))
            elif kind == "other":
                other += 1
        numbered = _numbered(tally.findings)
        summary = severity_summary(numbered)
        summary |= {
            "files": tally.files,
            "cells": tally.cells,
            "unknown": tally.unknown,
            "other_languages": other,
        }
        return CheckResult(
            status=Status.COMPLETE,
            # The grammar is that of the running interpreter, so it is part of what looked.
            tool=Tool(
                "lockflight-code", f"{self.info.version}+python{sys.version_info[0]}.{sys.version_info[1]}"
            ),
            findings=capped(numbered, code="LF2409", rule="code:more"),
            summary=summary,
            coverage_ppm=PPM if tally.judged == tally.total else tally.judged * PPM // tally.total,
        )


def code_findings(
    tree: ast.Module, asset: str, member: str = "", *, module_name: str = ""
) -> Iterator[Finding]:
    """Apply every rule to one syntax tree.

    Args:
        tree: the tree.
        asset: name of the asset.
        member: the cell or member that it is of; empty for the asset itself.
        module_name: last part of the name under which a member may be imported; empty for a cell.

    Raises:
        RecursionError: expressions are nested too deeply; nothing can be said about the tree.
    """
    module = Module(tree)
    flows: dict[int, Flow] = {}
    for scope in module.scopes:
        for rule, call, source, line in _matches(module, scope, flows):
            yield _finding(rule, call, source, Location(member=member, line=line), asset, scope.name)
    base = module_name or ("" if member else base_name(asset))
    if base:
        # The cells of a notebook are run by people, one by one; a file may be imported by anybody.
        for rule, call, line in at_import(module, tree, base):
            yield _finding(rule, call, "", Location(member=member, line=line), asset, "")


def _finding(rule: Rule, call: str, source: str, place: Location, asset: str, scope: str) -> Finding:
    return Finding(
        code=rule.code,
        rule=f"code:{rule.rule}",
        severity=rule.severity,
        confidence=rule.confidence,
        asset=asset,
        message=rule.message.format(call=call, source=source),
        fix=rule.fix,
        location=place,
        ids=rule.ids,
        salt=f"{rule.rule}:{call}:{scope}",
    )


def _matches(module: Module, scope: Scope, flows: dict[int, Flow]) -> Iterator[tuple[Rule, str, str, int]]:
    """(rule, what is called, what flows into it, line) of each match in one scope."""
    for node in calls(scope):
        names = module.resolve(node.func, scope)
        lasts = {name.rpartition(".")[2] for name in names}
        match node.func:
            case ast.Name(id=last) | ast.Attribute(attr=last):
                lasts.add(last)
        view = CallView(node, names, frozenset(lasts), lambda name: module.value(name, scope))
        flowing = list(_flow(module, scope, flows).sinks(view)) if lasts & SINK_LASTS else []
        for rule, call, source in flowing:
            yield rule, call, source, node.lineno
        for rule in {
            rule.rule: rule for last in sorted(lasts) for rule in RULES_BY_LAST.get(last, ())
        }.values():
            call = rule.matches(view)
            # A sink that model output reaches says it all; the same call built at run time adds nothing.
            if call and not (flowing and rule.subsumed):
                yield rule, call, "", node.lineno
    for other in scope.nodes:
        found = _node_rule(module, scope, other)
        if found is not None:
            yield NODE_RULES[found[0]], found[1], "", getattr(other, "lineno", 0)


def _flow(module: Module, scope: Scope, flows: dict[int, Flow]) -> Flow:
    known = flows.get(id(scope))
    if known is None:
        outer = _flow(module, scope.parent, flows) if scope.parent else None
        known = flows[id(scope)] = Flow(module, scope, outer)
    return known


def _node_rule(module: Module, scope: Scope, node: ast.AST) -> tuple[str, str] | None:
    """The rule about something that is no call, and what to call it."""
    match node:
        case (
            ast.Assign(targets=[ast.Attribute(attr="verify_mode")], value=value)
            | ast.keyword(arg="cert_reqs", value=value)
        ):
            if "ssl.CERT_NONE" in module.resolve(value, scope) or _is_text(value, "CERT_NONE"):
                return "tls-unverified-mode", "CERT_NONE"
        case ast.Assign(
            targets=[ast.Attribute(attr="verify" | "check_hostname" as attr)], value=ast.Constant(value=False)
        ):
            return "tls-unverified-mode", f"{attr} = False"
        case ast.Assign(targets=[ast.Attribute(attr="auto_run")], value=ast.Constant(value=True)):
            if "interpreter" in ast.dump(node)[:400]:
                return "agent-auto-run", "auto_run = True"
        case ast.Attribute(attr="BLOCK_NONE"):
            return "safety-block-none", "BLOCK_NONE"
        case ast.Dict(keys=keys, values=values):
            fields = {k.value: v for k, v in zip(keys, values, strict=True) if isinstance(k, ast.Constant)}
            if _is_text(fields.get("role"), "system") and built_text(fields.get("content")):
                return "system-prompt-built", "content"
    return None


def _is_text(node: ast.expr | None, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def _kind(asset: Asset) -> str:
    end = suffix(asset.name)
    if end == ".ipynb" or asset.media_type == media.NOTEBOOK:
        return "notebook"
    if end in _PYTHON or asset.media_type == media.PYTHON:
        return "python"
    if asset.role is Role.CODE:
        if end in _COMPILED or asset.media_type in _BINARIES:
            return "compiled"
        if asset.media_type == media.ZIP:
            return "archive"
        if asset.media_type in _PACKED:
            return "packed"
    return "other" if end in OTHER_LANGUAGES else ""


def _judge_file(asset: Asset, source: ByteSource, tally: _Tally) -> None:
    tally.files += 1
    tally.total += source.size
    data = source.read_at(0, MAX_BYTES + 1)
    if _judge(asset.name, "", data, tally):
        tally.judged += source.size


def _judge_archive(asset: Asset, source: ByteSource, tally: _Tally) -> int:
    """Judge the Python in an archive, wherever the check `models` finds some; how much is of other languages."""
    tally.files += 1
    tally.total += source.size
    before, others, left = tally.unknown, 0, _MAX_MEMBERS_BYTES

    def member(content: ByteSource, kind: str, place: str) -> bool:
        nonlocal others, left
        if kind != media.PYTHON:
            others += 1
            return False
        left -= content.size
        if left < 0:
            tally.unknown += 1
            tally.findings.append(_unreadable(asset.name, place, Unreadable("budget")))
            return False
        name = content.name.rsplit("/", 1)[-1]
        # Out of an archive nobody starts a script: who takes a module from there imports it.
        name = name if name in TOOLS else "__init__.py"
        return _judge(asset.name, place, content.read_at(0, MAX_BYTES + 1), tally, name)

    walker = Walker(shipped_allow_list(), member)
    walker.file(source)
    # What cannot be opened may hold code as well; the check `models` says what it is.
    if tally.unknown == before and not walker.over_budget:
        tally.judged += source.size
    return others


def _judge(asset: str, member: str, data: bytes, tally: _Tally, module_name: str = "") -> bool:
    """Add the findings of one file; whether it could be judged."""
    try:
        found = list(code_findings(parse_bytes(data), asset, member, module_name=module_name))
    except Unreadable as error:
        tally.unknown += 1
        tally.findings.append(_unreadable(asset, member, error))
        return False
    except RecursionError:
        tally.unknown += 1
        tally.findings.append(_unreadable(asset, member, Unreadable("budget")))
        return False
    tally.findings += found
    if odd_encoding(data):
        tally.findings.append(_odd_encoding(asset))
    tally.findings += hidden_in_code(data.decode("utf-8", errors="replace"), asset, member)
    return True


def _judge_notebook(asset: Asset, source: ByteSource, tally: _Tally) -> None:
    tally.files += 1
    tally.total += source.size
    try:
        notebook = parse_notebook(source)
    except InvalidInput as error:
        tally.unknown += 1
        tally.findings.append(
            Finding(
                code="LF2403",
                rule="code:notebook-unreadable",
                severity=Severity.HIGH,
                asset=asset.name,
                message="The notebook could not be read, so its code was not judged.",
                fix=error.hint,
            )
        )
        return
    judged = source.size
    for cell in notebook.cells:
        if cell.kind != "code":
            continue
        tally.cells += 1
        member = f"cell {cell.index}"
        if notebook.language != "python":
            continue
        try:
            parsed = parse_cell(cell.source)
            tally.findings += code_findings(parsed.tree, asset.name, member)
        except (Unreadable, RecursionError) as error:
            judged -= min(judged, len(cell.source.encode("utf-8", "replace")) or 1)
            tally.unknown += 1
            why = error if isinstance(error, Unreadable) else Unreadable("budget")
            tally.findings.append(_unreadable(asset.name, member, why))
            continue
        tally.findings += _shell_lines(parsed.shell, asset.name, member)
        tally.findings += hidden_in_code(cell.source, asset.name, member)
    tally.judged += judged


def _pipes_to_shell(line: str) -> bool:
    """Whether what `curl` or `wget` fetches goes straight into a shell."""
    return any(
        _FETCHES.search(line, line.rfind("|", 0, found.start()) + 1, found.start())
        for found in _TO_SHELL.finditer(line)
    )


def _interpolates(line: str) -> bool:
    """Whether a line of a shell takes in the value of a variable."""
    braced = _BRACED.search(line)
    return (braced is not None and "}" in line[braced.end() :]) or _VARIABLE.search(line) is not None


def _shell_lines(lines: Iterable[tuple[int, str]], asset: str, member: str) -> Iterator[Finding]:
    for number, line in lines:
        if _pipes_to_shell(line):
            rule = NODE_RULES["notebook-pipe-to-shell"]
        elif line.startswith(("!", "%")) and _interpolates(line):
            rule = NODE_RULES["notebook-shell-built"]
        else:
            continue
        yield Finding(
            code=rule.code,
            rule=f"code:{rule.rule}",
            severity=rule.severity,
            confidence=rule.confidence,
            asset=asset,
            message=rule.message,
            fix=rule.fix,
            location=Location(member=member, line=number),
            ids=rule.ids,
            salt=rule.rule,
        )


def hidden_in_code(text: str, asset: str, member: str) -> Iterator[Finding]:
    """Bidirectional controls, tags and the like: a reviewer sees other code than the interpreter."""
    runs, total = find_hidden(text, strict=True)
    serious = [run for run in runs if run.kind not in {Hidden.CONTROL, Hidden.ZERO_WIDTH}]
    if not serious:
        return
    first = serious[0]
    yield Finding(
        code="LF2480",
        rule=f"code:hidden-{first.kind.value}",
        severity=Severity.HIGH,
        asset=asset,
        message=f"{total} hidden characters, the first {first.first}: readers see other code than Python does.",
        fix="Delete the hidden characters, or write them as escapes.",
        location=Location(member=member, line=first.line),
        ids=("CWE-1007", "CVE-2021-42574"),
        salt=first.kind.value,
    )


def _odd_encoding(asset: str) -> Finding:
    return Finding(
        code="LF2481",
        rule="code:odd-encoding",
        severity=Severity.HIGH,
        asset=asset,
        message="The encoding line makes Python read other text than an editor shows.",
        fix="Save the file as UTF-8 and delete the encoding line.",
        location=Location(line=1),
        ids=("CWE-506",),
    )


def _unreadable(asset: str, member: str, error: Unreadable) -> Finding:
    budget = error.reason == "budget"
    place = "The cell" if member.startswith("cell ") else "The file"
    return Finding(
        code="LF2402" if budget else "LF2401",
        rule="code:over-budget" if budget else "code:no-python",
        severity=Severity.HIGH,
        asset=asset,
        message=f"{place} is too large or too deeply nested to be judged."
        if budget
        else f"{place} is not valid Python {sys.version_info[0]}, so it was not judged.",
        fix="Split it." if budget else _UNPARSED_FIX,
        location=Location(member=member, line=error.line),
        ids=("CWE-1127",) if not budget else (),
    )


#: Why code of a kind is not judged, and what to do about it.
_CLOSED = {
    "compiled": (
        "Compiled code cannot be read by this check, so it was not judged.",
        "Ship the source and build it in the build recipe, or attach provenance of the build.",
    ),
    "packed": (
        "This check does not open archives of this kind, so the code in it was not judged.",
        "Unpack it, or pack the code as a zip archive.",
    ),
}


def _closed(asset: Asset, kind: str) -> Finding:
    message, fix = _CLOSED[kind]
    return Finding(
        code="LF2404",
        rule=f"code:{kind}",
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        asset=asset.name,
        message=message,
        fix=fix,
        ids=("CWE-829", "LLM03:2025"),
    )


def _numbered(findings: list[Finding]) -> list[Finding]:
    """Equal findings of one place get a number, so that their fingerprints differ and stay."""
    seen: Counter[tuple[str, str, str]] = Counter()
    out = []
    for finding in findings:
        key = (finding.asset, finding.location.member, finding.salt or finding.message)
        seen[key] += 1
        out.append(replace(finding, salt=f"{key[2]}#{seen[key]}"))
    return out
