"""What only pages ask: sign-in, and what a person or a stranger may be shown."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import Final

from convenio.core.decide import Act, Question, decide
from convenio.core.errors import RefusedError
from convenio.node.commands.args import (
    MAX_PAGE,
    Args,
    Command,
    found_record,
    number_of,
    opened,
    text_of,
    texts_of,
    viewer_of,
)
from convenio.node.commands.channels import channel_json
from convenio.node.commands.doors import enters, holds_link, holds_session, named, sees_record
from convenio.node.commands.people import person_json
from convenio.node.commands.upkeep import channel_status
from convenio.node.control import Answer, Progress
from convenio.node.viewing import may_look_at, read_open, rules, title
from convenio.node.wiring import Node


def _web_link(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    by = text_of(args, "as")
    return asdict(node.signins.link(by, text_of(args, "person", by)))


def _web_whose(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    return {"person": node.signins.whose(text_of(args, "secret"))}


def _web_enter(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    return asdict(node.signins.enter(text_of(args, "secret")))


def _web_leave(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    node.signins.leave(text_of(args, "session"))
    return {}


def _web_who(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """Whose node this is, what time it has, and who holds the session, if it still stands."""
    session, person = text_of(args, "session", ""), None
    if session:
        with contextlib.suppress(RefusedError):
            person = person_json(node, node.signins.person(session))
    now, name = int(node.clock()), asdict(node.card.name)
    return {"party": node.party, "name": name, "now": now, "person": person}


def _web_channels(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """The channels this person may look at, and how they stand.

    readable: also their records. A stranger to a public channel is not told how our outbox fares.
    """
    person, shown = viewer_of(node, args), []
    for channel in node.registry.channels():
        if may_look_at(person, channel):
            standing = channel_status(node, channel)
            if person is None:
                standing["members"] = [{**m, "feed": None} for m in standing["members"]]
            readable = not decide(Question(Act.SEE, person, channel.signed.charter))
            shown.append(
                {**channel_json(node, channel), "standing": standing, "readable": readable}
            )
    return {"channels": shown}


def _web_rules(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """For each body of a record, the rule that forbids this person to open it, or ''."""
    return {"open": rules(viewer_of(node, args), found_record(node, args))}


def _web_titles(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """What a list calls these records (by leaf hash), where their first body is plain text."""
    person, lang, titles = viewer_of(node, args), text_of(args, "lang", "en"), {}
    for name in texts_of(args, "records")[:MAX_PAGE]:
        found = found_record(node, {**args, "record": name})
        titles[name] = title(node.blobs, person, found, lang)
    return {"titles": titles}


def _web_read(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """File: the content of an open body."""
    found, part = found_record(node, args), number_of(args, "part", 0, 31)
    with opened(files, 0, "wb") as out:
        label = read_open(node.blobs, viewer_of(node, args), found, part, out)
    return {"media": label.media, "name": label.name, "lang": label.lang}


COMMANDS: Final[dict[str, Command]] = {
    "web.link": Command(named, _web_link),
    "web.whose": Command(holds_link, _web_whose),
    "web.enter": Command(holds_link, _web_enter),
    "web.leave": Command(holds_session, _web_leave),
    "web.who": Command(holds_session, _web_who),
    "web.channels": Command(enters, _web_channels),
    "web.rules": Command(sees_record, _web_rules),
    "web.titles": Command(enters, _web_titles),
    "web.read": Command(sees_record, _web_read),
}
