"""What a release says about the inside of a safetensors file, so that each tensor can be checked by itself.

The header's digest binds every name, type, shape and offset; the tensors follow in order of their offsets, so equal
digests in another order are another file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass
from lockflight.core.shape import array, hex64, obj

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue

#: Where index and format meet: files of this ending are indexed when they are signed.
SUFFIX: Final = ".safetensors"
#: Tensors of all files of one release; with more (or very many files) no file is indexed, and whole files are hashed.
MAX_TENSORS: Final = 100_000
#: What a file takes of that budget beside its tensors: its own lines in the statement.
FILE_COST: Final = 5


@dataclass(frozen=True, slots=True)
class TensorIndex:
    """Digests of the parts of one safetensors file.

    Attributes:
        header: BLAKE3 (64 hex) of everything before the first tensor, the eight bytes of its length included.
        digests: BLAKE3 (64 hex) of each tensor's bytes, in order of (start, end) and else of the header.
    """

    header: str
    digests: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """As it stands in the annotation `tensors`."""
        return {"header": self.header, "blake3": list(self.digests)}


def parse_index(value: JsonValue) -> TensorIndex:
    """Read `TensorIndex.to_json` back.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    body = obj(value)
    return TensorIndex(hex64(body["header"]), tuple(hex64(digest) for digest in array(body["blake3"])))
