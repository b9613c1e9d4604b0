"""A new bundle to start from: the gate of the shipped packs, one rule of its own, and all that proves it."""

from __future__ import annotations

import re

from lockflight.core.canonical import loads_strict
from lockflight.core.shape import array, obj
from lockflight.errors import UsageError
from lockflight.policy.bundle import BASE, RULE_META, SHIPPED, resource_files
from lockflight.policy.patch import patched
from lockflight.policy.shipped import as_json, laid_over, pack, pack_files
from lockflight.policy.text.annotations import rule_metadata_file
from lockflight.policy.text.names import TEST_SUFFIX

#: What every bundle shares with the shipped packs, so that the two can be compared.
SHARED = ("policy/gate.rego", "policy/lib.rego", "policy/waivers.rego")

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_NAME = 24


def new_bundle(name: str, start: str = "") -> dict[str, bytes]:
    """The files of a bundle that reads, bites and passes its tests.

    Args:
        name: small letters, digits and single dashes; its rule code and its package are made from it.
        start: a shipped pack, whose rules, data and fixtures it starts with; empty for a rule of its own alone.

    Raises:
        NotFound: LF4024 there is no such pack.
        UsageError: LF0180 the name has another form.
    """
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise UsageError(
            "LF0180",
            f"{name!r} is no name for a policy: small letters, digits and dashes, at most {MAX_NAME} of them.",
            hint="lockflight policy new our-rules --out policy",
        )
    package = name.replace("-", "_")
    code = "".join(word[0] for word in name.split("-")).upper() + "1001"
    words = {"@NAME@": name, "@PACKAGE@": package, "@CODE@": code}

    def filled(text: str) -> str:
        for mark, word in words.items():
            text = text.replace(mark, word)
        return text

    template = SHIPPED / "new"
    files = {
        filled(path): filled(body.decode("utf-8")).encode("utf-8") for path, body in resource_files(template)
    }
    shipped = pack_files(start or "baseline")
    if start:
        files = laid_over(name, files, shipped)
    else:
        files |= {path: shipped[path] for path in SHARED}
        change = array(loads_strict(files[BASE], what=BASE))
        files[BASE] = as_json(obj(patched(pack("baseline").base, change)))
    judging = {
        path: body.decode("utf-8")
        for path, body in files.items()
        if path.endswith(".rego") and not path.endswith(TEST_SUFFIX)
    }
    files[f"{RULE_META}/data.json"] = rule_metadata_file(judging)
    return files
