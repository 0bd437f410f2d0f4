"""Who speaks for a party: what counts as its signature on a card, a charter, a roster."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.parties import Party, charter, party, seed

from convenio.core.card import (
    Roots,
    Text,
    parse_card,
    parse_roster,
    root_key_name,
    sign_card,
    sign_roster,
)
from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    QuorumError,
    RefusedError,
    SignatureError,
)
from convenio.core.note import Ed25519Signer, Note, parse_note, sign_note
from convenio.core.trust import (
    Charter,
    fingerprint,
    matches_fingerprint,
    merge_charters,
    parse_charter,
    propose_charter,
)

MX, US = party("mx"), party("us")
FOREIGN = Ed25519Signer("eve.localhost/r/1", seed("eve"))


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ConvenioError) as caught:
        act()
    return caught.value.code


# --- cards: k of n ---


@pytest.mark.parametrize(
    ("signers", "code"),
    [
        pytest.param(MX.roots[:2], "", id="two of three needed keys are enough"),
        pytest.param(MX.roots[1:], "", id="any two will do"),
        pytest.param(MX.roots, "", id="all three are fine"),
        pytest.param(MX.roots[::-1], "", id="the order of signatures says nothing"),
        pytest.param((*MX.roots[:2], FOREIGN), "", id="a stranger's line on a card is ignored"),
        pytest.param(MX.roots[:1], "trust.card_quorum", id="one of two is too few"),
        pytest.param((MX.roots[0],) * 3, "trust.card_quorum", id="one key thrice is one key"),
        pytest.param((FOREIGN,), "trust.card_quorum", id="a stranger's key is none of theirs"),
        pytest.param(US.roots[:2], "trust.card_quorum", id="another party's roots do not count"),
        pytest.param(
            (Ed25519Signer("mx.localhost/r/1", seed("eve")), MX.roots[1]),
            "trust.card_quorum",
            id="the right name with another key is a stranger",
        ),
        pytest.param(
            (Ed25519Signer("mx.localhost/r/2", seed("mx", "root", 1)), MX.roots[1]),
            "trust.card_quorum",
            id="a root key under another root's name does not count",
        ),
    ],
)
def test_a_card_needs_k_of_its_own_n_keys(signers: tuple[Ed25519Signer, ...], code: str) -> None:
    data = sign_note(MX.card.encode(), *signers).encode()
    if code:
        assert code_of(lambda: parse_card(data)) == code
    else:
        assert parse_card(data) == MX.card


def spoil(note: Note, line: int) -> bytes:
    """The note with one bit of one signature turned."""
    lines = list(note.lines)
    signature = bytearray(lines[line].signature)
    signature[10] ^= 1
    lines[line] = replace(lines[line], signature=bytes(signature))
    return Note(note.text, tuple(lines)).encode()


@pytest.mark.parametrize("line", [0, 1, 2])
def test_one_false_signature_of_a_known_root_spoils_the_card_even_beyond_the_quorum(
    line: int,
) -> None:
    data = spoil(sign_note(MX.card.encode(), *MX.roots), line)
    with pytest.raises(SignatureError):
        parse_card(data)


def test_one_false_signature_of_a_known_root_spoils_the_charter() -> None:
    note = sign_note(charter().encode(), *MX.roots, *US.roots)
    for line in range(6):
        with pytest.raises(SignatureError):
            parse_charter(spoil(note, line))


# --- what a card or charter may say ---


def card_with(change: Callable[[dict[str, Any]], object], kind: str = "card") -> bytes:
    return document(MX.card.encode(), change, *MX.roots)


def charter_with(change: Callable[[dict[str, Any]], object]) -> bytes:
    return document(charter().encode(), change, *MX.roots, *US.roots)


def document(
    text: bytes, change: Callable[[dict[str, Any]], object], *signers: Ed25519Signer
) -> bytes:
    """The text with a change, printed canonically and signed as if it were right."""
    value = orjson.loads(text)
    change(value)
    changed = orjson.dumps(value, option=orjson.OPT_SORT_KEYS) + b"\n"
    return sign_note(changed, *signers).encode()


def at(*path: str | int, to: Any) -> Callable[[dict[str, Any]], object]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    return change


def without(*path: str | int) -> Callable[[dict[str, Any]], object]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]

    return change


def double_a_desk(value: Any) -> None:
    value["roster"]["desks"].append(dict(value["roster"]["desks"][0]))


CARD = orjson.loads(MX.card.encode())
DESK = ("roster", "desks", 0)
BAD_CARDS = {
    "an unknown field": (at("more", to=1), "trust.fields"),
    "an unknown field deep inside": (at("roster", "more", to=1), "trust.fields"),
    "an unknown field in a desk": (at(*DESK, "more", to=1), "trust.fields"),
    "a missing field": (without("domain"), "trust.fields"),
    "another kind": (at("kind", to="charter"), "trust.kind"),
    "another version": (at("v", to=2), "trust.kind"),
    "true for the version": (at("v", to=True), "trust.kind"),
    "a party in capitals": (at("party", to="MX"), "trust.party"),
    "a party of one letter": (at("party", to="m"), "trust.party"),
    "a number for the party": (at("party", to=7), "trust.party"),
    "a domain with a slash, to look like another's key": (
        at("domain", to="mx.localhost/k"),
        "trust.domain",
    ),
    "a domain with a newline": (at("domain", to="mx\n"), "trust.domain"),
    "an empty name": (at("name", "en", to=""), "trust.text"),
    "a name in one language": (without("name", "es"), "trust.fields"),
    "a name with a line break": (at("name", "es", to="a\u2028b"), "trust.text"),
    "a name that turns the direction of text": (at("name", "es", to="a\u202eb"), "trust.text"),
    "a quorum of none": (at("roots", "k", to=0), "trust.roots"),
    "a quorum beyond the keys": (at("roots", "k", to=4), "trust.roots"),
    "no root keys": (at("roots", "keys", to=[]), "trust.roots"),
    "a root key of 31 bytes": (at("roots", "keys", 0, to="A" * 42 + "=="), "trust.key"),
    "a root key in loose base64": (at("roots", "keys", 0, to=" " + "A" * 43 + "="), "trust.key"),
    "a root key not in ASCII": (at("roots", "keys", 0, to="ñ" * 44), "trust.key"),
    "a log key without its post-quantum half": (without("roster", "log", "pq"), "trust.fields"),
    "an ML-DSA key cut short": (at("roster", "log", "pq", to="AAAA"), "trust.key"),
    "a node key of the wrong length": (at("roster", "node", to="AAAA"), "trust.key"),
    "a URL of another scheme": (at("roster", "url", to="ftp://x"), "trust.url"),
    "a URL with a user": (at("roster", "url", to="http://a@b"), "trust.url"),
    "a URL nobody can call": (at("roster", "url", to="http://a:99999"), "trust.url"),
    "a URL with capitals in the host": (at("roster", "url", to="http://Mx.localhost"), "trust.url"),
    "a certificate hash cut short": (at("roster", "tls", to="ab"), "trust.tls"),
    "false for no certificate": (at("roster", "tls", to=False), "trust.tls"),
    "zero for no certificate": (at("roster", "tls", to=0), "trust.tls"),
    "an empty list for no certificate": (at("roster", "tls", to=[]), "trust.tls"),
    "no desks": (at("roster", "desks", to=[]), "trust.desk"),
    "two desks of one id": (double_a_desk, "trust.desk"),
    "a desk whose alias is another's id": (
        at("roster", "desks", 1, "alias", to=MX.card.roster.desks[0].id),
        "trust.desk",
    ),
    "a desk id in capitals": (at(*DESK, "id", to="ABCDEF01"), "trust.desk"),
    "a sealing key of another kind": (at(*DESK, "seal", to="age1abc"), "trust.seal_key"),
    "a sealing key with a wrong checksum": (
        at(*DESK, "seal", to=MX.card.roster.desks[0].seal[:-1] + "q"),
        "trust.seal_key",
    ),
    "a roster numbered zero": (at("roster", "seq", to=0), "trust.seq"),
    "a time before 1970": (at("at", to=-1), "trust.at"),
    "a time with a fraction": (at("at", to=1.5), "canon.profile"),
    "null": (at("at", to=None), "canon.profile"),
    "one key as log and mirror": (
        at("roster", "mirror", "ed", to=CARD["roster"]["log"]["ed"]),
        "trust.key_reused",
    ),
    "a root key as node key": (
        at("roster", "node", to=CARD["roots"]["keys"][0]),
        "trust.key_reused",
    ),
    "two desks with one author key": (
        at("roster", "desks", 1, "author", to=CARD["roster"]["desks"][0]["author"]),
        "trust.key_reused",
    ),
    "two desks with one sealing key": (
        at("roster", "desks", 1, "seal", to=MX.card.roster.desks[0].seal),
        "trust.key_reused",
    ),
}


@pytest.mark.parametrize(("change", "code"), BAD_CARDS.values(), ids=BAD_CARDS)
def test_a_card_is_refused_with(change: Callable[[dict[str, Any]], object], code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_card(card_with(change))
    assert caught.value.code == code


def reuse_the_domain(value: Any) -> None:
    value["parties"][1]["domain"] = value["parties"][0]["domain"]


def reuse_the_log_key(value: Any) -> None:
    value["parties"][1]["roster"]["log"] = value["parties"][0]["roster"]["log"]


def reuse_a_root(value: Any) -> None:
    value["parties"][1]["roots"]["keys"][0] = value["parties"][0]["roots"]["keys"][2]


def one_party(value: Any) -> None:
    del value["parties"][1]


def the_same_party_twice(value: Any) -> None:
    value["parties"][1]["party"] = "mx"


BAD_CHARTERS = {
    "an unknown field": (at("more", to=1), "trust.fields"),
    "a missing field": (without("quota"), "trust.fields"),
    "a card's kind": (at("kind", to="card"), "trust.kind"),
    "a short nonce": (at("nonce", to="ab"), "trust.nonce"),
    "a name with spaces": (at("name", to="a b"), "trust.name"),
    "a title that is empty": (at("title", "es", to=""), "trust.text"),
    "an access that does not exist": (at("access", to="private"), "trust.access"),
    "a purpose that does not exist": (at("purpose", to="war"), "trust.purpose"),
    "a list for the purpose": (at("purpose", to=["test"]), "trust.purpose"),
    "fold zero": (at("fold", to=0), "trust.fold"),
    "no types": (at("types", to=[]), "trust.types"),
    "types out of order": (at("types", to=["b.v1", "a.v1"]), "trust.types"),
    "a type twice": (at("types", to=["a.v1", "a.v1"]), "trust.types"),
    "a type without a version": (at("types", to=["a"]), "trust.types"),
    "an instrument whose hash is cut short": (
        at("instruments", "request_v1", to="ab"),
        "trust.instruments",
    ),
    "instruments as a list": (at("instruments", to=[]), "trust.instruments"),
    "a quota of none": (at("quota", "entries_per_day", to=0), "trust.quota"),
    "one party alone": (one_party, "trust.parties"),
    "the same party twice": (the_same_party_twice, "trust.parties"),
    "a domain of two parties": (reuse_the_domain, "trust.domain"),
    "two parties with one log key": (reuse_the_log_key, "trust.key_reused"),
    "two parties with one root key": (reuse_a_root, "trust.key_reused"),
    "a party whose card has more fields": (at("parties", 0, "kind", to="card"), "trust.fields"),
    "a certificate that is false": (at("parties", 0, "roster", "tls", to=False), "trust.tls"),
}


@pytest.mark.parametrize(("change", "code"), BAD_CHARTERS.values(), ids=BAD_CHARTERS)
def test_a_charter_is_refused_with(change: Callable[[dict[str, Any]], object], code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_charter(charter_with(change))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(b"\n", "canon.not_json", id="nothing"),
        pytest.param(b"[]\n", "canon.profile", id="a list"),
        pytest.param(MX.card.encode().replace(b":", b": ", 1), "canon.not_canonical", id="spaces"),
        pytest.param(MX.card.encode() + b"{}\n", "trust.one_line", id="two lines"),
        pytest.param(
            MX.card.encode().replace(b'{"at"', b'{"v":1,"at"'),
            "canon.not_canonical",
            id="a key twice",
        ),
    ],
)
def test_a_card_is_one_canonical_line_and_not(text: bytes, code: str) -> None:
    data = sign_note(text, *MX.roots).encode()
    with pytest.raises(MalformedError) as caught:
        parse_card(data)
    assert caught.value.code == code


def test_a_record_is_no_card_and_a_card_no_charter() -> None:
    card = sign_card(MX.card, *MX.roots)
    assert code_of(lambda: parse_charter(card)) == "trust.kind"
    whole = propose_charter(charter(), *MX.roots).note.encode()
    assert code_of(lambda: parse_card(whole)) == "trust.kind"


# --- what is accepted prints back ---


def test_what_is_accepted_prints_back_byte_for_byte() -> None:
    assert parse_note(sign_card(MX.card, *MX.roots), 1 << 20).text == MX.card.encode()
    signed = propose_charter(charter("mx", "us", "ca"), *MX.roots)
    assert signed.charter.encode() == signed.note.text
    assert parse_charter(signed.note.encode()) == signed


SCALARS: st.SearchStrategy[object] = st.sampled_from(
    [True, False, -1, 0, 1, 2, "", "a", "é", "members", [], {}, None]
)


@given(st.data())
def test_a_charter_with_any_one_value_changed_prints_back_or_is_refused(
    data: st.DataObject,
) -> None:
    value = orjson.loads(charter().encode())
    node, path = value, []
    while isinstance(node, dict | list) and node:
        step = data.draw(
            st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node)))
        )
        path.append(step)
        node = node[step]
        if data.draw(st.booleans()) and path:
            break
    change = at(*path, to=data.draw(SCALARS))
    signed = charter_with(change)
    try:
        parsed = parse_charter(signed)
    except ConvenioError:
        return
    assert parsed.charter.encode() == parsed.note.text


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_our_own_errors(data: bytes) -> None:
    for parse in (parse_card, parse_charter):
        with pytest.raises(MalformedError):
            parse(data)


# --- charters: signatures, merging, what is in force ---


def test_a_charter_is_in_force_when_k_of_n_roots_of_every_party_have_signed() -> None:
    signed = propose_charter(charter(), *MX.roots[:2])
    assert signed.missing() == ("us",)
    assert signed.signed_by() == {"mx": 2, "us": 0}
    one = signed.with_signatures(US.roots[0])
    assert one.missing() == ("us",)
    assert code_of(one.require_complete) == "trust.charter_quorum"
    two = one.with_signatures(US.roots[2])
    assert two.missing() == ()
    assert two.require_complete() == charter()


def test_signatures_of_both_are_merged_in_either_order() -> None:
    mine = propose_charter(charter(), *MX.roots[:2])
    theirs = propose_charter(charter(), *US.roots[1:])
    for merged in (merge_charters(mine, theirs), merge_charters(theirs, mine)):
        assert merged.missing() == ()
        assert parse_charter(merged.note.encode()) == merged
    assert merge_charters(mine, mine) == mine


def test_charters_that_differ_in_one_word_are_not_merged() -> None:
    mine = propose_charter(charter(), *MX.roots[:2])
    theirs = propose_charter(charter(at=1_700_000_001), *US.roots[:2])
    assert code_of(lambda: merge_charters(mine, theirs)) == "trust.other_charter"


@pytest.mark.parametrize(
    "signers",
    [
        pytest.param((*MX.roots[:2], FOREIGN), id="a stranger"),
        pytest.param((*MX.roots[:2], MX.author("liaison")), id="a desk"),
        pytest.param((MX.roots[0], MX.roots[0]), id="one root twice"),
    ],
)
def test_no_line_stands_on_a_charter_but_of_a_members_root_once_not_that_of(
    signers: tuple[Ed25519Signer, ...],
) -> None:
    data = sign_note(charter().encode(), *signers).encode()
    assert code_of(lambda: parse_charter(data)) == "trust.foreign_signature"


def test_roots_sign_only_for_their_own_party() -> None:
    signed = propose_charter(charter(), *MX.roots)
    assert signed.signed_by() == {"mx": 3, "us": 0}


def many(count: int, roots: int) -> tuple[Charter, list[Party]]:
    parties = [party(f"p{n:02}", roots, roots) for n in range(count)]
    return replace(charter(), parties=tuple(p.card for p in parties)), parties


def test_more_signatures_than_a_note_can_hold_are_refused_before_anybody_keeps_them() -> None:
    wide, parties = many(8, 9)
    signed = propose_charter(wide, *parties[0].roots)
    for each in parties[1:7]:
        signed = signed.with_signatures(*each.roots)
    assert code_of(lambda: signed.with_signatures(*parties[7].roots)) == "note.signature_line"


# --- fingerprints ---


def test_a_fingerprint_is_60_digits_in_groups_of_five() -> None:
    shown = fingerprint(charter().ch)
    assert re.fullmatch(r"(\d{5} ){11}\d{5}", shown)
    assert fingerprint("00" * 32) == " ".join(["00000"] * 12)
    assert len({fingerprint(charter(at=n).ch) for n in range(50)}) == 50


SHOWN = fingerprint(charter().ch)


@pytest.mark.parametrize(
    ("typed", "good"),
    [
        pytest.param(SHOWN, True, id="as it is shown"),
        pytest.param(SHOWN.replace(" ", ""), True, id="without spaces"),
        pytest.param(SHOWN.replace(" ", "-"), True, id="with dashes"),
        pytest.param(f"  {SHOWN}\n", True, id="with space around it"),
        pytest.param(SHOWN.replace(" ", "\u00a0"), True, id="with spaces that do not break"),
        pytest.param(charter().ch, True, id="as the whole hash"),
        pytest.param(charter().ch.upper(), True, id="as the hash in capitals"),
        pytest.param("", False, id="as nothing"),
        pytest.param(" - ", False, id="as only dashes"),
        pytest.param(SHOWN[:-6], False, id="less its last group"),
        pytest.param(SHOWN[:-1] + str((int(SHOWN[-1]) + 1) % 10), False, id="with one wrong digit"),
        pytest.param(SHOWN + "0", False, id="with a digit more"),
        pytest.param(charter().ch[:32], False, id="as half the hash"),
        pytest.param(fingerprint(charter(at=5).ch), False, id="of another charter"),
    ],
)
def test_a_fingerprint_may_be_typed(typed: str, good: bool) -> None:
    assert matches_fingerprint(charter().ch, typed) is good


def test_the_fingerprint_covers_all_root_keys() -> None:
    other = replace(US.card, roots=Roots(2, (*US.card.roots.keys[:2], FOREIGN.public)))
    assert charter(parties=(MX.card, other)).ch != charter().ch


# --- rosters ---


PREVIOUS = "ab" * 32
NEXT = replace(MX.card.roster, seq=2, url="http://mx.localhost:9000")


def roster(**changes: Any) -> bytes:
    made = {"previous": PREVIOUS, "signers": MX.roots[:2], "roster": NEXT, **changes}
    value = {
        "kind": "roster",
        "v": 1,
        "party": made.get("party", "mx"),
        "previous": made["previous"],
        "roster": orjson.loads(replace(MX.card, roster=made["roster"]).encode())["roster"],
        "at": 5,
    }
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS) + b"\n"
    return sign_note(text, *made["signers"]).encode()


def test_a_roster_follows_the_one_in_force() -> None:
    assert (
        parse_roster(sign_roster(MX.card, NEXT, PREVIOUS, 5, *MX.roots[:2]), MX.card, PREVIOUS)
        == NEXT
    )
    assert sign_roster(MX.card, NEXT, PREVIOUS, 5, *MX.roots[:2]) == roster()


@pytest.mark.parametrize(
    ("data", "error", "code"),
    [
        pytest.param(
            roster(previous="cd" * 32), RefusedError, "trust.roster_order", id="another past"
        ),
        pytest.param(
            roster(roster=replace(NEXT, seq=3)),
            RefusedError,
            "trust.roster_order",
            id="a number left out",
        ),
        pytest.param(
            roster(roster=replace(NEXT, seq=1)),
            RefusedError,
            "trust.roster_order",
            id="an old number",
        ),
        pytest.param(roster(party="us"), RefusedError, "trust.roster_order", id="another party"),
        pytest.param(
            roster(signers=MX.roots[:1]), QuorumError, "trust.roster_quorum", id="one root"
        ),
        pytest.param(
            roster(signers=US.roots[:2]),
            QuorumError,
            "trust.roster_quorum",
            id="another party's roots",
        ),
        pytest.param(
            roster(signers=(MX.author("liaison"), MX.roots[0])),
            QuorumError,
            "trust.roster_quorum",
            id="a desk for a root",
        ),
    ],
)
def test_a_roster_does_not_count_with(data: bytes, error: type[ConvenioError], code: str) -> None:
    with pytest.raises(error) as caught:
        parse_roster(data, MX.card, PREVIOUS)
    assert caught.value.code == code


def test_a_roster_with_a_key_twice_or_a_root_at_work_is_refused() -> None:
    twice = replace(NEXT, node=NEXT.log.ed)
    assert (
        code_of(lambda: parse_roster(roster(roster=twice), MX.card, PREVIOUS)) == "trust.key_reused"
    )
    at_work = replace(NEXT, node=MX.card.roots.keys[2])
    assert (
        code_of(lambda: parse_roster(roster(roster=at_work), MX.card, PREVIOUS))
        == "trust.key_reused"
    )


# --- looking up ---


def test_desks_are_found_by_alias_and_id_and_by_nothing_else() -> None:
    made = charter()
    ident = US.card.roster.desk("liaison").id
    assert made.address("us:liaison") == made.address(f"us:{ident}") == f"us:{ident}"
    assert made.desk_of(made.address("us:legal")).alias == "legal"
    assert code_of(lambda: made.address("us:nobody")) == "trust.unknown_desk"
    assert code_of(lambda: made.address("ca:liaison")) == "trust.not_a_member"
    assert code_of(lambda: made.address("liaison")) == "trust.not_a_member"
    assert code_of(lambda: made.address("us:")) == "trust.no_desk"


def test_every_party_has_its_own_origin_and_no_other_is_known() -> None:
    made = charter("mx", "us", "ca")
    for name in made.members():
        assert made.party_of(made.origin(name)) == name
    assert made.party_of("mx.localhost/c/" + "f" * 32) is None
    assert root_key_name("mx.localhost", 2) == "mx.localhost/r/2"


def test_the_title_of_a_channel_is_part_of_what_is_compared() -> None:
    assert charter(title=Text("a", "b")).ch != charter().ch


def test_a_card_names_each_key_by_its_role() -> None:
    card = MX.card
    assert len(card.root_verifiers()) == 3
    assert {v.name for v in card.author_verifiers()} == {
        f"mx.localhost/k/{d.id}" for d in card.roster.desks
    }
    assert [v.name for v in card.mirror_verifiers()] == ["mx.localhost/mirror"] * 2
    assert card.node_verifier().name == "mx.localhost/node"
