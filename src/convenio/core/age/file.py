"""Writing and reading whole age files, at once or as a stream of any length in constant memory.

An age file does not say who made it. The author's signature is over the hash of the file
(`core.record`), and what stands inside is checked by `core.seal`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from convenio.core.age.header import FILE_KEY, MAX_STANZAS, derive, make_header, read_header
from convenio.core.age.recipients import Identity, Recipient, Rng, check_together
from convenio.core.age.source import Source
from convenio.core.age.stream import NONCE, open_chunks, seal_chunks
from convenio.core.errors import RefusedError, UnverifiedError


def encrypt(plaintext: bytes, recipients: Sequence[Recipient], rng: Rng) -> bytes:
    """An age file of `plaintext` that each of `recipients` can open.  Raises: see the stream."""
    return b"".join(encrypt_stream((plaintext,), recipients, rng))


def decrypt(file: bytes, identities: Sequence[Identity]) -> bytes:
    """The plaintext of a binary age file, all of it or none.  Raises: see the stream."""
    return b"".join(decrypt_stream((file,), identities))


def encrypt_stream(
    plaintext: Iterable[bytes], recipients: Sequence[Recipient], rng: Rng
) -> Iterator[bytes]:
    """The bytes of an age file, in pieces: first the header, then a chunk of 64 KiB each.

    Args:    rng: gives the file key, the payload nonce and a passphrase's salt; HPKE takes its
             own from the system (`recipients`).
    Raises:  RefusedError: age.recipients, none or more than 64 ·
             MalformedError: age.passphrase_not_alone. Both before anything is read.
    """
    if not 1 <= len(recipients) <= MAX_STANZAS:
        raise RefusedError("age.recipients", max=MAX_STANZAS)
    file_key = rng(FILE_KEY)
    stanzas = tuple(recipient.wrap(file_key, rng) for recipient in recipients)
    check_together([stanza.args[0] for stanza in stanzas])
    nonce = rng(NONCE)
    start = make_header(stanzas, file_key).encode() + nonce
    return chain((start,), seal_chunks(plaintext, derive(file_key, nonce, b"payload")))


def decrypt_stream(file: Iterable[bytes], identities: Sequence[Identity]) -> Iterator[bytes]:
    """The plaintext of a binary age file, in pieces of at most 64 KiB, each one genuine.

    The header is read and checked before this returns. What has been given is a genuine
    beginning; it is the whole only if the iterator then ends without an error.
    Raises:  MalformedError: age.version · age.header · age.header_too_long · age.stanzas ·
             age.stanza · age.passphrase_not_alone ·
             RefusedError: age.no_identity, none of them opens it · age.work_factor ·
             UnverifiedError: age.wrong_passphrase · age.header_mac · age.payload · age.truncated.
    """
    source = Source(file)
    header = read_header(source)
    check_together([stanza.args[0] for stanza in header.stanzas])
    unwrapped = (identity.unwrap(header.stanzas) for identity in identities)
    file_key = next((key for key in unwrapped if key is not None), None)
    if file_key is None:
        raise RefusedError("age.no_identity")
    header.check_mac(file_key)
    nonce = bytes(source.read(NONCE))
    if len(nonce) != NONCE:
        raise UnverifiedError("age.truncated")
    return open_chunks(source, derive(file_key, nonce, b"payload"))
