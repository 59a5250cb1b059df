"""What is wrong with a package is found before anything of it is registered, and said in the image builder's words."""

import json
from collections.abc import Callable

import pytest

from tests.clients.package import read_tree
from tests.support.application import (
    FABRIC,
    Files,
    V,
    application_manifest,
    package,
    provision,
    register,
    service_manifest,
    types,
    upload,
)
from tests.support.emulator import InProcessEmulator

INVALID = "FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR"
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + b"".join(b'<!ENTITY lol%d "%s">' % (n, b"&lol%d;" % (n - 1) * 10) for n in range(1, 10))
    + b"]>"
)


def without(*paths: str) -> Callable[[Files], None]:
    """The package lacks these files."""

    def change(files: Files) -> None:
        for path in paths:
            del files[path]

    return change


def having(path: str, content: bytes) -> Callable[[Files], None]:
    """A file of the package has this content."""

    def change(files: Files) -> None:
        files[path] = content

    return change


def application(rest: str = "", **imports: str) -> Callable[[Files], None]:
    """The application manifest imports these service manifests."""
    return having("ApplicationManifest.xml", application_manifest("Calc", "1.0", imports, rest))


def types_of(*names: str) -> bytes:
    """A service manifest with service types of these names."""
    declared = "".join(f'<StatelessServiceType ServiceTypeName="{name}"/>' for name in names)
    return service_manifest("Web", "1.0").replace(
        b'<StatelessServiceType ServiceTypeName="WebType"/>', declared.encode()
    )


DEFAULT_SERVICE = (
    '<DefaultServices><Service Name="S"><StatelessService ServiceTypeName="Nobody\'s"><SingletonPartition/>'
    "</StatelessService></Service></DefaultServices>"
)

