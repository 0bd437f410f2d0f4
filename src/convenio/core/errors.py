"""The one error tree, split by who can act.

An error carries a stable `code`, parameters, and whether trying again can help. It carries no
sentences: shells turn a code into words (`convenio.words`) and into an exit or HTTP status.
Misuse by our own code is `RuntimeError` and stays outside this tree.
"""

from __future__ import annotations

from typing import ClassVar

Parameter = str | int


class ConvenioError(Exception):
    """What went wrong, as a stable code with parameters, never as prose."""

    permanent: ClassVar[bool] = True

    def __init__(self, code: str, **parameters: Parameter) -> None:
        super().__init__(code)
        self.code = code
        self.parameters = parameters

    def __str__(self) -> str:
        shown = ", ".join(f"{key}={value}" for key, value in sorted(self.parameters.items()))
        return f"{self.code} ({shown})" if shown else self.code


class MalformedError(ConvenioError):
    """The bytes are not of the format; nothing was read from them."""


class UnverifiedError(ConvenioError):
    """The format is right, the proof is not."""


class SignatureError(UnverifiedError):
    """A signature of a known key does not verify, or a needed one is missing."""


class ProofError(UnverifiedError):
    """A Merkle proof does not lead from what is claimed to what is signed."""


class QuorumError(UnverifiedError):
    """Too few of the keys that must agree have signed."""


class SplitViewError(UnverifiedError):
    """One party has signed two histories. An alarm: the evidence is kept, never retried."""


class ConflictError(ConvenioError):
    """Someone moved first; the parameters carry the state that is known."""

    permanent: ClassVar[bool] = False


class RefusedError(ConvenioError):
    """A rule said no; the code names the rule."""


class UnavailableError(ConvenioError):
    """Not now: the disk, the clock, the partner or the lock. Trying later can help."""

    permanent: ClassVar[bool] = False
