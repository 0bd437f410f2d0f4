"""Signed requests and responses between nodes: RFC 9421 in one fixed profile (docs/spec/http.md).

Every signed request covers the same six components in the same order, every signed response the
same three; nothing else is accepted, so there is nothing to negotiate and nothing to confuse. A
signature admits a request; what the request carries is proved by itself (docs/spec/http.md).

The caller gives the authority from its configuration, never from the Host header, keeps the
`NonceCache`, and compares the digest of the bytes it received with the one that was signed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from convenio.core.encoding import parse_base64, parse_decimal
from convenio.core.errors import MalformedError, SignatureError, UnavailableError, UnverifiedError
from convenio.core.note import Ed25519Signer, Ed25519Verifier, ed25519_verify

LABEL: Final = "convenio"
TAG: Final = "convenio/1"
MAX_LIFE_S: Final = 60
MAX_SKEW_S: Final = 60
NONCE_BYTES: Final = 16
ENCODINGS: Final = ("identity", "gzip")

_REQUEST_COVERS: Final = (
    '("@method" "@authority" "@path" "@query" "content-digest" "content-encoding")'
)
_RESPONSE_COVERS: Final = f'("@status" "content-digest" "signature";req;key="{LABEL}")'
_KEYID = r"[a-z0-9](?:[a-z0-9.-]{0,200}[a-z0-9])?/node\+[0-9a-f]{8}"
_NUMBER = r"(?:0|[1-9][0-9]{0,14})"
_REQUEST_INPUT = re.compile(
    rf"{LABEL}={re.escape(_REQUEST_COVERS)};created=({_NUMBER});keyid=\"({_KEYID})\""
    rf";expires=({_NUMBER});nonce=\"([0-9a-f]{{32}})\";tag=\"{TAG}\"",
    re.ASCII,
)
_RESPONSE_INPUT = re.compile(
    rf"{LABEL}={re.escape(_RESPONSE_COVERS)};created=({_NUMBER});keyid=\"({_KEYID})\""
    rf";tag=\"{TAG}\"",
    re.ASCII,
)
_SIGNATURE = re.compile(rf"{LABEL}=:([A-Za-z0-9+/=]{{88}}):", re.ASCII)
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]{44}):", re.ASCII)
_METHOD = re.compile(r"[A-Z]{3,7}", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?|/", re.ASCII)
_QUERY = re.compile(r"[A-Za-z0-9._~=&-]{0,1024}", re.ASCII)
_URL = re.compile(
    r"(https?)://([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,39}\])(?::([0-9]{1,5}))?"
    r"((?:/[A-Za-z0-9._~-]+)*)/?",
    re.ASCII,
)
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Where a node serves its partners. path: "" or "/a/b", no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of "@authority": host in lower case, the port unless the scheme's own."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"


def parse_base_url(text: str) -> BaseUrl:
    """The base URL that `text` writes: http or https, lower-case host, no user, query, fragment.

    Raises:  MalformedError: http.url.
    """
    match = _URL.fullmatch(text)
    if not match:
        raise MalformedError("http.url")
    scheme, host, port, path = match.groups()
    number = int(port) if port else _PORTS[scheme]
    if not 0 < number < 65_536 or _has_dots(path):
        raise MalformedError("http.url")
    return BaseUrl(scheme, host, number, path)


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of whom. authority: of the asked node, as configured. query: without "?".

    path and query are the bytes of the request line; only characters that no one ever escapes or
    normalises are allowed in them, so all implementations sign the same text.
    """

    method: str
    authority: str
    path: str
    query: str = ""


def check_target(target: Target) -> Target:
    """`target`, if all implementations would write its path and query alike.

    Raises:  MalformedError: http.target.
    """
    good = _METHOD.fullmatch(target.method) and _PATH.fullmatch(target.path)
    if not good or _has_dots(target.path) or not _QUERY.fullmatch(target.query):
        raise MalformedError("http.target")
    return target


def _has_dots(path: str) -> bool:
    return any(segment in (".", "..") for segment in path.split("/"))


@dataclass(frozen=True, slots=True)
class RequestSignature:
    """What the four signed fields of a request say; nothing in it is verified.

    digest: SHA-256 of the content as sent, 32 bytes. encoding: `identity` or `gzip`.
    created, expires: seconds UTC. nonce: 32 hex. signature: 64 bytes.
    """

    digest: bytes
    encoding: str
    created: int
    expires: int
    nonce: str
    keyid: str
    signature: bytes

    def fields(self) -> dict[str, str]:
        """The header fields that carry it."""
        return {
            "content-digest": _format_digest(self.digest),
            "content-encoding": self.encoding,
            "signature-input": f"{LABEL}={self._params()}",
            "signature": f"{LABEL}={_sf_bytes(self.signature)}",
        }

    def base(self, target: Target) -> bytes:
        """The signature base of a request to `target`.  Source: RFC 9421 section 2.5."""
        lines = (
            f'"@method": {target.method}',
            f'"@authority": {target.authority}',
            f'"@path": {target.path}',
            f'"@query": ?{target.query}',
            f'"content-digest": {_format_digest(self.digest)}',
            f'"content-encoding": {self.encoding}',
            f'"@signature-params": {self._params()}',
        )
        return "\n".join(lines).encode()

    def _params(self) -> str:
        return (
            f'{_REQUEST_COVERS};created={self.created};keyid="{self.keyid}"'
            f';expires={self.expires};nonce="{self.nonce}";tag="{TAG}"'
        )


