"""Catalogues of Chinese and Vietnamese: whole, true to their placeholders, used by pages."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree

import catalogues
import pytest
from catalogues import LANGUAGES, Text
from django.template import Context, Template, TemplateSyntaxError
from django.test import Client
from django.urls import Resolver404, resolve, reverse
from django.utils import translation
from django.utils.translation import ngettext, trans_real
from planner import World

from kinward_web.accounts.models import User
from kinward_web.registry.models import Involvement, Link
from kinward_web.rules.roles import Role

CODES = {"zh_Hans": "zh-hans", "vi": "vi"}
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-#0 +]*\d*(?:\.\d+)?[diouxXeEfFgGcrs]|%%|\{\w*[^}]*\}")
UNVERIFIED = {"zh-hans": "未经核实", "vi": "chưa được kiểm chứng"}


@pytest.fixture(scope="module")
def texts():
    return catalogues.texts_of_package()


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def messages(language):
    return [message for message in catalogues.load(language) if message.id]


# ------------------------------------------------------------------------------ the catalogues


def translated(message) -> str:
    return message.string[0] if isinstance(message.string, tuple) else message.string


def test_every_string_is_translated_and_no_other(language, messages, texts):
    wanted = {(text.key, text.context) for text in texts}
    held = {(message.id, message.context or "") for message in messages}
    assert held == wanted, "run `make messages` and translate what is new"
    assert not [message.id for message in messages if not translated(message).strip()]
    assert not [message.id for message in messages if message.fuzzy]
    assert not catalogues.load(language).obsolete


def test_placeholders_are_those_of_the_string(messages):
    wrong = {}
    for message in messages:
        # "One child" may leave out the number that its plural states; here one form serves both.
        source = message.id[1] if isinstance(message.id, tuple) else message.id
        expected, found = (set(PLACEHOLDER.findall(one)) for one in (source, translated(message)))
        if expected != found:
            wrong[message.id] = expected ^ found
    assert not wrong


def test_one_form_serves_every_number(language, messages):
    catalogue = catalogues.load(language)
    assert (catalogue.num_plurals, catalogue.plural_expr) == (1, "0")
    counted = [message for message in messages if isinstance(message.id, tuple)]
    assert counted
    assert {len(message.string) for message in counted} == {1}
    with translation.override(CODES[language]):
        for message in counted:
            for number in (0, 1, 5):
                assert ngettext(*message.id, number) == translated(message)


def test_an_update_changes_nothing(language, texts, tmp_path):
    copytree(catalogues.LOCALE, tmp_path, dirs_exist_ok=True)
    catalogues.update(language, texts, tmp_path)
    source = f"{language}/LC_MESSAGES/django.po"
    assert (tmp_path / source).read_text() == (catalogues.LOCALE / source).read_text()


def test_an_update_adds_what_is_new_and_drops_what_is_gone(tmp_path):
    kept, gone, new = Text("Kept"), Text("Gone"), Text("New", "News")
    assert catalogues.update("vi", {kept: ("a.py",), gone: ("b.py",)}, tmp_path) == 2
    path = tmp_path / "vi" / "LC_MESSAGES" / "django.po"
    path.write_text(path.read_text().replace('"Kept"\nmsgstr ""', '"Kept"\nmsgstr "Giữ"'))
    assert catalogues.update("vi", {new: ("c.py",), kept: ("a.py",)}, tmp_path) == 1
    written = path.read_text()
    assert "Gone" not in written
    assert 'msgid "Kept"\nmsgstr "Giữ"' in written
    assert 'msgid_plural "News"\nmsgstr[0] ""' in written
    assert not re.search(r"\.py:\d|Date|Generated", written)


def test_stale_catalogues_are_compiled_to_the_same_bytes(tmp_path):
    copytree(catalogues.LOCALE, tmp_path, dirs_exist_ok=True)
    for old in tmp_path.rglob("*.mo"):
        old.unlink()
    made = catalogues.compile_stale(tmp_path)
    first = [path.read_bytes() for path in made]
    assert len(made) == len(LANGUAGES)
    assert not catalogues.compile_stale(tmp_path)
    for path in made:
        path.unlink()
    assert [path.read_bytes() for path in catalogues.compile_stale(tmp_path)] == first


# ------------------------------------------------------------------------------ finding strings


def of_template(source: str) -> list[Text]:
    return list(catalogues.texts_of_template("{% load i18n %}" + source))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('{% translate "One" %}', Text("One")),
        ("{% translate 'It is' context 'verb' as said %}", Text("It is", context="verb")),
        ('{% translate "100 %" %}', Text("100 %%")),
        ('{{ value|default:_("None \\"yet\\"") }}', Text('None "yet"')),
        ('{% include "a.html" with title=_("Title") %}', Text("Title")),
        (
            "{% blocktranslate with a=b|unknown:2 %}To {{ a }}.{% endblocktranslate %}",
            Text("To %(a)s."),
        ),
        (
            "{% blocktranslate count n=rows|length %}{{ n }} row{% plural %}{{ n }} rows"
            "{% endblocktranslate %}",
            Text("%(n)s row", "%(n)s rows"),
        ),
        (
            '{% blocktranslate trimmed context "c" %}\n  Two\n  lines\n{% endblocktranslate %}',
            Text("Two lines", context="c"),
        ),
    ],
)
def test_strings_of_templates(source, found):
    assert of_template(source) == [found]


def test_a_format_of_a_day_is_a_string_of_its_own():
    source = (
        '{% blocktranslate with day=born|date:_("j M Y") %}Born {{ day }}.{% endblocktranslate %}'
    )
    assert of_template(source) == [Text("j M Y"), Text("Born %(day)s.")]


@pytest.mark.parametrize(("code", "day"), [("zh-hans", "2011年7月5日"), ("vi", "05/07/2011")])
def test_days_are_written_as_their_readers_write_them(code, day):
    template = Template('{% load i18n %}{{ day|date:_("j M Y") }}')
    with translation.override(code):
        assert template.render(Context({"day": date(2011, 7, 5)})) == day


def test_what_is_no_string_of_a_template():
    assert of_template("One {{ two }} {% translate three %} {# _('four') #}") == []
    with pytest.raises(TemplateSyntaxError):
        of_template("{% blocktranslate %}never closed")


def test_what_is_extracted_is_what_django_looks_up(monkeypatch):
    source = (
        '{% load i18n %}{% translate "5 % of" %}{{ nothing|default:_("no 5 %") }}'
        "{% blocktranslate with a=1 %}a 5 % {{ a }}{% endblocktranslate %}"
        "{% blocktranslate trimmed count n=2 %}\n one {% plural %}\n {{ n }} of \n many"
        "{% endblocktranslate %}"
    )
    asked = set()
    original = trans_real.translation

    def spy(code):
        found = original(code)
        monkeypatch.setattr(found, "gettext", lambda one: asked.add(one) or str(one), raising=False)
        monkeypatch.setattr(
            found, "ngettext", lambda one, many, _n: asked.add((one, many)) or many, raising=False
        )
        return found

    monkeypatch.setattr(trans_real, "translation", spy)
    with translation.override("vi"):
        trans_real._active.value = spy("vi")
        Template(source).render(Context())
    assert asked == {text.key for text in catalogues.texts_of_template(source)}


def test_strings_of_python():
    source = b"""
