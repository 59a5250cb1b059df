"""Sizes and times of the real service, each with its unit and source."""

from datetime import timedelta
from typing import Final

SESSION_TIMEOUT: Final = timedelta(minutes=30)
"""A session's life after its last accepted chunk (``FileStoreServiceConfig.h``, UploadSessionTimeout; store 6.10)."""

DEFAULT_TIMEOUT_SECONDS: Final = 60
"""What an absent or unreadable ``timeout`` means (gateway 3)."""

BODY_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a POST or DELETE body (``HttpGatewayConfig.h``, MaxEntityBodySize; gateway 8)."""

PAGE_SIZE: Final = 3_145_728
"""Estimated bytes of entries in a page: 4 MiB x 0.75 (gateway 4.1, store 3.5)."""

TOKEN_LIMIT: Final = 4096
"""Characters of a continuation token as sent (gateway 4.1)."""

LARGEST_FILE: Final = 1 << 43
"""Bytes (8 TiB) from which on an upload session's chunks are counted but not kept. The service declares no limit;
file systems do, and nobody can send this much, so such a session can never be committed there either."""