WRONG: dict[str, tuple[Callable[[Files], None], tuple[int, str], str]] = {
    "no application manifest": (
        without("ApplicationManifest.xml"),
        (404, "FABRIC_E_FILE_NOT_FOUND"),
        "The Application Manifest file 'Pkg\\ApplicationManifest.xml' is not found in the store.",
    ),
    "no mark file": (
        without("_.dir"),
        (404, "FABRIC_E_DIRECTORY_NOT_FOUND"),
        "The application package 'Pkg' is not found in the store.",
    ),
    "no service package": (
        without(*(path for path in package() if path.startswith("Web/"))),
        (400, INVALID),
        "The BuildLayout of the application in Pkg is invalid. ServiceManifest.xml is missing for service Web.",
    ),
    "no service manifest": (
        without("Web/ServiceManifest.xml"),
        (400, INVALID),
        "ServiceManifest.xml is missing for service Web.",
    ),
    "no code": (
        without("Web/Code/run.exe", "Web/Code/_.dir"),
        (400, INVALID),
        "The BuildLayout of the application in Pkg is invalid. Code is missing for service Web.",
    ),
    "no config": (without("Web/Config/Settings.xml", "Web/Config/_.dir"), (400, INVALID), "Config is missing"),
    "no data": (
        having("Web/ServiceManifest.xml", service_manifest("Web", "1.0", rest='<DataPackage Name="D" Version="1"/>')),
        (400, INVALID),
        "D is missing for service Web.",
    ),
    "code without mark file": (without("Web/Code/_.dir"), (404, "FABRIC_E_FILE_NOT_FOUND"), "File not found"),
    "no program": (
        having("Web/ServiceManifest.xml", service_manifest("Web", "1.0").replace(b"run.exe", b"gone.exe")),
        (400, INVALID),
        "The EntryPoint gone.exe is not found.\r\nFileName: Pkg\\Web\\ServiceManifest.xml",
    ),
    "program elsewhere": (
        having("Web/ServiceManifest.xml", service_manifest("Web", "1.0").replace(b"run.exe", b"..\\Code\\run.exe")),
        (400, INVALID),
        "The EntryPoint ..\\Code\\run.exe is not found.",
    ),
    "program at a root": (
        having("Web/ServiceManifest.xml", service_manifest("Web", "1.0").replace(b"run.exe", b"C:\\run.exe")),
        (400, INVALID),
        "Rooted paths are not supported.",
    ),
    "another service's name": (
        having("Web/ServiceManifest.xml", service_manifest("Other", "1.0")),
        (400, INVALID),
        "ServiceManifestRef has Name=Web. This does not match the Name=Other in Service Manifest.",
    ),
    "another service's version": (
        having("Web/ServiceManifest.xml", service_manifest("Web", "2.0")),
        (400, INVALID),
        "ServiceManifestRef has Version=1.0. This does not match the Version=2.0 in Service Manifest.",
    ),
    "a type name that leads elsewhere": (
        having("ApplicationManifest.xml", application_manifest("..\\..\\Calc", "1.0", {"Web": "1.0"})),
        (400, INVALID),
        "ApplicationTypeName with name '..\\..\\Calc' is invalid.",
    ),
    "a type version that leads elsewhere": (
        having("ApplicationManifest.xml", application_manifest("Calc", "1/../../0", {"Web": "1.0"})),
        (400, INVALID),
        "ApplicationTypeVersion '1/../../0' is invalid.",
    ),
    "a version between spaces": (
        having("ApplicationManifest.xml", application_manifest("Calc", " 1.0", {"Web": "1.0"})),
        (400, INVALID),
        "or start/end with white-space",
    ),
    "a service name that leads elsewhere": (
        application(**{"..": "1.0"}),
        (400, INVALID),
        "ServiceManifestRef with name '..' is invalid.",
    ),
    "a package name that leads elsewhere": (
        having("Web/ServiceManifest.xml", service_manifest("Web", "1.0").replace(b'"Config"', b'"..\\Config"')),
        (400, INVALID),
        "ConfigPackage with name '..\\Config' is invalid.",
    ),
    "a name of a compose deployment": (
        having("ApplicationManifest.xml", application_manifest("Compose_1", "1.0", {"Web": "1.0"})),
        (400, INVALID),
        "is invalid",
    ),
    "a name of 257 letters": (
        having("ApplicationManifest.xml", application_manifest("x" * 257, "1.0", {"Web": "1.0"})),
        (413, "FABRIC_E_VALUE_TOO_LARGE"),
        "Application type name must not exceed length limit.",
    ),
    "a service imported twice": (
        having("ApplicationManifest.xml", application_manifest("Calc", "1.0", {"Web": "1.0", "WEB": "1.0"})),
        (400, INVALID),
        "ServiceManifestRef with ServiceManifestName 'WEB' is found more than once.",
    ),
    "a package declared twice": (
        having(
            "Web/ServiceManifest.xml", service_manifest("Web", "1.0", rest='<ConfigPackage Name="config" Version="2"/>')
        ),
        (400, INVALID),
        "ConfigPackage with Name 'config' is found more than once.",
    ),
    "a service type declared twice": (
        having("Web/ServiceManifest.xml", types_of("Same", "same")),
        (400, INVALID),
        "ServiceType with ServiceTypeName 'same' is found more than once.",
    ),
    "a default service of no type": (
        application(DEFAULT_SERVICE, Web="1.0"),
        (400, INVALID),
        "The ServiceTypeName 'Nobody's' is not supported by any of the ImportedServiceManifests.",
    ),
    "no service at all": (application(), (400, INVALID), "Exception while parsing XML file"),
    "no code package": (
        having(
            "Web/ServiceManifest.xml",
            f'<ServiceManifest xmlns="{FABRIC}" Name="Web" Version="1.0"><ServiceTypes/></ServiceManifest>'.encode(),
        ),
        (400, INVALID),
        "Exception while parsing XML file: Pkg\\Web\\ServiceManifest.xml",
    ),
    "no version": (
        having(
            "ApplicationManifest.xml",
            application_manifest("Calc", "1.0", {"Web": "1.0"}).replace(b'ApplicationTypeVersion="1.0"', b""),
        ),
        (400, INVALID),
        "Exception while parsing XML file",
    ),
    "another namespace": (
        having(
            "ApplicationManifest.xml",
            application_manifest("Calc", "1.0", {"Web": "1.0"}).replace(FABRIC.encode(), b"urn:other"),
        ),
        (400, INVALID),
        "Exception while parsing XML file",
    ),
    "no XML": (having("ApplicationManifest.xml", b"MZ\0\0"), (400, INVALID), "Exception while parsing XML file"),
    "an empty manifest": (having("Web/ServiceManifest.xml", b""), (400, INVALID), "Exception while parsing XML file"),
    "an unclosed manifest": (
        having("Web/ServiceManifest.xml", service_manifest("Web", "1.0")[:-4]),
        (400, INVALID),
        "Exception while parsing XML file: Pkg\\Web\\ServiceManifest.xml",
    ),
    "settings that are no XML": (
        having("Web/Config/Settings.xml", b"{}"),
        (400, INVALID),
        "Exception while parsing XML file: Pkg\\Web\\Config\\Settings.xml",
    ),
    "code that is no zip": (
        having("Web/Code.zip", b"PK\x03\x04 and nothing else"),
        (400, INVALID),
        "Code.zip is not a valid archive.",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_package_is_refused_and_registers_nothing(emulator: InProcessEmulator, what: str) -> None:
    change, error, words = WRONG[what]
    files = package()
    change(files)
    upload(emulator, "Pkg", files)

    reply = provision(emulator)

    assert reply.error[:2] == error, reply.body
    assert words in reply.error[2]
    assert types(emulator) == []
    assert read_tree(emulator.data / "default/content") == {f"Pkg/{path}": each for path, each in files.items()}


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("Nowhere", (404, "FABRIC_E_DIRECTORY_NOT_FOUND"), "The application package 'Nowhere' is not found"),
        ("Pkg\\..\\Pkg", (400, INVALID), "The path 'Pkg\\..\\Pkg' is not allowed since it has '..'."),
        ("C:\\Pkg", (400, INVALID), "The path 'C:\\Pkg' is not allowed since it is an absolute path."),
        ("Pkg\\ApplicationManifest.xml", (404, "FABRIC_E_FILE_NOT_FOUND"), "The Application Manifest file"),
    ],
)
def test_a_build_path_leads_to_a_package(
    emulator: InProcessEmulator, path: str, error: tuple[int, str], words: str
) -> None:
    upload(emulator, "Pkg", package())
    status, code, message = provision(emulator, path).error
    assert (status, code) == error
    assert words in message


