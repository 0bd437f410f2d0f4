"""Taking bundles apart and putting them together again, as somebody who tampers would."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.world import World

from convenio.core.bundle import Memory, read_bundle, read_member, write_bundle
from convenio.node.records import Found
from convenio.node.verify import Check, Outcome, Report, verify

Content = dict[str, bytes]


def pack(files: Mapping[str, bytes]) -> bytes:
    return b"".join(write_bundle(dict(files)))


def unpack(data: bytes) -> Content:
    source = Memory(data)
    return {m.name.text: b"".join(read_member(source, m)) for m in read_bundle(source)}


def bundle(world: World, holder: str, found: Iterable[Found], *, bodies: bool = True) -> bytes:
    out = io.BytesIO()
    world.members[holder].bundles.bundle("ana", list(found), out, bodies=bodies)
    return out.getvalue()


def disclosure(world: World, holder: str, found: Found, part: int = 0) -> bytes:
    out = io.BytesIO()
    bundles = world.members[holder].bundles
    bundles.disclose("ana", found, part, "court", "ordered by a judge", out)
    return out.getvalue()


def checked(
    world: World, folder: Path, data: bytes | Mapping[str, bytes], trust: bytes | str | None = None
) -> Report:
    """The report on a bundle, under the world's own charter unless told otherwise."""
    path = folder / "given.zip"
    path.write_bytes(data if isinstance(data, bytes) else pack(data))
    return verify(path, trust=world.note if trust is None else trust, now=world.now)


def failures(report: Report) -> set[tuple[Check, str]]:
    return {(each.check, each.reason) for each in report.failed}


def missing(report: Report) -> set[tuple[Check, str]]:
    return {(e.check, e.reason) for e in report.findings if e.outcome is Outcome.MISSING}


def noted(report: Report) -> set[Check]:
    return {each.check for each in report.findings if each.outcome is Outcome.NOTED}
