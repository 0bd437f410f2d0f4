"""The private keys of a node, sealed under one passphrase in `keys.age`.

Root keys are not here: they are made beside it, one file each, and are meant to be carried away.
Every role has its own key; none is used for two purposes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from convenio.core import canon
from convenio.core.age import HybridIdentity, Passphrase, decrypt, encrypt
from convenio.core.card import (
    Desk,
    KeyPair,
    Text,
    author_key_name,
    mirror_key_name,
    node_key_name,
    root_key_name,
)
from convenio.core.cosign import Ed25519Cosigner, MlDsa44Cosigner
from convenio.core.encoding import parse_hex
from convenio.core.errors import MalformedError
from convenio.core.note import Ed25519Signer

Random = Callable[[int], bytes]
WORK_FACTOR: Final = 16  # scrypt log2 N for key files: 64 MiB and about a quarter of a second
NODE_DESK: Final = "node"  # the desk that signs what the node says by itself
_MAX_FILE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class DeskKeys:
    """The two secrets of a desk. author: Ed25519 seed. seal: AGE-SECRET-KEY-PQ-1…"""

    id: str
    alias: str
    name: Text
    author: bytes
    seal: str

    def public(self) -> Desk:
        signer = Ed25519Signer("desk", self.author)
        recipient = HybridIdentity.parse(self.seal).recipient()
        return Desk(self.id, self.alias, self.name, signer.public, str(recipient))


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """All working keys, as 32-byte seeds."""

    domain: str
    log_ed: bytes
    log_pq: bytes
    mirror_ed: bytes
    mirror_pq: bytes
    node: bytes
    tls_passphrase: str
    desks: tuple[DeskKeys, ...]

    def log_signer(self, origin: str) -> Ed25519Signer:
        return Ed25519Signer(origin, self.log_ed)

    def log_cosigner(self, origin: str) -> MlDsa44Cosigner:
        return MlDsa44Cosigner(origin, self.log_pq)

    def mirror_cosigners(self) -> tuple[MlDsa44Cosigner, Ed25519Cosigner]:
        name = mirror_key_name(self.domain)
        return MlDsa44Cosigner(name, self.mirror_pq), Ed25519Cosigner(name, self.mirror_ed)

    def node_signer(self) -> Ed25519Signer:
        return Ed25519Signer(node_key_name(self.domain), self.node)

    def author(self, desk: str) -> Ed25519Signer:
        """The author key of a desk of ours, by its opaque id."""
        for keys in self.desks:
            if keys.id == desk:
                return Ed25519Signer(author_key_name(self.domain, desk), keys.author)
        raise RuntimeError("not a desk of this node")

    def node_desk(self) -> str:
        return next(keys.id for keys in self.desks if keys.alias == NODE_DESK)

    def openers(self, desks: frozenset[str]) -> list[HybridIdentity]:
        """What opens bodies sealed to these desks of ours."""
        return [HybridIdentity.parse(keys.seal) for keys in self.desks if keys.id in desks]

    def public_log(self) -> KeyPair:
        return KeyPair(self.log_signer("log").public, self.log_cosigner("log").verifier().public)

    def public_mirror(self) -> KeyPair:
        pq, ed = self.mirror_cosigners()
        return KeyPair(ed.verifier().public, pq.verifier().public)


def generate(domain: str, desks: dict[str, Text], rng: Random) -> NodeKeys:
    """Fresh keys for a node with these desks (alias -> name) and the node's own desk.

    Raises:  MalformedError: trust.desk, a desk is called as the node's own.
    """
    if NODE_DESK in desks:
        raise MalformedError("trust.desk")
    own = {NODE_DESK: Text("the node itself", "el propio nodo")}
    return NodeKeys(
        domain=domain,
        log_ed=rng(32),
        log_pq=rng(32),
        mirror_ed=rng(32),
        mirror_pq=rng(32),
        node=rng(32),
        tls_passphrase=rng(24).hex(),
        desks=tuple(_new_desk(alias, name, rng) for alias, name in {**own, **desks}.items()),
    )


def _new_desk(alias: str, name: Text, rng: Random) -> DeskKeys:
    return DeskKeys(rng(4).hex(), alias, name, rng(32), HybridIdentity.generate(rng).reveal())


def seal_keys(keys: NodeKeys, passphrase: str, rng: Random, work: int = WORK_FACTOR) -> bytes:
    """The bytes of `keys.age`."""
    value: canon.Object = {
        "kind": "node_keys",
        "v": 1,
        "domain": keys.domain,
        "log_ed": keys.log_ed.hex(),
        "log_pq": keys.log_pq.hex(),
        "mirror_ed": keys.mirror_ed.hex(),
        "mirror_pq": keys.mirror_pq.hex(),
        "node": keys.node.hex(),
        "tls_passphrase": keys.tls_passphrase,
        "desks": [
            {
                "id": desk.id,
                "alias": desk.alias,
                "en": desk.name.en,
                "es": desk.name.es,
                "author": desk.author.hex(),
                "seal": desk.seal,
            }
            for desk in keys.desks
        ],
    }
    return encrypt(canon.dumps(value), [Passphrase(passphrase, log_n=work)], rng)


def open_keys(data: bytes, passphrase: str) -> NodeKeys:
    """The keys in `keys.age`.

    Raises:  UnverifiedError: age.wrong_passphrase · MalformedError: age.* · keys.format.
    """
    value = _opened(data, passphrase, "node_keys", _NODE_FIELDS)
    desks = value["desks"]
    if type(desks) is not list or not desks:
        raise MalformedError("keys.format")
    return NodeKeys(
        domain=_string(value["domain"]),
        **{name: _seed(value[name]) for name in _SEEDS},
        tls_passphrase=_string(value["tls_passphrase"]),
        desks=tuple(map(_desk, desks)),
    )


_SEEDS: Final = ("log_ed", "log_pq", "mirror_ed", "mirror_pq", "node")
_NODE_FIELDS: Final = {*_SEEDS, "domain", "tls_passphrase", "desks"}
_DESK_FIELDS: Final = {"id", "alias", "en", "es", "author", "seal"}
_ROOT_FIELDS: Final = {"name", "seed"}


def _opened(data: bytes, passphrase: str, kind: str, fields: set[str]) -> canon.Object:
    value = canon.loads(decrypt(data, [Passphrase(passphrase)]), _MAX_FILE)
    good = value.keys() == {"kind", "v", *fields} and value["kind"] == kind and value["v"] == 1
    if not good or value["v"] is True:  # true is 1 to Python
        raise MalformedError("keys.format")
    return value


def _string(value: canon.Json) -> str:
    if type(value) is not str:
        raise MalformedError("keys.format")
    return value


def _seed(value: canon.Json) -> bytes:
    return parse_hex(_string(value), 32, "keys.format")


def _desk(value: canon.Json) -> DeskKeys:
    if type(value) is not dict or value.keys() != _DESK_FIELDS:
        raise MalformedError("keys.format")
    return DeskKeys(
        id=_string(value["id"]),
        alias=_string(value["alias"]),
        name=Text(_string(value["en"]), _string(value["es"])),
        author=_seed(value["author"]),
        seal=_string(value["seal"]),
    )


def seal_root(  # noqa: PLR0913, PLR0917 - what one file says, and what it is sealed with
    domain: str, number: int, seed: bytes, passphrase: str, rng: Random, work: int = WORK_FACTOR
) -> bytes:
    """The bytes of one root key file."""
    value: canon.Object = {
        "kind": "root_key",
        "v": 1,
        "name": root_key_name(domain, number),
        "seed": seed.hex(),
    }
    return encrypt(canon.dumps(value), [Passphrase(passphrase, log_n=work)], rng)


def open_root(data: bytes, passphrase: str) -> Ed25519Signer:
    """The root key in a root key file.  Raises:  as `open_keys`."""
    value = _opened(data, passphrase, "root_key", _ROOT_FIELDS)
    return Ed25519Signer(_string(value["name"]), _seed(value["seed"]))
