"""``imagestore-emulator healthcheck``: whether the emulator on this machine is ready.

A container engine runs it every few seconds beside the emulator. So it loads a socket and nothing else, and finds the
address where the emulator does: in the environment.
"""

import os
import socket
import sys

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = "19080"

_SECONDS = 4.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "localhost": "127.0.0.1", "::": "::1"}  # noqa: S104  # where to ask, not to listen


def check_health() -> int:
    """Ask, and answer with an exit code: 0 when it is ready, 1 with the reason on standard error when it is not."""
    host = os.environ.get("IMAGESTORE_HOST") or DEFAULT_HOST
    host = _LOOPBACK.get(host, host)
    port = os.environ.get("IMAGESTORE_PORT") or DEFAULT_PORT
    try:
        status, body = _ask(host, int(port))
    except (OSError, OverflowError, ValueError) as error:
        status, body = "", f"no answer from {host}:{port}: {error}"
    if status != "200":
        print(f"imagestore-emulator: {body}", file=sys.stderr)
    return 0 if status == "200" else 1


def _is_https() -> bool:
    """Whether the port speaks HTTPS only, as the emulator reads the environment."""
    return os.environ.get("IMAGESTORE_TLS", "off") not in ("", "off") and not os.environ.get("IMAGESTORE_HTTPS_PORT")


def _secured(connection: socket.socket) -> socket.socket:
    """TLS with whomever: this asks itself."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def _ask(host: str, port: int) -> tuple[str, str]:
    """The status and the body of the readiness page."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as connection:
        connection.settimeout(_SECONDS)
        connection.connect((host, port))
        stream = _secured(connection) if _is_https() else connection
        request = "GET /_emulator/health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        stream.sendall(request.encode())
        with stream.makefile("rb") as answer:
            head, _, body = answer.read().decode("utf-8", "replace").partition("\r\n\r\n")
    version, _, rest = head.partition(" ")
    if not version.startswith("HTTP/"):
        raise ValueError("what listens there does not speak HTTP")
    return rest[:3], body
