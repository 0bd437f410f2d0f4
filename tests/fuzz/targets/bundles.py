"""Bundles: the zip, the names in it, and the label of what was disclosed."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from functools import lru_cache
from typing import Final

from tests.fuzz.targets.encodings import NOT_DECIMAL
from tests.fuzz.targets.seeds import charters, proofs, some
from tests.fuzz.targets.table import BOM, Broken, Target, back, each, text

from convenio.core.bundle import (
    Disclosed,
    Memory,
    parse_disclosed,
    parse_name,
    read_bundle,
    read_member,
    write_bundle,
)

# The tables: as many to a line as fit.
# fmt: off

@lru_cache
def bundles() -> tuple[bytes, ...]:
    files = {"mx-0.record": some()[0], "charter.note": charters()[0], "README.txt": b"hello"}
    return (
        b"".join(write_bundle(dict(files))), b"".join(write_bundle({"README.txt": b""})),
        b"".join(write_bundle({"mx-0.record": some()[0], "mx-0.us.tlog-proof": proofs()[0]})),
    )


def unpacked(data: bytes) -> dict[str, bytes]:
    source = Memory(data)
    return {m.name.text: b"".join(read_member(source, m)) for m in read_bundle(source)}


def zipped(*files: tuple[str, bytes], how: int = zipfile.ZIP_STORED, mode: int = 0o100644) -> bytes:
    """What another program packs, in our order and with our date, as like ours as it gets."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as packed:
        for name, content in files:
            info = zipfile.ZipInfo(name)
            info.external_attr, info.create_system, info.compress_type = mode << 16, 3, how
            packed.writestr(info, content)
    return out.getvalue()


def twice() -> bytes:
    """A name that is there twice: two programs would show two contents."""
    two = b"".join(write_bundle({"mx-1.record": b"one", "mx-2.record": b"two"}))
    return two.replace(b"mx-2.record", b"mx-1.record")


def field(good: bytes, mark: bytes, at: int, value: bytes) -> bytes:
    """`good` with the bytes `at` behind the last `mark` set."""
    start = good.rindex(mark) + at
    return good[:start] + value + good[start + len(value) :]