_("One " "of two"); gettext_lazy('Two'); _(variable); other("Three")
ngettext("%(n)d row", "%(n)d rows", n); pgettext("verb", "Open")
"""
    assert list(catalogues.texts_of_python(source)) == [
        Text("One of two"),
        Text("Two"),
        Text("%(n)d row", "%(n)d rows"),
        Text("Open", context="verb"),
    ]


# ------------------------------------------------------------------------------ the pages


class _Words(HTMLParser):
    """What a person reads or hears of a page."""

    SPOKEN = ("alt", "aria-label", "title", "placeholder")

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self._silent += tag in ("script", "style")
        self.words += [given[name] for name in self.SPOKEN if given.get(name)]
        if tag == "a" and given.get("href", "").startswith("/"):
            self.links.append(given["href"].partition("#")[0])

    def handle_endtag(self, tag):
        self._silent -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._silent:
            self.words.append(data)


def speaking(language: str) -> None:
    """Let everyone read `language`; names of people shall not be taken for names of roles."""
    User.objects.update(language=CODES[language], full_name="Synthetic")


def read(response) -> _Words:
    page = _Words()
    page.feed(response.content.decode())
    return page


@pytest.fixture
def english(messages):
    """The longest piece between placeholders of each string that its translation changes."""
    pieces = set()
    for message in messages:
        for source in message.id if isinstance(message.id, tuple) else (message.id,):
            if source != translated(message):
                pieces.add(max(PLACEHOLDER.split(source), key=len).strip())
    return [piece for piece in pieces if len(piece) > 12]


def left_in_english(page: _Words, english: list[str]) -> list[str]:
    shown = " ".join(" ".join(page.words).split())
    return [piece for piece in english if piece in shown]


def test_english_on_a_page_is_noticed(english):
    page = _Words()
    page.feed('<p>Store a document</p><img alt="2 of this and What happened next">')
    assert left_in_english(page, english) == ["Store a document"]


def test_the_sign_in_page(language, english, db):
    client = Client()
    client.cookies["django_language"] = CODES[language]
    page = read(client.get("/sign-in/"))
    assert not left_in_english(page, english)
    assert UNVERIFIED[CODES[language]] in " ".join(page.words)


@pytest.fixture
def barred(office):
    """A place with a family whose adult is kin of a buyer."""
    world = World(office)
    case = world.case_in("medical_cleared")
    place = world.propose(case)
    police = office.agency("police")
    buyer = world.person()
    Involvement.objects.create(person=buyer, part="buyer", source="Synthetic", entered_by=police)
    adult = place.household.members.get().person
    Link.objects.create(
        first=adult, second=buyer, kind="kin", source="Synthetic", entered_by=police
    )
    return case, place


@pytest.mark.parametrize("role", [Role.POLICE_OFFICER, Role.WELFARE_WORKER])
def test_the_custody_check(language, english, barred, client_for, office, role):
    case, place = barred
    client = client_for(role)
    speaking(language)
    page = read(client.get(reverse("casework:place", args=[case.code, place.pk])))
    assert not left_in_english(page, english)


def test_no_page_keeps_a_sentence_of_ours(language, english, barred, client_for):
    """From Today along every link; each kind of page once, by the first role that comes to it."""
    roles = (Role.POLICE_OFFICER, Role.WELFARE_WORKER, Role.AUDITOR, Role.ADMINISTRATOR)
    seen, left = set(), {}
    for role in roles:
        client = client_for(role)
        speaking(language)
        seen.discard("accounts:home")
        waiting = ["/"]
        while waiting:
            page = page_of(client, waiting[0], seen)
            if page and (found := left_in_english(page, english)):
                left[waiting[0]] = found
            waiting = waiting[1:] + (page.links if page else [])
    assert not left
    assert len(seen) > 30


def page_of(client: Client, path: str, seen: set[str]) -> _Words | None:
    """Return what a path shows, unless its kind has been seen."""
    try:
        view = resolve(path.partition("?")[0]).view_name
    except Resolver404:
        return None
    # The sample documents hold nothing that could be shown.
    if view in seen or view == "registry:document":
        return None
    seen.add(view)
    response = client.get(path, follow=True)
    if response.status_code != 200 or "html" not in response.headers["Content-Type"]:
        return None
    return read(response)


def test_no_source_hides_from_the_extraction():
    """Templates and code lie where `texts_of_package` looks."""
    stray = [
        path
        for path in catalogues.PACKAGE.rglob("*.html")
        if "templates" not in path.relative_to(catalogues.PACKAGE).parts
    ]
    assert not stray
    assert Path(catalogues.LOCALE).is_relative_to(catalogues.PACKAGE)
