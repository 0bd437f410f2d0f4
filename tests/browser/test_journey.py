"""What a person does with the pages of two live nodes, in a real browser, in either language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.browser.conftest import Browse, Places

from convenio.words import Words

LANGS = ("en", "es")


@pytest.fixture(scope="module")
def said(places: Places) -> dict[str, str]:
    """Leaf hashes of some records, delivered both ways."""
    mx, us = places.pair.mx, places.pair.us
    leaves = {
        "notice": mx.say(
            "On Friday at noon we will act.", to=["us:liaison"], kind="notice.v1", cav="red"
        ),
        "open": mx.say("Words for the whole channel.\n" + "More of them. " * 40, lang="en"),
        "public": mx.say("Joint statement\nWe will act.", channel="public", lang="en"),
        "attack": mx.say("<img src=x onerror=alert(1)><script>alert(1)</script>", lang="en"),
    }
    answer = us.say("Enterados.", to=["mx:liaison"], lang="es")
    for leaf in leaves.values():
        mx.wait(leaf)
    us.wait(answer)
    mx.wait_for(answer)
    return leaves | {"answer": answer}


@pytest.mark.parametrize("lang", LANGS)
def test_a_notice_is_opened_its_receipt_taken_and_checked(
    lang: str,
    places: Places,
    said: dict[str, str],
    browse: Browse,
    *,
    pictures: Path,
    tmp_path: Path,
) -> None:
    """Without JavaScript. (1) in by a link, (2) the list, (3) the record, (4) its content, (5) its
    receipt and bundle, (6) the check, with and without a fingerprint, (7) out."""
    page, text = browse(lang), Words(lang).text

    def picture(name: str) -> None:
        page.screenshot(path=pictures / f"{name}-{lang}.png", full_page=True)

    page.goto(places.us.url + "/")
    assert page.locator("html").get_attribute("lang") == lang
    picture("start")
    page.goto(places.us.link("ana"))  # (1)
    picture("enter")
    page.get_by_role("button", name=text("Sign in as {person}", person="ana")).click()
    assert page.url == places.us.url + "/"
    page.goto(places.us.url + "/channels")
    picture("channels")
    page.locator("#c-framework a").click()  # (2)
    picture("records")
    page.locator(f'a[href="/records/{said["notice"]}"]').click()  # (3)
    assert "TLP:RED" in page.locator("main").inner_text()
    picture("record")
    page.get_by_label(text("What do you need it for?")).fill("Preparing Friday")  # (4)
    page.get_by_role("button", name=text("Open here")).click()
    assert page.locator("pre.content").inner_text() == "On Friday at noon we will act."
    picture("opened")
    with page.expect_download() as receipt:  # (5)
        page.get_by_role("link", name="Acuse" if lang == "es" else "Receipt of").click()
    proof = tmp_path / receipt.value.suggested_filename
    receipt.value.save_as(proof)
    assert proof.suffix == ".tlog-proof"
    with page.expect_download() as bundle:
        page.locator('form[action$="/bundle"] button').click()
    packed = tmp_path / "bundle.zip"
    bundle.value.save_as(packed)
    page.goto(places.us.url + "/verify")  # (6)
    picture("verify")
    page.set_input_files("#given", packed)
    page.get_by_role("button", name=text("Check the file")).click()
    assert page.locator(".verdict.consistent").count() == 1
    page.set_input_files("#given", packed)
    page.fill("#trust", places.pair.fingerprint("framework"))
    page.get_by_role("button", name=text("Check the file")).click()
    assert page.locator(".verdict.vouched h2").inner_text() == text("It holds")
    picture("verified")
    page.get_by_role("button", name=text("Sign out")).click()  # (7)
    page.goto(f"{places.us.url}/records/{said['notice']}")
    assert page.locator("h1").inner_text() == text("There is nothing here")
    picture("nothing")


def test_the_language_changes_on_the_same_page_and_stays(places: Places, browse: Browse) -> None:
    page = browse("en")
    page.goto(places.mx.url + "/channels/public?automatic=1")
    page.get_by_role("link", name="Español").click()
    assert page.url == places.mx.url + "/channels/public?automatic=1"
    assert page.locator("html").get_attribute("lang") == "es"
    page.goto(places.mx.url + "/verify")
    assert page.locator("html").get_attribute("lang") == "es"
    page.get_by_role("link", name="English").click()
    assert page.locator("html").get_attribute("lang") == "en"


def test_two_nodes_in_one_browser_do_not_mix(
    places: Places, said: dict[str, str], browse: Browse
) -> None:
    page = browse("en")
    page.goto(places.mx.link("ana"))
    page.get_by_role("button", name="Sign in as ana").click()
    page.goto(f"{places.us.url}/records/{said['notice']}")
    assert page.locator("h1").inner_text() == "There is nothing here"
    page.goto(places.us.link("beto"))
    page.get_by_role("button", name="Sign in as beto").click()
    page.goto(places.mx.url + "/")
    assert "ana" in page.locator("form.leave").inner_text()
    names = {cookie["name"] for cookie in page.context.cookies()}
    assert {"convenio_mx", "convenio_us"} <= names


def test_what_somebody_wrote_runs_nowhere(
    places: Places, said: dict[str, str], browse: Browse
) -> None:
    page = browse("en", javascript=True)
    page.goto(places.mx.link("ana"))
    page.get_by_role("button", name="Sign in as ana").click()
    for address in ("/channels/framework", f"/records/{said['attack']}"):
        page.goto(places.mx.url + address)
        assert page.locator("main img, main script").count() == 0
        assert "<script>alert(1)</script>" in page.locator("main").inner_text()


def test_an_opening_needs_only_the_keyboard(
    places: Places, said: dict[str, str], browse: Browse
) -> None:
    page = browse("es", javascript=True)
    page.goto(places.mx.link("carla"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id || location.hash") in ("main", "#main")
    page.get_by_role("main").get_by_role("button").press("Enter")
    page.goto(f"{places.mx.url}/records/{said['answer']}")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "purpose":
            break
    page.keyboard.type("leer la respuesta")
    page.keyboard.press("Enter")
    assert page.locator("pre.content").inner_text() == "Enterados."
    assert page.locator("pre.content").get_attribute("lang") == "es"


def addresses(said: dict[str, str]) -> list[str]:
    records = [f"/records/{said[name]}" for name in ("notice", "open", "answer", "public")]
    return ["/", "/channels", "/channels/framework", "/channels/public", "/verify", "/no", *records]


@pytest.mark.parametrize("lang", LANGS)
def test_no_page_has_a_barrier_or_scrolls_sideways_on_a_telephone(
    lang: str, places: Places, said: dict[str, str], browse: Browse, axe: str, *, tmp_path: Path
) -> None:
    page = browse(lang, javascript=True, width=390)
    page.goto(places.mx.link("ana"))
    found = _look(page, axe, "enter")
    page.get_by_role("main").get_by_role("button").click()
    for address in addresses(said):
        page.goto(places.mx.url + address)
        found += _look(page, axe, address)
    page.goto(f"{places.mx.url}/records/{said['answer']}")
    page.fill("input[name=purpose]", "ab ")
    page.locator("form.open button").first.press("Enter")
    found += _look(page, axe, "no purpose")
    page.fill("input[name=purpose]", "to look for barriers")
    page.locator("form.open button").first.press("Enter")
    found += _look(page, axe, "opened")
    with page.expect_download() as bundle:
        page.locator('form[action$="/bundle"] button').click()
    bundle.value.save_as(tmp_path / "b.zip")
    page.goto(places.mx.url + "/verify")
    page.set_input_files("#given", tmp_path / "b.zip")
    page.locator("form.verify button").click()
    found += _look(page, axe, "verified")
    assert found == []


def _look(page: Any, axe: str, name: str) -> list[Any]:
    page.evaluate(axe)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    found = [
        (name, each["id"], [node["html"][:120] for node in each["nodes"]])
        for each in result["violations"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return found + ([(name, "scrolls sideways", wide)] if wide > 0 else [])


def test_paper_shows_the_record_and_not_the_buttons(
    places: Places, said: dict[str, str], browse: Browse, tmp_path: Path
) -> None:
    page = browse("en")
    page.goto(f"{places.mx.url}/records/{said['public']}")
    page.emulate_media(media="print")
    assert page.get_by_text("countersigned this on").is_visible()
    assert not page.locator("nav").first.is_visible()
    assert not page.locator(".language").is_visible()