def zips() -> Broken:
    good = b"".join(write_bundle({"README.txt": b"one"}))
    two = b"".join(write_bundle({"mx-1.record": b"one", "mx-2.record": b"two"}))
    local, central, end = b"PK\3\4", b"PK\1\2", b"PK\5\6"
    tail = good[good.index(central) :]
    return {
        "bundle.not_a_bundle": (
            b"", b"PK", b"x" * 100, BOM + good, b"MZ" + good, b"\x7fELF" + good, good[4:],
            good[good.index(end) :], b"PK\x07\x08" + good, b"#!/bin/sh\n" + good,
        ),
        "bundle.truncated": (
            good[:4], good[:-1], good[:-22], good + b"\0", good + b"PK", good[:-23],
            local + bytes(30), field(good, end, 20, b"\1\0") + b"x",
        ),
        "bundle.damaged": (good.replace(b"one", b"two", 1), good.replace(b"one", b"on\0", 1)),
        "bundle.name_twice": (twice(),),
        "bundle.repacked": (
            # Bytes before, between, behind; a comment; another disk; more or fewer than there are.
            *(good + good, good[: -len(tail)] + b"x" + tail, two.replace(b"two", b"twoo", 1)),
            *(
                field(good, end, 4, b"\1\0"), field(good, end, 6, b"\1\0"),
                field(good, end, 8, b"\2\0"), field(good, end, 10, b"\2\0"),
                field(good, end, 8, b"\0\0\0\0"),
            ),
            *(
                field(good, end, 12, b"\xff\xff\xff\xff"),
                field(good, end, 16, b"\xff\xff\xff\xff"), field(good, end, 16, b"\0\0\0\0"),
                field(good, end, 12, b"\0\0\0\0"),
            ),
            # Said one way in the directory and another beside the content.
            *(
                field(good, central, 4, b"\x3f\0"), field(good, central, 6, b"\x2d\0"),
                field(good, central, 8, b"\1\0"), field(good, central, 8, b"\x08\0"),
                field(good, central, 8, b"\0\x08"),
            ),
            *(
                field(good, central, 10, b"\x08\0"), field(good, central, 12, b"\1\0"),
                field(good, central, 16, b"\0\0\0\0"), field(good, central, 20, b"\4\0\0\0"),
                field(good, central, 24, b"\2\0\0\0"),
            ),
            *(
                field(good, central, 30, b"\1\0"), field(good, central, 32, b"\1\0"),
                field(good, central, 36, b"\1\0"), field(good, central, 42, b"\1\0\0\0"),
            ),
            # A link, a device, a program: not the plain file that is written here.
            *(
                field(good, central, 38, struct.pack("<L", mode << 16))
                for mode in (
                    stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755,
                    stat.S_IFREG | 0o4755, stat.S_IFIFO, stat.S_IFCHR, 0,
                )
            ),
            *(
                field(good, local, 4, b"\x14\0"), field(good, local, 6, b"\1\0"),
                field(good, local, 6, b"\x08\0"), field(good, local, 8, b"\x08\0"),
                field(good, local, 10, b"\1"), field(good, local, 14, b"\0\0\0\0"),
                field(good, local, 28, b"\1\0"), field(good, local, 30, b"r"),
            ),
            # What a bomb is made of: it would grow, or be read twice over.
            zipped(("disclosed/mx-1.0.content", bytes(1 << 20)), how=zipfile.ZIP_DEFLATED),
            zipped(("README.txt", b"one"), mode=stat.S_IFLNK | 0o777),
            zipped(("README.txt", b"one" * 50), how=zipfile.ZIP_BZIP2),
            zipped(("mx-1.record", b"b"), ("README.txt", b"a")),
            zipped(("charter.note", b"x"), ("README.txt", b"a")),
        ),
        "bundle.name": (
            *(
                good.replace(b"README.txt", name)
                for name in (
                    b"README.TXT", b"../ME.txt.", b"/EADME.txt", b"R\xc9ADME.txt", b"README.tx\0",
                    b"README.tx\n", b"C:\\ME.txt ", b"README/.tx", b"..\\DME.txt",
                )
            ),
            *(
                zipped((name, b"x"))
                for name in (
                    "a/../../b", "bodies/", "convenio.exe", ".", "..", "bodies/../x",
                    "ｍx-1.record", "bodies\\mx-1.0.age",
                )
            ),
        ),
        "bundle.too_long": (
            b"".join(write_bundle({"disclosed/mx-0.0.content": b"x" * 20_000})).replace(
                b"disclosed/mx-0.0.content", b"a" * 14 + b"-12.record"
            ),
        ),
        "bundle.too_many": (field(good, end, 10, b"\x21\x4e"), field(good, end, 10, b"\xff\xff")),
    }


def names() -> Broken:
    numbers = tuple(each for each in NOT_DECIMAL if not each.startswith((b"9", b"1844")))
    return {
        "bundle.name": (
            *(
                b"", b".", b"..", b"/", b"README", b"readme.txt", b"README.txt/", b"README.txt ",
                b"README.txt\n", b"README.txt\0", b"/README.txt", b"./README.txt",
            ),
            *(
                b"../mx-0.record", b"a/mx-0.record", b"bodies/mx-0.record", b"..\\mx-0.record",
                b"C:mx-0.record", b"//x/mx-0.record", b"mx-0.record:x", b"mx-0.RECORD",
                b"mx-0.record.exe",
            ),
            *(b"mx-" + number + b".record" for number in numbers), b"mx-" + b"9" * 17 + b".record",
            b"mx.record", b"m-0.record", b"MX-0.record", b"1x-0.record", b"a" * 17 + b"-0.record",
            *(
                b"bodies/mx-0.age", b"bodies/mx-0.32.age", b"bodies/mx-0.-1.age",
                b"bodies/mx-0.00.age", b"bodies/mx-0.01.age", b"bodies/mx-0.0.AGE",
                b"bodies/mx-0.0.txt", b"bodies/../bodies/mx-0.0.age", b"bodies//mx-0.0.age",
                b"Bodies/mx-0.0.age",
            ),
            *(
                b"disclosed/mx-0.0.html", b"disclosed/mx-0.json", b"mx-0.tlog-proof",
                b"mx-0.us.proof", b"mx.policy", b"mx.us.policy.policy", b"charter.note.note",
                b"x" * 5000,
            ),
            *(
                "mx-１.record".encode(), "mх-0.record".encode(), "mx‐0.record".encode(),
                b"mx-0.record\xff", BOM + b"mx-0.record", "mx-0.record\u202e".encode(),
            ),
        )
    }


