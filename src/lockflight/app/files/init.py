"""Proposing a `lockflight.toml` by looking at a folder: a draft for a person, explained line by line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lockflight.app.files.baseimages import BaseImages, base_images
from lockflight.app.files.guess import HIGH, LOW, MEDIUM, Guess, Place, guess, knowledge_folders, place
from lockflight.app.files.patterns import extension, patterns
from lockflight.core.findings import Confidence
from lockflight.core.records import dataclass
from lockflight.core.release.manifest import parse_manifest
from lockflight.core.release.release import MANIFEST_NAME, NAME_PATTERN
from lockflight.core.release.selection import select
from lockflight.core.text.names import check_name, check_names
from lockflight.core.words import Kind, Role, Tier
from lockflight.errors import ConflictError, EnvironmentProblem, InternalError, InvalidInput, NotFound
from lockflight.formats.sniff import HEAD, sniff
from lockflight.infra.files import NEVER_CANDIDATES, Entry, FileKind, Folder

_READ = (".md", ".json", ".yaml", ".yml")
_DOCKERFILE = re.compile(r"(?i)(dockerfile|containerfile)(\..*)?|.*\.(dockerfile|containerfile)")
_LINKED = "symbolic links are never followed"
_LINKS = "PLEASE CHECK: if the release needs what these links point to, replace them by copies (cp -L)"
_TELLING = frozenset({"modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"})
_MOST_REQUIREMENTS = 1024 * 1024
_NO_LOCK = "PLEASE CHECK: not every requirement has one version (==) or a hash, so this is no lock yet"
_CONTINUED = re.compile(r"\\\r?\n")
_COMMENT = re.compile(r"(^|\s)#.*")
#: One version without a wildcard, a hash of pip's, or an address that carries one.
_PINNED = re.compile(r"===?\s*[^\s*,;]+(?![^\s;,]*\*)\s*($|[;,\s])|--hash=|[#&]sha(256|384|512)=")
_GRAVE = re.compile(
    r"tumou?r|cancer|patient|medic|clinic|diagnos|health|hospital|credit|loan|insur|hiring|recruit|resume|employ|hr[-_]"
    r"|biometric|face|emotion|police|crime|recidiv|asylum|border|visa|exam|admission|grading|welfare|benefit"
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A manifest that describes the folder as it is.

    Attributes:
        text: `lockflight.toml`, with a comment for each guess.
        guesses: per file its role, why, and how sure.
        kind, tier: as guessed.
    """

    text: str
    guesses: tuple[Guess, ...]
    kind: Kind
    tier: Tier

    @property
    def links(self) -> tuple[str, ...]:
        """Files that are left out because they are links, perhaps to what the release is about."""
        return tuple(g.name for g in self.guesses if g.why == _LINKED)


def propose(folder: Path, *, kind: Kind | None = None) -> Proposal:
    """Look at a folder and propose its manifest.

    Args:
        folder: which.
        kind: what it is, where somebody knows; guessed by default.

    Raises:
        NotFound: LF1009 no such folder, LF1121 it holds no file.
        InvalidInput: LF1013, LF1014 a name that no pattern can spell, LF1016 to LF1018 two names that are one file
            on some systems; LF1003, LF1007 as `Folder`.
        EnvironmentProblem: LF1008 something cannot be read.
    """
    with Folder(folder) as opened:
        entries = [e for e in opened.listing(skip=True).entries if e.name != MANIFEST_NAME]
        if not any(e.kind is FileKind.FILE for e in entries):
            raise NotFound(
                "LF1121",
                f"{str(folder)!r} holds no file that could be part of a release.",
                hint="Name the folder of a model or an application instead.",
            )
        guesses, architectures, images = _look(opened, entries)
    check_names(g.name for g in guesses if g.role is not None)
    kind, kind_why = (kind, "as was said") if kind is not None else guess_kind(guesses, architectures)
    tier, tier_why = guess_tier(kind, guesses, folder.resolve().name)
    text = _render(_slug(folder.resolve().name), (kind, kind_why), (tier, tier_why), guesses, images)
    # The promise of a proposal: it describes the folder, each file as guessed.
    kept = select(parse_manifest(text), (e.name for e in entries)).roles
    if kept != {g.name: g.role for g in guesses if g.role is not None}:
        # A name that no pattern can spell takes the place of another; only its owner can rename it.
        for entry in entries:
            check_name(entry.name)
        raise InternalError(
            "LF1122",
            f"The proposal for {str(folder)!r} does not fit it.",
            hint="Report it, with the file names.",
        )
    return Proposal(text, guesses, kind, tier)


