"""`convenio status`: how each channel stands."""

from __future__ import annotations

from convenio.cli.command import command as declare
from convenio.cli.link import Link
from convenio.cli.options import on_node
from convenio.cli.shell import Answer, Shell
from convenio.words import N_
from convenio.words.errors import HAPPENED


@declare(
    "status",
    help=N_(
        "How each channel stands: what we said and who has countersigned it, what partners said "
        "and is here, what waits and why."
    ),
    example="convenio status mx",
)
@on_node
def command(shell: Shell, link: Link) -> None:
    running = link.running()
    answer = {**link.call("status", {}), "running": running}
    shell.answer(answer, lambda: _render(shell, answer))


def _render(shell: Shell, status: Answer) -> None:
    known = {"party": status["party"], "url": status["url"]}
    if status["running"]:
        shell.line(shell.text("The node of {party} is running, at {url}.", **known))
    else:
        shell.line(
            shell.text("The node of {party} is not running; partners cannot reach {url}.", **known)
        )
    rows = [
        _row(shell, channel, member)
        for channel in status["channels"]
        for member in channel["members"]
    ]
    headings = [
        shell.text("Channel"),
        shell.text("Log of"),
        shell.text("Records"),
        shell.text("Read here"),
        shell.text("Void"),
        shell.text("State"),
    ]
    if rows:
        shell.table(headings, rows)
    for channel in status["channels"]:
        _render_channel(shell, channel)
    for evidence in status["evidence"]:
        at = shell.words.time(evidence["at"])
        shell.line(
            shell.text(
                "ALARM {at}: evidence of two histories of {origin} is kept.",
                at=at,
                origin=evidence["origin"],
            )
        )


def _row(shell: Shell, channel: Answer, member: Answer) -> list[str]:
    return [
        channel["name"],
        member["party"],
        f"{member['entries']:,}",
        f"{member['folded']:,}",
        f"{member['unfit']:,}",
        _state(shell, member),
    ]


def _state(shell: Shell, member: Answer) -> str:
    """Our own log has no feed; another's says how far that member is with our log."""
    feed = member["feed"]
    if member["own"]:
        return shell.text("our own")
    if feed is None:
        return shell.text("not delivering now")
    said = shell.text("has countersigned {n} of ours", n=f"{feed['cosigned']:,}")
    if feed["error"]:
        reason = (
            shell.text(HAPPENED[feed["error"]], **feed["parameters"])
            if feed["error"] in HAPPENED
            else ""
        )
        return f"{said}. {reason} [{feed['error']}]"
    return said


def _render_channel(shell: Shell, channel: Answer) -> None:
    name = channel["name"]
    if channel["missing"]:
        shell.line(
            shell.text(
                "{channel}: not signed yet by {parties}",
                channel=name,
                parties=", ".join(channel["missing"]),
            )
        )
    elif not channel["in_force"]:
        shell.line(shell.text("{channel}: waits for its fingerprint to be compared", channel=name))
    if channel["differ"]:
        shell.line(
            shell.text(
                "{channel}: ALARM: the nodes of {parties} come to other states of cases than this "
                "one from the same records. Call them.",
                channel=name,
                parties=", ".join(channel["differ"]),
            )
        )
    if channel["frozen_at"]:
        at = shell.words.time(channel["frozen_at"])
        shell.line(
            shell.text(
                "{channel}: FROZEN since {at}, because two histories are signed by {parties}. What "
                "comes now is kept and countersigned, and changes nothing.",
                channel=name,
                at=at,
                parties=", ".join(channel["split"]),
            )
        )
