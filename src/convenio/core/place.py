"""Places in logs, and the values in which the fold speaks of them (docs/spec/fold.md)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from convenio.core.record import Header, PartyId

Cut = Mapping[PartyId, int]  # for each member the size of its log


class Place(NamedTuple):
    """Where an entry stands: whose log, and its index there."""

    party: PartyId
    index: int  # type: ignore[assignment]  # no one looks for values in a Place


class Folded(NamedTuple):
    """A fit entry that has just come into the cut. void: its type is not named by the charter."""

    place: Place
    leaf: bytes
    header: Header
    void: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """`place` claims that the log of `about` had `claimed` as root at `size`; it has `held`.

    Either the claim is invented, or `about` has shown two histories. What `place` signed is not
    folded, nor what comes after it in its log.
    """

    place: Place
    about: PartyId
    size: int
    claimed: bytes
    held: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """A log goes on only when `party`'s log is held, or itself folded, up to `size`."""

    party: PartyId
    size: int


class Delivery(enum.Enum):
    """What a party's own log says of another's entry."""

    UNSEEN = "unseen"
    LACKING = "lacking"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a party received an entry. at: the time that counts, seconds UTC, a claim.

    entry: index of the receiver's entry that says so, None if only a proof does. proof: index of
    the sender's `proof.v1` if that gave the time.
    """

    at: int
    entry: int | None
    proof: int | None
