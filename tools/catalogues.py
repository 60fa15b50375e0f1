"""Catalogues of translations: `catalogues.py update` after strings change, `compile` before use.

`update` reads every translatable string out of `src/kinward_web` and writes the catalogues anew:
new strings untranslated, lost ones dropped, no dates, line numbers or versions, so that a change
shows as what it is. `compile` makes the `.mo` beside each `.po` that is missing or older; these are
no sources and are not committed. Babel does the reading and writing; GNU gettext is not needed.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

__all__ = [
    "LANGUAGES",
    "LOCALE",
    "PACKAGE",
    "Text",
    "compile_stale",
    "load",
    "texts_of_package",
    "texts_of_python",
    "texts_of_template",
    "update",
]

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "kinward_web"
LOCALE = PACKAGE / "locale"
LANGUAGES = ("vi", "zh_Hans")

_KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
# Both languages have one form for every number.
_HEADER = r"""# Catalogue of Kinward, made by the team and unverified: not yet reviewed by native
# speakers in the field. Written anew by `make messages`; only the lines of msgstr are edited.
msgid ""
msgstr ""
"Language: {language}\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: nplurals=1; plural=0;\n"

"""
_MARKED = re.compile(r"""_\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*\)""")
_TRANSLATE = {"translate", "trans"}
_BLOCK = {"blocktranslate", "blocktrans"}


@dataclass(frozen=True)
class Text:
    """A translatable string as Django looks it up."""

    single: str
    plural: str = ""
    context: str = ""

    @property
    def key(self) -> str | tuple[str, str]:
        """What Babel calls the id of a message."""
        return (self.single, self.plural) if self.plural else self.single


def texts_of_python(source: bytes) -> Iterator[Text]:
    """Yield the strings given to gettext and its kin in Python source, in their order."""
    for _line, found, _comments, context in extract("python", BytesIO(source), _KEYWORDS):
        single, plural = found if isinstance(found, tuple) else (found, "")
        if single:
            yield Text(single, plural, context or "")


def texts_of_template(source: str) -> Iterator[Text]:
    """Yield the strings of a Django template, in their order.

    The tags are compiled by Django itself, so that blocks are trimmed and their placeholders
    written exactly as they are when a page is made.

    Raises:
        TemplateSyntaxError: a tag of translation is malformed or not closed.
    """
    from django.template.base import Lexer, TokenType

    tokens = iter(Lexer(source).tokenize())
    for token in tokens:
        if token.token_type not in (TokenType.BLOCK, TokenType.VAR):
            continue
        name = token.contents.split(None, 1)[0] if token.token_type is TokenType.BLOCK else ""
        for quoted in _MARKED.findall(token.contents):
            yield Text(_looked_up(_unquoted(quoted)))
        if name in _BLOCK:
            block = [token]
            for inner in tokens:
                block.append(inner)
                if inner.contents == f"end{name}" and inner.token_type is TokenType.BLOCK:
                    break
            yield _block_text(_compiled(block))
        elif name in _TRANSLATE:
            yield from _tag_text(_compiled([token]))


def _compiled(tokens: list) -> object:
    """Return the node of one tag of translation.

    The filters among its arguments are not looked up: what they do to a value changes no string.
    """
    from django.template import TemplateSyntaxError
    from django.template.base import Parser
    from django.templatetags import i18n

    class TagParser(Parser):
        def find_filter(self, filter_name: str) -> object:
            return lambda value, argument=None: value

    parser = TagParser(tokens, builtins=[i18n.register])
    nodes = parser.parse()
    if len(nodes) != 1:
        raise TemplateSyntaxError(f"not a tag of translation: {tokens[0].contents}")
    return nodes[0]


def _block_text(node: object) -> Text:
    single, _variables = node.render_token_list(node.singular)
    plural = node.render_token_list(node.plural)[0] if node.plural else ""
    if node.trimmed:
        from django.utils.translation import trim_whitespace

        single, plural = trim_whitespace(single), trim_whitespace(plural)
    return Text(single, plural, _literal(node.message_context))


def _tag_text(node: object) -> Iterator[Text]:
    literal = _literal(node.filter_expression)
    if literal:
        yield Text(_looked_up(literal), context=_literal(node.message_context))


def _literal(expression: object) -> str:
    """Return the string that an expression of a template states, or nothing for a variable."""
    value = getattr(expression, "var", "")
    # A constant is a plain string, unless it is to be translated: then it is a variable's literal.
    value = value if isinstance(value, str) else getattr(value, "literal", "")
    return str(value) if isinstance(value, str) else ""


def _looked_up(literal: str) -> str:
    # Django doubles the percent signs of a template before it looks a string up.
    return literal.replace("%", "%%")


def _unquoted(quoted: str) -> str:
    from django.utils.text import unescape_string_literal

    return unescape_string_literal(quoted)


def texts_of_package(package: Path = PACKAGE) -> dict[Text, tuple[str, ...]]:
    """Return every translatable string of the package with the files it stands in."""
    found: dict[Text, list[str]] = {}
    for path in sorted(package.rglob("*.*")):
        if path.suffix == ".py" and "migrations" not in path.parts:
            texts = texts_of_python(path.read_bytes())
        elif "templates" in path.parts and path.suffix in (".html", ".txt", ".svg"):
            texts = texts_of_template(path.read_text(encoding="utf-8"))
        else:
            continue
        place = path.relative_to(package).as_posix()
        for text in texts:
            places = found.setdefault(text, [])
            if place not in places:
                places.append(place)
    return {text: tuple(places) for text, places in _one_per_lookup(found).items()}


def _one_per_lookup(found: dict[Text, list[str]]) -> dict[Text, list[str]]:
    """Join a string with its own plural: a catalogue may hold one entry only for both."""
    counted = {(text.single, text.context): text for text in found if text.plural}
    joined: dict[Text, list[str]] = {}
    for text, places in found.items():
        joined.setdefault(counted.get((text.single, text.context), text), []).extend(places)
    return joined


def _string(string: str | tuple[str, ...] | list[str] | None) -> str:
    # The one form of a counted string, or the string itself.
    return (string[0] if isinstance(string, tuple | list) else string) or ""


def _path(language: str, locale: Path) -> Path:
    return locale / language / "LC_MESSAGES" / "django.po"


def load(language: str, locale: Path = LOCALE) -> Catalog:
    """Return the catalogue of a language; an empty one where there is none yet."""
    catalog = Catalog(locale=language)
    with suppress(FileNotFoundError):
        catalog = read_po(BytesIO(_path(language, locale).read_bytes()), locale=language)
    return catalog


def update(language: str, texts: dict[Text, tuple[str, ...]], locale: Path = LOCALE) -> int:
    """Write a language's catalogue anew with `texts`; return how many lack a translation."""
    old, new, missing = load(language, locale), Catalog(locale=language), 0
    for text, places in texts.items():
        # A string that gained or lost its plural has the same translation: there is one form.
        known = old.get(text.single, text.context or None)
        string = _string(known.string) if known and not known.fuzzy else ""
        missing += not string
        new.add(
            text.key,
            (string,) if text.plural else string,
            [(place, None) for place in sorted(places)],
            context=text.context or None,
        )
    body = BytesIO()
    write_po(body, new, width=100, omit_header=True, include_lineno=False)
    path = _path(language, locale)
    path.parent.mkdir(parents=True, exist_ok=True)
    header = _HEADER.format(language=language).encode()
    path.write_bytes(header + body.getvalue().rstrip(b"\n") + b"\n")
    return missing