def write_manifest(folder: Path, text: str, *, force: bool = False) -> Path:
    """Write a proposal into its folder.

    Raises:
        ConflictError: LF1120 there is one already, and `force` was not given.
        EnvironmentProblem: LF1104 it cannot be written.
    """
    path = folder / MANIFEST_NAME
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_TRUNC if force else os.O_EXCL)
    try:
        fd = os.open(path, flags, 0o644)
        with os.fdopen(fd, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise ConflictError(
            "LF1120",
            f"{str(path)!r} is there already.",
            hint="Edit it, or run lockflight init DIR --write --force.",
        ) from None
    except OSError as error:
        raise EnvironmentProblem(
            "LF1104",
            f"{str(path)!r} cannot be written: {error.strerror}.",
            hint="Check the folder's owner and mode.",
        ) from None
    return path


def _look(opened: Folder, entries: Sequence[Entry]) -> tuple[tuple[Guess, ...], frozenset[str], BaseImages]:
    beside: dict[str, set[str]] = {}
    suffixes: dict[str, list[str]] = {}
    for name, _ in entries:
        above, _, base = name.rpartition("/")
        suffixes.setdefault(above, []).append(extension(base.lower()))
        if base.lower() in _TELLING:
            beside.setdefault(above, set()).add(base.lower())
    knowledge = knowledge_folders(suffixes)
    guesses: list[Guess] = []
    architectures: set[str] = set()
    images = BaseImages()
    for entry in entries:
        out = _unfit(entry)
        if out is not None:
            guesses.append(out)
            continue
        source = opened.open(entry.name)
        try:
            head = source.read_at(0, HEAD)
            above = entry.name.rpartition("/")[0]
            seen = place(
                entry.name,
                sniff(source),
                head.decode("utf-8", errors="replace") if entry.name.lower().endswith(_READ) else "",
                frozenset().union(*(names for top, names in beside.items() if _is_above(top, above))),
            )
            found = guess(seen)
            if found.role is Role.DEPENDENCY_LOCK and seen.base.endswith(".txt"):
                found = _lock(found, source.read_at(0, min(source.size, _MOST_REQUIREMENTS)))
        finally:
            source.close()
        if (
            above in knowledge
            and found.role in {Role.DOCUMENTATION, Role.OTHER}
            and "readme" not in seen.base
        ):
            found = Guess(entry.name, Role.KNOWLEDGE_BASE, "one of many texts in one folder", MEDIUM)
        guesses.append(found)
        architectures |= _architectures(seen)
        if _DOCKERFILE.fullmatch(seen.base):
            images = images.plus(base_images(entry.name, head.decode("utf-8", errors="replace")))
    return tuple(guesses), frozenset(architectures), images


def _lock(found: Guess, body: bytes) -> Guess:
    """The guess for a list of requirements, with a doubt where it leaves versions open."""
    if is_pinned(body.decode("utf-8", errors="replace")):
        return found
    return Guess(found.name, found.role, _NO_LOCK, MEDIUM)


def is_pinned(text: str) -> bool:
    """Whether every requirement of a requirements file (pip's format) names one version or a hash."""
    for line in _CONTINUED.sub(" ", text).splitlines():
        words = _COMMENT.sub("", line).strip()
        if words and not words.startswith("-") and not _PINNED.search(words):
            return False
    return True


def _unfit(entry: Entry) -> Guess | None:
    if entry.kind is FileKind.SYMLINK:
        return Guess(entry.name, None, _LINKED, HIGH)
    if entry.kind is FileKind.SPECIAL:
        return Guess(entry.name, None, "no regular file", HIGH)
    try:
        check_name(entry.name)
    except InvalidInput:
        return Guess(entry.name, None, "the name does not mean the same file on every system", HIGH)
    return None


def _is_above(top: str, folder: str) -> bool:
    return not top or folder == top or folder.startswith(top + "/")


def _architectures(seen: Place) -> set[str]:
    if seen.base != "config.json":
        return set()
    listed = re.search(r'"architectures"\s*:\s*\[([^\]]{0,500})\]', seen.head)
    return set(re.findall(r'"(\w{1,80})"', listed[1])) if listed else set()


def guess_kind(guesses: Iterable[Guess], architectures: frozenset[str] = frozenset()) -> tuple[Kind, str]:
    """What the release as a whole is, and why."""
    roles = {g.role for g in guesses}
    prompts = roles & {Role.SYSTEM_PROMPT, Role.PROMPT_TEMPLATE}
    tools = roles & {Role.TOOL_MANIFEST, Role.TOOL_SERVER}
    knowledge = roles & {Role.KNOWLEDGE_BASE, Role.RETRIEVAL_INDEX}
    if tools and Role.SYSTEM_PROMPT in roles:
        # Tools beside a knowledge base still act: the stricter kind is the safer guess.
        return Kind.AGENT, "it has prompts and tools"
    if prompts and knowledge:
        return Kind.RAG_APP, "it has prompts and a knowledge base or index"
    if Role.SYSTEM_PROMPT in roles:
        return Kind.LLM_APP, "it has a system prompt"
    if Role.MODEL_WEIGHTS in roles or Role.ADAPTER in roles:
        return _kind_of_model(roles, architectures)
    for role, kind, why in _ONLY:
        if role in roles:
            return kind, why
    return Kind.MODEL, "nothing says what it is: choose one"


_ONLY: tuple[tuple[Role, Kind, str], ...] = (
    (Role.EMBEDDING_MODEL, Kind.EMBEDDING_SERVICE, "its only model makes embeddings"),
    (Role.TOOL_SERVER, Kind.TOOL_SERVER, "it has a tool server and no model"),
    (Role.TOOL_MANIFEST, Kind.TOOL_SERVER, "it has a tool manifest and no model"),
    (Role.PROMPT_TEMPLATE, Kind.LLM_APP, "it has prompts and no model of its own"),
    (Role.RETRIEVAL_INDEX, Kind.KNOWLEDGE_BASE, "it has an index and no model"),
    (Role.KNOWLEDGE_BASE, Kind.KNOWLEDGE_BASE, "it has texts to retrieve and no model"),
    (Role.DATASET, Kind.DATASET, "it has data and no model"),
    (Role.DATASET_REFERENCE, Kind.DATASET, "it points to data and has no model"),
    (Role.SAFETY_POLICY, Kind.POLICY, "it has policies and no model"),
    (Role.GUARD_POLICY, Kind.POLICY, "it has policies and no model"),
)


def _kind_of_model(roles: set[Role | None], architectures: frozenset[str]) -> tuple[Kind, str]:
    if any("Classification" in a for a in architectures):
        return Kind.CLASSIFIER, "config.json names a classification architecture"
    if any(a.endswith(("CausalLM", "ConditionalGeneration", "LMHeadModel")) for a in architectures):
        return Kind.BASE_MODEL, "config.json names a generating architecture"
    if Role.TOKENIZER not in roles and Role.ARCHITECTURE_CONFIG not in roles and Role.ADAPTER not in roles:
        return Kind.CLASSIFIER, "it has model files without tokenizer or architecture"
    return Kind.MODEL, "it has model files"


def guess_tier(kind: Kind, guesses: Iterable[Guess], folder: str) -> tuple[Tier, str]:
    """The risk tier, and why; `minimal` is never guessed, because a guess must not ask for too little."""
    hint = next(
        (m[0] for text in (folder, *(g.name for g in guesses)) if (m := _GRAVE.search(text.lower()))), ""
    )
    if hint:
        return Tier.HIGH, f"the name part {hint!r} hints at decisions about people"
    if kind is Kind.AGENT:
        return Tier.HIGH, "agents act, not only answer"
    return Tier.LIMITED, "nothing hints at decisions about people; choose high if it makes any"


def _slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower())[:128].strip("._-")
    return slug if re.fullmatch(NAME_PATTERN, slug) else "release"


