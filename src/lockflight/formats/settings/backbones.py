"""Models that a configuration has transformers and timm fetch beside its own weights."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject

_NAMES: Final = frozenset({"backbone", "architecture"})
#: What stands beside the name of one in a configuration of transformers.
_BESIDE: Final = frozenset(
    {
        "model_type",
        "architectures",
        "transformers_version",
        "backbone_config",
        "backbone_kwargs",
        "use_timm_backbone",
        "use_pretrained_backbone",
    }
)
#: Keys that this looks at.
BACKBONES: Final = _NAMES | _BESIDE
_TIMM: Final = re.compile(r"hf[_-]hub:|local-dir:")


def check_backbone(value: JsonObject, issues: Issues) -> None:
    """Look at an object that may be such a configuration, or a part of one."""
    for key in sorted(_NAMES & value.keys()):
        name = value[key]
        if not isinstance(name, str):
            continue
        # A plain name is one of timm's own; others are repositories, or folders.
        outside = key == "backbone" and not _BESIDE.isdisjoint(value) and ("/" in name or ":" in name)
        if outside or _TIMM.match(name):
            message = (
                f"Its {key} makes the loader fetch another model, which is not judged here: {shown(name)}."
            )
            issues.add(Issue("config:outside", Verdict.UNKNOWN, message, subject=name))
