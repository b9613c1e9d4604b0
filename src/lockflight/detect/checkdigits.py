"""Check digits of numbers that stand for people and their money.

Each function takes digits (or the letters that the number has) without separators, of the right length, and says
whether the number is well formed: its check digits, and the parts that only have certain values.
Sources: ISO/IEC 7812-1 annex B (Luhn), ISO 13616 (IBAN), ISO/IEC 7064, and the national rules named at each.
"""

from __future__ import annotations

from operator import mul
from typing import Final

#: Length of an IBAN by country (ISO 13616 registry, release 97).
IBAN_LENGTH: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
    "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ZERO: Final = ord("0")
#: A digit twice, with its own digits added up.
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
_DNI: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
#: What a character in an odd place of the codice fiscale counts: first the digits, then the letters.
_FISCAL: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_FISCAL_ODD: Final = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (*_FISCAL, *_FISCAL, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)
#: The Verhoeff tables: multiplication in the dihedral group D5, and the permutation by place.
_D5: Final = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PLACES: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def luhn(digits: str) -> bool:
    """The modulus 10 double-add-double formula (ISO/IEC 7812-1 annex B)."""
    summands = digits[-1::-2] + digits[-2::-2].translate(_DOUBLED)
    return (sum(summands.encode()) - _ZERO * len(summands)) % 10 == 0


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    total: int = sum(map(mul, digits.encode(), weights))
    return total - _ZERO * sum(weights)


def card(digits: str) -> bool:
    """A payment card: issuer ranges of the large networks, their lengths, and Luhn."""
    return card_range(digits) and len(set(digits)) > 2 and luhn(digits)


def card_range(digits: str) -> bool:
    """Whether a number begins, and is as long, as those of a large network."""
    size, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    return (
        (digits[0] == "4" and size in {13, 16, 19})
        or (size == 16 and (51 <= two <= 55 or 2221 <= four <= 2720))
        or (two in {34, 37} and size == 15)
        or ((two == 65 or four == 6011 or 644 <= three <= 649) and 16 <= size <= 19)
        or (3528 <= four <= 3589 and 16 <= size <= 19)
        or ((two in {36, 38, 39} or 300 <= three <= 305) and size == 14)
        or (two == 62 and 16 <= size <= 19)
    )


def iban(text: str) -> bool:
    """ISO 13616: length by country, and ISO/IEC 7064 MOD 97-10."""
    if IBAN_LENGTH.get(text[:2]) != len(text) or text[2:4] in {"00", "01", "99"}:
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def date(year: int, month: int, day: int) -> bool:
    """Whether such a day exists; 29 February does in years of four."""
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] and not (month == 2 and day == 29 and year % 4)


def bsn(digits: str) -> bool:
    """Netherlands, burgerservicenummer: the eleven test with the last weight -1."""
    total = _weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1))
    return total % 11 == 0 and digits[:2] != "00" and len(set(digits)) > 1


def sin(digits: str) -> bool:
    """Canada, social insurance number: Luhn; none begins with 0 or 8."""
    return digits[0] not in "08" and luhn(digits) and len(set(digits)) > 1


def ssn(digits: str) -> bool:
    """United States, social security number: no check digit; areas, groups and serials that were never given."""
    return not (
        digits[:3] in {"000", "666"} or digits[0] == "9" or digits[3:5] == "00" or digits[5:] == "0000"
    ) and digits not in {"123456789", "111223333", "078051120", "219099999"}


def nhs(digits: str) -> bool:
    """United Kingdom, NHS number: modulus 11."""
    check = 11 - _weighted(digits[:9], (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return check != 10 and check % 11 == int(digits[9]) and len(set(digits)) > 1


def pesel(digits: str) -> bool:
    """Poland, PESEL: date of birth with the century in the month, weights 1 3 7 9."""
    month = int(digits[2:4])
    if not date(int(digits[:2]), month % 20, int(digits[4:6])):
        return False
    return _weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def steuer_id(digits: str) -> bool:
    """Germany, tax identification number: of ten digits one stands two or three times; ISO 7064 MOD 11,10."""
    counts = sorted((digits[:10].count(d) for d in set(digits[:10])), reverse=True)
    if digits[0] == "0" or counts[0] not in {2, 3} or counts[1] != 1:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def rrn_be(digits: str) -> bool:
    """Belgium, register number: date of birth, and 97 less the rest modulo 97; from 2000 on with a 2 in front."""
    if not date(int(digits[:2]), int(digits[2:4]), int(digits[4:6])):
        return False
    check = int(digits[9:])
    return check in {97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97}


def cpf(digits: str) -> bool:
    """Brazil, CPF: two check digits modulo 11."""
    if len(set(digits)) == 1:
        return False
    for size in (9, 10):
        total = _weighted(digits[:size], tuple(range(size + 1, 1, -1)))
        if total * 10 % 11 % 10 != int(digits[size]):
            return False
    return True


def aadhaar(digits: str) -> bool:
    """India, Aadhaar: Verhoeff; none begins with 0 or 1, or reads the same backwards."""
    if digits[0] in "01" or digits == digits[::-1]:
        return False
    state = 0
    for place, digit in enumerate(reversed(digits)):
        state = int(_D5[state][int(_PLACES[place % 8][int(digit)])])
    return state == 0


def personnummer(digits: str) -> bool:
    """Sweden, personnummer of ten digits: date of birth and Luhn."""
    return date(int(digits[:2]), int(digits[2:4]), int(digits[4:6])) and luhn(digits)


def rrn_kr(digits: str) -> bool:
    """South Korea, resident registration number of before October 2020: date of birth, weights 2 to 9 and 2 to 5."""
    if not date(int(digits[:2]), int(digits[2:4]), int(digits[4:6])):
        return False
    total = _weighted(digits[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5))
    return (11 - total % 11) % 10 == int(digits[12])


def nir(digits: str) -> bool:
    """France, NIR of 15 digits: sex, month of birth, 97 less the rest modulo 97. Corsica (2A, 2B) is not read."""
    month = int(digits[3:5])
    return (
        digits[0] in "12"
        and (1 <= month <= 12 or 20 <= month <= 42)
        and int(digits[13:]) == 97 - int(digits[:13]) % 97
    )


def resident_cn(text: str) -> bool:
    """China, resident identity number (GB 11643-1999): date of birth and ISO 7064 MOD 11-2."""
    year = int(text[6:10])
    if (
        not 1900 <= year <= 2099
        or not date(year, int(text[10:12]), int(text[12:14]))
        or text[0] not in "12345678"
    ):
        return False
    total = 0
    for character in text:
        total = total * 2 + (10 if character == "X" else int(character))
    return total % 11 == 1


def dni(text: str) -> bool:
    """Spain, DNI and NIE: the letter is the number modulo 23."""
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return _DNI[int(number) % 23] == text[-1]


def hetu(text: str) -> bool:
    """Finland, personal identity code: date of birth, the last character is the number modulo 31."""
    return (
        date(int(text[4:6]), int(text[2:4]), int(text[:2]))
        and _HETU[int(text[:6] + text[7:10]) % 31] == text[10]
    )


def codice_fiscale(text: str) -> bool:
    """Italy, codice fiscale: the last letter is the sum of all others by their places, modulo 26."""
    day = int(text[9:11])
    if not (1 <= day <= 31 or 41 <= day <= 71):
        return False
    total = sum(
        _FISCAL_ODD[c] if i % 2 == 0 else int(c, 36) - 10 * c.isalpha() for i, c in enumerate(text[:15])
    )
    return chr(ord("A") + total % 26) == text[15]
