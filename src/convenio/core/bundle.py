"""Bundles: records and their proofs in one file, for somebody who trusts none of us.

A bundle is a zip that any program unpacks, in the one form written here: members stored as they
are, in the order of their names, nothing between them and nothing around them. So the same content
is always the same bytes, two programs can never read two contents out of one bundle, and nothing in
it can grow when read. Format: docs/spec/bundle.md. What the members prove is not asked here.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from convenio.core import canon
from convenio.core.canon import Object
from convenio.core.encoding import parse_hex
from convenio.core.errors import MalformedError
from convenio.core.fields import MAX_TRUST_BYTES
from convenio.core.policy import MAX_POLICY_BYTES, Policy, from_keys
from convenio.core.proof import MAX_PROOF_BYTES
from convenio.core.record import MAX_RECORD_BYTES, Header, PartyId
from convenio.core.trust import Charter

MAX_MEMBERS: Final = 20_000
MAX_MEMBER_BYTES: Final = 2**32 - 2  # what a zip without extensions can say
MAX_LABEL_BYTES: Final = 4 * 1024
README: Final = "README.txt"
CHARTER: Final = "charter.note"

_PIECE: Final = 1 << 16
_P = r"[a-z][a-z0-9]{1,15}"
_N = r"(?:0|[1-9][0-9]{0,15})"
_AT = rf"(?P<party>{_P})-(?P<index>{_N})"
_PART = rf"{_AT}\.(?P<part>[0-9]|[12][0-9]|3[01])"


class Kind(StrEnum):
    """What a member of a bundle is."""

    README = "readme"
    CHARTER = "charter"
    RECORD = "record"
    PROOF = "proof"
    POLICY = "policy"
    BODY = "body"
    CONTENT = "content"
    LABEL = "label"


_KINDS: Final = tuple(
    (kind, re.compile(rule, re.ASCII), most)
    for kind, rule, most in (
        (Kind.README, r"README\.txt", 64 * 1024),
        (Kind.CHARTER, r"charter\.note", MAX_TRUST_BYTES),
        (Kind.RECORD, rf"{_AT}\.record", MAX_RECORD_BYTES),
        (Kind.PROOF, rf"{_AT}\.(?P<cosigner>{_P})\.tlog-proof", MAX_PROOF_BYTES),
        (Kind.POLICY, rf"(?P<party>{_P})\.(?P<cosigner>{_P})\.policy", MAX_POLICY_BYTES),
        (Kind.BODY, rf"bodies/{_PART}\.(?:age|open)", MAX_MEMBER_BYTES),
        (Kind.CONTENT, rf"disclosed/{_PART}\.content", MAX_MEMBER_BYTES),
        (Kind.LABEL, rf"disclosed/{_PART}\.json", MAX_LABEL_BYTES),
    )
)


@dataclass(frozen=True, slots=True)
class Name:
    """What the name of a member says. index, part: -1 where it says none. most: bytes allowed."""

    text: str
    kind: Kind
    most: int
    party: str = ""
    index: int = -1
    cosigner: str = ""
    part: int = -1

    @property
    def place(self) -> str:
        """Of the record meant: `mx/12`."""
        return f"{self.party}/{self.index}"


def parse_name(text: str) -> Name:
    """What a member of this name is.  Raises:  MalformedError: bundle.name."""
    for kind, rule, most in _KINDS:
        if found := rule.fullmatch(text):
            said = found.groupdict()
            return Name(
                text=text,
                kind=kind,
                most=most,
                party=said.get("party", ""),
                index=int(said.get("index", -1)),
                cosigner=said.get("cosigner", ""),
                part=int(said.get("part", -1)),
            )
    raise MalformedError("bundle.name", name=_shown(text))


def record_name(party: str, index: int) -> str:
    return f"{party}-{index}.record"


def proof_name(party: str, index: int, cosigner: str) -> str:
    return f"{party}-{index}.{cosigner}.tlog-proof"


def policy_name(party: str, cosigner: str) -> str:
    return f"{party}.{cosigner}.policy"


def body_name(party: str, index: int, part: int, form: str) -> str:
    return f"bodies/{party}-{index}.{part}.{'open' if form == 'open' else 'age'}"


def content_name(party: str, index: int, part: int) -> str:
    return f"disclosed/{party}-{index}.{part}.content"


def label_name(party: str, index: int, part: int) -> str:
    return f"disclosed/{party}-{index}.{part}.json"


# --- what travels beside a record ----------------------------------------------------------------


def policy_for(charter: Charter, party: str, cosigners: Iterable[str]) -> Policy:
    """For programs that know nothing of charters: `party`'s log counts when all these cosigned.

    The log by its Ed25519 key, each mirror by its ML-DSA-44 key.
    Raises:  RefusedError: trust.not_a_member.
    """
    mirrors = {
        f"{each}-mirror": charter.member(each).mirror_verifiers()[0].vkey() for each in cosigners
    }
    return from_keys([charter.log_verifiers(party)[0].vkey()], mirrors, len(mirrors))


def addressees(header: Header, charter: Charter) -> tuple[PartyId, ...]:
    """Whose mirrors should hold a record: those its desks belong to; with no desk, all others."""
    desks = (*header.to, *(desk for body in header.bodies for desk in body.to))
    named = {desk.partition(":")[0] for desk in desks} - {header.sender}
    others = [party for party in charter.members() if party != header.sender]
    return tuple(party for party in others if not named or party in named)


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What lets anybody hold a content against a record. leaf, salt: 32 bytes.

    media, name and lang are what the sender called it; the commitment does not cover them.
    """

    leaf: bytes
    part: int
    salt: bytes
    media: str
    name: str = ""
    lang: str = ""

    def encode(self) -> bytes:
        """The line with its newline."""
        value: Object = {
            "kind": "disclosed",
            "v": 1,
            "leaf": self.leaf.hex(),
            "part": self.part,
            "salt": self.salt.hex(),
            "media": self.media,
        }
        named = {"name": self.name, "lang": self.lang}
        return canon.dumps(value | {key: text for key, text in named.items() if text}) + b"\n"


