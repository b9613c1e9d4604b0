"""The allow-list of globals that ships with Lockflight, read from its data: one list for the scan and for the load."""

from __future__ import annotations

from functools import cache
from importlib import resources

from lockflight.errors import EnvironmentProblem
from lockflight.formats.pickle.allow import AllowList, parse_allow_list
from lockflight.formats.pickle.arguments import RULES

#: The documents of the list, one per library.
LIBRARIES = (
    "joblib",
    "keras",
    "numpy",
    "onnx",
    "pandas",
    "python",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "torch",
    "torchscript",
)


@cache
def shipped_allow_list() -> AllowList:
    """The allow-list that comes with Lockflight.

    Raises:
        EnvironmentProblem: LF2300 a document is missing from the installation.
        VerificationFailed: LF2301 a document is damaged.
    """
    folder = resources.files("lockflight") / "_data" / "allowlist"
    documents = []
    for library in LIBRARIES:
        try:
            documents.append((folder / f"{library}.json").read_bytes())
        except OSError as error:
            raise EnvironmentProblem(
                "LF2300",
                f"The allow-list document {library}.json is missing from this installation.",
                hint="pip install --force-reinstall lockflight",
            ) from error
    return parse_allow_list(documents, frozenset(RULES))
