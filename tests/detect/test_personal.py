"""Numbers with check digits: right ones are found in their form or by their words, chance is no evidence."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.detect import checkdigits
from lockflight.detect.personal import KINDS, Candidates, find_personal, unlikely_by_chance

#: Numbers that the issuing bodies, or the texts that define the check digits, print as examples.
EXAMPLES = {
    "payment-card": [
        "card 4539 1488 0343 6467",
        "4539-1488-0343-6467",
        "card: 4539148803436467",
        "3714 496353 98449",
    ],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR1420041010050500013M02606"],
    "us-ssn": ["SSN: 536-90-4399", "social security number 536904399"],
    "uk-nhs": ["NHS number 943 476 5919", "nhs 9434765919"],
    "pl-pesel": ["PESEL 44051401359"],
    "de-steuer-id": ["Steuer-ID 86095742719", "36 574 261 809"],
    "be-rrn": ["85.07.30-033.28"],
    "br-cpf": ["390.533.447-05", "cpf: 39053344705"],
    "in-aadhaar": ["Aadhaar 2341 2341 2346"],
    "se-personnummer": ["personnummer 811228-9874"],
    "nl-bsn": ["BSN: 111222333"],
    "ca-sin": ["social insurance 123-456-782"],
    "fr-nir": ["2 55 08 14 168 025 38", "NIR 255081416802538"],
    "cn-resident": ["身份证 11010519491231002X"],
    "es-dni": ["DNI 54362315K", "NIE: X2482300W"],
    "fi-hetu": ["131052-308T"],
    "it-codice-fiscale": ["RCCMNL83S18D969H"],
    "email": ["write to jo.doe@firm.de"],
    "phone": ["call +49 (0) 170 1234567"],
}


def kinds(text: str, *, heading: str = "") -> set[str]:
    return {hit.kind.name for hit in find_personal(text, Candidates(), heading=heading)}


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in EXAMPLES.items() for t in texts])
def test_examples_are_found(kind, text):
    assert kind in kinds(f"Something, {text}; more.\n")
    assert kind in kinds(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (k, t)
        for k, texts in EXAMPLES.items()
        if KINDS[k].weight == "identifier" and k != "us-ssn"
        for t in texts
    ],
)
def test_one_other_digit_is_noticed(kind, text):
    at = max(i for i, c in enumerate(text) if c.isdigit())
    changed = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
    assert kind not in kinds(changed)


@pytest.mark.parametrize(
    "text",
    [
        "order 4539148803436467",
        "id 9434765919 and 44051401359",
        "0.4539148803436467",
        "deadbeef-4539148803436467-01",
        "4111 1111 1111 1111 is a number for tests",
        "card 4242424242424242",
        "ssn 123-45-6789",
        "a@example.com b@localhost noreply@firm.de x@y",
        "1.2.3.4-5 2024-01-02 03:04:05.678901234",
        "GB82 WEST 1234 5698 7654 33",
        "54362315K",
        "2.418 884 326 5857 e-17",
        "+1",
    ],
)
def test_what_may_be_chance_or_an_example_is_not_found(text):
    assert kinds(text) == set()


def test_the_heading_of_a_column_is_a_word():
    assert kinds("9434765919", heading="nhs_no") == {"uk-nhs"}
    assert kinds("9434765919", heading="order") == set()
    assert kinds("order\n9434765919\nnhs") == set(), "a word of another line says nothing"


def valid_cards(number: int) -> list[str]:
    dice = random.Random(7)
    found: list[str] = []
    while len(found) < number:
        body = "4" + "".join(dice.choice("0123456789") for _ in range(14))
        found += [body + d for d in "0123456789" if checkdigits.card(body + d)]
    return found[:number]


def test_a_column_of_right_numbers_is_no_chance_and_one_of_random_numbers_is():
    cards = Candidates()
    list(find_personal("\n".join(valid_cards(30)), cards))
    assert [(kind.name, count) for kind, count, _ in cards.likely()] == [("payment-card", 30)]

    dice = random.Random(8)
    for size in (9, 10, 11, 12, 13, 15, 16, 18):
        numbers = Candidates()
        text = "\n".join("".join(dice.choice("0123456789") for _ in range(size)) for _ in range(20_000))
        assert not list(find_personal(text, numbers))
        assert not list(numbers.likely()), size
        assert any(numbers.seen.values()) or size == 18


def test_the_same_number_again_is_one_number():
    cards = Candidates()
    list(find_personal("\n".join(valid_cards(1) * 1000), cards))
    assert not list(cards.likely())


def test_chance_is_bounded_from_above():
    """Chernoff's bound is never below the exact tail of the binomial distribution."""
    from math import comb

    for seen, chance in ((20, 0.1), (60, 1 / 11), (200, 0.1)):
        tails = [
            sum(comb(seen, k) * chance**k * (1 - chance) ** (seen - k) for k in range(right, seen + 1))
            for right in range(seen + 1)
        ]
        flagged = [right for right in range(seen + 1) if unlikely_by_chance(right, seen, chance)]
        assert flagged
        assert all(tails[right] < 1e-9 for right in flagged)
        assert flagged == list(range(flagged[0], seen + 1))
    assert not unlikely_by_chance(0, 0, 0.1)


@given(st.text(alphabet="0123456789 -.@+abcXYZ\n", max_size=400))
def test_any_text_is_read_and_offsets_are_inside(text):
    for hit in find_personal(text, Candidates()):
        assert 0 <= hit.offset < len(text)


@pytest.mark.parametrize(
    "part", ["1", "1 ", "1-", "1.", "@", "a@", "+1", "A", "AA11", "A1", "12@", "1 2-3.", "AAAAAA11"]
)
def test_what_follows_a_long_repetition_is_found(part):
    """A pattern that tries each place against each other one would not come to the end of these."""
    assert "iban" in kinds(part * (400_000 // len(part)) + "\nIBAN GB82 WEST 1234 5698 7654 32\n")
