"""Add to a filled registry what its generator leaves out: suspects, links, documents, messages,
notices and a long audit chain. All of it is synthetic.

After `kinward manage make_registry --cases 50000`, in the same `KINWARD_HOME`:
`python benchmarks/web_rows.py`, once.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from random import Random
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kinward_web.settings")
os.environ.setdefault("KINWARD_INSECURE_HTTP", "1")

import django

django.setup()

from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from kinward_web.accounts.api import User, actor_for  # noqa: E402
from kinward_web.audit.chain import GENESIS, link_hash  # noqa: E402
from kinward_web.audit.models import AuditEvent, ReadEvent  # noqa: E402
from kinward_web.casework.models import Case, Message  # noqa: E402
from kinward_web.public.actions import draft_notice  # noqa: E402
from kinward_web.registry.models import Document, Involvement, Link, Person  # noqa: E402
from kinward_web.rules.roles import Role  # noqa: E402

SEED = 1
BATCH = 2_000


def _keep(model: Any, rows: Iterator[Any]) -> None:
    while batch := list(islice(rows, BATCH)):
        model.objects.bulk_create(batch)


def registry(chance: Random) -> None:
    """Accuse one child's acquaintance in five, join people by links, store a document each."""
    now = timezone.now()
    cases = list(
        Case.objects.values_list("pk", "child_id", "operation_id", "region", "child__entered_by_id")
    )
    people = Person.objects.count()
    suspects = [case for case in cases if chance.random() < 0.2]
    _keep(
        Person,
        (
            Person(
                name=f"Synthetic suspect {number}",
                name_index=f"synthetic-{number}",
                region=case[3],
                entered_by_id=case[4],
            )
            for number, case in enumerate(suspects)
        ),
    )
    accused = list(Person.objects.order_by("pk").values_list("pk", flat=True)[people:])
    _keep(
        Involvement,
        (
            Involvement(
                person_id=pk,
                operation_id=case[2],
                part=chance.choice(("suspect", "buyer", "broker", "witness")),
                standing=chance.choice(("alleged", "arrested", "charged")),
                source="Synthetic",
                entered_by_id=case[4],
            )
            for pk, case in zip(accused, suspects, strict=True)
        ),
    )
    pairs = {(pk, case[1]) for pk, case in zip(accused, suspects, strict=True)}
    pairs |= {(chance.choice(accused), case[1]) for case in cases}
    _keep(
        Link,
        (
            Link(
                first_id=one,
                second_id=other,
                kind=chance.choice(("contact", "payment", "kin")),
                source="Synthetic",
                entered_by_id=cases[0][4],
            )
            for one, other in sorted(pairs)
        ),
    )
    uploader = User.objects.filter(role=Role.POLICE_OFFICER.value).first()
    _keep(
        Document,
        (
            Document(
                person_id=child,
                kind="other",
                title="Synthetic",
                media_type="text/plain",
                size=9,
                sha256="0" * 64,
                content=b"synthetic",
                uploaded_by=uploader,
                uploaded_at=now,
            )
            for _pk, child, *_rest in cases
        ),
    )


def messages(chance: Random) -> None:
    """Tell agencies of the cases that they take part in."""
    rows = Case.parties.rel.related_model.objects.values_list("agency_id", "case_id")
    _keep(
        Message,
        (
            Message(agency_id=agency, case_id=case, key="new_link")
            for agency, case in rows.iterator()
            if chance.random() < 0.15
        ),
    )


def notices(count: int) -> None:
    """Draft notices about children who are being searched for."""
    officer = User.objects.filter(role=Role.POLICE_OFFICER.value).first()
    actor = actor_for(officer, second_factor_at=timezone.now())
    rows = Case.objects.filter(state="tracing", parties__agency_id=officer.agency_id)
    for code in rows.values_list("code", flat=True)[:count]:
        draft_notice(
            actor,
            code,
            title="Synthetic",
            text="Synthetic",
            contact="Synthetic",
            ends_on=timezone.localdate() + timedelta(days=30),
            photograph=None,
        )


def chain(count: int, chance: Random) -> None:
    """Lengthen the audit chain by `count` links, and write a third as many reads."""
    users = list(User.objects.values_list("pk", "role", "agency_id"))
    codes = list(Case.objects.values_list("code", flat=True))
    acts = ("case.register", "case.start_tracing", "placement.refused", "case.refused")
    last = AuditEvent.objects.order_by("-sequence").first()
    sequence, previous = (last.sequence, last.hash) if last else (0, GENESIS)
    now = timezone.now()
    for start in range(0, count, BATCH):
        batch = []
        for _ in range(min(BATCH, count - start)):
            sequence += 1
            user, role, agency = chance.choice(users)
            event = AuditEvent(
                pk=sequence,
                sequence=sequence,
                at=now,
                actor_id=user,
                role=role,
                agency_id=agency,
                channel="page",
                act=chance.choices(acts, (50, 48, 1, 1))[0],
                subject=f"case:{chance.choice(codes)}",
                detail={"codes": ["agency"]},
                previous=previous,
            )
            event.hash = previous = link_hash(event)
            batch.append(event)
        AuditEvent.objects.bulk_create(batch)
    _keep(
        ReadEvent,
        (
            ReadEvent(
                at=now,
                actor_id=chance.choice(users)[0],
                purpose="care",
                act="case.read",
                subject=f"case:{chance.choice(codes)}",
                seal_id=sequence,
            )
            for _ in range(count // 3)
        ),
    )


def main() -> None:
    """Fill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", type=int, default=500_000, help="links of the audit chain")
    parser.add_argument("--notices", type=int, default=300)
    asked = parser.parse_args()
    chance = Random(SEED)
    with transaction.atomic():
        registry(chance)
        messages(chance)
    notices(asked.notices)
    chain(asked.links, chance)


if __name__ == "__main__":
    main()
