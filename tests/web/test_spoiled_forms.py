"""What a browser would never send: the pages answer it as a fault of the caller, never as ours."""

from __future__ import annotations

import logging
from typing import Any, Final

import pytest
from tests.fuzz.mutate import Chance, mutants
from tests.fuzz.targets.bundles import bundles
from tests.fuzz.targets.seeds import charters
from tests.web.conftest import Visitor

# Django leaves a file that came half to the collector, which removes it; that is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

BORDER: Final = b"xYzZY"
KIND: Final = "multipart/form-data; boundary=xYzZY"
GIVEN: Final = b'form-data; name="given"; filename="a.zip"'
TRUST: Final = b'form-data; name="trust"'


def part(disposition: bytes, content: bytes, more: bytes = b"") -> bytes:
    head = b"--" + BORDER + b"\r\nContent-Disposition: " + disposition + b"\r\n"
    return head + more + b"\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--" + BORDER + b"--\r\n"


def post(browser: Any, data: bytes, kind: str = KIND, address: str = "/verify", **more: str) -> int:
    answer = browser.generic("POST", address, data, content_type=kind, **more)
    said = answer.content.decode()
    assert "Traceback" not in said
    assert "‽‽" not in said
    assert answer.status_code < 500, (answer.status_code, data[:300], kind)
    return int(answer.status_code)


FILE: Final = part(GIVEN, bundles()[0])
SPOILED: Final = {
    "nothing": b"",
    "no end": FILE,
    "an end alone": form(),
    "another border": FILE.replace(BORDER, b"other"),
    "cut in the content": FILE[: len(FILE) // 2],
    "cut in the head": FILE[:30],
    "line feeds alone": form(FILE).replace(b"\r\n", b"\n"),
    "no name": form(part(b'form-data; filename="a"', b"x")),
    "no disposition": form(b"--" + BORDER + b"\r\n\r\nx\r\n"),
    "two files of a name": form(FILE, FILE),
    "a file where words belong": form(part(b'form-data; name="trust"; filename="x"', b"x"), FILE),
    "words where a file belongs": form(part(b'form-data; name="given"', b"x")),
    "a name that climbs": form(part(b'form-data; name="given"; filename="../../etc/passwd"', b"x")),
    "a name that is long": form(
        part(b'form-data; name="given"; filename="' + b"x" * 9000 + b'"', b"x")
    ),
    "a name that is no text": form(part(b'form-data; name="given"; filename="\xff\xc0\x80"', b"x")),
    "a name with a line end": form(part(b'form-data; name="given"; filename="a\r\nx: y"', b"x")),
    "a name turned around": form(
        part('form-data; name="given"; filename="\u202egpj.exe"'.encode(), b"x")
    ),
    "a name in another way": form(part(b"form-data; name=given; filename*=utf-16''%ff%fe", b"x")),
    "a name in no way": form(part(b"form-data; name=given; filename*=nonsense", b"x")),
    "base64 that is none": form(part(GIVEN, b"====!", b"Content-Transfer-Encoding: base64\r\n")),
    "a head without end": b"--" + BORDER + b"\r\n" + b"X: " + b"y" * 100_000,
    "many heads": form(part(GIVEN, b"x", b"X-Y: z\r\n" * 5000)),
    "words that are no text": form(part(TRUST, b"\xff\xfe\0"), FILE),
    "many words": form(part(TRUST, b"1" * 2_000_000), FILE),
    "many fields": form(*(part(b'form-data; name="f%d"' % n, b"x") for n in range(3000))),
    "many files": form(
        *(part(b'form-data; name="f%d"; filename="x"' % n, b"x") for n in range(300))
    ),
    "a charter that is none": form(
        FILE, part(b'form-data; name="trusted"; filename="c"', b"{\xff")
    ),
    "nested": form(
        part(b'form-data; name="given"', form(FILE), b"Content-Type: " + KIND.encode() + b"\r\n")
    ),
}
KINDS: Final = (
    *(
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="',
        "multipart/mixed",
    ),
    *(
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/form-data; boundary=é",
        "text/plain",
        "application/json",
    ),
    *(
        "multipart/form-data; boundary=xYzZY; charset=utf-7",
        "application/x-www-form-urlencoded; charset=nonsense",
        "/",
        ";",
    ),
)


@pytest.mark.parametrize("data", SPOILED.values(), ids=SPOILED)
def test_a_spoiled_form_is_the_callers_fault(
    visit: Visitor, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        post(visit(), data)
        post(visit("ana"), data)
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_content_that_is_none(visit: Visitor, kind: str) -> None:
    for data in (form(FILE), b"trust=1&given=x", b"", b"\xff=%ff%&&=" * 50, b"a=1&" * 5000):
        post(visit(), data, kind)


def test_a_field_of_a_form_that_is_odd(visit: Visitor) -> None:
    """Each door that takes a form, by somebody who is signed in."""
    browser = visit("ana")
    addresses = ("/verify", "/enter/x", "/enter", "/leave", "/records/mx/0/open/0", "/language")
    for address in addresses:
        for data in (
            b"",
            b"purpose=%ff",
            b"purpose=" + b"x" * 100_000,
            b"purpose=%00",
            b"lang=../..",
            b"next=//evil",
        ):
            post(browser, data, "application/x-www-form-urlencoded", address)


def test_addresses_that_nobody_links(visit: Visitor) -> None:
    browser, chance = visit("ana"), Chance(1)
    words = (
        b"%00",
        b"%ff",
        b"..",
        b"%2e%2e",
        b"\xc3\xa9",
        b"x" * 3000,
        b"framework",
        b"mx",
        b"0",
        b"99999999999999999999",
        b"-1",
        b"\xe2\x80\xae",
        b"",
        b"%0a",
    )
    for _ in range(150):
        first = chance.of((b"channels", b"records", b"enter", b"static", b"healthz", b"verify"))
        path = b"/".join((b"", first, *(chance.of(words) for _ in range(1 + chance.below(3)))))
        query = chance.of(
            (b"", b"?before=x", b"?before=%ff", b"?automatic=" + b"1" * 3000, b"?a[]=1&a=%")
        )
        answer = browser.get((path + query).decode("latin-1"))
        assert answer.status_code < 500, path


def test_no_mutant_of_a_form_is_a_fault_of_the_pages(visit: Visitor) -> None:
    browser = visit()
    small = form(part(GIVEN, charters()[0][:500]), part(TRUST, b"12345 " * 12))
    for data in mutants([small, form(FILE)], 1, 60):
        post(browser, data)
