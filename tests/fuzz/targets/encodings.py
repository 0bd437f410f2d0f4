"""The small encodings that every format is made of."""

from __future__ import annotations

import base64
from typing import Final

from tests.fuzz.targets.table import BOM, Broken, Target, each, text

from convenio.core import canon
from convenio.core.age.header import from_base64, to_base64
from convenio.core.encoding import parse_base64, parse_decimal, parse_hex

# The tables: as many to a line as fit.
# fmt: off

# The ways in which Python's own reader, or another language's, would take a number.
NOT_DECIMAL: Final = (
    *(b"", b" ", b"-", b"+1", b"-1", b"-0", b"00", b"01", b"1_0", b" 1", b"1 ", b"1\n", b"1\r\n"),
    *(b"1.0", b"1e3", b"1E3", b"0x1", b"0b1", b"1,0", b"1\0", b"\x001", BOM + b"1", b"one", b"1L"),
    *(b"9223372036854775808", b"18446744073709551616", b"9" * 40, b"9" * 5000),
    *("١".encode(), "１".encode(), "²".encode(), "1\u00a0".encode(), "−1".encode(), b"\xb2"),
)


def decimals() -> Broken:
    return {"note.vkey": NOT_DECIMAL}


def base64s() -> Broken:
    return {
        "note.vkey": (
            *(b"A", b"AA", b"AAA", b"AAAAA", b"AA=", b"A===", b"=", b"====", b"AAAA====", b"AA=A"),
            *(b"AB==", b"AAB=", b"//==", b"///="),  # bits that are not there
            *(b"AA==AA==", b"AAA=A", b"AA==A", b"AAAA\n", b"AAAA\r\n", b"\nAAAA", b" AAAA"),
            *(b"AA\nAA", b"A A=", b"AAAA\0", b"AA-_", b"AA\x80A", BOM + b"AAAA"),
            *("ＡＡＡＡ".encode(), "АААА".encode()),
        )
    }


def unpadded() -> Broken:
    return {
        "age.header": (
            *(b"AA==", b"AAA=", b"A", b"AAAAA", b"AB", b"AAB", b"//", b"=", b"AAAA\n", b"AA AA"),
            *(b" AA", b"AA ", b"AA\r", b"A-_A", b"AA\0A", BOM + b"AA", "ＡＡ".encode()),
        )
    }


def hexes() -> Broken:
    return {
        "note.vkey": (
            *(
                b"", b"00ff", b"00" * 5, b"00ff00f", b"00FF" * 2, b"00fF00ff", b"0x00ff00",
                b"00ff00fg",
            ),
            *(b" 00ff00f", b"00ff00f\n", b"00 ff 00", b"-0ff00ff", b"00ff00f\0", b"00ff\xff\xff00"),
            *("０".encode() * 8, "٠".encode() * 8, b"00_ff_00"),
        )
    }


