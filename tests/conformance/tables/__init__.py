"""The tables, one module per topic, and all of them together."""

from typing import Final

from tests.conformance.case import Case
from tests.conformance.tables import (
    copying,
    deviations,
    listing,
    routing_and_versions,
    security_and_headers,
    sizes,
    timeouts_and_tokens,
    upload_and_delete,
    upload_sessions,
)

TABLES: Final = {
    "routing and versions": routing_and_versions.CASES,
    "timeouts and tokens": timeouts_and_tokens.CASES,
    "listing": listing.CASES,
    "upload and delete": upload_and_delete.CASES,
    "upload sessions": upload_sessions.CASES,
    "copying": copying.CASES,
    "security and headers": security_and_headers.CASES,
    "sizes": sizes.CASES,
    "deviations": deviations.CASES,
}

CASES: Final[tuple[Case, ...]] = tuple(case for cases in TABLES.values() for case in cases)
