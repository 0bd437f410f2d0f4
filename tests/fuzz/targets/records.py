"""Records: the note, its header, and an entry as a log holds it."""

from __future__ import annotations

from typing import Any, Final

from tests.fuzz.targets.seeds import DASH, some
from tests.fuzz.targets.table import BOM, Broken, Target, but, each
from tests.sealing import DESKS, LABEL, fixed, header_of

from convenio.core import seal
from convenio.core.errors import MalformedError
from convenio.core.fit import open_entries
from convenio.core.record import Header, parse_record
from convenio.core.record import parse_header as parse_record_header

# The tables: as many to a line as fit.
# fmt: off

NAME: Final = b"mx.localhost/k/7f3a91c2"
SEEN: Final = b'{"us":[7,"' + b"ab" * 32 + b'"]}'
BODY: Final = (
    b'{"c":"'
    + b"00" * 32
    + b'","form":"sealed","k":"'
    + b"11" * 32
    + b'","n":9,"to":["us:7f3a91c2"]}'
)
OPEN: Final = b'{"c":"' + b"00" * 32 + b'","form":"open","n":9}'
FULL: Final = (
    b'{"act":"ask","at":5,"bodies":['
    + BODY
    + b","
    + OPEN
    + b'],"by":["'
    + NAME
    + b'"],"case":"'
    + b"cc" * 32
    + b'","cav":"amber","ch":"'
    + b"ab" * 32
    + b'","data":{"a":[1,"x"]},"due_in":60,'
    b'"from":"mx","gen":1,"id":"'
    + b"1d" * 16
    + b'","inst":"'
    + b"12" * 32
    + b'","kind":"record","seen":'
    + SEEN
    + b',"to":["us:00000000","us:7f3a91c2"],'
    b'"type":"ask.v1","v":1}\n'
)
PLAIN: Final = (
    b'{"at":5,"by":["'
    + NAME
    + b'"],"ch":"'
    + b"ab" * 32
    + b'","from":"mx","gen":1,"id":"'
    + b"1d" * 16
    + b'","kind":"record","seen":{},"to":[],"type":"ask.v1","v":1}\n'
)


def record_headers() -> list[bytes]:
    full = Header(
        **{
            name: getattr(header_of(), name)
            for name in ("id", "ch", "gen", "type", "sender", "to", "by", "at")
        },
        seen={"us": (7, "ab" * 32)},  # type: ignore[dict-item]
        inst="12" * 32, act="ask", due_in=3600, cav="amber",
        bodies=(seal.seal_body(b"x", LABEL, DESKS, fixed("f")).ref,),
    )
    return [full.encode(), parse_record(some()[1]).header.encode(), FULL, PLAIN]


def of_type(kind: bytes, *data: bytes) -> tuple[bytes, ...]:
    """Headers of one type, each with its data."""
    typed = PLAIN.replace(b"ask.v1", kind)
    return tuple(typed.replace(b'"from"', b'"data":' + each + b',"from"') for each in data)


def not_numbers(name: bytes, good: bytes, *more: bytes) -> tuple[bytes, ...]:
    """A whole number that is something else, in the canonical spelling."""
    wrong = (b"-1", b"1.5", b"null", b"true", b'"1"', b"[]", b"{}", b"9007199254740992", *more)
    return each(FULL, b'"%b":%b' % (name, good), *(b'"%b":%b' % (name, each) for each in wrong))


def words(name: bytes, good: bytes, *wrong: bytes) -> tuple[bytes, ...]:
    """A string that is another, or no string."""
    spelled = (
        *(b'"%b"' % each for each in wrong), b"1", b"null", b"true", b"[]", b'["' + good + b'"]',
    )
    return each(FULL, b'"%b":"%b"' % (name, good), *(b'"%b":%b' % (name, each) for each in spelled))


def not_hex(size: int) -> tuple[bytes, ...]:
    """What is not the lower-case hex of so many bytes."""
    return (
        *(b"", b"a" * (2 * size - 1), b"a" * (2 * size + 1), b"A" * 2 * size, b"g" * 2 * size),
        *(b" " + b"a" * (2 * size - 1), "а".encode() * 2 * size, "１".encode() * 2 * size),
    )


def codes() -> tuple[bytes, ...]:
    return (
        b"", b"A", b"1a", b"a-b", b"a b", b"a\\n", "á".encode(), "ａ".encode(), b"a" * 42, b"_a",
    )


