"""A bundle: every record with what goes with it, and nothing that goes with none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from convenio.core.bundle import CHARTER, Kind, Name, policy_for
from convenio.core.errors import ConvenioError, MalformedError, UnverifiedError
from convenio.core.trust import Charter
from convenio.node.verify.files import Files, whole
from convenio.node.verify.records import Pieces, RecordChecker, Shown
from convenio.node.verify.report import Check, Findings, Statement


def brought_charter(files: Files) -> bytes | None:
    """The charter in the bundle.  Raises:  MalformedError: bundle.damaged."""
    return whole(files, CHARTER) if CHARTER in files.names else None


def check_members(
    files: Files, charter: Charter | None, checker: RecordChecker, findings: Findings
) -> tuple[Statement, ...]:
    """What the records of a bundle say, in the order of their names."""
    places: dict[str, list[Name]] = defaultdict(list)
    for name in files.names.values():
        if name.index >= 0:
            places[name.place].append(name)
    statements = []
    for place, names in places.items():
        try:
            statements.append(_check_place(place, names, files, checker))
        except MalformedError as error:
            findings.fails(Check.RECORD, place, error)
    for name in files.names.values():
        if name.kind is Kind.POLICY and charter:
            with findings.checking(Check.POLICY, name.text):
                _check_policy(name, files, charter)
        elif name.kind is Kind.README:
            with findings.checking(Check.README, name.text):
                whole(files, name.text)
    return tuple(each for each in statements if each)


def _check_place(
    place: str, names: Sequence[Name], files: Files, checker: RecordChecker
) -> Statement | None:
    """One record. What stands alone, a proof without its record, say, is an error."""
    kinds = {name.kind for name in names}
    if Kind.RECORD not in kinds:
        raise MalformedError("verify.no_record", file=names[0].text)
    if {n.part for n in _of(names, Kind.LABEL)} != {n.part for n in _of(names, Kind.CONTENT)}:
        raise MalformedError("verify.half_disclosed")
    (record,) = _of(names, Kind.RECORD)
    labels = {n.part: whole(files, n.text) for n in _of(names, Kind.LABEL)}
    shown = Shown(
        bodies={n.part: (n.text, _later(files, n)) for n in _of(names, Kind.BODY)},
        disclosed={
            n.part: (n.text, _later(files, n), labels[n.part]) for n in _of(names, Kind.CONTENT)
        },
    )
    proofs = {n.text: (n.cosigner, whole(files, n.text)) for n in _of(names, Kind.PROOF)}
    return checker.check(place, whole(files, record.text), proofs, shown)


def _of(names: Iterable[Name], kind: Kind) -> list[Name]:
    return [name for name in names if name.kind is kind]


def _later(files: Files, name: Name) -> Pieces:
    return lambda: files.pieces(name.text)


def _check_policy(name: Name, files: Files, charter: Charter) -> None:
    try:
        wanted = policy_for(charter, name.party, (name.cosigner,)).format()
    except ConvenioError as error:
        raise UnverifiedError("verify.policy_differs") from error
    if whole(files, name.text) != wanted:
        raise UnverifiedError("verify.policy_differs")
