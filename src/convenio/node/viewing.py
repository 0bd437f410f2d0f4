"""What pages ask beyond the commands: who may open what, and what is plain to the channel anyway.

Reading an open body is not an opening: everybody in the channel has it, so no reason is asked and
nothing is written down. Sealed bodies go through `speaking.open`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import orjson

from convenio.core.decide import Act, Person, Question, decide, require
from convenio.core.errors import ConvenioError, RefusedError
from convenio.core.seal import Label, open_stream
from convenio.node.local import Channel
from convenio.node.records import Found
from convenio.node.registry import shelf_of
from convenio.store.objects import BlobStore

MAX_TITLED_BYTES: Final = 64 * 1024
MAX_TITLE: Final = 120
_PIECE: Final = 64 * 1024


def may_look_at(person: Person | None, channel: Channel) -> bool:
    """Whether a channel may be shown at all: its readers, and who governs this node."""
    charter = channel.signed.charter
    acts = (Act.SEE, Act.GOVERN)
    return any(not decide(Question(act, person, charter)) for act in acts)


def rules(person: Person | None, found: Found) -> list[str]:
    """For each body, the rule that forbids this person to open it; empty where none does."""
    header, charter = found.header, found.log.charter
    return [
        decide(Question(Act.OPEN, person, charter, header, part))
        for part in range(len(header.bodies))
    ]


def read_open(
    blobs: BlobStore, person: Person | None, found: Found, part: int, out: BinaryIO
) -> Label:
    """The content of an open body is in `out`. The record's hash of it is checked on the way.

    Raises:  RefusedError: decide.* · open.sealed · UnavailableError: blob.absent ·
             UnverifiedError: seal.*; then what is in `out` is to be thrown away.
    """
    header = found.header
    require(Question(Act.OPEN, person, found.log.charter, header, part))
    if part >= len(header.bodies) or header.bodies[part].form != "open":
        raise RefusedError("open.sealed")
    with shelf_of(blobs, found.log).open(header.bodies[part].c) as blob:
        opening = open_stream(_pieces(blob), (), header, part)
        for piece in opening:
            out.write(piece)
    out.flush()
    return opening.label


def title(blobs: BlobStore, person: Person | None, found: Found, lang: str) -> dict[str, str]:
    """What a list calls a record: the first line of its first body, if that is plain text.

    From JSON what it calls itself, in `lang` if it has both. Empty for all others, and for whom the
    body is not. lang in the answer: the language the line is in, as its author says, or ''.
    """
    header = found.header
    if not header.bodies or header.bodies[0].form != "open" or rules(person, found)[0]:
        return {}
    if header.bodies[0].n > MAX_TITLED_BYTES:
        return {}
    try:
        with shelf_of(blobs, found.log).open(header.bodies[0].c) as blob:
            opening = open_stream(_pieces(blob), (), header, 0)
            content = b"".join(opening)
    except ConvenioError:
        return {}  # it is not here, or not what the record says: the record's own page tells
    return _title_of(content, opening.label, lang)


def _title_of(content: bytes, label: Label, lang: str) -> dict[str, str]:
    try:
        if label.media == "application/json":
            return _title_in_json(orjson.loads(content), label.lang, lang)
        if not label.media.startswith("text/"):
            return {}
        lines = (line.strip() for line in content.decode().splitlines())
        return {"text": next(filter(None, lines), "")[:MAX_TITLE], "lang": label.lang}
    except ValueError:
        return {}


def _title_in_json(value: object, written_in: str, lang: str) -> dict[str, str]:
    """`number`, then `title`, `name` or `text`, then `year` and `value`, as far as it has them."""
    if not isinstance(value, dict):
        return {}
    called = next((value[key] for key in ("title", "name", "text") if key in value), None)
    if isinstance(called, dict):
        chosen = lang if isinstance(called.get(lang), str) else next(iter(called), "")
        called, written_in = called.get(chosen), str(chosen)
    if not isinstance(called, str):
        return {}
    number, year, counted = (_short(value.get(key)) for key in ("number", "year", "value"))
    said = " ".join(filter(None, (number, called)))
    said += f", {year}" if year else ""
    said += f": {counted}" if counted else ""
    return {"text": said[:MAX_TITLE], "lang": written_in}


def _short(value: object) -> str:
    return str(value)[:40] if isinstance(value, str | int | float) else ""


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
