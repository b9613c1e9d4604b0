"""Personal data in texts: numbers with check digits, addresses of mail, telephone numbers.

A number with one check digit is right by chance one time in ten, so a table of order numbers is full of "valid" ones.
A number counts at once only where chance is small: two check digits or more, the form in which people write it, or a
word beside it that says what it is. All others are *candidates*: their count and the share of right ones are returned,
and `likely` says whether chance explains it (Chernoff's bound on the binomial tail).

Nothing here keeps what it found: a hit is a place and a kind.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import field
from itertools import chain
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass
from lockflight.detect import checkdigits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Numbers that card networks and payment services publish for tests.
_TEST_CARDS: Final = frozenset(
    {
        "4111111111111111", "4242424242424242", "4000056655665556", "5555555555554444", "5105105105105100",
        "2223003122003222", "378282246310005", "371449635398431", "6011111111111117", "6011000990139424",
        "3530111333300000", "3566002020360505", "30569309025904", "38520000023237", "4012888888881881",
        "4222222222222", "5200828282828210", "6200000000000005",
    }
)  # fmt: skip
#: Domains that stand for nobody (RFC 2606, RFC 6761) and accounts that are no person's.
_NOBODY: Final = re.compile(
    r"(?:^|[.@])(?:example\.(?:com|net|org)|localhost|[a-z0-9-]+\.(?:example|invalid|test|local))$"
    r"|^(?:no-?reply|do-?not-?reply|mailer-daemon|postmaster|git)@",
    re.IGNORECASE,
)
#: Chance must explain what was found with less than this probability (natural logarithm of 10^9).
_SURE: Final = 9 * math.log(10)
_LOOK_BACK: Final = 64


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of number.

    Attributes:
        name: in findings.
        title: for people, in the plural.
        valid: whether digits without separators are one.
        chance: share of candidates that are right by chance.
        words: what people call it, as a pattern in small letters; empty where no word is needed.
        weight: `identifier` for numbers that name a person or an account, `contact` for ways to reach one.
    """

    name: str
    title: str
    valid: Callable[[str], bool]
    chance: float
    words: str = ""
    weight: str = "identifier"


def _test_card(digits: str) -> bool:
    return digits not in _TEST_CARDS and checkdigits.card(digits)


_CARD: Final = Kind(
    "payment-card", "payment card numbers", _test_card, 0.1, r"card|pan\b|visa|master|amex|kredit|carte"
)
_BSN: Final = Kind("nl-bsn", "Dutch service numbers", checkdigits.bsn, 1 / 11, r"bsn|burgerservice|sofi")
_SIN: Final = Kind(
    "ca-sin", "Canadian social insurance numbers", checkdigits.sin, 0.1, r"\bsin\b|social insurance|\bnas\b"
)
_SSN: Final = Kind(
    "us-ssn", "US social security numbers", checkdigits.ssn, 0.9, r"ssn|social[ _-]?sec|tax[ _-]?(?:payer|id)"
)
_NHS: Final = Kind("uk-nhs", "NHS numbers", checkdigits.nhs, 1 / 11, r"nhs|patient|health (?:no|num)")
_PERSONNUMMER: Final = Kind(
    "se-personnummer", "Swedish personal numbers", checkdigits.personnummer, 0.1, r"personn|pnr|person_n"
)
_PESEL: Final = Kind("pl-pesel", "Polish PESEL numbers", checkdigits.pesel, 0.03, r"pesel")
_STEUER: Final = Kind(
    "de-steuer-id",
    "German tax identification numbers",
    checkdigits.steuer_id,
    0.004,
    r"steuer|idnr|tin\b|tax",
)
_RRN_BE: Final = Kind(
    "be-rrn", "Belgian register numbers", checkdigits.rrn_be, 0.0008, r"rijksregister|niss|insz|national"
)
_CPF: Final = Kind("br-cpf", "Brazilian CPF numbers", checkdigits.cpf, 0.01, r"cpf|contribuinte")
_AADHAAR: Final = Kind("in-aadhaar", "Aadhaar numbers", checkdigits.aadhaar, 0.1, r"aadha|uidai|\buid\b")
_RRN_KR: Final = Kind("kr-rrn", "Korean resident numbers", checkdigits.rrn_kr, 0.004, r"rrn|resident|주민")
_NIR: Final = Kind(
    "fr-nir", "French social security numbers", checkdigits.nir, 0.002, r"\bnir\b|s[ée]cu|insee"
)
_CN: Final = Kind(
    "cn-resident",
    "Chinese resident numbers",
    checkdigits.resident_cn,
    0.0003,
    r"身份证|resident|\bid[ _-]?(?:card|no|num)",
)
_IBAN: Final = Kind("iban", "IBANs", checkdigits.iban, 0.01)
_DNI: Final = Kind(
    "es-dni", "Spanish DNI and NIE numbers", checkdigits.dni, 1 / 23, r"\bdni\b|\bnie\b|\bnif\b|documento"
)
_HETU: Final = Kind("fi-hetu", "Finnish personal codes", checkdigits.hetu, 0.002)
_FISCAL: Final = Kind("it-codice-fiscale", "Italian tax codes", checkdigits.codice_fiscale, 0.001)
_MAIL: Final = Kind("email", "e-mail addresses", bool, 0.0, weight="contact")
_PHONE: Final = Kind("phone", "telephone numbers", bool, 0.0, weight="contact")

