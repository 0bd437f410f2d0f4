"""Every command a person or a page can give a node, by name: what the local socket dispatches.

A command takes plain values and open files, asks the services, and returns plain values. It decides
nothing itself: who may do what is asked of `core.decide`, here only for what has no service of its
own. Names and shapes: docs/reference/commands.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, BinaryIO, Final, cast

import orjson

from convenio.core.decide import Act, Person, Question, decide, require
from convenio.core.errors import ConvenioError, MalformedError, RefusedError
from convenio.core.record import PartyId
from convenio.core.trust import Text, fingerprint
from convenio.node import setup
from convenio.node.control import Answer, Progress
from convenio.node.doctor import examine
from convenio.node.index import Row
from convenio.node.keys import open_root
from convenio.node.local import Channel
from convenio.node.records import Found, State
from convenio.node.registry import Log
from convenio.node.speaking import Attachment, Saying
from convenio.node.viewing import may_look_at, read_open, rules, title
from convenio.node.wiring import Node
from convenio.store.durable import write_file
from convenio.store.export import CHECKPOINT, export_log

Args = dict[str, Any]
Command = Callable[[Node, Args, list[int], Progress], Answer]
MAX_PAGE: Final = 500
MAX_BATCH_LINE: Final = 1 << 20


def dispatcher(node: Node) -> Callable[[str, Args, list[int], Progress], Answer]:
    """What `control.ControlServer` calls for each request."""

    def handle(do: str, args: Args, files: list[int], progress: Progress) -> Answer:
        command = COMMANDS.get(do)
        if command is None:
            raise MalformedError("command.unknown", command=do[:40])
        return command(node, args, files, progress)

    return handle


# --- arguments -----------------------------------------------------------------------------------


def _text(args: Args, key: str, default: str | None = None) -> str:
    value = args.get(key, default)
    if not isinstance(value, str) or len(value) > 10_000:
        raise MalformedError("command.argument", argument=key)
    return value


def _texts(args: Args, key: str) -> list[str]:
    value = args.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MalformedError("command.argument", argument=key)
    return value


def _number(args: Args, key: str, default: int, most: int) -> int:
    value = args.get(key, default)
    if type(value) is not int or not 0 <= value <= most:
        raise MalformedError("command.argument", argument=key)
    return value


@contextmanager
def _file(files: list[int], place: int, mode: str) -> Iterator[BinaryIO]:
    if place >= len(files):
        raise MalformedError("command.argument", argument="file")
    with os.fdopen(os.dup(files[place]), mode) as file:
        yield cast(BinaryIO, file)


def _person(node: Node, args: Args) -> Person:
    return node.local.person(_text(args, "as"))


def _viewer(node: Node, args: Args) -> Person | None:
    """Who looks; None for a stranger."""
    name = args.get("as")
    return node.local.person(name) if isinstance(name, str) else None


def _found(node: Node, args: Args, act: Act = Act.SEE) -> Found:
    """The record meant, if this person may do `act` with its header."""
    person = _viewer(node, args)
    found = node.records.find(_text(args, "record"), _text(args, "channel", ""))
    require(Question(act, person, found.log.charter, found.header))
    return found


# --- saying --------------------------------------------------------------------------------------


def _say(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    bodies = args.get("bodies", [])
    if not isinstance(bodies, list) or len(bodies) != len(files):
        raise MalformedError("command.argument", argument="bodies")
    attached = []
    opened: list[BinaryIO] = []
    try:
        for handle, label in zip(files, bodies, strict=True):
            file: BinaryIO = os.fdopen(os.dup(handle), "rb")
            opened.append(file)
            attached.append(
                Attachment(
                    file,
                    os.fstat(handle).st_size,
                    _text(label, "media", "text/plain"),
                    _text(label, "name", ""),
                    _text(label, "lang", ""),
                )
            )
        return _accepted(node, args, _saying(args, tuple(attached)))
    finally:
        for file in opened:
            file.close()


def _saying(args: Args, bodies: tuple[Attachment, ...]) -> Saying:
    return Saying(
        channel=_text(args, "channel"),
        type=_text(args, "type", "statement.v1"),
        id=_text(args, "id", ""),
        to=tuple(_texts(args, "to")),
        bodies=bodies,
        desk=_text(args, "desk", ""),
        case=_text(args, "case", ""),
        inst=_text(args, "inst", ""),
        act=_text(args, "act", ""),
        due_in=_number(args, "due_in", 0, 2**31),
        cav=_text(args, "cav", ""),
        open_body=bool(args.get("open", False)),
        data=args.get("data", {}),
    )


def _accepted(node: Node, args: Args, saying: Saying) -> Answer:
    accepted = node.speaking.say(_text(args, "as"), saying)
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
    with _file(files, 0, "rb") as file:
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
    ch = node.registry.channel(_text(args, "channel")).ch
    seed = b"\n".join((b"convenio/batch/1", ch.encode(), str(number).encode(), line.strip()))
    merged = {**args, "id": hashlib.sha256(seed).hexdigest()[:32], **value}
    if "json" in value:
        content, media = (
            orjson.dumps(value["json"], option=orjson.OPT_SORT_KEYS),
            "application/json",
        )
    else:
        content, media = _text(value, "text").encode(), "text/plain"
    with os.fdopen(os.memfd_create("line"), "w+b") as file:
        file.write(content)
        file.seek(0)
        body = Attachment(file, len(content), media, "", _text(value, "lang", ""))
        return _accepted(node, merged, _saying(merged, (body,)))


_BATCH_FIELDS: Final = {
    *("text", "json", "lang", "id", "to", "type", "desk", "case", "act", "inst", "due_in", "cav"),
    *("open", "data"),
}


def _wait(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """Until every addressee's own log says it has all of the record, or the time is up."""
    leaf = bytes.fromhex(_text(args, "leaf"))
    seconds = _number(args, "seconds", 30, 86_400)
    wanted = State.COSIGNED if args.get("until") == "cosigned" else State.RECEIVED

    def state() -> list[State]:
        rows = node.index.by_prefix(leaf, 1)
        if not rows:
            return []
        return [d.state for d in node.records.delivery(node.records.at_row(rows[0]))]

    def ready() -> bool:
        states = state()
        good = (State.RECEIVED, wanted)
        return bool(states) and all(each in good for each in states)

    done = node.folding.wait_until(ready, float(seconds))
    rows = node.index.by_prefix(leaf, 1)
    shown = _record(node, node.records.at_row(rows[0])) if rows else None
    return {"done": done, "record": shown}


