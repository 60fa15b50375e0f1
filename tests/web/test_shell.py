"""The shell: headers, error pages, menu, language, the start of a session."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from conftest import Office
from kinward_web import navigation
from kinward_web.error_pages import server_error
from kinward_web.navigation import NAVIGATION, Item, menu_for
from kinward_web.rules.roles import Role

PACKAGE = Path(navigation.__file__).parent
ROLES = [role for role in Role if role is not Role.SYSTEM]
OPEN = ("/sign-in/", "/sign-in/ended/", "/new-password/MQ/set/")
"""Pages of the shell that a visitor sees."""
OWN = (
    "/me/",
    "/sign-in/out/",
    "/sign-in/password/",
    "/sign-in/second-factor/reauthenticate/",
    "/sign-in/second-factor/webauthn/",
)
"""Pages of the shell that everyone has."""
OFFICE = (
    "/office/people/",
    "/office/people/appoint/",
    "/office/agencies/",
    "/office/agencies/new/",
)
"""Pages of the shell that administrators have."""
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "manifest-src 'self'",
    "worker-src 'self'",
}
_INLINE = re.compile(r"<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:", re.IGNORECASE)
_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<body>.*?)</script>", re.S | re.IGNORECASE)


def inline_faults(html: str) -> list[str]:
    """Return what in `html` the content security policy would refuse."""
    faults = _INLINE.findall(html)
    for match in _SCRIPT.finditer(html):
        runs = 'type="application/json"' not in match["attributes"]
        if runs and match["body"].strip():
            faults.append(match[0])
    return faults


def check_page(response: object) -> None:
    """Check the headers of any answer and that a page has nothing inline."""
    policy = set(response["Content-Security-Policy"].split("; "))
    assert policy == POLICY
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "geolocation=()" in response["Permissions-Policy"]
    if response["Content-Type"].startswith("text/html"):
        assert inline_faults(response.content.decode()) == []


@pytest.mark.parametrize(
    "html",
    [
        "<p style='color:red'>",
        '<a onclick="x()">',
        "<style>p{}</style>",
        "<script>x()</script>",
        '<a href="javascript:x()">',
    ],
)
def test_inline_code_would_be_found(html: str) -> None:
    assert inline_faults(html)
    assert not inline_faults('<script src="/static/x.js" defer></script><p class="style">on x</p>')


@pytest.mark.parametrize("path", OPEN)
def test_visitors_see_the_doors(path: str, db: None) -> None:
    response = Client().get(path)
    assert response.status_code == 200
    check_page(response)


@pytest.mark.parametrize("path", ["/", *OWN, *OFFICE, "/office/people/1/", "/second-factor/"])
def test_visitors_are_sent_to_sign_in(path: str, db: None) -> None:
    response = Client().get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/")
    check_page(response)


@pytest.mark.parametrize("role", ROLES)
def test_everyone_has_the_own_pages(role: Role, client_for: Callable[..., Client]) -> None:
    client = client_for(role)
    for path in OWN:
        response = client.get(path)
        assert response.status_code == 200, path
        assert "no-store" in response["Cache-Control"], path
        check_page(response)
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("role", ROLES)
def test_office_pages_are_the_administrators(
    role: Role, client_for: Callable[..., Client], office: Office
) -> None:
    client = client_for(role)
    person = office.user(Role.ADMINISTRATOR)
    for path in (*OFFICE, f"/office/people/{person.pk}/", f"/office/agencies/{person.agency_id}/"):
        response = client.get(path)
        assert response.status_code == (200 if role == Role.ADMINISTRATOR else 403), path
        check_page(response)


def _routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> list[str]:
    found = []
    for entry in patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found += _routes(entry.url_patterns, route)
        else:
            found.append(route)
    return found


def test_every_address_without_parameters_answers_well(
    client_for: Callable[..., Client],
) -> None:
    routes = [route for route in _routes(get_resolver().url_patterns) if "<" not in route]
    assert len(routes) > 15
    for role in ROLES:
        client = client_for(role)
        for route in routes:
            response = client.get(f"/{route}")
            assert response.status_code in (200, 302, 400, 403, 404, 405), (role, route)
            check_page(response)


def test_no_template_has_inline_code() -> None:
    templates = list(PACKAGE.rglob("templates/**/*.html"))
    assert len(templates) > 30
    for path in templates:
        text = re.sub(r"{%.*?%}|{{.*?}}", "", path.read_text(encoding="utf-8"), flags=re.S)
        assert inline_faults(text) == [], path


def test_htmx_runs_without_eval_and_styles(client_for: Callable[..., Client]) -> None:
    html = client_for(Role.AUDITOR).get("/me/").content.decode()
    config = re.search(r"name=\"htmx-config\" content='([^']*)'", html)
    assert '"allowEval":false' in config[1]
    assert '"includeIndicatorStyles":false' in config[1]
    assert '"historyCacheSize":0' in config[1]


@pytest.mark.parametrize("status", ["400", "403", "403_form", "404", "429"])
def test_error_pages_say_what_to_do(status: str, db: None) -> None:
    request = RequestFactory().get("/")
    request.user, request.actor = AnonymousUser(), None
    html = render_to_string(f"{status}.html", {}, request)
    assert inline_faults(html) == []
    assert 'href="/"' in html
    assert "<h1>" in html


def test_the_page_of_our_own_faults_needs_no_database() -> None:
    response = server_error(RequestFactory().get("/"))
    assert response.status_code == 500
    assert "Try again in a minute" in response.content.decode()


def test_a_form_without_token_is_refused_in_our_words(office: Office) -> None:
    response = Client(enforce_csrf_checks=True).post("/sign-in/", {"login": "a", "password": "b"})
    assert response.status_code == 403
    assert "Nothing was saved" in response.content.decode()
    check_page(response)


def test_the_menu_leaves_out_what_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (
        Item("Office", "Nowhere", "nowhere:at-all", roles=frozenset(Role)),
        Item("Office", "Mine", "accounts:me", roles=frozenset(Role)),
    )
    monkeypatch.setattr(navigation, "NAVIGATION", rows)
    groups = menu_for(Role.AUDITOR, "/me/")
    assert [link.label for group in groups for link in group.links] == ["Mine"]
    assert groups[0].links[0].current


@pytest.mark.parametrize("role", ROLES)
def test_every_row_of_the_menu_opens(role: Role, client_for: Callable[..., Client]) -> None:
    client = client_for(role)
    links = [link.url for group in menu_for(role) for link in group.links]
    assert "/me/" in links
    for url in links:
        response = client.get(url)
        assert response.status_code == 200, url
        assert f'<a href="{url}" aria-current="page">' in response.content.decode()
    assert client.get("/")["Location"] == links[0]


def test_groups_of_the_menu_stand_together() -> None:
    labels = [str(item.group) for item in NAVIGATION]
    runs = [label for at, label in enumerate(labels) if at == 0 or labels[at - 1] != label]
    assert len(runs) == len(set(runs))


def test_the_language_stays_with_the_login(
    client_for: Callable[..., Client], office: Office
) -> None:
    client = client_for(Role.CLINICIAN)
    response = client.post("/language/", {"language": "vi", "next": "https://example.org/"})
    assert response["Location"] == "/"
    assert office.user(Role.CLINICIAN).__class__.objects.get(role="clinician").language == "vi"
    assert '<html lang="vi">' in client.get("/me/").content.decode()
    client.post("/language/", {"language": "xx"})
    assert '<html lang="vi">' in client.get("/me/").content.decode()


def test_visitors_choose_a_language_too(db: None) -> None:
    client = Client()
    client.post("/language/", {"language": "zh-hans", "next": "/sign-in/"})
    assert '<html lang="zh-hans">' in client.get("/sign-in/").content.decode()


def test_the_demo_says_so(db: None, settings: object) -> None:
    assert "Synthetic demo data" not in Client().get("/sign-in/").content.decode()
    assert Client().get("/demo/code/").status_code == 404
    assert not settings.DEMO
