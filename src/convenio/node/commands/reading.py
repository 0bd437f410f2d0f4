"""Records: listed, shown, opened."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from convenio.core.errors import MalformedError, RefusedError
from convenio.core.place import Place
from convenio.core.record import PartyId
from convenio.instruments.cases import Case
from convenio.node.commands.args import (
    MAX_PAGE,
    Args,
    Command,
    flag_of,
    found_record,
    number_of,
    opened,
    text_of,
)
from convenio.node.commands.doors import sees_channel, sees_record
from convenio.node.control import Answer, Progress
from convenio.node.index import Row
from convenio.node.local import Channel
from convenio.node.records import Found
from convenio.node.registry import shelf_of
from convenio.node.wiring import Node


def record_json(node: Node, found: Found) -> Answer:
    header, shelf = found.header, shelf_of(node.blobs, found.log)
    return {
        "channel": found.log.channel.name,
        "place": f"{found.log.party}/{found.index}",
        "leaf": found.leaf.hex(),
        "id": header.id,
        "at": header.at,
        "type": header.type,
        "from": header.sender,
        "desks": [name.rpartition("/")[2] for name in header.by],
        "to": list(header.to),
        "case": header.case,
        "inst": header.inst,
        "act": header.act,
        "due_in": header.due_in,
        "cav": header.cav,
        "data": header.data,
        "bodies": [
            {"form": b.form, "bytes": b.n, "to": list(b.to), "here": shelf.has(b.c)}
            for b in header.bodies
        ],
        "delivery": [{**asdict(d), "state": str(d.state)} for d in node.records.delivery(found)],
    }


def _log(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    channel = node.registry.channel(text_of(args, "channel"))
    limit = number_of(args, "limit", 50, MAX_PAGE)
    before = _page_mark(channel, text_of(args, "before", ""))
    automatic = flag_of(args, "automatic")
    rows = node.records.latest(channel.ch, limit + 1, before, automatic=automatic)
    following = _mark(rows[limit - 1]) if len(rows) > limit > 0 else ""
    shown = [record_json(node, node.records.at_row(row)) for row in rows[:limit]]
    return {"channel": channel.name, "records": shown, "next": following}


def _mark(row: Row) -> str:
    return f"{row.at}.{row.party}.{row.index}"


def _page_mark(channel: Channel, mark: str) -> Row | None:
    if not mark:
        return None
    at, _, rest = mark.partition(".")
    party, _, index = rest.partition(".")
    numbers = at.isdecimal() and index.isdecimal() and len(at) < 19 and len(index) < 19
    if not (numbers and len(mark) < 80 and mark.isascii()):
        raise MalformedError("command.argument", argument="before")
    return Row(channel.ch, PartyId(party), int(index), b"", int(at), "", "")


def _show(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    return record_json(node, found_record(node, args))


def _case(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """The case that a record opened: its state, every act in order, and its clocks as of now."""
    found = found_record(node, args)
    case = node.folding.case(found.log.channel.ch, found.leaf)
    if case is None:
        raise RefusedError("case.none", record=f"{found.log.party}/{found.index}")
    return case_json(case, int(node.clock()))


def _open(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    found = found_record(node, args)
    part = number_of(args, "part", 0, 31)
    with opened(files, 0, "wb") as out:
        opening = node.speaking.open(
            text_of(args, "as"),
            found,
            part,
            out,
            text_of(args, "reason", ""),
            number_of(args, "most", 0, 1 << 40),
        )
    label = opening.label
    return {"media": label.media, "name": label.name, "lang": label.lang}


def case_json(case: Case, now: int) -> Answer:
    """The same on every node that has folded the same, for the same `now`."""
    return {
        "leaf": case.leaf.hex(),
        "instrument": case.instrument.name,
        "state": case.state,
        "contested": case.contested,
        "roles": dict(case.roles),
        "steps": [
            {
                "place": _place(step.event.place),
                "act": step.event.act,
                "verdict": step.verdict.value,
                "state": step.state,
                "settled": settled,
            }
            for step, settled in zip(case.steps, case.settled, strict=True)
        ],
        "clocks": [
            {
                "clock": debt.clock,
                "debtor": debt.debtor,
                "creditor": debt.creditor,
                "status": debt.status.value,
                "since": debt.since,
                "due": debt.due,
                "final": debt.final,
                "met_by": _place(debt.met_by) if debt.met_by else "",
                "disputed": debt.disputed,
                "overdue": debt.overdue(now),
            }
            for debt in case.debts
        ],
    }


def _place(place: Place) -> str:
    return f"{place.party}/{place.index}"


COMMANDS: Final[dict[str, Command]] = {
    "case": Command(sees_record, _case),
    "log": Command(sees_channel, _log),
    "record": Command(sees_record, _show),
    "open": Command(sees_record, _open),
}
