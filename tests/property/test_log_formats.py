"""Every format of the log: what is written reads back; what is read prints back, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convenio.core.checkpoint import Checkpoint, parse_checkpoint_text, parse_signed_checkpoint
from convenio.core.cosign import Ed25519Cosigner, verifier_of
from convenio.core.errors import MalformedError
from convenio.core.merkle import RightEdge
from convenio.core.mirrorwire import (
    AddCheckpoint,
    MirrorInfo,
    Package,
    PackageReader,
    UploadHeader,
    format_size,
    package_ranges,
    parse_add_checkpoint,
    parse_mirror_info,
    parse_size,
)
from convenio.core.note import (
    Ed25519Signer,
    Note,
    SignatureLine,
    format_vkey,
    parse_note,
    parse_signature_lines,
    parse_vkey,
    sign_note,
)
from convenio.core.policy import from_keys, parse_policy
from convenio.core.proof import Proof, parse_proof
from convenio.core.tiles import ENTRIES, format_bundle, parse_bundle, parse_tile_path, tile_path

SIZES = st.integers(0, 2**63 - 1)
HASHES = st.binary(min_size=32, max_size=32)
PROOFS = st.lists(HASHES, max_size=63).map(tuple)
NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="+"),
    min_size=1,
    max_size=60,
)
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)
CHECKPOINTS = st.builds(Checkpoint, NAMES, SIZES, HASHES)
SIGNATURE_LINES = st.builds(
    SignatureLine, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=99)
)
TEXTS = st.lists(LINES | st.just(""), min_size=1).map(
    lambda lines: "\n".join([*lines, ""]).encode()
)
NOTES = st.builds(Note, TEXTS, st.lists(SIGNATURE_LINES, min_size=1, max_size=16).map(tuple))
SIGNER = Ed25519Signer("mx.example/log", bytes(32))
SIGNED = CHECKPOINTS.map(lambda checkpoint: sign_note(checkpoint.text(), SIGNER).encode())
ENTRY = st.binary(max_size=40)


@given(NOTES)
def test_a_note_reads_back(note: Note) -> None:
    assert parse_note(note.encode(), 10**6) == note


@given(st.lists(SIGNATURE_LINES, min_size=1, max_size=16))
def test_signature_lines_read_back(lines: list[SignatureLine]) -> None:
    assert parse_signature_lines(b"".join(x.encode() for x in lines), 10**6) == tuple(lines)


@given(NAMES, st.integers(0, 255), st.binary(min_size=1, max_size=60))
def test_a_vkey_reads_back(name: str, kind: int, public: bytes) -> None:
    assert parse_vkey(format_vkey(name, kind, public)) == (name, kind, public)


@given(st.builds(Checkpoint, NAMES, SIZES, HASHES, st.lists(LINES, max_size=3).map(tuple)))
def test_a_checkpoint_reads_back(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint_text(checkpoint.text(), allow_extensions=True) == checkpoint


@given(st.just(ENTRIES) | st.integers(0, 63), SIZES, st.integers(1, 256))
def test_a_tile_path_reads_back(level: Any, index: int, width: int) -> None:
    assert parse_tile_path(tile_path(level, index, width)) == (level, index, width)


@given(st.lists(ENTRY, max_size=256))
def test_a_bundle_reads_back(entries: list[bytes]) -> None:
    assert parse_bundle(format_bundle(entries), len(entries)) == entries


@given(st.lists(HASHES, max_size=200))
def test_a_right_edge_reads_back(leaves: list[bytes]) -> None:
    edge = RightEdge().extend(leaves)
    assert RightEdge.decode(edge.encode()) == edge


@given(st.builds(Proof, SIZES, PROOFS, SIGNED, st.binary(max_size=99)))
def test_a_proof_reads_back(proof: Proof) -> None:
    assert parse_proof(proof.encode()) == proof


@given(SIZES, PROOFS, CHECKPOINTS)
def test_a_checkpoint_request_reads_back(
    old: int, proof: tuple[bytes, ...], new: Checkpoint
) -> None:
    signed = sign_note(new.text(), SIGNER).encode()
    request = AddCheckpoint.of(min(old, new.size), proof, signed)
    assert parse_add_checkpoint(request.encode()) == request


@given(st.builds(MirrorInfo, SIZES, SIZES, st.binary(max_size=99)))
def test_a_mirrors_state_reads_back(info: MirrorInfo) -> None:
    assert parse_mirror_info(info.encode()) == info


@given(SIZES)
def test_a_size_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


@st.composite
def uploads(draw: st.DrawFn) -> list[UploadHeader | Package]:
    """A header and all packages it announces, with hashes that prove nothing."""
    start = draw(st.integers(0, 600))
    end = start + draw(st.integers(0, 520))
    entry, proof = draw(ENTRY), draw(PROOFS)
    header = UploadHeader(draw(NAMES), start, end, draw(st.binary(max_size=20)))
    ranges = package_ranges(start, end)
    return [header, *(Package(low, (entry,) * (high - low), proof) for low, high in ranges)]


def _encode(parts: list[UploadHeader | Package]) -> bytes:
    return b"".join(part.encode() for part in parts)


@given(uploads(), st.lists(st.integers(0, 4000), max_size=8))
def test_an_upload_reads_back_however_it_is_cut(
    parts: list[UploadHeader | Package], cuts: list[int]
) -> None:
    body, reader = _encode(parts), PackageReader()
    cuts = sorted({min(cut, len(body)) for cut in (0, *cuts, len(body))})
    chunks = [body[low:high] for low, high in pairwise(cuts)]
    assert [part for chunk in chunks for part in reader.feed(chunk)] == parts
    assert reader.complete


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """`good` with up to three bytes changed, put in or taken out: near misses, not noise."""
    data = bytearray(good)
    for _ in range(draw(st.integers(0, 3))):
        at, byte = (
            draw(st.integers(0, len(data))),
            draw(st.integers(0, 255) | st.sampled_from(b"\n 0+")),
        )
        how = draw(st.sampled_from(["put in", "take out", "change"]))
        data[at : at + (how != "put in")] = b"" if how == "take out" else bytes([byte])
    return bytes(data)


GOOD = sign_note(Checkpoint("mx.example/log", 300, bytes(32)).text(), SIGNER).encode()
VKEY = Ed25519Cosigner("us.example/mirror", bytes(32)).vkey()
POLICY = from_keys([SIGNER.verifier().vkey()], {"us": VKEY}, 1)

Parse = Callable[[bytes], Any]
FORMATS: list[tuple[str, bytes, Parse, Callable[[Any], bytes]]] = [
    ("note", GOOD, lambda b: parse_note(b, 10**6), Note.encode),
    (
        "checkpoint",
        GOOD[: GOOD.index(b"\n\n") + 1] + b"more\n",
        lambda b: parse_checkpoint_text(b, allow_extensions=True),
        Checkpoint.text,
    ),
    ("signed checkpoint", GOOD, parse_signed_checkpoint, lambda pair: pair[1].encode()),
    (
        "vkey",
        VKEY.encode(),
        lambda b: parse_vkey(b.decode("latin-1")),
        lambda x: format_vkey(*x).encode("latin-1"),
    ),
    (
        "verifier",
        VKEY.encode(),
        lambda b: verifier_of(b.decode("utf-8", "surrogateescape")),
        lambda x: x.vkey().encode(),
    ),
    (
        "tile path",
        b"tile/entries/x001/234.p/56",
        lambda b: parse_tile_path(b.decode("latin-1")),
        lambda x: tile_path(*x).encode(),
    ),
    ("bundle", format_bundle([b"one", b"", b"three"]), lambda b: parse_bundle(b, 3), format_bundle),
    ("proof", Proof(7, (bytes(32),) * 3, GOOD, b"more").encode(), parse_proof, Proof.encode),
    (
        "checkpoint request",
        AddCheckpoint.of(20, (bytes(32),) * 3, GOOD).encode(),
        parse_add_checkpoint,
        AddCheckpoint.encode,
    ),
    ("mirror info", MirrorInfo(30, 2, b"t").encode(), parse_mirror_info, MirrorInfo.encode),
    ("size", b"1234\n", parse_size, format_size),
    ("edge", RightEdge().extend([bytes(32)] * 3).encode(), RightEdge.decode, RightEdge.encode),
]


@pytest.mark.parametrize(
    ("good", "parse", "form"), [f[1:] for f in FORMATS], ids=[f[0] for f in FORMATS]
)
@given(data=st.data())
def test_bytes_print_back_or_are_refused(
    good: bytes, parse: Parse, form: Callable[[Any], bytes], data: st.DataObject
) -> None:
    raw = data.draw(damaged(good) | st.binary(max_size=80))
    try:
        value = parse(raw)
    except MalformedError:
        assert raw != good
        return
    assert form(value) == raw


UPLOAD = _encode(
    [
        UploadHeader("o", 255, 259, b"t"),
        Package(255, (b"a",), ()),
        Package(256, (b"bc", b"", b"d"), (bytes(32),)),
    ]
)


@given(damaged(UPLOAD))
def test_an_uploads_bytes_print_back_as_far_as_they_are_read(body: bytes) -> None:
    reader = PackageReader()
    parts: list[UploadHeader | Package] = []
    try:
        parts += reader.feed(body)
        assert len(_encode(parts)) == len(body) or not reader.complete
    except MalformedError:
        assert body != UPLOAD
    assert body.startswith(_encode(parts))


@given(damaged(POLICY.format() + b" # a remark\n\n"))
def test_a_policys_bytes_mean_one_policy_or_are_refused(raw: bytes) -> None:
    try:
        policy = parse_policy(raw)
    except MalformedError:
        return
    assert parse_policy(policy.format()) == policy
    assert parse_policy(raw) == policy


def test_the_policy_reads_back() -> None:
    assert parse_policy(POLICY.format()) == POLICY
