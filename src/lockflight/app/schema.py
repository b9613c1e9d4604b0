"""The JSON Schemas of everything that Lockflight writes for machines."""

from __future__ import annotations

from importlib.resources import files

from lockflight.core.text.suggest import did_you_mean
from lockflight.errors import NotFound

_BASES = ("https://lockflight.dev/schema/", "https://lockflight.dev/attestation/")


def names() -> list[str]:
    """Names of all schemas."""
    folder = files("lockflight").joinpath("_data", "schemas")
    return sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json"))


def schema(word: str) -> bytes:
    """A schema by name (`check`), by versioned name (`check/v1`) or by the URI that replies carry.

    Raises:
        NotFound: LF0202 there is none of that name.
    """
    name = word
    for base, prefix in zip(_BASES, ("", "attestation-"), strict=True):
        if word.startswith(base):
            name = prefix + word.removeprefix(base)
    name = name.removesuffix("/v1")
    known = names()
    if name not in known:
        raise NotFound(
            "LF0202",
            f"There is no schema {word!r}.",
            hint=did_you_mean(name, known, otherwise="lockflight schema lists all of them."),
        )
    return files("lockflight").joinpath("_data", "schemas", f"{name}.json").read_bytes()
