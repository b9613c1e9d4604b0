"""The allow-list of globals that ships with Lockflight, read from its data: one list for the scan and for the load."""

from __future__ import annotations

import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from lockflight.core.canonical import loads_object
from lockflight.core.shape import texts
from lockflight.errors import EnvironmentProblem
from lockflight.formats.pickle.allow import AllowList, parse_allow_list
from lockflight.formats.pickle.arguments import RULES
from lockflight.formats.pickle.overlay import Overlay, parse_overlay

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_OVERLAY = 1024 * 1024
#: The documents of the list, one per library.
LIBRARIES = (
    "joblib",
    "keras",
    "lightgbm",
    "numpy",
    "onnx",
    "pandas",
    "python",
    "pytz",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "torch",
    "torchscript",
    "xgboost",
)


@cache
def shipped_documents() -> Mapping[str, bytes]:
    """The documents of the shipped list by library.

    Raises:
        EnvironmentProblem: LF2300 one is missing from the installation.
    """
    documents = {}
    for library in LIBRARIES:
        try:
            documents[library] = pkgutil.get_data("lockflight", f"_data/allowlist/{library}.json") or b""
        except OSError as error:
            raise EnvironmentProblem(
                "LF2300",
                f"The allow-list document {library}.json is missing from this installation.",
                hint="pip install --force-reinstall lockflight",
            ) from error
    return documents


@cache
def shipped_allow_list() -> AllowList:
    """The allow-list that comes with Lockflight.

    Raises:
        EnvironmentProblem: LF2300 a document is missing from the installation.
        VerificationFailed: LF2301 a document is damaged.
    """
    return parse_allow_list(shipped_documents().values(), frozenset(RULES))


def read_overlay(document: bytes) -> Overlay:
    """What a policy adds to the allow-list (`formats.pickle.overlay`).

    Args:
        document: the JSON of `allow_list/data.json`.

    Raises:
        InvalidInput: LF2302 it is no overlay, or adds what must not be added; LF03xx it is no JSON.
        EnvironmentProblem, VerificationFailed: as `shipped_allow_list`.
    """
    shipped = shipped_allow_list()
    never = {
        *texts(shipped.tables["keras"]["stdlib"]),
        *shipped.modules,
        *(module for module, _ in shipped.renames),
        "__main__",  # whatever the program that loads happens to be
    }
    body = loads_object(document, what="allow-list of the policy", max_bytes=MAX_OVERLAY)
    return parse_overlay(body, arguments=RULES, never=never)
