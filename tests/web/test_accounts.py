"""Sign-in with a second factor, its limits, the end of an appointment, the administrator's acts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory

from conftest import PASSWORD, SECRET, Office
from kinward_web.accounts import actions
from kinward_web.accounts.api import Actor, Agency, User
from kinward_web.accounts.models import AgencyChange, CacheEntry
from kinward_web.audit.api import AuditEvent
from kinward_web.limits import attempt_allowed, forget_attempts
from kinward_web.rules.roles import Role

CODE = "/sign-in/second-factor/authenticate/"
FRESH = "/sign-in/second-factor/reauthenticate/"
SET_UP = "/sign-in/second-factor/totp/activate/"


@pytest.fixture(autouse=True)
def _no_attempts_yet() -> None:
    cache.clear()


def code(secret: str = SECRET, step: int = 0) -> str:
    """Return the six digits of now, or of `step` times half a minute later."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + step))


def give_password(user: User, password: str = PASSWORD) -> tuple[Client, object]:
    client = Client()
    return client, client.post("/sign-in/", {"login": user.email, "password": password})


def see_me(client: Client) -> int:
    return client.get("/me/").status_code


def test_sign_in_takes_password_and_code(office: Office) -> None:
    client, response = give_password(office.user(Role.CLINICIAN))
    assert response["Location"] == CODE
    assert see_me(client) == 302
    before = client.session.session_key
    assert client.post(CODE, {"code": code()}).status_code == 302
    assert see_me(client) == 200
    assert client.session.session_key != before


def test_the_email_is_not_told_from_the_password(office: Office) -> None:
    _, wrong = give_password(office.user(Role.CLINICIAN), "not the password")
    unknown = Client().post("/sign-in/", {"login": "no@example.org", "password": "x"})

    def told(response: object) -> list[str]:
        return re.findall(r"<li>.*?</li>", response.content.decode().split("</main>")[0], re.S)

    assert wrong.status_code == unknown.status_code == 200
    assert told(wrong) == told(unknown) != []


def test_wrong_passwords_are_limited(office: Office) -> None:
    user = office.user(Role.CLINICIAN)
    for _ in range(5):
        give_password(user, "not the password")
    client, response = give_password(user)
    assert response.status_code == 200
    assert "Too many" in response.content.decode()
    assert see_me(client) == 302


def test_wrong_codes_are_limited(office: Office) -> None:
    client, _ = give_password(office.user(Role.CLINICIAN))
    right = code()
    wrong = f"{(int(right) + 1) % 10**6:06}"
    for _ in range(5):
        assert client.post(CODE, {"code": wrong}).status_code == 200
    response = client.post(CODE, {"code": right})
    assert response.status_code == 200
    assert "Too many" in response.content.decode()
    assert see_me(client) == 302


def test_a_code_works_once(office: Office) -> None:
    user = office.user(Role.CLINICIAN)
    digits = code()
    first, _ = give_password(user)
    first.post(CODE, {"code": digits})
    second, _ = give_password(user)
    second.post(CODE, {"code": digits})
    assert see_me(second) == 302
    assert see_me(first) == 200
    second.post(CODE, {"code": code(step=1)})
    assert see_me(second) == 200


def test_a_recovery_code_works_once(office: Office) -> None:
    user = office.user(Role.CLINICIAN)
    stored = Authenticator.objects.get(user=user, type="recovery_codes")
    spare = stored.wrap().get_unused_codes()[0]
    client, _ = give_password(user)
    client.post(CODE, {"code": spare})
    assert see_me(client) == 200
    cache.clear()
    again, _ = give_password(user)
    again.post(CODE, {"code": spare})
    assert see_me(again) == 302


@pytest.mark.django_db(transaction=True)
def test_a_login_without_second_factor_must_set_one_up(office: Office) -> None:
    user = office.user(Role.CLINICIAN)
    Authenticator.objects.filter(user=user).delete()
    client, response = give_password(user)
    for path in ("/", "/me/", "/sign-in/password/", "/office/people/"):
        assert client.get(path)["Location"] == SET_UP
    page = client.get(SET_UP).content.decode()
    secret = re.search(r'class="secret">([A-Z2-7]+)<', page)[1]
    assert '<svg class="qr"' in page
    response = client.post(SET_UP, {"code": code(secret)})
    assert response["Location"] == "/sign-in/second-factor/recovery-codes/"
    shown = client.get(response["Location"]).content.decode()
    assert len(re.findall(r"<li>\d{8}</li>", shown)) == 10
    assert see_me(client) == 200


def test_secrets_are_encrypted_in_the_database(office: Office) -> None:
    stored = Authenticator.objects.get(user=office.user(Role.CLINICIAN), type="totp")
    assert stored.data["secret"].startswith("v1:")
    assert SECRET not in str(stored.data)


def test_the_last_second_factor_stays(office: Office, client_for: Callable[..., Client]) -> None:
    client = client_for(Role.CLINICIAN)
    client.post(FRESH, {"code": code()})
    client.post("/sign-in/second-factor/totp/deactivate/")
    user = office.user(Role.CLINICIAN)
    assert Authenticator.objects.filter(user=user, type="totp").exists()


