"""The shell in Chromium: accessibility, the content security policy, small screens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from test_accounts import code

from conftest import PASSWORD, Office
from kinward_web.rules.roles import Role

WIDTHS = (1280, 390)
VISITOR = ("/sign-in/", "/new-password/MQ/set/", "/sign-in/ended/")
INSIDE = (
    "/me/",
    "/office/people/",
    "/office/people/appoint/",
    "/office/agencies/",
    "/office/agencies/new/",
    "/sign-in/out/",
    "/sign-in/password/",
    "/sign-in/second-factor/reauthenticate/",
    "/nothing/",
    "/gallery/",
)


@pytest.fixture(autouse=True)
def _with_gallery(settings: Any) -> None:
    settings.ROOT_URLCONF = "gallery"


def check(page: Any, path: str) -> None:
    """Check one page: no violation of accessibility or policy, nothing wider than the screen."""
    found = Axe().run(page)
    assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
    assert page.violations == [], path
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= screen, f"{path} is {wide} pixels wide on a screen of {screen}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_are_accessible(
    width: int, scheme: str, page_for: Callable[..., Any], office: Office
) -> None:
    page = page_for(width=width, color_scheme=scheme)
    for path in VISITOR:
        page.go(path)
        check(page, path)
    office.user(Role.POLICE_OFFICER)
    page = page_for(Role.ADMINISTRATOR, width=width, color_scheme=scheme)
    for path in INSIDE:
        page.go(path)
        check(page, path)


def test_a_planted_fault_is_seen(page_for: Callable[..., Any]) -> None:
    page = page_for()
    page.go("/sign-in/")
    page.evaluate("document.querySelector('label').remove()")
    page.evaluate("document.body.setAttribute('style', 'width: 3000px')")
    with pytest.raises(AssertionError, match="label"):
        check(page, "/sign-in/")
    assert page.violations


def test_the_smallest_telephone_scrolls_one_way(page_for: Callable[..., Any]) -> None:
    page = page_for(Role.ADMINISTRATOR, width=360)
    for path in INSIDE:
        page.go(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, path


def test_targets_are_large_enough_for_a_thumb(page_for: Callable[..., Any]) -> None:
    page = page_for(Role.ADMINISTRATOR, width=390)
    page.go("/gallery/")
    heights = page.evaluate(
        "[...document.querySelectorAll('button, .button, input:not([type=hidden], [type=checkbox]),"
        " select')].filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect().height)"
    )
    assert len(heights) > 15
    assert min(heights) >= 44


def test_the_menu_opens_on_a_telephone_without_script(page_for: Callable[..., Any]) -> None:
    page = page_for(Role.ADMINISTRATOR, width=390, java_script_enabled=False)
    page.go("/me/")
    link = page.get_by_role("link", name="Agencies")
    assert not link.is_visible()
    page.get_by_role("button", name="Menu").click()
    link.click()
    assert page.url.endswith("/office/agencies/")


def test_keys_reach_the_content_first(page_for: Callable[..., Any]) -> None:
    page = page_for(Role.ADMINISTRATOR)
    page.go("/me/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip-link"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_sign_in_by_hand(page_for: Callable[..., Any], office: Office) -> None:
    user = office.user(Role.AUDITOR)
    page = page_for()
    page.go("/sign-in/?next=/me/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    check(page, "second factor")
    page.get_by_label("Code").fill(code())
    page.get_by_role("button", name="Sign in").click()
    assert page.url.endswith("/me/")
    assert page.get_by_role("heading", level=1).inner_text() == "My sign-in"


def test_a_passkey_is_added_and_opens_the_login(
    page_for: Callable[..., Any], live_server: Any
) -> None:
    page = page_for(Role.AUDITOR)
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    # A passkey belongs to a name, never to a number such as 127.0.0.1.
    cookies = [{**cookie, "domain": "localhost"} for cookie in page.context.cookies()]
    page.context.add_cookies(cookies)
    place = live_server.url.replace("127.0.0.1", "localhost")
    page.goto(f"{place}/sign-in/second-factor/webauthn/add/")
    if "reauthenticate" in page.url:
        page.get_by_label("Code").fill(code())
        page.get_by_role("button", name="Continue").click()
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_url("**/sign-in/second-factor/**")
    page.goto(f"{place}/sign-in/out/")
    with page.expect_navigation():
        page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.goto(f"{place}/sign-in/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(lambda url: "/sign-in/" not in url)
    page.get_by_text("Sign out").first.wait_for()
    assert page.violations == []
