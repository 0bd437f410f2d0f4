"""The fields of a body: what fits an act, and what is refused before anything is signed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convenio.core import canon
from convenio.core.canon import Json, Object
from convenio.core.errors import MalformedError, RefusedError
from convenio.instruments.fields import FieldProblem, check_fields, parse_fields
from convenio.node.definitions import KINDS, shipped
from convenio.words.instruments import FIELD

TRACE = shipped("firearm_trace").definition
REQUEST = shipped("request_for_information").definition
GUN: Object = {
    "date_of_request": "2021-10-08",
    "agency": "Fiscalía de demostración",
    "agency_code": "MX0000000",
    "officer_contact": "mesa de enlace",
    "crime": "arms_trafficking",
    "recovery_date": "2021-10-07",
    "recovery_place": "un predio de demostración, Tijuana, Baja California",
    "possessor": "none",
    "serial_state": "legible",
    "serial": "AB 12345",
    "manufacturer": "a demonstration maker",
    "firearm_type": "rifle",
    "caliber": "7.62x39",
    "model": "none",
    "imported": False,
    "country_of_origin": "Estados Unidos",
    "ammunition": 30,
}


def problems(fields: Object, act: str = "submit_routine") -> list[tuple[str, str]]:
    return [(each.code, each.field) for each in check_fields(TRACE, act, fields)]


def test_a_routine_trace_fits() -> None:
    assert problems(GUN) == []
    assert parse_fields(TRACE, "submit_routine", canon.dumps(GUN)) == GUN


def without(*names: str, **more: Json) -> Object:
    return {key: item for key, item in {**GUN, **more}.items() if key not in names}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (without("caliber"), ("field.missing", "caliber")),
        (without("serial"), ("field.missing", "serial")),
        (without(imported=True), ("field.missing", "importer")),
        (without(possessor="identified"), ("field.missing", "possessor_name")),
        (without(justification="now"), ("field.unknown", "justification")),
        (without(colour="black"), ("field.unknown", "colour")),
        (without(caliber=9), ("field.text", "caliber")),
        (without(caliber="  "), ("field.text", "caliber")),
        (without(caliber="x" * 41), ("field.too_long", "caliber")),
        (without(caliber="9\u202emm"), ("field.character", "caliber")),
        (without(caliber="9\tmm"), ("field.character", "caliber")),
        (without(firearm_type="cannon"), ("field.code", "firearm_type")),
        (without(firearm_type=1), ("field.code", "firearm_type")),
        (without(imported="no"), ("field.boolean", "imported")),
        (without(imported=0), ("field.boolean", "imported")),
        (without(ammunition="30"), ("field.integer", "ammunition")),
        (without(ammunition=True), ("field.integer", "ammunition")),
        (without(ammunition=-1), ("field.range", "ammunition")),
        (without(ammunition=1_000_001), ("field.range", "ammunition")),
        (without(recovery_date="2021-02-30"), ("field.date", "recovery_date")),
        (without(recovery_date=20211007), ("field.date", "recovery_date")),
        (without(photographs="ab" * 32), ("field.list", "photographs")),
        (without(photographs=[]), ("field.list", "photographs")),
        (without(photographs=["ab" * 32, "ab" * 32]), ("field.twice", "photographs")),
        (without(photographs=["AB" * 32]), ("field.record", "photographs")),
        (without(photographs=[f"{n:064x}" for n in range(21)]), ("field.many", "photographs")),
    ],
    ids=str,
)
def test_what_does_not_fit(fields: Object, expected: tuple[str, str]) -> None:
    assert problems(fields) == [expected]


def test_a_condition_asks_and_does_not_ask() -> None:
    obliterated = without("serial", serial_state="obliterated")
    assert problems(obliterated) == [("field.missing", "obliteration_work")]
    assert problems({**obliterated, "obliteration_work": "acid, three digits seen"}) == []
    refusal: Object = {"refusal": "essential_security"}
    assert [p.field for p in check_fields(REQUEST, "refuse", refusal)] == ["legal_article"]
    assert check_fields(REQUEST, "refuse", {"refusal": "not_held"}) == []


def test_of_several_values_the_wrong_one_is_named() -> None:
    found = check_fields(TRACE, "submit_routine", without(photographs=["ab" * 32, "x"]))
    assert found == [FieldProblem("field.record", "photographs", 1)]


def test_a_gun_without_a_serial_number_is_asked_for_other_things() -> None:
    request = {key: GUN[key] for key in TRACE.forms["request"] if key in GUN}
    ghost: Object = {**request, "make": "printed", "firearm_type": "pistol", "caliber": "9x19"}
    assert problems(ghost, "submit_unserialized") == []
    assert problems({**ghost, "make": "kit"}, "submit_unserialized") == [("field.missing", "kit")]
    assert ("field.unknown", "serial") in problems({**ghost, "serial": "1"}, "submit_unserialized")


def test_an_act_that_is_none_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"instrument\.act"):
        check_fields(TRACE, "dance", {})


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "canon.not_json"),
        (b'{"b":1,"a":1}', "canon.not_canonical"),
        (b'{"serial":null}', "canon.profile"),
        (b'{"serial":1.5}', "canon.profile"),
        (b"[]", "canon.profile"),
        (b'{"x":"' + b"y" * (1 << 18) + b'"}', "canon.too_long"),
    ],
)
def test_a_body_is_one_canonical_line(content: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_fields(TRACE, "submit_routine", content)
    assert caught.value.code == code


def test_what_does_not_fit_is_refused_by_name() -> None:
    with pytest.raises(RefusedError) as caught:
        parse_fields(TRACE, "submit_routine", canon.dumps(without("caliber")))
    assert caught.value.code == "instrument.fields"
    assert caught.value.parameters == {"why": "field.missing", "field": "caliber"}


values: Any = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=60) | st.sampled_from(["yes", "2021-10-08"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.data())
def test_whatever_the_fields_there_is_an_answer(data: st.DataObject) -> None:
    definition = shipped(data.draw(st.sampled_from(KINDS))).definition
    act = data.draw(st.sampled_from(sorted(definition.acts)))
    names = st.sampled_from(sorted(definition.fields)) | st.text(max_size=10)
    fields = data.draw(st.dictionaries(names, values, max_size=8))
    for problem in check_fields(definition, act, fields):
        assert problem.code in FIELD
