"""What pages say, in both languages, and what they never do."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.pair import Pair
from tests.web.conftest import Visitor

from convenio.web import asked
from convenio.web.middleware import HEADERS, accepted
from convenio.web.site import HERE
from convenio.words import Words

TEMPLATES = sorted((HERE / "templates").glob("*.html"))
WHEN = {
    "en": re.compile(r"\b\d{1,2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "),
    "es": re.compile(r"\b\d{1,2} (ene|feb|mar|abr|may|jun|jul|ago|sep|oct|nov|dic) \d{4} "),
}
DIGITS_ONLY = re.compile(r"\d{1,2}[/.]\d{1,2}[/.]\d{2,4}")


def pages(said: dict[str, str]) -> list[str]:
    records = [f"/records/{said[name]}" for name in ("sealed", "open", "figure", "theirs")]
    return ["/", "/channels", "/channels/framework", "/channels/public", "/verify", *records]


@pytest.mark.parametrize("lang", ["en", "es"])
def test_every_page_is_whole_in_its_language(
    lang: str, said: dict[str, str], visit: Visitor
) -> None:
    browser = visit("ana", lang)
    for address in pages(said):
        answer = browser.get(address)
        page = answer.content.decode()
        assert answer.status_code == 200, address
        assert f'<html lang="{lang}">' in page
        assert answer.headers["Content-Language"] == lang
        assert "‽‽" not in page, address
        assert "{%" not in page
        assert "{{" not in page
        assert WHEN[lang].search(page), address
        assert not DIGITS_ONLY.search(page), address
        assert re.search(r">\d{1,2} \w{3} \d{4} \d\d:\d\d UTC</time>", page), address


def test_the_two_languages_say_different_things(said: dict[str, str], visit: Visitor) -> None:
    english, spanish = visit("ana", "en"), visit("ana", "es")
    for address in pages(said):
        one, other = (_texts(browser.get(address)) for browser in (english, spanish))
        assert len(one) >= 15
        assert len(one & other) < 0.5 * len(one), (address, one & other)


def _texts(answer: Any) -> set[str]:
    page = re.sub(r"(?s)<(pre|code|title)\b.*?</\1>", "", answer.content.decode())
    found = re.findall(r">([^<]*[A-Za-z]{3}[^<]*)<", page)
    return {text.strip() for text in found}


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("", "en"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("en-US,en;q=0.9,es;q=0.8", "en"),
        ("en;q=0.3,es;q=0.7", "es"),
        ("de-DE,de;q=0.9,es;q=0.2", "es"),
        ("fr", "en"),
        ("es;q=0", "en"),
        ("es;q=nan,,;q=1", "es"),
        ("x" * 10_000, "en"),
    ],
)
def test_the_browser_s_wish_chooses_the_language(header: str, lang: str) -> None:
    assert accepted(header) == lang


def test_the_switch_keeps_the_address_and_is_remembered(visit: Visitor) -> None:
    browser = visit()
    answer = browser.get("/channels/public?automatic=1&lang=es")
    assert (answer.status_code, answer.headers["Location"]) == (
        302,
        "/channels/public?automatic=1",
    )
    assert 'lang="es"' in browser.get("/").content.decode()
    assert browser.get("/", {"lang": "de"}).status_code == 200


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "///evil.example"])
def test_the_switch_leads_nowhere_else(path: str, visit: Visitor) -> None:
    answer = visit().generic("GET", path, QUERY_STRING="lang=es")
    location = answer.headers.get("Location", "/")
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def test_every_answer_carries_the_headers(said: dict[str, str], visit: Visitor) -> None:
    browser = visit("ana")
    files = [f"/records/{said['open']}/content/0", f"/records/{said['open']}/receipt/us"]
    for address in (*pages(said), *files, "/nowhere", "/static/icon.svg", "/leave"):
        with closing(browser.get(address)) as answer:
            for name, value in HEADERS.items():
                if address not in files or name != "Content-Security-Policy":
                    assert answer.headers[name] == value, (address, name)
            kept = "immutable" if address.startswith("/static/") else "no-store"
            assert kept in answer.headers["Cache-Control"], address
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    "host", ["us.localhost", "localhost", "127.0.0.1", "mx.localhost.evil.example", "a b", ""]
)
def test_under_another_name_nobody_answers(host: str, visit: Visitor) -> None:
    answer = visit().get("/", headers={"host": host, "x-forwarded-host": "mx.localhost"})
    assert answer.status_code == 400
    assert "Mexico" not in answer.content.decode()


def test_what_people_wrote_is_shown_as_they_wrote_it(said: dict[str, str], visit: Visitor) -> None:
    browser = visit("ana")
    for address in ("/channels/framework", f"/records/{said['attack']}"):
        page = browser.get(address).content.decode()
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; “quotes”" in page


def test_a_file_is_saved_and_never_shown(said: dict[str, str], visit: Visitor) -> None:
    browser = visit("ana")
    with closing(browser.post(f"/records/{said['file']}/open/0", {"purpose": "to look"})) as answer:
        assert b"".join(answer.streaming_content) == b"\x89PNG <script>"
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        assert "acta _1__ x.html" in answer.headers["Content-Disposition"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")


def test_a_record_says_in_a_sentence_who_countersigned_it_and_when(
    said: dict[str, str], visit: Visitor
) -> None:
    address = f"/records/{said['sealed']}"
    english = visit("ana").get(address).content.decode()
    spanish = visit("ana", "es").get(address).content.decode()
    assert re.search(
        r"United States countersigned this on \d+ \w{3} \d{4} \d\d:\d\d UTC\.", english
    )
    assert re.search(
        r"Estados Unidos [^<]*contrafirmó[^<]* \d+ \w{3} \d{4} \d\d:\d\d UTC\.", spanish
    )
    assert "Liaison desk (United States)" in english
    assert "Mesa de enlace (Estados Unidos)" in spanish
    for page in (english, spanish):
        assert "TLP:RED" in page


def test_a_list_names_what_is_open_and_only_that(said: dict[str, str], visit: Visitor) -> None:
    public, members = "/channels/public", "/channels/framework"
    assert 'Figure: <span lang="en">Homicides 2022</span>' in visit().get(public).content.decode()
    assert "Homicidios 2022" in visit("", "es").get(public).content.decode()
    assert "Joint statement</span>" in visit().get(public).content.decode()
    assert "Words for the whole channel." in visit("ana").get(members).content.decode()
    audited = visit("dario").get(members).content.decode()
    assert "Words for the whole channel." not in audited
    assert said["open"] in audited


def test_receipts_and_bundles_are_the_files_that_verify_takes(
    said: dict[str, str], visit: Visitor
) -> None:
    browser = visit("ana")
    with closing(browser.get(f"/records/{said['sealed']}/receipt/us")) as answer:
        assert b"".join(answer.streaming_content).startswith(b"c2sp.org/tlog-proof@v1\n")
        assert f"{said['sealed'][:16]}.us.tlog-proof" in answer.headers["Content-Disposition"]
    with closing(browser.post(f"/records/{said['sealed']}/bundle")) as answer:
        assert b"".join(answer.streaming_content).startswith(b"PK")


def test_a_receipt_of_nobody_is_refused_in_words(said: dict[str, str], visit: Visitor) -> None:
    answer = visit("ana").get(f"/records/{said['sealed']}/receipt/zz")
    assert answer.status_code == 403
    assert "trust.not_a_member" in answer.content.decode()


def test_a_long_list_is_walked_page_by_page_and_ends(pair: Pair, visit: Visitor) -> None:
    for number in range(60):
        pair.mx.say(f"number {number}", channel="public")
    pair.mx.wait(pair.mx.say("the last of many", channel="public"))
    browser, seen, address = visit(), [], "/channels/public"
    while address:
        page = browser.get(address).content.decode()
        seen += re.findall(r"/records/([0-9a-f]{64})", page)
        following = re.search(r'href="([^"]*)" rel="next"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == len(set(seen))
    assert len(seen) >= 61
    with_nodes = browser.get("/channels/public?automatic=1").content.decode()
    assert "Confirmation of receipt" in with_nodes


@pytest.mark.parametrize("mark", ["x", "1.mx", "1.mx.1.1", "9" * 40 + ".mx.1", "1.mx.1'--"])
def test_a_wrong_page_mark_finds_nothing(mark: str, visit: Visitor) -> None:
    assert visit().get("/channels/public", {"before": mark}).status_code == 404


# --- the first page ------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["", "ana", "keeper"])
@pytest.mark.parametrize("lang", ["en", "es"])
def test_no_row_of_what_the_reports_ask_is_dead(person: str, lang: str, visit: Visitor) -> None:
    from django.urls import reverse  # noqa: PLC0415

    browser = visit(person, lang)
    page = browser.get("/").content.decode()
    for row in asked.ROWS:
        assert bool(row.page) is (row.answer is not asked.Answer.NOT_YET), row
        assert bool(row.note) is (row.answer is asked.Answer.PARTLY), row
        if row.page:
            address = reverse(row.page)
            assert f'href="{address}"' in page
            assert browser.get(address).status_code == 200
    not_yet = Words(lang).text("not yet")
    missing = sum(row.answer is asked.Answer.NOT_YET for row in asked.ROWS)
    assert page.count(f'<span class="state none">{not_yet}</span>') == missing


def test_a_stranger_is_told_how_to_come_in_and_what_is_open(visit: Visitor) -> None:
    page = visit().get("/").content.decode()
    assert "convenio people link" in page
    assert "Public record" in page
    assert "Bicentennial framework" not in page


def test_trust_shows_fingerprints_sizes_and_the_last_countersignature(
    pair: Pair, visit: Visitor
) -> None:
    page = visit("keeper").get("/channels").content.decode()
    for channel in ("framework", "public"):
        digits = pair.fingerprint(channel).split()
        assert " ".join(digits[:4]) + "\n" + " ".join(digits[4:8]) in page
    assert re.search(r"\d+ records?, <time [^>]*>[^<]*UTC</time>", page)
    assert "up to date" in page
    stranger = visit().get("/channels").content.decode()
    assert pair.fingerprint("framework").split()[0] not in stranger
    assert pair.fingerprint("public").split()[0] in stranger


# --- templates -----------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_keep_to_the_policy(template: Path) -> None:
    text = template.read_text("utf-8")
    assert not re.search(r"<script|<style|<iframe|\son\w+=|\sstyle=|javascript:|hx-on", text, re.I)
    assert not re.search(r"\|\s*safe|autoescape|mark_safe", text)
    assert not re.search(r"(?:https?:)?//[a-z]", re.sub(r"\{#.*?#\}", "", text))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_words_are_written_in_one_language_only(template: Path) -> None:
    """Whatever a template says by itself is not in the catalogue."""
    text = re.sub(r"(?s)\{%.*?%\}|\{\{.*?\}\}", "", template.read_text("utf-8"))
    attributes = re.findall(r'(?:aria-label|alt|title|placeholder)="([^"]*)"', text)
    plain = re.findall(r">([^<]*)<", re.sub(r"(?s)<code>.*?</code>", "", text))
    known = {"English", "Español", "convenio", "(.tlog-proof)", "MiB"}
    words = {w for part in (*attributes, *plain) for w in re.findall(r"[^\W\d_]\S+", part)}
    assert words <= known | {"tlog-proof)"}


def test_the_style_sheet_asks_nobody_for_anything() -> None:
    style = (HERE / "static" / "style.css").read_text("utf-8")
    assert not re.search(r"url\(|@import|@font-face|https?:", style)


def test_a_page_is_made_without_a_visitor_s_help(visit: Visitor, at: Callable[..., None]) -> None:
    """Neither cookies nor headers of any shape bring a page down."""
    for name in ("convenio_mx", "convenio_mx_lang", "convenio_mx_form"):
        for value in ("", "x" * 4000, "\xff", "a" * 64, "../..", '"'):
            browser = visit()
            browser.cookies[name] = value
            assert browser.get("/").status_code == 200, (name, value)
