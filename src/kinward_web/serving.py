"""Start of the web application: the database, the static files, the demonstration, the server."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import Any

import waitress
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from kinward_web import static_files
from kinward_web.commands import StartError
from kinward_web.ringcheck import ring_fault

__all__ = ["run"]

_THREADS = 8
_PATIENCE = 600
"""Seconds to wait for another start in the same folder."""


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other starts in the same folder waiting; a start that dies lets go."""
    lock = sqlite3.connect(settings.HOME / "start.lock", timeout=_PATIENCE, isolation_level=None)
    with closing(lock):
        lock.execute("BEGIN EXCLUSIVE")
        yield


def _prepare() -> None:
    """Make database and static files ready, and fill a demonstration.

    :raises StartError: PostgreSQL's tables are not up to date, or the key ring is another one.
    """
    if fault := ring_fault():
        raise StartError(fault)
    if connection.vendor == "sqlite":
        call_command("migrate", interactive=False, verbosity=0)
        call_command("install_constraints", verbosity=0)
    elif _plan():
        raise StartError(
            "the tables are not up to date: run `kinward manage migrate` and "
            "`kinward manage install_constraints --role NAME` as the owner of the tables"
        )
    static_files.collect()
    if settings.DEMO:
        _fill_demo()


def run(host: str, port: int) -> int:
    """Prepare everything and serve until interrupted.

    :raises StartError: PostgreSQL's tables are not up to date; only their owner may change them.
    """
    with _alone():
        _prepare()
    # WhiteNoise looks at the static files once, when the application is made.
    from kinward_web.wsgi import application

    print(_greeting(host, port), flush=True)
    waitress.serve(
        application, host=host, port=port, threads=_THREADS, ident=None, **_proxy_options()
    )
    return 0


def _plan() -> list[Any]:
    executor = MigrationExecutor(connection)
    return executor.migration_plan(executor.loader.graph.leaf_nodes())


def _proxy_options() -> dict[str, Any]:
    """Believe `X-Forwarded-*` from the reverse proxy alone; waitress drops it from anyone else."""
    proxy = os.environ.get("KINWARD_PROXY")
    if not proxy:
        return {}
    return {
        "trusted_proxy": proxy,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
        "clear_untrusted_proxy_headers": True,
    }


def _greeting(host: str, port: int) -> str:
    place = f"http://{host}:{port}"
    if settings.DEMO:
        return f"Kinward, synthetic demo data in {settings.HOME}: open {place} (Ctrl+C stops)"
    if settings.INSECURE_HTTP:
        return f"Kinward without TLS, for this machine alone: {place} (Ctrl+C stops)"
    return f"Kinward listens on {place} for a reverse proxy that adds TLS (Ctrl+C stops)"


def _fill_demo() -> None:
    """Fill the database with synthetic data and print one login for each role."""
    if find_spec("kinward_web.demo") is None:
        return
    from kinward_web.demo import fill

    print("Filling the demonstration; the first time this takes half a minute.", flush=True)
    for login in fill():
        print(f"{login.role:<18} {login.email:<34} {login.password:<20} TOTP {login.secret}")
    print("The present six digits of each login stand on the page /demo/code/.")
