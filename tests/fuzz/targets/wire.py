"""What goes between nodes: the mirror's messages, and HTTP with its signatures."""

from __future__ import annotations

import base64
from typing import Final

from tests.fuzz.targets.encodings import NOT_DECIMAL
from tests.fuzz.targets.seeds import AT, checkpoint, lines
from tests.fuzz.targets.table import BOM, Broken, Target, each, text

from convenio.core.errors import MalformedError
from convenio.core.httpsig import (
    RequestSignature,
    ResponseSignature,
    check_target,
    content_digest,
    parse_base_url,
    parse_request,
    parse_response,
    sign_request,
    sign_response,
)
from convenio.core.httpsig import Target as HttpTarget
from convenio.core.mirrorwire import (
    AddCheckpoint,
    MirrorInfo,
    Package,
    PackageReader,
    UploadHeader,
    format_size,
    parse_add_checkpoint,
    parse_mirror_info,
    parse_size,
)
from convenio.core.note import Ed25519Signer

# The tables: as many to a line as fit.
# fmt: off

NODE: Final = Ed25519Signer("mx.localhost/node", bytes(32))
REQUEST: Final = sign_request(
    HttpTarget("POST", "us.localhost", "/mirror/add-entries"), content_digest(b"x"), "gzip", NODE,
    created=AT, nonce=bytes(16), life_s=60,
)
RESPONSE: Final = sign_response(200, content_digest(b"y"), REQUEST.signature, NODE, AT)
ASKED: Final = lines(REQUEST.fields().items())
SAID: Final = lines(RESPONSE.fields().items())


def fields(data: bytes) -> list[tuple[bytes, bytes]]:
    """Header fields, one a line."""
    return [(key, value) for key, _, value in (line.partition(b": ") for line in data.split(b"\n"))]


def signature_of_request(data: bytes) -> RequestSignature:
    if (found := parse_request(fields(data))) is None:
        raise MalformedError("http.field", name="signature")
    return found


def signature_of_response(data: bytes) -> ResponseSignature:
    if (found := parse_response(fields(data))) is None:
        raise MalformedError("http.field", name="signature")
    return found


def upload() -> bytes:
    parts = [
        UploadHeader("o", 255, 259, b"t").encode(), Package(255, (b"a",), ()).encode(),
        Package(256, (b"bc", b"", b"d"), (bytes(32),)).encode(),
    ]
    return b"".join(parts)


def uploaded(data: bytes) -> list[UploadHeader | Package]:
    """As it comes over the wire: in pieces."""
    reader = PackageReader()
    chunks = [data[at : at + 37] for at in range(0, len(data), 37)]
    parts = [part for chunk in chunks for part in reader.feed(chunk)]
    if not reader.complete:  # what the server makes of a body that ends early
        raise MalformedError("mirrorwire.header")
    return parts


def add_checkpoints() -> Broken:
    good = AddCheckpoint.of(2, (bytes(32),) * 3, checkpoint()).encode()
    hash_ = b"A" * 43 + b"=\n"
    return {
        "mirrorwire.add_checkpoint": (
            *(
                b"", b"\n", b"old 2", b"old 2\n", b"old 2\n" + hash_, BOM + good, b"\n" + good,
                good.replace(b"\n", b"\r\n"),
            ),
            *each(
                good, b"old 2\n", b"", b"old\n", b"old  2\n", b"Old 2\n", b"old 2 \n",
                b"old 2\n\r\n", b"old\t2\n", b"new 2\n",
            ),
            *each(
                good, b"old 2\n",
                *(b"old " + each + b"\n" for each in NOT_DECIMAL if b"\n" not in each),
            ),
            *each(
                good, hash_, hash_[:-2] + b"\n", hash_[1:], b" " + hash_, hash_[:-1] + b"\r\n",
                b"A" * 42 + b"B=\n", hash_ * 62, b"0" * 64 + b"\n",
            ),
        ),
        "mirrorwire.old_size": each(good, b"old 2\n", b"old 4\n", b"old 9223372036854775807\n"),
        "note.no_signature": (good[:-1], good + b"\n", good.partition(b"\n\n")[0] + b"\n\n"),
        "note.signature_line": (good + b"more\n",),
        "note.not_text": (good + b"\0", good + b"\xff"),
        "checkpoint.size": each(good, b"\n3\n", b"\n03\n", b"\n-3\n"),
        "checkpoint.extension": each(good, b"=\n\n\xe2\x80\x94", b"=\nmore\n\n\xe2\x80\x94"),
        "mirrorwire.too_long": (good + b"x" * (1 << 18),),
    }


