"""Files and lines on this machine: configuration, keys, the socket, what is verified."""

from __future__ import annotations

import json
import stat
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from tests.fuzz.targets.bundles import bundles, twice, zipped
from tests.fuzz.targets.seeds import AT, cards, charters, some, splits
from tests.fuzz.targets.table import BOM, Broken, Target, each
from tests.logs import write_log
from tests.sealing import fixed
from tests.support.parties import party

from convenio.core.age import Passphrase
from convenio.core.age.file import decrypt, encrypt
from convenio.core.bundle import (
    write_bundle,
)
from convenio.core.errors import MalformedError
from convenio.core.tiles import ENTRIES, format_bundle, tile_path
from convenio.node.config import NodeConfig, parse_config
from convenio.node.control import _request
from convenio.node.keys import generate, open_keys, open_root, seal_keys, seal_root
from convenio.node.verify import verify
from convenio.node.verify.report import Report

# The tables: as many to a line as fit.
# fmt: off


# --- configuration and keys ---


def configs() -> bytes:
    return NodeConfig("mx", "mx.localhost", "127.0.0.1", 8000, 8001, tls=True).encode().encode()


def bad_configs() -> Broken:
    good = configs()
    web = b"web_port = 8001"
    return {
        "config.toml": (
            *(
                b"x", b"=", b"[", b"[limits", b"party", b"party =", b"party = mx\n", b"\0",
                b"party = 'x'\n" + good, good.replace(b"[limits]", b"[limits]\n[limits]"),
                b"port = 01\n", b"port = +\n", b"port = 1__0\n",
            ),
            *(
                b"port = " + b"9" * 5000 + b"\n", b"a = " + b"[" * 5000, b"a = " + b"{a=" * 5000,
                b'a = "\n"\n', good.replace(b'party = "mx"', b'party = "mx" x'), good + good,
                BOM + BOM + good, b"a = '''", b'party = "\\x"\n',
            ),
            *(
                good.replace(b"\n", b"\r"), b'party = "\x1b"\n', b"port = 0x\n",
                b"a = 2021-13-45\n", "ｐarty = 'mx'\n".encode(), b'party = "\\ud800"\n',
            ),
        ),
        "config.unknown_key": (
            good.replace(web, web + b"\nx = 1"), good.replace(b"party", b"Party"),
            b"passphrase = 'x'\n", good + b"x_s = 1\n", good + b"[x]\n",
            good.replace(web, b"web-port = 1"), b'"" = 1\n', good.replace(b"[limits]", b"[Limits]"),
            good + b"limits = 1\n",
        ),
        "config.bad_value": (
            *(
                b"", b"\n", b"party = 'mx'\n", b"limits = 1\n", b"limits = []\n", b"[[limits]]\n",
                b"[party]\n", b"[party]\nx = 1\n",
            ),
            *each(
                good, b'party = "mx"', b"party = 1", b"party = ['mx']", b"party = true",
                b"party = 2021-10-08", b"party = {x=1}",
            ),
            *each(
                good, b"port = 8000", b"port = -1", b"port = 65536", b"port = '8000'",
                b"port = 8000.0", b"port = true", b"port = nan", b"port = inf", b"port = [8000]",
                b"port = 9223372036854775808",
            ),
            *each(good, b"tls = true", b"tls = 1", b"tls = 'true'", b"tls = 0"),
            *each(
                good, b"skew_s = 300", b"skew_s = -1", b"skew_s = 1.0", b"skew_s = '300'",
                b"skew_s = true", b"skew_s = 99999999999",
            ),
            *each(
                good, b"total_s = 120.0", b"total_s = nan", b"total_s = inf", b"total_s = -inf",
                b"total_s = 0", b"total_s = -0.0", b"total_s = -1.0", b"total_s = 1e300",
                b"total_s = true", b"total_s = '1'",
            ),
            *each(
                good, b"group_entries = 256", b"group_entries = 0", b"group_entries = -1",
                b"group_entries = 2.5",
            ),
            *each(
                good, b"max_body_bytes = 4294967296", b"max_body_bytes = 0", b"max_body_bytes = -1",
                b"max_body_bytes = false",
            ),
        ),
    }


def sealed(plain: bytes, phrase: str = "phrase") -> bytes:
    return encrypt(plain, [Passphrase(phrase, log_n=1)], fixed("sealed"))


@lru_cache
def keys() -> bytes:
    made = generate("mx.localhost", {"liaison": party("mx").card.name}, fixed("keys"))
    return seal_keys(made, "phrase", fixed("seal"), work=1)


@lru_cache
def root() -> bytes:
    return seal_root("mx.localhost", 1, bytes(32), "phrase", fixed("r"), work=1)


