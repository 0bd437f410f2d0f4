"""The sentence for each error code: what happened; then what was kept and what to do.

The second half is the same for most errors of one class, so it is written once per class here;
a code with better advice has its own. The English is the key of the Spanish in the catalogue.
"""

from __future__ import annotations

from typing import Final

from convenio.core.errors import (
    ConflictError,
    ConvenioError,
    MalformedError,
    QuorumError,
    RefusedError,
    SplitViewError,
    UnavailableError,
    UnverifiedError,
)

_UNKNOWN: Final = "Something failed that has no sentence yet ({code})."


def sentences(error: ConvenioError) -> tuple[str, str]:
    """What happened and what follows from it, as message ids for the catalogue."""
    happened = HAPPENED.get(error.code, _UNKNOWN)
    if error.code in ADVICE:
        return happened, ADVICE[error.code]
    kind = next(kind for kind in type(error).__mro__ if kind in ADVICE_BY_CLASS)
    return happened, ADVICE_BY_CLASS[kind]


def every_sentence() -> list[str]:
    """All message ids of this table, for the catalogues."""
    return [_UNKNOWN, *HAPPENED.values(), *ADVICE.values(), *ADVICE_BY_CLASS.values()]


ADVICE_BY_CLASS: Final[dict[type, str]] = {
    MalformedError: "Nothing was taken from it and nothing changed here. "
    "Ask whoever made it for an intact copy.",
    UnverifiedError: "It was not accepted and nothing changed here. "
    "Do not rely on it until its sender has explained it.",
    QuorumError: "It was not accepted and nothing changed here. "
    "Collect the signatures that are missing, then try again.",
    SplitViewError: "Both signed versions are kept as evidence. "
    "Stop relying on that party's log and call them by voice.",
    ConflictError: "What was there before is kept as it was. "
    "Look at the present state, then try again.",
    RefusedError: "Nothing was sent and nothing changed.",
    UnavailableError: "Everything accepted until now is kept. Try again later.",
    ConvenioError: "Nothing accepted until now is lost. "
    "Report the code to whoever keeps this node.",
}

# The code without its advice. Sorted; one line of the tree each.
HAPPENED: Final[dict[str, str]] = {}

# Where the class has no good advice.
ADVICE: Final[dict[str, str]] = {}
