"""The outbox in Chromium: nothing readable is kept, nothing is lost, nothing is entered twice."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from planner import World
from playwright.sync_api import expect

import kinward_web
from kinward_web.casework.models import Case, OutboxReceipt, TransitionRecord
from kinward_web.rules.roles import Role

pytestmark = pytest.mark.django_db(transaction=True)
POLICE = Role.POLICE_OFFICER
PLACE = "Synthetic courtyard by the ferry"
SCRIPT = Path(kinward_web.__file__).parent / "static" / "kinward" / "outbox.js"
PLANT = 'await inStore("entries", "readwrite", (store) => store.put({ id, iv, data, made'
_STORE = """async () => {
  const store = await new Promise((done) => {
    const request = indexedDB.open("kinward-outbox");
    request.onsuccess = () => done(request.result);
  });
  const read = (name) => new Promise((done) => {
    const request = store.transaction(name).objectStore(name).getAll();
    request.onsuccess = () => done(request.result);
  });
  const text = (value) => {
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      return new TextDecoder("latin1").decode(value);
    }
    if (value instanceof CryptoKey) return `key, extractable ${value.extractable}`;
    if (value && typeof value === "object") {
      return Object.entries(value).map(([key, one]) => `${key}: ${text(one)}`).join("; ");
    }
    return String(value);
  };
  const [entries, owner] = [await read("entries"), await read("owner")];
  store.close();
  return { entries: entries.map(text), owner: owner.map(text) };
}"""
"""Everything in the store as text: what someone reads who takes the telephone apart."""


@pytest.fixture
def world(page_for, office):
    return World(office)


def kept(page: Any) -> dict[str, list[str]]:
    return page.evaluate(_STORE)


def readable(store: dict[str, list[str]]) -> bool:
    """Return whether a word of the entry can be read in the store."""
    text = json.dumps(store)
    return any(word in text for word in (PLACE, "ferry", "Henan", "OP-TEST"))


def open_board(page: Any) -> None:
    page.go(reverse("casework:board", args=["OP-TEST"]))
    page.wait_for_selector("#found-form[data-ready]", state="attached")


def enter(page: Any, place: str = PLACE) -> None:
    if page.locator("details.found:not([open])").count():
        page.locator("details.found > summary").click()
    page.get_by_label("Place", exact=True).fill(place)
    page.get_by_label("female", exact=True).check()
    page.get_by_role("button", name="Record the rescue").click()


def faults(page: Any) -> list[str]:
    found = Axe().run(page)
    return [
        f"{row['id']}: {node['html'][:160]}"
        for row in found.response["violations"]
        for node in row["nodes"]
    ]


def wide(page: Any) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


def offline_entry(page: Any) -> dict[str, list[str]]:
    """Enter a child without a connection; return what the store holds then."""
    open_board(page)
    page.context.set_offline(True)
    enter(page)
    page.wait_for_selector("#outbox:not([hidden])")
    expect(page.locator("#outbox-word")).not_to_be_empty()
    return kept(page)


def test_a_child_entered_without_a_connection(world, page_for):
    page = page_for(POLICE, width=390)
    store = offline_entry(page)
    assert page.inner_text("#outbox-count") == "1"
    assert PLACE in page.inner_text("#outbox-list")
    assert "Kept on this device" in page.inner_text("#outbox-word")
    assert len(store["entries"]) == 1
    assert not readable(store)
    assert ["extractable false" in owner for owner in store["owner"]] == [True]
    assert not Case.objects.exists()
    assert faults(page) == []
    assert not wide(page)
    # A second child at once: the form is empty again and has another number.
    assert page.get_by_label("Place", exact=True).input_value() == ""
    enter(page, "Another courtyard")
    expect(page.locator("#outbox-count")).to_have_text("2")

    page.context.set_offline(False)
    page.wait_for_selector("#outbox", state="hidden")
    assert "nothing is left" in page.inner_text("#outbox-word")
    assert kept(page) == {"entries": [], "owner": []}
    records = TransitionRecord.objects.filter(machine="case", channel="sync")
    assert {record.evidence["place"] for record in records} == {PLACE, "Another courtyard"}
    assert Case.objects.count() == OutboxReceipt.objects.count() == 2
    assert page.violations == []


def test_the_planted_fault_is_seen(world, page_for):
    """A script that kept the entry as it is would be found out by the same look."""
    source = SCRIPT.read_text()
    assert PLANT in source
    page = page_for(POLICE)
    page.route(
        "**/outbox*.js",
        lambda route: route.fulfill(
            body=source.replace(PLANT, f"{PLANT}, note: JSON.stringify(content)"),
            content_type="text/javascript",
        ),
    )
    assert readable(offline_entry(page))


def test_an_answer_that_is_lost_makes_no_second_child(world, page_for):
    """The server has it, the telephone does not know: it sends again under the same number."""
    page = page_for(POLICE)
    open_board(page)
    lost = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/api/v1/sync", lose)
    enter(page)
    page.wait_for_selector("#outbox:not([hidden])")
    assert lost == [200]
    assert Case.objects.count() == 1
    page.get_by_role("button", name="Send now").click()
    page.wait_for_selector("#outbox", state="hidden")
    assert Case.objects.count() == 1
    assert kept(page) == {"entries": [], "owner": []}


def test_with_a_connection_the_band_follows(world, page_for):
    page = page_for(POLICE, width=390)
    open_board(page)
    enter(page)
    page.wait_for_url("**/band/")
    case = Case.objects.get()
    assert case.code in page.inner_text(".band")
    assert kept(page) == {"entries": [], "owner": []}
    assert faults(page) == []
    assert not wide(page)
    page.emulate_media(media="print")
    assert page.is_visible(".band .qr")
    assert not page.is_visible(".site-header")


def test_a_refused_entry_stays_until_its_person_decides(world, page_for):
    page = page_for(POLICE)
    open_board(page)
    if page.locator("details.found:not([open])").count():
        page.locator("details.found > summary").click()
    page.get_by_label("When").fill("2999-01-01T00:00")
    enter(page)
    page.wait_for_selector("#outbox .refusals")
    assert "future" in page.inner_text("#outbox .refusals__why")
    assert page.inner_text("#outbox .refusals__path").strip()
    assert not readable(kept(page))
    assert faults(page) == []
    page.get_by_role("button", name="Correct").click()
    page.get_by_label("When").fill("2011-07-15T04:30")
    page.get_by_role("button", name="Record the rescue").click()
    page.wait_for_url("**/band/")
    assert Case.objects.count() == 1

    open_board(page)
    page.locator("details.found > summary").click()
    page.get_by_label("When").fill("2999-01-01T00:00")
    enter(page)
    page.wait_for_selector("#outbox .refusals")
    page.get_by_role("button", name="Discard").click()
    page.wait_for_selector("#outbox", state="hidden")
    assert kept(page) == {"entries": [], "owner": []}
    assert Case.objects.count() == 1


def signed_in_as(page: Any, office: Any, number: int) -> None:
    """Change the session in the same browser to another colleague's."""
    from django.test import Client

    from conftest import sign_in

    page.context.clear_cookies()
    client = sign_in(Client(), office.user(POLICE, number=number))
    origin = re.match(r"https?://[^/]+", page.url).group()
    page.context.add_cookies(
        [{"name": name, "value": row.value, "url": origin} for name, row in client.cookies.items()]
    )


