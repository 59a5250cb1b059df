"""TLS as a secured cluster has it: the server's certificate, and which clients' certificates are trusted."""

import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emulator.protocol.access import Access, parse_clients
from emulator.settings import SettingError, Settings, TlsMode, option_of

_FOLDER: Final = "tls"


@dataclass(frozen=True, slots=True)
class Tls:
    """What a listening socket needs, and the authority that clients can be given, if it is the emulator's own."""

    context: ssl.SSLContext
    authority: Path | None


def load_tls(settings: Settings) -> tuple[Tls | None, Access]:
    """TLS and the roles of clients as the settings say; raises `SettingError` for files that cannot be used."""
    if settings.tls is TlsMode.OFF:
        if settings.client_certificates:
            raise SettingError("client_certificates", "certificates need --tls auto or --tls files")
        return None, Access()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    admins, users = parse_clients(settings.admin_clients), parse_clients(settings.user_clients)
    trusted = [settings.client_ca] if settings.client_ca else []
    authority = None
    if settings.tls is TlsMode.AUTO:
        authority, own_admin, own_user = _make_own(settings, context)
        trusted.append(authority)
        admins, users = admins | {own_admin}, users | {own_user}
    else:
        _load_files(settings, context)
    if settings.client_certificates:
        _trust(context, trusted)
        if not admins:
            raise SettingError("admin_clients", "with certificates required somebody has to be an admin")
    access = Access(settings.client_certificates, admins, users, settings.user_access)
    return Tls(context, authority), access


def without_effect(settings: Settings) -> Iterator[str]:
    """Sentences about what was set and yet does nothing: somebody may think that it protects."""
    files, clients = ("tls_certificate", "tls_key"), ("client_ca", "admin_clients", "user_clients")
    idle: dict[str, str] = {}
    if not settings.client_certificates:
        idle |= dict.fromkeys(clients, "--client-certificates")
    if settings.tls is TlsMode.AUTO:
        idle |= dict.fromkeys(files, "--tls files")
    if settings.tls is TlsMode.OFF:
        idle |= dict.fromkeys((*files, *clients, "https_port", "tls_names"), "--tls")
    for name, needed in idle.items():
        if getattr(settings, name) not in {None, ""}:
            yield f"{option_of(name)} has no effect without {needed}"


def _make_own(settings: Settings, context: ssl.SSLContext) -> tuple[Path, str, str]:
    """The authority's file, and the thumbprints of its client for each role."""
    try:
        from emulator.certificates import ADMIN, USER, authority_in
    except ImportError:
        raise SettingError("tls", "auto needs the extra 'tls': pip install 'imagestore-emulator[tls]'") from None
    try:
        with authority_in(settings.data / _FOLDER) as authority:
            context.load_cert_chain(authority.server(settings.tls_names.replace(",", " ").split()))
            clients = [_thumbprint(authority.client(role)) for role in (ADMIN, USER)]
    except (OSError, ValueError) as error:
        raise SettingError("tls", f"auto: {error}") from error
    return authority.file, clients[0], clients[1]


def _load_files(settings: Settings, context: ssl.SSLContext) -> None:
    if settings.tls_certificate is None:
        raise SettingError("tls_certificate", "--tls files needs the server's certificate")
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, _refuse_to_ask)
    except (OSError, ValueError) as error:
        raise SettingError("tls_certificate", f"{settings.tls_certificate}: {error}") from error


def _refuse_to_ask() -> str:
    """In place of OpenSSL, which would wait for somebody to type a passphrase."""
    raise ValueError("the key has a passphrase; take one without")


def _trust(context: ssl.SSLContext, trusted: list[Path]) -> None:
    """Ask for a client's certificate; one that is trusted may be missing, but not another one be sent."""
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # so that a certificate can be trusted as it is
    if not trusted:
        raise SettingError("client_ca", "--client-certificates with --tls files needs the certificates to trust")
    for file in trusted:
        try:
            context.load_verify_locations(file)
        except (OSError, ssl.SSLError) as error:
            raise SettingError("client_ca", f"{file}: {error}") from error


def _thumbprint(pem: Path) -> str:
    """What names a certificate to Windows: the SHA-1 of it."""
    text = pem.read_text()
    end = "-----END CERTIFICATE-----"
    der = ssl.PEM_cert_to_DER_cert(text[: text.index(end) + len(end)])
    return hashlib.sha1(der).hexdigest()  # noqa: S324  # a name, not a proof
