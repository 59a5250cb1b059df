"""XML of strangers: read without any document type, so that nothing in it can be expanded, fetched, or grow."""

import codecs
import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat  # every document type is refused before it has any effect

_DEEPEST: Final = 100
_MOST: Final = 100_000
"""Elements and attributes together: what a file of the size that is read can hold would take gigabytes."""

_SEPARATOR: Final = "}"
_BEGINNINGS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}
_ENCODING: Final = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([\w.-]+)["']""")


class XmlError(ValueError):
    """A text is no XML, or none that is taken."""


@dataclass(slots=True)
class Element:
    """An element of one namespace: names without it, attributes without one."""

    name: str
    namespace: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def all(self, *path: str) -> list["Element"]:
        """The elements at `path` below this one, all of its own namespace."""
        found = [self]
        for name in path:
            found = [
                child
                for each in found
                for child in each.children
                if (child.name, child.namespace) == (name, self.namespace)
            ]
        return found

    def first(self, *path: str) -> "Element | None":
        """The first of them."""
        return next(iter(self.all(*path)), None)


def parse_xml(content: bytes) -> Element:
    """The root element; raises `XmlError` for anything malformed, and for a document type."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse_document_type
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.add_text
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise XmlError(str(error)) from None
    except (LookupError, ValueError) as error:
        raise XmlError(str(error)) from None
    return reader.root


def text_of(content: bytes) -> str:
    """A file of XML as text, in the encoding that it has by its first bytes or says it has."""
    encoding = next((name for start, name in _BEGINNINGS.items() if content.startswith(start)), "")
    if not encoding:
        declared = _ENCODING.match(content)
        encoding = declared[1].decode() if declared else "utf-8"
    try:
        return content.decode(encoding, "replace")
    except LookupError:
        return content.decode(errors="replace")


class _Reader:
    """Builds the tree as the parser goes."""

    def __init__(self) -> None:
        self.root = Element("", "", {})
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._count = 0

    def refuse_document_type(self, *_: object) -> None:
        raise XmlError("it has a document type declaration (DTD), which is not allowed")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _DEEPEST:
            raise XmlError(f"its elements are nested more than {_DEEPEST} deep")
        self._count += 1 + len(attributes)
        if self._count > _MOST:
            raise XmlError(f"it has more than {_MOST} elements and attributes")
        namespace, _, local = name.rpartition(_SEPARATOR)
        element = Element(local, namespace, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def end(self, _: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def add_text(self, text: str) -> None:
        self._texts[-1].append(text)