def labels() -> Broken:
    good = Disclosed(bytes(32), 3, bytes(32), "text/plain", "acta", "es").encode()
    leaf = b'"leaf":"' + b"00" * 32 + b'"'
    return {
        "canon.not_json": (
            b"", b"\n", good[1:], good[:-2], BOM + good, good + b"\0",
            *each(good, b'"part":3', b'"part":03'),
        ),
        "canon.not_canonical": (
            b" " + good, good + b"\n", good.replace(b"\n", b"\r\n"),
            *each(good, b'"part":3', b'"part":3,"part":3', b'"part": 3', b'"part":3e0'),
        ),
        "canon.profile": (
            b"[]\n", b"null\n", *each(good, b'"part":3', b'"part":null', b'"part":3.0'),
        ),
        "canon.too_long": (b'{"a":"' + b"x" * 4096 + b'"}\n',),
        "bundle.label": (
            *(
                b"{}\n", good[:-1],
                *each(good, b'"v":1', b'"v":2', b'"v":true', b'"v":"1"', b'"v":1,"w":1'),
            ),
            *each(
                good, b'"part":3', b'"part":-1', b'"part":32', b'"part":true', b'"part":"3"',
                b'"part":[3]',
            ),
            *each(good, b'"disclosed"', b'"Disclosed"', b'"record"', b"1", b'""'),
            *each(
                good, leaf, b'"leaf":""', b'"leaf":"00"', b'"leaf":1',
                b'"leaf":"' + b"AB" * 32 + b'"', b'"leaf":"' + b"00" * 33 + b'"',
                b'"leaf":"' + "０".encode() * 64 + b'"',
            ),
            *each(good, b'"salt":"00', b'"salt":"0', b'"salt":"000', b'"salt":"0G'),
            *each(
                good, b'"acta"', b'""', b'"\\n"', b'"a\\u0000"', b"1", '"a\u202egpj.exe"'.encode(),
                '"a\u2028"'.encode(), b'["acta"]',
            ),
            *each(good, b'"es"', b'""', b"1", b'"\\t"'),
            *each(good, b'"text/plain"', b"1", b'"\\r\\nx: y"'),
        ),
    }


# fmt: on
TARGETS: Final = (
    Target(
        "bundle",
        ("core.bundle.read_bundle", "core.bundle.read_member"),
        lambda: [*bundles()],
        unpacked,
        lambda files: b"".join(write_bundle(dict(files))),
        broken=zips,
    ),
    Target(
        "name in a bundle",
        ("core.bundle.parse_name",),
        lambda: [b"mx-0.record", b"disclosed/us-70.3.json", b"bodies/mx-1.0.age"],
        lambda data: parse_name(text(data)),
        lambda name: back(name.text),
        broken=names,
    ),
    Target(
        "label of what was disclosed",
        ("core.bundle.parse_disclosed",),
        lambda: [Disclosed(bytes(32), 3, bytes(32), "text/plain", "acta", "es").encode()],
        parse_disclosed,
        Disclosed.encode,
        broken=labels,
    ),
)
