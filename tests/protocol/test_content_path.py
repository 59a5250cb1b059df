"""Content paths: what can be stored, how it is compared, and that nothing leads out of the store (store 1)."""

import os.path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.protocol.content_path import ContentPath, PathRules
from emulator.protocol.errors import FabricError
from emulator.protocol.profile import Platform, Profile

WINDOWS = PathRules(Profile(Platform.WINDOWS))
LINUX = PathRules(Profile(Platform.LINUX))
BOTH = pytest.mark.parametrize("rules", [WINDOWS, LINUX], ids=["windows", "linux"])

_TRICKY = st.text(alphabet="ab./\\ :*$\0\n~%", max_size=20)
_TEXT = _TRICKY | st.text(max_size=40)
_ROOT = "/store/content"


@pytest.mark.parametrize(
    ("text", "parts"),
    {
        "": (),
        "/": (),
        "\\": (),
        "  ": (),
        "a": ("a",),
        "a/b": ("a", "b"),
        "a\\b": ("a", "b"),
        "/a/b/": ("a", "b"),
        "\\a\\b\\": ("a", "b"),
        "a//b": ("a", "b"),
        "a/\\b": ("a", "b"),
        " a/b ": ("a", "b"),
        "a /b": ("a ", "b"),
        "App/Code/X.dll": ("App", "Code", "X.dll"),
        "...": ("...",),
        ".a/b.": (".a", "b."),
        "_.dir": ("_.dir",),
        "a$/$b": ("a$", "$b"),
        "\N{LATIN SMALL LETTER E WITH ACUTE}": ("\N{LATIN SMALL LETTER E WITH ACUTE}",),
        "x" * 255: ("x" * 255,),
    }.items(),
    ids=lambda value: repr(value)[:40],
)
@BOTH
def test_a_path_is_its_names_between_either_separator(rules: PathRules, text: str, parts: tuple[str, ...]) -> None:
    """Surrounding spaces and separators are dropped, spelling and inner spaces are kept (store 1.2)."""
    path = rules.parse(text)
    assert path.parts == parts
    assert path.is_root is (parts == ())
    assert path.name == (parts[-1] if parts else "")


@pytest.mark.parametrize(
    "text",
    [
        "..",
        ".",
        "a/..",
        "../a",
        "a/../b",
        "a\\..\\b",
        "a/./b",
        "./a",
        "a\0b",
        "\0",
        "x" * 256,
        "a/" * 20_000,
        "a\ud800",
    ],
    ids=lambda text: repr(text)[:30],
)
@BOTH
def test_a_path_that_cannot_be_stored_anywhere_is_a_bad_argument(rules: PathRules, text: str) -> None:
    """Steps up or nowhere, NUL, names over 255 characters, and text that is no Unicode (store 1.5)."""
    with pytest.raises(FabricError) as refusal:
        rules.parse(text)
    assert (refusal.value.status, refusal.value.code) == (400, "E_INVALIDARG")


@pytest.mark.parametrize("character", ["<", ">", ":", '"', "|", "?", "*", "\x01", "\n", "\x1f"], ids=repr)
def test_windows_refuses_its_own_forbidden_characters_and_linux_does_not(character: str) -> None:
    text = f"a/b{character}c"
    with pytest.raises(FabricError) as refusal:
        WINDOWS.parse(text)
    assert refusal.value.code == "E_INVALIDARG"
    assert LINUX.parse(text).parts == ("a", f"b{character}c")


def test_a_drive_letter_is_no_path() -> None:
    with pytest.raises(FabricError):
        WINDOWS.parse("C:\\Windows")


def test_windows_compares_without_case_and_linux_with_it() -> None:
    """And both keep the spelling (store 1.3)."""
    assert WINDOWS.parse("App/X.DLL").key == WINDOWS.parse("aPP\\x.dll").key
    assert LINUX.parse("App/X.DLL").key != LINUX.parse("aPP/x.dll").key
    assert WINDOWS.parse("App/X.DLL").parts == ("App", "X.DLL")


