"""Bodies, for any content, any label and any bytes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.sealing import DESKS, LABEL, READER, fixed, header_of, split

from convenio.core.errors import ConvenioError, MalformedError
from convenio.core.record import Address
from convenio.core.seal import (
    Inner,
    Label,
    check_disclosed,
    open_body,
    open_stream,
    padme,
    parse_inner,
    plain_body,
    seal_stream,
)

names = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp"), exclude_characters="/\\"),
    max_size=60,
).filter(lambda name: name not in (".", ".."))
labels = st.builds(
    Label,
    id=st.just(LABEL.id),
    ch=st.just(LABEL.ch),
    type=st.just(LABEL.type),
    part=st.integers(0, 31),
    media=st.sampled_from(["text/plain", "application/vnd.oasis.opendocument.text"]),
    name=names,
    lang=st.sampled_from(["", "es", "en", "es-MX", "nah"]),
)
contents = st.one_of(st.binary(max_size=500), st.integers(0, 150_000).map(bytes))
cuts = st.lists(st.integers(0, 70_000), max_size=5)
to_and_salt = st.one_of(
    st.just(((), b"")),
    st.tuples(
        st.lists(st.sampled_from(["us:00000001", "mx:00000002"]), min_size=1, unique=True)
        .map(sorted)
        .map(lambda found: tuple(map(Address, found))),
        st.binary(min_size=32, max_size=32),
    ),
)


@given(contents, names, cuts, cuts)
def test_what_was_sealed_is_opened(
    content: bytes, name: str, cut: list[int], cut_again: list[int]
) -> None:
    label = replace(LABEL, name=name)
    making = seal_stream(split(content, *cut), len(content), label, DESKS, fixed("p"))
    blob = b"".join(making)
    header = header_of(making.ref)
    assert open_body(blob, [READER], header, 0).data == content
    opening = open_stream(split(blob, *cut_again), [READER], header, 0)
    assert (opening.label, b"".join(opening)) == (label, content)
    check_disclosed(content, making.salt, making.ref.k)


@given(labels, to_and_salt, st.integers(0, 2**53 - 1))
def test_a_first_line_is_read_as_it_was_written(
    label: Label, reading: tuple[tuple[Address, ...], bytes], length: int
) -> None:
    inner = Inner(label, reading[0], length, reading[1])
    assert parse_inner(inner.encode()) == inner


@given(st.data())
def test_a_damaged_first_line_is_refused_or_prints_back(data: st.DataObject) -> None:
    line = Inner(LABEL, tuple(sorted(DESKS)), 5, bytes(32)).encode()
    at = data.draw(st.integers(0, len(line)))
    piece = data.draw(st.sampled_from([b"", b"0", b"1", b'"', b"}", b"ab", b"\n", b"\xff", b"\\u"]))
    damaged = line[:at] + piece + line[at + data.draw(st.integers(0, 3)) :]
    try:
        assert parse_inner(damaged).encode() == damaged
    except MalformedError:
        assert damaged != line


@given(st.binary(max_size=300))
def test_any_bytes_raise_only_our_errors(blob: bytes) -> None:
    body = plain_body(b"x", LABEL)
    for data in (blob, body.blob[:-40] + blob):
        try:
            list(open_stream((data,), [READER], header_of(body.ref), 0))
        except ConvenioError:
            continue
        assert data == body.blob


@given(st.integers(0, 2**60))
def test_padding_costs_at_most_an_eighth_and_hides_all_but_the_magnitude(size: int) -> None:
    padded = padme(size)
    assert size <= padded <= size + size // 8
    assert padme(padded) == padded
    bits = padded.bit_length()
    significant = len(bin(padded).rstrip("0")) - 2
    assert significant <= bits.bit_length() + 1
