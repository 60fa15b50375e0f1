"""Signs the hand-over of a prepared case as a process of its own, and dies at statement N.

`prepare` makes the case and prints the proposal and the signer; `sign PROPOSAL SIGNER N` prints
what stands in the database before it begins, then kills itself with no chance to clean up when
the N-th writing statement has been carried out. All data is synthetic.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import django

sys.path.insert(0, str(Path(__file__).parent))
_WRITES = ("INSERT", "UPDATE", "DELETE")


def prepare() -> None:
    """Bring a case to the point where one signature is missing."""
    from conftest import Office
    from kinward_web.accounts.api import Agency
    from kinward_web.rules.roles import AgencyKind

    office = Office(
        {
            (kind, which): Agency.objects.create(
                code=f"{which}-{kind}", name=f"Synthetic {kind}", kind=kind.value, region=region
            )
            for kind in AgencyKind
            for which, region in (("own", "Henan"), ("other", "Yunnan"))
        }
    )
    from planner import World

    from kinward_web.casework import engine
    from kinward_web.rules.roles import Role

    world = World(office)
    case = world.case_in("family_found")
    world.propose(case, "return", state="cleared")
    actor = world.actor(Role.WELFARE_WORKER)
    rule = engine.binding_of(case).machine.rule("hand_over")
    from django.utils import timezone

    evidence = world.evidence(rule, case, actor, timezone.now())
    proposal = engine.transition(actor, case, "hand_over", evidence)
    signer = office.user(Role.POLICE_OFFICER)
    print(json.dumps([proposal.pk, signer.pk]))


def standing() -> dict[str, Any]:
    """Return what a half-done transition would have changed."""
    from kinward_web.audit.api import verify
    from kinward_web.casework.models import (
        Case,
        Placement,
        Proposal,
        Signature,
        TransitionRecord,
        Visit,
    )

    case = Case.objects.get()
    return {
        "case": [case.state, case.version, case.return_placement_id is None],
        "places": list(Placement.objects.order_by("pk").values_list("state", "version")),
        "records": TransitionRecord.objects.count(),
        "signatures": Signature.objects.filter(proposal__rule="hand_over").count(),
        "open": Proposal.objects.filter(rule="hand_over", closed_at__isnull=True).count(),
        "visits": Visit.objects.count(),
        "faults": [str(fault) for fault in verify().faults],
    }


def sign(proposal: int, signer: int, deadly: int) -> None:
    """Sign; die at the `deadly`-th writing statement."""
    from django.db import connection
    from django.utils import timezone

    from kinward_web.accounts.api import User, actor_for
    from kinward_web.casework import engine
    from kinward_web.casework.models import Proposal

    written = 0

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal written
        result = execute(sql, params, many, context)
        written += sql.lstrip().startswith(_WRITES)
        if written == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    print(json.dumps(standing()), flush=True)
    user = User.objects.select_related("agency").get(pk=signer)
    actor = actor_for(user, second_factor_at=timezone.now())
    with connection.execute_wrapper(count):
        engine.sign(actor, Proposal.objects.get(pk=proposal))
    print(json.dumps(standing()), flush=True)


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "prepare":
        prepare()
    else:
        sign(*map(int, sys.argv[2:]))
