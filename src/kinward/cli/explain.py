"""`kinward explain`: one child and one family, locus by locus."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kinward.cli.console import Json, counted, finite, format_table, print_json
from kinward.cli.options import (
    Commands,
    add_command,
    add_json,
    add_model,
    frequencies_of,
    mutation_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kinward.io.tables import Read
    from kinward.likelihood.story import LocusStory, PairStory
    from kinward.model.registry import ChildTable, Family, FamilyTable

__all__ = ["add_to"]


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "explain",
        summary="explain one child and one family, locus by locus",
        description="Show how the likelihood ratio of one child and one missing child arises: "
        "genotypes, the\nratio and the sum at every locus, exclusions and the mutation that would "
        "explain each.\nThe model is that of a search of the same files.",
        example="kinward explain C00001 F00001 "
        "--children tests/reference/registry_400/children.csv "
        "--families tests/reference/registry_400/families.csv --population vietnam",
    )
    parser.add_argument("child", metavar="CHILD", help="id of the child")
    parser.add_argument("family", metavar="FAMILY", help="id of the family")
    parser.add_argument("--children", required=True, metavar="FILE", help="rescued children")
    parser.add_argument("--families", required=True, metavar="FILE", help="searching families")
    parser.add_argument(
        "--missing", metavar="ID", help="which missing child, where a family has several"
    )
    add_model(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from kinward.likelihood.story import pair_story
    from kinward.search.engine import prepare_model
    from kinward.search.inputs import read_inputs

    table, mutation = frequencies_of(args), mutation_of(args)
    inputs = read_inputs(args.children, args.families)
    children, families = inputs.children.table, inputs.families.table
    at = _find(inputs.children, children.ids, "child", args.child, args.children)
    family = families.family(
        _find(inputs.families, families.family_ids, "family", args.family, args.families)
    )
    missing = _missing(family, args.missing, args.families)
    prepared = prepare_model(
        children, families, table, mutation, theta=args.theta, silent=args.silent
    )
    profile = children.genotypes.profile(at)
    if at in children.typing:
        profile = type(profile)(profile.genotypes, children.typing[at])
    story = pair_story(family, missing, profile, prepared.model)
    if args.json:
        print_json(_as_json(args.child, family, story, prepared.notes))
        return 0
    print(_as_text(args.child, family, story))
    for note in prepared.notes:
        print(f"note: {note}")
    return 0


def _find(
    read: Read[ChildTable] | Read[FamilyTable],
    ids: Iterable[object],
    what: str,
    wanted: str,
    path: str,
) -> int:
    """Return the position of a child or family; a row left out as faulty is told as such."""
    from kinward.errors import Fault, InputError

    for position, name in enumerate(ids):
        if name == wanted:
            return position
    if read.faults:
        raise InputError(read.faults)
    mend = "check the id"
    raise InputError([Fault(path, None, None, f"unknown-{what}", f"no {what} {wanted!r}", mend)])


def _missing(family: Family, wanted: str | None, path: str) -> str:
    from kinward.errors import Fault, InputError

    if wanted is None and len(family.missing) == 1:
        return family.missing[0]
    if wanted in family.missing:
        return str(wanted)
    known = ", ".join(family.missing)
    message = (
        f"family {family.id} has no missing child {wanted!r}"
        if wanted
        else f"family {family.id} has {len(family.missing)} missing children"
    )
    mend = f"choose with --missing from {known}"
    raise InputError([Fault(path, None, None, "unknown-missing-child", message, mend)])


def _typed(family: Family, story: PairStory) -> list[str]:
    return [p for p in family.profiles if p not in family.missing or p == story.missing]


def _as_text(child: str, family: Family, story: PairStory) -> str:
    people = _typed(family, story)
    rows = []
    for one in story.loci:
        relatives = (str(one.relatives.get(person, "-")) for person in people)
        ratio = "impossible" if one.result.lr is None else f"{one.result.lr:.4g}"
        total = "-" if one.cumulative is None else f"{one.cumulative:.3f}"
        rows.append((one.result.locus, str(one.child), *relatives, ratio, total, _remark(one)))
    header = ("locus", child, *people, "LR", "sum of log10", "remark")
    right = (len(people) + 2, len(people) + 3)
    result = story.result
    lines = [
        f"child {child} as {story.missing} of family {family.id}",
        "",
        format_table(header, rows, right=right),
        "",
        f"log10 LR {_log(result.log10_lr)} over {counted(result.loci, 'locus', 'loci')}, "
        f"{counted(result.exclusions, 'exclusion')}",
    ]
    if story.father_alone is not None or story.mother_alone is not None:
        father, mother = _log(story.father_alone), _log(story.mother_alone)
        lines.append(f"with the father alone {father}, with the mother alone {mother}")
    if result.inconsistent:
        loci = ", ".join(result.inconsistent)
        lines.append(f"the relatives contradict each other at {loci}: no likelihood ratio")
    return "\n".join(lines)


def _log(value: float | None) -> str:
    return "none" if value is None else f"{value:.6f}"


def _remark(one: LocusStory) -> str:
    if one.result.lr is None:
        return "the relatives contradict each other"
    if not one.result.compared:
        return "no relative typed"
    if not one.result.exclusion:
        return ""
    if not one.mutations:
        return "excluded"
    changes = ", ".join(
        f"{change.parent} {change.before} → {change.after}"
        + (f" ({counted(change.steps, 'step')})" if change.steps is not None else "")
        for change in one.mutations
    )
    return f"excluded but for a mutation: {changes}"


def _as_json(child: str, family: Family, story: PairStory, notes: Sequence[str]) -> dict[str, Json]:
    return {
        "child": child,
        "family": family.id,
        "missing": story.missing,
        "log10_lr": finite(story.result.log10_lr),
        "father_alone": finite(story.father_alone),
        "mother_alone": finite(story.mother_alone),
        "loci": story.result.loci,
        "exclusions": story.result.exclusions,
        "inconsistent": list(story.result.inconsistent),
        "per_locus": [
            {
                "locus": one.result.locus,
                "child": str(one.child),
                "relatives": {person: str(seen) for person, seen in one.relatives.items()},
                "lr": one.result.lr,
                "compared": one.result.compared,
                "exclusion": one.result.exclusion,
                "cumulative_log10_lr": finite(one.cumulative),
                "mutations": [
                    {
                        "parent": change.parent,
                        "before": change.before,
                        "after": change.after,
                        "steps": change.steps,
                    }
                    for change in one.mutations
                ],
                "share": one.share,
            }
            for one in story.loci
        ],
        "notes": list(notes),
    }
