"""Bundles: one zip in one form."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
from tests.support.bundles import pack, unpack
from tests.support.world import World

from convenio.core.bundle import (
    MAX_MEMBERS,
    Disclosed,
    Kind,
    Memory,
    addressees,
    parse_disclosed,
    parse_name,
    policy_for,
    read_bundle,
    read_member,
    write_bundle,
)
from convenio.core.errors import ConvenioError, MalformedError
from convenio.core.policy import parse_policy

FILES = {
    "README.txt": b"read me",
    "bodies/mx-12.0.age": b"sealed" * 20_000,
    "charter.note": b"charter",
    "disclosed/mx-12.1.content": b"",
    "mx-12.record": b"record",
    "mx-12.us.tlog-proof": b"proof",
    "mx.us.policy": b"policy",
}
LABEL = Disclosed(b"\x01" * 32, 3, b"\x02" * 32, "text/plain", "acta ñ.txt", "es")


def code(data: bytes) -> str:
    with pytest.raises(MalformedError) as raised:
        unpack(data)
    return raised.value.code


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return out.getvalue()


def test_what_was_written_is_read_and_the_same_files_are_the_same_bytes() -> None:
    assert unpack(pack(FILES)) == FILES
    assert pack(dict(reversed(FILES.items()))) == pack(FILES)


def test_pythons_own_zip_reader_finds_the_same_files() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(FILES))) as file:
        assert file.testzip() is None
        assert {name: file.read(name) for name in file.namelist()} == FILES


def test_a_content_given_as_a_function_is_streamed() -> None:
    pieces = [b"one", b"two"]
    written = b"".join(write_bundle({"mx-1.record": lambda: iter(pieces)}))
    assert unpack(written) == {"mx-1.record": b"onetwo"}


def test_a_content_that_changes_between_two_readings_is_noticed() -> None:
    answers = iter([[b"first"], [b"other"]])
    with pytest.raises(MalformedError, match=r"bundle\.changed"):
        list(write_bundle({"mx-1.record": lambda: next(answers)}))


@pytest.mark.parametrize(
    "name",
    [
        "../mx-1.record",
        "/mx-1.record",
        "bodies/../mx-1.record",
        "bodies\\mx-1.0.age",
        "C:mx-1.record",
        "mx-01.record",
        "mx--1.record",
        "mx-1.record\n",
        "mx-1.RECORD",
        "bodies/mx-1.32.age",
        "bodies/",
        "convenio.exe",
        "charter.note ",
        "ｍx-1.record",
        "",
    ],
)
def test_other_names_are_refused_on_both_sides(name: str) -> None:
    with pytest.raises(MalformedError, match=r"bundle\.name"):
        list(write_bundle({name: b""}))
    with pytest.raises(MalformedError, match=r"bundle\.name"):
        parse_name(name)
    if name:
        assert code(zipped({name: b"x"})) in {"bundle.name", "bundle.repacked"}


def test_a_traversal_name_written_into_a_bundle_of_ours_is_refused() -> None:
    data = pack({"mx-1.record": b"x"}).replace(b"mx-1.record", b"../1.record")
    assert code(data) == "bundle.name"


def test_a_zip_that_another_program_packed_is_refused_as_such() -> None:
    assert code(zipped(FILES)) == "bundle.repacked"
    assert code(zipped(FILES, zipfile.ZIP_DEFLATED)) == "bundle.repacked"


def test_a_bomb_is_refused_before_anything_is_unpacked() -> None:
    bomb = zipped({"disclosed/mx-1.0.content": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    assert code(bomb) == "bundle.repacked"


def test_members_that_overlap_are_refused() -> None:
    """Two entries of the directory that share the same bytes would grow what is read."""
    data = pack({"mx-1.record": b"x" * 10, "mx-2.record": b"x" * 10})
    second = data.index(b"PK\x03\x04", 4)
    entry = data.rindex(b"PK\x01\x02")
    moved = data[: entry + 42] + struct.pack("<L", 0) + data[entry + 46 :]
    assert code(moved) == "bundle.repacked"
    assert second > 0


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("something before it", b"#!/bin/sh\n" + pack(FILES)),
        ("something after it", pack(FILES) + b"\n"),
        ("nothing", b""),
        ("text", b"hello"),
        ("only the end of a zip", b"PK\x05\x06" + bytes(18)),
    ],
)
def test_nothing_lies_around_a_bundle(what: str, data: bytes) -> None:
    assert code(data) in {"bundle.not_a_bundle", "bundle.truncated"}, what


def test_something_hidden_between_two_members_is_refused() -> None:
    data = pack({"mx-1.record": b"a", "mx-2.record": b"b"})
    at = data.index(b"PK\x03\x04", 4)
    hidden = data[:at] + b"hidden" + data[at:]
    start = struct.pack("<L", hidden.index(b"PK\x01\x02"))
    assert code(hidden[:-6] + start + hidden[-2:]) == "bundle.repacked"


def test_something_hidden_before_the_directory_is_refused() -> None:
    """The end says where the directory starts: it may not name a later place than it is due."""
    data = pack({"mx-1.record": b"a"})
    at = data.index(b"PK\x01\x02")
    hidden = data[:at] + b"hidden" + data[at:]
    start = struct.pack("<L", at + len(b"hidden"))
    assert code(hidden[:-6] + start + hidden[-2:]) == "bundle.repacked"


def test_the_same_name_twice_is_refused() -> None:
    data = pack({"mx-1.record": b"a", "mx-2.record": b"b"})
    assert code(data.replace(b"mx-2.record", b"mx-1.record")) == "bundle.name_twice"


def test_members_out_of_order_are_refused() -> None:
    data = pack({"mx-1.record": b"a", "mx-2.record": b"b"})
    swapped = data.replace(b"mx-2.record", b"mx-0.record")
    assert code(swapped) == "bundle.repacked"


def test_every_length_short_of_the_whole_is_refused() -> None:
    data = pack({"README.txt": b"read", "mx-1.record": b"a" * 50})
    for length in range(len(data)):
        assert code(data[:length]) in {"bundle.not_a_bundle", "bundle.truncated"}


def test_a_member_larger_than_its_kind_allows_is_refused_on_both_sides() -> None:
    with pytest.raises(MalformedError, match=r"bundle\.too_long"):
        pack({"mx-1.record": bytes(16 * 1024 + 1)})
    data = bytearray(pack({"mx-1.record": b"a"}))
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<LL", data, entry + 20, 1 << 20, 1 << 20)
    assert code(bytes(data)) == "bundle.too_long"


def test_more_members_than_allowed_are_refused_from_the_count_alone() -> None:
    data = bytearray(pack({"mx-1.record": b"a"}))
    struct.pack_into("<HH", data, len(data) - 14, MAX_MEMBERS + 1, MAX_MEMBERS + 1)
    assert code(bytes(data)) == "bundle.too_many"


def test_a_damaged_member_is_noticed_when_it_has_been_read() -> None:
    data = pack({"mx-1.record": b"intact"}).replace(b"intact", b"intakt")
    source = Memory(data)
    (member,) = read_bundle(source)
    with pytest.raises(MalformedError, match=r"bundle\.damaged"):
        list(read_member(source, member))


def test_a_label_says_what_lies_beside_it_and_prints_back() -> None:
    assert parse_disclosed(LABEL.encode()) == LABEL
    plain = Disclosed(b"\x01" * 32, 0, b"\x02" * 32, "text/plain")
    assert parse_disclosed(plain.encode()) == plain


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":2'),
        (b'"disclosed"', b'"record"'),
        (b'"part":3', b'"part":32'),
        (b'"part":3', b'"part":true'),
        (b'"part":3', b'"more":1,"part":3'),
        (b'"media":"text/plain",', b""),
        (b"0202", b"02"),
        (b"acta", b"\\u0007acta"),
        (b"}\n", b"}"),
        (b"}\n", b"} \n"),
    ],
)
def test_any_other_label_is_refused(old: bytes, new: bytes) -> None:
    changed = LABEL.encode().replace(old, new, 1)
    assert changed != LABEL.encode()
    with pytest.raises(MalformedError):
        parse_disclosed(changed)


def test_a_name_says_which_record_is_meant() -> None:
    name = parse_name("disclosed/us-70.3.json")
    assert (name.kind, name.place, name.part) == (Kind.LABEL, "us/70", 3)
    assert parse_name("mx-0.us.tlog-proof").cosigner == "us"


def test_who_should_hold_a_record_and_the_policy_for_that(tmp_path: Path) -> None:
    with World(tmp_path, ("mx", "us", "gt")) as world:
        to_us = world.say("mx", "a", to=("us:liaison",)).header
        to_all = world.say("mx", "b", open_body=True).header
        assert addressees(to_us, world.charter) == ("us",)
        assert addressees(to_all, world.charter) == ("us", "gt")
        policy = policy_for(world.charter, "mx", ("us", "gt"))
        assert parse_policy(policy.format()) == policy
        assert policy.quorum == "cosigners"
        assert not policy.is_met_by({"us-mirror": 1})
        assert policy.is_met_by({"us-mirror": 1, "gt-mirror": 1})
        with pytest.raises(ConvenioError, match=r"trust\.not_a_member"):
            policy_for(world.charter, "mx", ("xx",))