def _render(
    name: str, kind: tuple[Kind, str], tier: tuple[Tier, str], guesses: Sequence[Guess], images: BaseImages
) -> str:
    groups = patterns({g.name: f"{g.label}\n{g.why}" if g.role is None else g.label for g in guesses})
    never = ", ".join(dict.fromkeys(n.why for n in NEVER_CANDIDATES))
    out = [
        f"# {MANIFEST_NAME}, proposed by `lockflight init`: every line is a guess. Read it, correct it, commit it.",
        f"# Never candidates, so not named here: {never}.",
        "",
        "[release]",
        f"name = {quote(name)}",
        'version = "dev"',
        f"# {kind[1]}; one of: {', '.join(k.value for k in Kind)}",
        f"kind = {quote(kind[0].value)}",
        f"# {tier[1]}; one of: {', '.join(t.value for t in Tier)}",
        f"tier = {quote(tier[0].value)}",
    ]
    for role in Role:
        if role.value in groups:
            out += ["", *_reasons([g for g in guesses if g.role is role])]
            out += ["[[assets]]", f"role = {quote(role.value)}", _files(groups[role.value])]
    for label, files in groups.items():
        if "\n" in label:
            reason = label.partition("\n")[2]
            out += [
                "",
                *([f"# {_LINKS}"] if reason == _LINKED else []),
                "[[exclude]]",
                f"reason = {quote(reason)}",
                _files(files),
            ]
    for note in images.notes:
        out += ["", f"# {note}"]
    for image in images.pinned:
        out += [
            "",
            f"# base image: {image.where}",
            "[[references]]",
            f"role = {quote(Role.IMAGE_BASE.value)}",
        ]
        out += [f"name = {quote(image.name)}", f"uri = {quote(image.uri)}", f"digest = {quote(image.digest)}"]
    return "\n".join(out) + "\n"


def _reasons(guesses: Sequence[Guess]) -> list[str]:
    by_reason: dict[tuple[str, Confidence], list[str]] = {}
    for g in guesses:
        by_reason.setdefault((g.why, g.confidence), []).append(g.name)
    lines = []
    for (why, confidence), names in by_reason.items():
        shown = ", ".join(quote(n)[1:-1] for n in names[:2]) + (
            f" and {len(names) - 2} more" if len(names) > 2 else ""
        )
        sure = "; NOT SURE, please check" if confidence is LOW else ""
        lines.append(f"# {why}: {shown}{sure}")
    return lines


def _files(globs: Sequence[str]) -> str:
    if len(globs) == 1:
        return f"files = [{quote(globs[0])}]"
    return "files = [\n" + "".join(f"  {quote(g)},\n" for g in globs) + "]"


def quote(text: str) -> str:
    """A TOML basic string; what cannot be seen is escaped."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char.isprintable():
            out.append(char)
        elif 0xD800 <= ord(char) <= 0xDFFF:
            out.append("?")
        else:
            out.append(f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}")
    return '"' + "".join(out) + '"'
