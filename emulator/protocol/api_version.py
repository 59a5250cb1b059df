"""``api-version``: how the gateway reads it, and what it changes (reference: gateway 2)."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

_NUMBER: Final = re.compile(r" *[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_TEXT: Final = re.compile(r" *[+-]?[0-9]*(?:\.[0-9]*)?(?P<exponent>[eE](?P<power>[+-]?[0-9]{1,3}(?![0-9]))?)?")
_LONGEST: Final = 32

MINIMUM: Final = Decimal("1.0")
SIZES_SINCE: Final = Decimal("6.5")
"""First version with ``$/FolderSize`` and ``$/Info`` (published REST contract)."""

_UNPAGED: Final = frozenset({Decimal("1.0"), Decimal("2.0"), Decimal("3.0")})
_ISO_DATES_SINCE: Final = Decimal("3.0")
_BARE_EMPTY_LISTING_SINCE: Final = Decimal("6.2")
_ENTITIES_UNPAGED: Final = Decimal("1.0")
_TYPES_PAGED_ABOVE: Final = Decimal("3.0")
_NO_CONTENT_FOR_NO_TYPES: Final = Decimal("4.0")
_KINDS_ABOVE: Final = Decimal("6.0")
_DEPLOYED_PAGED_SINCE: Final = Decimal("6.1")


class ApiVersion:
    """An accepted version and the differences in behaviour it stands for."""

    __slots__ = ("number",)

    def __init__(self, number: Decimal) -> None:
        self.number = number

    @property
    def lists_unpaged(self) -> bool:
        """Exactly 1.0, 2.0 and 3.0 answer without paging; everything else, 2.5 included, is paged."""
        return self.number in _UNPAGED

    @property
    def writes_iso_dates(self) -> bool:
        """Below 3.0 dates are decimal ticks of 100 ns since 1601."""
        return self.number >= _ISO_DATES_SINCE

    @property
    def names_enumerations(self) -> bool:
        """Below 3.0 the values of enumerations are numbers (``httpgateway/HandlerUriTemplate.h``)."""
        return self.number >= _ISO_DATES_SINCE

    @property
    def lists_entities_bare(self) -> bool:
        """Exactly 1.0 lists nodes and applications without paging (``httpgateway/NodesHandler.cpp``)."""
        return self.number == _ENTITIES_UNPAGED

    @property
    def lists_types_bare(self) -> bool:
        """Application types are paged above 3.0 (``httpgateway/ApplicationTypesHandler.cpp``)."""
        return self.number <= _TYPES_PAGED_ABOVE

    @property
    def says_no_types_with_204(self) -> bool:
        """Exactly 4.0 answers an empty list of application types with 204 (the same)."""
        return self.number == _NO_CONTENT_FOR_NO_TYPES

    @property
    def provisions_by_kind(self) -> bool:
        """Above 6.0 a request to provision says by its ``Kind`` what is meant (the same)."""
        return self.number > _KINDS_ABOVE

    @property
    def lists_deployed_bare(self) -> bool:
        """Below 6.1 the applications on a node are listed without paging (published REST contract)."""
        return self.number < _DEPLOYED_PAGED_SINCE

    @property
    def empty_listing_has_content_type(self) -> bool:
        """From 6.2 on a bodiless 204 or 404 of a listing carries no content headers."""
        return self.number < _BARE_EMPTY_LISTING_SINCE


@lru_cache(maxsize=256)
def parse_version_number(text: str) -> Decimal | None:
    """Read a version as the runtime's number parser does; ``None`` where it finds no number at all.

    Leading spaces, one sign, digits, at most one dot, an exponent; the first other character ends the number and
    the rest is ignored (``6.0junk`` is 6.0), but a second dot or an ``e`` without a whole number fails. Text that
    starts with no digit reads as 0, which is below every minimum.
    """
    match = _TEXT.match(text[:_LONGEST])
    if match is None or text[match.end() : match.end() + 1] == ".":
        return None
    if match.group("exponent") and match.group("power") is None:
        return None
    number = _NUMBER.match(match.group())
    return Decimal(number.group().strip().removesuffix(".")) if number else Decimal(0)


def parse_api_version(text: str | None, newest: Decimal, oldest: Decimal = MINIMUM) -> ApiVersion | None:
    """An accepted version, or ``None`` where no route matches: absent, unreadable, too low or too high."""
    number = None if text is None else parse_version_number(text)
    if number is None or not oldest <= number <= newest:
        return None
    return ApiVersion(number)
