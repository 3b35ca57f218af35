"""Speak TLS on both ports: one context for the life of the server, whose certificate can be renewed.

Faktory's rules: a certificate chain and a private key in PEM, TLS 1.2 or later, no certificates of clients.
What Faktory lacks is `reload`: open connections keep the certificate they began with, later ones get the new.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from shopfloor.config import Settings
from shopfloor.errors import ConfigError


class Tls:
    """Hold the context that listeners use and the files it came from."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read both files; raise ConfigError when they cannot be used."""
        self._certificate = certificate
        self._key = key
        self.context = _load(certificate, key)

    def reload(self) -> None:
        """Read both files again, for connections to come.

        Raise ConfigError when they cannot be used; the certificate in use then stays. They are tried on
        another context first, because a failed load leaves a context with a new certificate and an old key.
        """
        _load(self._certificate, self._key)
        self.context.load_cert_chain(self._certificate, self._key, _no_passphrase)


def open_tls(settings: Settings) -> Tls | None:
    """Return what the settings ask for: nothing where no certificate is named."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_certificate, settings.tls_key)


def _load(certificate: Path, key: Path) -> ssl.SSLContext:
    for path in (certificate, key):
        _assert_readable(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, _no_passphrase)
    except ssl.SSLError as error:
        raise ConfigError(_reason(certificate, key, error)) from None
    return context


def _assert_readable(path: Path) -> None:
    """Name the file that is missing or closed to us; the ssl module does not say which of the two it was."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _no_passphrase() -> str:
    """Refuse an encrypted key. Without this the ssl module would ask at the terminal and wait for ever."""
    raise ConfigError("the private key is encrypted; a server that starts by itself needs one that is not")


def _reason(certificate: Path, key: Path, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{key}: not the private key of {certificate}"
    if b"-----BEGIN CERTIFICATE-----" not in certificate.read_bytes():
        return f"{certificate}: no PEM certificate in it"
    if b"PRIVATE KEY-----" not in key.read_bytes():
        return f"{key}: no PEM private key in it"
    return f"{certificate}, {key}: {(error.reason or str(error)).replace('_', ' ').lower()}"
