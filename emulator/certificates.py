"""A certificate authority of the emulator's own, for ``--tls auto``: of use to nobody but a test on this machine.

::

    <data>/tls/
      ca.pem, ca.key       the authority; clients trust ca.pem
      server.pem           the server's certificate and key
      admin.pem, user.pem  certificates with keys for clients, one for each role
"""

import datetime as dt
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ADMIN: Final = "admin"
USER: Final = "user"
NAMES: Final = ("localhost", "127.0.0.1", "::1", "host.docker.internal")
"""What the server's certificate is always for."""

_LIFE: Final = dt.timedelta(days=825)
_RENEW_BEFORE: Final = dt.timedelta(days=30)
_CLOCKS_DIFFER: Final = dt.timedelta(days=1)


@contextmanager
def authority_in(directory: Path) -> Iterator["Authority"]:
    """The authority in a directory, for one process at a time: those that start at once shall not make two."""
    directory.mkdir(parents=True, exist_ok=True)
    os.chmod(directory, 0o700)
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Authority(directory)
    finally:
        os.close(descriptor)


class Authority:
    """The authority in a directory: made if it isn't there, about to end, or not of one piece."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.file = directory / "ca.pem"
        key_file = directory / "ca.key"
        if not (_lasts(self.file) and _belongs(key_file, self.file)):
            self._make(key_file)
        self._certificate = x509.load_pem_x509_certificate(self.file.read_bytes())
        key = load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def server(self, names: Sequence[str]) -> Path:
        """The server's certificate and key in one file, for `NAMES` and `names`; made anew if it is for others."""
        wanted = [_general_name(name) for name in dict.fromkeys((*NAMES, *names))]
        return self._issued("server", wanted, ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, role: str) -> Path:
        """A client's certificate and key in one file; its common name is its role."""
        return self._issued(role, [], ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issued(self, name: str, alternatives: list[x509.GeneralName], usage: x509.ObjectIdentifier) -> Path:
        file = self._directory / f"{name}.pem"
        if _lasts(file):
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
            if certificate.issuer == self._certificate.subject and _alternatives(certificate) == alternatives:
                return file
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, key.public_key(), self._certificate.subject)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        _write(file, certificate.public_bytes(Encoding.PEM) + _as_pem(key))
        return file

    def _make(self, key_file: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        # A name of its own, so that a certificate of an authority before this one is not taken for its.
        name = f"Image Store emulator {os.urandom(4).hex()}"
        builder = _builder(name, key.public_key(), None)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(_signs_certificates(), critical=True)
        _write(key_file, _as_pem(key))
        _write(self.file, builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))


def _builder(name: str, public_key: ec.EllipticCurvePublicKey, issuer: x509.Name | None) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + _LIFE)
    )


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _alternatives(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _lasts(file: Path) -> bool:
    """Whether there is a certificate in the file that does not end soon."""
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError):
        return False
    return certificate.not_valid_after_utc - dt.datetime.now(dt.UTC) > _RENEW_BEFORE


def _belongs(key_file: Path, file: Path) -> bool:
    """Whether the key is that of the certificate; not so where whoever made them was killed between the two."""
    try:
        key = load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError):
        return False
    return key.public_key() == x509.load_pem_x509_certificate(file.read_bytes()).public_key()


def _as_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(file: Path, content: bytes) -> None:
    """Keys are for the owner only, from the first byte on."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as writer:
        writer.write(content)
    new.replace(file)
