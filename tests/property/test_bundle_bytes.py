"""Bundles: what is accepted prints back; what is not says so; nothing else comes out."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from tests.support.bundles import pack, unpack

from convenio.core.bundle import parse_disclosed, parse_name
from convenio.core.errors import MalformedError

PARTIES = st.from_regex(r"[a-z][a-z0-9]{1,15}", fullmatch=True)
INDEXES = st.integers(0, 10**15)
PARTS = st.integers(0, 31)
NAMES = st.one_of(
    st.sampled_from(["README.txt", "charter.note"]),
    st.builds("{}-{}.record".format, PARTIES, INDEXES),
    st.builds("{}-{}.{}.tlog-proof".format, PARTIES, INDEXES, PARTIES),
    st.builds("{}.{}.policy".format, PARTIES, PARTIES),
    st.builds("bodies/{}-{}.{}.age".format, PARTIES, INDEXES, PARTS),
    st.builds("disclosed/{}-{}.{}.content".format, PARTIES, INDEXES, PARTS),
)
FILES = st.dictionaries(NAMES, st.binary(max_size=300), min_size=1, max_size=8)
SMALL = pack({"README.txt": b"read", "mx-1.record": b"record", "mx.us.policy": b"policy"})


@given(FILES)
def test_what_is_written_is_read(files: dict[str, bytes]) -> None:
    assert unpack(pack(files)) == files


@given(FILES, st.data())
def test_any_byte_changed_or_taken_or_added_is_noticed(
    files: dict[str, bytes], data: st.DataObject
) -> None:
    whole = pack(files)
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    for changed in (
        whole[:at] + bytes([other]) + whole[at + 1 :],
        whole[:at] + whole[at + 1 :],
        whole[:at] + bytes([other]) + whole[at:],
    ):
        with contextlib.suppress(MalformedError):
            assert unpack(changed) == files, "other bytes were read as the same bundle"
            assert changed == whole


def test_every_bit_of_a_small_bundle_counts() -> None:
    for at in range(len(SMALL)):
        for bit in range(8):
            changed = bytearray(SMALL)
            changed[at] ^= 1 << bit
            with contextlib.suppress(MalformedError):
                unpack(bytes(changed))
                raise AssertionError(f"bit {bit} of byte {at} was not noticed")


@given(st.binary(max_size=400))
def test_whatever_the_bytes_only_our_own_errors_come_out(data: bytes) -> None:
    for given_bytes in (data, b"PK\x03\x04" + data, SMALL[: len(data)] + data):
        with contextlib.suppress(MalformedError):
            assert pack(unpack(given_bytes)) == given_bytes
    with contextlib.suppress(MalformedError):
        assert parse_disclosed(data).encode() == data


@given(st.text(max_size=40))
def test_a_name_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(MalformedError):
        assert parse_name(text).text == text