def test_a_fresh_second_factor_is_noted_and_leads_back(
    client_for: Callable[..., Client],
) -> None:
    client = client_for(Role.CLINICIAN)
    session = client.session
    records = session[AUTHENTICATION_METHODS_SESSION_KEY]
    records[0]["at"] -= 3600
    session[AUTHENTICATION_METHODS_SESSION_KEY] = records
    session.save()
    given = client.get("/me/").wsgi_request.actor.second_factor_at
    assert time.time() - given.timestamp() > 3000
    response = client.get("/second-factor/", {"next": "/me/"})
    assert response["Location"] == f"{FRESH}?next=%2Fme%2F"
    before = client.session.session_key
    response = client.post(f"{FRESH}?next=/me/", {"code": code()})
    assert response["Location"] == "/me/"
    assert client.session.session_key != before
    given = client.get("/me/").wsgi_request.actor.second_factor_at
    assert time.time() - given.timestamp() < 3000


def test_a_fresh_second_factor_leads_nowhere_else(client_for: Callable[..., Client]) -> None:
    client = client_for(Role.CLINICIAN)
    for url in ("https://example.org/", "//example.org/", "javascript:x()"):
        response = client.get("/second-factor/", {"next": url})
        assert response["Location"] == f"{FRESH}?next=%2F"


def test_a_password_is_no_fresh_second_factor(client_for: Callable[..., Client]) -> None:
    client = client_for(Role.CLINICIAN)
    before = client.get("/me/").wsgi_request.actor.second_factor_at
    client.post("/sign-in/confirm/", {"password": PASSWORD})
    assert client.get("/me/").wsgi_request.actor.second_factor_at == before


def test_a_session_ends_after_its_longest_time(client_for: Callable[..., Client]) -> None:
    client = client_for(Role.CLINICIAN)
    session = client.session
    records = session[AUTHENTICATION_METHODS_SESSION_KEY]
    records[0]["at"] -= 11 * 3600
    session[AUTHENTICATION_METHODS_SESSION_KEY] = records
    session.save()
    assert see_me(client) == 302
    assert "_auth_user_id" not in client.session


def test_sign_out(client_for: Callable[..., Client]) -> None:
    client = client_for(Role.CLINICIAN)
    assert client.get("/sign-in/out/").status_code == 200
    assert see_me(client) == 200
    client.post("/sign-in/out/")
    assert see_me(client) == 302


def test_nobody_appoints_themselves(db: None) -> None:
    for path in ("/sign-in/signup/", "/signup/", "/accounts/signup/", "/sign-in/password/reset/"):
        assert Client().get(path).status_code in (302, 404)
        assert Client().get(path).get("Location", "/sign-in/").startswith("/sign-in/")


# ------------------------------------------------------------------ the administrator


def events() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("sequence").values_list("act", "subject"))


