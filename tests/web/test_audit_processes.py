"""Eight processes append to one chain at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from databases import Installation

WORKER = Path(__file__).with_name("audit_worker.py")
PROCESSES, EACH = 8, 50
VERIFY = """
import django; django.setup()
from kinward_web.audit.command import run
run(["verify", "--json"])
"""


def _append_all(home: Installation, folder: Path, mode: str) -> int:
    """Run all workers; return the number of links that they say they wrote."""
    go = folder / f"go-{mode}"
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(EACH), mode, str(go)],
            env=home.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    while len(list(folder.glob(f"{go.name}.*.ready"))) < PROCESSES:
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.01)
    go.touch()
    answers = [worker.communicate()[0] for worker in workers]
    assert all(worker.returncode == 0 for worker in workers)
    return sum(map(int, answers))


def _verify(home: Installation) -> dict[str, object]:
    answer = subprocess.run(
        [sys.executable, "-c", VERIFY], env=home.environment, stdout=subprocess.PIPE, check=True
    )
    return json.loads(answer.stdout)


@pytest.mark.parametrize("mode", ["locked", "deferred"])
def test_eight_processes_make_one_gapless_chain(
    fresh_installation: Callable[[str], Installation], tmp_path: Path, mode: str
) -> None:
    """`deferred` begins transactions on SQLite without their lock: `append` must take its own."""
    home = fresh_installation("office")
    assert _append_all(home, tmp_path, mode) == PROCESSES * EACH
    found = _verify(home)
    assert found["sound"], found["faults"]
    assert found["count"] == PROCESSES * EACH
    assert str(found["head"]).startswith(f"{PROCESSES * EACH}:")


def test_without_the_lock_links_are_lost(
    fresh_installation: Callable[[str], Installation], tmp_path: Path
) -> None:
    """The planted fault: whoever reads the last link unlocked writes the next one in vain."""
    home = fresh_installation("naive")
    written = _append_all(home, tmp_path, "naive")
    assert 0 < written < PROCESSES * EACH
    assert _verify(home)["count"] == written
