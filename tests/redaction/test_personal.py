"""Numbers and addresses of persons are told from numbers and addresses of machines."""

import pytest

from tonearm.redaction import Redactor


def kinds(text: str) -> list[str]:
    return [finding.kind for finding in Redactor(bytes(32)).text(text)[1]]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("card 5513 6819 5738 7448", "credit_card"),
        ("card 4111-1111-1111-1111.", "credit_card"),
        ("paid with 378282246310005", "credit_card"),
        ("IBAN: GB16PNVS84269645751577", "iban"),
        ("to DE89 3704 0044 0532 0130 00", "iban"),
        ("Tel: +1 601-228-1930", "phone"),
        ("ring (415) 555-2671", "phone"),
        ("fax 030 1234567", "phone"),
        ("+4915112345678", "phone"),
        ("mail joe.doe@corp.io", "email"),
        ("<a_b@c-d.co.uk>", "email"),
    ],
)
def test_of_a_person(text, kind):
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "card 5513 6819 5738 7449",  # a wrong check sum
        '"total_duration": 4111111111111111',
        "took 4111111111111111 ns",
        "id 1111111111111111",
        "GB17PNVS84269645751577",
        "2026-11-21 10:00:00 +0100",
        "@@ -12,7 +12,9 @@",
        "3.14159265358979",
        "call 2026-11-21",
        "git@github.com:joe/repo.git",
        "a @ b.T",
        "icon@2x.png",
        "react@18.2.0",
        "joe@example.com",
        "joe@mail.test",
        "127.0.0.1:11434",
    ],
)
def test_of_nobody(text):
    assert kinds(text) == []