def compile_stale(locale: Path = LOCALE) -> list[Path]:
    """Compile each catalogue whose `.mo` is missing or older than its `.po`; return those made.

    The same source compiles to the same bytes, and a reader never finds half a file.
    """
    made = []
    for source in sorted(locale.glob("*/LC_MESSAGES/django.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        catalog = read_po(BytesIO(source.read_bytes()), locale=source.parts[-3])
        catalog.creation_date = catalog.revision_date = datetime(2000, 1, 1, tzinfo=UTC)
        for untranslated in [one for one in catalog if one.id and not _string(one.string)]:
            catalog.delete(untranslated.id, untranslated.context)
        partial = target.with_suffix(f".mo.{os.getpid()}")
        with partial.open("wb") as stream:
            write_mo(stream, catalog)
        partial.replace(target)
        made.append(target)
    return made


def main(arguments: list[str]) -> int:
    """Run `update` or `compile`; return 2 where neither is asked for."""
    if arguments == ["update"]:
        texts = texts_of_package()
        for language in LANGUAGES:
            missing = update(language, texts)
            print(f"{language}: {len(texts)} strings, {missing} without a translation")
    elif arguments != ["compile"]:
        print("usage: catalogues.py update|compile", file=sys.stderr)
        return 2
    for path in compile_stale():
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