def parse_disclosed(data: bytes) -> Disclosed:
    """What the line says; encoding it gives `data` again.

    Raises:  MalformedError: bundle.label · canon.*.
    """
    value = canon.loads(data.removesuffix(b"\n"), MAX_LABEL_BYTES)
    texts = [value.get(key, "") for key in ("kind", "leaf", "salt", "media", "name", "lang")]
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise MalformedError("bundle.label")
    kind, leaf, salt, media, name, lang = map(str, texts)
    part = value.get("part")
    if type(part) is not int or not 0 <= part < 32 or kind != "disclosed":
        raise MalformedError("bundle.label")
    found = Disclosed(
        leaf=parse_hex(leaf, 32, "bundle.label"),
        part=part,
        salt=parse_hex(salt, 32, "bundle.label"),
        media=media,
        name=name,
        lang=lang,
    )
    if found.encode() != data:
        raise MalformedError("bundle.label")
    return found


# --- the zip -------------------------------------------------------------------------------------

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_VERSION, _UNIX, _MODE = 10, 3 << 8, 0o100644 << 16
_DATE: Final = 1 << 5 | 1  # 1 January 1980, the first a zip can say

Content = Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a bundle. start: of its bytes in the zip. crc: CRC-32."""

    name: Name
    start: int
    size: int
    crc: int


class Source(Protocol):
    """Bytes that can be read anywhere: a file, or memory."""

    @property
    def size(self) -> int: ...
    def read(self, start: int, length: int) -> bytes:
        """Bytes [start, start + length), fewer at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Memory:
    """A Source in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        return self.data[start : start + length]


def write_bundle(files: dict[str, bytes | Content]) -> Iterator[bytes]:
    """The bytes of a bundle, in pieces. A content given as a function is read twice.

    Raises:  MalformedError: bundle.name · bundle.too_many · bundle.too_long · bundle.changed, a
             content was other the second time.
    """
    members, start = [], 0
    if len(files) > MAX_MEMBERS:
        raise MalformedError("bundle.too_many", most=MAX_MEMBERS)
    for text in sorted(files):
        name, content = parse_name(text), _content(files[text])
        size, crc = _measure(content(), name)
        head = _local(text, size, crc)
        member = Member(name, start + len(head), size, crc)
        start = member.start + size
        if start > MAX_MEMBER_BYTES:
            raise MalformedError("bundle.too_long", name=text, max_bytes=MAX_MEMBER_BYTES)
        yield head
        yield from _checked(content(), member)
        members.append(member)
    yield _directory(members, start)


def read_bundle(source: Source) -> tuple[Member, ...]:
    """The members of a bundle, in order. Their contents are not read yet.

    Raises:  MalformedError: bundle.not_a_bundle · bundle.truncated · bundle.repacked, a zip, but
             not as written here · bundle.name · bundle.name_twice · bundle.too_many ·
             bundle.too_long.
    """
    tail, length, start = _find_directory(source)
    members: list[Member] = []
    at = offset = 0
    while at < length:
        text, size, crc = _central_entry(tail, at)
        if members and members[-1].name.text >= text:
            twice = members[-1].name.text == text
            raise MalformedError("bundle.name_twice" if twice else "bundle.repacked", name=text)
        name, head = parse_name(text), _local(text, size, crc)
        if size > name.most:
            raise MalformedError("bundle.too_long", name=text, max_bytes=name.most)
        if source.read(offset, len(head)) != head:
            raise MalformedError("bundle.repacked", name=text)
        members.append(Member(name, offset + len(head), size, crc))
        offset += len(head) + size
        at += _CENTRAL.size + len(text)
    if offset != start or _directory(members, start) != tail:
        raise MalformedError("bundle.repacked")
    return tuple(members)


def read_member(source: Source, member: Member) -> Iterator[bytes]:
    """The content of a member in pieces.  Raises:  MalformedError: bundle.damaged, at the end."""
    crc = 0
    for start in range(member.start, member.start + member.size, _PIECE):
        piece = source.read(start, min(_PIECE, member.start + member.size - start))
        crc = zlib.crc32(piece, crc)
        yield piece
    if crc != member.crc:
        raise MalformedError("bundle.damaged", name=member.name.text)


def _content(given: bytes | Content) -> Content:
    return (lambda: (given,)) if isinstance(given, bytes) else given


def _measure(content: Iterable[bytes], name: Name) -> tuple[int, int]:
    size = crc = 0
    for piece in content:
        size += len(piece)
        crc = zlib.crc32(piece, crc)
        if size > name.most:
            raise MalformedError("bundle.too_long", name=name.text, max_bytes=name.most)
    return size, crc


def _checked(content: Iterable[bytes], member: Member) -> Iterator[bytes]:
    size = crc = 0
    for piece in content:
        size += len(piece)
        crc = zlib.crc32(piece, crc)
        yield piece
    if (size, crc) != (member.size, member.crc):
        raise MalformedError("bundle.changed", name=member.name.text)


def _local(name: str, size: int, crc: int) -> bytes:
    fixed = (_VERSION, 0, 0, 0, _DATE, crc, size, size, len(name), 0)
    return _LOCAL.pack(b"PK\x03\x04", *fixed) + name.encode()


def _directory(members: list[Member], start: int) -> bytes:
    entries = b"".join(
        _CENTRAL.pack(
            b"PK\x01\x02",
            *(_UNIX | _VERSION, _VERSION, 0, 0, 0, _DATE),
            *(each.crc, each.size, each.size),
            *(len(each.name.text), 0, 0, 0, 0),
            *(_MODE, each.start - _LOCAL.size - len(each.name.text)),
        )
        + each.name.text.encode()
        for each in members
    )
    count = len(members)
    return entries + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(entries), start, 0)


def _find_directory(source: Source) -> tuple[bytes, int, int]:
    """The bytes from the central directory on, the length of its entries, and where it starts."""
    if source.read(0, 4) != b"PK\x03\x04":
        raise MalformedError("bundle.not_a_bundle")
    end = source.read(max(0, source.size - _END.size), _END.size)
    if len(end) != _END.size or end[:4] != b"PK\x05\x06":
        raise MalformedError("bundle.truncated")
    _, disk, first, here, count, length, start, comment = _END.unpack(end)
    if count > MAX_MEMBERS:
        raise MalformedError("bundle.too_many", most=MAX_MEMBERS)
    if (disk, first, comment) != (0, 0, 0) or here != count:
        raise MalformedError("bundle.repacked")
    if start + length + _END.size != source.size or length > count * (_CENTRAL.size + 100):
        raise MalformedError("bundle.repacked")
    return source.read(start, length + _END.size), length, start


def _central_entry(tail: bytes, at: int) -> tuple[str, int, int]:
    """Name, size and CRC that the entry at `at` gives; the rest is compared as a whole later."""
    if len(tail) < at + _CENTRAL.size:
        raise MalformedError("bundle.repacked")
    fields = _CENTRAL.unpack_from(tail, at)
    raw = tail[at + _CENTRAL.size : at + _CENTRAL.size + fields[10]]
    try:
        return raw.decode("ascii"), fields[9], fields[7]
    except UnicodeDecodeError as error:
        raise MalformedError("bundle.name", name=_shown(raw.decode("latin-1"))) from error


def _shown(text: str) -> str:
    return text[:80].encode("unicode_escape").decode()