def head(origin: bytes, start: int, end: int, ticket: bytes = b"", *, said: int = -1) -> bytes:
    size = len(origin) if said < 0 else said
    return (
        size.to_bytes(2, "big")
        + origin
        + start.to_bytes(8, "big")
        + end.to_bytes(8, "big")
        + len(ticket).to_bytes(2, "big")
        + ticket
    )


def uploads() -> Broken:
    good = upload()
    one = head(b"o", 0, 1)
    return {
        "mirrorwire.header": (
            *(
                b"", b"\0", b"\0\0", head(b"", 0, 0), head(b"o" * 256, 0, 0), head(b"o", 2, 1),
                head(b"o", 0, 1 << 63), head(b"o", (1 << 64) - 1, (1 << 64) - 1),
            ),
            *(
                head(b"\xff", 0, 0), head(b"\xed\xa0\x80", 0, 0), head(b"\xc0\x80", 0, 0),
                head(b"o", 0, 0, said=5), head(b"o", 0, 0, said=65_535),
            ),
            *(
                good[:-1], good[:10], good[: good.index(b"bc")], one, one + b"\xff\xff",
                one + b"\0\1a", one + b"\0\1a\1" + bytes(31),
            ),
        ),
        "checkpoint.origin": (head(b"\n", 0, 0), head(b"a\x1fb", 0, 0), head(b"\0", 0, 0)),
        "mirrorwire.proof_too_long": (one + b"\0\1a\x40", one + b"\0\1a\xff" + bytes(32 * 255)),
        "mirrorwire.excess": (
            good + b"\0", good + good, head(b"o", 0, 0) + b"\0", one + b"\0\1a\0\0", good + b"\n",
        ),
    }


def infos() -> Broken:
    good = MirrorInfo(30, 2, b"t").encode()
    return {
        "mirrorwire.info": (
            *(
                b"", b"\n", b"\n\n\n", good[:-1], good + b"\n", good + b"x",
                good.replace(b"\n", b"\r\n"), BOM + good, b"\n" + good,
            ),
            *(
                b"30\n2\n", b"30\n\ndA==\n",
                *each(good, b"30\n", *(each + b"\n" for each in NOT_DECIMAL if b"\n" not in each)),
            ),
            *each(good, b"2\n", b"02\n", b"-2\n", b" 2\n", b"2.0\n"),
            *each(
                good, b"dA==", b"dA", b"dA=", b"dB==", b"dA== ", b"d A=", b"dA==dA==", b"!", b"_A=="
            ),
            *(MirrorInfo(1, 1, bytes(65_536)).encode(), MirrorInfo(1, 1, bytes(1 << 17)).encode()),
        )
    }


def sizes() -> Broken:
    spelled = (each + b"\n" for each in NOT_DECIMAL)
    return {
        "mirrorwire.size": (b"", b"\n", b"1", b"1\n\n", b"1\r\n", b"\n1\n", b"1\n2\n", *spelled)
    }


