"""What a log's owner and a mirror say to each other, byte by byte."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from tests.logs import ORIGIN, checkpoint_of, signed

from convenio.core.errors import MalformedError, ProofError
from convenio.core.merkle import (
    Leaves,
    RightEdge,
    check_consistency,
    consistency_proof,
    edge_of,
    leaf_hash,
    tree_root,
)
from convenio.core.mirrorwire import (
    MAX_PACKAGE_BYTES,
    AddCheckpoint,
    MirrorInfo,
    Package,
    PackageReader,
    UploadHeader,
    check_package,
    format_size,
    make_package,
    package_ranges,
    parse_add_checkpoint,
    parse_mirror_info,
    parse_size,
)

ENTRIES = [b"%d" % number for number in range(700)]
TREE = Leaves(map(leaf_hash, ENTRIES))
SIGNED = signed(checkpoint_of(ENTRIES), [])
PROOF = tuple(consistency_proof(300, 700, TREE))
REQUEST = AddCheckpoint.of(300, PROOF, SIGNED).encode()


def test_a_checkpoint_request_has_the_specified_shape() -> None:
    old, *hashes = REQUEST[: REQUEST.index(b"\n\n")].split(b"\n")
    assert old == b"old 300"
    assert [len(each) for each in hashes] == [44] * len(PROOF)
    assert REQUEST.endswith(b"\n\n" + SIGNED)


def test_the_proof_of_a_request_is_checked_against_its_checkpoint() -> None:
    request = parse_add_checkpoint(REQUEST)
    new = request.checkpoint
    check_consistency(request.old, tree_root(300, TREE), new.size, new.root, request.proof)


HASH_LINE = b"A" * 43 + b"=\n"
BAD_REQUESTS = {
    "nothing": (b"", "mirrorwire.add_checkpoint"),
    "no old line": (REQUEST[8:], "mirrorwire.add_checkpoint"),
    "a leading zero": (REQUEST.replace(b"old 3", b"old 03", 1), "mirrorwire.add_checkpoint"),
    "a capital": (REQUEST.replace(b"old", b"Old", 1), "mirrorwire.add_checkpoint"),
    "a hash cut short": (REQUEST.replace(b"\n", b"\nAAAA\n", 1), "mirrorwire.add_checkpoint"),
    "64 hashes": (b"old 5\n" + HASH_LINE * 64 + b"\n" + SIGNED, "mirrorwire.add_checkpoint"),
    "an old size above the new": (b"old 701\n\n" + SIGNED, "mirrorwire.old_size"),
    "no checkpoint": (REQUEST[: REQUEST.index(b"\n\n") + 2], "note.no_signature"),
    "too long": (REQUEST * 500, "mirrorwire.too_long"),
}


@pytest.mark.parametrize(("body", "code"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_bytes_that_are_no_checkpoint_request_are_refused(body: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_add_checkpoint(body)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("start", "end", "ranges"),
    [
        (0, 0, []),
        (700, 700, []),
        (0, 1, [(0, 1)]),
        (0, 256, [(0, 256)]),
        (0, 257, [(0, 256), (256, 257)]),
        (255, 257, [(255, 256), (256, 257)]),
        (300, 700, [(300, 512), (512, 700)]),
    ],
)
def test_packages_are_cut_at_multiples_of_256(
    start: int, end: int, ranges: list[tuple[int, int]]
) -> None:
    assert list(package_ranges(start, end)) == ranges


def upload(start: int, end: int) -> Iterator[UploadHeader | Package]:
    yield UploadHeader(ORIGIN, start, end)
    for low, high in package_ranges(start, end):
        yield make_package(low, ENTRIES[low:high], end, TREE)


@pytest.mark.parametrize(("start", "end"), [(0, 700), (1, 257), (255, 256), (256, 700), (511, 513)])
@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_an_upload_is_read_in_any_chunks_and_every_package_proves_its_place(
    start: int, end: int, step: int
) -> None:
    body = b"".join(part.encode() for part in upload(start, end))
    reader = PackageReader()
    parts = [x for at in range(0, len(body), step) for x in reader.feed(body[at : at + step])]
    assert parts == list(upload(start, end))
    assert reader.complete
    root = tree_root(end, TREE)
    for package in (part for part in parts if isinstance(part, Package)):
        before = edge_of(package.bundle_start, package.start, TREE)
        leaves = check_package(package, before, end, root)
        assert leaves == [leaf_hash(entry) for entry in ENTRIES[package.start : package.end]]


def test_the_bytes_of_an_upload_are_those_written_down() -> None:
    """The known answer of docs/spec/mirror.md."""
    entries = [b"a", b"b"]
    package = make_package(1, entries[1:], 2, Leaves(map(leaf_hash, entries)))
    header = UploadHeader("o", 1, 2).encode()
    assert header.hex(" ", -8) == "00016f0000000000 0000010000000000 0000020000"
    assert package.encode().hex() == "00016200"


def test_a_package_with_a_changed_missing_or_moved_entry_is_refused() -> None:
    good = make_package(300, ENTRIES[300:512], 700, TREE)
    before, root = edge_of(256, 300, TREE), tree_root(700, TREE)
    check_package(good, before, 700, root)
    first, second, *rest = good.entries
    for entries in ((b"x", second, *rest), (second, first, *rest), (second, *rest)):
        with pytest.raises(ProofError):
            check_package(Package(300, entries, good.proof), before, 700, root)
    with pytest.raises(ProofError):
        check_package(good, RightEdge().extend([bytes(32)] * 44), 700, root)
    with pytest.raises(RuntimeError):
        check_package(good, RightEdge(), 700, root)


def test_the_header_and_each_package_come_out_as_soon_as_they_are_whole() -> None:
    parts = [part.encode() for part in upload(300, 700)]
    reader = PackageReader()
    assert list(reader.feed(parts[0][:-1])) == []
    assert reader.header is None
    assert list(reader.feed(parts[0][-1:])) == [UploadHeader(ORIGIN, 300, 700)]
    assert list(reader.feed(parts[1][:-1])) == []
    assert [type(part) for part in reader.feed(parts[1][-1:] + parts[2][:1])] == [Package]
    assert (reader.next, reader.complete) == (512, False)


def test_an_empty_upload_is_complete_with_its_header() -> None:
    reader = PackageReader()
    header = UploadHeader(ORIGIN, 700, 700, b"ticket")
    assert list(reader.feed(header.encode())) == [header]
    assert reader.complete


def test_bytes_after_the_last_package_are_refused_after_it_was_given() -> None:
    body = b"".join(part.encode() for part in upload(690, 700))
    reader = PackageReader()
    given: list[UploadHeader | Package] = []
    with pytest.raises(MalformedError, match=r"mirrorwire\.excess"):
        given.extend(reader.feed(body + b"x"))
    assert len(given) == 2
    late = PackageReader()
    assert len(list(late.feed(body))) == 2
    with pytest.raises(MalformedError, match=r"mirrorwire\.excess"):
        list(late.feed(b"x"))


HEADER = UploadHeader(ORIGIN, 5, 9).encode()
BAD_HEADERS = {
    "no origin": b"\0\0" + HEADER[2:],
    "an origin of 256 bytes": b"\1\0" + b"o" * 256 + bytes(18),
    "an origin that is not UTF-8": b"\0\1\xff" + bytes(18),
    "a start after the end": b"\0\1o" + bytes(7) + b"\2" + bytes(7) + b"\1\0\0",
    "an end of 2**63": b"\0\1o" + bytes(8) + b"\x80" + bytes(7) + b"\0\0",
}


@pytest.mark.parametrize("body", BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_a_header_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError, match=r"mirrorwire\.header"):
        list(PackageReader().feed(body))


def test_an_origin_with_a_newline_is_refused() -> None:
    with pytest.raises(MalformedError, match=r"checkpoint\.origin"):
        list(PackageReader().feed(b"\0\1\n" + bytes(18)))


def test_a_proof_of_64_hashes_is_refused_before_it_is_read() -> None:
    body = UploadHeader(ORIGIN, 0, 1).encode() + b"\0\1a\x40"
    with pytest.raises(MalformedError, match=r"mirrorwire\.proof_too_long"):
        list(PackageReader().feed(body))


def test_the_largest_package_is_read_in_bounded_memory() -> None:
    count = 3 * 256
    package = Package(0, (b"e" * 65_535,) * 256, (bytes(32),) * 63).encode()
    assert len(package) == MAX_PACKAGE_BYTES
    reader, read = PackageReader(), 0
    list(reader.feed(UploadHeader(ORIGIN, 0, count).encode()))
    tracemalloc.start()
    try:
        for _ in range(3):
            for at in range(0, len(package), 1 << 16):
                for part in reader.feed(package[at : at + (1 << 16)]):
                    assert isinstance(part, Package)
                    read += len(part.entries)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read == count
    assert peak < 3 * MAX_PACKAGE_BYTES


BAD_STATES = {
    "nothing": b"",
    "two lines": b"5\n6\n",
    "four lines": b"5\n6\n\n\n",
    "no padding": b"5\n6\nAA\n",
    "a leading zero": b"05\n6\n\n",
    "a carriage return": b"5\r\n6\n\n",
    "a sign": b"-5\n6\n\n",
    "a size of 2**63": b"9223372036854775808\n0\n\n",
    "a ticket without end": b"5\n6\n" + b"A" * 200_000 + b"\n",
}


@pytest.mark.parametrize("body", BAD_STATES.values(), ids=BAD_STATES.keys())
def test_bytes_that_are_no_mirrors_state_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedError, match=r"mirrorwire\.info"):
        parse_mirror_info(body)


def test_a_mirrors_state_has_the_specified_shape() -> None:
    assert MirrorInfo(700, 512, b"\0\1").encode() == b"700\n512\nAAE=\n"
    assert parse_mirror_info(b"700\n512\n\n") == MirrorInfo(700, 512)


@pytest.mark.parametrize("body", [b"", b"5", b"05\n", b"5\n\n", b" 5\n", b"5 \n", b"\n"])
def test_bytes_that_are_no_size_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedError, match=r"mirrorwire\.size"):
        parse_size(body)
    assert parse_size(format_size(0)) == 0
