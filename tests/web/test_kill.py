"""A process killed in the middle of a transition leaves nothing half-done."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from databases import Installation

WORKER = Path(__file__).parent / "kill_worker.py"
STRIDE = 7
"""Writing statements between one death and the next."""


def run(home: Installation, *arguments: object) -> tuple[int, list]:
    answer = subprocess.run(
        [sys.executable, str(WORKER), *map(str, arguments)],
        env=home.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    return answer.returncode, [json.loads(line) for line in answer.stdout.splitlines()]


def test_a_hand_over_is_made_whole_or_not_at_all(
    fresh_installation: Callable[[str], Installation],
) -> None:
    home = fresh_installation("office")
    status, [[proposal, signer]] = run(home, "prepare")
    assert status == 0
    seen, deadly = [], 1
    while True:
        status, lines = run(home, "sign", proposal, signer, deadly)
        seen.append(lines[0])
        if status == 0:
            break
        assert status == -signal.SIGKILL
        deadly += STRIDE
    assert len(seen) > 3, "it died at several statements before it came through"
    before, after = seen[0], lines[1]
    assert before["case"][0] == "family_found"
    assert all(look == before for look in seen), "after each death all stands as before"
    assert before["faults"] == after["faults"] == []
    assert after["case"][0] == "reunited"
    assert after["signatures"] == 2
    assert after["open"] == 0
    assert after["visits"] > 0
    assert [state for state, _version in after["places"]].count("placed") == 1