def urls() -> Broken:
    return {
        "http.url": (
            *(
                b"", b"http", b"http:", b"http:/", b"http://", b"//x", b"x", b"/x", b"http:///x",
                b"http:x", b"http:\\\\x",
            ),
            *(
                b"HTTP://x", b"Http://x", b"ftp://x", b"file:///x", b"javascript:x", b"httpss://x",
                b"ws://x",
            ),
            *(
                b"http://X", b"http://x@y", b"http://x:y@z", b"http://@x", b"http://x.",
                b"http://.x", b"http://-x", b"http://x_y", b"http://x y",
            ),
            *(
                b"http://x:", b"http://x:0", b"http://x:00", b"http://x:65536", b"http://x:99999",
                b"http://x:-1", b"http://x:+1", b"http://x:1_0", b"http://x:080000",
            ),
            *(b"http://x:8o", "http://x:８０".encode(), b"http://x:80:80", b"http://x: 80"),
            *(
                b"http://x?y", b"http://x#y", b"http://x/?y", b"http://x/#y", b"http://x;y",
                b"http://x/;y", b"http://x/%2e%2e", b"http://x/%41",
            ),
            *(
                b"http://x/../y", b"http://x/..", b"http://x/./y", b"http://x/.", b"http://x//y",
                b"http://x/y//", b"http://x\\y", b"http://x/y\\..\\z",
            ),
            *(
                b" http://x", b"http://x ", b"http://x\n", b"http://x\r\n", b"http://x\0",
                b"http://x/\t", BOM + b"http://x",
            ),
            *(
                b"http://[", b"http://[]", b"http://[::1", b"http://::1", b"http://[::1]x",
                b"http://[::1%25eth0]", b"http://[::G]", b"http://[v1.x]",
            ),
            *(
                "http://mх".encode(), "http://x。y".encode(), "http://ｘ".encode(),
                "http://ß".encode(), b"http://\xff", b"http://" + b"x" * 254,
            ),
        )
    }


def spelled_fields(good: bytes, kind: str) -> Broken:
    """What a lenient reader of structured fields (RFC 8941) or of signatures (RFC 9421) takes."""
    params = good[(at := good.index(b"signature-input: ") + 17) : good.index(b"\n", at)]
    signature = good[(at := good.index(b"signature: ") + 11) : at + 101]
    raw = signature[len(b"convenio=:") : -1]
    digest = good[(at := good.index(b"sha-256=:")) : at + 54]
    created = b"created=%d" % AT
    cover = params[params.index(b"(") : params.index(b")") + 1]
    first = b'"@method"' if kind == "request" else b'"@status"'
    spoiled = (
        *(
            b"", b"convenio=", b"x" + params, b"CONVENIO" + params[8:],
            params.replace(b"=", b" = ", 1), params + b" ", b" " + params, params + b";",
        ),
        *(
            params + b", x=()", params + b",convenio=()", b"x=(), " + params,
            params + b';alg="ed25519"', params + b";x", params + b';tag="convenio/1"',
        ),
        *each(
            params, b'"convenio/1"', b'"convenio/2"', b"convenio/1", b"'convenio/1'",
            b'"Convenio/1"', b'""', b'"convenio/1"\r', b":Y29udmVuaW8vMQ==:",
        ),
        *each(
            params, created, b"created=-1", b"created=+1", b"created=01", b"created=1.0",
            b"created=1e9", b'created="1"', b"created", b"created=?1", b"created=",
            b"created=" + b"9" * 16, "created=１".encode(), b"Created=1", b"created=@1659578233",
        ),
        *each(
            params, created + b";", b"", b"created=1;created=1;", created + b"; ", created + b" ;",
            created + b";;", created + b"\t;",
        ),
        *each(
            params, cover, b"()", cover[1:-1], b"( " + cover[1:], cover.replace(b'" "', b'"  "'),
            cover.replace(b'" "', b'","'), b"(" + first + b")", cover[:-1] + b' "host")',
            cover + cover, cover.replace(b'"', b""),
        ),
        *each(
            params, first, first + b" " + first, first.upper(), first + b";req", first + b";sf",
            first + b";bs", b"", first + b";tr", first + b';name="x"',
        ),
        *each(params, b"+", b"", b"%2B", b" ", b"++"),
        *each(
            params, b'keyid="', b'keyid="X', b"keyid=", b'KeyId="', b'keyid="/', b'keyid="\\"',
            'keyid="м'.encode(), b'keyid="' + b"x" * 250, b'keyid=";',
        ),
    )
    found: Broken = {
        "http.field": (
            *(
                b"", b"x: y", good.replace(b"content-digest", b"digest", 1),
                good.replace(b"signature-input", b"signature_input", 1),
                good.replace(b"\nsignature: ", b"\nsig: ", 1),
            ),
            *(good + b"\n" + line for line in good.split(b"\n") if line),
            good + b"\nSignature: " + signature, good + b"\nCONTENT-DIGEST: " + digest,
        ),
        "http.signature_input": tuple(good.replace(params, each, 1) for each in spoiled),
        "http.digest": each(
            good, digest, b"", digest[9:-1], digest[:-1], digest + b" ", b" " + digest,
            digest + b", " + digest, digest + b",sha-512=:AAAA:", b"SHA-256" + digest[7:],
            b"sha-512" + digest[7:], digest.replace(b":", b""), digest + b";x", digest[:-3] + b"=:",
            digest[:-2] + b":", digest[:-3] + b"/=:", b"sha-256=" + b"00" * 32,
            b"sha-256=:" + b"-" * 43 + b"=:", b"sha-256=:=" + b"A" * 43 + b":",
            b"id-sha-256" + digest[7:], b"\xa0" + digest,
        ),
        "http.signature": each(
            good, signature, b"", raw, signature[:-1], signature + b" ", b" " + signature,
            signature + b";x", signature + b", x=:AA==:", b"x" + signature,
            b"Convenio" + signature[8:], b"convenio=" + raw, b'convenio="' + raw + b'"',
            b"convenio=:" + raw[:-4] + b":", b"convenio=:" + raw + b"AAAA:",
            b"convenio=:" + raw[:-2] + b":", b"convenio=:" + raw[:-3] + b"/==:",
            b"convenio=:" + base64.urlsafe_b64encode(b"\xff" * 64) + b":",
            b"convenio=:" + b"=" * 88 + b":", b"convenio=::",
            b"convenio=:" + raw[:40] + b" " + raw[41:] + b":",
        ),
    }
    return found


