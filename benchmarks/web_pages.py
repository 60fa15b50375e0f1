"""Measure the pages on a large registry: server time and number of queries.

First fill an installation of its own: `KINWARD_HOME=/tmp/big kinward manage migrate`, then
`kinward manage make_registry --cases 50000`, then `python benchmarks/web_rows.py`. Then
`KINWARD_HOME=/tmp/big python benchmarks/web_pages.py` prints one row per page;
`--write docs/reference/web-pages.md` keeps the table. Wall time includes whatever else this
machine does; processor time is that of the page alone, without a PostgreSQL server.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

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

from kinward_web.accounts.api import User, actor_for  # noqa: E402
from kinward_web.audit.api import AuditEvent  # noqa: E402
from kinward_web.casework.api import cases_for  # noqa: E402
from kinward_web.casework.models import Case, TransitionRecord  # noqa: E402
from kinward_web.public.models import Publication  # noqa: E402
from kinward_web.registry.models import Operation, Person  # noqa: E402
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
    _client, officer = sign_in(Role.POLICE_OFFICER)
    cases = cases_for(actor_for(officer))
    code = cases.filter(state="tracing").values_list("code", flat=True).first()
    placed = cases.filter(placements__household__isnull=False).order_by("pk")
    home, place, person = placed.values_list("code", "placements__pk", "child__code").filter(
        placements__household__isnull=False
    )[0]
    operation = Operation.objects.values_list("code", "campaign_id").first()
    notice = Publication.objects.filter(case__in=cases).values_list("pk", flat=True).first()
    rows = [
        ("Today", Role.POLICE_OFFICER, "/today/"),
        ("Child", Role.POLICE_OFFICER, f"/cases/{code}/"),
        ("All children", Role.POLICE_OFFICER, "/cases/"),
        ("All children, whole country", Role.AUDITOR, "/cases/"),
        ("Rescue board: operations", Role.POLICE_OFFICER, "/board/"),
        ("Rescue board", Role.POLICE_OFFICER, f"/board/{operation[0]}/"),
        ("Care places", Role.WELFARE_WORKER, "/care/"),
        ("Tonight's plan", Role.WELFARE_WORKER, "/care/plan/"),
        ("Custody checks", Role.POLICE_OFFICER, "/custody/"),
        ("Custody check of one place", Role.POLICE_OFFICER, f"/cases/{home}/places/{place}/"),
        ("Oversight, whole country", Role.AUDITOR, "/oversight/"),
        ("Oversight, one region", Role.POLICE_ANALYST, "/oversight/"),
        ("Pace, whole country", Role.AUDITOR, "/oversight/pace/"),
        ("People", Role.POLICE_OFFICER, "/registry/people/"),
        ("People, whole country", Role.AUDITOR, "/registry/people/"),
        ("Accused people", Role.POLICE_OFFICER, "/registry/people/?show=accused"),
        ("One person", Role.POLICE_OFFICER, f"/registry/people/{person}/"),
        ("Search", Role.POLICE_OFFICER, "/registry/search/"),
        ("Campaign", Role.POLICE_OFFICER, f"/registry/campaigns/{operation[1]}/"),
        ("Campaign, whole country", Role.AUDITOR, f"/registry/campaigns/{operation[1]}/"),
        ("Operations", Role.POLICE_OFFICER, "/registry/operations/"),
        ("Operation", Role.AUDITOR, f"/registry/operations/{operation[0]}/"),
        ("Notices of the agency", Role.POLICE_OFFICER, "/notices/manage/"),
        ("Notices, public", Role.POLICE_OFFICER, "/notices/"),
        ("Audit chain", Role.AUDITOR, "/audit/"),
        ("Audit chain, one act", Role.AUDITOR, "/audit/?act=placement.refused"),
        ("Audit chain, one case", Role.AUDITOR, f"/audit/?subject={code}"),
        ("Audit of reads", Role.AUDITOR, "/audit/reads/"),
    ]
    if notice:
        rows.append(("One notice", Role.POLICE_OFFICER, f"/notices/manage/{notice}/"))
    return rows


def table() -> Iterator[str]:
    """Yield the lines of the table."""
    cases, steps = Case.objects.count(), TransitionRecord.objects.count()
    links = AuditEvent.objects.count()
    yield (
        f"{cases:,} cases, {steps:,} transitions, {Person.objects.count():,} people, {links:,} "
        f"links of the audit chain; {connection.vendor}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores of {platform.machine()}.\n"
    )
    yield "| page | who looks | status | queries | first, ms | median, ms | processor, ms |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for name, role, path in pages():
        client, _user = sign_in(role)
        status, queries, first, wall, cpu = measure(client, path)
        who = role.value.replace("_", " ")
        yield f"| {name} | {who} | {status} | {queries} | {first:.0f} | {wall:.0f} | {cpu:.0f} |"


HEAD = """# Time of the pages

Measured by `benchmarks/web_pages.py` on a synthetic registry; see there how it is filled. "First"
is the first request, without anything in the cache; the median is of five more. Wall times include
whatever else the machine did; processor time is that of the request.

"""


def main() -> None:
    """Print the table, and keep it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="keep the table in this file")
    asked = parser.parse_args()
    lines = []
    with override_settings(STORAGES=PLAIN):
        for line in table():
            print(line, flush=True)
            lines.append(line)
    if asked.write:
        asked.write.write_text(HEAD + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