def test_the_store_itself_is_never_cleaned_up(emulator: InProcessEmulator) -> None:
    """As on a cluster the version is registered all the same: cleaning up comes last."""
    register(emulator, package("Other"))
    upload(emulator, "Store", package())

    assert provision(emulator, "Store").error[:2] == (400, "FABRIC_E_IMAGEBUILDER_RESERVED_DIRECTORY_ERROR")

    assert types(emulator) == [("Calc", "1.0", "Available"), ("Other", "1.0", "Available")]


def test_a_container_needs_no_folder(emulator: InProcessEmulator) -> None:
    files = package()
    files["Web/ServiceManifest.xml"] = service_manifest("Web", "1.0").replace(
        b"<ExeHost><Program>run.exe</Program></ExeHost>", b"<ContainerHost><ImageName>web</ImageName></ContainerHost>"
    )
    del files["Web/Code/run.exe"], files["Web/Code/_.dir"]
    register(emulator, files)
    assert types(emulator) == [("Calc", "1.0", "Available")]


@pytest.mark.parametrize("program", ["run", "RUN.EXE", "bin\\tool.dll"])
def test_a_program_is_found_in_any_case_and_without_exe(emulator: InProcessEmulator, program: str) -> None:
    files = package()
    files["Web/Code/bin/tool.dll"] = b""
    files["Web/ServiceManifest.xml"] = service_manifest("Web", "1.0").replace(b"run.exe", program.encode())
    register(emulator, files)


def test_a_checksum_that_comes_with_the_package_is_taken(emulator: InProcessEmulator) -> None:
    files = package() | {"Web/Code.checksum": b"ABC"}
    register(emulator, files)
    assert (emulator.data / "default/content/Store/Calc/Web.Code.1.0.checksum").read_bytes() == b"ABC"


# --- attacks ----------------------------------------------------------------------------------------------------------

