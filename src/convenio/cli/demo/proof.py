"""Checks as a stranger makes them: from files and a fingerprint, nothing else."""

from __future__ import annotations

from pathlib import Path

from convenio.cli.shell import now
from convenio.node.verify import Grade, Report, verify


def holds(given: Path, trust: str | None) -> Report:
    """What `convenio verify` finds."""
    return verify(given, trust=trust, now=now())


def bundle_holds(bundle: Path, trust: str) -> int:
    """How many records of a bundle are proved to be held by a partner."""
    report = holds(bundle, trust)
    if report.grade is not Grade.VOUCHED:
        return 0
    return sum(bool(said.cosigned) for said in report.statements)


def spoil(file: Path, at: int) -> None:
    """Change one bit of a file."""
    with file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)
        opened.seek(at)
        opened.write(bytes([byte[0] ^ 1]))