@dataclass(frozen=True, slots=True)
class ResponseSignature:
    """What the three signed fields of a response say; nothing in it is verified."""

    digest: bytes
    created: int
    keyid: str
    signature: bytes

    def fields(self) -> dict[str, str]:
        """The header fields that carry it."""
        return {
            "content-digest": _format_digest(self.digest),
            "signature-input": f"{LABEL}={self._params()}",
            "signature": f"{LABEL}={_sf_bytes(self.signature)}",
        }

    def base(self, status: int, request_signature: bytes) -> bytes:
        """The signature base of the response to the request with that signature."""
        lines = (
            f'"@status": {status}',
            f'"content-digest": {_format_digest(self.digest)}',
            f'"signature";req;key="{LABEL}": {_sf_bytes(request_signature)}',
            f'"@signature-params": {self._params()}',
        )
        return "\n".join(lines).encode()

    def _params(self) -> str:
        return f'{_RESPONSE_COVERS};created={self.created};keyid="{self.keyid}";tag="{TAG}"'


def keyid_of(key: Ed25519Signer | Ed25519Verifier) -> str:
    """The `keyid` of a node key: its name and key id, written as at the start of its vkey."""
    return f"{key.name}+{key.key_id.hex()}"


def sign_request(  # noqa: PLR0913 -- each is one parameter of the signature
    target: Target,
    digest: bytes,
    encoding: str,
    signer: Ed25519Signer,
    *,
    created: int,
    nonce: bytes,
    life_s: int = MAX_LIFE_S,
) -> RequestSignature:
    """The signature of a request to `target`; `nonce` is 16 random bytes, never used again.

    Raises:  MalformedError: http.target.
    """
    if len(nonce) != NONCE_BYTES or not 0 < life_s <= MAX_LIFE_S or encoding not in ENCODINGS:
        raise RuntimeError("outside the signature profile")
    check_target(target)
    unsigned = RequestSignature(
        digest, encoding, created, created + life_s, nonce.hex(), keyid_of(signer), b""
    )
    return _with_signature(unsigned, signer.sign_bytes(unsigned.base(target)))


def _with_signature(unsigned: RequestSignature, signature: bytes) -> RequestSignature:
    u = unsigned
    return RequestSignature(u.digest, u.encoding, u.created, u.expires, u.nonce, u.keyid, signature)


def parse_request(fields: Iterable[tuple[bytes, bytes]]) -> RequestSignature | None:
    """The signature in the header `fields` of a request, or None when it carries none at all.

    Raises:  MalformedError: http.field, one missing or there twice · http.digest ·
             http.encoding · http.signature_input · http.signature.
    """
    names = ("content-digest", "content-encoding", "signature-input", "signature")
    found = _pick(fields, names)
    if not found["signature"] and not found["signature-input"]:
        return None
    digest, encoding, params, signature = (_only(found, name) for name in names)
    match = _REQUEST_INPUT.fullmatch(params)
    if not match:
        raise MalformedError("http.signature_input")
    if encoding not in ENCODINGS:
        raise MalformedError("http.encoding")
    created, keyid, expires, nonce = match.groups()
    return RequestSignature(
        _parse_digest(digest),
        encoding,
        _parse_number(created),
        _parse_number(expires),
        nonce,
        keyid,
        _parse_signature(signature),
    )


def check_request(signed: RequestSignature, target: Target, key: Ed25519Verifier, now: int) -> None:
    """Returns if `key` signed this request to `target` and the request is of now.

    A replay within the window is the caller's to catch (`NonceCache`).  now: seconds UTC.
    Raises:  UnverifiedError: http.lifetime · http.too_early · http.expired;
             SignatureError: http.wrong_key · http.bad_signature; MalformedError: http.target.
    """
    check_target(target)
    if not 0 < signed.expires - signed.created <= MAX_LIFE_S:
        raise UnverifiedError("http.lifetime", max_s=MAX_LIFE_S)
    if signed.created > now + MAX_SKEW_S:
        raise UnverifiedError("http.too_early", ahead_s=signed.created - now)
    if signed.expires + MAX_SKEW_S < now:
        raise UnverifiedError("http.expired", late_s=now - signed.expires)
    _check_signature(signed.keyid, signed.base(target), signed.signature, key)