# --- reading -------------------------------------------------------------------------------------


def _record(node: Node, found: Found) -> Answer:
    header = found.header
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
            {"form": b.form, "bytes": b.n, "to": list(b.to), "here": node.blobs.has(b.c)}
            for b in header.bodies
        ],
        "delivery": [{**asdict(d), "state": str(d.state)} for d in node.records.delivery(found)],
    }


def _log(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    person = _viewer(node, args)
    channel = node.registry.channel(_text(args, "channel"))
    require(Question(Act.SEE, person, channel.signed.charter))
    limit = _number(args, "limit", 50, MAX_PAGE)
    before = _page_mark(channel, _text(args, "before", ""))
    automatic = bool(args.get("automatic", False))
    rows = node.records.latest(channel.ch, limit + 1, before, automatic=automatic)
    following = _mark(rows[limit - 1]) if len(rows) > limit > 0 else ""
    shown = [_record(node, node.records.at_row(row)) for row in rows[:limit]]
    return {"channel": channel.name, "records": shown, "next": following}


def _mark(row: Row) -> str:
    return f"{row.at}.{row.party}.{row.index}"


def _page_mark(channel: Channel, mark: str) -> Row | None:
    if not mark:
        return None
    at, _, rest = mark.partition(".")
    party, _, index = rest.partition(".")
    if not (at.isdecimal() and index.isdecimal() and len(mark) < 80 and mark.isascii()):
        raise MalformedError("command.argument", argument="before")
    return Row(channel.ch, PartyId(party), int(index), b"", int(at), "", "")


def _show(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    return _record(node, _found(node, args))


def _open(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    found = _found(node, args)
    part = _number(args, "part", 0, 31)
    with _file(files, 0, "wb") as out:
        opening = node.speaking.open(_text(args, "as"), found, part, out, _text(args, "reason", ""))
    label = opening.label
    return {"media": label.media, "name": label.name, "lang": label.lang}


# --- giving out ----------------------------------------------------------------------------------


def _receipt(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """Files: the .tlog-proof, then perhaps the record it is about.

    party: whose receipt; without it, the only other member's.
    """
    found = _found(node, args)
    others = [p for p in found.log.charter.members() if p != found.log.party]
    named = _text(args, "party", "")
    if not named and len(others) > 1:
        raise RefusedError("receipt.which_party", parties=", ".join(others))
    party = PartyId(named) if named else others[0]
    proof = node.receipts.receipt(found, party)
    with _file(files, 0, "wb") as out:
        out.write(proof)
    if len(files) > 1:
        with _file(files, 1, "wb") as out:
            out.write(found.entry)
    return {"leaf": found.leaf.hex(), "place": f"{found.log.party}/{found.index}", "party": party}


def _bundle(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """File: the zip. records: names of records, or none for all of a channel a person has said."""
    found = [_found(node, {**args, "record": name}) for name in _texts(args, "records")]
    with _file(files, 0, "wb") as out:
        node.bundles.bundle(_text(args, "as"), found, out, bodies=bool(args.get("with_bodies")))
    return {"records": len(found)}


def _disclose(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """File: the zip with one content in plain. It is on record before the first byte is given."""
    found = _found(node, args)
    part, code = _number(args, "part", 0, 31), _text(args, "code", "other")
    with _file(files, 0, "wb") as out:
        accepted = node.bundles.disclose(
            _text(args, "as"), found, part, code, _text(args, "reason", ""), out
        )
    return {"leaf": found.leaf.hex(), "disclosure": accepted.leaf.hex()}


# --- channels and people -------------------------------------------------------------------------


def _channel(channel: Channel) -> Answer:
    charter = channel.signed.charter
    return {
        "name": channel.name,
        "ch": channel.ch,
        "fingerprint": fingerprint(channel.ch),
        "title": asdict(charter.title),
        "access": charter.access,
        "purpose": charter.purpose,
        "signed": channel.signed.signed_by(),
        "missing": list(channel.signed.missing()),
        "confirmed_at": channel.confirmed_at,
        "confirmed_by": channel.confirmed_by,
        "frozen_at": channel.frozen_at,
        "in_force": channel.in_force and not channel.frozen_at,
        "parties": [
            {
                "party": card.party,
                "name": asdict(card.name),
                "domain": card.domain,
                "url": card.roster.url,
                "origin": charter.origin(card.party),
                "desks": [
                    {"id": d.id, "alias": d.alias, "name": asdict(d.name)}
                    for d in card.roster.desks
                ],
            }
            for card in charter.parties
        ],
    }


def _channels(node: Node, _args: Args, _files: list[int], _progress: Progress) -> Answer:
    return {"channels": [_channel(channel) for channel in node.registry.channels()]}


def _channel_show(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    channel = node.local.channel(_text(args, "channel"))
    if files:
        with _file(files, 0, "wb") as out:
            out.write(channel.signed.note.encode())
    return _channel(channel)


def _propose(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """Files: the other members' cards, then our root keys, `cards` says how many cards."""
    cards = _number(args, "cards", 1, 15)
    contents = _contents(files)
    phrase = _text(args, "root_passphrase")
    signed = node.channels.propose(
        _text(args, "as"),
        name=_text(args, "name"),
        title=Text(_text(args, "title_en"), _text(args, "title_es")),
        cards=contents[:cards],
        access=_text(args, "access", "members"),
        purpose=_text(args, "purpose", "cooperation"),
        roots=[open_root(each, phrase) for each in contents[cards:]],
    )
    return _with_note(node, signed.charter.ch)


def _accept(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """Files: the charter, then our root keys (none if only signatures are brought home)."""
    charter, *roots = _contents(files)
    phrase = _text(args, "root_passphrase", "")
    signed = node.channels.accept(
        _text(args, "as"), charter, [open_root(each, phrase) for each in roots]
    )
    return _with_note(node, signed.charter.ch)


def _with_note(node: Node, ch: str) -> Answer:
    channel = node.local.channel(ch)
    return {**_channel(channel), "charter": channel.signed.note.encode().decode()}


def _contents(files: list[int]) -> list[bytes]:
    contents = []
    for place in range(len(files)):
        with _file(files, place, "rb") as file:
            contents.append(file.read(1 << 20))
    if not contents:
        raise MalformedError("command.argument", argument="file")
    return contents


def _confirm(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    return _channel(
        node.channels.confirm(_text(args, "as"), _text(args, "channel"), _text(args, "fingerprint"))
    )


def _route(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    channel, party, url = (_text(args, key) for key in ("channel", "party", "url"))
    node.channels.route(_text(args, "as"), channel, party, url)
    return _channel(node.local.channel(channel))


def _shown_person(node: Node, person: Person) -> Answer:
    aliases = {desk.id: desk.alias for desk in node.keys.desks}
    return {
        "person": person.id,
        "roles": sorted(person.roles),
        "desks": sorted(aliases.get(desk, desk) for desk in person.desks),
        "active": person.active,
    }


def _people(node: Node, _args: Args, _files: list[int], _progress: Progress) -> Answer:
    return {"people": [_shown_person(node, person) for person in node.local.people()]}


def _people_add(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    person = node.people.add(
        _text(args, "as"),
        _text(args, "person"),
        _texts(args, "roles"),
        _texts(args, "desks"),
        int(node.clock()),
    )
    return _shown_person(node, person)


def _people_role(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    person = node.people.change(
        _text(args, "as"),
        _text(args, "person"),
        _texts(args, "roles"),
        _texts(args, "desks"),
        int(node.clock()),
    )
    return _shown_person(node, person)


def _people_disable(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    person = node.people.disable(_text(args, "as"), _text(args, "person"), int(node.clock()))
    return _shown_person(node, person)


# --- the node itself -----------------------------------------------------------------------------


def _status(node: Node, _args: Args, _files: list[int], _progress: Progress) -> Answer:
    """How each channel stands: our log, each partner's log here, what waits, what is wrong."""
    return {
        "party": node.party,
        "url": node.card.roster.url,
        "now": int(node.clock()),
        "channels": [_channel_status(node, channel) for channel in node.registry.channels()],
        "evidence": [
            {"origin": e.origin, "kind": e.kind, "at": e.at} for e in node.store.evidence()
        ],
    }


def _channel_status(node: Node, channel: Channel) -> Answer:
    feeds = {feed.party: feed for feed in node.feeds() if feed.ch == channel.ch}
    ch, cut = channel.ch, node.folding.cut(channel.ch)
    waits, members = node.folding.waits(ch), []
    for log in node.registry.logs(ch):
        head, feed = node.store.head(log.origin), feeds.get(log.party)
        members.append(
            {
                "party": log.party,
                "own": log.own,
                "origin": log.origin,
                "entries": head.size,
                "folded": cut.get(log.party, 0),
                "unfit": len(node.folding.unfit(ch, log.party)),
                "cosigned": _latest_cosignature(node, channel, log),
                "waits_for": asdict(waits[log.party]) if log.party in waits else None,
                "feed": asdict(feed) if feed else None,
            }
        )
    return {
        "name": channel.name,
        "in_force": channel.in_force,
        "missing": list(channel.signed.missing()),
        "confirmed_at": channel.confirmed_at,
        "frozen_at": channel.frozen_at,
        "alarms": [
            {"by": a.place.party, "about": a.about, "size": a.size} for a in node.folding.alarms(ch)
        ],
        "members": members,
    }


def _latest_cosignature(node: Node, channel: Channel, log: Log) -> Answer | None:
    """How much of our log this member's mirror has cosigned, and when it says it did."""
    if log.own:
        return None
    own = node.registry.own_log(channel.ch)
    name = log.charter.member(log.party).mirror_verifiers()[0].name
    latest = node.store.latest_cosignature(own.origin, name)
    return {"size": latest.size, "at": latest.at} if latest else {"size": 0, "at": 0}


def _fsck(node: Node, _args: Args, _files: list[int], progress: Progress) -> Answer:
    """Everything derived again from the entries, and every blob hashed."""
    findings = [
        {"origin": f.origin, "code": f.code, "index": f.index}
        for f in node.store.check(lambda _origin, done, total: progress(done, total))
    ]
    findings += [{"origin": "", "code": "check.blob", "blob": c} for c in node.blobs.check()]
    return {"findings": findings, "clean": not findings}


def _doctor(node: Node, _args: Args, _files: list[int], _progress: Progress) -> Answer:
    found = [asdict(finding) for finding in examine(node)]
    return {"findings": found, "grave": sum(finding["grave"] for finding in found)}


def _card(node: Node, _args: Args, files: list[int], _progress: Progress) -> Answer:
    """Our card, as a file to be given to a partner."""
    with _file(files, 0, "wb") as out:
        out.write((node.path / setup.CARD).read_bytes())
    return {"party": node.party, "url": node.card.roster.url}


def _export(node: Node, args: Args, _files: list[int], progress: Progress) -> Answer:
    """Every log and mirror of a channel (or of all) as plain files other people's tools read."""
    name = _text(args, "channel", "")
    logs = node.registry.logs(node.registry.channel(name).ch if name else None)
    made = []
    for done, log in enumerate(logs):
        progress(done, len(logs))
        made.append(_exported(node, log))
    return {"logs": made}


def _exported(node: Node, log: Log) -> Answer:
    folder = node.path / setup.TILES / log.key
    if log.own:
        node.publisher.publish(log.origin)
    head = export_log(node.store, log.origin, folder)
    if head.size:
        checkpoint = log_checkpoint(node, log)
        write_file(folder / CHECKPOINT, checkpoint, 0o644)
        write_file(folder / "charter.note", log.channel.signed.note.encode(), 0o644)
    return {"folder": str(folder), "origin": log.origin, "party": log.party, "entries": head.size}


def log_checkpoint(node: Node, log: Log) -> bytes:
    """The head with every cosignature over it that we have: ours, or those of the partners."""
    if not log.own:
        return node.mirror.checkpoint(log)
    head = node.store.head(log.origin)
    taken = node.store.cosignatures(log.origin, head.size)
    lines = {c.key_id: c.line for c in taken if c.size == head.size and c.name != log.origin}
    return head.checkpoint + b"".join(lines.values())


def _acts(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """Who did what here: for the keeper and auditors."""
    person = _person(node, args)
    if decide(Question(Act.GOVERN, person)) and "auditor" not in person.roles:
        raise RefusedError("decide.role")
    return {"acts": [asdict(act) for act in node.local.acts(_number(args, "limit", 100, 10_000))]}


# --- what pages ask ------------------------------------------------------------------------------


def _web_link(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    by = _text(args, "as")
    return asdict(node.signins.link(by, _text(args, "person", by)))


def _web_whose(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    return {"person": node.signins.whose(_text(args, "secret"))}


def _web_enter(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    return asdict(node.signins.enter(_text(args, "secret")))


def _web_leave(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    node.signins.leave(_text(args, "session"))
    return {}


def _web_who(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """Whose node this is, what time it has, and who holds the session, if it still stands."""
    session, person = _text(args, "session", ""), None
    if session:
        with contextlib.suppress(RefusedError):
            person = _shown_person(node, node.signins.person(session))
    now, name = int(node.clock()), asdict(node.card.name)
    return {"party": node.party, "name": name, "now": now, "person": person}


def _web_channels(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """The channels this person may look at, and how they stand.

    readable: also their records. A stranger to a public channel is not told how our outbox fares.
    """
    person, shown = _viewer(node, args), []
    for channel in node.registry.channels():
        if may_look_at(person, channel):
            standing = _channel_status(node, channel)
            if person is None:
                standing["members"] = [{**m, "feed": None} for m in standing["members"]]
            readable = not decide(Question(Act.SEE, person, channel.signed.charter))
            shown.append({**_channel(channel), "standing": standing, "readable": readable})
    return {"channels": shown}


def _web_rules(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """For each body of a record, the rule that forbids this person to open it, or ''."""
    return {"open": rules(_viewer(node, args), _found(node, args))}


def _web_titles(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """What a list calls these records (by leaf hash), where their first body is plain text."""
    person, lang, titles = _viewer(node, args), _text(args, "lang", "en"), {}
    for name in _texts(args, "records")[:MAX_PAGE]:
        found = _found(node, {**args, "record": name})
        titles[name] = title(node.blobs, person, found, lang)
    return {"titles": titles}


def _web_read(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """File: the content of an open body."""
    found, part = _found(node, args), _number(args, "part", 0, 31)
    with _file(files, 0, "wb") as out:
        label = read_open(node.blobs, _viewer(node, args), found, part, out)
    return {"media": label.media, "name": label.name, "lang": label.lang}


COMMANDS: Final[dict[str, Command]] = {
    "say": _say,
    "say.batch": _say_batch,
    "wait": _wait,
    "log": _log,
    "record": _show,
    "open": _open,
    "receipt": _receipt,
    "bundle": _bundle,
    "disclose": _disclose,
    "channel.list": _channels,
    "channel.show": _channel_show,
    "channel.propose": _propose,
    "channel.accept": _accept,
    "channel.confirm": _confirm,
    "channel.route": _route,
    "people.list": _people,
    "people.add": _people_add,
    "people.role": _people_role,
    "people.disable": _people_disable,
    "status": _status,
    "fsck": _fsck,
    "doctor": _doctor,
    "card": _card,
    "export": _export,
    "acts": _acts,
    "web.link": _web_link,
    "web.whose": _web_whose,
    "web.enter": _web_enter,
    "web.leave": _web_leave,
    "web.who": _web_who,
    "web.channels": _web_channels,
    "web.rules": _web_rules,
    "web.titles": _web_titles,
    "web.read": _web_read,
}
