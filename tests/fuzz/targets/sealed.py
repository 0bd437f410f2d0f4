"""What is sealed: age headers, files and keys, and the bodies inside them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from tests.fuzz.targets.table import BOM, Broken, Target, around, but, each, text
from tests.sealing import DESKS, LABEL, READER, STRANGER, X25519Writer, fixed, header_of

from convenio.core import seal
from convenio.core.age import HybridIdentity, HybridRecipient, Passphrase, X25519Identity, bech32
from convenio.core.age.file import decrypt, encrypt
from convenio.core.age.header import Stanza, derive, make_header, parse_header, read_header
from convenio.core.age.source import Source

# The tables: as many to a line as fit.
# fmt: off

V1: Final = b"age-encryption.org/v1\n"
MAC: Final = b"A" * 43
END: Final = b"--- " + MAC + b"\n"
FULL_LINE: Final = b"A" * 64 + b"\n"
CLASSICAL: Final = X25519Identity(bytes(range(32)))
HYBRID: Final = str(READER.recipient())
SECRET: Final = READER.reveal()
OLD_SECRET: Final = bech32.encode("age-secret-key-", CLASSICAL.seed).upper()


@lru_cache
def header() -> bytes:
    stanza = READER.recipient().wrap(bytes(16), fixed("w"))
    return make_header((stanza,), bytes(16)).encode()


def headers() -> Broken:
    good = V1 + b"-> a b\nAAAA\n" + END
    stanza = b"-> a b\nAAAA\n"
    return {
        "age.version": (
            *(
                b"", b"a", V1[:-1], b"\n" + good, BOM + good, b" " + good,
                good.replace(b"v1", b"v2", 1),
            ),
            *(
                good.replace(b"\n", b"\r\n"), V1[:-1] + b" \n" + good[len(V1) :], good.upper(),
                good.replace(b"v1", b"v01", 1),
            ),
            b"-----BEGIN AGE ENCRYPTED FILE-----\n"
            + base64.b64encode(good)
            + b"\n-----END AGE ENCRYPTED FILE-----\n",
        ),
        "age.header": (
            *(
                V1, V1 + END, good[:-1], good + b"\n", good + b"\0", good + END,
                V1 + b"\n" + stanza + END, good[: len(V1) + 12],
            ),
            *each(
                good, b"-> a b", b"->a b", b"-> ", b"->", b"->  a", b"-> a  b", b"-> a b ",
                b" -> a b", b"-> a\tb", b"-> a\0b",
            ),
            *each(good, b"-> a b", b"--> a b", b"-> \x7f", "-> é".encode(), b"-> a b\r", b"=> a b"),
            *each(
                good, b"AAAA\n", b"", b"AAA=\n", b"AA==\n", b"AB\n", b"A\n", b"AA AA\n", b" AAAA\n",
                b"AAAA \n", b"AAAA\r\n", b"A-_A\n",
            ),
            *each(
                good, b"AAAA\n", FULL_LINE, FULL_LINE + b"-", b"A" * 65 + b"\n", b"AAAA\nAAAA\n",
                b"AAAA\n\n", FULL_LINE[:-2] + b"\n" + FULL_LINE, b"AAAA\n" + FULL_LINE,
            ),
            *each(
                good, END, b"---\n", b"--- \n", b"---" + MAC + b"\n", b"---  " + MAC + b"\n",
                b"--- " + MAC + b" \n", b"--- " + MAC + b"=\n",
            ),
            *each(
                good, END, b"--- " + MAC[1:] + b"\n", b"--- " + MAC + b"A\n",
                b"--- " + MAC[:-1] + b"B\n", b"--- " + MAC + b"\r\n", b"----" + MAC + b"\n",
                b"--- " + MAC,
            ),
            *each(
                good, END, b"--- " + MAC + b" x\n", b"--- " + MAC.replace(b"A", b"-", 1) + b"\n",
                b"-- " + MAC + b"\n" + END,
            ),
        ),
        "age.stanzas": (V1 + stanza * 65 + END,),
    }


def files() -> Broken:
    good = encrypt(b"content", [READER.recipient()], fixed("f"))
    start = good.index(b"\n--- ") + 6 + 43
    long = encrypt(bytes((1 << 16) + 5), [READER.recipient()], fixed("long"))
    share = good.split(b"\n")[1].split(b" ")[2]
    return {
        "age.version": (
            b"", b"age", BOM + good, b" " + good, good.replace(b"v1", b"v3", 1),
            good.replace(b"\n", b"\r\n", 1),
        ),
        "age.header": (
            good[:100], good[: start - 20], V1,
            *each(good, b"\n--- ", b"\n---  ", b"\n\n--- ", b"=\n--- "),
            good.replace(b"-> ", b"->", 1),
        ),
        "age.header_mac": but(
            good, (V1, V1 + b"-> grease\n\n"), (b"\n--- ", b"\n-> x\n\n--- "),
            (good[start - 44 : start - 1], MAC),
        ),
        "age.truncated": (
            good[:start], good[: start + 1], good[: start + 15], good[: start + 16],
            long[: -5 - 16],
        ),
        "age.payload": (
            good[:-1], good + b"\0", good[:-1] + bytes([good[-1] ^ 1]), good[: start + 17],
            good[:start] + b"\0" * 16 + good[start + 16 :], long + b"\0", long[:-1], good + good,
        ),
        "age.no_identity": (
            encrypt(b"x", [STRANGER.recipient()], fixed("s")),
            encrypt(b"x", [X25519Writer(CLASSICAL)], fixed("c")),
            encrypt(b"x", [Passphrase("p", log_n=1)], fixed("p")),
        ),
        # A share that is not one, a body that is no wrapped key, an argument too many or too few.
        "age.stanza": but(
            good, (share, share[:-4]), (share, share + b"AAAA"), (share, share + b" x"),
            (b" " + share, b""), (share, share[:-3] + b"!" * 3),
            (share + b"\n", share + b"\nAAAA\n-> x\n"),
        ),
        "age.stanzas": (good.replace(V1, V1 + b"-> x\n\n" * 64, 1),),
        "age.header_too_long": (V1 + b"-> " + b"a" * (1 << 17) + b"\n\n" + END,),
        "age.passphrase_not_alone": (
            good.replace(V1, V1 + b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\n\n", 1),
        ),
    }


def ending_empty() -> bytes:
    """A chunk that is full, and behind it a last one with nothing in it."""
    good = encrypt(b"", [Passphrase("p", log_n=1)], fixed("e"))
    rolled = fixed("e")
    file_key, _salt, nonce = rolled(16), rolled(16), rolled(16)
    aead = ChaCha20Poly1305(derive(file_key, nonce, b"payload"))
    assert aead.encrypt(bytes(11) + b"\1", b"", None) == good[-16:]
    full = aead.encrypt(bytes(12), bytes(1 << 16), None)
    empty = aead.encrypt(bytes(10) + b"\1\1", b"", None)
    return good[:-16] + full + empty


def sealed_to_zero() -> bytes:
    """A stanza whose X25519 share makes the shared secret zero, whoever opens it."""
    stanza = READER.recipient().wrap(bytes(16), fixed("z"))
    raw = base64.b64decode(stanza.args[1] + "==")[:-32] + bytes(32)
    made = Stanza((stanza.args[0], base64.b64encode(raw).rstrip(b"=").decode()), stanza.body)
    return make_header((made,), bytes(16)).encode() + bytes(33)


def passphrases() -> Broken:
    good = encrypt(b"content", [Passphrase("p", log_n=1)], fixed("f"))
    salt = good.split(b"\n")[1].split(b" ")[2]
    line, wrapped = b"-> scrypt " + salt + b" 1", good.split(b"\n")[2]
    wrong = encrypt(b"content", [Passphrase("q", log_n=1)], fixed("f"))
    return {
        "age.version": (b"", good[:10], BOM + good),
        "age.header": (good[:60], *each(good, line, line + b" ", line.replace(b" ", b"  "))),
        "age.stanza": (
            *each(
                good, line,
                *(
                    line[:-1] + each
                    for each in (b"01", b"0", b"-1", b"+1", b"1.0", b"0x1", b"1e1", b"one", b"1_0")
                ),
            ),
            *each(
                good, line, b"-> scrypt", b"-> scrypt 1", line + b" 1",
                b"-> scrypt " + salt[:-4] + b" 1", b"-> scrypt " + salt + b"AAAA 1",
                b"-> scrypt " + salt + b"== 1",
            ),
            *each(good, wrapped, b"", wrapped[:-4], wrapped + b"AAAA"),
        ),
        # 2**work KiB of memory are asked of whoever opens it.
        "age.work_factor": each(
            good, line,
            *(
                line[:-1] + each
                for each in (b"11", b"22", b"99", b"100", b"18446744073709551616", b"9" * 500)
            ),
        ),
        "age.wrong_passphrase": (wrong, *each(good, line, line[:-1] + b"2")),
        "age.passphrase_not_alone": (
            good.replace(V1, V1 + b"-> grease\n\n", 1),
            good.replace(b"\n--- ", b"\n-> X25519 x\n\n--- ", 1),
        ),
        "age.header_mac": (good.replace(good[good.index(b"--- ") :][:47], b"--- " + MAC, 1),),
        "age.payload": (ending_empty(), good[:-1], good + b"\0"),
        "age.truncated": (good[: good.index(b"--- ") + 48],),
        "age.no_identity": (encrypt(b"x", [READER.recipient()], fixed("r")),),
    }


def low_order(point: bytes) -> bytes:
    return bech32.encode("age1pq", READER.recipient().raw[:-32] + point).encode()


def recipients() -> Broken:
    good = HYBRID.encode()
    raw = READER.recipient().raw
    return {
        "age.recipient": (
            *(
                b"", b"age1", good[:-1], good + b"q", good[1:], good.upper(),
                good[:-1] + good[-1:].upper(), good.capitalize(),
            ),
            *(
                b"AGE1pq" + good[6:], good.replace(b"age1pq1", b"age1", 1),
                good.replace(b"age1pq1", b"age1p1", 1), good.replace(b"1pq1", b"1pq", 1),
            ),
            *(around(good)), *each(good, good[20:21], b"b", b"1", b"i", b"o", b" ", b"\xff"),
            *(
                bech32.encode(prefix, raw).encode()
                for prefix in ("age", "age1p", "age1pqx", "xage1pq")
            ),
            *(
                bech32.encode("age1pq", data).encode()
                for data in (b"", raw[:-1], raw + b"\0", bytes(32))
            ),
            # No key of ML-KEM: a coefficient is not below 3329.
            bech32.encode("age1pq", b"\xff" * 1216).encode(),
            # Points of small order: whoever seals to them seals to everybody.
            *(
                low_order(point)
                for point in (
                    bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f",
                    b"\xed" + b"\xff" * 30 + b"\x7f", b"\xee" + b"\xff" * 30 + b"\x7f",
                )
            ),
            low_order(
                bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
            ),
            *(good[:300] + good[299:300] + good[300:], "а".encode() + good[1:]),
        )
    }


def identities(secret: str, prefix: str, other: str) -> Callable[[], Broken]:
    good = secret.encode()

    def broken() -> Broken:
        def made(named: str, data: bytes) -> bytes:
            return bech32.encode(named, data).upper().encode()

        return {
            "age.identity": (
                *(
                    b"", b"AGE-SECRET-KEY-", good[:-1], good + b"Q", good.lower(),
                    good[:-1] + good[-1:].lower(),
                ),
                *(around(good)), made(other, bytes(32)), made(prefix[:-1], bytes(32)),
                *(made(prefix, bytes(size)) for size in (0, 16, 31, 33, 64)),
                *each(good, good[-9:], b"B" + good[-8:], b"1" + good[-8:], b"\xff" + good[-8:]),
                *(
                    "ſ".encode() + good[1:], b"K" + good, good.replace(b"-", b"_"),
                    HYBRID.encode(),
                ),
            )
        }

    return broken


def inners() -> Broken:
    good = seal.Inner(LABEL, tuple(sorted(DESKS)), 7, bytes(32)).encode()
    opened = seal.Inner(LABEL, (), 0, b"").encode()
    salt = b'"salt":"' + b"00" * 32 + b'",'
    return {
        "canon.not_json": (
            b"\n", good[1:], BOM + good, good[:-1] + b"\0\n",
            *each(good, b'"len":7', b'"len":07', b'"len":'),
        ),
        "canon.not_canonical": (
            b" " + good, good + b"\n", good[:-1] + b"\r\n",
            *each(good, b'"len":7', b'"len":7,"len":7', b'"len": 7', b'"len":7e0'),
        ),
        "canon.profile": (
            b"[]\n", b"1\n",
            *each(good, b'"len":7', b'"len":null', b'"len":7.0', b'"len":9007199254740992'),
        ),
        "canon.too_long": (b'{"a":"' + b"x" * 8200 + b'"}\n',),
        "seal.inner": (
            *(
                b"", good[:-1], b"{}\n", opened.replace(b'"to":[]', b'"to":["us:7f3a91c2"]'),
                good.replace(salt, b"", 1),
            ),
            *each(good, b'"len":7', b'"len":-1', b'"len":true', b'"len":"7"', b'"len":7,"m":1'),
            *each(
                good, b'"part":0', b'"part":-1', b'"part":32', b'"part":"0"', b'"part":true',
                b'"part":[]',
            ),
            *each(
                good, b'"text/plain"', b'""', b'"text"', b'"text/"', b'"/plain"', b'"Text/plain"',
                b'"text/plain; charset=utf-8"', b'"text /plain"', b'"text/plain/x"', b"1",
                b'"t/' + b"x" * 65 + b'"',
            ),
            *each(
                good, '"carta ñ.txt"'.encode(), b'""', b'"."', b'".."', b'"../x"', b'"a/b"',
                b'"a\\\\b"', b'"a\\n"', b'"a\\u0000"', b'"' + b"x" * 256 + b'"', b"1", b'["x"]',
            ),
            *each(
                good, '"carta ñ.txt"'.encode(),
                *(
                    f'"a{bad}gpj.exe"'.encode()
                    for bad in "\x7f\x85\u061c\u200e\u2028\u2029\u202e\u2066\u2069"
                ),
            ),
            *each(good, b'"es"', b'""', b'"e"', b'"ES"', b'"es_MX"', b'"es-"', b'"espa"', b"1"),
            *each(good, b'"00000000', b'"0000000', b'"000000000', b'"0000000A', b'" 0000000'),
            *each(
                good, b'"salt":"' + b"00" * 32 + b'"', b'"salt":""', b'"salt":1', b'"salt":[]',
                b'"salt":"' + b"00" * 33 + b'"',
            ),
            *each(
                good, b'"to":["mx:0a0a0a0a"', b'"to":["mx 0a"', b'"to":[""', b'"to":[1',
                b'"to":["\xc3\xa9"', b'"to":[' + b'"a",' * 64 + b'"b"',
            ),
            *(each(good, b'"id":"', b'"id":"\xc3\xa9', b'"id":" ', b'"id":"' + b"x" * 128)),
        ),
    }


def body() -> bytes:
    return seal.seal_body(b"content", LABEL, DESKS, fixed("fuzz")).blob


def opened(blob: bytes) -> seal.Content:
    """A body whose record says of it what is so: its hash is right, whatever is in it."""
    made = seal.seal_body(b"content", LABEL, DESKS, fixed("fuzz")).ref
    ref = replace(made, c=hashlib.sha256(blob).hexdigest(), n=len(blob))
    return seal.open_body(blob, [READER], header_of(ref), 0)


def bodies() -> Broken:
    good = body()
    salt = seal.seal_body(b"content", LABEL, DESKS, fixed("fuzz")).salt
    desks = tuple(sorted(DESKS))
    readers = [DESKS[desk] for desk in desks]

    def blob(plain: bytes) -> bytes:
        return encrypt(plain, readers, fixed("b"))

    def plain(content: bytes, **changes: Any) -> bytes:
        made = {"length": len(content), "salt": salt, "to": desks, "label": LABEL, **changes}
        return seal.Inner(**made).encode() + content

    def padded(form: bytes, more: int = 0) -> bytes:
        return form + bytes(seal.padme(len(form)) - len(form) + more)

    right = plain(b"content")
    return {
        "age.version": (b"", b"x", BOM + good, right),
        "age.header": (good[:200],),
        "age.payload": (good[:-1], good + b"\0", good[:-1] + b"\0"),
        "age.no_identity": (encrypt(padded(right), [STRANGER.recipient()], fixed("s")),),
        "seal.inner": (blob(b""), blob(right[:50]), blob(b"x" * 9000)),
        "canon.not_json": (blob(b"\n" + right), blob(BOM + right), blob(b"content\n")),
        # Of another record, part or set of readers: what is sealed to us need not be meant for us.
        "seal.not_this_record": tuple(
            blob(padded(plain(b"content", **changes)))
            for changes in (
                {"label": replace(LABEL, id="ee" * 16)}, {"label": replace(LABEL, ch="ee" * 32)},
                {"label": replace(LABEL, part=1)}, {"label": replace(LABEL, type="other.v1")},
                {"to": desks[:1]}, {"to": desks[::-1]}, {"to": (), "salt": b""},
            )
        ),
        "seal.length": (blob(plain(b"content", length=300)), blob(plain(b"", length=7))),
        "seal.padding": (
            blob(right), blob(padded(right, 1)), blob(padded(right, -1)),
            blob(padded(right)[:-1] + b"x"),
            blob(right + b"x" * (seal.padme(len(right)) - len(right))),
        ),
        "seal.commitment": (
            blob(padded(plain(b"Content"))), blob(padded(plain(b"content", salt=bytes(32)))),
            blob(padded(plain(b"content\0", length=8))),
        ),
    }


# fmt: on
TARGETS: Final = (
    Target(
        "age header",
        ("core.age.header.parse_header", "core.age.header.read_header"),
        lambda: [header()],
        lambda data: (parse_header(data), read_header(Source((data,))))[0],
        lambda found: found.encode(),
        broken=headers,
    ),
    Target(
        "age file",
        ("core.age.file.decrypt", "core.age.file.decrypt_stream", "core.age.stream.open_chunks"),
        lambda: [encrypt(b"content", [READER.recipient()], fixed("f"))],
        lambda data: decrypt(data, [READER]),
        share=4,
        broken=lambda: {**files(), "age.stanza": (*files()["age.stanza"], sealed_to_zero())},
    ),
    Target(
        "age file with a passphrase",
        ("core.age.file.decrypt",),
        lambda: [encrypt(b"content", [Passphrase("p", log_n=1)], fixed("f"))],
        lambda data: decrypt(data, [Passphrase("p", log_n=1, max_log_n=10)]),
        broken=passphrases,
    ),
    Target(
        "age recipient",
        ("core.age.recipients.HybridRecipient.parse", "core.age.bech32.decode"),
        lambda: [HYBRID.encode()],
        lambda data: HybridRecipient.parse(text(data)),
        lambda found: str(found).encode(),
        share=2,
        broken=recipients,
    ),
    Target(
        "age identity",
        ("core.age.recipients.HybridIdentity.parse",),
        lambda: [SECRET.encode()],
        lambda data: HybridIdentity.parse(text(data)),
        lambda found: found.reveal().encode(),
        broken=identities(SECRET, "age-secret-key-pq-", "age-secret-key-"),
    ),
    Target(
        "classical age identity",
        ("core.age.recipients.X25519Identity.parse",),
        lambda: [OLD_SECRET.encode()],
        lambda data: X25519Identity.parse(text(data)),
        lambda found: bech32.encode("age-secret-key-", found.seed).upper().encode(),
        broken=identities(OLD_SECRET, "age-secret-key-", "age-secret-key-pq-"),
    ),
    Target(
        "first line in a body",
        ("core.seal.parse_inner",),
        lambda: [
            seal.Inner(LABEL, tuple(sorted(DESKS)), 7, bytes(32)).encode(),
            seal.Inner(LABEL, (), 0, b"").encode(),
        ],
        seal.parse_inner,
        seal.Inner.encode,
        broken=inners,
    ),
    Target(
        "body",
        ("core.seal.open_body", "core.seal.open_stream"),
        lambda: [body()],
        opened,
        share=4,
        broken=bodies,
    ),
)
