"""TLS is transport only: one pinned certificate, whoever issued it and for whichever name."""

from __future__ import annotations

import datetime
import hashlib
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.partners import CH, MX, NOW, FakeNode, free_port, nonces, read_all, running

from convenio.api.partner import PartnerApiConfig, partner_app
from convenio.api.serve import Tls, serve_partner
from convenio.core.errors import MalformedError, SignatureError, UnavailableError
from convenio.peer.client import Partner, PartnerConfig


def self_signed(folder: Path) -> tuple[Tls, str]:
    """A certificate for no host at all, and its pin."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    files = Tls(folder / "cert.pem", folder / "key.pem")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return files, hashlib.sha256(der).hexdigest()


def test_the_pinned_certificate_is_enough_even_expired_and_for_another_name(
    tmp_path: Path,
) -> None:
    files, pin = self_signed(tmp_path)
    with running(FakeNode(charters={CH: b"charter\n"}), tls=files) as world:
        us = world.partner(tls=pin)
        assert [us.get_charter(CH) for _ in range(3)] == [b"charter\n"] * 3
        assert us.put_blob_chunk(CH, CH, 0, 2_000_000, bytes(1_000_000)) is not None


def test_another_certificate_is_refused_before_a_byte_is_sent(tmp_path: Path) -> None:
    files, _ = self_signed(tmp_path)
    with running(FakeNode(charters={CH: b"charter\n"}), tls=files) as world:
        with pytest.raises(SignatureError, match=r"peer\.tls_pin"):
            world.partner(tls="0" * 64).get_charter(CH)
        assert world.node.calls == []


def test_without_a_pin_the_certificate_must_be_of_a_known_authority(tmp_path: Path) -> None:
    files, _ = self_signed(tmp_path)
    with running(tls=files) as world, pytest.raises(UnavailableError, match=r"peer\.connect"):
        world.partner().get_charter(CH)


def test_a_pin_is_a_hash_in_hex() -> None:
    with pytest.raises(MalformedError, match=r"peer\.tls"):
        Partner(PartnerConfig("https://mx.example", tls="abc"), None, lambda: NOW, nonces)


def test_nothing_below_tls_1_3_is_spoken(tmp_path: Path) -> None:
    files, _ = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        running(tls=files) as world,
        socket.create_connection(("127.0.0.1", world.server.port), 10) as sock,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(sock, server_hostname="x")


def test_a_server_that_is_not_tls_is_unavailable() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            read_all(sock)

    thread = threading.Thread(target=serve)
    thread.start()
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(UnavailableError, match=r"peer\.connect"):
        Partner(PartnerConfig(url, tls="0" * 64), None, lambda: NOW, nonces).get_charter(CH)
    thread.join()
    listener.close()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    app = partner_app(FakeNode(), PartnerApiConfig("https://mx.example", MX, lambda: NOW))
    nowhere = Tls(tmp_path / "no.pem", tmp_path / "no.key")
    with pytest.raises(UnavailableError, match=r"serve\.tls"):
        serve_partner(app, "127.0.0.1", 0, tls=nowhere)
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(UnavailableError, match=r"serve\.address"),
    ):
        serve_partner(app, "127.0.0.1", taken.getsockname()[1])
    with pytest.raises(UnavailableError, match=r"serve\.address"):
        serve_partner(app, "127.0.0.1", 65_536)


def has_ipv6_loopback() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no ::1")
def test_a_server_also_listens_on_ipv6() -> None:
    port = free_port()
    url = f"http://[::1]:{port}"
    node = FakeNode(charters={CH: b"charter\n"})
    server = serve_partner(partner_app(node, PartnerApiConfig(url, MX, lambda: NOW)), "::1", port)
    try:
        answer = Partner(PartnerConfig(url), None, lambda: NOW, nonces)
        assert answer.get_charter(CH) is None
        answer.close()
    finally:
        server.stop()
