"""`kinward audit`: verify the chain, print its head, seal waiting reads."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from django.db import DatabaseError

from kinward_web.audit.reads import seal_reads
from kinward_web.audit.verification import Head, Verification, head, record_verification, verify

__all__ = ["run"]

_SHOWN = 10
"""Faults printed for people; `--json` holds all that were kept."""
_EXAMPLE = """\
example:
  kinward audit head > head.txt        keep it where the database's owner cannot reach
  kinward audit verify --expect "$(cat head.txt)"
"""


def run(argv: Sequence[str]) -> int:
    """Run the command; return 0 when sound or done, 1 when not, 2 on wrong use."""
    parser = _parser()
    try:
        options = parser.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    if options.step == "verify":
        return _verify(options.expect, options.json)
    if options.step == "head":
        return _head(options.json)
    return _seal(options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kinward audit",
        description="Show that the record of who did and read what is whole.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    steps = parser.add_subparsers(dest="step", required=True)
    check = steps.add_parser("verify", help="recompute every link and every sealed batch of reads")
    check.add_argument(
        "--expect",
        metavar="SEQUENCE:HASH",
        type=_parse_head,
        action="append",
        default=[],
        help="a head noted earlier: nothing up to it may have been rewritten or cut (repeatable)",
    )
    last = steps.add_parser("head", help="print the last link, to be written down elsewhere")
    seal = steps.add_parser("seal", help="seal the reads that wait")
    for step in (check, last, seal):
        step.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _parse_head(text: str) -> Head:
    try:
        return Head.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _verify(expected: list[Head], as_json: bool) -> int:
    from kinward_web.accounts.api import SYSTEM, Channel

    found = verify(expected)
    try:
        record_verification(replace(SYSTEM, channel=Channel.COMMAND), found)
    except DatabaseError as error:
        # For instance on a copy that can only be read.
        print(f"That the chain was verified could not be recorded: {error}", file=sys.stderr)
    if as_json:
        print(json.dumps(_as_json(found)))
    elif found.sound:
        print(
            f"The chain is whole: {found.count} links, {found.reads} sealed reads, "
            f"{found.waiting} waiting; head {found.head or 'none'}"
        )
    else:
        for fault in found.faults[:_SHOWN]:
            place = "reads" if fault.sequence is None else f"link {fault.sequence}"
            print(f"{place}: {fault.message}", file=sys.stderr)
        rest = max(len(found.faults) - _SHOWN, 0) + found.more
        if rest:
            print(f"and {rest} more faults", file=sys.stderr)
    return 0 if found.sound else 1


def _as_json(found: Verification) -> dict[str, object]:
    return {
        "sound": found.sound,
        "at": found.at.isoformat(),
        "count": found.count,
        "reads": found.reads,
        "waiting": found.waiting,
        "head": str(found.head) if found.head else None,
        "faults": [
            {"code": fault.code, "sequence": fault.sequence, "message": fault.message}
            for fault in found.faults
        ],
        "more": found.more,
    }


def _head(as_json: bool) -> int:
    last = head()
    if last is None:
        print("The chain is empty: nothing has been recorded yet.", file=sys.stderr)
        return 1
    print(json.dumps({"sequence": last.sequence, "hash": last.hash}) if as_json else last)
    return 0


def _seal(as_json: bool) -> int:
    count = seal_reads()
    print(json.dumps({"sealed": count}) if as_json else f"{count} reads sealed")
    return 0