def test_greek_words_that_differ_in_case_only_are_one_file_on_windows() -> None:
    """Windows folds letter by letter, whatever stands beside a letter."""
    lower = "\N{GREEK SMALL LETTER ALPHA}\N{GREEK SMALL LETTER SIGMA}"
    assert WINDOWS.parse(lower.upper()).key == WINDOWS.parse(lower).key


@BOTH
def test_a_folder_contains_itself_and_what_is_below_it_only(rules: PathRules) -> None:
    """Names are compared whole: ``ab`` does not contain ``abc`` (store 3.2)."""
    folder = rules.parse("a/ab")
    assert folder.contains(folder)
    assert folder.contains(rules.parse("a/ab/c/d"))
    assert rules.parse("").contains(folder)
    assert not folder.contains(rules.parse("a"))
    assert not folder.contains(rules.parse("a/abc"))
    assert not folder.contains(rules.parse(""))


def test_a_folder_contains_what_is_below_it_in_any_case_on_windows() -> None:
    assert WINDOWS.parse("APP").contains(WINDOWS.parse("app/x"))
    assert not LINUX.parse("APP").contains(LINUX.parse("app/x"))


def check_safe(path: ContentPath, *separators: str) -> None:
    """No part of the path is anything but a name of one file or folder, and it lies below the root."""
    for part in path.parts:
        assert part not in ("", ".", "..")
        assert not set(part) & {"\0", *separators}
        assert len(part) <= 255
        part.encode()
    assert len(path.key) == len(path.parts)
    joined = os.path.normpath("/".join([_ROOT, *path.parts]))
    assert joined == "/".join([_ROOT, *path.parts])


@BOTH
@settings(deadline=None, max_examples=500)
@given(text=_TEXT)
@example(text="..\\..\\etc")
@example(text=" ../ ..")
@example(text="a\\/../b")
@example(text="..\n")
@example(text=".. ")
@example(text=" .")
@example(text="\udc80")
def test_whatever_the_text_it_is_a_path_inside_the_store_or_a_bad_argument(rules: PathRules, text: str) -> None:
    try:
        path = rules.parse(text)
    except FabricError as refusal:
        assert refusal.code == "E_INVALIDARG"
    else:
        check_safe(path, "/", "\\")


@BOTH
@settings(deadline=None, max_examples=300)
@given(parts=st.lists(_TEXT, max_size=4))
@example(parts=["a/b"])
@example(parts=["a\\b"])
@example(parts=["../../etc"])
@example(parts=[""])
def test_a_path_made_of_parts_is_no_less_safe(rules: PathRules, parts: list[str]) -> None:
    """Parts are names, not paths: neither the platform's separator nor the disk's may be inside one."""
    try:
        path = rules.of(parts)
    except FabricError as refusal:
        assert refusal.code == "E_INVALIDARG"
    else:
        check_safe(path, "/", rules.separator)
        assert path.parts == tuple(parts)


@BOTH
@settings(deadline=None, max_examples=300)
@given(text=st.text(max_size=20))
@example(text="\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}")
@example(text="\N{GREEK CAPITAL LETTER ALPHA}\N{GREEK CAPITAL LETTER SIGMA}")
@example(text="\N{KELVIN SIGN}")
@example(text="\N{LATIN CAPITAL LETTER SHARP S}")
def test_what_a_name_is_compared_by_is_compared_by_itself(rules: PathRules, text: str) -> None:
    assert rules.fold(rules.fold(text)) == rules.fold(text)


@BOTH
@settings(deadline=None, max_examples=300)
@given(names=st.lists(st.text(alphabet="abAB.x_", min_size=1, max_size=6), min_size=1, max_size=4))
def test_a_path_read_back_from_a_listing_is_the_same_path(rules: PathRules, names: list[str]) -> None:
    """Listings show whole paths with the platform's separator; clients send them back as they are."""
    try:
        path = rules.parse("/".join(names))
    except FabricError:
        return
    assert rules.parse(rules.text(path.parts)) == path
