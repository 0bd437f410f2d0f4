"""A kind of cooperation as both parties sign it: fields, roles, acts, clocks, law, retention.

What the fold needs of it is an `Instrument`: a table over headers. The rest is about bodies and
people. Its canonical line holds the hashes of its texts in both languages and of its calendar, so
that the one hash in the charter covers every word. No code belongs to a definition.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from convenio.core import canon
from convenio.core.canon import Json, Object
from convenio.instruments.calendar import Calendar, Unit
from convenio.instruments.model import Clock, Instrument, Move

ENGINE: Final = 1  # what this program can run; a definition names the one it was written for
START_WORD: Final = "start"  # how a definition writes the state before the opening
LANGUAGES: Final = ("en", "es")
MAX_LINE_BYTES: Final = 1 << 18
# In rising order; an act's caveat is the least that its records may carry. Never translated.
TLP: Final = ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED")


class Kind(enum.Enum):
    """What a field holds. Record: the leaf hash of a record. Instant: to the second, UTC."""

    TEXT = "text"
    INTEGER = "integer"
    DATE = "date"
    INSTANT = "instant"
    CODE = "code"
    BOOLEAN = "boolean"
    RECORD = "record"


class Sensitivity(enum.Enum):
    """Special: data of a kind that law protects more, and what could expose a source."""

    ORDINARY = "ordinary"
    RESTRICTED = "restricted"
    PERSONAL = "personal"
    SPECIAL = "special"


@dataclass(frozen=True, slots=True)
class Basis:
    """An article that allows this, in the version that was looked at, and when it was valid."""

    article: str
    version: str
    valid_on: str
    source: str


@dataclass(frozen=True, slots=True)
class Field:
    """most: characters of a text, greatest integer. codes: name of the code list.

    many: how many values at most; 0: one value, not a list.
    """

    kind: Kind
    sensitivity: Sensitivity
    unit: str = ""
    least: int = 0
    most: int = 0
    codes: str = ""
    many: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """When a form asks for a field. always; or if `field` has (`holds`) or has not one of `codes`;
    without either it may be left out."""

    always: bool = False
    field: str = ""
    holds: bool = True
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """forms: what its body holds; none, no fields. approvals: persons besides its author.
    caveat: the least mark of its records."""

    forms: tuple[str, ...]
    approvals: int
    caveat: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A clock as it is defined. then: the creditor's act that its running out allows."""

    starts: str
    debtor: str
    fulfilled: tuple[str, ...]
    runs_in: tuple[str, ...]
    unit: Unit
    least: int
    usual: int
    most: int
    then: str
    pauses: bool


@dataclass(frozen=True, slots=True)
class Retention:
    """How long bodies are kept after the case has ended, and by which article."""

    months: int
    basis: str


@dataclass(frozen=True)
class Definition:
    """opens, answers: the two roles. copied: who may read without a role in the case, or empty."""

    name: str
    version: int
    engine: int
    purpose: str
    legal_basis: Mapping[str, Basis]
    opens: str
    answers: str
    copied: str
    states: tuple[str, ...]
    ends: tuple[str, ...]
    codes: Mapping[str, tuple[str, ...]]
    fields: Mapping[str, Field]
    forms: Mapping[str, Mapping[str, Need]]
    acts: Mapping[str, Act]
    moves: tuple[Move, ...]
    race: tuple[str, ...]
    clocks: Mapping[str, Limit]
    retention: Retention
    calendar: str = ""  # its name
    calendar_hash: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)  # language -> hash of its texts

    def encode(self) -> bytes:
        """The canonical line."""
        value: Object = {
            "kind": "definition",
            "v": 1,
            "instrument": self.name,
            "version": self.version,
            "engine": self.engine,
            "purpose": self.purpose,
            "legal_basis": {code: _basis_json(each) for code, each in self.legal_basis.items()},
            "roles": _without_empty(
                {"opens": self.opens, "answers": self.answers, "copied": self.copied}
            ),
            "states": list(self.states),
            "ends": list(self.ends),
            "codes": {name: list(codes) for name, codes in self.codes.items()},
            "fields": {name: _field_json(each) for name, each in self.fields.items()},
            "forms": {
                name: [[field, _need_json(need)] for field, need in form.items()]
                for name, form in self.forms.items()
            },
            "acts": {name: _act_json(act) for name, act in self.acts.items()},
            "moves": [_move_json(move) for move in self.moves],
            "race": list(self.race),
            "clocks": {name: _limit_json(limit) for name, limit in self.clocks.items()},
            "retention": {"months": self.retention.months, "basis": self.retention.basis},
            "texts": dict(self.texts),
        }
        if self.calendar:
            value["calendar"] = {"name": self.calendar, "hash": self.calendar_hash}
        return canon.dumps({key: item for key, item in value.items() if item != {}}) + b"\n"

    @cached_property
    def hash(self) -> str:
        """What a charter pins: SHA-256 of the canonical line, hex."""
        return hashlib.sha256(self.encode()).hexdigest()

    def needs(self, act: str) -> dict[str, Need]:
        """The fields that the body of an act may hold, with when they must be there."""
        return {f: need for form in self.acts[act].forms for f, need in self.forms[form].items()}

    def instrument(self, calendar: Calendar | None = None) -> Instrument:
        """The table that the fold runs. calendar: the one that is pinned, if one is.

        Raises:  RuntimeError: it is another.
        """
        if (calendar.hash if calendar else "") != self.calendar_hash:
            raise RuntimeError("not the calendar that is pinned")
        clocks = tuple(self.clock(name) for name in sorted(self.clocks))
        return Instrument(
            name=self.name,
            opener=self.opens,
            addressee=self.answers,
            moves=self.moves,
            race=self.race,
            clocks=clocks,
            calendar=calendar,
            pinned=self.hash,
        )

    def clock(self, name: str) -> Clock:
        """The clock as the fold runs it."""
        limit = self.clocks[name]
        unit_s = limit.unit.seconds
        return Clock(
            name=name,
            start=limit.starts,
            fulfilled=limit.fulfilled,
            debtor=limit.debtor,
            creditor=self.opens if limit.debtor == self.answers else self.answers,
            default_s=limit.usual * unit_s,
            min_s=limit.least * unit_s,
            max_s=limit.most * unit_s,
            runs_in=limit.runs_in,
            pauses=limit.pauses,
            unit=limit.unit,
        )


