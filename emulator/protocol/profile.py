"""What differs between runtime versions and platforms, as data: one profile object instead of conditions all over."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Final

RUNTIME_BUILDS: Final = {
    "6.0": "6.0.232.9494",
    "6.1": "6.1.467.9494",
    "6.2": "6.2.301.9494",
    "6.3": "6.3.187.9494",
    "6.4": "6.4.664.9590",
    "6.5": "6.5.676.9590",
    "7.0": "7.0.470.9590",
    "7.1": "7.1.458.9590",
    "7.2": "7.2.434.9590",
    "8.0": "8.0.536.9590",
    "8.1": "8.1.337.9590",
    "8.2": "8.2.1692.9590",
    "9.0": "9.0.1553.9590",
    "9.1": "9.1.2833.9590",
    "10.0": "10.0.2382.9590",
    "10.1": "10.1.2841.9590",
    "11.0": "11.0.2707.1",
    "11.1": "11.1.208.1",
    "11.2": "11.2.274.1",
    "11.3": "11.3.365.1",
    "11.4": "11.4.268.1",
    "11.5": "11.5.116.1",
    "11.6": "11.6.235.1",
    "11.7": "11.7.157.1",
    "11.8": "11.8.121.1",
}
"""Public runtime versions and one build of each, as release notes list them; a build is only shown, never compared."""

NEWEST_RUNTIME: Final = "11.8"

_SIZES_SINCE: Final = Decimal("6.5")
_CLEAN_UP_SINCE: Final = Decimal("7.2")
_WINDOWS_FORBIDDEN: Final = frozenset('<>:"|?*') | frozenset(map(chr, range(32)))
_LINUX_FORBIDDEN: Final = frozenset("\0")


class Platform(StrEnum):
    """The two builds of the runtime."""

    WINDOWS = "windows"
    LINUX = "linux"


@dataclass(frozen=True)
class Profile:
    """The runtime being emulated."""

    platform: Platform = Platform.WINDOWS
    runtime_version: str = NEWEST_RUNTIME

    @cached_property
    def newest_api_version(self) -> Decimal:
        """The highest api-version accepted: the runtime's own ``major.minor`` read as a decimal (gateway 2.1)."""
        return Decimal(self.runtime_version)

    @property
    def build(self) -> str:
        """The full version number the cluster reports."""
        return RUNTIME_BUILDS[self.runtime_version]

    @property
    def reports_sizes(self) -> bool:
        """``$/FolderSize`` and ``$/Info`` came with runtime 6.5 (gateway 9.2)."""
        return self.newest_api_version >= _SIZES_SINCE

    @property
    def cleans_up_packages(self) -> bool:
        """Since 7.2 an uploaded package is deleted once it is registered, unless the request says otherwise."""
        return self.newest_api_version >= _CLEAN_UP_SINCE

    @property
    def is_windows(self) -> bool:
        """The Windows build; its web server tidies URLs before the gateway sees them (gateway 1.5)."""
        return self.platform is Platform.WINDOWS

    @property
    def has_upload_sessions(self) -> bool:
        """The Linux build registers no chunk or session route and ignores ``Content-Range`` (gateway 9.1)."""
        return self.is_windows

    @property
    def separator(self) -> str:
        """Between the parts of a path in listings (store 1.2)."""
        return "\\" if self.is_windows else "/"

    @property
    def is_case_sensitive(self) -> bool:
        """Whether ``a`` and ``A`` are two files (store 1.3)."""
        return not self.is_windows

    @property
    def forbidden_characters(self) -> frozenset[str]:
        """Refused in content paths (store 1.5: rejected since 6.5 CU2, a crash or a failing file API before)."""
        return _WINDOWS_FORBIDDEN if self.is_windows else _LINUX_FORBIDDEN