def sign_response(
    status: int, digest: bytes, request_signature: bytes, signer: Ed25519Signer, created: int
) -> ResponseSignature:
    """The signature of the response to the request that carried `request_signature`."""
    unsigned = ResponseSignature(digest, created, keyid_of(signer), b"")
    signature = signer.sign_bytes(unsigned.base(status, request_signature))
    return ResponseSignature(digest, created, unsigned.keyid, signature)


def parse_response(fields: Iterable[tuple[bytes, bytes]]) -> ResponseSignature | None:
    """The signature in the header `fields` of a response, or None when it carries none at all.

    Raises:  MalformedError: http.field · http.digest · http.signature_input · http.signature.
    """
    names = ("content-digest", "signature-input", "signature")
    found = _pick(fields, names)
    if not found["signature"] and not found["signature-input"]:
        return None
    digest, params, signature = (_only(found, name) for name in names)
    match = _RESPONSE_INPUT.fullmatch(params)
    if not match:
        raise MalformedError("http.signature_input")
    created, keyid = match.groups()
    return ResponseSignature(
        _parse_digest(digest), _parse_number(created), keyid, _parse_signature(signature)
    )


def check_response(
    signed: ResponseSignature, status: int, request_signature: bytes, key: Ed25519Verifier
) -> None:
    """Returns if `key` signed this response to this very request.

    No clock: the request's nonce is fresh, so an old response cannot answer it.
    Raises:  SignatureError: http.wrong_key · http.bad_signature.
    """
    base = signed.base(status, request_signature)
    _check_signature(signed.keyid, base, signed.signature, key)


def _check_signature(keyid: str, base: bytes, signature: bytes, key: Ed25519Verifier) -> None:
    if keyid != keyid_of(key):
        raise SignatureError("http.wrong_key", key=keyid)
    if not ed25519_verify(key.public, base, signature):
        raise SignatureError("http.bad_signature", key=keyid)


class NonceCache:
    """Remembers the nonces of accepted requests until they could not be accepted again.

    Bounded for each key, so one partner that floods shuts out only itself. Not safe from two
    threads at once. It starts empty: what a restart forgets is at most `MAX_LIFE_S + 2 *
    MAX_SKEW_S` seconds old, and every request of the protocol may be repeated without harm.
    """

    def __init__(self, max_per_key: int = 20_000) -> None:
        self._max = max_per_key
        self._seen: dict[Ed25519Verifier, OrderedDict[str, int]] = {}

    def take(self, signed: RequestSignature, key: Ed25519Verifier, now: int) -> None:
        """Returns once for each request that `key` was found to have signed; `now` in seconds UTC.

        Raises:  UnverifiedError: http.replayed; UnavailableError: http.too_many_requests.
        """
        seen = self._seen.setdefault(key, OrderedDict())
        while seen and next(iter(seen.values())) < now:
            seen.popitem(last=False)
        if signed.nonce in seen:
            raise UnverifiedError("http.replayed", key=signed.keyid)
        if len(seen) >= self._max:
            raise UnavailableError("http.too_many_requests", max=self._max)
        # Kept as long as any request taken now could live: the order of entry stays that of
        # expiry, and the oldest is always first.
        seen[signed.nonce] = now + MAX_LIFE_S + 2 * MAX_SKEW_S


def content_digest(content: bytes) -> bytes:
    """SHA-256 of the content of a message, as sent (RFC 9530 Content-Digest)."""
    return hashlib.sha256(content).digest()


def _format_digest(digest: bytes) -> str:
    return f"sha-256={_sf_bytes(digest)}"


def _sf_bytes(raw: bytes) -> str:
    return f":{base64.b64encode(raw).decode()}:"


def _parse_digest(text: str) -> bytes:
    match = _DIGEST.fullmatch(text)
    raw = parse_base64(match[1].encode(), "http.digest") if match else b""
    if len(raw) != 32:
        raise MalformedError("http.digest")
    return raw


def _parse_signature(text: str) -> bytes:
    match = _SIGNATURE.fullmatch(text)
    raw = parse_base64(match[1].encode(), "http.signature") if match else b""
    if len(raw) != 64:
        raise MalformedError("http.signature")
    return raw


def _parse_number(text: str) -> int:
    return parse_decimal(text.encode(), "http.signature_input")


def _pick(fields: Iterable[tuple[bytes, bytes]], names: tuple[str, ...]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {name: [] for name in names}
    for raw_name, value in fields:
        if (name := raw_name.decode("latin-1").lower()) in found:
            found[name].append(value)
    return found


def _only(found: dict[str, list[bytes]], name: str) -> str:
    if len(found[name]) != 1:
        raise MalformedError("http.field", name=name)
    return found[name][0].decode("latin-1")
