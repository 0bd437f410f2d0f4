"""Contents as a person reads them; whatever they hold, the page stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.pair import Pair
from tests.web.conftest import Visitor

from convenio.web import reading
from convenio.words import Words

ENGLISH = Words("en")
JSON = {"media": "application/json", "lang": ""}
TEXT = {"media": "text/plain", "lang": "es"}


def test_text_is_shown_as_it_was_written() -> None:
    shown = reading.shown("¡Hola!\r\n\t<b>".encode(), TEXT, ENGLISH)
    assert shown == {"text": "¡Hola!\r\n\t<b>", "lang": "es", "tree": ()}


@pytest.mark.parametrize(
    ("data", "media"),
    [
        pytest.param(b"\xff\xfe", "text/plain", id="no UTF-8"),
        pytest.param(b"x", "text", id="no media type"),
        pytest.param(b"%PDF-1.7", "application/pdf", id="another kind"),
        pytest.param(b"x" * (reading.MAX_BYTES + 1), "text/plain", id="too long for a page"),
    ],
)
def test_what_is_no_text_for_a_page_is_left_to_be_saved(data: bytes, media: str) -> None:
    assert reading.shown(data, {"media": media, "lang": ""}, ENGLISH) == {}


def test_json_is_shown_line_by_line_in_the_page_s_language() -> None:
    value = {
        "title": {"en": "Fentanyl", "es": "Fentanilo"},
        "value": 10586,
        "source": {"url": "https://example.org/", "odd": [1, None, "x"]},
        "note": {"es": "sólo en español"},
    }
    tree = reading.shown(json.dumps(value).encode(), JSON, ENGLISH)["tree"]
    assert [line.key for line in tree] == ["Title", "Value", "Source", "note"]
    assert (tree[0].text, tree[0].lang) == ("Fentanyl", "en")
    assert tree[1].text == "10586"
    assert [line.text for line in tree[2].lines] == ["https://example.org/", '[1,null,"x"]']
    assert (tree[3].text, tree[3].lang) == ("sólo en español", "es")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({str(n): n for n in range(600)}, id="more lines than a page has room for"),
        pytest.param(json.loads('{"a":' * 20 + "1" + "}" * 20), id="deeper than a page goes"),
        pytest.param([1, 2], id="no object"),
        pytest.param("text", id="a string"),
    ],
)
def test_what_cannot_be_a_list_stays_as_it_was_written(value: object) -> None:
    data = json.dumps(value)
    assert reading.shown(data.encode(), JSON, ENGLISH) == {"text": data, "lang": "", "tree": ()}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["en", "es"]), inner)
    ),
    max_leaves=20,
)


@given(_JSON)
def test_whatever_json_holds_can_be_shown(value: object) -> None:
    shown = reading.shown(json.dumps(value).encode(), JSON, ENGLISH)
    assert set(shown) == {"text", "lang", "tree"}


@given(st.binary())
def test_whatever_bytes_come_nothing_breaks(data: bytes) -> None:
    for label in (JSON, TEXT):
        reading.shown(data, label, ENGLISH)


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        (
            {"title": {"en": "Fentanyl", "es": "Fentanilo"}, "year": 2021, "value": 10586},
            "Fentanyl, 2021: 10586",
            "Fentanilo, 2021: 10586",
        ),
        ({"number": "2.1", "name": {"en": "Ports", "es": "Puertos"}}, "2.1 Ports", "2.1 Puertos"),
        ({"text": "only one"}, "only one", "only one"),
    ],
)
def test_a_list_calls_json_what_it_calls_itself(
    value: object, english: str, spanish: str, pair: Pair, visit: Visitor
) -> None:
    leaf = pair.mx.say(json.dumps(value), channel="public", media="application/json")
    pair.mx.wait(leaf)
    assert english in visit().get("/channels/public").content.decode()
    assert spanish in visit("", "es").get("/channels/public").content.decode()
    assert english in visit().get(f"/records/{leaf}").content.decode()


@pytest.mark.parametrize(
    "value",
    [
        "{",
        "[]",
        '{"title":3}',
        '{"title":{}}',
        '{"title":{"en":{}}}',
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_json_that_calls_itself_nothing_is_listed_all_the_same(
    value: str | bytes, pair: Pair, visit: Visitor
) -> None:
    leaf = pair.mx.say(value, channel="public", media="application/json")
    pair.mx.wait(leaf)
    for address in ("/channels/public", f"/records/{leaf}"):
        answer = visit().get(address)
        assert answer.status_code == 200
        assert leaf in answer.content.decode()
