"""Fixtures of the web tests: a database, an office full of people, their browsers.

`office` holds two agencies of each kind and appoints on demand; `actor(role)` is who acts,
`client_for(role)` a test client signed in with a second factor, `page_for(role)` the same in
Chromium. The second agency of a kind, in another region, is `agency="other"`.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

HOME = tempfile.mkdtemp(prefix="kinward-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
# Settings are read once, at import: no test may touch the keys or data of a real installation.
os.environ |= {
    "KINWARD_HOME": HOME,
    "KINWARD_INSECURE_HTTP": "1",
    "DJANGO_SETTINGS_MODULE": "kinward_web.settings",
    # Playwright's synchronous interface runs an event loop in the thread of the test.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
}
(Path(HOME) / "static").mkdir()
for variable in ("DATABASE_URL", "KINWARD_DEMO", "KINWARD_COUNTRY", "KINWARD_HOSTS"):
    os.environ.pop(variable, None)

import django  # noqa: E402

# Workers that tests start import this file too, without the path that pytest sets.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))

from catalogues import compile_stale  # noqa: E402

# The installation compiled the catalogues of its day; a source may have changed since.
compile_stale()
django.setup()

from allauth.account.internal.flows.login import record_authentication  # noqa: E402
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes  # noqa: E402
from allauth.mfa.totp.internal.auth import TOTP  # noqa: E402
from databases import django_db_setup, fresh_installation, harness  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.test import Client  # noqa: E402

from kinward_web.accounts.api import Actor, Agency, Channel, User, actor_for  # noqa: E402
from kinward_web.rules.roles import AgencyKind, Role  # noqa: E402

__all__ = ["django_db_setup", "fresh_installation", "harness"]

# Pictures, pages, catalogues and pure functions are the same on both databases.
collect_ignore_glob = (
    [
        "test_*_browser.py",
        "test_*_pages*.py",
        "test_case_pages*.py",
        "test_custody_graph.py",
        "test_import_reading.py",
        "test_plan.py",
        "test_rules*.py",
        "test_shell*.py",
        "test_translations.py",
    ]
    if os.environ.get("KINWARD_TEST_DATABASE") == "postgres"
    else []
)

PASSWORD = "night train to Baoding"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
"""Of every authenticator app in the tests."""
CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome-stable")
KIND_OF: dict[Role, AgencyKind] = {
    Role.POLICE_OFFICER: AgencyKind.POLICE,
    Role.POLICE_ANALYST: AgencyKind.POLICE,
    Role.CLINICIAN: AgencyKind.HOSPITAL,
    Role.WELFARE_WORKER: AgencyKind.WELFARE,
    Role.PANEL_MEMBER: AgencyKind.WELFARE,
    Role.LAB_ANALYST: AgencyKind.LABORATORY,
    Role.LAB_SIGNER: AgencyKind.LABORATORY,
    Role.FAMILY_LIAISON: AgencyKind.NGO,
    Role.VOLUNTEER: AgencyKind.NGO,
    Role.FOREIGN_AUTHORITY: AgencyKind.FOREIGN,
    Role.AUDITOR: AgencyKind.OVERSIGHT,
    Role.ADMINISTRATOR: AgencyKind.POLICE,
}
_REGIONS = {"own": "Henan", "other": "Yunnan"}


@dataclass
class Office:
    """Two agencies of each kind, and people appointed when a test first asks for them."""

    agencies: dict[tuple[AgencyKind, str], Agency]
    _people: dict[tuple[Role, int, int], User] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def agency(self, kind: AgencyKind | str, which: str = "own") -> Agency:
        """Return the first agency of a kind, or with `which="other"` the second."""
        return self.agencies[AgencyKind(kind), which]

    def user(self, role: Role | str, agency: Agency | str | None = None, number: int = 1) -> User:
        """Return the person of `role`; `number` 2, 3 … are colleagues of the same role."""
        role = Role(role)
        if agency is None or isinstance(agency, str):
            agency = self.agency(KIND_OF[role], agency or "own")
        key = (role, agency.pk, number)
        if key not in self._people:
            serial = next(self._numbers)
            self._people[key] = User.objects.create_user(
                email=f"{role.value}-{serial}@example.org",
                full_name=f"{role.value.replace('_', ' ').title()} {serial}",
                person_number=f"P-{serial:04}",
                agency=agency,
                role=role.value,
                password=PASSWORD,
            )
            TOTP.activate(self._people[key], SECRET)
            RecoveryCodes.activate(self._people[key])
        return self._people[key]


@pytest.fixture(autouse=True)
def _quick(request: pytest.FixtureRequest) -> None:
    """Serve static files from the sources, for digests need a collection; hash passwords badly."""
    settings = request.getfixturevalue("settings")
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def office(db: None) -> Office:
    """Agencies of the own and another region."""
    agencies = {
        (kind, which): Agency.objects.create(
            code=f"{which}-{kind.value}",
            name=f"{region} {kind.value}",
            kind=kind.value,
            country="CN",
            region=region,
        )
        for kind in AgencyKind
        for which, region in _REGIONS.items()
    }
    return Office(agencies)


@pytest.fixture
def actor(office: Office) -> Callable[..., Actor]:
    """Make an actor: `actor(role, agency=None, number=1, channel=PAGE, fresh=True)`."""
    from django.utils import timezone

    def make(
        role: Role | str,
        agency: Agency | str | None = None,
        number: int = 1,
        channel: Channel = Channel.PAGE,
        fresh: bool = True,
    ) -> Actor:
        user = office.user(role, agency, number)
        return actor_for(user, channel, timezone.now() if fresh else None)

    return make


def sign_in(client: Client, user: User) -> Client:
    """Sign `user` in with a second factor given just now."""
    client.force_login(user)
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, user, method="mfa", type="totp")
    request.session.save()
    return client


@pytest.fixture
def client_for(office: Office) -> Callable[..., Client]:
    """Make a signed-in client: `client_for(role, agency=None, number=1)`."""

    def make(role: Role | str, agency: Agency | str | None = None, number: int = 1) -> Client:
        return sign_in(Client(), office.user(role, agency, number))

    return make


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium. Its absence skips a test, or fails it where KINWARD_REQUIRE_SHARED is set."""
    from playwright.sync_api import sync_playwright

    path = next((path for path in CHROMIUM if Path(path).exists()), None)
    if path is None:
        message = "Chromium is not installed"
        if os.environ.get("KINWARD_REQUIRE_SHARED"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        # A container has neither the privileges nor the shared memory that Chromium would use.
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page_for(browser: Any, live_server: Any, office: Office) -> Iterator[Callable[..., Any]]:
    """Open a page in Chromium: `page_for(role=None, agency=None, width=1280, **context)`.

    The page's `go("/path/")` loads a path and waits for it; every refusal of the content security
    policy is collected in `page.violations`.
    """
    contexts = []

    def make(
        role: Role | str | None = None,
        agency: Agency | str | None = None,
        width: int = 1280,
        **options: Any,
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, base_url=live_server.url, **options
        )
        contexts.append(context)
        if role is not None:
            client = sign_in(Client(), office.user(role, agency))
            context.add_cookies(
                [
                    {"name": name, "value": morsel.value, "url": live_server.url}
                    for name, morsel in client.cookies.items()
                ]
            )
        page = context.new_page()
        page.violations = []
        page.on(
            "console",
            lambda message: (
                page.violations.append(message.text)
                if "Content Security Policy" in message.text
                else None
            ),
        )
        page.go = lambda path: page.goto(path, wait_until="load")
        return page

    yield make
    for context in contexts:
        context.close()
