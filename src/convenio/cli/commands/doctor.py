"""`convenio doctor`: what a keeper should look at."""

from __future__ import annotations

from convenio.cli import exits
from convenio.cli.command import command as declare
from convenio.cli.findings import finding_text
from convenio.cli.link import Link
from convenio.cli.options import on_node
from convenio.cli.shell import Answer, Shell
from convenio.words import N_


@declare(
    "doctor",
    help=N_(
        "Look for what is wrong with a node and its surroundings: disk, files, clock, partners, "
        "unfinished channels, alarms. Repairs nothing. Exit code 5 if something is grave."
    ),
    example="convenio doctor mx",
)
@on_node
def command(shell: Shell, link: Link) -> int:
    answer = link.call("doctor", {})
    shell.answer(answer, lambda: _render(shell, answer))
    return exits.UNAVAILABLE if answer["grave"] else exits.HOLDS


def _render(shell: Shell, answer: Answer) -> None:
    for finding in sorted(answer["findings"], key=lambda each: not each["grave"]):
        mark = shell.text("ACT NOW") if finding["grave"] else shell.text("advice")
        shell.line(f"{mark}: {finding_text(shell, finding['code'], finding['parameters'])}")
    if not answer["findings"]:
        shell.line(shell.text("Nothing needs your attention."))