def test_an_appointment_from_form_to_first_sign_in(
    office: Office, client_for: Callable[..., Client]
) -> None:
    admin = client_for(Role.ADMINISTRATOR)
    form = {
        "full_name": "Li Wen",
        "person_number": "H-77",
        "email": "li.wen@example.org",
        "role": "police_officer",
        "language": "zh-hans",
    }
    page = admin.post("/office/people/appoint/", form).content.decode()
    user = User.objects.get(person_number="H-77")
    assert user.agency_id == office.user(Role.ADMINISTRATOR).agency_id
    assert not user.has_usable_password()
    assert ("accounts.appoint", f"user:{user.pk}") in events()
    link = urlsplit(re.search(r"http://testserver(/new-password/[^<]+)", page)[1]).path
    client = Client()
    form_url = client.get(link)["Location"]
    weak = client.post(form_url, {"new_password1": "123", "new_password2": "123"})
    assert weak.status_code == 200
    client.post(form_url, {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert "works no more" in Client().get(link).content.decode()
    signed, response = give_password(user)
    assert response.status_code == 302
    assert signed.get("/")["Location"] == SET_UP


def test_an_agency_appoints_only_to_its_roles(client_for: Callable[..., Client]) -> None:
    admin = client_for(Role.ADMINISTRATOR)
    form = {
        "full_name": "Li Wen",
        "person_number": "H-77",
        "email": "li.wen@example.org",
        "language": "en",
    }
    for role in ("clinician", "system", "panel_member"):
        response = admin.post("/office/people/appoint/", form | {"role": role})
        assert response.status_code == 200
    assert not User.objects.filter(person_number="H-77").exists()


def test_an_ended_appointment_loses_access_at_once(
    office: Office, client_for: Callable[..., Client]
) -> None:
    officer = office.user(Role.POLICE_OFFICER)
    working = client_for(Role.POLICE_OFFICER)
    assert see_me(working) == 200
    admin = client_for(Role.ADMINISTRATOR)
    url = f"/office/people/{officer.pk}/end/"
    assert "loses access at once" in admin.get(url).content.decode()
    assert see_me(working) == 200
    admin.post(url)
    assert see_me(working) == 302
    again, _ = give_password(officer)
    assert see_me(again) == 302
    assert ("accounts.end", f"user:{officer.pk}") in events()
    assert admin.get(url).status_code == 404


def test_an_appointment_that_ends_in_the_database_ends_the_session_too(
    office: Office, client_for: Callable[..., Client]
) -> None:
    working = client_for(Role.POLICE_OFFICER)
    User.objects.filter(pk=office.user(Role.POLICE_OFFICER).pk).update(is_active=False)
    assert see_me(working) == 302


@pytest.mark.parametrize("act", ["second-factor", "password"])
def test_resets_end_sessions_and_are_audited(
    act: str, office: Office, client_for: Callable[..., Client]
) -> None:
    officer = office.user(Role.POLICE_OFFICER)
    working = client_for(Role.POLICE_OFFICER)
    admin = client_for(Role.ADMINISTRATOR)
    admin.get(f"/office/people/{officer.pk}/{act}/")
    assert see_me(working) == 200
    admin.post(f"/office/people/{officer.pk}/{act}/")
    assert see_me(working) == 302
    assert (f"accounts.reset_{act.replace('-', '_')}", f"user:{officer.pk}") in events()
    kept = Authenticator.objects.filter(user=officer).exists()
    assert kept == (act == "password")
    _, response = give_password(officer)
    assert (response.status_code == 302) == (act == "second-factor")


def test_administrators_reach_their_own_agency_alone(
    office: Office, client_for: Callable[..., Client], actor: Callable[..., Actor]
) -> None:
    stranger = office.user(Role.POLICE_OFFICER, "other")
    admin = client_for(Role.ADMINISTRATOR)
    assert stranger.full_name not in admin.get("/office/people/").content.decode()
    for act in ("", "end/", "password/", "second-factor/"):
        assert admin.get(f"/office/people/{stranger.pk}/{act}").status_code == 404
        assert admin.post(f"/office/people/{stranger.pk}/{act}").status_code == 404
    for run in (actions.end_appointment, actions.reset_password, actions.reset_second_factor):
        with pytest.raises(PermissionDenied):
            run(actor(Role.ADMINISTRATOR), stranger)
        with pytest.raises(PermissionDenied):
            run(actor(Role.POLICE_OFFICER, number=2), office.user(Role.POLICE_OFFICER))
    stranger.refresh_from_db()
    assert stranger.is_active
    assert events() == []


def test_administrators_do_not_reset_themselves(
    office: Office, actor: Callable[..., Actor]
) -> None:
    me = office.user(Role.ADMINISTRATOR)
    for run in (actions.end_appointment, actions.reset_second_factor):
        with pytest.raises(PermissionDenied):
            run(actor(Role.ADMINISTRATOR), me)
    actions.end_appointment(actor(Role.ADMINISTRATOR, number=2), me)


def test_an_agency_is_entered(office: Office, client_for: Callable[..., Client]) -> None:
    admin = client_for(Role.ADMINISTRATOR)
    form = {"name": "Baoding hospital", "code": "baoding", "kind": "hospital", "country": "CN"}
    response = admin.post("/office/agencies/new/", form | {"accredited": "on"})
    assert "Name the officer" in response.content.decode()
    admin.post("/office/agencies/new/", form)
    assert not Agency.objects.filter(code="baoding").exists()
    assert ("agency.propose", "agency:baoding") in events()
    other = client_for(Role.ADMINISTRATOR, office.agency("welfare"))
    other.post(f"/office/agencies/changes/{AgencyChange.objects.get().pk}/", {"confirm": "1"})
    agency = Agency.objects.get(code="baoding")
    assert not agency.accredited
    assert ("agency.enter", "agency:baoding") in events()


def test_administrators_see_no_case(client_for: Callable[..., Client]) -> None:
    html = client_for(Role.ADMINISTRATOR).get("/me/").content.decode()
    menu = re.findall(r'<li><a href="([^"]+)"', html.split("</nav>")[0])
    assert menu == ["/office/people/", "/office/agencies/", "/me/"]


def test_guesses_at_a_short_secret_are_limited(rf: RequestFactory) -> None:
    request = rf.post("/")
    assert [attempt_allowed(request, "case:A") for _ in range(7)] == [True] * 5 + [False] * 2
    assert attempt_allowed(request, "case:B")
    forget_attempts(request, "case:A")
    assert attempt_allowed(request, "case:A")
    elsewhere = rf.post("/", REMOTE_ADDR="192.0.2.7")
    for _ in range(4):
        attempt_allowed(elsewhere, "case:A")
    assert not attempt_allowed(request, "case:A")


@pytest.mark.django_db(transaction=True)
def test_attempts_are_counted_in_the_database_where_several_processes_serve(
    settings: object, rf: RequestFactory
) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "kinward_cache",
        }
    }
    request = rf.post("/")
    assert [attempt_allowed(request, "case:A") for _ in range(6)] == [True] * 5 + [False]
    assert CacheEntry.objects.count() == 2
    forget_attempts(request, "case:A")
    assert attempt_allowed(request, "case:A")
    cache.clear()
