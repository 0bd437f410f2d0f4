"""`convenio card`: what a party gives its partners."""

from __future__ import annotations

from pathlib import Path

import click

from convenio.cli.command import command as declare
from convenio.cli.files import DASH, input_file, output, to_file
from convenio.cli.options import in_directory
from convenio.cli.shell import Answer, Shell
from convenio.core.card import Card, parse_card
from convenio.node.config import read_config
from convenio.node.setup import CARD
from convenio.words import N_


@declare(
    "card",
    help=N_(
        "Show the card of the node in DIR, or write it to a file for partners. A card holds names, "
        "public keys and the node's address, and nothing secret."
    ),
    example="convenio card mx -o mx.card",
)
@in_directory
@to_file(N_("Write the card there; - is standard output."), required=False)
@click.pass_obj
def command(shell: Shell, directory: Path, target: Path | None) -> None:
    read_config(directory)
    with input_file(directory / CARD) as file:
        data = file.read()
    card = parse_card(data)
    if target is not None:
        with output(target) as file:
            file.write(data)
    if target == DASH:
        return
    shell.answer(
        {**_plain(card), "file": str(target or directory / CARD)},
        lambda: _render(shell, card, target),
    )


def _plain(card: Card) -> Answer:
    return {
        "party": card.party,
        "name": {"en": card.name.en, "es": card.name.es},
        "domain": card.domain,
        "url": card.roster.url,
        "roots": {"needed": card.roots.k, "made": len(card.roots.keys)},
        "desks": [
            {"alias": desk.alias, "id": desk.id, "name": {"en": desk.name.en, "es": desk.name.es}}
            for desk in card.roster.desks
        ],
        "at": card.at,
    }


def _render(shell: Shell, card: Card, target: Path | None) -> None:
    spanish = shell.words.lang == "es"
    shell.line(f"{card.name.es if spanish else card.name.en} ({card.party})")
    shell.line(shell.text("Address: {url}", url=card.roster.url))
    shell.line(shell.text("Keys carry the name: {domain}", domain=card.domain))
    shell.line(
        shell.text(
            "Root keys: {needed} of {made} must sign",
            needed=card.roots.k,
            made=len(card.roots.keys),
        )
    )
    shell.line(shell.text("Made: {at}", at=shell.words.time(card.at)))
    for desk in card.roster.desks:
        shell.line(f"  {card.party}:{desk.alias}  {desk.name.es if spanish else desk.name.en}")
    if target is not None:
        shell.line(shell.text("Written to {file}. Give it to your partners.", file=target))
