"""Who a client is by its certificate, and what its role may do (reference: gateway 8).

A cluster knows two roles. Admins may do everything. From users the runtime's defaults (``Security/ClientAccess``) keep
the whole image store; here they may read it, unless the emulator is told to be as strict.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_READING: Final = frozenset({"GET", "HEAD"})
_QUESTION: Final = "Get"
"""What the names of operations begin with that change nothing, whatever their verb."""

_DIGITS: Final = frozenset("0123456789abcdef")
_THUMBPRINT_LENGTH: Final = 40
_COMMON_NAME: Final = "cn="
_ANY: Final = "ca"


class Role(StrEnum):
    """What a client may do."""

    ADMIN = "admin"
    USER = "user"


class UserAccess(StrEnum):
    """What users may do with the image store."""

    READ = "read"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Peer:
    """A client by its certificate, which the server trusts: the SHA-1 of it in lower case, and its common name."""

    thumbprint: str
    common_name: str


@dataclass(frozen=True, slots=True)
class Access:
    """The clients of each role, as `parse_clients` reads them."""

    is_required: bool = False
    admins: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    user_access: UserAccess = UserAccess.READ

    def role_of(self, peer: Peer | None) -> Role | None:
        """The role of a client; ``None`` for a stranger. Where no certificates are required everybody is an admin."""
        if not self.is_required:
            return Role.ADMIN
        if peer is None:
            return None
        names = {peer.thumbprint, _COMMON_NAME + peer.common_name.lower(), _ANY}
        if names & self.admins:
            return Role.ADMIN
        return Role.USER if names & self.users else None

    def lets_user(self, method: str, operation: str, path: str) -> bool:
        """Whether users may do this operation; questions about health may be a POST, to send a policy along."""
        if method not in _READING and not operation.startswith(_QUESTION):
            return False
        return self.user_access is UserAccess.READ or not path.startswith("/ImageStore")


def parse_clients(text: str) -> frozenset[str]:
    """A list of clients: SHA-1 thumbprints, ``cn=NAME``, or ``ca`` for every certificate that the server trusts.

    Raises `ValueError`.
    """
    return frozenset(_client(each.strip()) for each in text.split(",") if each.strip())


def _client(text: str) -> str:
    lower = text.lower()
    if lower == _ANY or (lower.startswith(_COMMON_NAME) and lower != _COMMON_NAME):
        return lower
    thumbprint = lower.replace(":", "").replace(" ", "")
    if len(thumbprint) == _THUMBPRINT_LENGTH and set(thumbprint) <= _DIGITS:
        return thumbprint
    raise ValueError(f"{text!r} is no client: a SHA-1 thumbprint of 40 digits, cn=NAME, or ca")