@dataclass(frozen=True)
class Texts:
    """The words of a definition in one language, as a tree of the same keys in every language."""

    language: str
    words: Object

    def encode(self) -> bytes:
        """The canonical line."""
        value: Object = {"kind": "texts", "v": 1, "language": self.language, "words": self.words}
        return canon.dumps(value) + b"\n"

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical line, hex."""
        return hashlib.sha256(self.encode()).hexdigest()

    def of(self, *path: str) -> str:
        """The words at `path`; its last key where there are none."""
        found: Json = self.words
        for key in path:
            found = found.get(key, "") if isinstance(found, dict) else ""
        return found if isinstance(found, str) and found else path[-1]


def wanted_texts(definition: Definition) -> list[tuple[str, ...]]:
    """Everything a person may meet and that needs words, in the order of the definition."""
    named: dict[str, list[str]] = {
        "legal_basis": list(definition.legal_basis),
        "roles": [r for r in (definition.opens, definition.answers, definition.copied) if r],
        "states": list(definition.states),
        "acts": list(definition.acts),
        "fields": list(definition.fields),
        "units": list(dict.fromkeys(f.unit for f in definition.fields.values() if f.unit)),
        "clocks": list(definition.clocks),
        "consequences": list(definition.clocks),
    }
    return [
        *(("title",), ("summary",), ("purpose",), ("retention",)),
        *((section, word) for section, words in named.items() for word in words),
        *(("codes", name, code) for name, codes in definition.codes.items() for code in codes),
    ]


def _without_empty(value: dict[str, Json]) -> Json:
    return {key: item for key, item in value.items() if item not in ("", 0, False)}


def _basis_json(basis: Basis) -> Json:
    return {
        "article": basis.article,
        "version": basis.version,
        "valid_on": basis.valid_on,
        "source": basis.source,
    }


def _field_json(field: Field) -> Json:
    bounds: dict[str, Json] = {}
    if field.kind is Kind.INTEGER:
        bounds = {"unit": field.unit, "least": field.least, "most": field.most}
    elif field.kind is Kind.TEXT:
        bounds = {"most": field.most}
    optional: dict[str, Json] = {"codes": field.codes, "many": field.many}
    shown = {key: item for key, item in optional.items() if item}
    return {"type": field.kind.value, "sensitivity": field.sensitivity.value, **bounds, **shown}


def _need_json(need: Need) -> Json:
    if not need.field:
        return "needed" if need.always else "optional"
    return {"when": need.field, "is" if need.holds else "is_not": list(need.codes)}


def _act_json(act: Act) -> Json:
    value: dict[str, Json] = {"approvals": act.approvals, "caveat": act.caveat}
    return {**value, "forms": list(act.forms)} if act.forms else value


def _move_json(move: Move) -> Json:
    value: dict[str, Json] = {
        "in": move.state or START_WORD,
        "role": move.role,
        "act": move.act,
        "to": move.to,
    }
    return {**value, "after": move.after} if move.after else value


def _limit_json(limit: Limit) -> Json:
    value: dict[str, Json] = {
        "starts": limit.starts,
        "debtor": limit.debtor,
        "fulfilled": list(limit.fulfilled),
        "runs_in": list(limit.runs_in),
        "unit": limit.unit.value,
        "least": limit.least,
        "usual": limit.usual,
        "most": limit.most,
        "then": limit.then,
    }
    return {**value, "pauses": True} if limit.pauses else value