def asked() -> Broken:
    expires = b"expires=%d" % (AT + 60)
    nonce = b'nonce="' + b"00" * 16 + b'"'
    found = spelled_fields(ASKED, "request")
    more = (
        *each(
            ASKED, expires, b"expires=-1", b"expires=", b"expires", b"expires=1.5",
            b"expires=" + b"9" * 16, b"expires=01", b'expires="1"', b"",
        ),
        *each(
            ASKED, nonce, b"nonce=" + b"00" * 16, b'nonce=""', b'nonce="' + b"00" * 15 + b'"',
            b'nonce="' + b"00" * 17 + b'"', b'nonce="' + b"AB" * 16 + b'"',
            b'nonce="' + b"0g" * 16 + b'"', b'nonce="' + "０".encode() * 32 + b'"', b"",
        ),
        *each(ASKED, b";" + expires + b";" + nonce, b";" + nonce + b";" + expires),
    )
    return {
        **found,
        "http.signature_input": (*found["http.signature_input"], *more),
        "http.encoding": each(
            ASKED, b"encoding: gzip", b"encoding: ", b"encoding: GZIP", b"encoding: gzip, gzip",
            b"encoding: gzip;q=1", b"encoding: br", b"encoding: deflate", b"encoding: x-gzip",
            b"encoding: gzip ", b"encoding:  gzip", b"encoding: identity, gzip",
            b"encoding: chunked", "encoding: gzıp".encode(),
        ),
    }


