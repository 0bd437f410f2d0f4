"""Fitness: by its own log and the rules alone, and each fault has its code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.property.channel import DESKS, Channel

from convenio.core.fit import Fit, LogState, Rules, Unfit, judge, open_entries
from convenio.core.note import Ed25519Signer, parse_note, sign_note
from convenio.core.record import Header, PartyId, sign_record

MX, US = PartyId("mx"), PartyId("us")
CHANNEL = Channel((MX, US))
ROOT = "ab" * 32


def header(**fields: object) -> Header:
    return replace(CHANNEL.header(MX, 1, 100), **fields)  # type: ignore[arg-type]


def judged(entry: bytes, state: LogState, *, verified: bool = False) -> Fit | Unfit:
    member = CHANNEL.rules.members[0]
    (opened,) = open_entries([entry], member.authors, verified=verified)
    return judge(opened, member, state, CHANNEL.rules)


def verdict(entry: bytes, state: LogState | None = None, *, verified: bool = False) -> str:
    found = judged(entry, state or LogState(), verified=verified)
    return found.code if isinstance(found, Unfit) else "fit"


def after(*headers: Header) -> LogState:
    state = LogState()
    for each in headers:
        found = judged(CHANNEL.sign(each), state)
        assert isinstance(found, Fit)
        state.take(found)
    return state


def test_a_good_record_is_fit_and_gives_its_header() -> None:
    found = judged(CHANNEL.sign(header()), LogState())
    assert isinstance(found, Fit)
    assert found.header == header()


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("fold.ch", {"ch": "00" * 32}),
        ("fold.from", {"sender": US}),
        ("fold.gen", {"gen": 2}),
        ("fold.seen", {"seen": {MX: (1, ROOT)}}),
        ("fold.seen", {"seen": {US: (1, ROOT), PartyId("nobody"): (1, ROOT)}}),
    ],
)
def test_a_record_of_another_place_is_unfit(code: str, fields: dict[str, object]) -> None:
    signer = CHANNEL.signers[MX, DESKS[0]]
    assert verdict(sign_record(header(**fields), signer)) == code


def stranger() -> bytes:
    signer = Ed25519Signer("mx.localhost/k/0000ffff", bytes(32))
    return sign_record(header(by=(signer.name,)), signer)


def impostor() -> bytes:
    """The name of a desk, the key of nobody."""
    return sign_record(header(), Ed25519Signer(header().by[0], bytes(32)))


def altered() -> bytes:
    return CHANNEL.sign(header()).replace(b'"at":100', b'"at":101')


def stripped() -> bytes:
    """One of two signatures taken away."""
    signers = [CHANNEL.signers[MX, desk] for desk in DESKS]
    whole = sign_record(header(by=tuple(s.name for s in signers)), *signers)
    return whole[: whole.rindex("—".encode())]


def smuggled() -> bytes:
    """One signature more than `by` names."""
    note = parse_note(CHANNEL.sign(header()), 10_000)
    return sign_note(note.text, *(CHANNEL.signers[MX, desk] for desk in DESKS)).encode()


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("fold.author", stranger),
        ("fold.author", impostor),
        ("fold.signature", altered),
        ("record.signers", stripped),
        ("record.signers", smuggled),
        ("note.no_signature", lambda: b"junk"),
        ("canon.not_canonical", lambda: CHANNEL.sign(header()).replace(b'"at":', b'"at": ')),
        ("record.too_long", lambda: b" " * 20_000),
    ],
)
def test_bytes_that_nobody_signed_like_this_are_unfit(code: str, made: Callable[[], bytes]) -> None:
    assert verdict(made()) == code


def test_every_author_in_by_is_checked() -> None:
    signers = [CHANNEL.signers[MX, desk] for desk in DESKS]
    both = header(by=tuple(s.name for s in signers))
    assert verdict(sign_record(both, *signers)) == "fit"
    forged = sign_note(both.encode(), signers[0], Ed25519Signer(signers[1].name, bytes(32)))
    assert verdict(forged.encode()) == "fold.author"


def test_time_may_stand_still_in_a_log_but_not_go_back() -> None:
    state = after(header(at=100))
    assert verdict(CHANNEL.sign(header(at=100, id="2" * 32)), state) == "fit"
    assert verdict(CHANNEL.sign(header(at=99, id="2" * 32)), state) == "fold.at"


def test_the_same_text_counts_once_though_it_is_signed_anew() -> None:
    three = [header(at=100, id=number * 32) for number in "123"]
    for each in three:
        assert verdict(CHANNEL.sign(each), after(*three)) == "fold.again"
    assert verdict(CHANNEL.sign(header(at=100, id="4" * 32)), after(*three)) == "fit"
    later = after(header(at=100), header(at=101, id="3" * 32))
    assert verdict(CHANNEL.sign(header(at=100)), later) == "fold.at"


def test_only_texts_of_the_last_time_are_remembered() -> None:
    many = [header(at=at, id=f"{at:032x}") for at in range(100, 150)]
    assert len(after(*many).texts) == 0
    assert len(after(*many, header(at=149)).texts) == 1


def test_a_text_that_was_unfit_may_be_said_again() -> None:
    """An unfit entry leaves no trace; so a badly signed one can be repeated well signed."""
    state = LogState()
    assert verdict(impostor(), state) == "fold.author"
    assert verdict(CHANNEL.sign(header()), state) == "fit"


def test_signatures_checked_before_are_not_checked_again_but_all_else_is() -> None:
    assert verdict(altered(), verified=True) == "fit"
    assert verdict(altered(), after(header(at=500)), verified=True) == "fold.at"


def test_a_type_the_charter_does_not_name_is_void_not_unfit() -> None:
    assert verdict(CHANNEL.sign(header(type="unheard_of.v1"))) == "fit"
    assert not CHANNEL.rules.names("unheard_of.v1")
    assert CHANNEL.rules.names("request.v1")
    assert Rules("", 1, (), frozenset()).names("received.v1"), "what the fold itself needs"