def jsons() -> Broken:
    nested = b'{"a":' * 9 + b"1" + b"}" * 9
    return {
        "canon.not_json": (
            *(b"", b" ", b"{", b"}", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1}}', b"{}{}", b"{}\0"),
            *(BOM + b"{}", "{}".encode("utf-16"), "{}".encode("utf-16-le"), b"{'a':1}", b"{a:1}"),
            *(b'{"a":1,}', b'{,"a":1}', b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":1.}'),
            *(b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-}', b'{"a":0x1}', b'{"a":1_0}'),
            *(b'{"a":"\t"}', b'{"a":"\n"}', b'{"a":"\\x41"}', b'{"a":"\\u12"}', b'{"a":"\\ud800"}'),
            *(b'{"a":"\xc0\x80"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}'),
            *(b'{"a":"\xff"}', b'{"a":"\xe2\x80"}', b"/**/{}", b'{"a":1}//', b"{\x0b}", b"{\xa0}"),
            *(b'{"a":True}', b'{"a":nul}', b'{"a":undefined}', b"[" * 3000 + b"]" * 3000),
            b'{"a":' + b"9" * 5000 + b"}",
        ),
        "canon.not_canonical": (
            *(b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'{"a":1,"a":2}', b'{"a":{"c":1,"b":1}}'),
            *(b'{"a": 1}', b'{"a":1 }', b'{ "a":1}', b'{"a":1}\n', b'{"a":1}\r\n', b' {"a":1}'),
            *(b'{"a":[1, 2]}', b'{"\\u0061":1}', b'{"a":"\\u0041"}', b'{"a":"\\/"}'),
            *(
                b'{"a":"\\u00e9"}', b'{"a":"\\u000a"}', b'{"a":"\\u001F"}',
                b'{"a":"\\ud83d\\ude00"}',
            ),
            *(
                b'{"a":-0}', b'{"a":1e3}', b'{"a":1E3}', b'{"a":1.50}',
                b'{"a":18446744073709551616}',
            ),
        ),
        "canon.profile": (
            *(b"[]", b"[1]", b"1", b"-1", b'"a"', b"true", b"null", b'{"a":null}', b'{"a":[null]}'),
            *(b'{"a":1.0}', b'{"a":-0.0}', b'{"a":0.5}', b'{"a":9007199254740992}'),
            *(b'{"a":-9007199254740992}', b'{"a":9223372036854775808}', b'{"":1}', b'{"A":1}'),
            *(b'{"a b":1}', b'{"a-b":1}', b'{"a.b":1}', '{"é":1}'.encode(), '{"ａ":1}'.encode()),
            *(b'{"' + b"a" * 65 + b'":1}', b'{"a\\n":1}', b'{"a":{"B":1}}', nested),
            b'{"a":' + b"[" * 8 + b"]" * 8 + b"}",
        ),
        "canon.too_long": (b'{"a":"' + b"x" * (1 << 16) + b'"}', b" " * ((1 << 16) + 1)),
    }


def unprofiled() -> Broken:
    good = b'{"a":1}\n'
    return {
        "canon.not_json": (b"", b"\n", b"{\n", b'{"a":\n', *each(good, b"1", b"01", b"NaN", b"+1")),
        "canon.not_canonical": (
            *(good[:-1], good + b"\n", good[:-1] + b"\r\n", good[:-1] + b" \n", b" " + good),
            *(b'{"a":1,"a":2}\n', b'{"b":1,"a":2}\n', b'{"a": 1}\n', b'{"a":-0}\n'),
        ),
        "canon.profile": (b"[]\n", b"1\n", b"null\n", b'"a"\n', b"[" * 500 + b"]" * 500 + b"\n"),
        "canon.too_long": (b'{"a":"' + b"x" * (1 << 16) + b'"}\n', b"\n" * ((1 << 16) + 2)),
    }


# fmt: on
TARGETS: Final = (
    Target(
        "decimal",
        ("core.encoding.parse_decimal",),
        lambda: [b"0", b"7", b"9223372036854775807"],
        lambda data: parse_decimal(data, "note.vkey"),
        lambda number: b"%d" % number,
        broken=decimals,
    ),
    Target(
        "base64",
        ("core.encoding.parse_base64",),
        lambda: [b"AAAA", b"AAA=", b"AA==", b""],
        lambda data: parse_base64(data, "note.vkey"),
        base64.b64encode,
        broken=base64s,
    ),
    Target(
        "base64 without padding",
        ("core.age.header.from_base64",),
        lambda: [b"AAAA", b"AAA", b"AA"],
        lambda data: from_base64(data, "age.header"),
        to_base64,
        broken=unpadded,
    ),
    Target(
        "hex",
        ("core.encoding.parse_hex",),
        lambda: [b"00ff" * 2],
        lambda data: parse_hex(text(data), 4, "note.vkey"),
        lambda raw: raw.hex().encode(),
        broken=hexes,
    ),
    Target(
        "canonical JSON",
        ("core.canon.loads",),
        lambda: [b'{"a":[1,"x",true,{"b":{}}],"b":-9007199254740991}', b"{}"],
        lambda data: canon.loads(data, 1 << 16),
        canon.dumps,
        broken=jsons,
    ),
    Target(
        "canonical JSON, members unchecked",
        ("core.canon.loads_unprofiled",),
        lambda: [b'{"a":[1,"x",true,{"b":{}}],"b":-9007199254740991}\n'],
        lambda data: canon.loads_unprofiled(data, 1 << 16),
        broken=unprofiled,
    ),
)
