"""The commands `kinward serve`, `kinward manage` and `kinward audit`.

Django is imported inside them, so that `kinward --help` answers at once and a library without the
web application says what to install.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

from kinward.errors import KinwardError

__all__ = ["StartError", "audit", "manage", "serve"]

_EXAMPLES = """\
examples:
  kinward serve --demo                       synthetic data in a folder of its own, on this machine
  KINWARD_PROXY=127.0.0.1 kinward serve      behind a reverse proxy that adds TLS
"""
_WANTED = ("django", "allauth", "csp", "django_htmx", "whitenoise", "waitress", "cryptography")


class StartError(KinwardError):
    """The web application cannot start; the message says what to do."""


def serve(argv: Sequence[str]) -> int:
    """Run the web application: `kinward serve --demo` for synthetic data."""
    args = _serve_parser().parse_args(argv)
    if args.home is not None:
        os.environ["KINWARD_HOME"] = str(args.home.resolve())
    if args.demo or os.environ.get("KINWARD_DEMO") == "1":
        _prepare_demo(args.host)
    _start_django("serve")
    from kinward_web import serving

    return serving.run(args.host, args.port)


def manage(argv: Sequence[str]) -> int:
    """Run a management command of Django: migrate, check, backup …"""
    _start_django("manage")
    from django.core.management import ManagementUtility

    ManagementUtility(["kinward manage", *argv]).execute()
    return 0


def audit(argv: Sequence[str]) -> int:
    """Verify the record of who did and read what."""
    _start_django("audit")
    from django.db import DatabaseError

    from kinward_web.audit import command

    try:
        return command.run(argv)
    except DatabaseError as error:
        raise StartError(
            f"the database cannot be read ({error}): is KINWARD_HOME or DATABASE_URL the right one?"
        ) from error


def _serve_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kinward serve",
        description="Run the web application.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on, %(default)s")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on, %(default)s")
    parser.add_argument(
        "--demo", action="store_true", help="fill a folder with synthetic data; no TLS"
    )
    parser.add_argument(
        "--home", type=Path, help="folder of database and keys; KINWARD_HOME, or new for --demo"
    )
    return parser


def _prepare_demo(host: str) -> None:
    """Set the environment of a demonstration: its own folder, this machine only, no TLS.

    :raises StartError: `host` can be reached from other machines.
    """
    if not _is_loopback(host):
        raise StartError("--demo has no TLS and known passwords: serve it on 127.0.0.1 only")
    if "KINWARD_HOME" not in os.environ:
        os.environ["KINWARD_HOME"] = tempfile.mkdtemp(prefix="kinward-demo-")
    os.environ.pop("DATABASE_URL", None)
    os.environ |= {"KINWARD_DEMO": "1", "KINWARD_INSECURE_HTTP": "1"}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _start_django(command: str) -> None:
    """Load the settings and the apps.

    :raises StartError: the packages of the web application are not installed.
    """
    if not all(map(find_spec, _WANTED)):
        raise StartError(f"`kinward {command}` needs the web application: install kinward[web]")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kinward_web.settings")
    import django

    django.setup()
