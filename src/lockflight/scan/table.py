"""Every check by name. A new check is one new file, one line here, and what it declares in `scan.declared`.

Its module is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from lockflight.errors import NotFound
from lockflight.scan.declared import INFOS

if TYPE_CHECKING:
    from lockflight.core.attest.check import Check, CheckInfo

CHECKS: dict[str, str] = {
    "models": "lockflight.scan.models:ModelsCheck",
    "code": "lockflight.scan.code:CodeCheck",
    "bandit": "lockflight.scan.bandit:BanditCheck",
    "secrets": "lockflight.scan.secrets:SecretsCheck",
    "documents": "lockflight.scan.documents:DocumentsCheck",
    "text-integrity": "lockflight.scan.text_integrity:TextIntegrityCheck",
    "data": "lockflight.scan.data:DataCheck",
    "completeness": "lockflight.scan.completeness:CompletenessCheck",
}


def load(name: str) -> Check:
    """The check of that name.

    Raises:
        NotFound: LF2001 there is none.
    """
    if name not in CHECKS:
        raise NotFound(
            "LF2001",
            f"There is no check {name!r}; known are {', '.join(CHECKS)}.",
            hint="lockflight scan --help",
        )
    module, _, cls = CHECKS[name].partition(":")
    return cast("Check", getattr(importlib.import_module(module), cls)())


def infos() -> tuple[CheckInfo, ...]:
    """What every check declares about itself, in the order of the table."""
    return tuple(INFOS[name] for name in CHECKS)
