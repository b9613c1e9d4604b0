"""Which file of a folder has which role: the rules of a manifest applied to a list of names. Pure.

No rule silently overrides another: a file that two roles claim, that no rule names, or a rule that names no file is
an error. Exclusion is the one exception, because it is said openly and with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lockflight.core.records import dataclass
from lockflight.core.release.datacard import DataCard
from lockflight.core.release.manifest import AssetRule, Manifest, Notice
from lockflight.core.release.release import MANIFEST_NAME
from lockflight.core.text.globs import Glob
from lockflight.core.words import Role
from lockflight.errors import InvalidInput

#: How many names a message lists before it counts the rest.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Excluded:
    """A file that is not part of the release, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What the rules of a manifest make of a folder.

    Attributes:
        roles: name to role, in code point order, without the manifest itself.
        data: name to what is said about it, of data about which something is said.
        excluded: files that `[[exclude]]` names.
        notices: exclusions that name nothing (LF1031).
    """

    roles: dict[str, Role]
    data: dict[str, DataCard]
    excluded: tuple[Excluded, ...]
    notices: tuple[Notice, ...]


class _Rules:
    """Patterns and what they stand for; literal names are found without trying every pattern."""

    def __init__(self, globs: Iterable[tuple[Glob, int]]) -> None:
        self.literal: dict[str, list[tuple[int, int]]] = {}
        self.wild: list[tuple[Glob, int, int]] = []
        self.globs = list(globs)
        for i, (glob, rule) in enumerate(self.globs):
            if glob.literal:
                self.literal.setdefault(glob.prefix, []).append((i, rule))
            else:
                self.wild.append((glob, i, rule))
        self.used: set[int] = set()

    def match(self, name: str) -> list[tuple[int, int]]:
        """(pattern index, rule index) of every pattern that matches."""
        found = list(self.literal.get(name, ()))
        found += [(i, rule) for glob, i, rule in self.wild if glob.matches(name)]
        self.used.update(i for i, _ in found)
        return found

    def unused(self) -> list[tuple[Glob, int]]:
        return [pair for i, pair in enumerate(self.globs) if i not in self.used]


def select(
    manifest: Manifest,
    names: Iterable[str],
    *,
    where: str = MANIFEST_NAME,
    skipped: Sequence[str] = (),
    suggest: Callable[[str], str] = lambda _: Role.OTHER.value,
) -> Selection:
    """Apply the rules.

    Args:
        manifest: the rules.
        names: every candidate, the manifest itself included or not.
        where: how messages name the manifest.
        skipped: never candidates that were met, to explain why a rule matches nothing.
        suggest: the role to suggest for a file that no rule names.

    Raises:
        InvalidInput: LF1004 a file that no rule names, LF1005 a rule that names no file, LF1006 a file that rules
            of two roles name.
    """
    rules = _Rules((glob, i) for i, rule in enumerate(manifest.assets) for glob in rule.globs)
    excludes = _Rules((glob, i) for i, rule in enumerate(manifest.excludes) for glob in rule.globs)
    roles: dict[str, Role] = {}
    data: dict[str, DataCard] = {}
    excluded: list[Excluded] = []
    unnamed: list[str] = []
    for name in sorted(set(names) - {MANIFEST_NAME}):
        claims = [manifest.assets[rule] for _, rule in rules.match(name)]
        out = excludes.match(name)
        if out:
            excluded.append(Excluded(name, manifest.excludes[out[0][1]].reason))
        elif not claims:
            unnamed.append(name)
        else:
            other = next((c for c in claims if c.role is not claims[0].role), None)
            if other is not None:
                raise _two_roles(name, claims[0], other, where)
            roles[name] = claims[0].role
            cards = list(dict.fromkeys(claim.data for claim in claims if claim.data is not None))
            if len(cards) > 1:
                raise _two_cards(name, claims, where)
            if cards:
                data[name] = cards[0]
    if unnamed:
        raise _unnamed(unnamed, where, suggest)
    for glob, i in rules.unused():
        raise _names_nothing(glob, manifest.assets[i], where, skipped)
    notices = tuple(
        Notice(
            "LF1031",
            f"{where}:{manifest.excludes[i].line}: the exclusion {glob.text!r} names no file.",
            manifest.excludes[i].line,
        )
        for glob, i in excludes.unused()
    )
    return Selection(roles, data, tuple(excluded), notices)


def _two_roles(name: str, one: AssetRule, two: AssetRule, where: str) -> InvalidInput:
    def said(rule: AssetRule) -> str:
        pattern = next(g.text for g in rule.globs if g.matches(name))
        return f"{rule.role.value} ({where}:{rule.line}, {pattern!r})"

    return InvalidInput(
        "LF1006",
        f"{name!r} is named by two roles: {said(one)} and {said(two)}. No rule overrides another.",
        hint="Narrow one of the two patterns.",
        details={"name": name, "lines": [one.line, two.line]},
    )


def _two_cards(name: str, claims: list[AssetRule], where: str) -> InvalidInput:
    lines = [claim.line for claim in claims if claim.data is not None]
    return InvalidInput(
        "LF0175",
        f"{where}:{lines[1]}: another thing is said about {name!r} than in line {lines[0]}.",
        hint="Narrow one of the two patterns.",
        details={"name": name, "lines": lines},
    )


def _unnamed(names: list[str], where: str, suggest: Callable[[str], str]) -> InvalidInput:
    shown = ", ".join(repr(n) for n in names[:SHOWN])
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return InvalidInput(
        "LF1004",
        f"No rule of {where} names {shown}{rest}; every file is in a release on purpose or excluded with a reason.",
        hint=f"Add to {where}, line by line:  {_lines_for(names[0], suggest(names[0]))}",
        details={"names": [ascii(n)[1:-1] for n in names[:1000]], "count": len(names)},
    )


def _lines_for(name: str, label: str) -> str:
    """Lines of a manifest that give a file a role, or leave it out; `label` may be no role."""
    out = f'[[exclude]]  files = ["{name}"]  reason = "why it stays out"'
    if label not in set(Role):
        return out
    return f'[[assets]]  role = "{label}"  files = ["{name}"]  (or, to leave it out:  {out})'


def _names_nothing(glob: Glob, rule: AssetRule, where: str, skipped: Sequence[str]) -> InvalidInput:
    never = next((s for s in skipped if glob.text.startswith(s) or glob.matches(s.rstrip("/"))), "")
    why = f" ({never} is never a candidate)" if never else ""
    return InvalidInput(
        "LF1005",
        f"{where}:{rule.line}: {glob.text!r} of the role {rule.role.value} names no file{why}.",
        hint="Correct the pattern or remove it; a file that is missing would otherwise go unnoticed.",
        details={"pattern": glob.text, "line": rule.line},
    )
