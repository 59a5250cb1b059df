"""The schema is one itself, takes what the public documentation shows, and refuses what a client could not read."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.contract.contract import compact, definition_of, schema, violations

VERSION = {"EpochDataLossNumber": "131538184900620219", "VersionNumber": "3", "EpochConfigurationNumber": "8589934592"}
FILE = {
    "StoreRelativePath": "MyApp\\_.dir",
    "FileVersion": VERSION,
    "FileSize": "0",
    "ModifiedDate": "2024-05-01T10:20:30.123Z",
}
FOLDER = {"StoreRelativePath": "MyApp\\Code", "FileCount": "3"}
LISTING = {"StoreFiles": [FILE], "StoreFolders": [FOLDER], "ContinuationToken": ""}
SESSION = {
    "StoreRelativePath": "MyApp/Code/big.bin",
    "SessionId": "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11",
    "FileSize": "10",
    "ModifiedDate": "2024-05-01T10:20:30.123Z",
    "ExpectedRanges": [{"StartPosition": "5", "EndPosition": "9"}],
}
USAGE = {"UsedSpace": "23093248", "FileCount": "6"}
INFO = {
    "DiskInfo": {"Capacity": "500090007552", "AvailableSpace": "228851900416"},
    "UsedByMetadata": USAGE,
    "UsedByStaging": USAGE,
    "UsedByCopy": USAGE,
    "UsedByRegister": USAGE,
}
ERROR = {"Error": {"Code": "FABRIC_E_FILE_NOT_FOUND", "Message": "File not found"}}

DOCUMENTED = [
    ("FabricError", ERROR),
    ("FabricError", {"Error": {"Code": "NotFound", "Message": "Null"}}),
    ("PagedImageStoreContent", LISTING),
    ("ImageStoreContent", {"StoreFiles": [], "StoreFolders": [FOLDER]}),
    ("ImageStoreContentInTicks", {"StoreFiles": [FILE | {"ModifiedDate": "133590432301230000"}], "StoreFolders": []}),
    ("UploadSession", {"UploadSessions": [SESSION]}),
    ("UploadSession", {"UploadSessions": [SESSION | {"ExpectedRanges": []}]}),
    ("FolderSizeInfo", {"StoreRelativePath": "Store\\VisualObjectsApplicationType", "FolderSize": "18563403"}),
    ("FolderSizeInfo", {"StoreRelativePath": "", "FolderSize": "0"}),
    ("ImageStoreInfo", INFO),
    ("ClusterVersion", {"Version": "6.4.617.9590"}),
]

REFUSED = [
    ("a number where a string of digits belongs", "FileInfo", FILE | {"FileSize": 0}),
    ("a size with a leading zero", "FileInfo", FILE | {"FileSize": "007"}),
    ("a date without milliseconds", "FileInfo", FILE | {"ModifiedDate": "2024-05-01T10:20:30Z"}),
    ("a date with an offset", "FileInfo", FILE | {"ModifiedDate": "2024-05-01T10:20:30.123+00:00"}),
    ("ticks from 3.0 on", "FileInfo", FILE | {"ModifiedDate": "133590432301230000"}),
    ("a missing version", "FileInfo", {name: FILE[name] for name in FILE if name != "FileVersion"}),
    ("a property nobody declared", "FileInfo", FILE | {"IsShared": False}),
    ("a leading separator", "FileInfo", FILE | {"StoreRelativePath": "\\MyApp"}),
    ("a folder without files", "FolderInfo", FOLDER | {"FileCount": "0"}),
    ("a page without its token", "PagedImageStoreContent", {"StoreFiles": [], "StoreFolders": []}),
    ("no token where nothing is paged", "ImageStoreContent", LISTING),
    ("an upper-case session id", "UploadSessionInfo", SESSION | {"SessionId": str(SESSION["SessionId"]).upper()}),
    ("no session at all", "UploadSession", {"UploadSessions": []}),
    ("an error without a message", "FabricError", {"Error": {"Code": "NotFound"}}),
    ("an error code that is a number", "FabricError", {"Error": {"Code": -2147024809, "Message": "Null"}}),
    ("the array of the published sample", "ImageStoreInfo", [INFO]),
    ("another order of properties", "FileVersion", dict(reversed(VERSION.items()))),
]

REQUESTS = [
    ("GET", "/ImageStore?api-version=6.0", 200, "PagedImageStoreContent"),
    ("GET", "/ImageStore/a?timeout=5&api-version=3.0", 200, "ImageStoreContent"),
    ("GET", "/ImageStore?api-version=2.5", 200, "PagedImageStoreContentInTicks"),
    ("GET", "/ImageStore?api-version=1.0", 200, "ImageStoreContentInTicks"),
    ("GET", "/ImageStore?api-version=11.8", 200, "PagedImageStoreContent"),
    ("GET", "/ImageStore/a/$/GetUploadSession?api-version=6.0", 200, "UploadSession"),
    ("GET", "/ImageStore/$/FolderSize?api-version=6.5", 200, "FolderSizeInfo"),
    ("GET", "/ImageStore/$/Info?api-version=6.5", 200, "ImageStoreInfo"),
    ("GET", "/$/GetClusterVersion?api-version=6.4", 200, "ClusterVersion"),
    ("PUT", "/ImageStore/a", 400, "FabricError"),
]


def test_schema_is_valid() -> None:
    """The file is a JSON Schema of draft 2020-12, and every reference in it leads somewhere."""
    Draft202012Validator.check_schema(schema())
    for definition in schema()["$defs"]:
        violations(definition, {})


@pytest.mark.parametrize(("definition", "instance"), DOCUMENTED)
def test_documented_answers_are_accepted(definition: str, instance: Any) -> None:
    """What the public documentation and the explorer's fixtures show keeps to the contract."""
    assert violations(definition, instance) == []


@pytest.mark.parametrize(("definition", "instance"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_wrong_answers_are_refused(definition: str, instance: Any) -> None:
    """A client written against the real service would stumble over each of these."""
    assert violations(definition, instance)


@pytest.mark.parametrize(("method", "target", "status", "definition"), REQUESTS)
def test_every_request_has_its_definition(method: str, target: str, status: int, definition: str) -> None:
    """The shape of an answer follows from the request and the status alone."""
    assert definition_of(method, target, status) == definition


def test_compact_escapes_the_slash_and_nothing_readable() -> None:
    """The runtime writes no white space, escapes the slash and leaves letters beyond ASCII alone."""
    assert compact({"a": ["é/\\"]}) == '{"a":["é\\/\\\\"]}'.encode()
