"""Every address, walked as everybody: what nobody thought of is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.support.pair import Pair
from tests.web.conftest import Visitor

EVERYBODY = ("", "carla", "ana", "beto", "dario", "elena", "keeper", "gone")
READERS = {"carla", "ana", "beto", "dario", "elena"}  # may see headers; `dario` audits
AT_DESKS = READERS - {"dario"}
LIAISON = {"carla", "ana", "elena"}  # beto sits at customs
SIGNED_IN = set(EVERYBODY) - {"", "gone"}
BOGUS = "0" * 64

# (address name, address, method, who gets in). Everybody else finds nothing there.
DOORS: list[tuple[str, str, str, set[str]]] = [
    ("start", "/", "get", set(EVERYBODY)),
    ("channels", "/channels", "get", set(EVERYBODY)),
    ("records", "/channels/framework", "get", READERS),
    ("records", "/channels/framework?automatic=1", "get", READERS),
    ("records", "/channels/public", "get", set(EVERYBODY)),
    ("records", "/channels/no-such", "get", set()),
    ("record", "/records/{sealed}", "get", READERS),
    ("record", "/records/{theirs}", "get", READERS),
    ("record", "/records/{open}", "get", READERS),
    ("record", "/records/{public}", "get", set(EVERYBODY)),
    ("record", f"/records/{BOGUS}", "get", set()),
    ("open", "/records/{sealed}/open/0", "post", LIAISON),
    ("open", "/records/{theirs}/open/0", "post", LIAISON),
    ("open", "/records/{theirs}/open/7", "post", set()),
    ("open", "/records/{public}/open/0", "post", AT_DESKS | {"dario", "keeper"}),
    ("content", "/records/{open}/content/0", "get", AT_DESKS),
    ("content", "/records/{sealed}/content/0", "get", set()),
    ("content", "/records/{public}/content/0", "get", set(EVERYBODY)),
    ("content", "/records/{public}/content/9", "get", set()),
    ("receipt", "/records/{sealed}/receipt/us", "get", READERS),
    ("receipt", "/records/{public}/receipt/us", "get", set(EVERYBODY)),
    ("bundle", "/records/{sealed}/bundle", "post", READERS),
    ("bundle", "/records/{public}/bundle", "post", SIGNED_IN),
    ("verify", "/verify", "get", set(EVERYBODY)),
    ("enter", f"/enter/{BOGUS}", "get", set()),
    ("static", "/static/icon.svg", "get", set(EVERYBODY)),
    ("static", "/static/../site.py", "get", set()),
    ("leave", "/leave", "post", set(EVERYBODY)),  # the last thing anybody does
]
REFUSED = (403, 404, 410)


@pytest.fixture(scope="module")
def _somebody_left(pair: Pair) -> None:
    keeper = {"as": "keeper", "person": "gone"}
    pair.mx.call("people.add", **keeper, roles=["officer"], desks=["liaison"])


@pytest.mark.usefixtures("_somebody_left")
@pytest.mark.parametrize("person", EVERYBODY, ids=lambda each: each or "nobody")
def test_everybody_gets_in_where_the_rules_say_and_nowhere_else(
    person: str, pair: Pair, said: dict[str, str], visit: Visitor
) -> None:
    wrong = []
    browser = _disabled(pair, visit) if person == "gone" else visit(person)
    for name, address, method, allowed in DOORS:
        status = _status(browser, method, address.format(**said))
        if (status in REFUSED) is (person in allowed) or status not in (200, 302, *REFUSED):
            wrong.append((name, address, status))
    assert wrong == []


def _disabled(pair: Pair, visit: Visitor) -> Any:
    """The browser of somebody who was signed in when a keeper switched their access off."""
    browser = visit("gone")
    pair.mx.call("people.disable", **{"as": "keeper", "person": "gone"})
    return browser


def _status(browser: Any, method: str, address: str) -> int:
    answer = getattr(browser, method)(address, {"purpose": "to test"} if method == "post" else {})
    answer.close()
    return int(answer.status_code)


def test_no_address_is_left_out_of_the_walk(visit: Visitor) -> None:
    from convenio.web.urls import urlpatterns  # noqa: PLC0415

    assert {pattern.name for pattern in urlpatterns} == {name for name, *_ in DOORS}


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace", "options"])
def test_other_methods_are_refused_everywhere(
    method: str, said: dict[str, str], visit: Visitor
) -> None:
    browser = visit("ana")
    for _, address, _, allowed in DOORS:
        if allowed:
            answer = browser.generic(method.upper(), address.format(**said))
            assert answer.status_code == 405, address


def test_no_post_is_taken_without_the_form_s_own_secret(
    said: dict[str, str], visit: Visitor
) -> None:
    browser = visit("ana", enforce_csrf_checks=False)
    strict = visit(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    posts = [address for _, address, method, _ in DOORS if method == "post"]
    for address in (*posts, "/verify", f"/enter/{BOGUS}"):
        answer = strict.post(address.format(**said), {"purpose": "to test"})
        assert answer.status_code == 403, address
        assert "The form did not come from a page of this node" in answer.content.decode()


def test_what_is_forbidden_looks_like_what_is_not_there(
    said: dict[str, str], visit: Visitor
) -> None:
    for person in ("", "keeper"):
        browser = visit(person)
        forbidden = browser.get(f"/records/{said['sealed']}")
        absent = browser.get(f"/records/{BOGUS}")
        assert forbidden.status_code == absent.status_code == 404
        assert _bare(forbidden).replace(said["sealed"], BOGUS) == _bare(absent)
        assert dict(forbidden.headers) == dict(absent.headers)


def _bare(answer: Any) -> str:
    """The page without the form's own secret, which is new each time, and without the clock."""
    return re.sub(r'value="\w{64}"|<time.*?</time>', "", answer.content.decode())


def test_an_opening_is_on_record_with_its_purpose_before_it_is_given(
    pair: Pair, said: dict[str, str], visit: Visitor
) -> None:
    visit("carla").post(f"/records/{said['theirs']}/open/0", {"purpose": "  the Friday\tmeeting "})
    act = pair.mx.node.local.acts(1)[0]
    assert (act.person, act.act, act.reason) == ("carla", "open", "the Friday meeting")


@pytest.mark.parametrize("purpose", ["", "  ", "ab", "x" * 501])
def test_without_a_purpose_nothing_is_opened(
    purpose: str, pair: Pair, said: dict[str, str], visit: Visitor
) -> None:
    before = pair.mx.node.local.acts(1)
    answer = visit("ana").post(f"/records/{said['theirs']}/open/0", {"purpose": purpose})
    opened = [act for act in pair.mx.node.local.acts(3) if act.act == "open"]
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Say in a few words" in page
    assert 'aria-invalid="true"' in page
    assert "Respuesta sellada" not in page
    assert [act for act in opened if act not in before and act.reason == purpose] == []
