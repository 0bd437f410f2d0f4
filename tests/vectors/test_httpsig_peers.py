"""Our signature profile against another implementation of RFC 9421, in both directions.

PyPI `http-message-signatures` 3 supports every part of the profile, `;req;key=` included. Its
clock is the machine's, so here times are the machine's too.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

import http_message_signatures as other
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.partners import MX, US

from convenio.core.httpsig import (
    TAG,
    Target,
    check_request,
    check_response,
    content_digest,
    keyid_of,
    parse_request,
    parse_response,
    sign_request,
    sign_response,
)

COVERED = ("@method", "@authority", "@path", "@query", "content-digest", "content-encoding")
ANSWERED = ("@status", "content-digest", '"signature";req;key="convenio"')
BODY = b"old 0\n\n"
URL = "https://mx.example:8443/a/mirror/add-entries"


def now_at() -> datetime.datetime:
    """Asked anew in each test: a signature lives for a minute, a whole run for longer."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)  # noqa: TID251


def now() -> int:
    return int(now_at().timestamp())


@dataclass
class Asked:
    """A request as that library wants to see it."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Answered:
    request: Asked
    status_code: int
    headers: dict[str, str] = field(default_factory=dict)


PRIVATE = {
    keyid_of(US): Ed25519PrivateKey.from_private_bytes(b"u" * 32),
    keyid_of(MX): Ed25519PrivateKey.from_private_bytes(b"m" * 32),
}
KEYS = other.MappingKeyResolver(
    private_keys=PRIVATE,
    public_keys={keyid: key.public_key() for keyid, key in PRIVATE.items()},
)


def wire(fields: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in fields.items()]


def our_request(query: str) -> tuple[Target, Asked, bytes]:
    target = Target("POST", "mx.example:8443", "/a/mirror/add-entries", query)
    made = sign_request(
        target, content_digest(BODY), "gzip", US, created=now(), nonce=bytes(range(16))
    )
    return (
        target,
        Asked("POST", URL + (f"?{query}" if query else ""), made.fields()),
        made.signature,
    )


def verifier() -> other.HTTPMessageVerifier:
    return other.HTTPMessageVerifier(
        signature_algorithm=other.algorithms.ED25519, key_resolver=KEYS
    )


def signer() -> other.HTTPMessageSigner:
    return other.HTTPMessageSigner(signature_algorithm=other.algorithms.ED25519, key_resolver=KEYS)


@pytest.mark.parametrize("query", ["", "offset=0&size=5"])
def test_the_other_library_verifies_our_request(query: str) -> None:
    _, asked, _ = our_request(query)
    (result,) = verifier().verify(
        asked, expect_tag=TAG, expect_label="convenio", require_components=COVERED, body=BODY
    )
    assert result.parameters["keyid"] == keyid_of(US)
    asked.headers["content-encoding"] = "identity"
    with pytest.raises(other.InvalidSignature):
        verifier().verify(asked, expect_tag=TAG)


@pytest.mark.parametrize("query", ["", "offset=0&size=5"])
def test_we_verify_a_request_the_other_library_signed(query: str) -> None:
    target, asked, _ = our_request(query)
    for name in ("signature", "signature-input"):
        del asked.headers[name]
    signer().sign(
        asked,
        key_id=keyid_of(US),
        created=now_at(),
        expires=now_at() + datetime.timedelta(seconds=30),
        nonce="0f" * 16,
        label="convenio",
        tag=TAG,
        include_alg=False,
        covered_component_ids=COVERED,
        use_existing_digest=True,
    )
    signed = parse_request(wire(asked.headers))
    assert signed is not None
    check_request(signed, target, US.verifier(), now())


def test_the_other_library_verifies_our_response() -> None:
    _, asked, signature = our_request("")
    fields = sign_response(202, content_digest(b"5\n3\n\n"), signature, MX, now()).fields()
    (result,) = verifier().verify(
        Answered(asked, 202, fields), expect_tag=TAG, require_components=ANSWERED
    )
    assert result.parameters["keyid"] == keyid_of(MX)
    with pytest.raises(other.InvalidSignature):
        verifier().verify(Answered(asked, 200, fields), expect_tag=TAG)


def test_we_verify_a_response_the_other_library_signed() -> None:
    _, asked, signature = our_request("")
    body = b"5\n3\n\n"
    digest = sign_response(202, content_digest(body), signature, MX, now()).fields()[
        "content-digest"
    ]
    answered = Answered(asked, 202, {"content-digest": digest})
    signer().sign(
        answered,
        key_id=keyid_of(MX),
        created=now_at(),
        label="convenio",
        tag=TAG,
        include_alg=False,
        covered_component_ids=ANSWERED,
        use_existing_digest=True,
    )
    signed = parse_response(wire(answered.headers))
    assert signed is not None
    check_response(signed, 202, signature, MX.verifier())
