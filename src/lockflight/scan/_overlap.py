"""Rows that stand twice, and rows of the test that were in the training."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass
from lockflight.core.words import Role
from lockflight.detect.similar import SIMILAR, Signature, bands, digest_of, signature, similarity, words_of

if TYPE_CHECKING:
    from lockflight.core.release.release import Asset

#: Rows whose digests are kept, per side.
MAX_ROWS: Final = 5_000_000
#: Texts whose signatures are kept and compared.
MAX_TEXTS: Final = 50_000
#: Words of one text that are compared.
_MAX_WORDS: Final = 2000
#: Texts that share a band with one text and are compared with it.
_MAX_NEAR: Final = 16
_TEST: Final = re.compile(
    r"(?:^|[\W_])(?:test|valid|validation|val|dev|eval|evaluation|holdout|heldout|gold)(?:$|[\W_])",
    re.IGNORECASE,
)


def is_test(asset: Asset) -> bool:
    """Whether a file of data is there to test with: by its role, or by a word in its name."""
    return asset.role is Role.EVAL_SET or _TEST.search(asset.name.rpartition("/")[2]) is not None


@dataclass(slots=True)
class Shared:
    """What one file shares with others.

    Attributes:
        asset: its name.
        test: whether it is there to test with.
        rows: how many rows or texts it has.
        again: rows that stood in it, or in another file of the same side, before.
        leaked: rows of a test that stand in the training too.
        near: texts that are nearly the same as an earlier one of the same side.
        near_leaked: texts of a test that are nearly the same as one of the training.
        line: of the first that leaked; 0 for none.
    """

    asset: str
    test: bool
    rows: int = 0
    again: int = 0
    leaked: int = 0
    near: int = 0
    near_leaked: int = 0
    line: int = 0


@dataclass(slots=True)
class _Side:
    digests: set[int] = field(default_factory=set)
    texts: list[Signature] = field(default_factory=list)
    index: dict[int, list[int]] = field(default_factory=dict)
    rows: int = 0
    different: int = 0

    def nearest(self, found: Signature, keys: list[int]) -> bool:
        seen: set[int] = set()
        for key in keys:
            for place in self.index.get(key, ())[:_MAX_NEAR]:
                if place not in seen and len(seen) < 4 * _MAX_NEAR:
                    seen.add(place)
                    if similarity(found, self.texts[place]) >= SIMILAR:
                        return True
        return False

    def keep(self, found: Signature, keys: list[int]) -> None:
        for key in keys:
            self.index.setdefault(key, []).append(len(self.texts))
        self.texts.append(found)


@dataclass(slots=True)
class Overlap:
    """Everything that was compared; files of the training come first, then those of the test.

    Attributes:
        files: what each file shares.
        cut: whether there was more than is kept.
    """

    files: list[Shared] = field(default_factory=list)
    cut: bool = False
    _train: _Side = field(default_factory=_Side)
    _test: _Side = field(default_factory=_Side)

    def begin(self, asset: Asset) -> None:
        """The rows that follow are of this file."""
        self.files.append(Shared(asset.name, is_test(asset)))

    def again(self) -> None:
        """What was said of this file's rows counts no more; they are read in another way."""
        file = self.files[-1]
        self.files[-1] = Shared(file.asset, file.test)

    def row(self, text: str, line: int) -> None:
        """One row, as the text of its fields; `line` counts from 1."""
        file = self.files[-1]
        file.rows += 1
        words = words_of(text)[:_MAX_WORDS]
        if not words:
            return
        side = self._test if file.test else self._train
        side.rows += 1
        digest = digest_of(words)
        again, leaked = digest in side.digests, file.test and digest in self._train.digests
        if leaked:
            file.leaked += 1
            file.line = file.line or line
        if again:
            file.again += 1
            return
        side.different += 1
        if len(side.digests) >= MAX_ROWS:
            self.cut = True
        else:
            side.digests.add(digest)
        self._near(file, side, words, line, leaked=leaked)

    def _near(self, file: Shared, side: _Side, words: list[str], line: int, *, leaked: bool) -> None:
        if len(side.texts) >= MAX_TEXTS:
            self.cut = True
            return
        found = signature(words)
        if found is None:
            return
        keys = bands(found)
        if side.nearest(found, keys):
            file.near += 1
        if file.test and not leaked and self._train.nearest(found, keys):
            file.near_leaked += 1
            file.line = file.line or line
        side.keep(found, keys)

    @property
    def telling(self) -> bool:
        """Whether equal rows mean something: where few different rows exist at all, tests repeat them anyway."""
        train = self._train
        return train.rows > 0 and train.different * 2 > train.rows
