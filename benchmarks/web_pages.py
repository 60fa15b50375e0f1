"""Measure the pages on a large registry: server time and number of queries.

First fill an installation of its own: `KINWARD_HOME=/tmp/big kinward manage migrate`, then
`kinward manage make_registry --cases 50000`. Then `KINWARD_HOME=/tmp/big python
benchmarks/web_pages.py` prints one row per page. Wall time includes whatever else this machine
does; processor time is that of the page alone, without a PostgreSQL server.
"""

from __future__ import annotations

import os
import statistics
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kinward_web.settings")
os.environ.setdefault("KINWARD_INSECURE_HTTP", "1")

import django

django.setup()

from allauth.account.internal.flows.login import record_authentication  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connection  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from kinward_web.accounts.api import User  # noqa: E402
from kinward_web.casework.api import cases_for  # noqa: E402
from kinward_web.casework.models import Case, TransitionRecord  # noqa: E402
from kinward_web.rules.roles import Role  # noqa: E402

REPEATS = 5
PLAIN = settings.STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}


def sign_in(role: Role) -> tuple[Client, User]:
    """Sign the first person of a role in, with a second factor."""
    user = User.objects.filter(role=role.value, full_name__startswith="Synthetic").first()
    client = Client(HTTP_HOST="localhost")
    client.force_login(user)
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, user, method="mfa", type="totp")
    request.session.save()
    return client, user


def measure(client: Client, path: str) -> tuple[int, int, float, float, float]:
    """Return (status, queries, first wall, median wall, median processor) in ms."""
    walls, cpus = [], []
    cache.clear()
    for _ in range(REPEATS + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = client.get(path)
        walls.append(1_000 * (time.perf_counter() - wall))
        cpus.append(1_000 * (time.process_time() - cpu))
    cache.clear()
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    return (
        answer.status_code,
        len(queries),
        walls[0],
        statistics.median(walls[1:]),
        statistics.median(cpus[1:]),
    )


def pages() -> list[tuple[str, Role, str]]:
    """Return the pages measured: name, who looks, address."""
    from kinward_web.accounts.api import actor_for

    _client, officer = sign_in(Role.POLICE_OFFICER)
    code = cases_for(actor_for(officer)).filter(state="tracing").values_list("code", flat=True)
    return [
        ("Today", Role.POLICE_OFFICER, "/today/"),
        ("Child", Role.POLICE_OFFICER, f"/cases/{code[0]}/"),
        ("All children", Role.POLICE_OFFICER, "/cases/"),
        ("All children, whole country", Role.AUDITOR, "/cases/"),
        ("Care places", Role.WELFARE_WORKER, "/care/"),
        ("Tonight's plan", Role.WELFARE_WORKER, "/care/plan/"),
        ("Oversight, whole country", Role.AUDITOR, "/oversight/"),
        ("Oversight, one region", Role.POLICE_ANALYST, "/oversight/"),
        ("Pace, whole country", Role.AUDITOR, "/oversight/pace/"),
    ]


def main() -> None:
    """Print the table."""
    with override_settings(STORAGES=PLAIN):
        cases, steps = Case.objects.count(), TransitionRecord.objects.count()
        print(f"{cases:,} cases, {steps:,} transitions, {connection.vendor}\n")
        print("| page | status | queries | first, ms | median, ms | processor, ms |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for name, role, path in pages():
            client, _user = sign_in(role)
            status, queries, first, wall, cpu = measure(client, path)
            print(
                f"| {name} | {status} | {queries} | {first:.0f} | {wall:.0f} | {cpu:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
