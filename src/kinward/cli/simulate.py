"""`kinward simulate`: a registry with planted truth."""

from __future__ import annotations

import argparse

from kinward.cli.console import counted, print_json
from kinward.cli.options import (
    Commands,
    add_command,
    add_json,
    add_mutation,
    make_folder,
    mutation_of,
    positive,
)

__all__ = ["add_to"]


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "simulate",
        summary="make a registry of synthetic people with the truth beside it",
        description="Simulate searching families and rescued children, and write children.csv, "
        "families.csv\nand truth.csv (where each child belongs) into a folder. All people are "
        "synthetic.",
        example="kinward simulate --children 40 --families 60 --out build/registry --seed 7",
    )
    parser.add_argument("--children", type=positive, required=True, metavar="N")
    parser.add_argument("--families", type=positive, required=True, metavar="N")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder, made if need be")
    parser.add_argument(
        "--kinds",
        metavar="KIND=SHARE,...",
        help="kinds of family and their shares, for instance mother=0.3,both parents=0.7; "
        "default: a registry most of whose families have a typed parent",
    )
    parser.add_argument(
        "--population", default="china_han_42str", metavar="NAME", help="default china_han_42str"
    )
    parser.add_argument("--loci", metavar="A,B,...", help="default: all of the population")
    add_mutation(parser)
    parser.add_argument(
        "--related",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="share of the children who belong to one of the families, default 0.5",
    )
    parser.add_argument(
        "--untyped",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of genotypes left empty, default 0",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default 1")
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from kinward.io.write import write_children, write_families
    from kinward.model.population import load_population
    from kinward.simulate.kinds import DEFAULT_KINDS
    from kinward.simulate.registry import SimulationPlan, simulate_registry

    plan = SimulationPlan(
        children=args.children,
        families=args.families,
        populations=((load_population(args.population), 1.0),),
        kinds=_shares(args.kinds) if args.kinds else DEFAULT_KINDS,
        mutation=mutation_of(args),
        loci=_loci(args.loci) if args.loci else None,
        missing_rate=args.untyped,
        related_fraction=args.related,
        seed=args.seed,
    )
    registry = simulate_registry(plan)
    folder = Path(args.out)
    make_folder(folder)
    write_children(registry.children, folder / "children.csv")
    write_families(registry.families, folder / "families.csv")
    registry.write_truth(folder / "truth.csv")
    found = int((registry.truth.family >= 0).sum())
    if args.json:
        print_json(
            {
                "out": args.out,
                "children": args.children,
                "families": args.families,
                "children_of_a_family": found,
                "seed": args.seed,
            }
        )
        return 0
    print(
        f"{counted(args.children, 'child', 'children')}, {found} of them of one of "
        f"{counted(args.families, 'family', 'families')}: "
        f"children.csv, families.csv and truth.csv are in {args.out}"
    )
    return 0


def _shares(text: str) -> dict[str, float]:
    """Read `mother=0.3,both parents=0.7`; a comma also stands in the names of some kinds."""
    from kinward.errors import ModelError

    shares: dict[str, float] = {}
    name = ""
    for word in text.split(","):
        before, equals, number = word.rpartition("=")
        name += before if equals else word + ","
        if not equals:
            continue
        try:
            shares[name.strip()] = float(number)
        except ValueError:
            raise ModelError(
                f"--kinds: {number!r} is not a number; write for instance mother=0.3"
            ) from None
        name = ""
    if name or not shares:
        raise ModelError(f"--kinds {text!r} lacks a share; write for instance mother=0.3")
    return shares


def _loci(text: str) -> tuple[str, ...]:
    from kinward.errors import ModelError
    from kinward.model.marker import find_locus

    names = []
    for word in text.split(","):
        locus = find_locus(word)
        if locus is None:
            raise ModelError(f"locus {word!r} is not known; `kinward loci` lists those that are")
        names.append(locus.name)
    return tuple(names)
