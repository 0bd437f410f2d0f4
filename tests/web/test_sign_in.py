"""Coming in by a link, and going out."""

from __future__ import annotations

from tests.support.pair import Pair
from tests.web.conftest import Visitor

from convenio.web.site import Site


def test_a_link_shows_whose_it_is_and_only_its_button_uses_it(pair: Pair, visit: Visitor) -> None:
    secret = pair.mx.link("ana")
    browser = visit()
    for _ in range(2):
        page = browser.get(f"/enter/{secret}").content.decode()
        assert "Sign in as ana" in page
    assert browser.post(f"/enter/{secret}").headers["Location"] == "/"
    assert "ana · officer · liaison" in browser.get("/").content.decode()
    again = visit().post(f"/enter/{secret}")
    assert again.status_code == 410
    assert "was used" in again.content.decode()


def test_the_cookie_is_the_party_s_own_and_out_of_reach_of_scripts(
    pages: Site, visit: Visitor
) -> None:
    cookie = visit("ana").cookies[pages.session_cookie]
    assert cookie.key == "convenio_mx"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    assert 8 * 3600 - 5 <= cookie["max-age"] <= 8 * 3600


def test_a_copy_of_the_cookie_is_worth_nothing_after_signing_out(
    pages: Site, visit: Visitor
) -> None:
    browser, thief = visit("ana"), visit()
    thief.cookies[pages.session_cookie] = browser.cookies[pages.session_cookie].value
    assert thief.get("/channels/framework").status_code == 200
    assert browser.post("/leave").status_code == 302
    assert thief.get("/channels/framework").status_code == 404
    assert browser.get("/channels/framework").status_code == 404


def test_a_session_at_one_node_is_none_at_another(pair: Pair, pages: Site, visit: Visitor) -> None:
    browser = visit()
    link = pair.us.link("ana")
    assert browser.post(f"/enter/{link}").status_code == 410
    session = pair.us.call("web.enter", secret=pair.us.link("ana"))["secret"]
    browser.cookies[pages.session_cookie] = session
    assert browser.get("/channels/framework").status_code == 404


def test_signing_in_again_from_another_place_leaves_the_first_in(visit: Visitor) -> None:
    first, second = visit("ana"), visit("ana")
    second.post("/leave")
    assert first.get("/channels/framework").status_code == 200
