"""Every parser of bytes that come from outside, with seeds made by our own encoders.

`covers` names the functions that a target reaches with bytes of a stranger's choice; a test holds
the names against the source, so that a new parser cannot come without a target.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from tests.logs import AT, LOG, MIRROR_PQ, proof_of, record, signed, write_log
from tests.logs import checkpoint_of as checkpoint_over
from tests.sealing import DESKS, LABEL, READER, fixed, header_of
from tests.support.parties import charter, party

from convenio.core import canon, seal
from convenio.core.age import HybridIdentity, HybridRecipient, Passphrase, X25519Identity, bech32
from convenio.core.age.file import decrypt, encrypt
from convenio.core.age.header import from_base64, make_header, parse_header, read_header, to_base64
from convenio.core.age.source import Source
from convenio.core.bundle import (
    Disclosed,
    Memory,
    parse_disclosed,
    parse_name,
    read_bundle,
    read_member,
    write_bundle,
)
from convenio.core.card import parse_card, parse_roster, sign_card, sign_roster
from convenio.core.checkpoint import Checkpoint, parse_checkpoint_text, parse_signed_checkpoint
from convenio.core.cosign import verifier_of
from convenio.core.encoding import parse_base64, parse_decimal, parse_hex
from convenio.core.fit import open_entries
from convenio.core.httpsig import (
    Target as HttpTarget,
)
from convenio.core.httpsig import (
    check_target,
    content_digest,
    parse_base_url,
    parse_request,
    parse_response,
    sign_request,
    sign_response,
)
from convenio.core.merkle import RightEdge, format_hashes, parse_hashes
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
from convenio.core.note import (
    Ed25519Signer,
    Note,
    format_vkey,
    parse_note,
    parse_signature_lines,
    parse_vkey,
)
from convenio.core.policy import from_keys, parse_policy
from convenio.core.proof import Proof, parse_proof
from convenio.core.record import Header, parse_record
from convenio.core.record import parse_header as parse_record_header
from convenio.core.split import SplitProof, parse_split, parse_split_data
from convenio.core.tiles import (
    ENTRIES,
    format_bundle,
    parse_bundle,
    parse_tile_path,
    split_tile,
    tile_path,
)
from convenio.core.trust import parse_charter, propose_charter
from convenio.node.config import NodeConfig, parse_config
from convenio.node.control import _request
from convenio.node.keys import generate, open_keys, open_root, seal_keys, seal_root
from convenio.node.verify import verify
from convenio.node.verify.keys import parse_trust


@dataclass(frozen=True)
class Target:
    """seeds: inputs that are accepted. form: what was accepted, printed again; it must be the
    input, byte for byte."""

    name: str
    covers: tuple[str, ...]
    seeds: Callable[[], list[bytes]]
    parse: Callable[[bytes], Any]
    form: Callable[[Any], bytes] | None = None
    share: int = 1  # of the usual count of mutants, one in so many: some parsers are slow
    broken: tuple[bytes, ...] = ()  # refused, each for its own fault; what once broke it among them


def text(data: bytes) -> str:
    """As a name or a typed word comes in: any string at all, lone surrogates too."""
    return data.decode("utf-8", "surrogateescape")


def back(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def fields(data: bytes) -> list[tuple[bytes, bytes]]:
    """Header fields, one a line."""
    return [(key, value) for key, _, value in (line.partition(b": ") for line in data.split(b"\n"))]


def lines(found: Iterable[tuple[str, str]]) -> bytes:
    return "\n".join(f"{key}: {value}" for key, value in found).encode()


@lru_cache
def some(count: int = 3) -> tuple[bytes, ...]:
    return tuple(record(number) for number in range(count))


@lru_cache
def checkpoint() -> bytes:
    return signed(checkpoint_over(some()))


VKEYS: Final = [LOG.verifier().vkey(), MIRROR_PQ.vkey()]
NODE: Final = Ed25519Signer("mx.localhost/node", bytes(32))
REQUEST: Final = sign_request(
    HttpTarget("POST", "us.localhost", "/mirror/add-entries"),
    content_digest(b"x"),
    "gzip",
    NODE,
    created=AT,
    nonce=bytes(16),
    life_s=60,
)
RESPONSE: Final = sign_response(200, content_digest(b"y"), REQUEST.signature, NODE, AT)


# --- seeds that take more than a line ---


def bodies() -> list[bytes]:
    return [seal.seal_body(b"content", LABEL, DESKS, fixed("fuzz")).blob]


def opened(blob: bytes) -> seal.Content:
    """A body whose record says of it what is so: its hash is right, whatever is in it."""
    made = seal.seal_body(b"content", LABEL, DESKS, fixed("fuzz")).ref
    ref = replace(made, c=hashlib.sha256(blob).hexdigest(), n=len(blob))
    return seal.open_body(blob, [READER], header_of(ref), 0)


def inner() -> list[bytes]:
    desks = tuple(sorted(DESKS))
    return [
        seal.Inner(LABEL, desks, 7, bytes(32)).encode(),
        seal.Inner(LABEL, (), 0, b"").encode(),
    ]


def record_headers() -> list[bytes]:
    full = Header(
        **{
            name: getattr(header_of(), name)
            for name in ("id", "ch", "gen", "type", "sender", "to", "by", "at")
        },
        seen={"us": (7, "ab" * 32)},  # type: ignore[dict-item]
        inst="12" * 32,
        act="ask",
        due_in=3600,
        cav="amber",
        bodies=(seal.seal_body(b"x", LABEL, DESKS, fixed("f")).ref,),
    )
    received = parse_record(record(1)).header
    return [full.encode(), received.encode()]


def trust() -> list[bytes]:
    made = propose_charter(charter(), *party("mx").roots[:2]).note
    lines_ = [root.sign(made.text) for root in party("us").roots[:2]]
    return [Note(made.text, (*made.lines, *lines_)).encode()]


def card() -> list[bytes]:
    return [sign_card(party(name).card, *party(name).roots[:2]) for name in ("mx", "us")]


PREVIOUS: Final = "ab" * 32


def roster() -> list[bytes]:
    home = party("mx")
    later = replace(home.card.roster, seq=2, url="https://mx.example")
    return [sign_roster(home.card, later, PREVIOUS, AT, *home.roots[:2])]


def bundles() -> list[bytes]:
    files = {"mx-0.record": some()[0], "charter.note": trust()[0], "README.txt": b"hello"}
    return [
        b"".join(write_bundle(dict(files))),
        b"".join(write_bundle({"README.txt": b""})),
        b"".join(write_bundle({"mx-0.record": some()[0], "mx-0.us.tlog-proof": proofs()[0]})),
    ]


def unpacked(data: bytes) -> dict[str, bytes]:
    source = Memory(data)
    return {m.name.text: b"".join(read_member(source, m)) for m in read_bundle(source)}


def proofs() -> list[bytes]:
    return [proof_of(1, some(), b"extra").encode(), proof_of(0, some()).encode()]


def splits() -> list[bytes]:
    other = signed(checkpoint_over(some(2)))
    return [SplitProof(other, checkpoint(), bytes(32), (bytes(32),) * 2).encode()]


def upload() -> list[bytes]:
    parts = [
        UploadHeader("o", 255, 259, b"t").encode(),
        Package(255, (b"a",), ()).encode(),
        Package(256, (b"bc", b"", b"d"), (bytes(32),)).encode(),
    ]
    return [b"".join(parts), UploadHeader("o", 0, 0).encode()]


def uploaded(data: bytes) -> list[UploadHeader | Package]:
    """As it comes over the wire: in pieces."""
    reader = PackageReader()
    chunks = [data[at : at + 37] for at in range(0, len(data), 37)]
    return [part for chunk in chunks for part in reader.feed(chunk)]


def configs() -> list[bytes]:
    made = NodeConfig("mx", "mx.localhost", "127.0.0.1", 8000, 8001, tls=True)
    return [made.encode().encode()]


def keys() -> list[bytes]:
    made = generate("mx.localhost", {"liaison": party("mx").card.name}, fixed("keys"))
    return [seal_keys(made, "phrase", fixed("seal"), work=1)]


_FOLDER: Final = tempfile.TemporaryDirectory(prefix="convenio-fuzz-")


def given(data: bytes) -> object:
    """A file handed to `convenio verify`, of whatever kind it looks like."""
    path = Path(_FOLDER.name) / "given"
    path.write_bytes(data)
    return verify(path, trust=None, now=AT)


def log_folder(data: bytes) -> object:
    """A log as files, one of which is `data`: the first bundle of entries."""
    folder = Path(_FOLDER.name) / "log"
    if not folder.exists():
        write_log(folder, some())
    (folder / tile_path(ENTRIES, 0, 3)).write_bytes(data)
    return verify(folder, trust=None, now=AT)


TARGETS: Final[tuple[Target, ...]] = (
    # --- the small encodings ---
    Target(
        "decimal",
        ("core.encoding.parse_decimal",),
        lambda: [b"0", b"7", b"9223372036854775807"],
        lambda data: parse_decimal(data, "note.vkey"),
        lambda number: b"%d" % number,
        broken=(
            b"1_0",
            b" 1",
            b"01",
            b"-1",
            b"9223372036854775808",
            "١".encode(),
            b"",
        ),
    ),
    Target(
        "base64",
        ("core.encoding.parse_base64",),
        lambda: [b"AAAA", b"AAA=", b"AA==", b""],
        lambda data: parse_base64(data, "note.vkey"),
        base64.b64encode,
        broken=(
            b"AA",
            b"AB==",
            b"AAAA\n",
            b"A A=",
            b"AA==AA==",
        ),
    ),
    Target(
        "base64 without padding",
        ("core.age.header.from_base64",),
        lambda: [b"AAAA", b"AAA", b"AA"],
        lambda data: from_base64(data, "age.header"),
        to_base64,
        broken=(
            b"AA==",
            b"AAA=",
            b"A",
            b"AB",
        ),
    ),
    Target(
        "hex",
        ("core.encoding.parse_hex",),
        lambda: [b"00ff" * 2],
        lambda data: parse_hex(text(data), 4, "note.vkey"),
        lambda raw: raw.hex().encode(),
        broken=(
            b"00FF" * 2,
            b"00" * 5,
            "０".encode() * 8,
        ),
    ),
    Target(
        "canonical JSON",
        ("core.canon.loads",),
        lambda: [b'{"a":[1,"x",true,{"b":{}}],"b":-9007199254740991}', b"{}"],
        lambda data: canon.loads(data, 1 << 16),
        canon.dumps,
        broken=(
            b'{"b":1,"a":2}',
            b'{"a":1,"a":1}',
            b'{"a":1.0}',
            b'{"a":null}',
            b'{"a":9007199254740992}',
            b'{"a": 1}',
            b'{"a":"\\u0041"}',
            b'{"A":1}',
            b'{"a":' * 9 + b"1" + b"}" * 9,
            b"[1]",
        ),
    ),
    Target(
        "canonical JSON, members unchecked",
        ("core.canon.loads_unprofiled",),
        lambda: [b'{"a":[1,"x",true,{"b":{}}],"b":-9007199254740991}\n'],
        lambda data: canon.loads_unprofiled(data, 1 << 16),
    ),
    # --- notes, logs, proofs ---
    Target(
        "note",
        ("core.note.parse_note",),
        lambda: [checkpoint(), some()[0], trust()[0]],
        lambda data: parse_note(data, 1 << 17),
        Note.encode,
    ),
    Target(
        "signature lines",
        ("core.note.parse_signature_lines",),
        lambda: [checkpoint().partition(b"\n\n")[2]],
        lambda data: parse_signature_lines(data, 1 << 16),
        lambda found: b"".join(line.encode() for line in found),
        broken=(
            "— o AAAAAA==\n".encode(),
            "— o AAAAAAA=".encode(),
            b"o AAAAAAA=\n",
            "— o  AAAAAAA=\n".encode(),
        ),
    ),
    Target(
        "vkey",
        ("core.note.parse_vkey", "core.cosign.verifier_of"),
        lambda: [vkey.encode() for vkey in VKEYS],
        lambda data: (parse_vkey(text(data)), verifier_of(text(data)))[0],
        lambda key: back(format_vkey(*key)),
    ),
    Target(
        "checkpoint",
        ("core.checkpoint.parse_checkpoint_text",),
        lambda: [Checkpoint("o", 5, bytes(32)).text(), checkpoint_over(some()).text() + b"more\n"],
        lambda data: parse_checkpoint_text(data, allow_extensions=True),
        Checkpoint.text,
        broken=(
            b"o\n01\n" + b"A" * 43 + b"=\n",
            b"o\n1\nAAAA\n",
        ),
    ),
    Target(
        "signed checkpoint",
        ("core.checkpoint.parse_signed_checkpoint",),
        lambda: [checkpoint()],
        parse_signed_checkpoint,
        lambda pair: pair[1].encode(),
    ),
    Target(
        "proof",
        ("core.proof.parse_proof",),
        proofs,
        parse_proof,
        Proof.encode,
    ),
    Target(
        "policy",
        ("core.policy.parse_policy",),
        lambda: [
            from_keys(VKEYS[:1], {"us": VKEYS[1]}, 1).format(),
            b"# a remark\n\nlog " + VKEYS[0].encode() + b" http://x\nquorum none\n",
        ],
        lambda data: parse_policy(parse_policy(data).format()),
    ),
    Target(
        "tile path",
        ("core.tiles.parse_tile_path",),
        lambda: [b"tile/entries/x001/234.p/56", b"tile/0/000"],
        lambda data: parse_tile_path(text(data)),
        lambda found: tile_path(*found).encode(),
        broken=(
            b"tile/00/000",
            b"tile/0/x000/000",
            b"tile/0/000.p/256",
            b"tile/0/000.p/0",
            b"tile/64/000",
            b"tile/0/../000",
        ),
    ),
    Target(
        "bundle of entries",
        ("core.tiles.parse_bundle",),
        lambda: [format_bundle([b"one", b"", b"three"]), format_bundle(some())],
        lambda data: parse_bundle(data, 3),
        format_bundle,
        broken=(
            b"\0\1a",
            b"\0\0" * 4,
            b"\xff\xff" * 3,
        ),
    ),
    Target(
        "tile",
        ("core.tiles.split_tile",),
        lambda: [bytes(96)],
        lambda data: split_tile(data, 3),
        b"".join,
    ),
    Target(
        "edge",
        ("core.merkle.RightEdge.decode",),
        lambda: [RightEdge().extend([bytes(32)] * n).encode() for n in (0, 3, 300)],
        RightEdge.decode,
        RightEdge.encode,
    ),
    Target(
        "hashes of a proof",
        ("core.merkle.parse_hashes",),
        lambda: [format_hashes([bytes(32)] * 3)],
        lambda data: parse_hashes(data.split(b"\n")[:-1], "note.vkey"),
    ),
    Target("split-view proof", ("core.split.parse_split",), splits, parse_split, SplitProof.encode),
    Target(
        "split-view proof in a record",
        ("core.split.parse_split_data",),
        lambda: [base64.b64encode(each) for each in splits()],
        # What else is no ASCII has been refused with the record.
        lambda data: parse_split_data({"of": "mx", "proof": data.decode("latin-1")}),
        lambda proof: base64.b64encode(proof.encode()),
    ),
    # --- records ---
    Target(
        "record",
        ("core.record.parse_record",),
        lambda: list(some()),
        parse_record,
        lambda found: found.note.encode(),
    ),
    Target(
        "header of a record",
        ("core.record.parse_header",),
        record_headers,
        parse_record_header,
        Header.encode,
    ),
    Target(
        "entry of a log",
        ("core.fit.open_entries",),
        lambda: list(some()),
        lambda data: list(open_entries([data], {}, verified=False)),
    ),
    # --- sealed bodies ---
    Target(
        "age header",
        ("core.age.header.parse_header", "core.age.header.read_header"),
        lambda: [
            make_header((READER.recipient().wrap(bytes(16), fixed("w")),), bytes(16)).encode()
        ],
        lambda data: (parse_header(data), read_header(Source((data,))))[0],
        lambda found: found.encode(),
    ),
    Target(
        "age file",
        ("core.age.file.decrypt", "core.age.file.decrypt_stream", "core.age.stream.open_chunks"),
        lambda: [encrypt(b"content", [READER.recipient()], fixed("f"))],
        lambda data: decrypt(data, [READER]),
        share=4,
    ),
    Target(
        "age file with a passphrase",
        ("core.age.file.decrypt",),
        lambda: [encrypt(b"content", [Passphrase("p", log_n=1)], fixed("f"))],
        lambda data: decrypt(data, [Passphrase("p", log_n=1, max_log_n=10)]),
    ),
    Target(
        "age recipient",
        ("core.age.recipients.HybridRecipient.parse", "core.age.bech32.decode"),
        lambda: [str(READER.recipient()).encode()],
        lambda data: HybridRecipient.parse(text(data)),
        lambda found: str(found).encode(),
        share=2,
    ),
    Target(
        "age identity",
        ("core.age.recipients.HybridIdentity.parse",),
        lambda: [READER.reveal().encode()],
        lambda data: HybridIdentity.parse(text(data)),
        lambda found: found.reveal().encode(),
    ),
    Target(
        "classical age identity",
        ("core.age.recipients.X25519Identity.parse",),
        lambda: [bech32.encode("age-secret-key-", bytes(range(32))).upper().encode()],
        lambda data: X25519Identity.parse(text(data)),
        lambda found: bech32.encode("age-secret-key-", found.seed).upper().encode(),
    ),
    Target(
        "first line in a body",
        ("core.seal.parse_inner",),
        inner,
        seal.parse_inner,
        seal.Inner.encode,
    ),
    Target(
        "body",
        ("core.seal.open_body", "core.seal.open_stream"),
        bodies,
        opened,
        share=4,
    ),
    # --- trust ---
    Target(
        "charter",
        ("core.trust.parse_charter", "core.fields.open_line"),
        trust,
        parse_charter,
        lambda found: found.note.encode(),
        share=2,
    ),
    Target("card", ("core.card.parse_card",), card, parse_card, share=2),
    Target(
        "roster",
        ("core.card.parse_roster",),
        roster,
        lambda data: parse_roster(data, party("mx").card, PREVIOUS),
        share=2,
    ),
    Target(
        "what a person trusts",
        ("node.verify.keys.parse_trust",),
        lambda: [*trust(), b"ab" * 32, b"12345 " * 12, from_keys(VKEYS[:1], {}, 0).format()],
        lambda data: (parse_trust(data), parse_trust(text(data)))[0] if len(data) < 99 else None,
    ),
    # --- between nodes ---
    Target(
        "checkpoint request",
        ("core.mirrorwire.parse_add_checkpoint",),
        lambda: [AddCheckpoint.of(2, (bytes(32),) * 3, checkpoint()).encode()],
        parse_add_checkpoint,
        AddCheckpoint.encode,
    ),
    Target("upload", ("core.mirrorwire.PackageReader.feed",), upload, uploaded),
    Target(
        "mirror info",
        ("core.mirrorwire.parse_mirror_info",),
        lambda: [MirrorInfo(30, 2, b"t").encode(), MirrorInfo(0, 0).encode()],
        parse_mirror_info,
        MirrorInfo.encode,
    ),
    Target(
        "size",
        ("core.mirrorwire.parse_size",),
        lambda: [b"1234\n"],
        parse_size,
        format_size,
        broken=(b"1234", b"01\n", b"1\n\n"),
    ),
    Target(
        "base URL",
        ("core.httpsig.parse_base_url",),
        lambda: [b"https://mx.example:8443/a/b", b"http://[::1]:80"],
        lambda data: parse_base_url(text(data)),
        broken=(
            b"HTTP://x",
            b"http://x@y",
            b"http://x/../y",
            b"http://x:0",
            b"http://x:65536",
            b"http://x?y",
            b"http://x//y",
        ),
    ),
    Target(
        "signature of a request",
        ("core.httpsig.parse_request",),
        lambda: [lines(REQUEST.fields().items())],
        lambda data: parse_request(fields(data)),
    ),
    Target(
        "signature of a response",
        ("core.httpsig.parse_response",),
        lambda: [lines(RESPONSE.fields().items())],
        lambda data: parse_response(fields(data)),
    ),
    Target(
        "request line",
        ("core.httpsig.check_target",),
        lambda: [b"GET us.localhost /log/ab/checkpoint a=1"],
        lambda data: check_target(HttpTarget(*(text(data).split(" ", 3) + [""] * 4)[:4])),
    ),
    # --- files and lines on this machine ---
    Target(
        "bundle",
        ("core.bundle.read_bundle", "core.bundle.read_member"),
        bundles,
        unpacked,
        lambda files: b"".join(write_bundle(dict(files))),
        broken=(
            b"".join(write_bundle({"README.txt": b""})).replace(b"README", b"R\xc9ADME"),
            b"".join(write_bundle({"README.txt": b"one"})).replace(b"one", b"two"),
            b"".join(write_bundle({"README.txt": b""})) + b"\0",
        ),
    ),
    Target(
        "name in a bundle",
        ("core.bundle.parse_name",),
        lambda: [b"mx-0.record", b"disclosed/us-70.3.json", b"bodies/mx-1.0.age"],
        lambda data: parse_name(text(data)),
        lambda name: back(name.text),
        broken=(
            b"mx-00.record",
            b"../mx-0.record",
            b"mx-0.record\n",
            "mx-１.record".encode(),
            b"bodies/mx-0.32.age",
        ),
    ),
    Target(
        "label of what was disclosed",
        ("core.bundle.parse_disclosed",),
        lambda: [Disclosed(bytes(32), 3, bytes(32), "text/plain", "acta", "es").encode()],
        parse_disclosed,
        Disclosed.encode,
    ),
    Target(
        "configuration",
        ("node.config.parse_config",),
        configs,
        lambda data: parse_config(data.decode("utf-8", "replace")),
        broken=(
            b"party = 1\n",
            b"port = " + b"9" * 5000 + b"\n",
        ),
    ),
    Target(
        "key file",
        ("node.keys.open_keys",),
        keys,
        lambda data: open_keys(data, "phrase"),
        share=4,
    ),
    Target(
        "root key file",
        ("node.keys.open_root",),
        lambda: [seal_root("mx.localhost", 1, bytes(32), "phrase", fixed("r"), work=1)],
        lambda data: open_root(data, "phrase"),
        share=4,
    ),
    Target(
        "line on the local socket",
        ("node.control._request",),
        lambda: [b'{"do":"say","args":{"as":"ana","to":["us:liaison"]}}\n'],
        _request,
    ),
    Target(
        "file to verify",
        ("node.verify.door.verify",),
        lambda: [*bundles(), *trust(), *card(), *splits(), some()[0]],
        given,
        share=4,
    ),
    Target(
        "log as files",
        ("node.verify.logs.open_log", "node.verify.logs.read_log"),
        lambda: [format_bundle(some())],
        log_folder,
        share=4,
    ),
)
