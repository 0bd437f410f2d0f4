"""Exit codes: the one table. Scripts may rely on it (docs/how-to/keep-a-node.md)."""

from __future__ import annotations

from typing import Final

from convenio.core.errors import (
    ConflictError,
    ConvenioError,
    MalformedError,
    RefusedError,
    UnavailableError,
    UnverifiedError,
)

HOLDS: Final = 0
OUR_FAULT: Final = 1
USAGE: Final = 2
NOT_VERIFIED: Final = 3
REFUSED: Final = 4
UNAVAILABLE: Final = 5
MALFORMED: Final = 6
CONFLICT: Final = 7
INTERRUPTED: Final = 130  # as shells have it: 128 + SIGINT
TERMINATED: Final = 143  # 128 + SIGTERM
PIPE_CLOSED: Final = 141  # 128 + SIGPIPE

BY_CLASS: Final[dict[type[ConvenioError], int]] = {
    MalformedError: MALFORMED,
    UnverifiedError: NOT_VERIFIED,
    ConflictError: CONFLICT,
    RefusedError: REFUSED,
    UnavailableError: UNAVAILABLE,
    ConvenioError: OUR_FAULT,
}
# Where the class says too little about who can act. The first two are raised as "try later" by the
# node, and nobody's fault but ours; a directory or an address was typed wrong; a wrong passphrase
# is no proof that failed.
BY_CODE: Final = {
    "control.fault": OUR_FAULT,
    "node.fault": OUR_FAULT,
    "config.no_node": USAGE,
    "verify.address": USAGE,
    "age.wrong_passphrase": REFUSED,
}


def exit_code(error: ConvenioError) -> int:
    """The exit code of a command that ended with `error`."""
    if error.code in BY_CODE:
        return BY_CODE[error.code]
    return next(BY_CLASS[kind] for kind in type(error).__mro__ if kind in BY_CLASS)
