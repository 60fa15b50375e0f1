"""Two planners accept at the same moment, as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from databases import Installation

FOLDER = Path(__file__).parent
WORKER = FOLDER / "plan_worker.py"
PREPARE = """
import sys
sys.path.insert(0, {folder!r})
import json, django
django.setup()
from conftest import Office
from kinward_web.accounts.api import Agency
from kinward_web.rules.roles import AgencyKind, Role
office = Office({{
    (kind, "own"): Agency.objects.create(
        code=f"own-{{kind}}", name=f"Synthetic {{kind}}", kind=kind.value, region="Henan"
    )
    for kind in AgencyKind
}})
from care_world import Night
from kinward_web.casework.care.actions import compute_plan
night = Night(office)
night.home(beds=3), night.home(beds=3)
for number in range(6):
    night.child("S" if number < 2 else "")
plans = []
for number in (1, 2):
    user = office.user(Role.WELFARE_WORKER, None, number)
    plan = compute_plan(night.actor(Role.WELFARE_WORKER, "own", number), 30)
    plans.append((plan.pk, user.pk))
print(json.dumps(plans))
"""
LOOK = """
import json, django
django.setup()
from django.db.models import Count
from kinward_web.casework.models import Placement
print(json.dumps({
    "children": dict(Placement.objects.values_list("case__code").annotate(Count("pk"))),
    "homes": dict(Placement.objects.values_list("home__name").annotate(Count("pk"))),
}))
"""


def _run(home: Installation, *arguments: str) -> object:
    # The settings of the tests must not reach the processes through conftest's own home.
    answer = subprocess.run(
        [sys.executable, *arguments], env=home.environment, stdout=subprocess.PIPE, check=True
    )
    return json.loads(answer.stdout)


def _race(home: Installation, folder: Path, mode: str) -> tuple[list[dict], dict]:
    plans = _run(home, "-c", PREPARE.format(folder=str(FOLDER)))
    go = folder / f"go-{mode}"
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(plan), str(login), str(go), mode],
            env=home.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for plan, login in plans
    ]
    while len(list(folder.glob(f"{go.name}.*.ready"))) < len(workers):
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.01)
    go.touch()
    answers = [json.loads(worker.communicate()[0]) for worker in workers]
    return answers, _run(home, "-c", LOOK)


def test_two_planners_at_once_neither_place_a_child_twice_nor_overfill_a_home(
    fresh_installation: Callable[[str], Installation], tmp_path: Path
) -> None:
    answers, found = _race(fresh_installation("office"), tmp_path, "locked")
    accepted = [code for answer in answers for code in answer["accepted"]]
    assert len(accepted) == len(set(accepted)) == 6
    assert len([code for answer in answers for code in answer["stale"]]) == 6
    assert set(found["children"].values()) == {1}
    assert all(count <= 3 for count in found["homes"].values())


def test_believing_the_plan_places_children_twice(
    fresh_installation: Callable[[str], Installation], tmp_path: Path
) -> None:
    """The planted fault: without a look under the lock both planners use the same beds."""
    _answers, found = _race(fresh_installation("naive"), tmp_path, "naive")
    assert set(found["children"].values()) == {2}
    assert max(found["homes"].values()) > 3