PARTIES: Final = (
    b"", b"m", b"MX", b"1x", b"m-x", b"a" * 17, b"mx\\n", "mх".encode(), "ｍx".encode(),
)


def headers() -> Broken:
    leaf = b'"' + b"aa" * 32 + b'"'
    address = b'"us:7f3a91c2"'
    to = b'"to":["us:00000000","us:7f3a91c2"]'
    sixty_five = b",".join(b'"us:%08x"' % number for number in range(65))
    return {
        "record.one_line": (
            FULL[:-1], FULL + b"\n", FULL + b"x", b"\n" + FULL, FULL * 2,
            FULL[:40] + b"\n" + FULL[40:],
        ),
        "canon.not_json": (
            b"", b"\n", FULL[1:], FULL[:60] + b"\n", BOM + FULL, FULL[:-1] + b"\0\n",
            *each(FULL, b'"at":5', b'"at":05', b'"at":+5', b'"at":NaN'),
            *each(FULL, b"ask.v1", b"\xc0\x80", b"\\ud800"),
        ),
        "canon.not_canonical": (
            *(
                b" " + FULL, FULL[:-1] + b"\r\n", FULL.replace(b",", b", "),
                FULL.replace(b"mx", b"\\u006dx", 1),
            ),
            *but(
                FULL, (b'"at":5', b'"at":5,"at":5'), (b'"v":1', b'"v":1e0'),
                (b'"at":5', b'"at":-0'), (b'"act"', b'"z":1,"act"'),
            ),
            *each(FULL, b'"at":5', b'"at":18446744073709551616', b'"At":5'),
        ),
        "canon.profile": (
            b"[]\n", b'"a"\n', b"1\n",
            *of_type(
                b"ask.v1", b'{"a":null}', b'{"a":1.5}', b'{"A":1}', b'{"":1}',
                b'{"a":9007199254740992}', b'{"a":' + b"[" * 7 + b"]" * 7 + b"}",
            ),
        ),
        "canon.too_long": (FULL.replace(b'"x"', b'"' + b"x" * (1 << 14) + b'"'),),
        "record.kind": (
            *each(FULL, b'"record"', b'"Record"', b'"charter"', b"1", b"null"),
            *each(
                FULL, b'"v":1', b'"v":2', b'"v":0', b'"v":true', b'"v":1.0', b'"v":"1"', b'"v":[1]'
            ),
            b"{}\n",
        ),
        "record.unknown_field": (
            *each(FULL, b'"v":1', b'"v":1,"w":1', b'"v":1,"\xc3\xa9":1', b'"v":1,"vv":null'),
            *each(FULL, b'"act"', b'"a":1,"act"'),
        ),
        "record.missing_field": tuple(
            PLAIN.replace(field, b"")
            for field in (
                b'"at":5,', b'"from":"mx",', b'"gen":1,', b'"seen":{},', b'"to":[],',
                b'"type":"ask.v1",',
            )
        ),
        "record.id": words(b"id", b"1d" * 16, *not_hex(16)),
        "record.ch": words(b"ch", b"ab" * 32, *not_hex(32)),
        "record.gen": not_numbers(b"gen", b"1", b"0", b"2147483649"),
        "record.type": words(
            b"type", b"ask.v1", b"", b"ask", b"ask.v0", b"ask.v01", b"ask.v10000", b"ask.V1",
            b"Ask.v1", b".v1", b"ask.v1\\n", b"a.b.v1", "ask.v１".encode(), b"a" * 42 + b".v1",
        ),
        "record.from": words(b"from", b"mx", *PARTIES),
        "record.at": not_numbers(b"at", b"5"),
        "record.to": (
            *each(
                FULL, to,
                *(
                    b'"to":' + each
                    for each in (
                        b"null", b"{}", b'"us:7f3a91c2"', b"[1]", b"[null]", b"[[]]",
                        b"[" + address + b"," + address + b"]", b'["us:7f3a91c2","us:00000000"]',
                        b"[" + sixty_five + b"]",
                    )
                ),
            ),
            *each(
                FULL, to,
                *(
                    b'"to":["' + each + b'"]'
                    for each in (
                        b"", b"us", b"us:", b":7f3a91c2", b"us:7F3A91C2", b"us:7f3a91c",
                        b"us:7f3a91c22", b"us: 7f3a91c2", b"us:liaison", b"us:7f3a91c2\\n",
                        "us:７f3a91c2".encode(),
                    )
                ),
            ),
        ),
        "record.by": (
            *each(
                FULL, b'["' + NAME + b'"]', b"[]", b"null", b'"' + NAME + b'"', b"[1]",
                b'["' + NAME + b'","' + NAME + b'"]',
                b"[" + b",".join(b'"a/k/%08x"' % n for n in range(9)) + b"]",
            ),
            *each(
                FULL, NAME, b"", b"mx.localhost", b"mx.localhost/r/7f3a91c2",
                b"MX.localhost/k/7f3a91c2", b"/k/7f3a91c2", b"-mx/k/7f3a91c2", b"mx/k/7f3a91c",
                b"mx/k/7f3a91c2/", b"m x/k/7f3a91c2", "mх/k/7f3a91c2".encode(),
            ),
        ),
        "record.seen": (
            *each(
                FULL, SEEN, b"[]", b"null", b"1", b'{"us":7}', b'{"us":[]}', b'{"us":[7]}',
                b'{"us":{}}', SEEN.replace(b'"]', b'",1]'),
            ),
            *each(
                FULL, b"[7,", b"[0,", b"[-1,", b"[1.5,", b'["7",', b"[null,", b"[true,",
                b"[9007199254740992,",
            ),
            *(FULL.replace(SEEN, SEEN.replace(b"ab" * 32, each)) for each in not_hex(32)),
            *(FULL.replace(b'{"us"', b'{"%b"' % each) for each in PARTIES),
        ),
        "record.inst": words(b"inst", b"12" * 32, *not_hex(32)),
        "record.case": words(b"case", b"cc" * 32, *not_hex(32)),
        "record.act": words(b"act", b"ask", *codes()),
        "record.due_in": not_numbers(b"due_in", b"60", b"0", b"316224001"),
        "record.cav": words(
            b"cav", b"amber", b"", b"Amber", b"white", b"amber+strict", b"amber ", b"RED"
        ),
        "record.bodies": (
            *each(
                FULL, b"[" + BODY + b"," + OPEN + b"]", b"[]", b"null", b"{}", b"[1]", b"[[]]",
                b"[{}]", b"[" + b",".join([OPEN] * 33) + b"]",
            ),
            *each(
                FULL, b'"form":"sealed"', b'"form":"open"', b'"form":"Sealed"', b'"form":1',
                b'"form":null',
            ),
            *each(
                FULL, b'"form":"open"', b'"form":"sealed"',
                b'"form":"open","k":"' + b"11" * 32 + b'"',
            ),
            *each(
                FULL, b'"n":9', b'"n":0', b'"n":-1', b'"n":1.5', b'"n":"9"', b'"n":true',
                b'"n":9007199254740992', b'"m":1,"n":9',
            ),
            *each(
                FULL, b'"to":["us:7f3a91c2"]', b'"to":[]', b'"to":[1]',
                b'"to":["us:7f3a91c2","us:7f3a91c2"]', b'"to":["us"]', b'"to":"us:7f3a91c2"',
            ),
            *(
                each(
                    FULL, b'"k":"' + b"11" * 32 + b'",', b"", b'"k":"",',
                    b'"k":"' + b"11" * 32 + b'","k0":"",', b'"k":1,',
                )
            ),
            *(FULL.replace(b"00" * 32, wrong, 1) for wrong in not_hex(32)),
            *(FULL.replace(b"11" * 32, wrong, 1) for wrong in not_hex(32)),
        ),
        "record.data": (
            *of_type(
                b"ask.v1", b"{}", b"[]", b"null", b"1", b'"a"', b'{"a":"\xc3\xa9"}',
                b'{"a":["\\n"]}', b'{"a":{"b":"\x7f"}}', b'{"a":"' + b"x" * 8193 + b'"}',
            ),
            *of_type(
                b"received.v1", b"{}", b'{"x":1}', b'{"lack":[]}', b'{"lack":' + leaf + b"}",
                b'{"lack":["aa"]}', b'{"have":[1]}', b'{"have":"x"}',
                b'{"lack":[' + b",".join([leaf] * 101) + b"]}",
            ),
            *of_type(
                b"received.v1", b'{"state":[1,2]}', b'{"state":[0,2,' + leaf + b"]}",
                b'{"state":[1,-1,' + leaf + b"]}", b'{"state":[1,2,"x"]}', b'{"state":{}}',
                b'{"state":[1,2,' + leaf + b",3]}",
            ),
            *of_type(
                b"objection.v1", b'{"code":"x"}', b'{"leaf":' + leaf + b"}",
                b'{"code":"X","leaf":' + leaf + b"}", b'{"code":"x","leaf":"aa"}',
                b'{"code":"x","leaf":' + leaf + b',"more":1}', b'{"code":1,"leaf":' + leaf + b"}",
            ),
            *of_type(
                b"disclosure.v1", b'{"code":"x","leaf":' + leaf + b',"part":0}',
                b'{"code":"court","leaf":' + leaf + b',"part":32}',
                b'{"code":"court","leaf":' + leaf + b',"part":-1}',
                b'{"code":"court","leaf":' + leaf + b"}",
                b'{"code":"court","leaf":' + leaf + b',"part":true}',
            ),
            *of_type(
                b"proof.v1", b'{"leaf":' + leaf + b"}",
                b'{"leaf":' + leaf + b',"name":"m","root":' + leaf + b',"sig":"s","size":0}',
                b'{"leaf":' + leaf + b',"name":"\xc3\xa9","root":' + leaf + b',"sig":"s","size":1}',
            ),
            *of_type(
                b"split.v1", b'{"of":"us"}', b'{"of":"US","proof":""}', b'{"of":"us","proof":1}',
                b'{"of":"us","proof":"\\n"}',
            ),
            *(
                PLAIN.replace(b"ask.v1", kind)
                for kind in (b"objection.v1", b"proof.v1", b"split.v1", b"disclosure.v1")
            ),
        ),
    }


