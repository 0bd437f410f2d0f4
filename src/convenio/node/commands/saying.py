"""Saying something, one record or a batch, and waiting until it has arrived."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO, Final

import orjson

from convenio.core.errors import ConvenioError, MalformedError, RefusedError
from convenio.node.commands.args import (
    Args,
    Command,
    flag_of,
    leaf_of,
    number_of,
    object_of,
    opened,
    text_of,
    texts_of,
)
from convenio.node.commands.doors import sees_channel
from convenio.node.commands.reading import record_json
from convenio.node.control import Answer, Progress
from convenio.node.records import Found, State
from convenio.node.speaking import Attachment, Saying
from convenio.node.wiring import Node

MAX_BATCH_LINE: Final = 1 << 20
SIGN_EVERY_S: Final = 2


def _say(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    bodies = args.get("bodies", [])
    if not isinstance(bodies, list) or len(bodies) != len(files):
        raise MalformedError("command.argument", argument="bodies")
    attached = []
    opened: list[BinaryIO] = []
    try:
        for handle, body in zip(files, bodies, strict=True):
            label = object_of(body, "bodies")
            file: BinaryIO = os.fdopen(os.dup(handle), "rb")
            opened.append(file)
            attached.append(
                Attachment(
                    file,
                    os.fstat(handle).st_size,
                    text_of(label, "media", "text/plain"),
                    text_of(label, "name", ""),
                    text_of(label, "lang", ""),
                )
            )
        return _accepted(node, args, _saying(args, tuple(attached)))
    finally:
        for file in opened:
            file.close()


def _saying(args: Args, bodies: tuple[Attachment, ...]) -> Saying:
    said = Saying(
        channel=text_of(args, "channel"),
        type=text_of(args, "type", "statement.v1"),
        id=text_of(args, "id", ""),
        to=tuple(texts_of(args, "to")),
        bodies=bodies,
        desk=text_of(args, "desk", ""),
        case=text_of(args, "case", ""),
        inst=text_of(args, "inst", ""),
        act=text_of(args, "act", ""),
        due_in=number_of(args, "due_in", 0, 2**31),
        cav=text_of(args, "cav", ""),
        open_body=flag_of(args, "open"),
        data=object_of(args.get("data", {}), "data"),
    )
    if said.due_in and not (said.inst or said.case):
        raise RefusedError("say.no_clock")  # nobody would be held to it
    return said


def _accepted(node: Node, args: Args, saying: Saying) -> Answer:
    accepted = node.speaking.say(text_of(args, "as"), saying)
    return {
        "channel": saying.channel,
        "place": f"{node.party}/{accepted.index}",
        "leaf": accepted.leaf.hex(),
        "known": accepted.known,
    }


def _say_batch(node: Node, args: Args, files: list[int], progress: Progress) -> Answer:
    """Each line one record. The same file said twice is said once: ids are made of its lines."""
    total = os.fstat(files[0]).st_size if files else 0
    done = known = read = 0
    first = last = ""
    with opened(files, 0, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_BATCH_LINE), b"")):
            read += len(line)
            if not line.strip():
                continue
            try:
                answer = _say_line(node, args, number, line)
            except ConvenioError as error:
                error.parameters.setdefault("line", number + 1)
                raise
            last = answer["place"]
            first = first or last
            done += 1
            known += answer["known"]
            progress(read, total)
    return {"accepted": done, "known": known, "first": first, "last": last}


def _say_line(node: Node, args: Args, number: int, line: bytes) -> Answer:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise MalformedError("batch.line", line=number + 1) from error
    if not isinstance(value, dict) or not value.keys() <= _BATCH_FIELDS:
        raise MalformedError("batch.line", line=number + 1)
    if "json" in value and "text" in value:  # one of them would be lost
        raise MalformedError("batch.line", line=number + 1)
    ch = node.registry.channel(text_of(args, "channel")).ch
    seed = b"\n".join((b"convenio/batch/1", ch.encode(), str(number).encode(), line.strip()))
    merged = {**args, "id": hashlib.sha256(seed).hexdigest()[:32], **value}
    if "json" in value:
        content, media = (
            orjson.dumps(value["json"], option=orjson.OPT_SORT_KEYS),
            "application/json",
        )
    else:
        content, media = text_of(value, "text").encode(), "text/plain"
    with os.fdopen(os.memfd_create("line"), "w+b") as file:
        file.write(content)
        file.seek(0)
        body = Attachment(file, len(content), media, "", text_of(value, "lang", ""))
        return _accepted(node, merged, _saying(merged, (body,)))


_BATCH_FIELDS: Final = {
    *("text", "json", "lang", "id", "to", "type", "desk", "case", "act", "inst", "due_in", "cav"),
    *("open", "data"),
}


def _wait(node: Node, args: Args, _files: list[int], progress: Progress) -> Answer:
    """Until every addressee's own log says it has all of the record, or the time is up.

    Of a record in this channel; one of another channel is as if it were not there. A sign of life
    is given all the while, so that a caller who has gone is not waited for.
    """
    leaf, ch = leaf_of(args, "leaf"), node.registry.channel(text_of(args, "channel")).ch
    seconds = number_of(args, "seconds", 30, 86_400)
    wanted = State.COSIGNED if args.get("until") == "cosigned" else State.RECEIVED

    def found() -> Found | None:
        rows = [row for row in node.index.by_prefix(leaf) if row.ch == ch]
        return node.records.at_row(rows[0]) if rows else None

    def ready() -> bool:
        record = found()
        states = [d.state for d in node.records.delivery(record)] if record else []
        good = (State.RECEIVED, wanted)
        return bool(states) and all(each in good for each in states)

    done, waited = node.folding.wait_until(ready, float(min(seconds, SIGN_EVERY_S))), SIGN_EVERY_S
    while not done and waited < seconds:
        progress(waited, seconds)
        done = node.folding.wait_until(ready, float(min(seconds - waited, SIGN_EVERY_S)))
        waited += SIGN_EVERY_S
    record = found()
    return {"done": done, "record": record_json(node, record) if record else None}


COMMANDS: Final[dict[str, Command]] = {
    "say": Command(sees_channel, _say),
    "say.batch": Command(sees_channel, _say_batch),
    "wait": Command(sees_channel, _wait, lasts=True),
}
