"""Who is who: cards, charters, rosters, and what a person says they trust."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from tests.fuzz.targets.seeds import AT, DASH, LOG_VKEY, VKEYS, cards, charters
from tests.fuzz.targets.table import BOM, Broken, Target, each, text
from tests.support.parties import charter, party

from convenio.core.card import Card, parse_card, parse_roster, sign_roster
from convenio.core.note import Ed25519Signer, Note, parse_note, sign_note
from convenio.core.policy import from_keys
from convenio.core.trust import Charter, parse_charter
from convenio.node.verify.keys import parse_trust

# The tables: as many to a line as fit.
# fmt: off

PREVIOUS: Final = "ab" * 32
STRANGER: Final = Ed25519Signer("mx.localhost/r/1", bytes(32))


@lru_cache
def roster() -> bytes:
    home = party("mx")
    later = replace(home.card.roster, seq=2, url="https://mx.example")
    return sign_roster(home.card, later, PREVIOUS, AT, *home.roots[:2])


def framed(good: bytes) -> Broken:
    """What spoils any of the three as a note, or its line as canonical JSON."""
    note = parse_note(good, 1 << 20)
    line = note.lines[0].encode()
    one = b'"v":1'
    return {
        "note.no_signature": (
            b"", b"\n\n", good[:-1], good + b"\n", note.text, note.text + b"\n", line,
        ),
        "note.not_text": (
            good.replace(b"\n", b"\r\n"), good + b"\0", b"\xff" + good,
            good.replace(b'"', b'"\t', 1), good.replace(b'"at"', b'"\xc0\x80"', 1),
        ),
        "note.signature_line": (
            good + b"x\n", good + b" " + line, good + line * 64, good[:-1] + b"=\n",
        ),
        "note.key_name": (
            good + line.replace(DASH + b"mx", DASH + b"m+x"),
            good + line.replace(DASH + b"mx", DASH)[:0] + DASH + b" AAAAAAA=\n",
        ),
        "note.bad_signature": each(good, line, line[:-8] + b"AAA" + line[-5:]),
        "note.too_long": (good + b"x" * (1 << 19),),
        "trust.one_line": (
            b"\n" + good, good.replace(b"\n\n", b"\n\n\n", 1),
            good.replace(b"\n\n", b"\nmore\n\n", 1),
        ),
        "canon.not_json": (
            BOM + good, good.replace(b"{", b"", 1), good.replace(b"}\n\n", b"\n\n", 1),
            *each(good, one, b'"v":01', b'"v":'),
        ),
        "canon.not_canonical": (
            b" " + good, good.replace(b":", b": ", 1), good.replace(b"}\n\n", b"} \n\n", 1),
            *each(good, one, one + b"," + one, b'"v":1e0', b'"V":1'),
        ),
        "canon.profile": each(good, one, b'"v":null', b'"v":1.0', b'"v":9007199254740992'),
        "trust.kind": (
            *each(good, b'"kind":"', b'"kind":"x', b'"kind":"X'),
            *each(good, one, b'"v":2', b'"v":0', b'"v":true', b'"v":"1"'),
        ),
    }


def with_roster(good: bytes) -> Broken:
    """What spoils the keys and desks in any of them: the first roster, the first desk."""
    seal = good[(at := good.index(b"age1pq1")) : good.index(b'"', at)]
    log = good[(at := good.index(b'"log":{"ed":"') + 13) : at + 44]
    url = good[(at := good.index(b'"url":"') + 7) : good.index(b'"', at)]
    node = good[(at := good.index(b'"node":"') + 8) : at + 44]
    desk = good[(at := good.index(b'"id":"') + 6) : at + 8]
    later = good[(at := good.index(b'"id":"', at) + 6) : at + 8]
    return {
        "trust.key": (
            *each(
                good, log, b"", log[:-1], log[:-2] + b"==", log + b"AAAA",
                log.replace(b"=", b"\\n"), b" " + log, b"A" * 44, log[:-2] + b"/=",
            ),
            *each(
                good, b'"node":"' + node + b'"', b'"node":1', b'"node":[]', '"node":"é"'.encode(),
                b'"node":""',
            ),
            *each(good, b'"pq":"', b'"pq":"AAAA', b'"pq":"!'),
        ),
        "trust.seal_key": (
            *each(
                good, seal, b"", b"age1pq1", seal[:-1],
                seal[:-1] + (b"q" if seal[-1:] != b"q" else b"p"), seal.upper(),
                seal[:500] + b"b" + seal[501:], b" " + seal,
            ),
        ),
        "trust.url": (
            *each(
                good, url, b"", b"mx.example", b"ftp://mx", b"HTTP://mx", b"http://", b"http://a@b",
                b"http://mx?x", b"http://mx#x", b"http://mx:0", b"http://mx:65536",
                b"http://mx:080000",
            ),
            *each(
                good, url, b"http://mx/../x", b"http://mx/./x", b"http://mx//x", b"http://mx\\\\x",
                b"http://mx /", "http://mх".encode(), b"http://[::1", b"javascript:1", b"http://MX",
            ),
        ),
        "trust.tls": each(
            good, b'"tls":""', b'"tls":"ab"', b'"tls":1', b'"tls":"' + b"A" * 64 + b'"',
            b'"tls":"' + b"a" * 65 + b'"',
        ),
        "trust.seq": each(good, b'"seq":', b'"seq":-'),
        "trust.desk": (
            *each(
                good, desk, b"", desk[:-1], desk + b"0", b"ABCDEF01", b"../../..",
                "１".encode() * 8, later,
            ),
            *each(
                good, b'"alias":"node"', b'"alias":""', b'"alias":"Node"', b'"alias":"liaison"',
                b'"alias":"1"', b'"alias":"a:b"', b'"alias":1', b'"alias":"' + b"a" * 41 + b'"',
            ),
        ),
        "trust.text": each(
            good, b'"name":{"en":"', b'"name":{"en":"\\n', '"name":{"en":"\u202e'.encode(),
            '"name":{"en":"\u2028'.encode(), b'"name":{"en":"' + b"x" * 201,
            '"name":{"en":"\u200b'.encode(),
        ),
        # One key for two purposes: a signature made in one role would count in the other.
        "trust.key_reused": each(good, node, log),
    }


def card_signed(card: Card, *signers: Ed25519Signer) -> bytes:
    return sign_note(card.encode(), *signers).encode()


def merge(*tables: Broken) -> Broken:
    codes = {code for table in tables for code in table}
    return {
        code: [data for table in tables for data in table.get(code, ())] for code in sorted(codes)
    }


def spoiled_cards() -> Broken:
    good = cards()[0]
    home = party("mx")
    first = home.roots[0]
    note = parse_note(good, 1 << 20)
    keys = home.card.roots.keys
    small = replace(home.card, roots=replace(home.card.roots, k=1, keys=(bytes(32),)))
    own: Broken = {
        "trust.card_quorum": (
            *(
                card_signed(home.card, first), card_signed(home.card, STRANGER),
                card_signed(home.card, first, first),
            ),
            *(
                Note(note.text, note.lines[:1] * 2).encode(),
                card_signed(home.card, *party("us").roots),
            ),
            Note(
                note.text, (note.lines[0], replace(note.lines[1], name="us.localhost/r/2"))
            ).encode(),
        ),
        # A key of small order is a key of 32 bytes, and libsodium believes no signature of it.
        "note.bad_signature": (
            Note(
                small.encode(),
                (
                    replace(
                        note.lines[0], key_id=small.root_verifiers()[0].key_id,
                        signature=b"\1" + bytes(63),
                    ),
                ),
            ).encode(),
            Note(
                note.text,
                (
                    replace(
                        note.lines[0], signature=note.lines[0].signature[:32] + bytes([255] * 32)
                    ),
                    note.lines[1],
                ),
            ).encode(),
            Note(
                note.text,
                (
                    replace(note.lines[0], signature=plus_order(note.lines[0].signature)),
                    note.lines[1],
                ),
            ).encode(),
            Note(
                note.text,
                (replace(note.lines[0], signature=note.lines[0].signature[:63]), note.lines[1]),
            ).encode(),
        ),
        "trust.roots": each(good, b'"k":2', b'"k":0', b'"k":4', b'"k":-1', b'"k":true', b'"k":"2"'),
        "trust.party": each(
            good, b'"party":"mx"',
            *(
                b'"party":"%b"' % name
                for name in (b"", b"m", b"MX", b"1x", b"m x", b"m" * 17, "mх".encode())
            ),
        ),
        "trust.domain": each(
            good, b'"domain":"mx.localhost"',
            *(
                b'"domain":"%b"' % name
                for name in (
                    b"", b".mx", b"mx.", b"MX", b"m x", b"mx/c", b"mx_x", b"x" * 101, "mх".encode(),
                )
            ),
        ),
        "trust.at": each(good, b'"at":', b'"at":-'),
        "trust.fields": (
            *each(good, b'"v":1', b'"v":1,"w":1'), *each(good, b'"at":1700000000,', b""),
            *each(good, b'"k":2', b'"k":2,"kex":3'),
        ),
        "trust.kind": (charters()[0], roster()),
        "trust.key_reused": (
            card_signed(
                replace(
                    home.card, roots=replace(home.card.roots, keys=(keys[0], keys[0], keys[2]))
                ),
                first,
            ),
        ),
    }
    return merge(framed(good), with_roster(good), own)


ORDER: Final = 2**252 + 27742317777372353535851937790883648493


def plus_order(signature: bytes) -> bytes:
    """The same signature with S + L for S: the same point, so that a lenient reader takes it."""
    s = int.from_bytes(signature[32:], "little") + ORDER
    return signature[:32] + s.to_bytes(32, "little")


def charter_signed(made: Charter, *names: str) -> bytes:
    return sign_note(
        made.encode(), *(root for name in names for root in party(name).roots[:2])
    ).encode()


def spoiled_charters() -> Broken:
    (good,) = charters()
    made = charter()
    note = parse_note(good, 1 << 20)
    mx, us = made.parties
    again = replace(us, party=mx.party)
    same_home = replace(us, domain=mx.domain)
    shared = replace(us, roster=replace(us.roster, node=mx.roster.node))
    types = b'"types":["notice.v1","objection.v1"'
    own: Broken = {
        "trust.foreign_signature": (
            *(
                good + STRANGER.sign(note.text).encode(), charter_signed(made, "mx", "ca"),
                good + note.lines[0].encode(),
            ),
            good + Ed25519Signer("x", bytes(32)).sign(note.text).encode(),
        ),
        "note.bad_signature": (
            Note(
                note.text,
                (
                    replace(note.lines[0], signature=plus_order(note.lines[0].signature)),
                    *note.lines[1:],
                ),
            ).encode(),
            Note(
                note.text, (replace(note.lines[0], signature=bytes(64)), *note.lines[1:])
            ).encode(),
            good.replace(b'"bicentennial"', b'"bicentennia1"', 1),
        ),
        "trust.parties": (
            charter_signed(replace(made, parties=(mx,)), "mx"),
            charter_signed(replace(made, parties=(mx, again)), "mx"),
            charter_signed(replace(made, parties=(mx, mx)), "mx"),
            charter_signed(replace(made, parties=()), "mx"),
            charter_signed(replace(made, parties=(mx,) * 17), "mx"),
        ),
        "trust.domain": (charter_signed(replace(made, parties=(mx, same_home)), "mx"),),
        "trust.key_reused": (charter_signed(replace(made, parties=(mx, shared)), "mx"),),
        "trust.nonce": each(
            good, b'"nonce":"0123', b'"nonce":"', b'"nonce":"01234', b'"nonce":"ABCD',
            b'"nonce":"012g',
        ),
        "trust.name": each(
            good, b'"name":"bicentennial"', b'"name":""', b'"name":"B"', b'"name":"a b"',
            b'"name":"../a"', b'"name":1', b'"name":"' + b"a" * 41 + b'"',
            '"name":"bicentennıal"'.encode(),
        ),
        "trust.access": each(
            good, b'"access":"members"', b'"access":"Members"', b'"access":""', b'"access":1',
            b'"access":[]', b'"access":{}',
        ),
        "trust.purpose": each(
            good, b'"purpose":"cooperation"', b'"purpose":"enforcement"', b'"purpose":true',
            b'"purpose":["test"]',
        ),
        "trust.fold": each(
            good, b'"fold":1', b'"fold":0', b'"fold":-1', b'"fold":true', b'"fold":"1"'
        ),
        "trust.types": (
            *each(
                good, types, b'"types":["objection.v1","notice.v1"',
                b'"types":["notice.v1","notice.v1"', b'"types":["notice"', b'"types":["notice.v0"',
                b'"types":[1', b'"types":["Notice.v1"', b'"types":["notice.v1 "',
                '"types":["notice.v１"'.encode(),
            ),
            charter_signed(replace(made, types=()), "mx"),
            charter_signed(replace(made, types=tuple(f"a.v{n}" for n in range(1000, 1201))), "mx"),
        ),
        "trust.instruments": (
            *each(
                good, b'"instruments":{"request_v1":"', b'"instruments":{"request_v1":"0',
                b'"instruments":{"request_v1":"G',
            ),
            *each(good, b'"instruments":{', b'"instruments":{"a":1,', b'"instruments":{"a":"",'),
        ),
        "trust.quota": (
            *each(good, b'"bytes_per_day":', b'"bytes_per_day":-'),
            *each(
                good, b'"entries_per_day":1000', b'"entries_per_day":0', b'"entries_per_day":true',
                b'"entries_per_day":"1"',
            ),
        ),
        "trust.fields": (
            *each(good, b'"v":1', b'"v":1,"w":1'), *each(good, b'"fold":1,', b""),
            *each(good, b'"entries_per_day":1000', b'"entries_per_day":1000,"f":1'),
            *each(good, b'"title":{"en":', b'"title":{"de":"x","en":'),
        ),
        "trust.text": each(
            good, b'"title":{"en":"', b'"title":{"en":"\\n', '"title":{"en":"\u2066'.encode(),
            b'"title":{"en":"' + b"x" * 201,
        ),
        "trust.roots": each(good, b'"k":2', b'"k":0', b'"k":4', b'"k":true'),
        "trust.kind": (cards()[0], roster()),
    }
    return merge(framed(good), with_roster(good), own)


def spoiled_rosters() -> Broken:
    good, home = roster(), party("mx")
    note = parse_note(good, 1 << 20)

    def signed_as(**changes: bytes) -> tuple[bytes, ...]:
        made = note.text
        for name, value in changes.items():
            old = {
                "party": b'"party":"mx"',
                "previous": b'"' + PREVIOUS.encode() + b'"',
                "seq": b'"seq":2',
                "at": b'"at":%d' % AT,
            }[name]
            assert old in made
            made = made.replace(old, value)
        return (sign_note(made, *home.roots[:2]).encode(),)

    own: Broken = {
        "trust.roster_quorum": (
            *(
                sign_note(note.text, home.roots[0]).encode(),
                sign_note(note.text, *party("us").roots).encode(),
                sign_note(note.text, STRANGER).encode(),
            ),
            Note(note.text, note.lines[:1] * 2).encode(),
        ),
        # Not the next one, not after this one, not this party's.
        "trust.roster_order": (
            *signed_as(seq=b'"seq":1'), *signed_as(seq=b'"seq":3'),
            *signed_as(seq=b'"seq":9007199254740991'),
            *signed_as(previous=b'"' + b"cd" * 32 + b'"'), *signed_as(previous=b'""'),
            *signed_as(previous=b"1"), *signed_as(previous=b"[]"),
            *signed_as(party=b'"party":"us"'), *signed_as(party=b'"party":1'),
            *signed_as(party=b'"party":"MX"'),
        ),
        "trust.seq": (
            *signed_as(seq=b'"seq":0'), *signed_as(seq=b'"seq":true'), *signed_as(seq=b'"seq":"2"'),
        ),
        "trust.at": (
            *signed_as(at=b'"at":-1'), *signed_as(at=b'"at":true'), *signed_as(at=b'"at":"1"'),
        ),
        "trust.fields": (*each(good, b'"v":1', b'"v":1,"w":1'), *each(good, b'"party":"mx",', b"")),
        "trust.kind": (cards()[0], charters()[0]),
        "note.bad_signature": (
            Note(
                note.text,
                (
                    replace(note.lines[0], signature=plus_order(note.lines[0].signature)),
                    note.lines[1],
                ),
            ).encode(),
        ),
    }
    shared = with_roster(good)
    return merge(framed(good), {code: shared[code] for code in shared if code != "trust.seq"}, own)


def spoiled_trust() -> Broken:
    (good,) = charters()
    hexes = b"ab" * 32
    digits = b"12345 " * 12
    return {
        "verify.trust": (
            *(
                b"", b"\n", b" ", b"\0", hexes[:-1], hexes[:-1] + b"g", hexes + b"\0", BOM + hexes,
                BOM + good, b" " + good, b"\n" + good, hexes + b"\n" + hexes,
            ),
            *(
                b"12345x", "１".encode() * 60, "١".encode() * 60, b"a" * 63 + "а".encode(),
                b"-" * 60, b"PK\x03\x04", b"\xff" * 64, b"0x" + hexes,
            ),
            *(some_card for some_card in (b"[" + good, good[1:])), LOG_VKEY, digits + b".",
        ),
        "trust.fingerprint": (
            digits[:-2], digits + b"1", b"1", b"12345 " * 11, b"1" * 59, b"1" * 61, b"1" * 63,
            b"1" * 65, digits * 2, b"1" + b"-" * 59,
        ),
        "trust.kind": (cards()[0], roster()),
        "trust.charter_quorum": (charter_signed(charter(), "mx"), charter_signed(charter(), "us")),
        "trust.foreign_signature": (good + STRANGER.sign(b"x\n").encode(),),
        "note.no_signature": (b"{", b"{}", good[:-1], good + b"\n"),
        "policy.one_quorum": (
            b"# quorum\n", from_keys(VKEYS[:1], {}, 0).format() * 1 + b"quorum none\n",
        ),
        "policy.not_text": (b"quorum none", b"quorum none\r\n", b"\0quorum none\n"),
    }


# fmt: on
TARGETS: Final = (
    Target(
        "charter",
        ("core.trust.parse_charter", "core.fields.open_line"),
        lambda: [*charters()],
        parse_charter,
        lambda found: found.note.encode(),
        share=2,
        broken=spoiled_charters,
    ),
    Target(
        "card",
        ("core.card.parse_card",),
        lambda: [*cards()],
        parse_card,
        share=2,
        broken=spoiled_cards,
    ),
    Target(
        "roster",
        ("core.card.parse_roster",),
        lambda: [roster()],
        lambda data: parse_roster(data, party("mx").card, PREVIOUS),
        share=2,
        broken=spoiled_rosters,
    ),
    Target(
        "what a person trusts",
        ("node.verify.keys.parse_trust",),
        lambda: [*charters(), b"ab" * 32, b"12345 " * 12, from_keys(VKEYS[:1], {}, 0).format()],
        lambda data: (parse_trust(data), parse_trust(text(data)) if len(data) < 99 else None)[0],
        broken=spoiled_trust,
    ),
)