ATTACKS = {
    "billion laughs": BOMB + b"<ApplicationManifest>&lol9;</ApplicationManifest>",
    "quadratic blow-up": b'<!DOCTYPE a [<!ENTITY a "' + b"a" * 100_000 + b'">]><a>' + b"&a;" * 10_000 + b"</a>",
    "external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><ApplicationManifest xmlns="'
    + FABRIC.encode()
    + b'" ApplicationTypeName="&x;" ApplicationTypeVersion="1"/>',
    "external DTD": b'<!DOCTYPE ApplicationManifest SYSTEM "http://127.0.0.1:9/evil.dtd"><ApplicationManifest/>',
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]><a/>',
    "an empty DTD": b"<!DOCTYPE ApplicationManifest>" + application_manifest("Calc", "1.0", {"Web": "1.0"}),
    "depth": b"<a>" * 100_000,
    "depth that ends": b"<a>" * 100_000 + b"</a>" * 100_000,
    "an undeclared entity": application_manifest("&secret;", "1.0", {"Web": "1.0"}),
    "an unknown encoding": b'<?xml version="1.0" encoding="no-such"?><a/>',
    "UTF-16 without end": "<a>".encode("utf-16"),
    "elements without number": b"<a>" + b"<a/>" * 1_000_000 + b"</a>",
    "attributes without number": b"<a " + b" ".join(b"a%d=''" % number for number in range(200_000)) + b"/>",
    "too large": b"<a>" + b" " * (16 * 1024 * 1024) + b"</a>",
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("file", ["ApplicationManifest.xml", "Web/ServiceManifest.xml", "Web/Config/Settings.xml"])
def test_xml_made_to_harm_is_refused_and_harms_nobody(emulator: InProcessEmulator, attack: str, file: str) -> None:
    files = package()
    files[file] = ATTACKS[attack]
    upload(emulator, "Pkg", files)

    reply = provision(emulator)

    assert reply.error[:2] == (400, INVALID)
    assert b"root:" not in reply.body
    assert types(emulator) == []
    register(emulator, package("Fine"), "Other")
    assert types(emulator) == [("Fine", "1.0", "Available")]


def test_a_document_type_is_named_as_the_reason(emulator: InProcessEmulator) -> None:
    files = package() | {"ApplicationManifest.xml": ATTACKS["billion laughs"]}
    upload(emulator, "Pkg", files)
    assert (
        "it has a document type declaration (DTD), which is not allowed"
        in provision(emulator).headers["x-emulator-why"]
    )


def test_xml_put_into_store_by_hand_is_read_as_carefully(emulator: InProcessEmulator) -> None:
    register(emulator, package())
    target = f"/ImageStore/Store/Calc/ApplicationManifest.2.0.xml?{V}"
    for content in ATTACKS.values():
        assert emulator.put(target, content).status == 200
        assert types(emulator) == [("Calc", "1.0", "Available")]


def test_a_manifest_full_of_text_is_read_at_once(emulator: InProcessEmulator) -> None:
    """Text between elements is no data of a manifest, but it is read, in a time that goes with its length."""
    chatter = "<Description>" + ("x" * 150 + "<i/>") * 90_000 + "</Description>"
    files = package() | {"ApplicationManifest.xml": application_manifest("Calc", "1.0", {"Web": "1.0"}, chatter)}
    register(emulator, files)
    assert types(emulator) == [("Calc", "1.0", "Available")]


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("", "utf-8"),
        ("", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16", "utf-16-be"),
        ("utf-16", "utf-16-le"),
        ("iso-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
    ],
)
def test_manifests_come_back_as_the_text_they_are(emulator: InProcessEmulator, declared: str, codec: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""

    def written(manifest: bytes) -> str:
        return f"{declaration}{manifest.decode()}<!-- für alle -->"

    files = package()
    for path in ("ApplicationManifest.xml", "Web/ServiceManifest.xml"):
        files[path] = written(files[path]).encode(codec)
    register(emulator, files)

    at = "/ApplicationTypes/Calc/$"
    one = f"{V}&ApplicationTypeVersion=1.0"
    application = emulator.get(f"{at}/GetApplicationManifest?{one}").json()["Manifest"]
    service = emulator.get(f"{at}/GetServiceManifest?{one}&ServiceManifestName=Web").json()["Manifest"]
    assert application == written(package()["ApplicationManifest.xml"])
    assert service == written(package()["Web/ServiceManifest.xml"])


def test_names_with_markup_come_back_as_data(emulator: InProcessEmulator) -> None:
    """What is text in a manifest is text in JSON, never more."""
    name = "a'b&amp;c"
    files = package() | {"ApplicationManifest.xml": application_manifest(name, "1.0", {"Web": "1.0"})}
    register(emulator, files)
    listed = json.loads(emulator.get(f"/ApplicationTypes?{V}").body)
    assert [each["Name"] for each in listed["Items"]] == ["a'b&c"]
