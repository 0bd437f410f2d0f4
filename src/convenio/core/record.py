"""Records: what a party says, as a signed note over one canonical JSON line (docs/spec/record.md).

The line is a header and nothing else: codes, hashes and times, no names and no free text. This
module says whether bytes are a record at all and who signed them; whether a record is *fit* in its
place in a log is `fold`'s question.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import Final, NewType, cast

from convenio.core import canon
from convenio.core.canon import Json, Object
from convenio.core.errors import MalformedError
from convenio.core.note import Note, Signer, parse_note, sign_note

PartyId = NewType("PartyId", str)
Address = NewType("Address", str)  # "us:7f3a91c2": a party and the opaque id of one of its desks

MAX_RECORD_BYTES: Final = 16 * 1024
MAX_BODIES: Final = 32
MAX_RECIPIENTS: Final = 64
MAX_SIGNERS: Final = 8
MAX_LACKING: Final = 100
MAX_DUE_S: Final = 10 * 366 * 86_400
CAVEATS: Final = ("clear", "green", "amber", "amber_strict", "red")

RECEIVED: Final = "received.v1"
PROOF: Final = "proof.v1"
OBJECTION: Final = "objection.v1"
DISCLOSURE: Final = "disclosure.v1"
SPLIT: Final = "split.v1"
DISCLOSED_TO: Final = ("court", "defence", "oversight", "other")

_PARTY = r"[a-z][a-z0-9]{1,15}"
_DESK = r"[0-9a-f]{8}"


def _whole(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern, re.ASCII).fullmatch


_RULES: Final = {
    "party": _whole(_PARTY),
    "address": _whole(rf"{_PARTY}:{_DESK}"),
    "author": _whole(rf"[a-z0-9](?:[a-z0-9.-]{{0,200}}[a-z0-9])?/k/{_DESK}"),
    "type": _whole(r"[a-z][a-z0-9_]{0,40}\.v[1-9][0-9]{0,3}"),
    "code": _whole(r"[a-z][a-z0-9_]{0,40}"),
    "id": _whole(r"[0-9a-f]{32}"),
    "hash": _whole(r"[0-9a-f]{64}"),
    "ascii": _whole(r"[\x20-\x7e]{0,8192}"),
}


@dataclass(frozen=True, slots=True)
class BodyRef:
    """What a header says of one body: a blob, its commitment and its readers.

    form: `open` (plain to the channel) or `sealed`. c: SHA-256 of the stored blob, hex.
    n: its size in bytes. k: salted commitment to the content, hex (sealed only). k0: the same
    commitment of the unmarked original where copies differ. to: desks that can open it, sorted;
    empty when open.
    """

    form: str
    c: str
    n: int
    k: str = ""
    k0: str = ""
    to: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """The statement of a record. Field for field the JSON of docs/spec/record.md.

    id: 32 hex, chosen with the draft. ch: channel, 64 hex. gen: generation of the author's log.
    by: author key names, in the order of the signature lines. at: seconds UTC, a claim.
    seen: for each other member whose log had been folded: (size, root hex). inst, case: 64 hex or
    empty. act, cav: code or empty. due_in: seconds, 0 if none. data: what the type alone defines.
    """

    id: str
    ch: str
    gen: int
    type: str
    sender: PartyId
    to: tuple[Address, ...]
    by: tuple[str, ...]
    at: int
    seen: dict[PartyId, tuple[int, str]] = field(default_factory=dict)
    inst: str = ""
    case: str = ""
    act: str = ""
    due_in: int = 0
    cav: str = ""
    bodies: tuple[BodyRef, ...] = ()
    data: Object = field(default_factory=dict)

    def encode(self) -> bytes:
        """The canonical line with its newline: the text that is signed."""
        value: Object = {
            "kind": "record",
            "v": 1,
            "id": self.id,
            "ch": self.ch,
            "gen": self.gen,
            "type": self.type,
            "from": self.sender,
            "to": list(self.to),
            "by": list(self.by),
            "at": self.at,
            "seen": {party: [size, root] for party, (size, root) in self.seen.items()},
        }
        for key in ("inst", "case", "act", "cav", "due_in", "data"):
            if present := getattr(self, key):
                value[key] = present
        if self.bodies:
            value["bodies"] = [_body_json(body) for body in self.bodies]
        return canon.dumps(value) + b"\n"


@dataclass(frozen=True, slots=True)
class Record:
    """A parsed record: its header and the note it came in. Signatures are not checked here."""

    header: Header
    note: Note


def sign_record(header: Header, *signers: Signer) -> bytes:
    """The entry bytes of `header` signed by exactly the keys it names in `by`, in that order.

    Raises:  MalformedError: record.too_long, or what `parse_header` raises for this header.
    """
    if header.by != tuple(signer.name for signer in signers):
        raise RuntimeError("the signers are not those the header names")
    text = header.encode()
    parse_header(text)
    entry = sign_note(text, *signers).encode()
    if len(entry) > MAX_RECORD_BYTES:
        raise MalformedError("record.too_long", max_bytes=MAX_RECORD_BYTES)
    return entry


def parse_record(entry: bytes) -> Record:
    """The record that `entry` writes; printing it gives `entry` again.

    Raises:  MalformedError: note.* · canon.* · record.* naming the field.
    """
    if len(entry) > MAX_RECORD_BYTES:
        raise MalformedError("record.too_long", max_bytes=MAX_RECORD_BYTES)
    note = parse_note(entry, MAX_RECORD_BYTES)
    header = parse_header(note.text)
    if tuple(line.name for line in note.lines) != header.by:
        raise MalformedError("record.signers")
    return Record(header, note)


def parse_header(text: bytes) -> Header:
    """The header that the signed text of a record writes."""
    if text.find(b"\n") != len(text) - 1:
        raise MalformedError("record.one_line")
    value = canon.loads_unprofiled(text, MAX_RECORD_BYTES)
    if value.get("kind") != "record" or type(value.get("v")) is not int or value["v"] != 1:
        raise MalformedError("record.kind")
    if not value.keys() <= _KNOWN:
        raise MalformedError("record.unknown_field")
    try:
        id_, ch, gen, kind, sender, to, by, at, seen = _required(value)
    except KeyError as error:
        raise MalformedError("record.missing_field") from error
    return Header(  # in the order of its fields: keywords take their time
        _match(id_, "id", "record.id"),
        _word(ch, "hash", "record.ch"),
        _number(gen, 1, 2**31, "record.gen"),
        _word(kind, "type", "record.type"),
        cast(PartyId, _word(sender, "party", "record.from")),
        _addresses(to, "record.to"),
        _authors(by),
        _number(at, 0, canon.MAX_INTEGER, "record.at"),
        _seen(seen),
        _word(value["inst"], "hash", "record.inst") if "inst" in value else "",
        _match(value["case"], "hash", "record.case") if "case" in value else "",
        _word(value["act"], "code", "record.act") if "act" in value else "",
        _number(value["due_in"], 1, MAX_DUE_S, "record.due_in") if "due_in" in value else 0,
        _caveat(value["cav"]) if "cav" in value else "",
        _bodies(value["bodies"]) if "bodies" in value else (),
        _data(value),
    )


_required = itemgetter("id", "ch", "gen", "type", "from", "to", "by", "at", "seen")
_KNOWN: Final = frozenset(
    (
        *("kind", "v", "id", "ch", "gen", "type", "from", "to", "by", "at", "seen"),
        *("inst", "case", "act", "due_in", "cav", "bodies", "data"),
    )
)


def _match(value: Json, rule: str, code: str) -> str:
    if type(value) is not str or not _RULES[rule](value):
        raise MalformedError(code)
    return value


def _number(value: Json, low: int, high: int, code: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise MalformedError(code)
    return value


def _caveat(value: Json) -> str:
    if type(value) is not str or value not in CAVEATS:
        raise MalformedError("record.cav")
    return value


def _list(value: Json, low: int, high: int, code: str) -> list[Json]:
    if type(value) is not list or not low <= len(value) <= high:
        raise MalformedError(code)
    return value


# The same few desks write to each other all the time, in the same channel: what was found good is
# remembered. Nothing but strings and tuples of strings is ever found good.


def _word(value: Json, rule: str, code: str) -> str:
    if type(value) is not str:
        raise MalformedError(code)
    return _good_word(value, rule, code)


def _addresses(value: Json, code: str) -> tuple[Address, ...]:
    return _good_addresses(_strings(_list(value, 0, MAX_RECIPIENTS, code), code), code)


def _authors(value: Json) -> tuple[str, ...]:
    return _good_authors(_strings(_list(value, 1, MAX_SIGNERS, "record.by"), "record.by"))


@lru_cache(maxsize=256)
def _good_word(value: str, rule: str, code: str) -> str:
    return _match(value, rule, code)


@lru_cache(maxsize=256)
def _good_addresses(found: tuple[str, ...], code: str) -> tuple[Address, ...]:
    for item in found:
        _match(item, "address", code)
    if any(a >= b for a, b in pairwise(found)):
        raise MalformedError(code)
    return cast(tuple[Address, ...], found)


@lru_cache(maxsize=256)
def _good_authors(names: tuple[str, ...]) -> tuple[str, ...]:
    for item in names:
        _match(item, "author", "record.by")
    if len(set(names)) != len(names):
        raise MalformedError("record.by")
    return names


def _strings(items: list[Json], code: str) -> tuple[str, ...]:
    for item in items:
        if type(item) is not str:
            raise MalformedError(code)
    return cast(tuple[str, ...], tuple(items))


def _seen(value: Json) -> dict[PartyId, tuple[int, str]]:
    if type(value) is not dict:
        raise MalformedError("record.seen")
    seen = {}
    for party, pair in value.items():
        _word(party, "party", "record.seen")
        size, root = _list(pair, 2, 2, "record.seen")
        seen[cast(PartyId, party)] = (
            _number(size, 1, canon.MAX_INTEGER, "record.seen"),
            _match(root, "hash", "record.seen"),
        )
    return seen


def _bodies(value: Json) -> tuple[BodyRef, ...]:
    return tuple(_body(item) for item in _list(value, 1, MAX_BODIES, "record.bodies"))


def _body(value: Json) -> BodyRef:
    if type(value) is not dict or value.keys() not in _BODY_SHAPES:
        raise MalformedError("record.bodies")
    sealed = "k" in value
    if value["form"] != ("sealed" if sealed else "open"):
        raise MalformedError("record.bodies")
    to = _addresses(value["to"], "record.bodies") if sealed else ()
    if sealed and not to:
        raise MalformedError("record.bodies")
    return BodyRef(
        "sealed" if sealed else "open",
        _match(value["c"], "hash", "record.bodies"),
        _number(value["n"], 1, canon.MAX_INTEGER, "record.bodies"),
        _match(value["k"], "hash", "record.bodies") if sealed else "",
        _match(value["k0"], "hash", "record.bodies") if "k0" in value else "",
        to,
    )


_OPEN: Final = frozenset(("form", "c", "n"))
_BODY_SHAPES: Final = (_OPEN, _OPEN | {"k", "to"}, _OPEN | {"k", "k0", "to"})


def _body_json(body: BodyRef) -> Json:
    value: Object = {"form": body.form, "c": body.c, "n": body.n}
    if body.form == "sealed":
        value |= {"k": body.k, "to": list(body.to)}
        if body.k0:
            value["k0"] = body.k0
    return value


def _data(value: Object) -> Object:
    rule = _DATA_RULES.get(cast(str, value["type"]), _plain)
    if "data" not in value:
        if rule is not _plain:
            rule({})
        return {}
    data = value["data"]
    if type(data) is not dict or not data:
        raise MalformedError("record.data")
    canon.check_profile(data, canon.MAX_DEPTH - 1)
    rule(data)
    return data


def _plain(data: Object) -> None:
    """Codes, hashes and numbers only: every string is printable ASCII."""
    pending: list[Json] = list(data.values())
    while pending:
        item = pending.pop()
        if type(item) is str:
            _match(item, "ascii", "record.data")
        elif type(item) is dict:
            pending.extend(item.values())
        elif type(item) is list:
            pending.extend(item)


def _received(data: Object) -> None:
    """`lack` and `have`: leaf hashes of entries whose bodies are missing, or have come.

    `state`: version of the fold, own size, and the digest of all case states at that cut.
    """
    if not data.keys() <= {"lack", "have", "state"}:
        raise MalformedError("record.data")
    for key in data.keys() & {"lack", "have"}:
        for leaf in _list(data[key], 1, MAX_LACKING, "record.data"):
            _match(leaf, "hash", "record.data")
    if "state" in data:
        fold, size, digest = _list(data["state"], 3, 3, "record.data")
        _number(fold, 1, 2**31, "record.data")
        _number(size, 0, canon.MAX_INTEGER, "record.data")
        _match(digest, "hash", "record.data")


def _proof(data: Object) -> None:
    """`leaf`: an entry. `size`, `root`: a checkpoint over it. `name`, `sig`: who cosigned it."""
    if data.keys() != {"leaf", "size", "root", "name", "sig"}:
        raise MalformedError("record.data")
    _match(data["leaf"], "hash", "record.data")
    _number(data["size"], 1, canon.MAX_INTEGER, "record.data")
    _match(data["root"], "hash", "record.data")
    _match(data["name"], "ascii", "record.data")
    _match(data["sig"], "ascii", "record.data")


def _objection(data: Object) -> None:
    """`leaf`: the entry objected to. `code`: why."""
    if data.keys() != {"leaf", "code"}:
        raise MalformedError("record.data")
    _match(data["leaf"], "hash", "record.data")
    _match(data["code"], "code", "record.data")


def _disclosure(data: Object) -> None:
    """`leaf`, `part`: the body that was given to a third person. `code`: to what kind of one."""
    if data.keys() != {"leaf", "part", "code"}:
        raise MalformedError("record.data")
    _match(data["leaf"], "hash", "record.data")
    _number(data["part"], 0, MAX_BODIES - 1, "record.data")
    if _match(data["code"], "code", "record.data") not in DISCLOSED_TO:
        raise MalformedError("record.data")


def _split(data: Object) -> None:
    """`of`: whose log. `proof`: a split-view proof, base64. That it holds is the fold's to say."""
    if data.keys() != {"of", "proof"}:
        raise MalformedError("record.data")
    _match(data["of"], "party", "record.data")
    _match(data["proof"], "ascii", "record.data")


_DATA_RULES: Final[dict[str, Callable[[Object], None]]] = {
    RECEIVED: _received,
    PROOF: _proof,
    OBJECTION: _objection,
    DISCLOSURE: _disclosure,
    SPLIT: _split,
}