def records() -> Broken:
    good = some()[1]
    line = good.partition(b"\n\n")[2]
    return {
        "note.no_signature": (
            b"", b"\n\n", good[:-1], good + b"\n", good.partition(b"\n\n")[0] + b"\n", line,
        ),
        "note.not_text": (
            good.replace(b"\n", b"\r\n"), good + b"\0", b"\xff" + good,
            good.replace(b"message", b"mess\tage"), good.replace(b"message", b"\xed\xa0\x80"),
        ),
        "note.signature_line": (
            good + b"x\n", good + b" " + line, good[:-2] + b"\n", good[:-1] + b"=\n",
        ),
        "note.key_name": (
            good.replace(DASH + NAME, DASH), good.replace(DASH + NAME, DASH + b"a+b"),
            good.replace(DASH + NAME, DASH + "mx\u00a0".encode()),
        ),
        # In `by`, in that order, and no one else.
        "record.signers": (
            good + line, good.replace(DASH + NAME, DASH + b"x"),
            good + line.replace(NAME, b"us.localhost/k/00000000"),
            good.replace(b'"' + NAME, b'"mx.localhost/k/00000000'),
        ),
        "record.one_line": (
            good.replace(b"}\n\n", b"}\n\n\n", 1), good.replace(b"}\n\n", b"}\nmore\n\n", 1),
            good.replace(b"{", b"\n{", 1),
        ),
        "canon.not_json": (BOM + good, b"text\n\n" + line, good.replace(b"}\n\n", b"\n\n", 1)),
        "canon.not_canonical": (
            good.replace(b":", b": ", 1), good.replace(b'"v":1', b'"v":1,"v":1'), b" " + good,
            good.replace(b"}\n\n", b"} \n\n", 1),
        ),
        "record.too_long": (
            good + line * 200, good.replace(b"}\n\n", b"}" + b" " * (1 << 14) + b"\n\n", 1),
        ),
    }


def entry(data: bytes) -> Any:
    (found,) = open_entries([data], {}, verified=False)
    if found.record is None:  # it stays in the log, and says nothing
        raise MalformedError(found.fault)
    return found.record


# fmt: on
TARGETS: Final = (
    Target(
        "record",
        ("core.record.parse_record",),
        lambda: list(some()),
        parse_record,
        lambda found: found.note.encode(),
        broken=records,
    ),
    Target(
        "header of a record",
        ("core.record.parse_header",),
        record_headers,
        parse_record_header,
        Header.encode,
        broken=headers,
    ),
    Target(
        "entry of a log",
        ("core.fit.open_entries",),
        lambda: list(some()),
        entry,
        lambda found: found.note.encode(),
        broken=records,
    ),
)
