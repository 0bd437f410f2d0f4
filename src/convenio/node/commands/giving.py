"""What leaves the node for somebody outside: receipts, bundles, disclosures."""

from __future__ import annotations

from typing import Final

from convenio.core.errors import RefusedError
from convenio.core.record import PartyId
from convenio.node.commands.args import (
    Args,
    Command,
    flag_of,
    found_record,
    number_of,
    opened,
    text_of,
    texts_of,
)
from convenio.node.commands.doors import named, sees_record
from convenio.node.control import Answer, Progress
from convenio.node.wiring import Node


def _receipt(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """Files: the .tlog-proof, then perhaps the record it is about.

    party: whose receipt; without it, the only other member's.
    """
    found = found_record(node, args)
    others = [p for p in found.log.charter.members() if p != found.log.party]
    named = text_of(args, "party", "")
    if not named and len(others) > 1:
        raise RefusedError("receipt.which_party", parties=", ".join(others))
    party = PartyId(named) if named else others[0]
    proof = node.receipts.receipt(found, party)
    with opened(files, 0, "wb") as out:
        out.write(proof)
    if len(files) > 1:
        with opened(files, 1, "wb") as out:
            out.write(found.entry)
    return {"leaf": found.leaf.hex(), "place": f"{found.log.party}/{found.index}", "party": party}


def _bundle(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """File: the zip. records: names of records, or none for all of a channel a person has said."""
    found = [found_record(node, {**args, "record": name}) for name in texts_of(args, "records")]
    with opened(files, 0, "wb") as out:
        node.bundles.bundle(text_of(args, "as"), found, out, bodies=flag_of(args, "with_bodies"))
    return {"records": len(found)}


def _disclose(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """File: the zip with one content in plain. It is on record before the first byte is given."""
    found = found_record(node, args)
    part, code = number_of(args, "part", 0, 31), text_of(args, "code", "other")
    with opened(files, 0, "wb") as out:
        accepted = node.bundles.disclose(
            text_of(args, "as"), found, part, code, text_of(args, "reason", ""), out
        )
    return {"leaf": found.leaf.hex(), "disclosure": accepted.leaf.hex()}


COMMANDS: Final[dict[str, Command]] = {
    "receipt": Command(sees_record, _receipt),
    "bundle": Command(named, _bundle),
    "disclose": Command(sees_record, _disclose),
}