KINDS: Final = {
    kind.name: kind
    for kind in (
        _CARD, _BSN, _SIN, _SSN, _NHS, _PERSONNUMMER, _PESEL, _STEUER, _RRN_BE, _CPF, _AADHAAR, _RRN_KR, _NIR, _CN,
        _IBAN, _DNI, _HETU, _FISCAL, _MAIL, _PHONE,
    )
}  # fmt: skip

#: Numbers as people group them; a group that fits is a sign by itself where the check digits hold.
_GROUPED: Final[dict[tuple[tuple[int, ...], str], tuple[Kind, ...]]] = {
    ((4, 4, 4, 4), " "): (_CARD,), ((4, 4, 4, 4), "-"): (_CARD,),
    ((4, 6, 5), " "): (_CARD,), ((4, 6, 5), "-"): (_CARD,), ((4, 6, 4), " "): (_CARD,),
    ((3, 3, 3), " "): (_SIN,), ((3, 3, 3), "-"): (_SIN,),
    ((3, 2, 4), "-"): (_SSN,),
    ((3, 3, 4), " "): (_NHS,),
    ((6, 4), "-"): (_PERSONNUMMER,),
    ((4, 4, 4), " "): (_AADHAAR,),
    ((6, 7), "-"): (_RRN_KR,),
    ((2, 3, 3, 3), " "): (_STEUER,),
    ((1, 2, 2, 2, 3, 3, 2), " "): (_NIR,),
}  # fmt: skip
_BARE: Final[dict[int, tuple[Kind, ...]]] = {
    9: (_BSN, _SIN, _SSN),
    10: (_NHS, _PERSONNUMMER),
    11: (_PESEL, _STEUER, _RRN_BE, _CPF),
    12: (_AADHAAR,),
    13: (_CARD, _RRN_KR),
    14: (_CARD,),
    15: (_NIR, _CARD),
    16: (_CARD,),
    17: (_CARD,),
    18: (_CN, _CARD),
    19: (_CARD,),
}
#: Whose groups alone are also those of ordinary numbers: a word beside them is needed.
_NEEDS_WORD: Final = frozenset({"us-ssn", "ca-sin", "se-personnummer", "uk-nhs"})
#: Different numbers of one kind that are counted; more tell nothing new.
_MAX_DIFFERENT: Final = 100_000

