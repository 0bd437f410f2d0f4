"""`convenio fsck`: everything derived again from the stored entries."""

from __future__ import annotations

from convenio.cli import exits
from convenio.cli.command import command as declare
from convenio.cli.findings import finding_text
from convenio.cli.link import Link
from convenio.cli.options import on_node
from convenio.cli.shell import Answer, Shell
from convenio.words import N_


@declare(
    "fsck",
    help=N_(
        "Derive every hash, tree and root again from the stored entries and compare; hash every "
        "content. Changes nothing. Exit code 3 if anything differs."
    ),
    example="convenio fsck mx",
)
@on_node
def command(shell: Shell, link: Link) -> int:
    with shell.progress(shell.text("Checking")) as progress:
        answer = link.call("fsck", {}, progress=progress)
    shell.answer(answer, lambda: _render(shell, answer))
    return exits.HOLDS if answer["clean"] else exits.NOT_VERIFIED


def _render(shell: Shell, answer: Answer) -> None:
    if answer["clean"]:
        shell.line(shell.text("Everything stored is what it was: entries, trees, roots, contents."))
        return
    shell.line(
        shell.text(
            "The stored data are damaged. Stop the node, keep the directory as it is, and restore:"
        )
    )
    for finding in answer["findings"]:
        where = finding.get("blob") or f"{finding['origin']} {finding.get('index', '')}".strip()
        shell.line(f"  {where}: {finding_text(shell, finding['code'], finding)}")
