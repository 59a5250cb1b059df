"""What each runtime and each platform has and has not (gateway 2.1, 9; store 1)."""

from decimal import Decimal

import pytest

from emulator.protocol.api_version import parse_api_version
from emulator.protocol.profile import NEWEST_RUNTIME, RUNTIME_BUILDS, Platform, Profile


@pytest.mark.parametrize("version", RUNTIME_BUILDS)
def test_every_runtime_accepts_its_own_version_and_none_above(version: str) -> None:
    profile = Profile(runtime_version=version)
    newest = profile.newest_api_version
    assert parse_api_version(version, newest) is not None
    assert parse_api_version(str(newest + Decimal("0.1")), newest) is None


@pytest.mark.parametrize(("version", "build"), RUNTIME_BUILDS.items())
def test_every_build_is_one_of_its_version(version: str, build: str) -> None:
    assert Profile(runtime_version=version).build == build
    assert build.startswith(f"{version}.")
    assert [number.isdigit() for number in build.split(".")] == [True] * 4


def test_the_default_is_windows_at_the_newest_runtime() -> None:
    assert Profile() == Profile(Platform.WINDOWS, NEWEST_RUNTIME)
    assert Profile().newest_api_version == max(map(Decimal, RUNTIME_BUILDS))


def test_runtimes_are_listed_in_order() -> None:
    versions = list(map(Decimal, RUNTIME_BUILDS))
    assert versions == sorted(set(versions))


@pytest.mark.parametrize(("version", "reports"), [("6.0", False), ("6.4", False), ("6.5", True), ("10.0", True)])
def test_sizes_are_reported_from_6_5_on(version: str, *, reports: bool) -> None:
    assert Profile(runtime_version=version).reports_sizes is reports


def test_windows_has_sessions_backslashes_and_no_case() -> None:
    profile = Profile(Platform.WINDOWS)
    assert profile.is_windows
    assert profile.has_upload_sessions
    assert profile.separator == "\\"
    assert not profile.is_case_sensitive
    assert set('<>:"|?*\0\x1f') <= profile.forbidden_characters
    assert not set("/\\ .$%#~") & profile.forbidden_characters


def test_linux_has_no_sessions_slashes_and_case() -> None:
    profile = Profile(Platform.LINUX)
    assert not profile.is_windows
    assert not profile.has_upload_sessions
    assert profile.separator == "/"
    assert profile.is_case_sensitive
    assert profile.forbidden_characters == {"\0"}
