"""Small numbers as pickles write them, and what they stand for: looked up, since nearly all numbers are small."""

from __future__ import annotations

from typing import Final

from lockflight.formats.pickle.values import BOOL, Value, number_of

#: So many numbers are in the tables.
FEW: Final = 2048
#: Lines of text protocols with an index of the memo.
INDEXES: Final = {b"%d" % number: number for number in range(FEW)}
#: PUT of each of the first entries of the memo.
PUTS: Final = tuple(b"p%d\n" % number for number in range(FEW))
#: Lines of INT, with the two that are truth values.
INTS: Final[dict[bytes, Value]] = {
    **{b"%d" % number: number_of(number) for number in range(-FEW, FEW)},
    b"00": BOOL,
    b"01": BOOL,
}
#: Values of BININT1, by its argument.
SMALL: Final = tuple(-1 - number for number in range(256))
