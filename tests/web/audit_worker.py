"""Appends links to the audit chain as a process of its own: COUNT, MODE, GO-FILE.

MODE `locked` is the program as it is; `naive` takes the lock away, so that each process reads the
last link and then writes the next. Prints how many links it could write.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import django


def main(count: int, mode: str, go: Path) -> None:
    """Wait for GO-FILE, then append."""
    django.setup()
    from django.db import Error, connection, connections, transaction

    from kinward_web.accounts.api import SYSTEM
    from kinward_web.audit import chain

    if mode != "locked":
        options = connections.databases["default"].get("OPTIONS", {})
        options.pop("transaction_mode", None)
    if mode == "naive":
        chain._lock = lambda: None
    connection.ensure_connection()
    go.with_name(f"{go.name}.{time.monotonic_ns()}.ready").touch()
    while not go.exists():
        time.sleep(0.005)
    written = 0
    for number in range(count):
        try:
            with transaction.atomic():
                chain.append(SYSTEM, "test.append", detail={"number": number})
            written += 1
        except Error:
            continue
    print(written)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