def inside(good: bytes, *changes: tuple[str, Any]) -> tuple[bytes, ...]:
    """A key file with one thing in it that is another, spelled canonically; None: left out."""
    plain = json.loads(decrypt(good, [Passphrase("phrase", log_n=1)]))
    found = []
    for key, value in changes:
        made = {name: item for name, item in {**plain, key: value}.items() if item is not None}
        line = json.dumps(made, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        found.append(sealed(line.encode()))
    return tuple(found)


def any_key_file(good: bytes) -> Broken:
    scrypt = good.split(b"\n")[1]
    return {
        "age.version": (
            b"", b"x", good[:10], BOM + good, good[1:], b"\n" + good, good.replace(b"\n", b"\r\n"),
        ),
        "age.header": (
            good[:70], good.replace(b"--- ", b"---", 1), good.replace(scrypt, scrypt + b" ", 1),
        ),
        "age.stanza": (
            good.replace(scrypt, scrypt[:-1] + b"01", 1), good.replace(scrypt, scrypt + b" 1", 1),
        ),
        "age.work_factor": (
            good.replace(scrypt, scrypt[:-1] + b"19", 1),
            good.replace(scrypt, scrypt[:-1] + b"63", 1),
            good.replace(scrypt, scrypt[:-1] + b"9" * 30, 1),
        ),
        "age.wrong_passphrase": (
            sealed(b"{}", "other"), good.replace(scrypt, scrypt[:-1] + b"2", 1),
        ),
        "age.payload": (good[:-1], good + b"\0", good[:-1] + bytes([good[-1] ^ 1])),
        "age.no_identity": (good.replace(b"-> scrypt", b"-> Scrypt", 1),),
        "canon.not_json": (
            sealed(b""), sealed(b"x"), sealed(b"{"), sealed(BOM + b"{}"), sealed(b"\0"),
        ),
        "canon.not_canonical": (
            sealed(b"{}\n"), sealed(b" {}"), sealed(b'{"v":1,"v":1}'), sealed(b'{"b":1,"a":1}'),
        ),
        "canon.profile": (
            sealed(b"[]"), sealed(b'{"a":null}'), sealed(b'{"a":1.0}'), sealed(b'{"A":1}'),
            *inside(good, ("v", 1.0)),
        ),
    }


def bad_keys() -> Broken:
    good = keys()
    seeds: list[tuple[str, Any]] = [
        ("log_ed", wrong)
        for wrong in (*("", "00", "00" * 33, "AB" * 32, "０" * 64, "0x" + "0" * 62), 1, True)
    ]
    desk = {"id": "0a0a0a0a", "alias": "a", "en": "a", "es": "a", "author": "00" * 32, "seal": "x"}
    spoiled: tuple[Any, ...] = (
        [], {}, 1, "x", [1], [[]], [{}], [{**desk, "author": "00"}], [{**desk, "id": 1}],
        [{**desk, "more": 1}], [{**desk, "en": ["a"]}],
    )
    return {
        **any_key_file(good),
        "keys.format": (
            sealed(b"{}"), root(),
            *inside(
                good, ("v", 2), ("v", "1"), ("v", True), ("kind", "root_key"), ("kind", 1),
                ("more", 1), ("domain", 1), ("domain", None), ("node", None), ("tls_passphrase", 5),
                *seeds,
            ),
            *inside(good, *(("desks", each) for each in spoiled)),
        ),
    }


def bad_roots() -> Broken:
    good = root()
    return {
        **any_key_file(good),
        "keys.format": (
            sealed(b"{}"), keys(),
            *inside(
                good, ("v", 2), ("v", True), ("kind", "node_keys"), ("kind", []), ("more", 1),
                ("name", 1), ("name", None), ("seed", ""), ("seed", "00" * 31), ("seed", "00" * 33),
                ("seed", "AB" * 32), ("seed", 0), ("seed", None),
            ),
        ),
        "note.key_name": inside(
            good, ("name", ""), ("name", "a b"), ("name", "a+b"), ("name", "a\u00a0b"),
            ("name", "a\n"),
        ),
    }


# --- the local socket ---


def calls() -> Broken:
    return {
        "control.request": (
            *(
                b"", b"\n", b" ", b"\0", b"x", b"{", b"}", b"[]", b"{}", b"null", b"1", b'"x"',
                b"true", b"\xff\xfe", BOM + b'{"do":"x","args":{}}',
                '{"do":"x","args":{}}'.encode("utf-16"),
            ),
            *(
                b'{"do":"x"}', b'{"args":{}}', b'{"do":"x","args":{},"more":1}',
                b'{"do":"x","args":{}}x', b'{"do":"x","args":{}}{}', b'{"Do":"x","args":{}}',
                b'{"do":"x","arg":{}}',
            ),
            *(
                b'{"do":' + each + b',"args":{}}'
                for each in (
                    b"1", b"null", b"true", b"[]", b"{}", b'["x"]', b'"\\ud800"', b'"\xc0\x80"',
                    b'"\xff"', b"x", b"'x'",
                )
            ),
            *(
                b'{"do":"x","args":' + each + b"}"
                for each in (
                    b"1", b"null", b"true", b"[]", b'""', b"[{}]", b"NaN", b'{"a":01}', b'{"a":+1}',
                    b'{"a":.5}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":}', b'{"a":1,}',
                    b'{"a":"\n"}', b'{"a":"\\x"}',
                )
            ),
            *(
                b'{"do":"x","args":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}", b"[" * 100_000,
                b'{"do":"x","args":{"a":' + b"[" * 5000 + b"]" * 5000 + b"}}",
            ),
        )
    }


# --- what is verified ---

_FOLDER: Final = tempfile.TemporaryDirectory(prefix="convenio-fuzz-")


def judged(report: Report) -> Report:
    for found in report.failed:
        raise MalformedError(found.reason)
    return report


def given(data: bytes) -> Report:
    """A file handed to `convenio verify`, of whatever kind it looks like."""
    path = Path(_FOLDER.name) / "given"
    path.write_bytes(data)
    return judged(verify(path, trust=None, now=AT))


def log_folder(data: bytes) -> Report:
    """A log as files, one of which is `data`: the first bundle of entries."""
    folder = Path(_FOLDER.name) / "log"
    if not folder.exists():
        write_log(folder, some())
    (folder / tile_path(ENTRIES, 0, 3)).write_bytes(data)
    return judged(verify(folder, trust=None, now=AT))


@lru_cache
def readable() -> bytes:
    """A bundle in which nothing is wrong; that there is no record is a gap, and no fault."""
    return b"".join(write_bundle({"README.txt": b"hello", "charter.note": charters()[0]}))


def not_to_verify() -> Broken:
    good, bundle, record = readable(), bundles()[0], some()[0]
    card, (charter,) = cards()[0], charters()
    return {
        "verify.kind": (
            *(
                b"", b"\n", b"x", b"\0", b"{}", b"{}\n", b"[]\n", b"\xff" * 100, b"%PDF-1.7\n",
                b"\x89PNG", b"GIF89a", BOM + record, b" " + record, b"\n" + charter,
            ),
            *(
                record[1:], record.replace(b'"record"', b'"Record"', 1),
                charter.replace(b'"charter"', b'"roster"', 1), b'{"kind":1}\n',
                b'{"kind":["record"]}\n', b"c2sp.org/tlog-proof@v2\n",
            ),
        ),
        "bundle.truncated": (b"PK\3\4", bundle[:-1], bundle[: len(bundle) // 2], bundle + b"\0"),
        "bundle.not_a_bundle": (b"PK", b"PK\5\6" + bytes(18), b"PKx" + bundle),
        "bundle.repacked": (
            zipped(("README.txt", b"x"), how=zipfile.ZIP_DEFLATED),
            zipped(("README.txt", b"x"), mode=stat.S_IFLNK | 0o777),
        ),
        "bundle.name": (zipped(("../x", b"x")), zipped(("convenio.exe", b"x"))),
        "bundle.name_twice": (twice(),),
        "bundle.damaged": (good.replace(b"hello", b"hellO", 1),),
        "fold.ch": (bundle,),
        "verify.other_place": (bundles()[2],),
        "note.no_signature": (record[:-1], charter[:-1], card[:-1], record + b"\n"),
    }


def not_a_log() -> Broken:
    good = format_bundle(some())
    other = format_bundle([*some()[:2], some(4)[3]])
    return {
        "verify.root_differs": (
            other, format_bundle(some()[::-1]), format_bundle([b"", b"", b""]), good[:-1] + b"x",
        ),
        "tiles.bundle": (
            b"", b"\0", good[:-1], good + b"\0", BOM + good, b"\xff\xff" + good[2:], good * 2,
            format_bundle(some(2)), format_bundle(some(4)),
        ),
    }


# fmt: on
TARGETS: Final = (
    Target(
        "configuration",
        ("node.config.parse_config",),
        lambda: [configs()],
        lambda data: parse_config(data.decode("utf-8", "replace")),
        broken=bad_configs,
    ),
    Target(
        "key file",
        ("node.keys.open_keys",),
        lambda: [keys()],
        lambda data: open_keys(data, "phrase"),
        share=4,
        broken=bad_keys,
    ),
    Target(
        "root key file",
        ("node.keys.open_root",),
        lambda: [root()],
        lambda data: open_root(data, "phrase"),
        share=4,
        broken=bad_roots,
    ),
    Target(
        "line on the local socket",
        ("node.control._request",),
        lambda: [b'{"do":"say","args":{"as":"ana","to":["us:liaison"]}}\n'],
        _request,
        broken=calls,
    ),
    Target(
        "file to verify",
        ("node.verify.door.verify",),
        lambda: [readable(), *charters(), *cards(), *splits(), some()[0]],
        given,
        share=4,
        broken=not_to_verify,
    ),
    Target(
        "log as files",
        ("node.verify.logs.open_log", "node.verify.logs.read_log"),
        lambda: [format_bundle(some())],
        log_folder,
        share=4,
        broken=not_a_log,
    ),
)
