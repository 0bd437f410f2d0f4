"""Making a node: keys, card, databases, configuration; whole or not at all.

Everything is made in a folder beside the wanted one, which takes its name only when complete.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import ipaddress
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from convenio.core.card import Card, Roots, Roster, Text, root_key_name, sign_card
from convenio.core.decide import Person, Role
from convenio.core.errors import ConflictError, RefusedError
from convenio.core.note import Ed25519Signer
from convenio.core.record import PartyId
from convenio.node.config import FILE_NAME, NodeConfig, parse_config
from convenio.node.keys import WORK_FACTOR, NodeKeys, generate, seal_keys, seal_root
from convenio.node.local import LocalStore
from convenio.node.people import check_person_name
from convenio.store.durable import os_errors, sync_folder, write_file
from convenio.store.objects import DiskBlobs
from convenio.store.sqlite import SqliteStore

MIN_PASSPHRASE: Final = 15  # characters; why: docs/threat-model.md
Random = Callable[[int], bytes]
KEYS, CARD, ROOTS = "keys.age", "card.note", "roots"
LOG, LOCAL, VIEW, COUNTS = "log.db", "local.db", "view.db", "counts.db"
BLOBS, TILES = "blobs", "tiles"
SCRATCH, LOCK, CERTIFICATE, TLS_KEY = "scratch", "lock", "tls.crt", "tls.key"


@dataclass(frozen=True, slots=True)
class Setup:
    """What `init` is told. desks: alias -> name. roots: k of n offline keys. keeper: first person.

    url: where partners reach the node. host, port: where it listens. work: scrypt log2 N of the
    key files; less than the default is for tests.
    """

    party: str
    name: Text
    url: str
    domain: str
    host: str
    port: int
    desks: dict[str, Text]
    keeper: str
    roots_needed: int = 2
    roots_made: int = 3
    web_port: int = 0
    work: int = WORK_FACTOR


def make_node(  # noqa: PLR0913, PLR0917 - two secrets must not hide in one
    directory: Path, setup: Setup, passphrase: str, root_passphrase: str, now: int, rng: Random
) -> Card:
    """A complete node lies in `directory`, with its root keys in `roots/`, to be carried away.

    Raises:  ConflictError: init.exists · MalformedError: trust.* · config.bad_value, naming what is
             not well-formed · RefusedError: people.name · passphrase.short · UnavailableError:
             store.* · file.io.
    """
    for phrase in (passphrase, root_passphrase):
        require_long(phrase)
    directory = directory.resolve()
    require_room(directory)
    with os_errors(directory):
        above = [folder for folder in directory.parents if not folder.exists()]
        unfinished = directory.with_name(f".{directory.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        try:
            card = _fill(unfinished, setup, (passphrase, root_passphrase), now, rng)
            unfinished.rename(directory)  # an empty folder of that name gives way
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            for folder in above:
                with contextlib.suppress(OSError):  # somebody has put something there meanwhile
                    folder.rmdir()
            raise
        sync_folder(directory.parent)
    return card


def require_long(passphrase: str) -> None:
    """A passphrase for new keys. Length is all that is asked: what lies in a file is guessed at
    without anybody counting the attempts.

    Raises:  RefusedError: passphrase.short.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise RefusedError("passphrase.short", least=MIN_PASSPHRASE)


def require_room(directory: Path) -> None:
    """Raises:  ConflictError: init.exists, something is there · UnavailableError: file.io."""
    with os_errors(directory):
        if directory.exists() and not _is_empty_folder(directory):
            raise ConflictError("init.exists", directory=str(directory))


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _fill(folder: Path, setup: Setup, phrases: tuple[str, str], now: int, rng: Random) -> Card:
    """(1) keys · (2) certificate · (3) root keys · (4) card · (5) databases · (6) configuration."""
    check_person_name(setup.keeper)
    keys = generate(setup.domain, setup.desks, rng)  # (1)
    write_file(folder / KEYS, seal_keys(keys, phrases[0], rng, setup.work))
    tls = _make_certificate(folder, setup, keys) if setup.url.startswith("https:") else ""  # (2)
    roots = _make_roots(folder / ROOTS, setup, phrases[1], rng)  # (3)
    card = _card(setup, keys, roots, tls, now)  # (4)
    write_file(folder / CARD, sign_card(card, *roots))
    SqliteStore.create(folder / LOG).close()  # (5)
    local = LocalStore.create(folder / LOCAL, setup.party)
    keeper = Person(setup.keeper, PartyId(setup.party), frozenset(), frozenset({Role.KEEPER}))
    local.add_person(keeper, now, setup.keeper)
    local.close()
    DiskBlobs.create(folder / BLOBS, lambda: now)
    for name in (TILES, SCRATCH):
        (folder / name).mkdir(mode=0o700)
    config = NodeConfig(  # (6)
        setup.party, setup.domain, setup.host, setup.port, setup.web_port, tls=bool(tls)
    )
    written = config.encode()
    parse_config(written)
    write_file(folder / FILE_NAME, written.encode())
    return card


def _make_roots(folder: Path, setup: Setup, phrase: str, rng: Random) -> list[Ed25519Signer]:
    folder.mkdir(mode=0o700)
    signers = []
    for number in range(1, setup.roots_made + 1):
        seed = rng(32)
        sealed = seal_root(setup.domain, number, seed, phrase, rng, setup.work)
        write_file(folder / f"root-{number}.age", sealed)
        signers.append(Ed25519Signer(root_key_name(setup.domain, number), seed))
    return signers


def _card(setup: Setup, keys: NodeKeys, roots: list[Ed25519Signer], tls: str, now: int) -> Card:
    roster = Roster(
        seq=1,
        url=setup.url,
        tls=tls,
        log=keys.public_log(),
        mirror=keys.public_mirror(),
        node=keys.node_signer().public,
        desks=tuple(desk.public() for desk in keys.desks),
    )
    public = Roots(setup.roots_needed, tuple(signer.public for signer in roots))
    return Card(PartyId(setup.party), setup.name, setup.domain, public, roster, now)


def _make_certificate(folder: Path, setup: Setup, keys: NodeKeys) -> str:
    """A self-signed certificate; its SHA-256 is pinned in the card, no authority is asked."""
    host = urlsplit(setup.url).hostname or setup.host
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    start = datetime.datetime.fromtimestamp(0, datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC))
        .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(keys.tls_passphrase.encode()),
    )
    write_file(folder / TLS_KEY, secret)
    write_file(folder / CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM))
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