def test_another_login_finds_nothing(world, page_for, office):
    page = page_for(POLICE)
    offline_entry(page)
    page.route("**/api/v1/sync", lambda route: route.abort())
    page.context.set_offline(False)
    # The same person signs in anew: what waits must not be lost.
    signed_in_as(page, office, 1)
    open_board(page)
    assert page.inner_text("#outbox-count") == "1"
    signed_in_as(page, office, 2)
    open_board(page)
    assert page.is_hidden("#outbox")
    assert kept(page) == {"entries": [], "owner": []}
    assert not Case.objects.exists()


def test_signing_out_warns_and_erases(world, page_for):
    page = page_for(POLICE)
    offline_entry(page)
    page.route("**/api/v1/sync", lambda route: route.abort())
    page.context.set_offline(False)
    page.go(reverse("account_logout"))
    page.wait_for_selector("#outbox-lost:not([hidden])")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in/")
    assert page.evaluate(
        "async () => (await indexedDB.databases()).some((row) => row.name === 'kinward-outbox')"
    ) is False or kept(page) == {"entries": [], "owner": []}


def test_what_waited_for_a_day_is_erased(world, page_for):
    page = page_for(POLICE)
    offline_entry(page)
    page.route("**/api/v1/sync", lambda route: route.abort())
    page.context.set_offline(False)
    page.clock.install()
    page.clock.fast_forward("25:00:00")
    open_board(page)
    assert page.is_hidden("#outbox")
    assert "erased" in page.inner_text("#outbox-word")
    assert kept(page) == {"entries": [], "owner": []}


@pytest.mark.parametrize("width", [1280, 390])
def test_the_wall_is_accessible_and_renews_itself(world, page_for, width):
    world.place_in_home(world.case_in("registered"))
    late = world.open(sibling_group="S-7")
    page = page_for(POLICE, width=width)
    for path in (reverse("casework:boards"), reverse("casework:board", args=["OP-TEST"])):
        page.go(path)
        assert faults(page) == []
        assert not wide(page)
        assert page.violations == []
    assert late.code in page.inner_text("#wall")
    case = world.open()
    page.evaluate(
        "htmx.ajax('GET', document.querySelector('#wall').getAttribute('hx-get'),"
        " {target: '#wall', swap: 'outerHTML', select: '#wall'})"
    )
    expect(page.locator("#wall")).to_contain_text(case.code)
    assert page.locator("#wall").count() == 1


def test_a_wall_is_not_replaced_by_the_sign_in_page(world, page_for, office):
    case = world.open()
    page = page_for(POLICE)
    open_board(page)
    page.context.clear_cookies()
    page.evaluate(
        "htmx.ajax('GET', document.querySelector('#wall').getAttribute('hx-get'),"
        " {target: '#wall', swap: 'outerHTML', select: '#wall'})"
    )
    expect(page.locator("#outbox-word")).not_to_be_empty()
    assert case.code in page.inner_text("#wall")
    assert "signed out" in page.inner_text("#outbox-word")