# Each begins with a set of characters, which the engine skips to; what must not stand before comes after it.
_DIGITS: Final = re.compile(
    r"[0-9](?<![\w.].)(?:[ -]?[0-9]){8,22}(?![\w]|[.-][0-9])",
    re.ASCII,
)
_LETTERED: Final = re.compile(
    r"[A-Z0-9](?<![A-Za-z0-9].)(?:"
    r"(?P<iban>(?<=[A-Z])[A-Z][0-9]{2}(?: ?[A-Z0-9]{2,4}){3,8})"
    r"|(?P<fiscal>(?<=[A-Z])[A-Z]{5}[0-9]{2}[ABCDEHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z])"
    r"|(?P<cn>(?<=[1-8])[0-9]{16}X)"
    r"|(?P<dni>(?<=[XYZ0-9])[0-9]{7}-?[A-Z])"
    r")(?![A-Za-z0-9])",
)
_FORMED: Final = re.compile(
    r"[0-9](?<![A-Za-z0-9.].)[0-9](?:"
    r"(?P<hetu>[0-9]{4}[-+A-FU-Y][0-9]{3}[0-9A-Y])"
    r"|(?P<cpf>[0-9]\.[0-9]{3}\.[0-9]{3}-[0-9]{2})"
    r"|(?P<rrn>\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2})"
    r")(?![A-Za-z0-9])",
)
_CAPITAL: Final = re.compile(r"[A-Z]")
_BY_GROUP: Final = {
    "iban": _IBAN,
    "fiscal": _FISCAL,
    "hetu": _HETU,
    "cn": _CN,
    "dni": _DNI,
    "cpf": _CPF,
    "rrn": _RRN_BE,
}
_PAIR: Final = re.compile(r"[0-9]{2}", re.ASCII)
_SEPARATOR: Final = re.compile(r"[ .-]")
#: Longer than anything that stands before the first two digits of what is looked for.
_MARGIN: Final = 128
_LOCAL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}\Z")
_DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_TELEPHONE: Final = re.compile(r"(?<![\w+])\+[1-9][0-9]{0,2}(?:[ ().-]{0,2}[0-9]){6,12}(?![\w])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hit:
    """A piece of personal data.

    Attributes:
        kind: which.
        offset: index of its first character.
    """

    kind: Kind
    offset: int


@dataclass(slots=True)
class Candidates:
    """Bare numbers of one kind: how many different ones, how many of them right, and where the first right one was."""

    seen: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    _met: dict[str, set[str]] = field(default_factory=dict, repr=False)

    def note(self, kind: Kind, number: str, offset: int, *, right: bool) -> None:
        """Count one; a number that stands again tells nothing about chance."""
        met = self._met.setdefault(kind.name, set())
        if number in met or len(met) >= _MAX_DIFFERENT:
            return
        met.add(number)
        self.seen[kind.name] += 1
        if right:
            self.right[kind.name] += 1
            self.first.setdefault(kind.name, offset)

    def likely(self) -> Iterator[tuple[Kind, int, int]]:
        """(kind, how many, place of the first) where chance explains the share of right ones with less than 10^-9."""
        for name, right in self.right.items():
            if unlikely_by_chance(right, self.seen[name], KINDS[name].chance):
                yield KINDS[name], right, self.first[name]


def unlikely_by_chance(right: int, seen: int, chance: float) -> bool:
    """Whether `right` or more of `seen` have a probability below 10^-9, each being right with `chance`.

    Chernoff's bound: P(X >= k) <= exp(-n KL(k/n || p)) for k/n > p (Hoeffding 1963, theorem 1).
    """
    if right <= seen * chance or seen == 0:
        return False
    share = right / seen
    divergence = share * math.log(share / chance)
    if share < 1:
        divergence += (1 - share) * math.log((1 - share) / (1 - chance))
    return seen * divergence > _SURE


def find_personal(text: str, candidates: Candidates, *, heading: str = "", start: int = 0) -> Iterator[Hit]:
    """Personal data in a text.

    Args:
        text: any text.
        candidates: gets the numbers that only their share can tell.
        heading: a name for all of it, such as that of a column; it says what a number is.
        start: added to every offset.
    """
    if "@" in text:
        yield from _mails(text, start)
    if "+" in text:
        for found in _TELEPHONE.finditer(text):
            yield Hit(_PHONE, start + found.start())
    # Every other kind has two digits in a row, which few lines of prose have.
    for begin, end in _lines_with_digits(text):
        for found in _DIGITS.finditer(text, begin, end):
            yield from _number(found, candidates, heading, start)
        forms = (_LETTERED, _FORMED) if _CAPITAL.search(text, begin, end) else (_FORMED,)
        for found in chain.from_iterable(form.finditer(text, begin, end) for form in forms):
            kind = _BY_GROUP[found.lastgroup or ""]
            plain = found.group() if kind is _HETU else _SEPARATOR.sub("", found.group())
            formed = kind not in (_DNI, _CN)
            yield from _judged(kind, plain, found, candidates, heading, start, formed=formed)


def _lines_with_digits(text: str) -> Iterator[tuple[int, int]]:
    """Ranges of whole lines that hold two digits in a row; a line that is very long is one range around them."""
    end = 0
    for found in _PAIR.finditer(text):
        if found.start() < end:
            continue
        begin = max(text.rfind("\n", end, found.start()) + 1, found.start() - _MARGIN, end)
        stop = text.find("\n", found.start())
        end = len(text) if stop < 0 else stop
        yield begin, end


def _number(found: re.Match[str], candidates: Candidates, heading: str, start: int) -> Iterator[Hit]:
    written = found.group()
    plain = written.replace(" ", "").replace("-", "")
    if plain == written:
        for kind in _BARE.get(len(plain), ()):
            yield from _judged(kind, plain, found, candidates, heading, start, formed=False)
        return
    separators = set(written) & {" ", "-"}
    if len(separators) == 1:
        separator = separators.pop()
        groups = tuple(map(len, written.split(separator)))
        for kind in _GROUPED.get((groups, separator), ()):
            formed = kind.name not in _NEEDS_WORD
            yield from _judged(kind, plain, found, candidates, heading, start, formed=formed)


def _judged(
    kind: Kind,
    plain: str,
    found: re.Match[str],
    candidates: Candidates,
    heading: str,
    start: int,
    *,
    formed: bool,
) -> Iterator[Hit]:
    if kind is _CARD and not checkdigits.card_range(plain):
        return
    right = kind.valid(plain)
    if right and (formed or _named(kind, found, heading)):
        yield Hit(kind, start + found.start())
    elif not formed and kind is not _SSN:
        candidates.note(kind, plain, start + found.start(), right=right)


def _named(kind: Kind, found: re.Match[str], heading: str) -> bool:
    """Whether a word before the number in its line, or its heading, says what it is."""
    before = found.string[max(0, found.start() - _LOOK_BACK) : found.start()].rpartition("\n")[2]
    return re.search(kind.words, f"{heading} {before}".lower()) is not None


def _mails(text: str, start: int) -> Iterator[Hit]:
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text, max(0, at - 64), at)
        domain = _DOMAIN.match(text, at + 1)
        if (
            local is not None
            and domain is not None
            and not _NOBODY.search(f"{local.group()}@{domain.group()}")
        ):
            yield Hit(_MAIL, start + local.start())
        at = text.find("@", at + 1)
