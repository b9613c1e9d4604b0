"""`log witness`: a witness that a second team runs; it needs no realm, no database and no home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.log.cosign import read_in, write_out
from lockflight.app.realm import clock
from lockflight.core.verify.crypto.keys import ED25519
from lockflight.core.verify.log.note import KIND_COSIGNATURE, KIND_ED25519, NoteKey, parse_vkey
from lockflight.core.verify.log.submission import MAX_REQUEST_BYTES, Refused
from lockflight.errors import ConflictError, EnvironmentProblem, UsageError, VerificationFailed
from lockflight.log.witness import Witness
from lockflight.signing.keys import generate, load, save
from lockflight.store.files import make_folder
from lockflight.store.witnessed import KEY, WitnessFolder, create

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lockflight.log.serving import WitnessServer


def init(folder: Path, name: str, logs: Sequence[str]) -> Witness:
    """Make a witness; where there is one, add logs to those that it watches.

    Args:
        folder: holds its key and its memory.
        name: of its key, such as `witness.example/w1`; empty where there is one.
        logs: verifier keys of logs.

    Raises:
        UsageError: LF0171 a name is missing, is none, or is another than that of the witness there; a log is none.
        ConflictError: LF7007 there is a key without a memory.
        EnvironmentProblem: LF5054 it cannot be written.
    """
    keys = [_log(text) for text in logs]
    if (folder / KEY).exists() or (folder / "state.json").exists():
        state = WitnessFolder(folder)
        if name and name != state.name:
            raise UsageError(
                "LF0171",
                f"The witness in {folder} is called {state.name!r}; a witness keeps its name.",
                hint="Choose another folder for another witness.",
            )
    else:
        _check_name(name)
        try:
            make_folder(folder)
        except OSError as error:
            raise EnvironmentProblem(
                "LF5054",
                f"The folder {folder} of the witness cannot be made: {error.strerror}.",
                hint=f"ls -ld {folder.parent}",
            ) from error
        # The key first: a memory without a key is useless, a key without a memory would be dangerous.
        save(generate(ED25519), folder / KEY)
        state = create(folder, name)
    if keys:
        state.watch(keys)
    return open_witness(folder)


def open_witness(folder: Path) -> Witness:
    """The witness in a folder.

    Raises:
        NotFound: LF5053 there is none.
        EnvironmentProblem: LF5054 its memory cannot be used; LF7006, LF7008 its key.
    """
    state = WitnessFolder(folder)
    return Witness(state, load(folder / KEY), clock.now)


def answer(folder: Path, request: Path, out: Path) -> str:
    """Answer a request from a file; the line that was written.

    Raises:
        VerificationFailed: LF7228 the witness refuses, with the status that it would answer over a network.
        ConflictError: LF5058 it has cosigned another size than the request starts from.
        EnvironmentProblem: LF5054 its memory cannot be used, LF5052 the answer cannot be written.
    """
    witness = open_witness(folder)
    try:
        line = witness.add_checkpoint(read_in(request, MAX_REQUEST_BYTES))
    except Refused as refused:
        said = refused.body.strip()
        if refused.status == 409:
            raise ConflictError(
                "LF5058",
                f"The witness has cosigned {said} entries of this log, and the request starts from another size.",
                hint=f"lockflight log cosign --request FILE --old {said}",
                details={"size": int(said)},
            ) from refused
        raise VerificationFailed(
            "LF7228",
            f"The witness does not cosign (status {refused.status}): {said.rstrip('.')}.",
            hint="400, 403, 404: another file, key or log. 422: the log was rewritten; keep the request as evidence.",
            details={"status": refused.status},
        ) from refused
    write_out(out, line.encode())
    return line


def server(folder: Path, address: str, say: Callable[[str], None]) -> tuple[Witness, WitnessServer]:
    """A server for the witness, listening but not yet serving.

    Args:
        folder: of the witness.
        address: `HOST:PORT`; an IPv6 host in brackets.
        say: is told one line per refusal.

    Raises:
        UsageError: LF0171 not an address.
        EnvironmentProblem: LF5057 it cannot be used.
    """
    from lockflight.log.serving import WitnessServer

    host, found, port = address.rpartition(":")
    if not found or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError("LF0171", f"{address[:80]!r} is not HOST:PORT.", hint="--listen 127.0.0.1:8099")
    witness = open_witness(folder)
    try:
        return witness, WitnessServer((host.strip("[]"), int(port)), witness, say)
    except OSError as error:
        raise EnvironmentProblem(
            "LF5057",
            f"The witness cannot listen at {address}: {error.strerror or error}.",
            hint="--listen 127.0.0.1:PORT with a port that is free",
        ) from error


def _log(text: str) -> NoteKey:
    try:
        key = parse_vkey(text)
    except VerificationFailed as error:
        raise UsageError(
            "LF0171", error.message, hint="lockflight log show prints the key of a log."
        ) from error
    if key.kind != KIND_ED25519:
        raise UsageError(
            "LF0171",
            f"The key {key.name!r} is that of a clock or witness, not of a log.",
            hint="lockflight log show prints the key of a log.",
        )
    return key


def _check_name(name: str) -> None:
    key = NoteKey(name, KIND_COSIGNATURE, generate(ED25519).public_key.raw)
    try:
        good = bool(name) and parse_vkey(key.vkey).name == name and name.isprintable()
    except VerificationFailed:
        good = False
    if not good:
        raise UsageError(
            "LF0171",
            f"{name!r} cannot name a witness: it must be one word without a plus sign.",
            hint="--name witness.example/w1: an address of yours is a good name, though nobody fetches it.",
        )
