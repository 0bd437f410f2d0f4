"""The sentence for each thing that `doctor` and `fsck` find."""

from __future__ import annotations

from typing import Final

from convenio.cli.shell import Answer, Shell
from convenio.words import N_
from convenio.words.errors import HAPPENED

_FOUND: Final = {
    "check.blob": N_("A stored content is not what its name says."),
    "check.checkpoint": N_("A checkpoint is not signed by its log, or is of another tree."),
    "check.cosigned": N_("A countersignature is kept for a root that the entries do not give."),
    "check.edge": N_("The stored summary of the tree does not fit the entries."),
    "check.entries": N_("Entries are missing, or there are more than the log says."),
    "check.file": N_("The database file is damaged."),
    "check.ids": N_("The list of record ids does not fit the entries."),
    "check.leaf": N_("An entry is not what its hash says."),
    "check.pending": N_("A waiting checkpoint has a root that the entries do not give."),
    "check.root": N_("The entries do not give the root that was signed."),
    "check.schema": N_("The database is not laid out as it must be, or a guard is missing."),
    "check.slot": N_("The index of leaf hashes does not fit the entries."),
    "check.tile": N_("A stored piece of the tree does not fit the entries."),
    "check.unreadable": N_("A part of the database cannot be read."),
    "doctor.alarm": N_(
        "{by} says that {about} has shown it another history in {channel} than the one here. Call "
        "both."
    ),
    "doctor.clock": N_(
        "The clock here and that of {party} differ by {skew_s} seconds. Set both by the network."
    ),
    "doctor.disk": N_("{free_mb} MB are free on the disk. When it is full nothing can be said."),
    "doctor.evidence": N_(
        "Evidence is kept that two histories of {origin} were signed. Do not rely on that log."
    ),
    "doctor.frozen": N_("The channel {channel} is frozen: two histories are signed by {party}."),
    "doctor.nobody_at_a_desk": N_(
        "Nobody sits at a desk, so nobody can say or open anything. See “convenio people add”."
    ),
    "doctor.open_file": N_("Other users of this machine can read {file}. Give it mode 600."),
    "doctor.roots_here": N_(
        "The root keys still lie in {folder}/ beside the node. Carry them away, each to another "
        "place."
    ),
    "doctor.set_aside": N_(
        "A damaged file was made again and is kept as {file}. Have the disk looked at, then delete "
        "it."
    ),
    "doctor.stale": N_("{party} has not been heard of for a day in {channel}, and records wait."),
    "doctor.states_differ": N_(
        "In {channel}, the node of {party} comes to other states of cases than this one from the "
        "same records. Call them and compare the versions of the program."
    ),
    "doctor.unconfirmed": N_(
        "The fingerprint of {channel} has not been compared. Call the partner, then give “convenio "
        "channel confirm”."
    ),
    "doctor.undelivered": N_(
        "{party} does not take our records in {channel}; waiting: {entries}. Reason: {why}."
    ),
    "doctor.unfit": N_(
        "{party} has logged records that break a rule and change nothing: {entries}."
    ),
    "doctor.unreached": N_(
        "{party} cannot be reached in {channel}; nothing of ours waits. Reason: {why}."
    ),
    "doctor.unsigned": N_("The charter of {channel} is not signed yet by {party}."),
    "doctor.waits": N_(
        "{party} says it has seen more than is here; its records wait for those of {for}."
    ),
}


def finding_text(shell: Shell, code: str, parameters: Answer) -> str:
    """What was found, in words; its code where there are none."""
    found = _FOUND.get(code)
    shown = {**parameters, "why": _why(shell, parameters)} if "why" in parameters else parameters
    return f"{shell.text(found, **shown)} [{code}]" if found else f"[{code}]"


def _why(shell: Shell, parameters: Answer) -> str:
    """The sentence for an error that a finding names, within another sentence, and its code."""
    code = str(parameters["why"])
    said = shell.text(HAPPENED[code], **parameters).rstrip(".") if code in HAPPENED else ""
    return f"{said} [{code}]".lstrip()