def said() -> Broken:
    params = SAID[(at := SAID.index(b"signature-input: ") + 17) : SAID.index(b"\n", at)]
    request = b'"signature";req;key="convenio"'
    found = spelled_fields(SAID, "response")
    more = each(
        params, request, b'"signature"', b'"signature";req', b'"signature";key="convenio"',
        b'"signature";key="convenio";req', b'"signature";req;key=convenio',
        b'"signature";req;key="other"', b'"signature";req=?1;key="convenio"',
        b'"signature";req=?0;key="convenio"', b'"Signature";req;key="convenio"', b"",
    )
    wrong = (*more, params + b";expires=1", params + b';nonce="x"')
    return {
        **found,
        "http.signature_input": (
            *found["http.signature_input"], *(SAID.replace(params, each, 1) for each in wrong),
        ),
    }


def targets() -> Broken:
    good = b"GET us.localhost /log/ab/checkpoint a=1"
    return {
        "http.target": (
            *(
                b"", b"GET", b"GET x", b" x /", b"get x /", b"Get x /", b"GE x /", b"CONNECTED x /",
                b"GET\n x /", b"G3T x /", "ＧＥＴ x /".encode(),
            ),
            *each(
                good, b"/log/ab/checkpoint", b"", b"log", b"*", b"//", b"/log//ab", b"//log",
                b"/./log", b"/../log", b"/log/..", b"/log/.", b"/..", b"/%6cog", b"/log%2fab",
                b"/lo\\g", b"http://x/",
            ),
            *each(
                good, b"/log/ab/checkpoint", b"/log;x", b"/log?x", b"/log#x", b"/log\n", b"/log\r",
                b"/log\0", b"/log\t", b"/lo+g", b"/lo:g", b"/lo@g", b"/log*", b"/log'",
                "/lóg".encode(), b"/log\xff", "/log\u2215x".encode(),
            ),
            *each(
                good, b"a=1", b"a=1\n", b"a=%41", b"a=1;b=2", b"a=1+2", b"a=/", b"a=?", b"a= 1",
                b"a=#", b"a=\0", "a=é".encode(), b"a=\xff", b"a" * 1025, b"a=1\r\nx: y",
            ),
        )
    }


# fmt: on
TARGETS: Final = (
    Target(
        "checkpoint request",
        ("core.mirrorwire.parse_add_checkpoint",),
        lambda: [AddCheckpoint.of(2, (bytes(32),) * 3, checkpoint()).encode()],
        parse_add_checkpoint,
        AddCheckpoint.encode,
        broken=add_checkpoints,
    ),
    Target(
        "upload",
        ("core.mirrorwire.PackageReader.feed",),
        lambda: [upload(), UploadHeader("o", 0, 0).encode()],
        uploaded,
        lambda parts: b"".join(part.encode() for part in parts),
        broken=uploads,
    ),
    Target(
        "mirror info",
        ("core.mirrorwire.parse_mirror_info",),
        lambda: [MirrorInfo(30, 2, b"t").encode(), MirrorInfo(0, 0).encode()],
        parse_mirror_info,
        MirrorInfo.encode,
        broken=infos,
    ),
    Target(
        "size",
        ("core.mirrorwire.parse_size",),
        lambda: [b"1234\n"],
        parse_size,
        format_size,
        broken=sizes,
    ),
    Target(
        "base URL",
        ("core.httpsig.parse_base_url",),
        lambda: [b"https://mx.example:8443/a/b", b"http://[::1]:80"],
        lambda data: parse_base_url(text(data)),
        broken=urls,
    ),
    Target(
        "signature of a request",
        ("core.httpsig.parse_request",),
        lambda: [ASKED],
        signature_of_request,
        broken=asked,
    ),
    Target(
        "signature of a response",
        ("core.httpsig.parse_response",),
        lambda: [SAID],
        signature_of_response,
        broken=said,
    ),
    Target(
        "request line",
        ("core.httpsig.check_target",),
        lambda: [b"GET us.localhost /log/ab/checkpoint a=1"],
        lambda data: check_target(HttpTarget(*(text(data).split(" ", 3) + [""] * 4)[:4])),
        broken=targets,
    ),
)
