"""TLS of the server: what it speaks, how its certificate is renewed, which files it refuses."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from shopfloor.config import Settings
from shopfloor.errors import ConfigError
from shopfloor.server.tls import Tls, open_tls


def _files(folder: Path, authority: trustme.CA, name: str) -> tuple[Path, Path]:
    issued = authority.issue_cert(name)
    certificate, key = folder / "public.cert.pem", folder / "private.key.pem"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def _connect(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """Shake hands in memory, without a socket, and return the client's end."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    return ends[0]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def client(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_a_client_that_trusts_the_authority_connects(
    tmp_path: Path, authority: trustme.CA, client: ssl.SSLContext
) -> None:
    tls = Tls(*_files(tmp_path, authority, "jobs.test"))
    assert _connect(tls.context, client, "jobs.test").version() == "TLSv1.3"
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert _connect(tls.context, client, "jobs.test").version() == "TLSv1.2"


def test_versions_below_1_2_are_not_spoken(tmp_path: Path, authority: trustme.CA) -> None:
    assert Tls(*_files(tmp_path, authority, "x.test")).context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_renewed_certificate_is_used_after_a_reload_by_the_same_context(
    tmp_path: Path, authority: trustme.CA, client: ssl.SSLContext
) -> None:
    tls = Tls(*_files(tmp_path, authority, "old.test"))
    context = tls.context
    _files(tmp_path, authority, "new.test")
    _connect(context, client, "old.test")
    tls.reload()
    _connect(context, client, "new.test")
    with pytest.raises(ssl.SSLCertVerificationError):
        _connect(context, client, "old.test")


def test_a_reload_that_fails_keeps_the_certificate_in_use(
    tmp_path: Path, authority: trustme.CA, client: ssl.SSLContext
) -> None:
    certificate, key = _files(tmp_path, authority, "old.test")
    tls = Tls(certificate, key)
    certificate.write_bytes(authority.issue_cert("new.test").cert_chain_pems[0].bytes())
    with pytest.raises(ConfigError, match="not the private key of"):
        tls.reload()
    _connect(tls.context, client, "old.test")


def test_a_missing_file_is_named(tmp_path: Path, authority: trustme.CA) -> None:
    certificate, key = _files(tmp_path, authority, "x.test")
    key.unlink()
    with pytest.raises(ConfigError, match=r"private\.key\.pem: no such file or directory"):
        Tls(certificate, key)


def test_a_file_that_holds_something_else_is_named(tmp_path: Path, authority: trustme.CA) -> None:
    certificate, key = _files(tmp_path, authority, "x.test")
    whole = certificate.read_bytes()
    with pytest.raises(ConfigError, match=r"private\.key\.pem: no PEM certificate in it"):
        Tls(key, key)
    with pytest.raises(ConfigError, match=r"public\.cert\.pem: no PEM private key in it"):
        Tls(certificate, certificate)
    certificate.write_bytes(whole.replace(b"M", b"!"))
    with pytest.raises(ConfigError, match=r"public\.cert\.pem, .*private\.key\.pem: "):
        Tls(certificate, key)


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_passphrase(
    tmp_path: Path, authority: trustme.CA
) -> None:
    certificate, key = _files(tmp_path, authority, "x.test")
    plain = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
    )
    with pytest.raises(ConfigError, match="the private key is encrypted"):
        Tls(certificate, key)


def test_settings_without_a_certificate_ask_for_no_tls(tmp_path: Path, authority: trustme.CA) -> None:
    assert open_tls(Settings()) is None
    certificate, key = _files(tmp_path, authority, "x.test")
    assert open_tls(replace(Settings(), tls_certificate=certificate, tls_key=key)) is not None
