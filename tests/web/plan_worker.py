"""Accepts a plan as a process of its own: PLAN, LOGIN, GO-FILE, MODE. Prints the codes accepted.

MODE `naive` looks at what the plan saw before everyone starts and then believes it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from unittest.mock import ANY

import django


def main(number: int, login: int, go: Path, mode: str) -> None:
    """Wait for GO-FILE, then accept every row."""
    django.setup()
    from django.db import connection
    from django.utils import timezone

    from kinward_web.accounts.api import User, actor_for
    from kinward_web.casework.care import actions
    from kinward_web.casework.care.models import NightPlan

    user = User.objects.select_related("agency").get(pk=login)
    actor = actor_for(user, second_factor_at=timezone.now())
    plan = NightPlan.objects.get(pk=number)
    codes = list(plan.rows.values_list("case__code", flat=True))
    if mode == "naive":
        actions.facts_digest = lambda *_: ANY
        everyone = actions.waiting_cases(actor, timezone.now())
        children = actions.child_rows(everyone, timezone.now())
        actions.child_rows = lambda *_: children
    connection.ensure_connection()
    go.with_name(f"{go.name}.{login}.ready").touch()
    while not go.exists():
        time.sleep(0.005)
    outcome = actions.accept_rows(actor, plan, codes)
    print(json.dumps({"accepted": outcome.accepted, "stale": outcome.stale}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
