"""compose.yaml, brought up and down by a real engine."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Final

import pytest

from tests.docker.engine import ROOT, docker, unique
from tests.support.wire import Wire

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("engine")]

V: Final = "api-version=6.0"
OVERRIDE: Final = """
services:
  emulator:
    image: {image}
    ports: !override
      - 127.0.0.1::19080
"""
"""The image of the other tests, and a free port; all else is as it is given to people."""


def test_compose_publishes_one_port_on_this_machine_only(engine: None) -> None:
    shown = json.loads(docker("compose", "--file", ROOT / "compose.yaml", "config", "--format", "json"))
    (port,) = shown["services"]["emulator"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "19080", 19080)


def test_compose_up_waits_until_it_is_healthy_and_down_keeps_the_data(image: str, tmp_path: Path) -> None:
    (tmp_path / "override.yaml").write_text(OVERRIDE.format(image=image))
    files = ("--file", ROOT / "compose.yaml", "--file", tmp_path / "override.yaml")
    compose = ("compose", "--project-name", unique("project"), *files)

    def wire() -> Wire:
        return Wire("127.0.0.1", int(docker(*compose, "port", "emulator", "19080").rpartition(":")[2]))

    try:
        docker(*compose, "up", "--wait", "--no-build")
        assert wire().put(f"/ImageStore/App/file?{V}", b"bytes").status == 200
        docker(*compose, "down")
        docker(*compose, "up", "--wait", "--no-build")
        assert wire().get(f"/ImageStore/App/file?{V}").status == 200
    finally:
        docker(*compose, "down", "--volumes")


SECURE_OVERRIDE: Final = """
services:
  secure:
    image: {image}
    ports: !override
      - 127.0.0.1::19080
"""


def test_the_profile_tls_serves_whoever_has_the_certificate_it_made(image: str, tmp_path: Path) -> None:
    (tmp_path / "override.yaml").write_text(SECURE_OVERRIDE.format(image=image))
    files = ("--file", ROOT / "compose.yaml", "--file", tmp_path / "override.yaml")
    compose = ("compose", "--project-name", unique("project"), "--profile", "tls", *files)
    try:
        docker(*compose, "up", "--wait", "--no-build", "secure")
        port = int(docker(*compose, "port", "secure", "19080").rpartition(":")[2])
        docker(*compose, "cp", "secure:/data/tls/.", tmp_path / "certificates")

        def status(client: str) -> int:
            context = ssl.create_default_context(cafile=tmp_path / "certificates/ca.pem")
            if client:
                context.load_cert_chain(tmp_path / f"certificates/{client}.pem")
            connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
            try:
                connection.request("PUT", f"/ImageStore/App/file?{V}", b"bytes")
                return connection.getresponse().status
            finally:
                connection.close()

        assert [status("admin"), status("user"), status("")] == [200, 403, 403]
    finally:
        docker(*compose, "down", "--volumes")
